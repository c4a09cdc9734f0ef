"""``jscale report``: fit, posterior, plans and figures in one HTML file."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jscale.cli import fit as fit_verb
from jscale.cli import grid as grid_verb
from jscale.cli import sample as sample_verb
from jscale.cli.decisions import tables
from jscale.cli.plan import budgets_of
from jscale.cli.support import flags, inputs, options, output, parsing, planning
from jscale.cli.support.group import command_line
from jscale.cli.support.session import session, working

if TYPE_CHECKING:
    from jscale.fit import Point, Posterior
    from jscale.laws import LawFunction
    from jscale.runs import Runs

OUT = Annotated[
    str, typer.Option("--out", help="The page to write; .md for Markdown.", metavar="FILE.html")
]
TITLE = Annotated[str | None, options.option("--title", help="Title of the page.", metavar="TEXT")]
NO_BACKTEST = Annotated[
    bool,
    typer.Option("--no-backtest", help="Do not forecast held-out runs (half a minute)."),
]
NO_CORRECTION = Annotated[
    bool,
    typer.Option("--no-correction", help="Do not widen bands by forecasts of held-out runs."),
]
GRID = Annotated[
    str | None,
    options.option(
        "--grid",
        help="A file of jscale grid --out, searched with --keep or --front: its figures.",
        metavar="FILE.json",
    ),
]
ENSEMBLE = Annotated[
    bool,
    typer.Option(
        "--ensemble", help="Also forecast the largest runs, in 16 bits, by several laws (a minute)."
    ),
]


def report(
    source: options.RUNS,
    *,
    law: options.LAW = "chinchilla",
    budget: options.BUDGET = None,
    posterior: options.POSTERIOR = None,
    post_bits: options.POST_BITS = None,
    title: TITLE = None,
    no_backtest: NO_BACKTEST = False,
    no_correction: NO_CORRECTION = False,
    ensemble: ENSEMBLE = False,
    grid: GRID = None,
    starts: options.STARTS = 64,
    fix: options.FIX = None,
    tie: options.TIE = None,
    errors: options.ERRORS = None,
    prior: options.PRIOR = None,
    include_excluded: options.INCLUDE_EXCLUDED = False,
    chains: options.CHAINS = 4,
    warmup: options.WARMUP = 1000,
    draws: options.DRAWS = 1000,
    sampler: options.SAMPLER = "auto",
    as_json: options.AS_JSON = False,
    seed: options.SEED = 0,
    out: OUT = "report.html",
) -> None:
    """Write a report on a table of runs: one self-contained HTML file, or Markdown."""
    path = output.target(out, inputs=[source, posterior, grid])
    _refuse_ignored(posterior, no_backtest)
    budgets = budgets_of(budget)
    post = [parsing.above_zero(text, "--post-bits", "4") for text in parsing.many(post_bits)]
    cells = None if grid is None else grid_verb.saved_results(grid)

    with session():
        table = inputs.table_of(source, include_excluded)
        chosen = inputs.law_of(law, fix, tie)
        if budgets or post:
            planning.check(chosen, post_bits=post)

        from jscale import fit
        from jscale.report import write

        sampling = inputs.Sampling(chains, warmup, draws, seed, sampler)
        with _fitting_beside(chosen, table, starts) as fitting:
            if posterior is None:
                sampled = inputs.posterior_of(
                    chosen, table, sampling, as_json, errors=errors, priors=prior
                )
            else:
                sampled = fit.load(posterior, chosen)
            with working(f"fitting {law} to {table.kept.sum():,} runs …", as_json):
                point = fitting.result()

        if not budgets and can_plan(chosen, table):
            budgets = planning.default_budgets(table["C"][table.kept])
        with working("planning …", as_json):
            request = planning.PlanRequest(
                chosen, dict(sampled.draws), post_bits=post, ranges=sampled.ranges
            )
            plans = planning.at_budgets(request, budgets)
        doing = "drawing …" if no_backtest else "forecasting held-out runs, and drawing …"
        shown: dict[str, Any] = {"title": title, "grid": cells, "command": command_line("--out")}
        shown |= {"backtest": not no_backtest, "correct": not no_correction, "ensemble": ensemble}
        with working(doing, as_json):
            write(path, table, point, sampled, budgets=tuple(budgets), P_post=post, **shown)

    payload: dict[str, Any] = {
        "out": str(path),
        "bytes": path.stat().st_size,
        "law": sampled.law_name,
        "fit": fit_verb.summary(point, table),
        "posterior": sample_verb.summary(sampled, table),
        "plans": plans,
    }
    output.deliver(payload, as_json, None)
    if not as_json:
        _show(payload, table, sampled)


def _refuse_ignored(posterior: str | None, no_backtest: bool) -> None:
    """Refuse options that the others leave without effect."""
    if posterior is not None:
        flags.refuse(
            "errors", "prior", *flags.SAMPLING, reason="with --posterior, since nothing is sampled"
        )
    if no_backtest:
        flags.refuse("no_correction", reason="with --no-backtest, without which nothing is widened")
        flags.refuse("ensemble", reason="with --no-backtest, as it forecasts held-out runs")


@contextmanager
def _fitting_beside(law: "LawFunction", table: "Runs", starts: int) -> "Iterator[Future[Point]]":
    """A point fit in a thread of its own.

    The posterior does not need it and compiles other programs, so that the two together take
    little longer than one.
    """
    from jscale import fit
    from jscale._core.checks import check_whole_number
    from jscale._core.scope import in_float64

    check_whole_number("starts", starts, at_least=1)  # before anything is sampled
    # Modules are loaded before there are two threads.
    point, _ = fit.point, fit.posterior
    with ThreadPoolExecutor(1) as beside:
        yield beside.submit(in_float64(point), law, table, starts=starts)


def _show(payload: dict[str, Any], table: "Runs", sampled: "Posterior") -> None:
    """Print what the report says in short, and where it is."""
    point = payload["fit"]
    output.show(
        f"{sampled.law_name} on {table.name}: {point['n_runs']:,} runs; "
        f"fit {point['certificate']['status']}, posterior {sampled.status}"
    )
    tables.show_plans(payload["plans"])
    output.show_notes((*point["notes"], *output.notes(sampled.notes)), least="warning")
    output.show(f"report: {payload['out']} ({payload['bytes'] / 1e6:.1f} MB)")


def can_plan(law: "LawFunction", table: "Runs") -> bool:
    """Whether the law divides a budget between size and data and the table has compute."""
    from jscale.laws import describe

    return {"N", "D"} <= set(describe(law).input_names) and "C" in table
