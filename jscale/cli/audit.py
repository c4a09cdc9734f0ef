"""``jscale audit``: what makes fits and forecasts of a table go wrong, with codes and remedies."""

import dataclasses
import textwrap
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jscale._core.errors import JscaleError
from jscale._core.text import plural
from jscale.cli.forecasting import points
from jscale.cli.process.failures import CHECK_FAILED
from jscale.cli.support import flags, inputs, options, output
from jscale.cli.support.session import session, working

if TYPE_CHECKING:
    from jscale.assess import Audit
    from jscale.laws import LawFunction
    from jscale.runs import Runs

NO_LAW = "none"
_DEFAULT_LAW, _LEAST_RUNS = "chinchilla", 8
_WIDTH = 80
_MISSING = "MISSING"
_WORDS = {"error": "error", "warning": "warning", "info": "remark"}

LAW = Annotated[
    str | None,
    options.option(
        "--law",
        help="Law whose residuals are checked too; 'none' for the table alone (default: "
        "chinchilla where the table has N, D and losses).",
        metavar="NAME",
    ),
]
AT = Annotated[
    list[str] | None,
    options.option(
        "--at",
        help="A forecast that you want: N=70B,D=1.4T; can be repeated.",
        metavar="NAME=VALUE",
    ),
]
STRICT = Annotated[bool, typer.Option("--strict", help="Exit 1 where there is an error.")]
CHECKLIST = Annotated[
    bool,
    typer.Option("--checklist", help="Also fill in the checklist of a scaling study."),
]
SETUP = Annotated[
    str | None,
    options.option(
        "--setup",
        help="Answers for the checklist (default: setup.toml beside the table, if it is there).",
        metavar="FILE.toml",
    ),
]
REMARKS = Annotated[bool, typer.Option("--remarks", help="Show remarks too.")]


def audit(
    source: options.RUNS,
    *,
    law: LAW = None,
    at: AT = None,
    by: options.BY = None,
    starts: options.STARTS = 16,
    fix: options.FIX = None,
    tie: options.TIE = None,
    include_excluded: options.INCLUDE_EXCLUDED = False,
    strict: STRICT = False,
    remarks: REMARKS = False,
    checklist: CHECKLIST = False,
    setup: SETUP = None,
    as_json: options.AS_JSON = False,
    seed: options.NO_SEED = 0,
    out: options.OUT_JSON = None,
) -> None:
    """Check a table for what makes fits and forecasts go wrong, and say what to do about it."""
    if out is not None:
        output.target(out, inputs=[source, setup])
    if not checklist:
        flags.refuse("setup", reason="without --checklist")

    with session():
        table = inputs.table_of(source, include_excluded)
        name = default_law(table) if law is None else law
        chosen = None if name == NO_LAW else inputs.law_of(name, fix, tie)
        wanted = _points(chosen, at)
        count = max(map(len, wanted.values()), default=1)
        if checklist and count > 1:
            raise JscaleError(f"--at: --checklist has a card of one forecast, not of {count}")

        from jscale import assess

        with working(f"checking {table.kept.sum():,} runs …", as_json):
            result = assess.audit(table, chosen, at=wanted, by=by, starts=starts)
        payload = summary(result, table)
        if checklist:
            filled = assess.checklist(table, result.fitted, setup=setup, at=wanted)
            payload["checklist"] = [dataclasses.asdict(each) for each in filled.answers]

    output.deliver(payload, as_json, out)
    if not as_json:
        show(payload, remarks=remarks)
    if strict and result.errors:
        raise typer.Exit(CHECK_FAILED)


def default_law(table: "Runs") -> str:
    """Chinchilla's law for a table that it can be fitted to, else none."""
    has_columns = all(name in table.columns for name in ("N", "D", "loss"))
    return _DEFAULT_LAW if has_columns and int(table.kept.sum()) >= _LEAST_RUNS else NO_LAW


def _points(law: "LawFunction | None", at: list[str] | None) -> dict[str, Any]:
    """The requested forecasts, input → (points,)."""
    if not at:
        return {}
    from jscale import laws

    return dict(points.points_of(laws.chinchilla if law is None else law, at, None).columns)


def summary(result: "Audit", table: "Runs") -> dict[str, Any]:
    """An audit as a JSON object."""
    from jscale.assess import advice

    return {
        "law": result.law,
        "n_runs": int(table.kept.sum()),
        "checks": result.checks,
        "table": {"name": table.name, "digest": table.digest},
        "notes": [
            {
                "code": note.code,
                "severity": note.severity,
                "message": note.message,
                "advice": advice(note.code),
                "evidence": dict(note.evidence),
            }
            for note in result.notes
        ],
    }


def show(payload: dict[str, Any], *, remarks: bool) -> None:
    """Print an audit: each finding with its code, what was found and what to do."""
    notes = payload["notes"]
    counts = [
        plural(sum(note["severity"] == severity for note in notes), word)
        for severity, word in _WORDS.items()
    ]
    law = "the table alone" if payload["law"] is None else f"the table and {payload['law']}"
    output.show(
        _wrapped(
            f"{payload['table']['name']}: {', '.join(counts)} in {payload['n_runs']:,} runs, by "
            f"{len(payload['checks'])} checks of {law}"
        )
    )
    for note in notes:
        if remarks or note["severity"] != "info":
            output.show("", f"{_WORDS[note['severity']]} {note['code']}")
            output.show(_wrapped(note["message"], "  "))
            if note["advice"]:
                output.show(_wrapped(f"→ {note['advice']}", "  ", "    "))
    if "checklist" in payload:
        _show_checklist(payload["checklist"])
    if not remarks and any(note["severity"] == "info" for note in notes):
        output.show("", "Remarks are shown with --remarks, all numbers with --json.")


def _show_checklist(answers: list[dict[str, str]]) -> None:
    """Print the questions of the checklist with their answers, by topic."""
    topic = ""
    for each in answers:
        if each["topic"] != topic:
            topic = each["topic"]
            output.show("", f"== checklist: {topic} ==")
        output.show(_wrapped(each["question"]), _wrapped(each["answer"], "  "))
    if missing := [each["key"] for each in answers if each["answer"] == _MISSING]:
        hint = "answer in setup.toml beside the table what nobody else knows"
        output.show("", _wrapped(f"{len(missing)} MISSING ({', '.join(missing)}): {hint}"))


def _wrapped(text: str, first: str = "", later: str | None = None) -> str:
    return textwrap.fill(
        text,
        _WIDTH,
        initial_indent=first,
        subsequent_indent=first if later is None else later,
        break_long_words=False,
        break_on_hyphens=False,
    )
