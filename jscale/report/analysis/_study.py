"""What a report is about: the runs, the fit and the posterior, checked to belong together."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from jscale._core.errors import JscaleError
from jscale.laws import LawFunction, Record, describe
from jscale.runs import Data, Runs, select

if TYPE_CHECKING:
    from jscale.fit import Point, Posterior

FULL_BITS = 16.0
"""Bits of a number that is not quantised, in a table of runs and in the unit of compute, ``6ND``
FLOP at 16 bits."""


@dataclass(frozen=True, eq=False)
class Study:
    """Everything that the pages and figures draw on.

    Attributes:
        law: the law.
        record: its record.
        table: the runs, excluded ones included.
        data: what the fit used of them.
        point: the certified fit.
        posterior: draws, or None.
        budgets: FLOP, ascending.
        post_bits: bits after training for which to show the critical tokens.
        title: of the report.
    """

    law: LawFunction
    record: Record
    table: Runs
    data: Data
    point: "Point"
    posterior: "Posterior | None"
    budgets: tuple[float, ...]
    post_bits: tuple[float, ...]
    title: str

    @property
    def law_name(self) -> str:
        """Name of the law, without what is fixed or tied in it."""
        return self.record.name.partition("[")[0]

    @property
    def changes(self) -> str:
        """What is fixed or tied in the law, as its name says it; empty for a law as declared."""
        return self.record.name.partition("[")[2].removesuffix("]").replace("][", ", ")

    @property
    def draws(self) -> dict[str, np.ndarray] | None:
        """Parameter → draws of shape (n,), in the law's order; None without a posterior."""
        if self.posterior is None:
            return None
        return {
            name: np.asarray(self.posterior.draws[name], dtype=np.float64)
            for name in self.record.parameter_names
        }

    @property
    def loss(self) -> np.ndarray:
        """Loss of the runs that were fitted, nats per token, shape (rows,)."""
        return self.data.loss

    def column(self, name: str) -> np.ndarray | None:
        """A column of the table in the rows that were fitted, or None."""
        return (
            np.asarray(self.table[name], dtype=np.float64)[self.data.rows]
            if name in self.table
            else None
        )

    @property
    def training_bits(self) -> tuple[str, ...]:
        """The law's inputs that count bits during training."""
        return tuple(name for name in self.record.bit_inputs if name != "P_post")

    @property
    def plans_size_and_data(self) -> bool:
        """Whether the law says how to share compute between parameters and tokens."""
        shared = (
            {"N", "D"} <= set(self.record.input_names) and "N" in self.table and "D" in self.table
        )
        others = [
            i for i in self.record.inputs if i.name not in ("N", "D", *self.record.bit_inputs)
        ]
        return (
            shared
            and all(i.default is not None for i in others)
            and self.record.output.name == "loss"
        )

    @property
    def bits(self) -> np.ndarray:
        """Bits in which each run computed, shape (rows,): the widest of weights and activations, 16
        without bits.
        """
        names = [n for n in ("P_w", "P_a") if n in self.training_bits] or list(self.training_bits)
        if not names:
            return np.full(len(self.loss), FULL_BITS)
        return np.max([self.data.inputs[n] for n in names], axis=0)

    @property
    def compute(self) -> np.ndarray | None:
        """FLOP of each run by the rule that plans use, ``6ND`` at 16 bits and less in fewer, shape
        (rows,).
        """
        N, D = self.column("N"), self.column("D")
        if N is not None and D is not None:
            return 6 * N * D * self.bits / FULL_BITS
        return self.column("C")


def study(
    table: Runs,
    point: "Point",
    posterior: "Posterior | None" = None,
    *,
    budgets: tuple[float, ...],
    post_bits: tuple[float, ...],
    title: str | None = None,
) -> Study:
    """Gather the material of a report.

    Raises:
        JscaleError: a budget that is not positive, or a fit and a posterior of other laws or other
            runs.
    """
    for name, values, unit in (("budgets", budgets, "FLOP"), ("P_post", post_bits, "bits")):
        for value in values:
            if not (np.isfinite(value) and value > 0):
                raise JscaleError(f"{name}: {value!r} is not a positive number of {unit}")
    record = describe(point.law)
    if point.table_digest != table.digest:
        raise JscaleError(
            f"the point estimate is of other runs than {table.name}: fit it to the table of the report"
        )
    if posterior is not None:
        other = describe(posterior.law)
        if other.parameter_names != record.parameter_names or other.name != record.name:
            raise JscaleError(
                f"the posterior is one of law {other.name!r}, the point estimate one of {record.name!r}"
            )
        if posterior.table_digest != table.digest:
            raise JscaleError(
                f"the posterior is of other runs than {table.name}: sample it for the table of the report"
            )
    return Study(
        law=point.law,
        record=record,
        table=table,
        data=select(table, point.law),
        point=point,
        posterior=posterior,
        budgets=tuple(sorted({float(b) for b in budgets})),
        post_bits=tuple(sorted({float(b) for b in post_bits})),
        title=title or f"The {record.name.partition('[')[0]} law fitted to {table.name}",
    )
