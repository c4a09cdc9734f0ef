"""Ensembles on the command line: which laws, as a JSON object and as text."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from jscale._core.errors import JscaleError
from jscale._core.text import enumerated
from jscale.cli.support import flags, inputs, output

if TYPE_CHECKING:
    from jscale.assess import Ensemble
    from jscale.laws import LawFunction
    from jscale.runs import Runs

_WIDTH = 80


def laws_for(names: Sequence[str], table: "Runs", errors: str | None) -> "list[LawFunction]":
    """The laws of an ensemble, which all take the same inputs.

    Args:
        names: of laws; empty for those that suit the columns of the table.
        table: the runs.
        errors: the error model as text; None for the default ones.

    Raises:
        JscaleError: no such law, one given twice, laws of different inputs, or no law suits the
            table.
    """
    from jscale.assess.ensembles import candidates_of
    from jscale.laws import describe

    named = [inputs.law_of(name) for name in names] or None
    with flags.renamed(laws="law"):
        candidates = candidates_of(named, table, errors)
    laws = list(dict.fromkeys(each.law for each in candidates))
    first = describe(laws[0])
    for law in laws[1:]:
        other = describe(law)
        if set(other.input_names) != set(first.input_names):
            raise JscaleError(
                f"--law: {first.name} takes {enumerated(first.input_names)}, {other.name} takes "
                f"{enumerated(other.input_names)}; expected laws of the same inputs"
            )
    return laws


def summary(ensemble: "Ensemble") -> dict[str, Any]:
    """An ensemble as a JSON object: weights, and by what factor its bands are corrected."""
    correction = ensemble.correction
    return {
        "weights": ensemble.weights,
        "laws": ensemble.law_weights,
        "held_out": ensemble.held_out,
        "windows": ensemble.windows,
        "correction": {
            "edge": float(correction.factor(0.0)),
            "decade": float(correction.factor(1.0)),
        },
    }


def show(values: Mapping[str, Any], corrected: bool) -> None:
    """Print which laws and error models carry which weight, and what the weights come from.

    Args:
        values: as :func:`summary` returns them.
        corrected: whether bands are corrected where there are forecasts of held-out runs.
    """
    rows = []
    for name, weight in values["weights"].items():
        law, errors = _law_and_errors(name, values["laws"])
        rows.append((law, errors, f"{weight:.0%}"))
    output.show(output.table(("law", "errors", "weight"), rows, right="llr", narrow=True))
    output.show(textwrap.fill(origin(values, corrected), _WIDTH, break_on_hyphens=False))


def origin(values: Mapping[str, Any], corrected: bool) -> str:
    """What the weights and the factor of the bands come from, in a sentence or two."""
    from jscale.report.notation import plural

    if not values["held_out"]:
        return "The runs are too few to hold any out: weights are equal, and bands are unchecked."
    cuts = plural(values["windows"], "cut")
    weights = f"Weights by {values['held_out']:,} forecasts of held-out runs ({cuts} by compute)."
    if not corrected:
        return f"{weights} Bands are not corrected by these forecasts (--no-correction)."
    edge, decade = values["correction"]["edge"], values["correction"]["decade"]
    return (
        f"{weights} By the same forecasts, bands are multiplied by {edge:.2f} next to the runs and "
        f"by {decade:.2f} a decade of compute beyond them; --no-correction leaves them as they are."
    )


def _law_and_errors(name: str, laws: Mapping[str, float]) -> tuple[str, str]:
    """The two parts of a member's name; a changed law has commas in its own name."""
    law = max((each for each in laws if name.startswith(f"{each}, ")), key=len)
    return law, name.removeprefix(f"{law}, ")
