"""``compare``: several laws on the same runs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from jscale._core.checks import check_whole_number
from jscale._core.errors import JscaleError
from jscale._core.notes import Note
from jscale._core.scope import in_float64
from jscale._core.text import shown
from jscale.assess.comparison._nested import NestedTest, nested_pairs, nested_tests
from jscale.assess.comparison._ranking import (
    Contender,
    LawFits,
    contender,
    ranked,
    ranking_notes,
)
from jscale.assess.comparison._subset import SubsetFit, fit_subset
from jscale.fit import Objective, Squares
from jscale.fit.objective import require_positive_losses, resolve
from jscale.laws import LawFunction, as_law, describe
from jscale.runs import Data, Runs, select

__all__ = ["Comparison", "Contender", "NestedTest", "compare"]

_EXACT = 1e-20
"""Mean square of the log residuals below which a fit is exact.

Residuals of 1e-10 are the resolution of the solver.
"""


@dataclass(frozen=True, eq=False)
class Comparison:
    """Laws ranked on the same runs.

    Attributes:
        rows: the laws, best first; those without a certified fit last.
        nested: tests of laws that are special cases of others.
        n_runs: number of runs.
        held_out: rows of the table that are held out, counted from 0; empty for none.
        compute_from: FLOP of the smallest held-out run; None without a holdout.
        objective_name: what was minimised.
        notes: warnings and remarks.
        table_digest: hash of the table.
    """

    rows: tuple[Contender, ...]
    nested: tuple[NestedTest, ...]
    n_runs: int
    held_out: np.ndarray
    compute_from: float | None
    objective_name: str
    notes: tuple[Note, ...]
    table_digest: str


@in_float64
def compare(
    laws: Sequence[LawFunction | str],
    table: Runs,
    *,
    holdout: Literal["largest-compute"] | None = "largest-compute",
    share: float = 0.2,
    objective: str | Objective = "huber",
    nested: Sequence[tuple[LawFunction | str, LawFunction | str]] = (),
    starts: int = 64,
) -> Comparison:
    """Several laws on the same runs, ranked by their error on the runs with the largest compute.

    Every law is fitted to the runs with less compute and predicts the others. AICc and BIC are
    those of log-normal losses with a free scale at its maximum likelihood, the least squares of the
    log loss, whatever the objective; k counts the scale. A law that is another with parameters
    fixed or tied is tested against it by the ratio of these likelihoods, 2 ln(L_large / L_small) =
    n ln(RSS_small / RSS_large), chi-squared with the difference of their numbers of parameters as
    degrees of freedom. Like the criteria, the test treats runs as independent.

    Args:
        laws: two or more declared laws, or names of the catalogue.
        table: validated runs; rows marked ``exclude`` are left out.
        holdout: "largest-compute", or None to rank by AICc alone.
        share: of the runs to hold out, above 0 and below 1; runs of equal compute stay together.
        objective: as for :func:`jscale.fit.point`.
        nested: more pairs (special case, general law) to test, of laws in ``laws``.
        starts: number of starting points of each fit.

    Raises:
        JscaleError: fewer than two laws, a law given twice, laws of different quantities, a missing
            column, no compute to hold out by, too few runs to fit, a law that fits exactly, or a
            pair that is not nested.

    Source: Hurvich & Tsai 1989 (AICc); Schwarz 1978 (BIC); Wilks 1938 (likelihood ratio).

    Example:
        Is the loss of these runs a function of their size or of their tokens?

        >>> import jax
        >>> from jscale import assess, laws, runs
        >>> N, D = [1e8, 3e8, 1e9, 3e9] * 4, [1e10] * 4 + [4e10] * 4 + [2e11] * 4 + [1e12] * 4
        >>> theta = laws.params(laws.chinchilla)
        >>> table = runs.simulate(
        ...     laws.chinchilla, theta, {"N": N, "D": D}, noise=0.005, key=jax.random.key(0)
        ... )
        >>> comparison = assess.compare([laws.power_size, laws.power_data], table, starts=8)
        >>> [row.law for row in comparison.rows]
        ['power_size', 'power_data']
    """
    objective = resolve(objective)
    check_whole_number("starts", starts, at_least=1)
    chosen = [as_law(law) for law in ([laws] if isinstance(laws, str) else laws)]
    requested = [_pair_of_laws(pair) for pair in nested]
    data = _select_all(chosen, table)
    first = data[0]
    training = _training_mask(table, first, holdout, share)
    _check_enough_runs(chosen, table, training)
    pairs = nested_pairs(chosen, requested)

    fits = [
        _fit_law(law, table, d, training, objective=objective, starts=starts)
        for law, d in zip(chosen, data, strict=True)
    ]
    tests, test_notes = nested_tests(pairs, {f.law: f.squares for f in fits}, len(first))
    held_out = ~training
    rows = ranked([contender(law_fits, first, held_out) for law_fits in fits])

    notes = [note for d in data for note in d.notes]
    notes += test_notes
    notes += ranking_notes(rows, {describe(f.law).name: f for f in fits}, held_out)
    compute_from = None
    if held_out.any():
        compute_from = float(_compute(table, first)[held_out].min())
    return Comparison(
        rows=rows,
        nested=tests,
        n_runs=len(first),
        held_out=first.rows[held_out],
        compute_from=compute_from,
        objective_name=str(objective),
        notes=tuple({(n.code, n.message): n for n in notes}.values()),
        table_digest=table.digest,
    )


def _pair_of_laws(pair: object) -> tuple[LawFunction, LawFunction]:
    """A special case and the general law."""
    if isinstance(pair, str) or not isinstance(pair, Sequence) or len(pair) != 2:
        raise JscaleError(
            f": expected pairs (special case, general law), not {shown(pair)}", argument="nested"
        )
    small, large = pair
    return as_law(small), as_law(large)


def _select_all(laws: Sequence[LawFunction], table: Runs) -> list[Data]:
    """The runs as each law takes them; all have the same losses."""
    records = [describe(law) for law in laws]
    names = [record.name for record in records]
    if len(names) < 2:
        raise JscaleError(f"compare needs at least two laws, not {len(names)}")
    if duplicates := sorted({name for name in names if names.count(name) > 1}):
        raise JscaleError(f"compare: law {shown(duplicates[0])} is given twice")

    output = records[0].output
    for record in records:
        if record.output.column != output.column:
            raise JscaleError(
                f"compare: law {shown(names[0])} is fitted to {output.meaning}, "
                f"law {record.name!r} to {record.output.meaning}"
            )

    selected = [select(table, law) for law in laws]
    for law, data in zip(laws, selected, strict=True):
        hint = ", since laws are compared by their log residuals"
        require_positive_losses(law, table, data, hint)
    return selected


def _compute(table: Runs, data: Data) -> np.ndarray:
    """FLOP of the runs, shape (rows,)."""
    if "C" not in table:
        raise JscaleError(
            f"{table.name} has no column 'C' (nor N and D, which give it) to hold out the runs "
            "with the largest compute; compare without a holdout"
        )
    return table["C"][data.rows]


def _training_mask(table: Runs, data: Data, holdout: str | None, share: float) -> np.ndarray:
    """The runs to fit: booleans, shape (rows,)."""
    if holdout is None:
        return np.ones(len(data), dtype=bool)
    if holdout != "largest-compute":
        raise JscaleError(
            f"must be 'largest-compute' or None, not {shown(holdout)}", argument="holdout"
        )
    if not 0 < share < 1:
        raise JscaleError(
            f"must be above 0 and below 1, not {share:g}: a holdout leaves runs to fit",
            argument="share",
        )
    compute = _compute(table, data)
    count = max(1, round(share * len(data)))
    smallest_held_out = np.sort(compute)[-count]
    return compute < smallest_held_out * (1 - 1e-9)


def _check_enough_runs(laws: Sequence[LawFunction], table: Runs, training: np.ndarray) -> None:
    """The scale is estimated as well, so there must be more runs than parameters."""
    n_training = int(training.sum())
    n_held_out = len(training) - n_training
    for record in map(describe, laws):
        k = len(record.parameters)
        if n_training <= k:
            held_out = f"with {n_held_out} held out, " if n_held_out else ""
            raise JscaleError(
                f"{table.name}: {held_out}{n_training} of {len(training)} runs are left to fit; "
                f"comparing law {record.name!r} with its {k} parameters needs at least {k + 1}"
            )


def _fit_law(
    law: LawFunction,
    table: Runs,
    data: Data,
    training: np.ndarray,
    *,
    objective: Objective,
    starts: int,
) -> LawFits:
    def fit(mask: np.ndarray, objective: Objective) -> SubsetFit:
        return fit_subset(law, table, data, mask, objective, starts=starts)

    all_runs = np.ones(len(data), dtype=bool)
    log_squares = Squares("log")
    overall = fit(all_runs, objective)
    squares = overall if objective == log_squares else fit(all_runs, log_squares)
    on_training = None if training.all() else fit(training, objective)

    fits = LawFits(law, overall, squares, on_training)
    if fits.rss <= _EXACT * len(data):
        raise JscaleError(
            f"law {describe(law).name!r} fits {table.name} exactly: "
            "there is no noise to compare laws by"
        )
    return fits
