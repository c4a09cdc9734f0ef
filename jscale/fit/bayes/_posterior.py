"""Posterior draws of a law's parameters, with their diagnostics."""

import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

import jscale
from jscale._core import status
from jscale._core.checks import check_key
from jscale._core.errors import JscaleError
from jscale._core.files import replacing
from jscale._core.jobs import Progress
from jscale._core.notes import Note
from jscale._core.scope import in_float64
from jscale._core.status import Status
from jscale.fit.bayes._diagnostics import diagnose, summarise
from jscale.laws import LawFunction, describe, get
from jscale.runs import Runs, select

if TYPE_CHECKING:
    from jscale.fit.bayes._priors import Priors


@dataclass(frozen=True)
class Posterior:
    """Draws from the posterior of a law's parameters; everything is float64.

    Attributes:
        law: the law.
        draws: parameter → (chains * draws,), chain after chain.
        noise: noise parameter → (chains * draws,).
        chains: number of chains.
        diverging: (chains * draws,) which transitions diverged.
        summary: parameter → mean, sd, q05, q50, q95, ess_bulk, rhat.
        seconds: wall time of the sampler, compilation included.
        status: ``converged`` unless R-hat, the effective sample size or divergences forbid it.
        notes: doubts and remarks.
        loss_min: smallest loss of the runs.
        table_digest: hash of the table.
    """

    law: LawFunction
    draws: Mapping[str, np.ndarray]
    noise: Mapping[str, np.ndarray]
    chains: int
    diverging: np.ndarray
    summary: Mapping[str, Mapping[str, float]]
    seconds: float
    status: Status
    notes: tuple[Note, ...]
    loss_min: float
    table_digest: str

    @property
    def law_name(self) -> str:
        """Name of the law."""
        return describe(self.law).name

    @property
    def divergences(self) -> int:
        """Number of divergent transitions after warm-up."""
        return int(self.diverging.sum())

    def to_arviz(self) -> Any:
        """The draws as ArviZ's container: InferenceData in ArviZ 0.23, DataTree in 1.x; dimensions
        (chain, draw).
        """
        from jscale.fit.bayes import _arviz

        def split(columns: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
            return {name: column.reshape(self.chains, -1) for name, column in columns.items()}

        groups = {
            "posterior": split({**self.draws, **self.noise}),
            "sample_stats": split({"diverging": self.diverging}),
        }
        attributes = {
            "law": self.law_name,
            "noise": json.dumps(list(self.noise)),
            "seconds": self.seconds,
            "loss_min": self.loss_min,
            "table_digest": self.table_digest,
            "notes": json.dumps([(n.code, n.severity, n.message) for n in self.notes]),
            "jscale": jscale.__version__,
        }
        return _arviz.container(groups, attributes)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the draws to a netCDF file that :func:`load` reads back bit by bit; an old file
        stays
        whole till then.

        Raises:
            JscaleError: the path cannot be written.
        """
        from jscale.fit.bayes import _arviz

        with replacing(path) as temporary:
            _arviz.write(self.to_arviz(), temporary)

    def __repr__(self) -> str:
        shown = ", ".join(
            f"{k}={v['q50']:.4g} [{v['q05']:.4g}, {v['q95']:.4g}]" for k, v in self.summary.items()
        )
        return f"<Posterior {self.law_name}: {shown}; {len(self.diverging)} draws; {self.status}>"


@in_float64
def posterior(
    law: LawFunction,
    table: Runs,
    *,
    key: jax.Array,
    chains: int = 4,
    warmup: int = 1000,
    draws: int = 1000,
    priors: "Priors | None" = None,
    progress: bool = False,
    throw: bool = False,
) -> Posterior:
    """The posterior of a law's parameters given a table of runs, by NUTS.

    The model is :func:`jscale.fit.model`. The sampler works in coordinates whitened at the
    posterior's mode, one thread a chain.

    Args:
        law: a declared law.
        table: validated runs; rows marked ``exclude`` are left out.
        key: a JAX random key; the same key gives the same draws.
        chains: number of chains.
        warmup: transitions per chain that tune the sampler and are dropped.
        draws: transitions per chain that are kept.
        priors: parameter → NumPyro distribution of the parameter itself, in place of its role's
            prior.
        progress: show a progress bar on stderr.
        throw: raise when the diagnostics say that the chains have not mixed.

    Raises:
        JscaleError: a missing column, fewer runs than parameters, a loss below a fixed floor, or,
            with ``throw``, chains that have not mixed.
    """
    from jscale.fit.bayes import _model
    from jscale.fit.bayes._sampler import sample
    from jscale.fit.bayes._whitening import whiten

    check_key(key)
    for name, count, least in (("chains", chains, 1), ("warmup", warmup, 10), ("draws", draws, 10)):
        if count < least:
            raise JscaleError(f"{name} must be at least {least}, not {count}")
    began = time.perf_counter()
    built = _model.model(law, table, priors=priors)
    data = select(table, law)
    mode_key, sample_key = jax.random.split(key)
    # NumPyro mixes integer widths, which a caller's strict promotion would refuse.
    with (
        jax.numpy_dtype_promotion("standard"),
        Progress(chains * (warmup + draws), f"sampling {describe(law).name}", progress) as bar,
    ):
        whitened = whiten(built, mode_key)
        result = sample(
            whitened, sample_key, chains=chains, warmup=warmup, draws=draws, advanced=bar.advance
        )
    made = _assembled(law, result.sites, result.diverging, data.notes)
    made = replace(
        made,
        seconds=time.perf_counter() - began,
        loss_min=float(data.loss.min()),
        table_digest=table.digest,
    )
    if throw:
        status.check(made.status, f"posterior of {made.law_name} given {table.name}")
    return made


def _assembled(
    law: LawFunction,
    sites: Mapping[str, np.ndarray],
    diverging: np.ndarray,
    notes: tuple[Note, ...],
) -> Posterior:
    """A posterior from sites (chains, draws), summarised and judged."""
    names = describe(law).parameter_names
    noise = [name for name in sites if name not in names and not name.endswith("_centred")]
    kept = {name: sites[name] for name in (*names, *noise)}
    summary = summarise(kept)
    verdict, doubts = diagnose(summary, diverging)
    return Posterior(
        law=law,
        draws={name: sites[name].reshape(-1) for name in names},
        noise={name: sites[name].reshape(-1) for name in noise},
        chains=diverging.shape[0],
        diverging=diverging.reshape(-1),
        summary=summary,
        seconds=0.0,
        status=verdict,
        notes=(*notes, *doubts),
        loss_min=0.0,
        table_digest="",
    )


@in_float64
def load(path: str | os.PathLike[str], law: LawFunction | None = None) -> Posterior:
    """The posterior that :meth:`Posterior.save` wrote.

    Args:
        path: netCDF file.
        law: the law it belongs to; needed when it is not one of the catalogue's.

    Raises:
        JscaleError: no such file, not a posterior of this package, or a law that is not the one it
            was drawn for.
    """
    from jscale.fit.bayes import _arviz

    if not Path(path).is_file():
        raise JscaleError(f"no posterior at {os.fspath(path)!r}: the file does not exist")
    try:
        groups, attributes = _arviz.read(Path(path))
        name, noise = attributes["law"], json.loads(attributes["noise"])
        sites, diverging = groups["posterior"], groups["sample_stats"]["diverging"].astype(bool)
    except (OSError, ValueError, KeyError, TypeError):
        raise JscaleError(f"{os.fspath(path)!r} is not a posterior saved by jscale") from None
    law = law if law is not None else get(name)
    if describe(law).name != name:
        raise JscaleError(
            f"{os.fspath(path)!r} holds draws of law {name!r}, not of {describe(law).name!r}"
        )
    made = _assembled(
        law, {k: sites[k] for k in (*describe(law).parameter_names, *noise)}, diverging, ()
    )
    notes = tuple(
        Note(code, severity, message) for code, severity, message in json.loads(attributes["notes"])
    )
    return replace(
        made,
        notes=notes,
        seconds=float(attributes["seconds"]),
        loss_min=float(attributes["loss_min"]),
        table_digest=str(attributes["table_digest"]),
    )
