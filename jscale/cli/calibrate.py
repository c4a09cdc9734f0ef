"""``jscale calibrate``: the measured coverage of each kind of interval."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from jscale.cli.support import flags, inputs, interval_tables, options, output
from jscale.cli.support.session import session, shows_progress

if TYPE_CHECKING:
    from jscale.assess import Calibration
    from jscale.runs import Runs

LEVEL = Annotated[
    float, typer.Option("--level", help="Nominal coverage of the intervals.", metavar="X")
]
NOISE = Annotated[
    str,
    typer.Option(
        "--noise",
        help="Simulated errors: normal, student-t, residuals, unequal (sizes) or cluster.",
        metavar="NAME",
    ),
]
SHARED = Annotated[
    float | None,
    options.option(
        "--shared",
        help="Share of the variance common to a cluster, for cluster noise (default: 0.5).",
        metavar="X",
    ),
]
SIMULATIONS = Annotated[
    int, typer.Option("--simulations", help="Number of simulated tables.", metavar="INT")
]
DRAWS = Annotated[int, typer.Option("--draws", help="Refits of each bootstrap.", metavar="INT")]
FIGURE = Annotated[
    str | None,
    options.option(
        "--figure", help="Also draw the coverage to FILE: .png, .pdf or .svg.", metavar="FILE"
    ),
]


def calibrate(
    source: options.RUNS,
    *,
    law: options.LAW = "chinchilla",
    target: options.TARGETS = None,
    kinds: options.KINDS = None,
    level: LEVEL = 0.9,
    by: options.BY = None,
    noise: NOISE = "normal",
    shared: SHARED = None,
    simulations: SIMULATIONS = 200,
    draws: DRAWS = 200,
    objective: options.OBJECTIVE = "huber",
    weights: options.WEIGHTS = None,
    starts: options.STARTS = 64,
    fix: options.FIX = None,
    tie: options.TIE = None,
    as_json: options.AS_JSON = False,
    seed: options.SEED = 0,
    out: options.OUT_JSON = None,
    figure: FIGURE = None,
    resume: options.RESUME = None,
) -> None:
    """Simulate tables like yours: which intervals reach their nominal coverage."""
    output.targets(out, figure, [source])
    with output.resuming(resume, inputs=[source], outputs=[out, figure]) as progress_file:
        with session():
            table = inputs.table_of(source)
            chosen = inputs.law_of(law, fix, tie)
            settings = interval_tables.settings(chosen, target, kinds, level, by)
            settings |= {"noise": noise, "shared": shared}
            if not interval_tables.may_refit(kinds):
                flags.refuse("draws", reason="with --kinds that are no bootstrap")

            from jscale import assess

            result = assess.calibrate(
                chosen,
                table,
                key=inputs.key_of(seed),
                objective=inputs.objective_of(objective),
                weights=weights,
                simulations=simulations,
                draws=draws,
                starts=starts,
                progress=shows_progress(as_json),
                resume=progress_file,
                **settings,
            )
            if figure is not None:
                from jscale.report import write_coverage

                write_coverage(output.target(figure), result)

        payload = summary(result, table, seed)
        output.deliver(payload, as_json, out)

    if not as_json:
        interval_tables.show_coverage(result)
        output.show_notes(payload["notes"])
        if figure is not None:
            output.show(f"figure: {figure}")


def summary(result: "Calibration", table: "Runs", seed: int) -> dict[str, Any]:
    """Measured coverage as a JSON object."""
    from dataclasses import asdict

    return {
        "law": result.law,
        "level": result.level,
        "objective_name": result.objective_name,
        "weights": result.weights,
        "noise": result.noise,
        "scale": result.scale,
        "shared": result.shared,
        "by": result.by,
        "simulations": result.simulations,
        "draws": result.draws if interval_tables.uses_refits(result) else None,
        "seed": seed,
        "rows": [asdict(row) for row in result.rows],
        "seconds": result.seconds,
        "table": {"name": table.name, "digest": result.table_digest},
        "notes": output.notes((*table.notes, *result.notes)),
    }
