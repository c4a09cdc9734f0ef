"""``loo``: how well a posterior predicts clusters of runs that it has not seen."""

from dataclasses import dataclass, replace

import jax
import numpy as np

from jscale._core.checks import check_key
from jscale._core.errors import JscaleError
from jscale._core.notes import Note
from jscale._core.scope import in_float64
from jscale._core.text import plural, quoted_names, shown
from jscale.fit import Posterior
from jscale.fit.bayes import MAX_PARETO_K
from jscale.fit.objective import clusters
from jscale.runs import Runs, select


@dataclass(frozen=True, eq=False)
class LeaveOneOut:
    """Expected log predictive density of clusters of runs, each left out in turn.

    Attributes:
        law: name of the law.
        errors: the error model as text.
        by: what runs of a cluster share; None where every run is its own.
        clusters: (clusters,) labels.
        runs: (clusters,) runs in each.
        log_scores: (clusters,) log density of the runs of each given all others, nats: of their log
            losses, or of the losses where one is 0 or below.
        pareto_k: (clusters,) shape of the tail of the importance ratios: above 0.7 the log score is
            unreliable unless the posterior was refitted.
        refitted: (clusters,) whether the log score comes from a posterior of the other runs.
        rough: (clusters,) whether importance sampling is rough in that posterior.
        parameters: effective number of parameters: what the runs' own part in the posterior adds to
            their log density.
        on_log: whether the densities are those of log losses.
        notes: on unreliable log scores.
        table_digest: hash of the table.
    """

    law: str
    errors: str
    by: str | None
    clusters: tuple[str, ...]
    runs: np.ndarray
    log_scores: np.ndarray
    pareto_k: np.ndarray
    refitted: np.ndarray
    rough: np.ndarray
    parameters: float
    on_log: bool
    notes: tuple[Note, ...]
    table_digest: str

    @property
    def name(self) -> str:
        """The law and the error model: ``coupled, student``."""
        return f"{self.law}, {self.errors}"

    @property
    def elpd(self) -> float:
        """Expected log pointwise predictive density: the sum of the log scores, nats."""
        return float(self.log_scores.sum())

    @property
    def se(self) -> float:
        """Standard error of :attr:`elpd`, from the scatter between clusters."""
        return float(np.sqrt(len(self.log_scores) * np.var(self.log_scores, ddof=1)))

    @property
    def unreliable(self) -> np.ndarray:
        """Which clusters (clusters,) have a Pareto k above 0.7 and no refit, or a rough one."""
        return (self._is_heavy & ~self.refitted) | self.rough

    @property
    def _is_heavy(self) -> np.ndarray:
        """Whether importance ratios have too heavy a tail (clusters,)."""
        return ~(self.pareto_k <= MAX_PARETO_K)

    def __repr__(self) -> str:
        count = len(self.runs)
        units = (
            plural(count, "run") if self.by is None else f"{plural(count, 'cluster')} of {self.by}"
        )
        return f"<LeaveOneOut {self.name}: elpd {self.elpd:.1f} ± {self.se:.1f} by {units}>"


@in_float64
def loo(
    posterior: Posterior,
    table: Runs,
    *,
    by: str | None = None,
    refit: bool = False,
    key: jax.Array | None = None,
) -> LeaveOneOut:
    """How well a posterior predicts clusters of runs, each left out in turn (PSIS-LOO).

    The log score of a cluster is the log of its joint density given all other runs, averaged over
    the posterior without it by Pareto-smoothed importance ratios. Where the error model has effects
    or a discrepancy, the density is conditional on the other runs: in closed form for normal
    errors; else by an integral over the effects of the cluster, and given the sampled discrepancy.

    Args:
        posterior: of the table, with its runs.
        table: the runs that it was fitted to.
        by: column whose equal values make a cluster. None: the first that runs share of ``trunk``,
            ``run_id``, the trained model, ``group`` and ``N``; without any, every run is its own.
        refit: sample a posterior without the cluster wherever Pareto k is above 0.7, by importance
            sampling: exact but for the noise of its draws.
        key: a JAX random key, for the refits.

    Raises:
        JscaleError: a posterior of other runs or without its runs, a column that forms no clusters,
            or refits without a key.

    Source: Vehtari, Gelman & Gabry 2017 (PSIS-LOO); Bürkner, Gabry & Vehtari 2021 (correlated
    errors); Merkle, Furr & Rabe-Hesketh 2019 (clusters).

    Example:
        >>> import jax
        >>> from jscale import assess, fit, laws, runs
        >>> D = [1e10] * 4 + [4e10] * 4 + [2e11] * 4 + [1e12] * 4
        >>> design = {"N": [1e8, 3e8, 1e9, 3e9] * 4, "D": D}
        >>> theta = laws.params(laws.chinchilla)
        >>> key = jax.random.key(0)
        >>> table = runs.simulate(laws.chinchilla, theta, design, noise=0.005, key=key)
        >>> settings = {"chains": 2, "warmup": 100, "draws": 100, "errors": "student"}
        >>> posterior = fit.posterior(laws.chinchilla, table, key=key, **settings)
        >>> result = assess.loo(posterior, table)
        >>> print(result.by, len(result.clusters), result.elpd > 40)
        N 4 True
    """
    # 1. Check the arguments.
    _check(posterior, table)
    if refit:
        if key is None:
            raise JscaleError(": refits need a JAX random key", argument="key")
        check_key(key)
    assert posterior.rows is not None
    rows = select(table, posterior.law).rows
    pieces = clusters(table, rows, by)

    # 2. All clusters by importance ratios.
    from jscale.fit.bayes.export import leave_out

    left_out = leave_out(posterior, pieces.labels)
    log_scores, on_log = left_out.elpd.copy(), _is_on_log(posterior)
    refitted = np.zeros(pieces.count, bool)
    result = LeaveOneOut(
        law=posterior.law_name,
        errors=str(posterior.errors),
        by=pieces.name,
        clusters=_names(table, rows, pieces.name, pieces.labels),
        runs=np.bincount(pieces.labels),
        log_scores=log_scores,
        pareto_k=left_out.pareto_k,
        refitted=refitted,
        rough=np.zeros(pieces.count, bool),
        parameters=0.0,
        on_log=on_log,
        notes=(),
        table_digest=table.digest,
    )

    # 3. Refits.
    notes: list[Note] = []
    if refit:
        assert key is not None
        notes += _refit(posterior, result, pieces.labels, key)
    parameters = float(np.sum(left_out.log_likelihood - log_scores))
    if posterior.errors.additive and on_log:
        # Densities of losses are those of log losses over the loss.
        log_scores += np.bincount(pieces.labels, np.log(posterior.rows.loss))
    return replace(result, parameters=parameters, notes=(*_reliability(result), *notes))


def _check(posterior: Posterior, table: Runs) -> None:
    if not isinstance(posterior, Posterior):
        message = f"must be one that fit.posterior returns, not {shown(posterior)}"
        raise JscaleError(message, argument="posterior")
    if not isinstance(table, Runs):
        kind = type(table).__name__
        message = f": expected a table of runs, as runs.read returns it, not a {kind}"
        raise JscaleError(message, argument="table")
    if posterior.table_digest != table.digest:
        message = f": sampled given other runs than {table.name}; expected one of this table"
        raise JscaleError(message, argument="posterior")
    if posterior.rows is None:
        raise JscaleError(
            f": that of {posterior.law_name} holds no runs; expected one that fit.posterior or "
            "'jscale sample' of this version has made",
            argument="posterior",
        )


def _is_on_log(posterior: Posterior) -> bool:
    assert posterior.rows is not None
    return bool((posterior.rows.loss > 0).all())


def _names(table: Runs, rows: np.ndarray, name: str | None, labels: np.ndarray) -> tuple[str, ...]:
    """What names each cluster: its value of a column, or the number of its first run."""
    first = np.unique(labels, return_index=True)[1]
    if name is None or name not in table:
        return tuple(f"row {row + 1}" for row in rows[first].tolist())
    values = table[name][rows][first]
    return tuple(f"{x:g}" if values.dtype.kind in "fiu" else str(x) for x in values.tolist())


def _refit(
    posterior: Posterior, result: LeaveOneOut, labels: np.ndarray, key: jax.Array
) -> list[Note]:
    """Replace the unreliable log scores by those of posteriors of the other runs."""
    from jscale.fit.bayes.export import refit_without

    for cluster in np.flatnonzero(result.unreliable).tolist():
        own = refit_without(posterior, labels, cluster, jax.random.fold_in(key, cluster))
        result.log_scores[cluster] = own.elpd
        result.refitted[cluster] = True
        result.rough[cluster] = bool(own.notes)
    rough = [result.clusters[i] for i in np.flatnonzero(result.rough).tolist()]
    if not rough:
        return []
    message = (
        f"{result.name}: importance sampling is rough in {len(rough)} of "
        f"{int(result.refitted.sum())} refits ({quoted_names(rough, 4)}): their log scores are "
        "unreliable"
    )
    return [Note("rough-refits", "warning", message, {"clusters": tuple(rough)})]


def _reliability(result: LeaveOneOut) -> list[Note]:
    """A warning about log scores that depend on few draws of the whole posterior."""
    bad = np.flatnonzero(result.unreliable & ~result.refitted)
    if not bad.size:
        return []
    unit = "runs" if result.by is None else f"clusters of {result.by}"
    names = [result.clusters[i] for i in bad[np.argsort(-result.pareto_k[bad])]]
    message = (
        f"{result.name}: Pareto k is above {MAX_PARETO_K} for {len(bad)} of {len(result.runs)} "
        f"{unit} ({quoted_names(names, 4)}): their log scores are unreliable; refit without them"
    )
    evidence = {"clusters": tuple(names), "pareto_k": float(result.pareto_k.max())}
    return [Note("unreliable-loo", "warning", message, evidence)]
