"""``jscale compare``: several laws on the same runs."""

import re
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jscale._core.errors import JscaleError
from jscale._core.text import shown
from jscale.cli.support import inputs, options, output, parsing
from jscale.cli.support.session import session, working

if TYPE_CHECKING:
    from jscale.assess import Comparison
    from jscale.laws import LawFunction
    from jscale.runs import Runs

_CHANGED = re.compile(r"(?P<name>[^\[\]]+)\[(?P<changes>[^\[\]]*)\]")
_DEFAULT_SHARE = 0.2

LAWS = Annotated[
    list[str] | None,
    options.option(
        "--law",
        help="A law, also 'chinchilla\\[beta=alpha,E=1.7]'; give two or more.",
        metavar="NAME",
    ),
]
HOLDOUT = Annotated[
    float,
    typer.Option(
        "--holdout",
        help="Share of the runs to hold out, those of most compute; 0 for none.",
        metavar="X",
    ),
]
NESTED = Annotated[
    list[str] | None,
    options.option(
        "--nested", help="Also test SMALL as a special case of LARGE.", metavar="SMALL<LARGE"
    ),
]


def compare(
    source: options.RUNS,
    *,
    law: LAWS = None,
    holdout: HOLDOUT = _DEFAULT_SHARE,
    objective: options.OBJECTIVE = "huber",
    nested: NESTED = None,
    starts: options.STARTS = 64,
    include_excluded: options.INCLUDE_EXCLUDED = False,
    as_json: options.AS_JSON = False,
    seed: options.NO_SEED = 0,
    out: options.OUT_JSON = None,
) -> None:
    """Compare laws on the same runs: held-out error, AICc, BIC and tests of special cases."""
    if out is not None:
        output.target(out, inputs=[source])

    with session():
        table = inputs.table_of(source, include_excluded)
        chosen = {text: law_from(text) for text in law or ()}
        pairs = [_pair(text, chosen) for text in nested or ()]

        from jscale import assess

        with working(f"fitting {len(chosen)} laws to {table.kept.sum():,} runs …", as_json):
            result = assess.compare(
                [chosen[text] for text in law or ()],
                table,
                holdout="largest-compute" if holdout else None,
                share=holdout or _DEFAULT_SHARE,
                objective=inputs.objective_of(objective),
                nested=pairs,
                starts=starts,
            )

    payload = summary(result, table)
    output.deliver(payload, as_json, out)
    if not as_json:
        _show(result, table)
        output.show_notes(payload["notes"])


def law_from(text: str) -> "LawFunction":
    """The law of this name, changed by the brackets behind it: ``chinchilla[beta=alpha,E=1.7]``.

    Raises:
        JscaleError: there is no such law or parameter.
    """
    matched = _CHANGED.fullmatch(text.strip())
    if matched is None:
        return inputs.law_of(text.strip())

    where = f"law {shown(text)}"
    changes = parsing.pairs([matched["changes"]], where, "beta=alpha")
    tied = [f"{name}={other}" for name, other in changes.items() if other.isidentifier()]
    fixed = [f"{name}={value}" for name, value in changes.items() if not value.isidentifier()]
    return inputs.law_of(matched["name"].strip(), fixed, tied, where)


def _pair(text: str, chosen: "dict[str, LawFunction]") -> "tuple[LawFunction, LawFunction]":
    names = [part.strip() for part in text.split("<")]
    if len(names) != 2:
        raise JscaleError(
            f"--nested: expected SMALL<LARGE such as 'power_size<chinchilla', not {shown(text)}"
        )
    if absent := [name for name in names if name not in chosen]:
        raise JscaleError(f"--nested: {shown(absent[0])} is not one of the laws given with --law")
    return chosen[names[0]], chosen[names[1]]


def summary(result: "Comparison", table: "Runs") -> dict[str, Any]:
    """A comparison as a JSON object."""
    from dataclasses import asdict

    rows = [
        {
            **asdict(row),
            "status": str(row.status),
            "parameters": len(row.params),
            "converged": row.rank is not None,
        }
        for row in result.rows
    ]
    return {
        "n_runs": result.n_runs,
        "objective_name": result.objective_name,
        "held_out": {"runs": len(result.held_out), "C_from": result.compute_from},
        "rows": rows,
        "nested": [asdict(test) for test in result.nested],
        "table": {"name": table.name, "digest": result.table_digest},
        "notes": output.notes((*table.notes, *result.notes)),
    }


def _show(result: "Comparison", table: "Runs") -> None:
    """Print a comparison."""
    from jscale.report.notation import plural, power_of_ten

    output.show(f"{table.name}: {plural(result.n_runs, 'run')}, {result.objective_name}")
    if result.compute_from is not None:
        held_out = plural(len(result.held_out), "run")
        output.show(
            f"held out: the {held_out} of {power_of_ten(result.compute_from)} FLOP and more"
        )

    least_aicc = min(row.aicc for row in result.rows)
    least_bic = min(row.bic for row in result.rows)
    rows = [
        (
            "–" if row.rank is None else str(row.rank),
            row.law,
            str(len(row.params)),
            *(_held_out(value) for value in (row.rmse, row.relative_error, row.bias)),
            output.figures(row.objective),
            output.figures(row.aicc - least_aicc, 4),
            output.figures(row.bic - least_bic, 4),
            str(row.status),
        )
        for row in result.rows
    ]
    held_out_headers = ("held-out rmse", "relative error", "bias")
    headers = ("", "law", "parameters", *held_out_headers, "objective", "ΔAICc", "ΔBIC", "fit")
    output.show(output.table(headers, rows, right="rlrrrrrrrl"))

    tests = [
        (
            test.small,
            test.large,
            str(test.df),
            output.figures(test.statistic, 4),
            f"{test.p_value:.2g}",
            "fixed at the edge: p is too large" if test.at_edge else "",
        )
        for test in result.nested
    ]
    if tests:
        headers = ("special case", "of", "df", "likelihood ratio", "p", "")
        output.show(output.table(headers, tests, right="llrrr"))


def _held_out(value: float | None) -> str:
    """An error on the held-out runs in per cent."""
    from jscale.report.notation import MISSING, percent

    return MISSING if value is None else percent(value, 3)
