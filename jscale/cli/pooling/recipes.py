"""``jscale compare --effective-compute COLUMN``: compute multipliers of recipes."""

from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, cast

from jscale._core.errors import JscaleError
from jscale._core.text import shown
from jscale.cli.pooling.pooled import table_notes
from jscale.cli.support import flags, inputs, options, output, parsing
from jscale.cli.support.session import working

if TYPE_CHECKING:
    import numpy as np

    from jscale.assess import EffectiveCompute
    from jscale.laws import LawFunction
    from jscale.runs import Runs

EFFECTIVE_COMPUTE = Annotated[
    str | None,
    options.option(
        "--effective-compute",
        help="Instead of laws: how much compute the recipes in COLUMN save, under one --law.",
        metavar="COLUMN",
    ),
]
REFERENCE = Annotated[
    str | None,
    options.option(
        "--reference",
        help="Of recipes: what the others are compared with (default: the first by name).",
        metavar="LABEL",
    ),
]
FLOOR = Annotated[
    str,
    options.option(
        "--floor",
        help="Of recipes: shared, free, pinned (at the fit of the reference) or a number.",
        metavar="FLOOR",
    ),
]
ALONG = Annotated[
    str,
    options.option(
        "--along",
        help="Of recipes: the frontier of each, or the runs' ratio of tokens to parameters.",
        metavar="frontier|ratio",
    ),
]


class RecipeOptions(NamedTuple):
    """The options of a comparison of recipes.

    Attributes:
        by: column of the recipes.
        reference: label, or None.
        floor: text of ``--floor``.
        along: text of ``--along``.
        budgets: texts of ``--budget``.
        errors: the error model as text, or None.
    """

    by: str
    reference: str | None
    floor: str
    along: str
    budgets: list[str] | None
    errors: str | None


def compare_recipes(
    law: "LawFunction", table: "Runs", chosen: RecipeOptions, seed: int, *, as_json: bool
) -> dict[str, Any]:
    """Compute multipliers as a JSON object.

    Raises:
        JscaleError: see :func:`jscale.assess.effective_compute`.
    """
    import numpy as np

    from jscale import assess

    floor: Any = chosen.floor
    if floor not in ("pinned", "shared", "free"):
        try:
            floor = float(floor)
        except ValueError:
            raise JscaleError(
                f"--floor: expected shared, free, pinned or a number, not {shown(floor)}"
            ) from None
    budgets = [parsing.above_zero(text, "--budget", "1e21") for text in chosen.budgets or ()]
    with (
        flags.renamed(by="effective_compute", budgets="budget"),
        working("sampling the pooled posterior of the recipes …", as_json),
    ):
        result = assess.effective_compute(
            law,
            table,
            key=inputs.key_of(seed),
            by=chosen.by,
            reference=chosen.reference,
            floor=floor,
            along=cast(Any, chosen.along),
            budgets=np.array(budgets) if budgets else None,
            errors=chosen.errors,
        )
    return _payload(result, table)


def _payload(result: "EffectiveCompute", table: "Runs") -> dict[str, Any]:
    import numpy as np

    levels = np.array([0.05, 0.5, 0.95])
    by_budget, overall = result.quantile(levels), result.overall_quantile(levels)

    def named(values: "np.ndarray") -> dict[str, float]:
        return dict(zip(("q05", "q50", "q95"), values.tolist(), strict=True))

    recipes = [
        {
            "recipe": label,
            "overall": named(overall[:, i]),
            "budgets": [
                {"C": float(budget), **named(by_budget[:, i, j])}
                for j, budget in enumerate(result.budgets)
            ],
        }
        for i, label in enumerate(result.recipes)
    ]
    return {
        "law": result.posterior.law_name,
        "by": result.posterior.by,
        "reference": result.reference,
        "floor": result.floor,
        "along": result.along,
        "ratio": result.ratio,
        "recipes": recipes,
        "status": str(result.posterior.status),
        "table": {"name": table.name, "digest": table.digest},
        "notes": output.notes((*table_notes(table, result.posterior.by), *result.notes)),
    }


def show_recipes(payload: dict[str, Any]) -> None:
    """Print compute multipliers: medians and 90% intervals."""
    from jscale.report.notation import power_of_ten

    where = "on each recipe's frontier"
    if payload["ratio"] is not None:
        where = f"at {output.figures(payload['ratio'], 3)} tokens per parameter"
    output.show(
        f"{payload['law']} on {payload['table']['name']}: compute of {payload['reference']} at "
        f"equal loss over that of each recipe, {where}; floor {payload['floor']}"
    )
    rows = []
    for recipe in payload["recipes"]:
        parts = [(power_of_ten(each["C"]) + " FLOP", each) for each in recipe["budgets"]]
        for label, values in [*parts, ("overall", recipe["overall"])]:
            numbers = [output.figures(values[name], 3) for name in ("q50", "q05", "q95")]
            rows.append((recipe["recipe"], label, *numbers))
    headers = (payload["by"], "compute", "multiplier", "5%", "95%")
    output.show(output.table(headers, rows, right="llrrr", narrow=True))
