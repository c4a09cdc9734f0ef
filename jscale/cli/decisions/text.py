"""Plans as text: one sentence a decision, and tables of at most 80 columns."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from jscale._core.text import general
from jscale.cli.support import output

TITLES = {
    "N_opt": "parameters N",
    "D_opt": "tokens D",
    "P_opt": "bits P",
    "D_over_N": "D/N",
    "loss": "loss",
    "cost": "cost (FLOP)",
    "dollars": "dollars",
    "days": "days",
}
"""Quantity of a plan → heading."""
_LARGER = {
    "byte": "GB",
    "unit of N": "billion parameters",
    "unit of D": "billion tokens",
    "unit of U": "billion unique tokens",
}
"""Units of limits → those in which they are written, 1e9 times as large."""


class Words(NamedTuple):
    """What the sentence of a plan depends on besides the plan.

    Attributes:
        cost: unit of its budget.
        serves: whether its cost is that of training and serving.
        unit: of its loss, such as nats/token.
    """

    cost: str = "flop"
    serves: bool = False
    unit: str = "nats/token"


def formats_of() -> dict[str, Any]:
    """Quantity → how it is written."""
    from jscale.report.notation import fixed, human, number, power_of_ten

    return {
        "N_opt": human,
        "D_opt": human,
        "P_opt": partial(fixed, places=2),
        "loss": partial(fixed, places=4),
        "cost": power_of_ten,
        "dollars": human,
        "D_over_N": number,
    }


def sentence(plan: Mapping[str, Any], words: Words) -> str:
    """What to train, and what a size 25% off costs.

    ``10²⁴ FLOP: train 29B on 570B tokens; ±25% in size costs 0.0004 nats/token``

    Args:
        plan: of :func:`~jscale.cli.decisions.answers.answers`.
        words: what else the sentence depends on.
    """
    from jscale.report.notation import human, power_of_ten, significant

    cost, unit = words.cost, "" if words.unit == "1" else f" {words.unit}"
    chosen, goal = plan["decision"], _goal(plan, cost)
    if chosen["N"] is None:
        status = chosen.get("status", plan["status"]).replace("_", " ")
        return f"{goal}: no plan ({status})"
    parts = [f"train {human(chosen['N'])} on {human(chosen['D'])} tokens"]
    if chosen.get("P") is not None:
        parts[0] += f" in {significant(chosen['P'])} bits"
    if (split := chosen.get("qat")) is not None:
        parts[0] += _phases(split)
    if chosen["by"] == "assured":
        parts[0] += f", with probability {general(100 * chosen['level'], 4)}%"
    if "target_loss" in plan or cost != "flop":
        parts.append(f"{power_of_ten(chosen['C'])} FLOP")
    if "dollars" in chosen and cost != "dollars":
        parts.append(
            f"{human(chosen['dollars'])} dollars" + (" with serving" if words.serves else "")
        )
    if "days" in chosen and cost != "days":
        parts.append(
            f"{significant(chosen['days'])} days" + (" of training" if words.serves else "")
        )
    if "weight_bits" in plan:
        parts.append(f"weights in use of {general(plan['weight_bits'], 3)} bits")
    if (quarter := chosen["quarter"]) is not None:
        sign = {"smaller": "−", "larger": "+"}.get(chosen.get("quarter_side", ""), "±")
        parts.append(f"{sign}25% in size costs {significant(max(quarter, 0.0), 2)}{unit}")
    if (wasted := chosen.get("regret")) is not None:
        parts.append(f"expected regret {significant(max(wasted['nats'], 0.0), 2)}{unit}")
    parts += [_held(each, unit) for each in plan.get("binding", ())]
    return f"{goal}: " + "; ".join(parts)


def _phases(split: Mapping[str, Any]) -> str:
    """How the tokens are divided between full precision and quantised weights."""
    from jscale.report.notation import human

    bits = general(split["P_w"], 3)
    if split["D_quantised"] < 1:
        return f", all in full precision: too few for a phase with weights of {bits} bits"
    return (
        f", {human(split['D_full'])} of them in full precision and then "
        f"{human(split['D_quantised'])} with weights of {bits} bits"
    )


def _goal(plan: Mapping[str, Any], cost: str) -> str:
    """What the plan was asked to spend or to reach."""
    from jscale.report.notation import human, power_of_ten, significant

    if "target_loss" in plan:
        return f"loss {significant(plan['target_loss'], 4)}"
    if cost == "dollars":
        return f"{human(plan['budget'])} dollars"
    if cost == "days":
        return f"{significant(plan['budget'])} days"
    return f"{power_of_ten(plan['C'])} FLOP"


def _held(binding: Mapping[str, Any], loss_unit: str) -> str:
    from jscale.report.notation import number

    unit, saved = binding["unit"], binding["saves"]["q50"]
    for end, larger in _LARGER.items():
        if unit.endswith(end):
            unit, saved = unit.removesuffix(end) + larger, 1e9 * saved
    if loss_unit:
        unit = unit.replace("nats per", f"{loss_unit.strip()} per")
    return f"held by {binding['limit']} (saves {number(saved, 2)} {unit} more)"


def show_details(plans: Sequence[Mapping[str, Any]]) -> None:
    """Print dollars and days, formats and substitutes, a table each."""
    from jscale.report.notation import human, power_of_ten, significant

    for plan in plans:
        rows = [
            (f"{each['bits']:g}", *(_middle(each, name) for name in ("N_opt", "D_opt", "loss")))
            for each in plan.get("formats", ())
        ]
        if rows:
            title = f"by bits of training, {power_of_ten(plan['C'])} FLOP"
            headers = ("bits", "parameters N", "tokens D", "loss")
            output.show(output.table(headers, rows, title=title, right="rrrr", narrow=True))
        rows = [
            (
                human(each["N"]),
                "never" if each["D"] is None else human(each["D"]),
                "" if each["D"] is None else significant(each["compute_ratio"]),
            )
            for each in plan.get("substitutes", ())
        ]
        if rows:
            title = "other sizes with the same loss"
            headers = ("parameters N", "tokens D", "training compute, relative")
            output.show(output.table(headers, rows, title=title, right="rrr", narrow=True))


def _middle(plan: Mapping[str, Any], name: str) -> str:
    value = plan[name]["q50"]
    return formats_of()[name](value)


def show_upright(plan: Mapping[str, Any], title: str) -> None:
    """Print a plan, one quantity a row: 5%, median and 95%, or one number where they are equal."""
    from jscale.report.notation import significant

    write = formats_of()
    rows = []
    for name, heading in TITLES.items():
        if name in plan:
            cells = (write.get(name, significant)(plan[name][q]) for q in ("q05", "q50", "q95"))
            rows.append((heading, *cells))
    if all(low == high for _, low, _, high in rows):
        short = [(heading, middle) for heading, _, middle, _ in rows]
        output.show(output.table(("", "plan"), short, title=title, right="lr"))
    else:
        headers = ("", "5%", "median", "95%")
        output.show(output.table(headers, rows, title=title, right="lrrr"))
