"""``jscale isoflop``: the optimal size at each budget of a table, and power laws in compute."""

import math
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

import typer

from jscale.cli.process.failures import CHECK_FAILED
from jscale.cli.support import flags, inputs, options, output
from jscale.cli.support.session import session, working

if TYPE_CHECKING:
    from jscale.fit.approaches import IsoFlop, Lines, PowerLaw
    from jscale.runs import Runs

CURVE = Annotated[
    str,
    typer.Option(
        "--curve",
        help="Curve through the losses of each budget: parabola, cubic, law or akima.",
        metavar="NAME",
    ),
]
LAW = Annotated[
    str,
    typer.Option(
        "--law",
        help="Law to estimate the bias of the curve with; 'none' for no bias.",
        metavar="NAME",
    ),
]
BY = Annotated[
    str | None,
    options.option("--by", help="Column whose equal values form a budget.", metavar="COLUMN"),
]
TOLERANCE = Annotated[
    float,
    typer.Option(
        "--tolerance",
        help="Relative spread of compute allowed within one budget.",
        metavar="X",
    ),
]
BOOTSTRAP = Annotated[
    int,
    typer.Option(
        "--bootstrap",
        help="Also resample the table this many times, for errors and intervals.",
        metavar="R",
    ),
]
RESAMPLE = Annotated[
    str,
    typer.Option(
        "--resample",
        help="What is resampled: rows, or noise of the size loss_se.",
        metavar="NAME",
    ),
]
REQUIRE_CONVERGED = Annotated[
    bool,
    typer.Option("--require-converged", help="Exit 1 unless three budgets have no flag."),
]


def isoflop(
    source: options.RUNS,
    *,
    curve: CURVE = "parabola",
    law: LAW = "chinchilla",
    by: BY = None,
    tolerance: TOLERANCE = 0.05,
    bootstrap: BOOTSTRAP = 0,
    resample: RESAMPLE = "rows",
    include_excluded: options.INCLUDE_EXCLUDED = False,
    require_converged: REQUIRE_CONVERGED = False,
    as_json: options.AS_JSON = False,
    seed: options.BOOTSTRAP_SEED = 0,
    out: options.OUT_JSON = None,
) -> None:
    """Find the optimal size at each budget of a table, with flags, bias and power laws in C."""
    if out is not None:
        output.target(out, inputs=[source])

    if not bootstrap:
        flags.refuse("resample", "seed", reason="without --bootstrap R")
    if by is not None:
        flags.refuse("tolerance", reason="with --by, which forms the budgets")

    with session():
        key = inputs.key_of(seed)
        table = inputs.table_of(source, include_excluded)
        bias_law = None if law == "none" else inputs.law_of(law)

        from jscale import fit

        with working(f"fitting the valleys of {table.kept.sum():,} runs …", as_json):
            result = fit.isoflop(
                table,
                curve=cast(Literal["parabola"], curve),
                law=bias_law,
                by=by,
                tolerance=tolerance,
                resample=cast(Literal["rows"], resample),
                draws=bootstrap,
                key=key if bootstrap else None,
            )

    payload = summary(result, table)
    output.deliver(payload, as_json, out)
    if not as_json:
        show(result, table)
        output.show_notes(payload["notes"])
    if require_converged and str(result.status) != "converged":
        raise typer.Exit(CHECK_FAILED)


def summary(result: "IsoFlop", table: "Runs") -> dict[str, Any]:
    """An isoFLOP analysis as a JSON object."""
    return {
        "curve": result.curve,
        "loss_unit": table.loss_unit,
        "n_runs": sum(budget.n_runs for budget in result.budgets),
        "status": str(result.status),
        "headline": result.headline,
        "budgets": _budgets(result),
        "fits": {name: _lines(lines) for name, lines in result.fits.items()},
        "shape": result.shape,
        "bias": _bias(result),
        "corrected": None if result.corrected is None else _lines(result.corrected),
        "table": {"name": table.name, "digest": table.digest},
        "notes": output.notes((*table.notes, *result.notes)),
    }


def _budgets(result: "IsoFlop") -> list[dict[str, Any]]:
    """Every budget with its optimum, flags and bias."""
    bias = result.bias
    return [
        {
            "C": budget.C,
            "n_runs": budget.n_runs,
            "N_range": budget.N_range,
            "N_opt": budget.N_opt,
            "D_opt": budget.D_opt,
            "loss": budget.loss,
            "log_stderr": budget.log_stderr,
            "bias": None if bias is None else bias.log_N[i],
            "curvature": budget.curvature,
            "curvature_stderr": budget.curvature_stderr,
            "flags": budget.flags,
            "status": str(budget.status),
        }
        for i, budget in enumerate(result.budgets)
    ]


def _bias(result: "IsoFlop") -> dict[str, Any] | None:
    from jscale.laws import describe

    if result.bias is None:
        return None
    return {
        "law": describe(result.bias.law).name,
        "params": result.bias.params,
        "exponent": result.bias.exponent,
        "log_coefficient": result.bias.log_coefficient,
    }


def _lines(lines: "Lines") -> dict[str, Any]:
    return {"N": _power_law(lines.N), "D": _power_law(lines.D)}


def _power_law(law: "PowerLaw | None") -> dict[str, Any] | None:
    if law is None:
        return None
    names = ("coefficient", "exponent", "stderr", "interval", "points")
    return {name: getattr(law, name) for name in names}


def show(result: "IsoFlop", table: "Runs") -> None:
    """Print an isoFLOP analysis."""
    from jscale.report.notation import human, power_of_ten

    unit = table.loss_unit.replace(" per ", "/")
    output.show(f"isoFLOP valleys of {table.name}, curve: {result.curve}; losses in {unit}")
    bias = result.bias
    rows = [
        (
            power_of_ten(budget.C, 4),
            str(budget.n_runs),
            human(budget.N_opt, 4),
            human(budget.D_opt, 4),
            _number(budget.log_stderr, ".1%"),
            "" if bias is None else _number(bias.log_N[i], "+.1%"),
            _number(budget.loss, ".4f"),
            ", ".join(budget.flags),
        )
        for i, budget in enumerate(result.budgets)
        if math.isfinite(budget.N_opt)  # a note counts those that have no minimum
    ]
    if rows:
        headers = ("C", "runs", "N*", "D*", "error", "bias", "loss", "flags")
        output.show(output.table(headers, rows, right="rrrrrrr"))

    fits = dict(result.fits)
    if result.corrected is not None:
        fits[f"{result.headline}, bias removed"] = result.corrected
    cells = []
    for name, lines in fits.items():
        for symbol, law in (("N*", lines.N), ("D*", lines.D)):
            if law is not None:
                cells.append((f"{symbol} {name}", *_power_law_cells(law)))
    if cells:
        headers = ("power law", "coefficient", "exponent", "95% interval", "budgets")
        output.show(output.table(headers, cells, right="lrrrr"))
    output.show(f"headline     {result.headline if result.N else 'none'}; {result.status}", "")


def _number(value: float, form: str) -> str:
    return format(value, form) if math.isfinite(value) else "–"


def _power_law_cells(law: "PowerLaw") -> tuple[str, ...]:
    low, high = law.interval
    return (
        output.figures(law.coefficient, 4),
        f"{law.exponent:.4f}",
        f"{low:.4f} to {high:.4f}",
        str(law.points),
    )
