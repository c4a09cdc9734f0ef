"""Ensembles on the command line: which laws, as a JSON object and as text."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from jscale._core.errors import JscaleError
from jscale._core.text import enumerated
from jscale.cli.support import flags, inputs, output

if TYPE_CHECKING:
    from jscale.assess import BandCorrection, Ensemble
    from jscale.laws import LawFunction
    from jscale.runs import Runs

_WIDTH = 80
_CORRECTIONS = ("calibrated-bands", "corrected-bands")
"""Codes of the note on the correction of the bands."""


def laws_for(names: Sequence[str], table: "Runs", errors: str | None) -> "list[LawFunction]":
    """The laws of an ensemble, one of which takes all their inputs.

    Args:
        names: of laws; empty for those that suit the columns of the table.
        table: the runs.
        errors: the error model as text; None for the default ones.

    Raises:
        JscaleError: no such law, one given twice, two of which each has an input that the other
            lacks, or no law suits the table.
    """
    from jscale.assess.ensembles import candidates_of
    from jscale.laws import describe

    named = [inputs.law_of(name) for name in names] or None
    with flags.renamed(laws="law"):
        candidates = candidates_of(named, table, errors)
    laws = list(dict.fromkeys(each.law for each in candidates))
    widest = describe(widest_of(laws))
    for law in laws:
        other = describe(law)
        if not set(other.input_names) <= set(widest.input_names):
            raise JscaleError(
                f"--law: {widest.name} takes {enumerated(widest.input_names)}, {other.name} takes "
                f"{enumerated(other.input_names)}; expected laws of the same inputs, or of some of "
                "those of one law"
            )
    return laws


def widest_of(laws: "Sequence[LawFunction]") -> "LawFunction":
    """The law with the most inputs."""
    from jscale.laws import describe

    return max(laws, key=lambda law: len(describe(law).input_names))


def summary(ensemble: "Ensemble") -> dict[str, Any]:
    """An ensemble as a JSON object: weights, and by what factor its bands are corrected."""
    return {
        "weights": ensemble.weights,
        "laws": ensemble.law_weights,
        "held_out": ensemble.held_out,
        "windows": ensemble.windows,
        "correction": correction_of(ensemble.correction),
    }


def correction_of(correction: "BandCorrection") -> dict[str, float]:
    """By what factor bands are corrected, and by how many held-out runs, as a JSON object.

    ``points`` counts their different sizes and budgets.
    """
    return {
        "edge": float(correction.factor(0.0)),
        "decade": float(correction.factor(1.0)),
        "drift": correction.drift,
        "held_out": correction.count,
        "clusters": correction.clusters,
        "points": correction.points,
        "furthest": correction.furthest,
    }


def show(values: Mapping[str, Any], notes: Sequence[Mapping[str, str]], corrected: bool) -> None:
    """Print which laws and error models carry which weight, and what the weights come from.

    Args:
        values: as :func:`summary` returns them.
        notes: of the forecast, as JSON objects.
        corrected: whether bands may be corrected.
    """
    rows = []
    for name, weight in values["weights"].items():
        law, errors = _law_and_errors(name, values["laws"])
        rows.append((law, errors, f"{weight:.0%}"))
    output.show(output.table(("law", "errors", "weight"), rows, right="llr", narrow=True))
    text = origin(values, notes, corrected)
    output.show(textwrap.fill(text, _WIDTH, break_long_words=False, break_on_hyphens=False))


def origin(values: Mapping[str, Any], notes: Sequence[Mapping[str, str]], corrected: bool) -> str:
    """What the weights and the correction of the bands come from, in a sentence or two."""
    return f"{weights_text(values)} {correction_text(notes, corrected)}".strip()


def weights_text(values: Mapping[str, Any]) -> str:
    """What the weights come from, in a sentence; ``values`` as :func:`summary` returns them."""
    from jscale.report.notation import plural

    if not values["held_out"]:
        return "The runs are too few to hold any out: the weights are equal."
    cuts = plural(values["windows"], "cut")
    return f"Weights by {values['held_out']:,} forecasts of held-out runs, {cuts} by compute."


def correction_text(notes: Sequence[Mapping[str, str]], corrected: bool) -> str:
    """By how much bands are corrected, in a sentence; empty where nothing is known of it.

    Args:
        notes: of the forecast, as JSON objects.
        corrected: whether bands may be corrected.
    """
    if not corrected:
        return "Bands are not corrected by held-out runs (--no-correction)."
    for note in notes:
        if note["code"] in _CORRECTIONS:
            message = note["message"]
            start = f"{message[:1].upper()}{message[1:]}"
            return f"{start}; --no-correction leaves bands as they are."
    return ""


def _law_and_errors(name: str, laws: Mapping[str, float]) -> tuple[str, str]:
    """The two parts of a member's name; a changed law has commas in its own name."""
    law = max((each for each in laws if name.startswith(f"{each}, ")), key=len)
    return law, name.removeprefix(f"{law}, ")
