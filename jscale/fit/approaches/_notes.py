"""Notes on an isoFLOP analysis."""

from collections.abc import Mapping, Sequence

import numpy as np

from jscale._core.notes import Note
from jscale._core.status import Status
from jscale._core.text import general
from jscale.fit.approaches._budgets import Budget
from jscale.fit.approaches._flags import SENTENCES
from jscale.fit.approaches._powerlaw import MIN_BUDGETS, Lines, fit_line
from jscale.fit.approaches._valleys import SIZES, ValleyFitter

_MIN_CHANGE = 0.01
"""Change of the exponent by the flagged budgets that is worth a warning: it moves N* by 2.3% for
each decade of compute."""
_MAX_LISTED = 6


def budget_notes(budgets: Sequence[Budget]) -> tuple[Note, ...]:
    """One warning for each flag, with the flagged budgets."""
    notes = []
    for flag, sentence in SENTENCES.items():
        flagged = [b.C for b in budgets if flag in b.flags]
        if flagged:
            listed = ", ".join(general(C, 3) for C in flagged[:_MAX_LISTED])
            more = " …" if len(flagged) > _MAX_LISTED else ""
            message = f"{len(flagged)} of {len(budgets)} budgets ({listed}{more} FLOP): {sentence}"
            evidence = {"budgets": tuple(flagged)}
            notes.append(Note(flag.replace("_", "-"), "warning", message, evidence))

    without = [b.C for b in budgets if np.isnan(b.N_opt)]
    if without:
        message = (
            f"{len(without)} of {len(budgets)} budgets have no interior minimum and are left out "
            "of every power law"
        )
        notes.append(Note("no-minimum", "warning", message, {"budgets": tuple(without)}))
    return tuple(notes)


def fit_notes(
    fits: Mapping[str, Lines], headline: str, budgets: Sequence[Budget], curve: str
) -> tuple[Note, ...]:
    """Whether the headline has enough budgets, and whether the flagged ones would change it."""
    every, unflagged = fits["all"].N, fits["unflagged"].N
    if every is None:
        return (_no_power_law(budgets, curve),)

    if headline == "all":
        remaining = unflagged.points if unflagged else 0
        message = (
            f"fewer than {MIN_BUDGETS} budgets are free of flags: the power laws include flagged "
            "ones"
        )
        return (Note("headline-flagged", "error", message, {"unflagged": remaining}),)

    assert unflagged is not None
    if abs(every.exponent - unflagged.exponent) < _MIN_CHANGE:
        return ()
    message = (
        f"the exponent of N* is {unflagged.exponent:.3f} on the {unflagged.points} budgets without "
        f"flags and {every.exponent:.3f} on all {every.points}"
    )
    evidence = {"unflagged": unflagged.exponent, "all": every.exponent}
    return (Note("flags-matter", "warning", message, evidence),)


def _no_power_law(budgets: Sequence[Budget], curve: str) -> Note:
    """An error where no power law can be fitted, with what would make one possible."""
    with_minimum = [b.C for b in budgets if np.isfinite(b.N_opt)]
    if all(b.status == Status.collinear_design for b in budgets):
        largest = max(b.n_runs for b in budgets)
        table = (
            f"{len(budgets)} budget{'s' * (len(budgets) > 1)} of at most "
            f"{largest} run{'s' * (largest > 1)}"
        )
        message = (
            f"no minimum and no power law: no budget has enough sizes for the curve ({table}); "
            f"expected {SIZES[curve]} or more sizes at equal compute, at two or more budgets"
        )
    else:
        verb = "has" if len(with_minimum) == 1 else "have"
        message = (
            f"no power law: {len(with_minimum)} of {len(budgets)} budgets {verb} a minimum; "
            "expected two or more"
        )
    return Note("no-power-law", "error", message, {"budgets": tuple(with_minimum)})


def influence_notes(C: np.ndarray, log_N: np.ndarray, stderr: float) -> tuple[Note, ...]:
    """Whether one budget alone determines the exponent.

    Args:
        C: (budgets,) FLOP.
        log_N: (budgets,) ln N*.
        stderr: of the exponent.
    """
    if len(C) < 4:
        return ()

    exponent = fit_line(np.log(C), log_N)[1]
    without = np.array(
        [fit_line(np.log(np.delete(C, i)), np.delete(log_N, i))[1] for i in range(len(C))]
    )
    largest = int(np.argmax(np.abs(without - exponent)))
    if abs(without[largest] - exponent) <= max(stderr, _MIN_CHANGE):
        return ()

    message = (
        "one budget moves the exponent of N* by more than its standard error: without "
        f"{general(C[largest], 3)} FLOP it is {without[largest]:.3f}, with it {exponent:.3f}"
    )
    evidence = {
        "budget": float(C[largest]),
        "with": float(exponent),
        "without": float(without[largest]),
    }
    return (Note("one-budget-matters", "warning", message, evidence),)


def shape_notes(fitter: ValleyFitter) -> tuple[Note, ...]:
    """Whether the runs identify the exponents of law-shaped valleys."""
    if fitter.shape is None or fitter.shape.converged:
        return ()

    alpha, beta, _ = fitter.shape
    message = (
        f"the exponents that the valleys share (alpha {alpha:.3g}, beta {beta:.3g}) did not "
        "converge: the runs do not reach far enough up the sides"
    )
    return (Note("shape-unsettled", "warning", message, {"alpha": alpha, "beta": beta}),)


def no_bias_note(law: str, reason: str) -> Note:
    """A remark that the bias was not computed."""
    message = f"the bias of the curve was not computed with law {law!r}: {reason}"
    return Note("no-bias", "info", message)


def uncertified_bias_note(law: str, status: Status) -> Note:
    """A warning that the bias is that of a fit without a certificate."""
    message = (
        f"the bias is that of a fit of {law} which is not certified ({status}): it is a rough "
        "figure"
    )
    return Note("bias-uncertified", "warning", message, {"status": str(status)})
