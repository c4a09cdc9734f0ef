"""``jscale reproduce``: what papers printed of the public data sets, beside what the same data give
here.
"""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from jscale.cli import _inputs, _options, _output
from jscale.cli._session import session, working
from jscale.cli._verbs import CHECK_FAILED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jscale.assess import Reproduction
    from jscale.assess.published import Row

_NAME = Annotated[
    str | None,
    typer.Argument(
        help="One data set; all of them unless given.", metavar="NAME", show_default=False
    ),
]
_AGREEMENT = Annotated[
    bool,
    typer.Option(
        "--require-agreement",
        help="Exit 1 unless every published number is computed and comes out.",
    ),
]
_LEAST = 0.01
"""Per cent, or standard errors, below which a difference is shown as less than that."""


def reproduce(
    name: _NAME = None,
    *,
    require_agreement: _AGREEMENT = False,
    as_json: _options.AS_JSON = False,
    seed: _options.SEED = 0,
    out: _options.OUT_JSON = None,
) -> None:
    """Refit the public data sets as their papers did: published numbers, ours, and why where they
    differ.
    """
    if out is not None:
        _output.target(out)
    with session():
        key = _inputs.key_of(seed)
        from jscale import assess

        parts, names = [], assess.reproducible() if name is None else (name,)
        for i, one in enumerate(names, 1):
            with working(f"{one} ({i} of {len(names)}): refitting what was published …", as_json):
                parts.append(assess.reproduce(one, key=key))
            if not as_json:
                _show(parts[-1])
    payload = summary(parts)
    _output.deliver(payload, as_json, out)
    if not as_json:
        _output.show(_closing(payload))
    if require_agreement and not payload["complete"]:
        raise typer.Exit(CHECK_FAILED)


def summary(parts: "Sequence[Reproduction]") -> dict[str, Any]:
    """Reproductions, one after another, as a JSON object."""
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
    from jscale.report.notation import plural

    parts, numbers, agreeing = [], payload["numbers"], payload["agreeing"]
    if numbers:
        parts.append(f"{agreeing} of {plural(numbers, 'published number')} come out")
    if unknown := payload["not_identified"]:
        parts.append(f"{unknown} {'is' if unknown == 1 else 'are'} not identified by the runs")
    if agreeing + unknown < numbers:
        parts.append("where one differs, the reason is given")
    if payload["not_run"]:
        parts.append(f"not run: {', '.join(missing['dataset'] for missing in payload['not_run'])}")
    return "; ".join(parts)


def _show(found: "Reproduction") -> None:
    """One data set: its rows, what the letters stand for, and what there is to say."""
    from rich.text import Text

    for missing in found.not_run:
        _output.show(Text(f"{missing.dataset}: not run", style="bold"), f"  {missing.why}\n")
    for name in dict.fromkeys(row.dataset for row in found.rows):
        rows = found.of(name)
        fits = list(dict.fromkeys(row.fit for row in rows))
        reasons = list(dict.fromkeys(row.why for row in rows if row.why))
        cells = [
            (
                _letter(fits.index(row.fit)),
                row.quantity,
                _published(row),
                _ours(row),
                _difference(row),
                row.verdict + (f" [{reasons.index(row.why) + 1}]" if row.why else ""),
            )
            for row in rows
        ]
        headers = ("fit", "quantity", "published", "ours", "difference", "verdict")
        _output.show(Text(f"{name}: {found.sources[name]}", style="bold"))
        _output.show(_output.table(headers, cells, right="llrrrl"))
        _output.show(*(f"  {_letter(i)}  {fit}" for i, fit in enumerate(fits)))
        _output.show(*(f"[{i}] {why}" for i, why in enumerate(reasons, 1)), "")


def _letter(index: int) -> str:
    return chr(ord("a") + index)


def _published(row: "Row") -> str:
    if row.published_interval is not None:
        return _with_interval(row.published, row.published_interval)
    error = "" if row.published_error is None else f" ± {_number(row.published_error, 3)}"
    return _number(row.published, _digits(row.published)) + error


def _ours(row: "Row") -> str:
    if row.our_interval is not None:
        return _with_interval(row.ours, row.our_interval)
    return _number(row.ours, max(4, _digits(row.published)))


def _digits(value: float) -> int:
    """Significant digits that a published number has, ten at most."""
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
