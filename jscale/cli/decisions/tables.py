"""Plans as tables of at most 80 columns."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from jscale.cli.decisions import text
from jscale.cli.support import output

_SCREEN = 80
"""Columns of a table; a plan with more is shown with a quantity a row."""
_INSIDE = "inside"
"""What a cell says of a plan that is not beyond the runs."""


def show_plans(plans: Sequence[dict[str, Any]], sizes: Sequence[dict[str, Any]] = ()) -> None:
    """Print a table of plans, and one of critical tokens if there are any."""
    from jscale.report.notation import human, power_of_ten, significant

    formats = text.formats_of()
    columns = [name for name in text.TITLES if plans and name in plans[0] and name != "cost"]
    known = any(d is not None for plan in plans for d in plan["decades"].values())
    rows = []
    for plan in plans:
        cells = [_cell(plan[name], formats.get(name, significant)) for name in columns]
        rows.append((power_of_ten(plan["C"]), *cells, _distance(plan), _verdict(plan)))
    if rows:
        headers = ("budget (FLOP)", *(text.TITLES[name] for name in columns), "decades beyond", "")
        # Without runs there is no distance, and mostly no verdict.
        kept = [i for i, header in enumerate(headers) if header != "decades beyond" or known]
        cells_kept = [[row[i] for i in kept] for row in rows]
        shown = [headers[i] for i in kept]
        widths = (max(map(len, column)) for column in zip(shown, *cells_kept, strict=True))
        if sum(width + 3 for width in widths) > _SCREEN:
            _show_upright(plans)
        else:
            output.show(output.table(shown, cells_kept, right="r" * (1 + len(columns))))

    _show_critical_tokens(
        [
            (power_of_ten(plan["C"]) + " FLOP", plan[name])
            for plan in plans
            for name in ("D_crit", "D_crit_at_P_opt")
            if name in plan
        ]
        + [(human(size["N"]) + " parameters", size["D_crit"]) for size in sizes]
    )


def _show_upright(plans: Sequence[Mapping[str, Any]]) -> None:
    """Print plans with a quantity a row, for those too wide for the screen."""
    from jscale.report.notation import power_of_ten

    for plan in plans:
        distance = _distance(plan)
        if distance == _INSIDE:
            distance = "within the runs"
        elif distance:
            distance = f"decades beyond the runs: {distance}"
        remarks = (power_of_ten(plan["C"]) + " FLOP", distance, _verdict(plan))
        text.show_upright(plan, "; ".join(filter(None, remarks)))


def _show_critical_tokens(models: Sequence[tuple[str, dict[str, Any]]]) -> None:
    """Print the critical tokens of models, for each number of bits after training."""
    from jscale.report.notation import human

    rows = []
    for model, by_bits in models:
        for bits, band in by_bits.items():
            verdict = _verdict(band, "more tokens never hurt")
            trained = band["P_train"]
            precision = "full" if trained is None else f"{output.figures(trained, 3)} bits"
            rows.append((model, precision, bits, _cell(band, human), verdict))
    if rows:
        headers = ("model", "training precision", "bits after training", "tokens", "")
        title = "more tokens than these make the quantised model worse"
        output.show(output.table(headers, rows, title=title, right="lrrr"))


def _cell(band: dict[str, Any], write: Callable[[float], str]) -> str:
    """A band as ``median [low, high]``, or as one number where its ends are equal."""
    low, middle, high = (write(band[name]) for name in ("q05", "q50", "q95"))
    return middle if low == high else f"{middle} [{low}, {high}]"


def _distance(plan: Mapping[str, Any]) -> str:
    """``N 0.4 D 0.6 C 1.0``, or ``inside``: decades beyond the runs."""
    decades = plan["decades"]
    if all(value is None for value in decades.values()):
        return ""
    beyond = [f"{name} {value:.1f}".replace("-", "−") for name, value in decades.items() if value]
    return " ".join(beyond) or _INSIDE


def _verdict(result: Mapping[str, Any], no_optimum: str = "no interior optimum") -> str:
    """Why a result is missing in some or all draws; empty where it is in none."""
    if result["converged"] == 1:
        return ""
    if result["converged"] > 0:
        return f"without {result['lost']:,} draws ({1 - result['converged']:.1%}), which have none"
    if result["status"] == "no_interior_optimum":
        return no_optimum
    return result["status"].replace("_", " ")
