"""``jscale next``: the runs that most improve a plan, a forecast or the parameters."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jscale._core.errors import JscaleError
from jscale._core.text import general
from jscale.cli.decisions import batches
from jscale.cli.plan import RUNS
from jscale.cli.support import flags, inputs, options, output, parsing, planning
from jscale.cli.support.session import session, working

if TYPE_CHECKING:
    from jscale._core.notes import Note
    from jscale.fit import Posterior
    from jscale.laws import LawFunction

_MOST_RUNS = 64
"""Runs of a batch."""
_STOPS = {
    "budget": "no other candidate can be paid",
    "saving": "the next run costs more than it can save",
    "runs": "as many as asked for",
    "candidates": "all candidates",
}

PLAN_BUDGET = Annotated[
    str | None,
    options.option(
        "--plan-budget",
        help="Compute of the model that is planned, FLOP (default: ten times the largest run).",
        metavar="FLOP",
    ),
]
BUDGET = Annotated[
    str | None,
    options.option(
        "--budget",
        help="Compute of all next runs together, FLOP (default: that of the largest run).",
        metavar="FLOP",
    ),
]
TARGET = Annotated[
    str,
    typer.Option(
        "--target",
        help="What to improve: the plan's regret, a forecast (--at), or the parameters.",
        metavar="plan|forecast|parameters",
    ),
]
AT = Annotated[
    str | None, options.option("--at", help="Where to forecast: N=7e10,D=1.4e12.", metavar="INPUTS")
]
CANDIDATES = Annotated[
    str | None,
    options.option(
        "--candidates",
        help="Table of runs that could be done, a column an input and 'cost' in FLOP if it is not "
        "that of training (default: a grid about the runs).",
        metavar="FILE",
    ),
]
COUNT = Annotated[int, typer.Option("--runs", help="Most runs of the batch.", metavar="INT", min=1)]
NO_SAVING = Annotated[
    bool,
    typer.Option("--spend-all", help="Go on where the next run costs more than it can save."),
]


def next_runs(
    source: RUNS = None,
    *,
    law: options.LAW = "chinchilla",
    plan_budget: PLAN_BUDGET = None,
    budget: BUDGET = None,
    target: TARGET = "plan",
    at: AT = None,
    candidates: CANDIDATES = None,
    count: COUNT = 8,
    spend_all: NO_SAVING = False,
    posterior: options.POSTERIOR = None,
    errors: options.ERRORS = None,
    prior: options.PRIOR = None,
    fix: options.FIX = None,
    tie: options.TIE = None,
    include_excluded: options.INCLUDE_EXCLUDED = False,
    chains: options.CHAINS = 4,
    warmup: options.WARMUP = 1000,
    draws: options.DRAWS = 1000,
    sampler: options.SAMPLER = "auto",
    as_json: options.AS_JSON = False,
    seed: options.SEED = 0,
    out: options.OUT_JSON = None,
) -> None:
    """Choose the next runs: those that most improve the plan for what they cost."""
    if out is not None:
        output.target(out, inputs=[source, posterior, candidates])
    planned, spent = _optional(plan_budget, "--plan-budget"), _optional(budget, "--budget")
    if target not in ("plan", "forecast", "parameters"):
        raise JscaleError(f"--target: expected plan, forecast or parameters, not {target!r}")
    if count > _MOST_RUNS:
        raise JscaleError(f"--runs: expected at most {_MOST_RUNS}, not {count}")
    if target == "forecast" and at is None:
        raise JscaleError("--target forecast: also needs --at N=7e10,D=1.4e12")
    if target != "plan":
        flags.refuse("spend_all", reason="without --target plan")
    inputs.check_one_source("the choice of runs", source, None, posterior)
    if source is None:
        reason = "with --posterior, since nothing is sampled"
        flags.refuse("include_excluded", "errors", "prior", *flags.SAMPLING, reason=reason)
    settings = inputs.Sampling(chains, warmup, draws, seed, sampler)

    with session():
        chosen = inputs.law_of(law, fix, tie)
        planning.check(chosen)
        point = None if at is None else parsing.values([at], "--at", "N=7e10,D=1.4e12")
        file = None if candidates is None else batches.from_file(chosen, candidates)
        sampling = (source, include_excluded, errors, prior)
        sampled, notes = _posterior(chosen, posterior, sampling, settings, as_json)
        goal = batches.Goal(target, planned, spent, point, count, not spend_all, seed)
        with working("choosing runs …", as_json):
            payload = batches.choice(chosen, sampled, goal, file)
        payload["notes"] = output.notes((*notes, *payload["notes"]))
        payload["loss_unit"] = sampled.loss_unit
        unit = output.value_unit(chosen, sampled.loss_unit)

    output.deliver(payload, as_json, out)
    if not as_json:
        _show(payload, unit)


def _optional(text: str | None, flag: str) -> float | None:
    return None if text is None else parsing.above_zero(text, flag, "1e21")


def _posterior(
    law: "LawFunction",
    file: str | None,
    sampling: tuple[str | None, bool, str | None, list[str] | None],
    settings: inputs.Sampling,
    as_json: bool,
) -> "tuple[Posterior, tuple[Note, ...]]":
    """The draws of a file, or of a table, and notes on them."""
    from jscale import fit

    if file is not None:
        sampled = fit.load(file, law)
        return sampled, sampled.notes
    source, include_excluded, errors, priors = sampling
    assert source is not None
    table = inputs.table_of(source, include_excluded)
    sampled = inputs.posterior_of(law, table, settings, as_json, errors=errors, priors=priors)
    return sampled, (*table.notes, *sampled.notes)


def _show(payload: Mapping[str, Any], unit: str) -> None:
    """Print the decision, the runs, and the designs side by side."""
    from jscale.report.notation import human, number, plural, power_of_ten, significant

    rows, goal = payload["runs"], f"the plan for {power_of_ten(payload['plan_budget'])} FLOP"
    if rows:
        summary = payload["designs"][payload["target"]]
        fall = f"{number(summary['regret_before'], 2)} to {number(summary['regret_after'], 2)}"
        output.show(
            f"do {plural(len(rows), 'run')} for {power_of_ten(summary['cost'])} FLOP: the expected "
            f"regret of {goal} falls from {fall} {unit}"
        )
    else:
        output.show(f"do no run for {goal}: {_STOPS[payload['stop']]}")
    output.show(f"{payload['law']}: {plural(payload['candidates'], 'candidate')}")
    if rows:
        others = [name for name in rows[0] if name in ("P", "P_w", "P_a", "P_kv", "P_post", "U")]
        cells = [
            (
                *(human(row[name]) for name in ("N", "D", *others) if name in row),
                power_of_ten(row["cost"]),
                number(row["regret_after"], 2),
                power_of_ten(row["saved"], 2) if row["saved"] > 0 else "0",
                significant(row["information"], 2),
            )
            for row in rows
        ]
        named = [name for name in ("N", "D", *others) if name in rows[0]]
        headers = (*named, "cost (FLOP)", "regret left", "saves (FLOP)", "information")
        output.show(output.table(headers, cells, right="r" * len(headers), narrow=True))
        output.show(f"then stop: {_STOPS[payload['stop']]}")
    _show_designs(payload, unit)
    output.show_notes(payload["notes"], least="warning")


def _show_designs(payload: Mapping[str, Any], unit: str) -> None:
    """Print what the batches by each target cost and leave."""
    from jscale.report.notation import number, power_of_ten

    names = {"plan": "regret", "forecast": "forecast", "parameters": "D-optimal"}
    cells = [
        (
            names[target],
            str(each["runs"]),
            power_of_ten(each["cost"]) if each["runs"] else "0",
            number(each["regret_after"], 2),
            general(each["information"], 3),
        )
        for target, each in payload["designs"].items()
    ]
    headers = ("design", "runs", "cost (FLOP)", "regret left", "information (nats)")
    title = f"regret without them {number(_before(payload), 2)} {unit}"
    output.show(output.table(headers, cells, title=title, right="lrrrr", narrow=True))


def _before(payload: Mapping[str, Any]) -> float:
    return payload["designs"][payload["target"]]["regret_before"]
