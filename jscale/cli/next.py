"""``jscale next``: the runs that most improve a plan, a forecast or the parameters."""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jscale._core.errors import JscaleError
from jscale._core.text import general
from jscale.cli.decisions import answers
from jscale.cli.plan import RUNS
from jscale.cli.support import flags, inputs, options, output, parsing, planning
from jscale.cli.support.session import session, working

if TYPE_CHECKING:
    from jscale._core.notes import Note
    from jscale.fit import Posterior
    from jscale.laws import LawFunction

_SIZES, _LENGTHS = 12, 16
"""Sizes and numbers of tokens of the default candidates."""
_BEYOND = 10.0
"""Factor by which the candidates' sizes and tokens may exceed those of the runs; none is smaller:
a law is fitted to runs above some size, and cheap runs below it would be chosen first."""
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
    amounts = {
        "plan_budget": _optional(plan_budget, "--plan-budget"),
        "budget": _optional(budget, "--budget"),
    }
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
        file = None if candidates is None else _from_file(chosen, candidates)
        given = (source, include_excluded, errors, prior)
        sampled, notes = _posterior(chosen, posterior, given, settings, as_json)
        asked: dict[str, Any] = {"target": target, "forecast": point, "most": count}
        asked["stop_at_saving"] = not spend_all
        with working("choosing runs …", as_json):
            payload = _choice(chosen, sampled, amounts, file, asked)
        payload["notes"] = output.notes((*notes, *payload["notes"]))

    output.deliver(payload, as_json, out)
    if not as_json:
        _show(payload)


def _optional(text: str | None, flag: str) -> float | None:
    return None if text is None else parsing.above_zero(text, flag, "1e21")


def _posterior(
    law: "LawFunction",
    file: str | None,
    given: tuple[str | None, bool, str | None, list[str] | None],
    settings: inputs.Sampling,
    as_json: bool,
) -> "tuple[Posterior, tuple[Note, ...]]":
    """The draws of a file, or of a table, and notes on them."""
    from jscale import fit

    if file is not None:
        sampled = fit.load(file, law)
        return sampled, sampled.notes
    source, include_excluded, errors, priors = given
    assert source is not None
    table = inputs.table_of(source, include_excluded)
    sampled = inputs.posterior_of(law, table, settings, as_json, errors=errors, priors=priors)
    return sampled, (*table.notes, *sampled.notes)


def _from_file(law: "LawFunction", file: str) -> tuple[dict[str, Any], Any]:
    """The candidates of a file, and their costs where it has them.

    Raises:
        JscaleError: it is no table of the law's inputs.
    """
    from jscale import runs

    try:
        table = runs.read(file, losses=False)
        columns = dict(runs.inputs(table, law))
    except JscaleError as error:
        raise JscaleError(f"--candidates {error}") from None
    return columns, table["cost"][table.kept] if "cost" in table else None


def _grid(law: "LawFunction", ranges: Mapping[str, Any], most: float) -> dict[str, Any]:
    """A grid of sizes and tokens about the runs, and of bits where they are charged.

    Raises:
        JscaleError: the draws do not know the ranges of their runs.
    """
    import numpy as np

    from jscale import plan

    if not {"N", "D"} <= set(ranges):
        raise JscaleError("--candidates: these draws do not know their runs; give the candidates")
    ends = {name: (ranges[name][0], ranges[name][1] * _BEYOND) for name in ("N", "D")}
    sizes = np.geomspace(*ends["N"], _SIZES)
    lengths = np.geomspace(*ends["D"], _LENGTHS)
    if planning.charges_bits(law):
        scaled = plan.costs.precision_scaled_flops
        return plan.run_grid(sizes, lengths, np.array([4.0, 8.0, 16.0]), most=most, cost=scaled)
    return plan.run_grid(sizes, lengths, most=most)


def _choice(
    law: "LawFunction",
    sampled: "Posterior",
    amounts: Mapping[str, float | None],
    file: tuple[dict[str, Any], Any] | None,
    asked: Mapping[str, Any],
) -> dict[str, Any]:
    """The runs by the target, and beside them the D-optimal ones."""
    import numpy as np

    from jscale import plan

    draws, lost = answers.finite_draws(sampled.draws)
    largest = sampled.ranges["C"][1] if "C" in sampled.ranges else math.nan
    budget = amounts["budget"] or largest
    plan_budget = amounts["plan_budget"] or 10 * largest
    if not math.isfinite(budget + plan_budget):
        raise JscaleError("the runs have no compute: give --budget and --plan-budget")
    candidates, costs = file or (_grid(law, sampled.ranges, budget), None)
    sigmas = [np.median(v) for name, v in sampled.noise.items() if name.startswith("sigma")]
    noise = float(np.median(sigmas)) if sigmas else math.nan
    if not noise > 0:
        raise JscaleError("the error model has no sigma: the noise of a run is not known")

    settings = {"noise": noise, "budget": budget, "plan_budget": plan_budget, "cost": costs}
    settings |= {name: asked[name] for name in ("forecast", "most", "stop_at_saving")}
    if planning.charges_bits(law):
        settings["free"] = ("N", "D", "P")
    found = {}
    for target in dict.fromkeys((asked["target"], "parameters")):
        found[target] = plan.next_runs(law, draws, candidates, target=target, **settings)
    main = found[asked["target"]]
    return {
        "law": sampled.law_name,
        "target": asked["target"],
        "plan_budget": plan_budget,
        "budget": budget,
        "candidates": len(next(iter(candidates.values()))),
        "noise": noise,
        "runs": _rows(main),
        "stop": main.stop,
        "designs": {target: _summary(each) for target, each in found.items()},
        "lost": main.lost,
        "notes": list(lost),
    }


def _rows(found: Any) -> list[dict[str, Any]]:
    """The runs of a batch in their order."""
    return [
        {
            **{name: float(values[i]) for name, values in found.inputs.items()},
            "cost": float(found.cost[i]),
            "regret_before": float(found.regret[i]),
            "regret_after": float(found.regret[i + 1]),
            "saved": float(found.saved[i]),
            "information": float(found.information[i + 1] - found.information[i]),
            "forecast_sd_after": float(found.forecast_sd[i + 1]),
        }
        for i in range(len(found.index))
    ]


def _summary(found: Any) -> dict[str, Any]:
    """What a batch costs and leaves."""
    return {
        "runs": len(found.index),
        "cost": float(found.cost.sum()),
        "regret_before": float(found.regret[0]),
        "regret_after": float(found.regret[-1]),
        "information": float(found.information[-1]),
        "forecast_sd_before": float(found.forecast_sd[0]),
        "forecast_sd_after": float(found.forecast_sd[-1]),
        "stop": found.stop,
    }


def _show(payload: Mapping[str, Any]) -> None:
    """Print the decision, the runs, and the designs side by side."""
    from jscale.report.notation import human, number, plural, power_of_ten, significant

    rows, goal = payload["runs"], f"the plan for {power_of_ten(payload['plan_budget'])} FLOP"
    if rows:
        summary = payload["designs"][payload["target"]]
        fall = f"{number(summary['regret_before'], 2)} to {number(summary['regret_after'], 2)}"
        output.show(
            f"do {plural(len(rows), 'run')} for {power_of_ten(summary['cost'])} FLOP: the expected "
            f"regret of {goal} falls from {fall} nats"
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
    _show_designs(payload)
    output.show_notes(payload["notes"], least="warning")


def _show_designs(payload: Mapping[str, Any]) -> None:
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
    headers = ("design", "runs", "cost (FLOP)", "regret left (nats)", "information (nats)")
    title = f"regret without them {number(_before(payload), 2)} nats"
    output.show(output.table(headers, cells, title=title, right="lrrrr", narrow=True))


def _before(payload: Mapping[str, Any]) -> float:
    return payload["designs"][payload["target"]]["regret_before"]
