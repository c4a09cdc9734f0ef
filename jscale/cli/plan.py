"""``jscale plan``: the model to train on a budget, with bands."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from jscale._core.errors import JscaleError
from jscale._core.text import quote
from jscale.cli.decisions import answers, averaged, hardware, question, tables, text
from jscale.cli.decisions import options as plan_options
from jscale.cli.forecasting import ensembles
from jscale.cli.support import flags, inputs, options, output, parsing, planning
from jscale.cli.support.session import session, working

if TYPE_CHECKING:
    from jscale._core.notes import Note
    from jscale.fit import Posterior
    from jscale.laws import LawFunction

LEAST_FLOP = 6.0
"""Compute of one parameter and one token, by C = 6 N D."""

RUNS = Annotated[
    str | None,
    typer.Argument(
        help="A table of runs, or a data set by name.", metavar="RUNS", show_default=False
    ),
]
BITS = Annotated[
    list[str] | None,
    options.option(
        "--bits",
        "--precision",
        "--P",
        help="Training precision: 'free' to optimise it (where the law has bits), a number, or "
        "formats to choose from: 4,8,16.  [default: free]",
        metavar="free|BITS",
    ),
]
SIZE = Annotated[
    str | None,
    options.option(
        "--N",
        help="Fix the model size; with --post-bits, no budget is needed.",
        metavar="PARAMETERS",
    ),
]


def plan(
    source: RUNS = None,
    *,
    law: options.LAW = "chinchilla",
    budget: options.BUDGET = None,
    target_loss: plan_options.TARGET_LOSS = None,
    cost: plan_options.COST = "flop",
    price_per_hour: plan_options.PRICE = None,
    devices: plan_options.DEVICES = None,
    mfu: plan_options.MFU = None,
    peak: plan_options.PEAK = None,
    speeds: plan_options.SPEEDS = None,
    serve_tokens: plan_options.SERVE_TOKENS = None,
    latency: plan_options.LATENCY = None,
    bandwidth: plan_options.BANDWIDTH = None,
    memory: plan_options.MEMORY = None,
    qat_bits: plan_options.QAT_BITS = None,
    unique_tokens: plan_options.UNIQUE_TOKENS = None,
    params: options.PARAMS = None,
    posterior: options.POSTERIOR = None,
    errors: options.ERRORS = None,
    prior: options.PRIOR = None,
    bits: BITS = None,
    size: SIZE = None,
    post_bits: options.POST_BITS = None,
    free: plan_options.FREE = None,
    bound: plan_options.BOUND = None,
    risk: plan_options.RISK = None,
    level: plan_options.LEVEL = None,
    substitute: plan_options.SUBSTITUTE = False,
    ensemble: plan_options.ENSEMBLE = False,
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
    """Plan training: parameters, tokens and bits for each budget or target, with 90% bands."""
    if out is not None:
        output.target(out, inputs=[source, params, posterior])
    devices_of = hardware.hardware_of(price_per_hour, devices, mfu, peak)
    hardware.check_unit(cost, devices_of)
    formats = question.formats_of(bits)
    budgets, post, count = _numbers(budget, post_bits, size, cost)
    problem = question.Question(
        budgets=budgets,
        targets=[
            parsing.above_zero(word, "--target-loss", "2.1") for word in parsing.many(target_loss)
        ],
        cost=cost,
        hardware=devices_of,
        formats=formats if len(formats) > 1 else (),
        speeds=question.speeds_of(speeds),
        served=question.optional(serve_tokens, "--serve-tokens", "1e13"),
        latency=question.optional(latency, "--latency", "0.02"),
        bandwidth=question.optional_bytes(bandwidth, "--bandwidth", "3.35TB"),
        memory=question.optional_bytes(memory, "--memory", "80GB"),
        post_bits=post,
        qat_bits=question.optional(qat_bits, "--qat-bits", "4"),
        free=parsing.many(free),
        bounds=question.bounds_of(bound),
        risk=risk,
        level=level,
        substitute=substitute,
    )
    inputs.check_one_source("a plan", source, params, posterior)
    if ensemble:
        averaged.refuse()
    _check_goals(problem, post, count)
    unique = question.optional(unique_tokens, "--unique-tokens", "1e12")
    if source is None:
        reason = "with --params or --posterior, since nothing is sampled"
        flags.refuse("include_excluded", "errors", "prior", *flags.SAMPLING, reason=reason)
    settings = inputs.Sampling(chains, warmup, draws, seed, sampler)
    origin = _Source(source, params, posterior, include_excluded, errors, prior)

    with session():
        if ensemble:
            payload, unit = _by_ensemble(problem, unique, origin, settings, as_json)
        else:
            design = _Design(law, fix, tie, formats, count, unique)
            payload, unit = _by_law(problem, design, origin, settings, as_json)

    for each in payload["plans"]:
        words = text.Words(cost, problem.served is not None, unit)
        each["decision"]["sentence"] = text.sentence(each, words)
    output.deliver(payload, as_json, out)
    if not as_json:
        _show(payload, unit)


class _Source(NamedTuple):
    """Where the parameters come from: one of the first three is given."""

    table: str | None
    params: str | None
    posterior: str | None
    include_excluded: bool
    errors: str | None
    priors: list[str] | None


class _Design(NamedTuple):
    """The law as text, bits of training to choose from, a given size, and unique tokens."""

    law: str
    fix: list[str] | None
    tie: list[str] | None
    formats: list[float]
    size: float | None
    unique: float | None


def _by_law(
    problem: question.Question,
    design: _Design,
    origin: _Source,
    settings: inputs.Sampling,
    as_json: bool,
) -> tuple[dict[str, Any], str]:
    """The plans of one law as a JSON object, and the unit of their losses.

    Raises:
        JscaleError: options that do not go with the law.
    """
    chosen, formats = inputs.law_of(design.law, design.fix, design.tie), design.formats
    others = _others(chosen, design.unique)
    post = problem.post_bits
    chosen_inputs = (*others, *problem.free, *problem.bounds)
    planning.check(chosen, formats[0] if formats else None, post, chosen_inputs)
    question.check(problem, chosen, 1 if origin.params is not None else None)
    if not planning.has_bits(chosen):
        flags.refuse("bits", reason=f"on {_name(chosen)}, which has no training precision")

    values, ranges, payload = _parameters(chosen, origin, settings, as_json)
    payload = {"law": _name(chosen), **payload}
    width = formats[0] if len(formats) == 1 else None
    request = planning.PlanRequest(chosen, values, width, design.size, post, ranges, inputs=others)
    with working("planning …", as_json):
        payload["plans"] = answers.answers(request, problem)
        payload["notes"] += output.notes(planning.notes(request, payload["plans"]))
        payload["notes"] += output.notes(answers.notes(problem))
        if not problem.budgets and post and design.size:
            payload["critical"] = [planning.at_size(request)]
    return payload, output.value_unit(chosen, payload["loss_unit"])


def _by_ensemble(
    problem: question.Question,
    unique: float | None,
    origin: _Source,
    settings: inputs.Sampling,
    as_json: bool,
) -> tuple[dict[str, Any], str]:
    """The plans of several laws together as a JSON object, and the unit of their losses.

    Raises:
        JscaleError: no two laws suit the runs.
    """
    assert origin.table is not None
    table = inputs.table_of(origin.table, origin.include_excluded)
    given = {} if unique is None else {"U": unique}
    laws = averaged.laws_of(table, origin.errors, given, problem)
    several = averaged.ensemble_of(laws, table, origin.errors, settings, as_json)
    with working("planning …", as_json):
        plans = averaged.plans_of(several, problem, given)
        notes = [*table.notes, *averaged.notes(several, plans), *answers.notes(problem)]
    payload = {
        "law": averaged.name_of(several),
        "draws": averaged.draws_of(several),
        "loss_unit": table.loss_unit,
        "ensemble": ensembles.summary(several),
        "plans": plans,
        "notes": output.notes(notes),
    }
    return payload, output.value_unit(laws[0], table.loss_unit)


def _parameters(
    law: "LawFunction", source: _Source, settings: inputs.Sampling, as_json: bool
) -> tuple[dict[str, Any], Any, dict[str, Any]]:
    """Parameters or draws, the ranges of the runs, and what the result says of both."""
    from jscale import fit
    from jscale.assess import doubts

    if source.params is not None:
        values: dict[str, Any] = inputs.params_of(law, source.params)
        return values, {}, {"draws": 1, "params": values, "loss_unit": None, "notes": []}
    table_notes: Iterable[Note] = ()
    if source.posterior is not None:
        sampled = fit.load(source.posterior, law)
    else:
        assert source.table is not None
        table = inputs.table_of(source.table, source.include_excluded)
        sampled = inputs.posterior_of(
            law, table, settings, as_json, errors=source.errors, priors=source.priors
        )
        table_notes = (*table.notes, *doubts(sampled, table))
    values, lost_notes = answers.finite_draws(sampled.draws)
    notes = (*table_notes, *sampled.notes, *lost_notes)
    return values, sampled.ranges, _summary(sampled, notes)


def _numbers(
    budget: list[str] | None, post_bits: list[str] | None, size: str | None, cost: str
) -> tuple[list[float], list[float], float | None]:
    """Budgets, bits after training and the size, from the texts of the options.

    Raises:
        JscaleError: one is not a number.
    """
    if cost == "flop":
        budgets = budgets_of(budget)
    else:
        budgets = [parsing.above_zero(text, "--budget", "1e6") for text in parsing.many(budget)]
    post = [parsing.above_zero(text, "--post-bits", "4") for text in parsing.many(post_bits)]
    count = None if size is None else parsing.above_zero(size, "--N", "7e9")
    return budgets, post, count


def _check_goals(problem: question.Question, post: Sequence[float], count: float | None) -> None:
    """Check that there is something to plan, and that costs are used.

    Raises:
        JscaleError: there is no goal, or an option has no effect.
    """
    if not (problem.budgets or problem.targets) and not (post and count):
        raise JscaleError("nothing to plan: give --budget FLOP, or --N with --post-bits")
    if not problem.budgets:
        flags.refuse("cost", reason="without --budget")
    if problem.latency is None:
        flags.refuse("bandwidth", reason="without --latency")


def _others(law: "LawFunction", unique: float | None) -> dict[str, float]:
    """Other inputs of the law at given values.

    Raises:
        JscaleError: the law has no unique tokens.
    """
    from jscale.laws import describe

    if unique is None:
        return {}
    if "U" not in describe(law).input_names:
        raise JscaleError(
            f"--unique-tokens: law {_name(law)!r} has no unique tokens U; a law of repeated data "
            "such as data_constrained has"
        )
    return {"U": unique}


def budgets_of(texts: list[str] | None) -> list[float]:
    """Budgets in FLOP, in the order given.

    Raises:
        JscaleError: one is not a number, or less than one parameter and one token cost.
    """
    budgets = []
    for word in parsing.many(texts):
        budget = parsing.above_zero(word, "--budget", "1e21")
        if budget < LEAST_FLOP:
            raise JscaleError(
                f"--budget: expected at least {LEAST_FLOP:g} FLOP, which one parameter and one "
                f"token cost, not {quote(word)}"
            )
        budgets.append(budget)
    return budgets


def _name(law: "LawFunction") -> str:
    from jscale.laws import describe

    return describe(law).name


def _summary(posterior: "Posterior", notes: "Iterable[Note]") -> dict[str, Any]:
    return {
        "draws": len(next(iter(posterior.draws.values()))),
        "posterior": {"status": str(posterior.status), "divergences": posterior.divergences},
        "loss_unit": posterior.loss_unit,
        "notes": output.notes(notes),
    }


def _show(payload: dict[str, Any], unit: str) -> None:
    """Print plans, whose losses have a unit."""
    from jscale.report.notation import plural

    if payload["draws"] == 1:
        source = "one set of parameters"
    else:
        source = f"{plural(payload['draws'], 'draw')}, 90% bands"
    for each in payload["plans"]:
        output.show(each["decision"]["sentence"])
    losses = "" if unit == "1" else f"; losses in {unit}"
    output.show(f"{payload['law']}: {source}{losses}")
    tables.show_plans(payload["plans"], payload.get("critical", ()))
    if "ensemble" in payload:
        averaged.show(payload)
    text.show_details(payload["plans"])
    output.show_notes(payload["notes"], least="warning")
