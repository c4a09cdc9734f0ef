"""The doubts about an isoFLOP analysis in sentences."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from jscale._core.notes import Note
from jscale._core.status import Status
from jscale.fit.approaches._flags import SENTENCES
from jscale.fit.approaches._powerlaw import line
from jscale.fit.approaches._valleys import SIZES, Fitter

if TYPE_CHECKING:
    from jscale.fit.approaches._results import Budget, Lines

_MOVED = 0.01
"""Change of the exponent by the flagged budgets that is worth a warning: a decade of compute then
moves N* by 2.3%."""


def of_budgets(budgets: Sequence["Budget"]) -> tuple[Note, ...]:
    """One warning a flag, with the budgets that it hit."""
    found = []
    for flag, sentence in SENTENCES.items():
        hit = [b.C for b in budgets if flag in b.flags]
        if hit:
            shown = ", ".join(f"{C:.3g}" for C in hit[:6]) + (" …" if len(hit) > 6 else "")
            message = f"{len(hit)} of {len(budgets)} budgets ({shown} FLOP): {sentence}"
            found.append(Note(flag.replace("_", "-"), "warning", message, {"budgets": tuple(hit)}))
    lost = [b.C for b in budgets if np.isnan(b.N_opt)]
    if lost:
        message = f"{len(lost)} of {len(budgets)} budgets have no minimum at all and no part in any power law"
        found.append(Note("no-minimum", "warning", message, {"budgets": tuple(lost)}))
    return tuple(found)


def of_fits(
    fits: Mapping[str, "Lines"], headline: str, enough: int, budgets: Sequence["Budget"], curve: str
) -> tuple[Note, ...]:
    """Whether the headline stands, and whether the flagged budgets would change it."""
    every, sound = fits["all"].N, fits["unflagged"].N
    if every is None:
        return (_no_power_law(budgets, curve),)
    if headline == "all":
        left = sound.points if sound else 0
        message = (
            f"fewer than {enough} budgets are free of flags: the power laws rest on flagged ones"
        )
        return (Note("headline-flagged", "error", message, {"unflagged": left}),)
    assert sound is not None
    if abs(every.exponent - sound.exponent) < _MOVED:
        return ()
    message = (
        f"the exponent of N* is {sound.exponent:.3f} on the {sound.points} budgets without flags and "
        f"{every.exponent:.3f} on all {every.points}"
    )
    evidence = {"unflagged": sound.exponent, "all": every.exponent}
    return (Note("flags-matter", "warning", message, evidence),)


def _no_power_law(budgets: Sequence["Budget"], curve: str) -> Note:
    """That no power law can be drawn, and what would make one."""
    found = [b.C for b in budgets if np.isfinite(b.N_opt)]
    if all(b.status == Status.collinear_design for b in budgets):
        most = max(b.n_runs for b in budgets)
        there = f"{len(budgets)} budget{'s' * (len(budgets) > 1)} of at most {most} run{'s' * (most > 1)}"
        message = (
            f"no valley and no power law: no budget has sizes enough for the curve ({there}); expected {SIZES[curve]} "
            "or more sizes at equal compute, at two or more budgets"
        )
    else:
        message = (
            f"no power law: {len(found)} of {len(budgets)} budgets {'has' if len(found) == 1 else 'have'} a minimum; "
            "expected two or more"
        )
    return Note("no-power-law", "error", message, {"budgets": tuple(found)})


def of_influence(C: np.ndarray, log_N: np.ndarray, stderr: float) -> tuple[Note, ...]:
    """Whether one budget alone decides the exponent.

    Args:
        C: (budgets,) FLOP.
        log_N: (budgets,) ln N*.
        stderr: of the exponent.
    """
    if len(C) < 4:
        return ()
    whole = line(np.log(C), log_N)[1]
    without = np.array(
        [line(np.log(np.delete(C, i)), np.delete(log_N, i))[1] for i in range(len(C))]
    )
    worst = int(np.argmax(np.abs(without - whole)))
    if abs(without[worst] - whole) <= max(stderr, _MOVED):
        return ()
    message = (
        f"one budget moves the exponent of N* by more than its standard error: without {C[worst]:.3g} FLOP it is "
        f"{without[worst]:.3f}, with it {whole:.3f}"
    )
    evidence = {"budget": float(C[worst]), "with": float(whole), "without": float(without[worst])}
    return (Note("one-budget-matters", "warning", message, evidence),)


def of_shape(fitter: Fitter) -> tuple[Note, ...]:
    """Whether the exponents of law-shaped valleys are known."""
    if fitter.shape is None or fitter.shape.settled:
        return ()
    message = (
        f"the exponents that the valleys share (alpha {fitter.shape.alpha:.3g}, beta {fitter.shape.beta:.3g}) did not "
        "settle: the runs reach too short a way up the sides"
    )
    return (
        Note(
            "shape-unsettled",
            "warning",
            message,
            {"alpha": fitter.shape.alpha, "beta": fitter.shape.beta},
        ),
    )


def no_bias(law: str, why: str) -> Note:
    """That the bias is not known."""
    return Note(
        "no-bias", "info", f"the bias of the curve was not computed with law {law!r}: {why}"
    )


def uncertified(law: str, status: Status) -> Note:
    """That the law behind the bias is not certain."""
    message = f"the bias is that of a fit of {law} which is not certified ({status}): take it as a rough figure"
    return Note("bias-uncertified", "warning", message, {"status": str(status)})
