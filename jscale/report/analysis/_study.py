"""The runs, the fit and the posterior that a report is about."""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from jscale._core.errors import JscaleError
from jscale._core.text import shown
from jscale.fit.optimum import fitted_runs
from jscale.fit.predictions import beyond_bits, bit_range, input_ranges
from jscale.laws import LawFunction, Record, describe
from jscale.plan.costs import FULL_BITS
from jscale.runs import Data, Runs

if TYPE_CHECKING:
    from jscale.fit import Point, Posterior


@dataclass(frozen=True, eq=False)
class FittedStudy:
    """A law fitted to runs: the input of every part of the analysis.

    Attributes:
        law: the law.
        record: its record.
        table: the runs, excluded ones included.
        data: the part of them that the fit used.
        point: the certified fit.
        posterior: posterior draws, or None.
        budgets: FLOP, ascending.
        post_bits: bits after training for which to show the critical tokens.
        title: title of the report.
        backtest: whether the report shows forecasts of held-out runs.
        correct: whether these widen the bands of the losses.
        ensemble: whether an ensemble of laws forecasts the largest runs too.
        command: the command line that makes the report; empty where there is none.
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
    backtest: bool = False
    correct: bool = True
    ensemble: bool = False
    command: str = ""

    @property
    def law_name(self) -> str:
        """Name of the law, without its fixed or tied parameters."""
        return self.record.name.partition("[")[0]

    @property
    def changes(self) -> str:
        """Fixed or tied parameters, as the law's name states them; empty for a law as declared."""
        return self.record.name.partition("[")[2].removesuffix("]").replace("][", ", ")

    @cached_property
    def draws(self) -> dict[str, np.ndarray] | None:
        """Parameter → draws of shape (n,), in the law's order; None without a posterior."""
        if self.posterior is None:
            return None
        return {
            name: np.asarray(self.posterior.draws[name], dtype=np.float64)
            for name in self.record.parameter_names
        }

    @property
    def draw_count(self) -> int:
        """Number of posterior draws, 0 without a posterior."""
        return 0 if self.draws is None else len(next(iter(self.draws.values())))

    @cached_property
    def samples(self) -> dict[str, np.ndarray]:
        """Parameter → its point estimate followed by its draws, shape (1 + draws,)."""
        no_draws = np.empty(0)
        return {
            name: np.append(
                float(self.point.params[name]), no_draws if self.draws is None else self.draws[name]
            )
            for name in self.record.parameter_names
        }

    @property
    def loss(self) -> np.ndarray:
        """Loss of the fitted runs, shape (rows,)."""
        return self.data.loss

    @property
    def loss_unit(self) -> str:
        """Unit of the losses, such as "nats per token"."""
        return self.table.loss_unit

    def column(self, name: str) -> np.ndarray | None:
        """A column of the table in the fitted rows, or None where the table does not have it."""
        if name not in self.table:
            return None
        return np.asarray(self.table[name], dtype=np.float64)[self.data.rows]

    @property
    def training_bits(self) -> tuple[str, ...]:
        """The law's inputs that count bits during training."""
        return tuple(name for name in self.record.bit_inputs if name != "P_post")

    def beyond_bits(self, bits: float) -> str:
        """Where bits lie outside those of the runs: "below the 8 to 16 bits of the runs"."""
        return beyond_bits(bits, bit_range(self.law, input_ranges(self.law, self.data.inputs)))

    @property
    def varies_post_bits(self) -> bool:
        """Whether runs differ in the bits after training, so that their effect is measured."""
        post_bits = self.data.inputs.get("P_post")
        if "P_post" not in self.record.bit_inputs or post_bits is None:
            return False
        return len(np.unique(np.minimum(post_bits, FULL_BITS))) > 1

    @property
    def plans_size_and_data(self) -> bool:
        """Whether the law divides compute between parameters and tokens."""
        has_both = {"N", "D"} <= set(self.record.input_names) and {"N", "D"} <= set(self.table)
        budgeted = ("N", "D", *self.record.bit_inputs)
        others = [each for each in self.record.inputs if each.name not in budgeted]
        predicts_loss = self.record.output.name == "loss"
        return has_both and predicts_loss and all(each.default is not None for each in others)

    @cached_property
    def bits(self) -> np.ndarray:
        """Bits in which each run computed, shape (rows,).

        The wider of weights and activations; 16 for a law that does not have both, since fewer
        bits of the weights alone save no compute.
        """
        names = self.record.charged_bits
        if not names:
            return np.full(len(self.loss), FULL_BITS)
        return np.max([self.data.inputs[name] for name in names], axis=0)

    @cached_property
    def compute(self) -> np.ndarray | None:
        """FLOP of each run by the cost that plans use, shape (rows,).

        ``6ND`` at 16 bits and proportionally less in fewer; the column C where N or D is missing.
        """
        N, D = self.column("N"), self.column("D")
        if N is None or D is None:
            return self.column("C")
        return 6 * N * D * self.bits / FULL_BITS

    @property
    def largest(self) -> int:
        """Place of the run with the most compute among those fitted, where compute is known."""
        assert self.compute is not None
        return int(np.argmax(self.compute))


def fitted_study(
    table: Runs,
    point: "Point",
    posterior: "Posterior | None" = None,
    *,
    budgets: tuple[float, ...],
    post_bits: tuple[float, ...],
    title: str | None = None,
    backtest: bool = False,
    correct: bool = True,
    ensemble: bool = False,
    command: str = "",
) -> FittedStudy:
    """Check that runs, fit and posterior belong together, and gather them.

    Raises:
        JscaleError: a budget or a number of bits that is not positive, or a fit and a posterior of
            different laws or different runs.
    """
    _require_positive("budgets", budgets, "FLOP")
    _require_positive("P_post", post_bits, "bits")

    record = describe(point.law)
    if point.table_digest != table.digest:
        raise JscaleError(
            f": fitted to other runs than {table.name}; fit the law to the table of the report",
            argument="point",
        )
    if posterior is not None:
        _require_same_study(posterior, record, table)

    return FittedStudy(
        law=point.law,
        record=record,
        table=table,
        data=fitted_runs(point, table),
        point=point,
        posterior=posterior,
        budgets=tuple(sorted({float(budget) for budget in budgets})),
        post_bits=tuple(sorted({float(bits) for bits in post_bits})),
        title=title or f"The {record.name.partition('[')[0]} law fitted to {table.name}",
        backtest=backtest,
        correct=correct,
        ensemble=ensemble,
        command=command,
    )


def _require_positive(argument: str, values: tuple[float, ...], unit: str) -> None:
    for value in values:
        if not (np.isfinite(value) and value > 0):
            raise JscaleError(
                f": {shown(value)} is not a positive number of {unit}", argument=argument
            )


def _require_same_study(posterior: "Posterior", record: Record, table: Runs) -> None:
    """The posterior is of the law and the runs of the point estimate."""
    other = describe(posterior.law)
    if other.parameter_names != record.parameter_names or other.name != record.name:
        raise JscaleError(
            f": sampled for the law {other.name!r}, but the point estimate is of {record.name!r}",
            argument="posterior",
        )
    if posterior.table_digest != table.digest:
        raise JscaleError(
            f": sampled for other runs than {table.name}; sample it for the table of the report",
            argument="posterior",
        )
