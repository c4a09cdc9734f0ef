"""``jscale sensitivity``: one number under every way of fitting it."""

from typing import TYPE_CHECKING, Any

from jscale._core.errors import JscaleError
from jscale.cli import _inputs, _options, _output, _parse
from jscale.cli._session import session, working
from jscale.cli.compare import law_from

if TYPE_CHECKING:
    from jscale.assess import Sensitivity
    from jscale.runs import Runs


def sensitivity(
    source: _options.RUNS,
    *,
    target: _options.TARGET,
    law: _options.LAW = "chinchilla",
    variant: _options.VARIANTS = None,
    objective: _options.OBJECTIVES = None,
    vary: _options.EXCLUSIONS = None,
    column: _options.COLUMNS = None,
    turns_at: _options.TURNS_AT = None,
    starts: _options.STARTS = 32,
    fix: _options.FIX = None,
    tie: _options.TIE = None,
    as_json: _options.AS_JSON = False,
    seed: _options.NO_SEED = 0,
    out: _options.OUT_JSON = None,
    figure: _options.FIGURE = None,
) -> None:
    """Refit under every objective and choice of runs: how far a number depends on them."""
    _output.targets(out, figure)
    with session():
        if len(target) > 1:
            raise JscaleError(f"--target: one at a time, not {len(target)}")
        table = _inputs.table_of(source, out=out)
        chosen = _inputs.law_of(law, fix, tie)
        from jscale import assess

        asked: dict[str, Any] = {
            "objectives": [_inputs.objective_of(text) for text in _parse.many(objective)]
            or assess.OBJECTIVES,
            "exclusions": None if vary is None else _parse.many(vary),
            "variants": [law_from(text) for text in variant or ()],
            "columns": _columns(column),
            "turns_at": turns_at,
            "starts": starts,
        }
        with working(f"fitting {law} to {table.kept.sum():,} runs in many ways …", as_json):
            found = assess.sensitivity(chosen, table, target=target[0], **asked)
        if figure is not None:
            from jscale.report import write_sensitivity

            write_sensitivity(_output.target(figure), found)
    payload = summary(found, table)
    _output.deliver(payload, as_json, out)
    if not as_json:
        _show(found)
        _output.show_notes(payload["notes"])
        if figure is not None:
            _output.show(f"figure: {figure}")


def _columns(texts: list[str] | None) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for text in texts or ():  # one input may be named several times
        for name, other in _parse.pairs([text], "--column", "N=N_total").items():
            found.setdefault(name, []).append(other)
    return found


def summary(found: "Sensitivity", table: "Runs") -> dict[str, Any]:
    """A specification curve as a JSON object."""
    from dataclasses import asdict

    return {
        "target": found.target,
        "headline": found.headline,
        "range": found.span,
        "certified": len(found.certified),
        "turns_at": found.turns_at,
        "turned": found.turned,
        "outside": found.outside,
        "rows": [
            {**asdict(row), "status": str(row.status), "certified": row.certified}
            for row in found.rows
        ],
        "table": {"name": table.name, "digest": found.table_digest},
        "notes": _output.notes((*table.notes, *found.notes)),
    }


def _show(found: "Sensitivity") -> None:
    from jscale.report.notation import number, significant

    _output.show(found.headline)
    fields = [
        name for name in ("law", "inputs") if len({getattr(row, name) for row in found.rows}) > 1
    ]
    rows = [
        (
            number(row.value, 5),
            significant(row.stderr, 2),
            row.objective,
            row.runs,
            f"{row.n_runs:,}",
            *(getattr(row, name) for name in fields),
            "first" if row is found.rows[0] else "",
            "" if row.certified else str(row.status),
        )
        for row in sorted(found.rows, key=lambda row: (not row.certified, row.value))
    ]
    headers = (found.target, "stderr", "objective", "runs", "number", *fields, "", "fit")
    _output.show(_output.table(headers, rows, right="rrllr"))
