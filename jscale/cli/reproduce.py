"""``jscale reproduce``: published numbers beside what the same data give here."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from jscale.cli.process.failures import CHECK_FAILED
from jscale.cli.support import inputs, options, output
from jscale.cli.support.session import session, working

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jscale.assess import Reproduction
    from jscale.assess.published import Row

NAME = Annotated[
    str | None,
    typer.Argument(help="One data set (default: all).", metavar="NAME", show_default=False),
]
REQUIRE_AGREEMENT = Annotated[
    bool,
    typer.Option("--require-agreement", help="Exit 1 unless every published number is reproduced."),
]
_LEAST = 0.01
"""Per cent, or standard errors, below which a difference is shown as less than that."""


def reproduce(
    name: NAME = None,
    *,
    require_agreement: REQUIRE_AGREEMENT = False,
    as_json: options.AS_JSON = False,
    seed: options.SEED = 0,
    out: options.OUT_JSON = None,
    resume: options.RESUME = None,
) -> None:
    """Refit the public data sets as their papers did, and explain the numbers that differ."""
    if out is not None:
        output.target(out)

    with output.resuming(resume, outputs=[out]) as progress_file:
        with session():
            key = inputs.key_of(seed)

            from jscale import assess

            parts, names = [], assess.reproducible() if name is None else (name,)
            for i, dataset in enumerate(names, 1):
                message = f"{dataset} ({i} of {len(names)}): refitting what was published …"
                with working(message, as_json):
                    parts.append(assess.reproduce(dataset, key=key, resume=progress_file))
                if not as_json:
                    _show(parts[-1])

        payload = summary(parts)
        output.deliver(payload, as_json, out)

    if not as_json:
        output.show(_closing(payload))
    if require_agreement and not payload["complete"]:
        raise typer.Exit(CHECK_FAILED)


def summary(parts: "Sequence[Reproduction]") -> dict[str, Any]:
    """Reproductions of several data sets as a JSON object."""
    from dataclasses import asdict

    rows = [row for part in parts for row in part.rows]
    return {
        "rows": [{**asdict(row), "agrees": row.agrees, "verdict": row.verdict} for row in rows],
        "not_run": [asdict(missing) for part in parts for missing in part.not_run],
        "numbers": len(rows),
        "agreeing": sum(row.agrees for row in rows),
        "not_identified": sum(not row.identified for row in rows),
        "complete": all(part.complete for part in parts),
        "sources": {name: source for part in parts for name, source in part.sources.items()},
        "seconds": {name: value for part in parts for name, value in part.seconds.items()},
    }


def _closing(payload: dict[str, Any]) -> str:
    """How many numbers are reproduced, in one line."""
    from jscale.report.notation import plural

    parts, numbers, agreeing = [], payload["numbers"], payload["agreeing"]
    if numbers:
        parts.append(f"{agreeing} of {plural(numbers, 'published number')} come out")
    if unidentified := payload["not_identified"]:
        verb = "is" if unidentified == 1 else "are"
        parts.append(f"{unidentified} {verb} not identified by the runs")
    if agreeing + unidentified < numbers:
        parts.append("where one differs, the reason is given")
    if payload["not_run"]:
        parts.append(f"not run: {', '.join(missing['dataset'] for missing in payload['not_run'])}")
    return "; ".join(parts)


def _show(reproduction: "Reproduction") -> None:
    """Print one data set: its rows, the fits that the letters name, the reasons of differences."""
    from rich.text import Text

    for missing in reproduction.not_run:
        output.show(Text(f"{missing.dataset}: not run", style="bold"), f"  {missing.why}\n")

    headers = ("fit", "quantity", "published", "ours", "difference", "verdict")
    for name in dict.fromkeys(row.dataset for row in reproduction.rows):
        rows = reproduction.of(name)
        fits = list(dict.fromkeys(row.fit for row in rows))
        reasons = list(dict.fromkeys(row.why for row in rows if row.why))
        cells = []
        for row in rows:
            footnote = f" [{reasons.index(row.why) + 1}]" if row.why else ""
            numbers = (_published(row), _reproduced(row), _difference(row))
            fit = _letter(fits.index(row.fit))
            cells.append((fit, row.quantity, *numbers, row.verdict + footnote))

        output.show(Text(f"{name}: {reproduction.sources[name]}", style="bold"))
        output.show(output.table(headers, cells, right="llrrrl"))
        output.show(*(f"  {_letter(i)}  {fit}" for i, fit in enumerate(fits)))
        output.show(*(f"[{i}] {reason}" for i, reason in enumerate(reasons, 1)), "")


def _letter(index: int) -> str:
    return chr(ord("a") + index)


def _published(row: "Row") -> str:
    if row.published_interval is not None:
        return _with_interval(row.published, row.published_interval)
    error = "" if row.published_error is None else f" ± {_number(row.published_error, 3)}"
    return _number(row.published, _digits(row.published)) + error


def _reproduced(row: "Row") -> str:
    if row.our_interval is not None:
        return _with_interval(row.ours, row.our_interval)
    return _number(row.ours, max(4, _digits(row.published)))


def _digits(value: float) -> int:
    """Significant digits of a published number, ten at most."""
    return min(10, len(f"{abs(value):.12g}".partition("e")[0].replace(".", "").strip("0")) or 1)


def _with_interval(value: float, ends: tuple[float, float]) -> str:
    return f"{_number(value, 4)}\n{_number(ends[0], 4)} to {_number(ends[1], 4)}"


def _number(value: float, digits: int) -> str:
    from jscale.report.notation import number

    return number(value, digits)


def _difference(row: "Row") -> str:
    """The difference with its unit: per cent, standard errors, or the quantity's own."""
    from jscale.report.notation import MINUS

    scale, unit = {
        "relative": (100.0, "%"),
        "published errors": (1.0, " s.e."),
        "our errors": (1.0, " own s.e."),
    }.get(row.unit, (1.0, ""))
    size = scale * abs(row.difference)
    if unit and size < _LEAST:
        return f"<{_LEAST:g}{unit}"
    sign = "" if size == 0 else (MINUS if row.difference < 0 else "+")
    return f"{sign}{_number(size, 2)}{unit}"
