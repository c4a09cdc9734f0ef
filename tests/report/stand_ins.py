"""Stand-ins for fits: the right types around published constants, with a realistic spread."""

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from jscale import laws, runs
from jscale._core.scope import float64
from jscale._core.status import Status
from jscale.assess import Backtest, Forecaster, backtest
from jscale.fit import Certificate, Point, Posterior
from jscale.laws import LawFunction
from jscale.runs import Runs, select

DRAWS = 300


def certificate(**changes: Any) -> Certificate:
    """A certificate without warnings, except for the changes."""
    values: dict[str, Any] = dict(
        status=Status.converged,
        agreement=1.0,
        gradient_norm=2e-9,
        condition=900.0,
        condition_raw=4e4,
        starts=64,
        second_method=True,
        unidentified=(),
        at_bound=(),
    )
    return Certificate(**{**values, **changes})


def point_of(law: LawFunction, table: Runs, params: Mapping[str, float], **changes: Any) -> Point:
    """A point at given parameters, with standard errors of 2%."""
    data = select(table, law)
    with float64():
        predicted = np.asarray(law(**data.inputs, **params))
    residuals = np.log(data.loss) - np.log(predicted)
    error = {name: 0.02 * abs(value) for name, value in params.items()}
    return Point(
        law=law,
        params=dict(params),
        stderr=error,
        covariance=np.diag([e**2 for e in error.values()]),
        objective=1e-3,
        objective_name="huber(delta=0.001)",
        scale=float(1.4826 * np.median(np.abs(residuals))),
        predicted=predicted,
        residuals=residuals,
        residuals_of="log",
        rows=data.rows,
        certificate=changes.pop("certificate", certificate()),
        notes=changes.pop("notes", data.notes),
        table_digest=table.digest,
    )


def posterior_of(
    point: Point, table: Runs, draws: int = DRAWS, spread: float = 0.02, tied: float = 0.0
) -> Posterior:
    """Log-normal draws around a point; the last two parameters have the correlation ``tied``."""
    rng = np.random.default_rng(0)
    z = rng.normal(size=(len(point.params), draws))
    z[-1] = tied * z[-2] + np.sqrt(1 - tied**2) * z[-1]
    values = {
        name: value * np.exp(spread * z[i]) for i, (name, value) in enumerate(point.params.items())
    }
    noise = {"sigma": 0.005 * np.exp(0.1 * rng.normal(size=draws))}
    return Posterior(
        law=point.law,
        draws=values,
        noise=noise,
        chains=2,
        diverging=np.zeros(draws, dtype=bool),
        summary={name: summary(column) for name, column in {**values, **noise}.items()},
        seconds=12.3,
        status=Status.converged,
        notes=(),
        loss_min=float(table["loss"].min()),
        table_digest=table.digest,
    )


def summary(column: np.ndarray) -> dict[str, float]:
    """The summary of one parameter of a posterior."""
    q05, q50, q95 = np.quantile(column, [0.05, 0.5, 0.95])
    return dict(
        mean=float(column.mean()),
        sd=float(column.std(ddof=1)),
        q05=float(q05),
        q50=float(q50),
        q95=float(q95),
        ess_bulk=1234.0,
        rhat=1.003,
    )


def dense_table(**columns: Any) -> Runs:
    """Thirty-two runs of Chinchilla's law, with any further columns."""
    N, D = (
        grid.ravel() for grid in np.meshgrid(np.geomspace(5e7, 1e10, 8), np.geomspace(1e9, 2e11, 4))
    )
    law = laws.chinchilla
    design = {"N": N, "D": D, **columns}
    return runs.simulate(
        law, laws.params(law, "besiroglu2024"), design, noise=0.005, key=jax.random.key(1)
    )


def backtest_of(table: Runs, spread: float, cuts: tuple[float, ...] = (0.6, 0.8)) -> Backtest:
    """Forecasts of Chinchilla's law at published constants, with normal errors of this spread."""
    params = laws.params(laws.chinchilla, "besiroglu2024")

    def forecast(training: Runs, new: Runs, key: jax.Array) -> np.ndarray:
        loss = np.asarray(laws.chinchilla(N=new["N"], D=new["D"], **params), float)
        return loss * np.exp(spread * np.asarray(jax.random.normal(key, (400, len(new)))))

    known = Forecaster("chinchilla", forecast)
    return backtest(known, table, key=jax.random.key(0), cuts=cuts)


def bits_table() -> Runs:
    """Runs of the precision law: two sizes by two amounts of data by six settings of bits."""
    settings = [
        (16, 16, 16, 16),
        (4, 16, 16, 16),
        (8, 8, 8, 16),
        (4, 4, 4, 16),
        (16, 16, 16, 4),
        (16, 16, 16, 3),
    ]
    rows = [(N, D, *bits) for N in (6e7, 2e8) for D in (3e9, 1.3e10) for bits in settings]
    design = dict(zip(("N", "D", "P_w", "P_a", "P_kv", "P_post"), np.array(rows).T, strict=True))
    return runs.simulate(
        laws.precision, laws.params(laws.precision), design, noise=0.003, key=jax.random.key(2)
    )
