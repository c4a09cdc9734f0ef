"""``jscale compare``: several laws on the same runs."""

import re
from typing import TYPE_CHECKING, Any

from jscale._core.errors import JscaleError
from jscale.cli import _inputs, _options, _output, _parse
from jscale.cli._session import session, working

if TYPE_CHECKING:
    from jscale.assess import Comparison
    from jscale.laws import LawFunction
    from jscale.runs import Runs

_CHANGED = re.compile(r"(?P<name>[^\[\]]+)\[(?P<changes>[^\[\]]*)\]")


def compare(
    source: _options.RUNS,
    *,
    law: _options.LAWS = None,
    holdout: _options.HOLDOUT = 0.2,
    objective: _options.OBJECTIVE = "huber",
    nested: _options.NESTED = None,
    starts: _options.STARTS = 64,
    include_excluded: _options.INCLUDE_EXCLUDED = False,
    as_json: _options.AS_JSON = False,
    seed: _options.NO_SEED = 0,
    out: _options.OUT_JSON = None,
) -> None:
    """Compare laws on the same runs: error on those of most compute, AICc, BIC, nested tests."""
    if out is not None:
        _output.target(out)
    with session():
        table = _inputs.table_of(source, include_excluded, out=out)
        chosen = {text: law_from(text) for text in law or ()}
        pairs = [_pair(text, chosen) for text in nested or ()]
        from jscale import assess

        with working(f"fitting {len(chosen)} laws to {table.kept.sum():,} runs …", as_json):
            found = assess.compare(
                [chosen[text] for text in law or ()],
                table,
                holdout="largest-compute" if holdout else None,
                share=holdout or 0.2,
                objective=_inputs.objective_of(objective),
                nested=pairs,
                starts=starts,
            )
    payload = summary(found, table)
    _output.deliver(payload, as_json, out)
    if not as_json:
        _show(found, table)
        _output.show_notes(payload["notes"])


def law_from(text: str) -> "LawFunction":
    """The law of this name, with parameters fixed or tied in brackets:
    ``chinchilla[beta=alpha,E=1.7]``.

    Raises:
        JscaleError: there is no such law or parameter.
    """
    matched = _CHANGED.fullmatch(text.strip())
    if matched is None:
        return _inputs.law_of(text.strip())
    changes = _parse.pairs([matched["changes"]], f"law {text!r}", "beta=alpha")
    tied = [f"{name}={other}" for name, other in changes.items() if other.isidentifier()]
    fixed = [f"{name}={value}" for name, value in changes.items() if not value.isidentifier()]
    return _inputs.law_of(matched["name"].strip(), fixed, tied)


def _pair(text: str, chosen: "dict[str, LawFunction]") -> "tuple[LawFunction, LawFunction]":
    names = [part.strip() for part in text.split("<")]
    if len(names) != 2:
        raise JscaleError(
            f"--nested: expected SMALL<LARGE such as 'power_size<chinchilla', not {text!r}"
        )
    if absent := [name for name in names if name not in chosen]:
        raise JscaleError(f"--nested: {absent[0]!r} is not one of the laws given with --law")
    return chosen[names[0]], chosen[names[1]]


def summary(found: "Comparison", table: "Runs") -> dict[str, Any]:
    """A comparison as a JSON object."""
    from dataclasses import asdict

    return {
        "n_runs": found.n_runs,
        "objective_name": found.objective_name,
        "held_out": {"runs": len(found.held_out), "C_from": found.compute_from},
        "rows": [
            {
                **asdict(row),
                "status": str(row.status),
                "parameters": len(row.params),
                "converged": row.rank is not None,
            }
            for row in found.rows
        ],
        "nested": [asdict(test) for test in found.nested],
        "table": {"name": table.name, "digest": found.table_digest},
        "notes": _output.notes((*table.notes, *found.notes)),
    }


def _show(found: "Comparison", table: "Runs") -> None:
    from jscale.report.notation import plural, power_of_ten

    out = len(found.held_out)
    _output.show(f"{table.name}: {plural(found.n_runs, 'run')}, {found.objective_name}")
    if found.compute_from is not None:
        _output.show(
            f"held out: the {plural(out, 'run')} of {power_of_ten(found.compute_from)} FLOP and more"
        )
    least = min(row.aicc for row in found.rows)
    rows = [
        (
            "–" if row.rank is None else str(row.rank),
            row.law,
            str(len(row.params)),
            *(_held_out(value) for value in (row.rmse, row.relative_error, row.bias)),
            _output.figures(row.objective),
            _output.figures(row.aicc - least, 4),
            _output.figures(row.bic - min(other.bic for other in found.rows), 4),
            str(row.status),
        )
        for row in found.rows
    ]
    headers = (
        "",
        "law",
        "parameters",
        "held-out rmse",
        "relative error",
        "bias",
        "objective",
        "ΔAICc",
        "ΔBIC",
        "fit",
    )
    _output.show(_output.table(headers, rows, right="rlrrrrrrrl"))
    tests = [
        (
            test.small,
            test.large,
            str(test.df),
            _output.figures(test.statistic, 4),
            f"{test.p_value:.2g}",
            "fixed at the edge: p is too large" if test.at_edge else "",
        )
        for test in found.nested
    ]
    if tests:
        headers = ("special case", "of", "df", "likelihood ratio", "p", "")
        _output.show(_output.table(headers, tests, right="llrrr"))


def _held_out(value: float | None) -> str:
    from jscale.report.notation import MISSING, percent

    return MISSING if value is None else percent(value, 3)
