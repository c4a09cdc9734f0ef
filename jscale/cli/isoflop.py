"""``jscale isoflop``: the best size at every budget of a table, and the power laws through them."""

import math
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

import typer

from jscale.cli import _inputs, _options, _output
from jscale.cli._session import session, working
from jscale.cli._verbs import CHECK_FAILED

if TYPE_CHECKING:
    from jscale.fit.approaches import IsoFlop, Lines, PowerLaw
    from jscale.runs import Runs

CURVE = Annotated[
    str,
    typer.Option(
        "--curve", help="Through each valley: parabola, cubic, law or akima.", metavar="NAME"
    ),
]
BIAS_LAW = Annotated[
    str,
    typer.Option(
        "--law", help="Law whose valleys show the curve's bias; 'none' for no bias.", metavar="NAME"
    ),
]
BY = Annotated[
    str | None,
    typer.Option(
        "--by",
        help="Column whose equal values make a budget.",
        metavar="COLUMN",
        show_default=False,
    ),
]
TOLERANCE = Annotated[
    float,
    typer.Option(
        "--tolerance", help="Share by which the compute of one budget may spread.", metavar="X"
    ),
]
DRAWS = Annotated[
    int,
    typer.Option(
        "--bootstrap",
        help="Also draw this many tables again, for errors and intervals.",
        metavar="R",
    ),
]
DRAWN = Annotated[
    str,
    typer.Option(
        "--resample",
        help="What is drawn again: rows, or noise of the size loss_se.",
        metavar="NAME",
    ),
]
SOUND = Annotated[
    bool, typer.Option("--require-converged", help="Exit 1 unless three budgets are free of flags.")
]


def isoflop(
    source: _options.RUNS,
    *,
    curve: CURVE = "parabola",
    law: BIAS_LAW = "chinchilla",
    by: BY = None,
    tolerance: TOLERANCE = 0.05,
    bootstrap: DRAWS = 0,
    resample: DRAWN = "rows",
    include_excluded: _options.INCLUDE_EXCLUDED = False,
    require_converged: SOUND = False,
    as_json: _options.AS_JSON = False,
    seed: _options.BOOTSTRAP_SEED = 0,
    out: _options.OUT_JSON = None,
) -> None:
    """Find the best size at each budget of a table, with flags, bias, and power laws in compute."""
    if out is not None:
        _output.target(out)
    with session():
        key = _inputs.key_of(seed)
        table = _inputs.table_of(source, include_excluded, out=out)
        truth = None if law == "none" else _inputs.law_of(law)
        from jscale import fit as room

        with working(f"fitting the valleys of {table.kept.sum():,} runs …", as_json):
            result = room.isoflop(
                table,
                curve=cast(Literal["parabola"], curve),
                law=truth,
                by=by,
                tolerance=tolerance,
                resample=cast(Literal["rows"], resample),
                draws=bootstrap,
                key=key if bootstrap else None,
            )
    payload = summary(result, table)
    _output.deliver(payload, as_json, out)
    if not as_json:
        show(result, table)
        _output.show_notes(payload["notes"])
    if require_converged and str(result.status) != "converged":
        raise typer.Exit(CHECK_FAILED)


def summary(result: "IsoFlop", table: "Runs") -> dict[str, Any]:
    """An isoFLOP analysis as a JSON object."""
    from jscale.laws import describe

    bias = result.bias
    budgets = [
        {
            "C": b.C,
            "n_runs": b.n_runs,
            "N_range": b.N_range,
            "N_opt": b.N_opt,
            "D_opt": b.D_opt,
            "loss": b.loss,
            "log_stderr": b.log_stderr,
            "bias": None if bias is None else bias.log_N[i],
            "curvature": b.curvature,
            "curvature_stderr": b.curvature_stderr,
            "flags": b.flags,
            "status": str(b.status),
        }
        for i, b in enumerate(result.budgets)
    ]
    return {
        "curve": result.curve,
        "n_runs": sum(b.n_runs for b in result.budgets),
        "status": str(result.status),
        "headline": result.headline,
        "budgets": budgets,
        "fits": {name: _lines(lines) for name, lines in result.fits.items()},
        "shape": result.shape,
        "bias": None
        if bias is None
        else {
            "law": describe(bias.law).name,
            "params": bias.params,
            "exponent": bias.exponent,
            "log_coefficient": bias.log_coefficient,
        },
        "corrected": None if result.corrected is None else _lines(result.corrected),
        "table": {"name": table.name, "digest": table.digest},
        "notes": _output.notes((*table.notes, *result.notes)),
    }


def _lines(lines: "Lines") -> dict[str, Any]:
    return {"N": _power(lines.N), "D": _power(lines.D)}


def _power(law: "PowerLaw | None") -> dict[str, Any] | None:
    if law is None:
        return None
    names = ("coefficient", "exponent", "stderr", "interval", "points")
    return {name: getattr(law, name) for name in names}


def show(result: "IsoFlop", table: "Runs") -> None:
    """An isoFLOP analysis for people."""
    bias = result.bias
    rows = [
        (
            f"{b.C:.4g}",
            str(b.n_runs),
            _known(b.N_opt, ".4g"),
            _known(b.D_opt, ".4g"),
            _known(b.log_stderr, ".1%"),
            "" if bias is None else _known(bias.log_N[i], "+.1%"),
            _known(b.loss, ".4f"),
            ", ".join(b.flags),
        )
        for i, b in enumerate(result.budgets)
        if math.isfinite(b.N_opt)  # a note counts those that have no minimum
    ]
    headers = ("C", "runs", "N*", "D*", "error", "bias", "loss", "flags")
    _output.show(f"isoFLOP valleys of {table.name}, curve: {result.curve}")
    if rows:
        _output.show(_output.table(headers, rows, right="rrrrrrr"))
    laws = [(name, lines) for name, lines in result.fits.items()]
    if result.corrected is not None:
        laws.append((f"{result.headline}, bias removed", result.corrected))
    cells = [
        (f"{which} {name}", *_cells(law))
        for name, lines in laws
        for which, law in (("N*", lines.N), ("D*", lines.D))
        if law is not None
    ]
    if cells:
        headers = ("power law", "coefficient", "exponent", "95% interval", "budgets")
        _output.show(_output.table(headers, cells, right="lrrrr"))
    _output.show(f"headline     {result.headline if result.N else 'none'}; {result.status}", "")


def _known(value: float, form: str) -> str:
    return format(value, form) if math.isfinite(value) else "–"


def _cells(law: "PowerLaw") -> tuple[str, ...]:
    low, high = law.interval
    return (
        f"{law.coefficient:.4g}",
        f"{law.exponent:.4f}",
        f"{low:.4f} to {high:.4f}",
        str(law.points),
    )
