"""What is drawn: a fit, a posterior, or a law with parameters, and its values along a curve."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from numpy.typing import ArrayLike

from jscale import plan
from jscale._core.errors import JscaleError
from jscale.fit import Bootstrap, Point, Posterior
from jscale.laws import LawFunction, Record, describe
from jscale.plan.gridsearch import in_chunks
from jscale.plan.problem import check_params
from jscale.report.analysis import FULL_BITS, Band, band
from jscale.runs import TableLike, as_runs
from jscale.runs.tables import NATS_PER_TOKEN

Fitted = Point | Posterior | Bootstrap | tuple[LawFunction, Mapping[str, ArrayLike]]
"""A fit, a posterior, a bootstrap, or a law with its parameters (numbers, or draws (draws,))."""

Named = Mapping[str, jax.Array]
"""Arrays of one shape by name."""

_CURVE_DRAWS, _PLAN_DRAWS = 400, 100
"""Draws behind a band of law values, and behind one of plans, which are solved one by one."""


@dataclass(frozen=True, eq=False)
class Source:
    """A law and the parameters at which it is drawn.

    Attributes:
        law: the law.
        record: its record.
        params: parameter → values, shape (draws,).
        loss_unit: unit of the losses, such as "bits per byte"; None where it is not known.
    """

    law: LawFunction
    record: Record
    params: dict[str, np.ndarray]
    loss_unit: str | None = None

    def thinned(self, limit: int) -> dict[str, np.ndarray]:
        """At most ``limit`` draws, evenly spread."""
        count = len(next(iter(self.params.values())))
        kept = np.linspace(0, count - 1, min(count, limit)).round().astype(int)
        return {name: values[kept] for name, values in self.params.items()}

    def require(self, *inputs: str) -> None:
        """Raise JscaleError unless the law has the inputs."""
        missing = [name for name in inputs if name not in self.record.input_names]
        if missing:
            raise JscaleError(
                f"law {self.record.name!r} has no input {', '.join(missing)}: this figure needs "
                f"{', '.join(inputs)}"
            )

    def loss_label(self, words: str = "{}") -> str:
        """Label of an axis of what the law predicts, with its unit where that is known.

        Args:
            words: the words of the label, with ``{}`` where "loss" or another output stands.
        """
        output = self.record.output
        unit = self.loss_unit if output.unit == "nats/token" else output.unit.replace("/", " per ")
        return loss_label(words.format(output.name), None if unit == "1" else unit)

    @property
    def training_bits(self) -> tuple[str, ...]:
        """The inputs that count bits in training."""
        return tuple(name for name in self.record.bit_inputs if name != "P_post")

    def losses(self, **points: ArrayLike) -> np.ndarray:
        """The law at every draw and every point, (draws, points); bits not given are 16."""
        columns = _columns(dict.fromkeys(self.record.bit_inputs, FULL_BITS) | points)

        def loss(theta: Named, point: Named) -> dict[str, jax.Array]:
            return {"loss": self.law(**point, **theta)}

        return in_chunks(loss, self.thinned(_CURVE_DRAWS), columns)["loss"]

    def plans(
        self, budgets: ArrayLike, free: Sequence[str], **fixed: ArrayLike
    ) -> dict[str, np.ndarray]:
        """Optimal plans at every draw and budget, (draws, budgets); NaN without an optimum."""

        def solve(theta: Named, point: Named) -> dict[str, jax.Array | None]:
            held: dict[str, Any] = {name: point[name] for name in fixed}
            best = plan.optimal(self.law, theta, point["budget"], free=free, **held)
            return {"N": best.N_opt, "D": best.D_opt, "P": best.P_opt, "loss": best.loss}

        columns = _columns({"budget": budgets} | fixed)
        return in_chunks(solve, self.thinned(_PLAN_DRAWS), columns)

    def critical(self, N: ArrayLike, P_post: float) -> np.ndarray:
        """Critical tokens after training in full precision, at every draw, (draws, sizes)."""

        def tokens(theta: Named, point: Named) -> dict[str, jax.Array]:
            place: dict[str, Any] = dict(point)
            return {"D": plan.critical_tokens(self.law, theta, **place).D_crit}

        columns = _columns({"N": N, "P_post": P_post})
        return in_chunks(tokens, self.thinned(_PLAN_DRAWS), columns)["D"]


def _columns(points: Mapping[str, ArrayLike]) -> dict[str, np.ndarray]:
    """Numbers and arrays as columns (points,) of one length."""
    arrays = [np.atleast_1d(np.asarray(value, dtype=np.float64)) for value in points.values()]
    return dict(zip(points, np.broadcast_arrays(*arrays), strict=True))


def loss_label(words: str, unit: str | None) -> str:
    """Label of an axis of losses: the words, and the unit where it is known."""
    return words[:1].upper() + words[1:] + ("" if unit is None else f" ({unit})")


def as_source(fitted: Fitted, table: TableLike | None = None) -> Source:
    """The law and the draws of what a figure draws.

    The unit of its losses is that of the table, or of the table that a fit keeps; constants without
    a table are in the unit that their law declares.

    Args:
        fitted: what is drawn.
        table: runs that are drawn with it.

    Raises:
        JscaleError: it is none of a fit, a posterior, a bootstrap, or a law with its parameters.
    """
    unit = None
    if isinstance(fitted, Point):
        law, params, unit = fitted.law, fitted.params, fitted.loss_unit
    elif isinstance(fitted, Bootstrap):
        law, params, unit = fitted.law, fitted.draws, fitted.point.loss_unit
    elif isinstance(fitted, Posterior):
        law, params = fitted.law, fitted.draws
    elif isinstance(fitted, tuple) and len(fitted) == 2:
        law, params = fitted
        unit = NATS_PER_TOKEN
    else:
        raise JscaleError(
            "must be a fit, a posterior, a bootstrap, or (law, params), not a "
            f"{type(fitted).__name__}",
            argument="fitted",
        )
    if table is not None:
        unit = as_runs(table).loss_unit
    columns = {
        name: np.asarray(value, dtype=np.float64).ravel()
        for name, value in check_params(law, params).items()
    }
    count = max(len(values) for values in columns.values())
    full = {name: np.broadcast_to(values, (count,)) for name, values in columns.items()}
    return Source(law, describe(law), full, unit)


def band_of(values: np.ndarray) -> Band:
    """The band of draws (draws, points), without a point estimate apart from them."""
    values = np.atleast_2d(values)
    return band(values if len(values) == 1 else np.concatenate([values[:1], values]))
