"""``jscale sensitivity``: one number under every way of fitting it."""

from typing import TYPE_CHECKING, Annotated, Any

from jscale._core.errors import JscaleError
from jscale.cli.compare import law_from
from jscale.cli.support import inputs, options, output, parsing
from jscale.cli.support.session import session, working

if TYPE_CHECKING:
    from jscale.assess import Sensitivity
    from jscale.runs import Runs

TARGET = Annotated[
    list[str], options.option("--target", help=f"{options.TARGET_HELP}.", metavar="TARGET")
]
VARIANTS = Annotated[
    list[str] | None,
    options.option(
        "--variant", help="Another law with the same target; can be repeated.", metavar="NAME"
    ),
]
OBJECTIVES = Annotated[
    list[str] | None,
    options.option(
        "--objective",
        help=f"Only these objectives: {options.OBJECTIVE_NAMES}; can be repeated.",
        metavar="NAME",
    ),
]
EXCLUSIONS = Annotated[
    list[str] | None,
    options.option(
        "--vary",
        help="Only these choices of runs: excluded, ratio, compute, groups.",
        metavar="NAME",
    ),
]
COLUMNS = Annotated[
    list[str] | None,
    options.option(
        "--column",
        help="An alternative column for an input: N=N_total; can be repeated.",
        metavar="NAME=COLUMN",
    ),
]
TURNS_AT = Annotated[
    float | None,
    options.option(
        "--turns-at", help="Value at which your conclusion changes (for a: 0.5).", metavar="X"
    ),
]
FIGURE = Annotated[
    str | None,
    options.option(
        "--figure", help="Also draw the curve to FILE: .png, .pdf or .svg.", metavar="FILE"
    ),
]


def sensitivity(
    source: options.RUNS,
    *,
    target: TARGET,
    law: options.LAW = "chinchilla",
    variant: VARIANTS = None,
    objective: OBJECTIVES = None,
    vary: EXCLUSIONS = None,
    column: COLUMNS = None,
    turns_at: TURNS_AT = None,
    starts: options.STARTS = 32,
    fix: options.FIX = None,
    tie: options.TIE = None,
    as_json: options.AS_JSON = False,
    seed: options.NO_SEED = 0,
    out: options.OUT_JSON = None,
    figure: FIGURE = None,
) -> None:
    """Refit under every objective and choice of runs: how much a number depends on them."""
    output.targets(out, figure, [source])
    with session():
        if len(target) > 1:
            raise JscaleError(f"--target: one at a time, not {len(target)}")
        table = inputs.table_of(source)
        chosen = inputs.law_of(law, fix, tie)

        from jscale import assess

        objectives = [inputs.objective_of(text) for text in parsing.many(objective)]
        settings: dict[str, Any] = {
            "objectives": objectives or assess.OBJECTIVES,
            "exclusions": None if vary is None else parsing.many(vary),
            "variants": [law_from(text) for text in variant or ()],
            "columns": _columns(column),
            "turns_at": turns_at,
            "starts": starts,
        }
        with working(f"fitting {law} to {table.kept.sum():,} runs in many ways …", as_json):
            result = assess.sensitivity(chosen, table, target=target[0], **settings)

        if figure is not None:
            from jscale.report import write_sensitivity

            write_sensitivity(output.target(figure), result)

    payload = summary(result, table)
    output.deliver(payload, as_json, out)
    if not as_json:
        _show(result)
        output.show_notes(payload["notes"])
        if figure is not None:
            output.show(f"figure: {figure}")


def _columns(texts: list[str] | None) -> dict[str, list[str]]:
    """Input → alternative columns; an input can be named several times."""
    columns: dict[str, list[str]] = {}
    for text in texts or ():
        for name, column in parsing.pairs([text], "--column", "N=N_total").items():
            columns.setdefault(name, []).append(column)
    return columns


def summary(result: "Sensitivity", table: "Runs") -> dict[str, Any]:
    """A specification curve as a JSON object."""
    from dataclasses import asdict

    rows = [
        {**asdict(row), "status": str(row.status), "certified": row.certified}
        for row in result.rows
    ]
    return {
        "target": result.target,
        "headline": result.headline,
        "range": result.span,
        "certified": len(result.certified),
        "turns_at": result.turns_at,
        "turned": result.turned,
        "outside": result.outside,
        "rows": rows,
        "table": {"name": table.name, "digest": result.table_digest},
        "notes": output.notes((*table.notes, *result.notes)),
    }


def _show(result: "Sensitivity") -> None:
    """Print a specification curve, the certified fits first, in order of the value."""
    from jscale.report.notation import human

    output.show(result.headline)
    varied = [
        name for name in ("law", "inputs") if len({getattr(row, name) for row in result.rows}) > 1
    ]
    doubtful = not all(row.certified for row in result.rows)
    rows = [
        (
            human(row.value, 4),
            human(row.stderr, 2),
            row.objective,
            f"{row.runs} (reference)" if row is result.rows[0] else row.runs,
            f"{row.n_runs:,}",
            *(getattr(row, name) for name in varied),
            *(["" if row.certified else str(row.status)] if doubtful else []),
        )
        for row in sorted(result.rows, key=lambda row: (not row.certified, row.value))
    ]
    last = ("fit",) if doubtful else ()
    headers = (result.target, "stderr", "objective", "choice of runs", "runs", *varied, *last)
    output.show(output.table(headers, rows, right="rrllr", narrow=True))
