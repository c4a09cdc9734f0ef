"""The rows of the findings, and statistics that are clustered by shared model."""

import re
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import jscale
from benchmarks.precision_runs import summary
from jscale import fit, runs
from jscale.fit import Point
from jscale.laws import LawFunction, describe
from jscale.runs import Runs

TABLE = Path(jscale.__file__).parent / "runs" / "tables" / "precision_runs.csv"
OBJECTIVE = "log-squares"
PARTS = ("w", "a", "kv")
FULL = 16.0
_STARTS = 8
_NUMBERS = ("N", "D", "C", "P_w", "P_a", "P_kv", "loss", "loss_se")
_POST_NUMBERS = ("P_post", "delta", "delta_se")


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows to fit.

    Attributes:
        trained: runs before any quantisation after training, with P_post = 16.
        post: their quantised copies by both methods (column ``method``), with the columns ``delta``
            and ``delta_se``.
        left_out: reason → number of runs left out.
    """

    trained: Runs
    post: Runs
    left_out: Mapping[str, int]


def load(path: Path) -> Rows:
    """The runs intended for fits, from a table of runs and the table of its quantised copies.

    Runs with activations in 2 bits are left out: such models only learn the frequencies of bytes,
    whatever their size.
    """
    trained, post = summary.read(path)
    left_out: dict[str, int] = {}
    selected = []
    for row in trained:
        reason = _exclusion(row)
        if reason:
            left_out[reason] = left_out.get(reason, 0) + 1
        else:
            selected.append(row)
    names = {row["run_id"] for row in selected}
    copies = [
        row for row in post if row["run_id"] in names and row["exclude"] != "1" and row["loss"]
    ]
    columns = _columns(selected, _NUMBERS, ("run_id",)) | {"P_post": [FULL] * len(selected)}
    return Rows(
        runs.read(columns, name="trained runs"),
        runs.read(
            _columns(copies, (*_NUMBERS, *_POST_NUMBERS), ("run_id", "method")),
            name="quantised copies",
        ),
        left_out,
    )


def _exclusion(row: Mapping[str, str]) -> str:
    """Reason why a run is left out, empty if it is not."""
    if row["exclude"] == "1":
        return row["reason"] or "no finite loss"
    if float(row["P_a"]) <= 2:
        return "activations in 2 bits"
    return "" if row["loss"] else "no finite loss"


def _columns(
    rows: list[dict[str, str]], numbers: Iterable[str], texts: Iterable[str]
) -> dict[str, list]:
    return {n: [float(row[n]) for row in rows] for n in numbers} | {
        n: [row[n] for row in rows] for n in texts
    }


def bits(table: Runs) -> np.ndarray:
    """Bits of weights, activations and cache in training, shape (rows, 3)."""
    return np.stack([table[f"P_{part}"] for part in PARTS], axis=1)


def degradation(post: Runs, mask: np.ndarray) -> Runs:
    """The degradation as the ``loss`` of a table, for rows where it is positive."""
    rows = post.where(mask & (post["delta"] > 0))
    names = ("run_id", "N", "D", "P_w", "P_a", "P_kv", "P_post")
    return runs.read(
        {name: rows[name] for name in names} | {"loss": rows["delta"]}, name="degradation"
    )


def together(trained: Runs, post: Runs) -> Runs:
    """Trained runs followed by their copies rounded to fewer bits than in training."""
    rows = post.where((post["method"] == "rtn") & (post["P_post"] < post["P_w"]))
    names = ("run_id", "N", "D", "P_w", "P_a", "P_kv", "P_post", "loss")
    return runs.read(
        {name: np.concatenate([trained[name], rows[name]]) for name in names}, name="all losses"
    )


def trunks(table: Runs) -> np.ndarray:
    """Name of the trunk of each run, shape (rows,): rows with the same name share a model."""
    return np.array([re.sub(r"-r\d+$", "", str(name)) for name in table["run_id"]])


def fits(jobs: Mapping[str, tuple[LawFunction, list[Runs]]]) -> dict[str, list[Point]]:
    """Fits of each law to each of its tables, two laws at a time.

    Tables of equal length share the compiled fit.
    """

    def one(job: tuple[LawFunction, list[Runs]]) -> list[Point]:
        law, tables = job
        return [fit.point(law, table, objective=OBJECTIVE, starts=_STARTS) for table in tables]

    with ThreadPoolExecutor(2) as pool:
        return dict(zip(jobs, pool.map(one, jobs.values()), strict=True))


def predict(point: Point, table: Runs) -> np.ndarray:
    """The law's value in every row, shape (rows,)."""
    with jax.enable_x64(True):
        inputs = {
            name: jnp.asarray(column)
            for name, column in runs.select(table, point.law).inputs.items()
        }
        return np.asarray(jax.jit(point.law)(**inputs, **point.params))


def r2(observed: np.ndarray, predicted: np.ndarray) -> float:
    """One minus the squared errors over those of the mean."""
    return float(
        1 - np.sum((observed - predicted) ** 2) / np.sum((observed - observed.mean()) ** 2)
    )


def rmse(observed: np.ndarray, predicted: np.ndarray) -> float:
    """Root mean squared error."""
    return float(np.sqrt(np.mean((observed - predicted) ** 2)))


@dataclass(frozen=True, eq=False)
class Errors:
    """Covariance of the parameters clustered by trunk, in logarithms where a parameter is positive.

    Attributes:
        names: parameters, without those at a bound.
        logs: (k,) whether the coordinate is a logarithm.
        centre: (k,) coordinates of the estimate.
        covariance: (k, k).
        held: parameters at a bound, with their values.
    """

    names: tuple[str, ...]
    logs: np.ndarray
    centre: np.ndarray
    covariance: np.ndarray
    held: Mapping[str, float]

    @property
    def stderr(self) -> dict[str, float]:
        """Standard error of every parameter, NaN at a bound."""
        sd = np.sqrt(np.diag(self.covariance)) * np.where(
            self.logs, np.exp(np.where(self.logs, self.centre, 0)), 1.0
        )
        return dict.fromkeys(self.held, float("nan")) | dict(
            zip(self.names, sd.tolist(), strict=True)
        )

    def draws(self, count: int, seed: int) -> dict[str, np.ndarray]:
        """Normal draws of the parameters, each of shape (count,)."""
        z = np.random.default_rng(seed).multivariate_normal(
            self.centre, self.covariance, size=count, method="eigh"
        )
        values = np.where(self.logs, np.exp(np.where(self.logs, z, 0.0)), z)
        held = {name: np.full(count, value) for name, value in self.held.items()}
        return held | {name: values[:, i] for i, name in enumerate(self.names)}


@partial(jax.jit, static_argnums=(0, 1))
def _jacobian(
    law: LawFunction, names: tuple[tuple[str, bool], ...], z: jax.Array, held: Any, inputs: Any
) -> jax.Array:
    """Derivative of the log loss with respect to the coordinates.

    ``names`` has the name of each coordinate and whether it is a logarithm.
    """

    def log_loss(z: jax.Array) -> jax.Array:
        theta = {name: jnp.exp(z[i]) if log else z[i] for i, (name, log) in enumerate(names)}
        return jnp.log(law(**inputs, **theta, **held))

    return jax.jacfwd(log_loss)(z)


def clustered(point: Point, table: Runs) -> Errors:
    """Sandwich covariance of a least-squares fit of logarithms, clustered by trunk.

    The covariance of ``fit.point`` assumes independent rows; copies of one model are not
    independent (Liang and Zeger 1986).
    """
    held = {name: float(point.params[name]) for name in point.certificate.at_bound}
    record = describe(point.law)
    free = [p for p in record.parameters if p.name not in held]
    logs = np.array([p.support.lower >= 0 for p in free])
    values = np.array([point.params[p.name] for p in free])
    inputs = runs.select(table, point.law).inputs

    centre = np.where(logs, np.log(np.where(logs, values, 1.0)), values)
    with jax.enable_x64(True):
        names = tuple((p.name, bool(log)) for p, log in zip(free, logs, strict=True))
        jacobian = np.asarray(_jacobian(point.law, names, jnp.asarray(centre), held, inputs))
    scale = np.linalg.norm(jacobian, axis=0)
    scaled = jacobian / scale
    _, which = np.unique(trunks(table), return_inverse=True)
    score = np.zeros((which.max() + 1, len(free)))
    np.add.at(score, which, scaled * point.residuals[:, None])
    n, k, clusters = *jacobian.shape, len(score)
    bread = np.linalg.pinv(scaled.T @ scaled, hermitian=True)
    factor = clusters / (clusters - 1) * (n - 1) / (n - k)

    # As a product with itself the covariance has no negative variance, whatever the rounding.
    weighted_scores = score @ bread / scale
    covariance = factor * weighted_scores.T @ weighted_scores
    return Errors(tuple(p.name for p in free), logs, centre, covariance, held)
