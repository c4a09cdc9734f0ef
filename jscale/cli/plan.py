"""``jscale plan``: the model to train on a budget, with bands."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jscale._core.errors import JscaleError
from jscale._core.text import quote
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
    str,
    options.option(
        "--bits",
        "--precision",
        "--P",
        help="Training precision: 'free' to optimise it (where the law has bits), or a number.",
        metavar="free|BITS",
        show_default=True,
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
    params: options.PARAMS = None,
    posterior: options.POSTERIOR = None,
    errors: options.ERRORS = None,
    prior: options.PRIOR = None,
    bits: BITS = "free",
    size: SIZE = None,
    post_bits: options.POST_BITS = None,
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
    """Plan training: parameters, tokens and bits for each budget, with 90% bands."""
    if out is not None:
        output.target(out, inputs=[source, params, posterior])
    budgets, post, width, count = _numbers(budget, post_bits, bits, size)
    inputs.check_one_source("a plan", source, params, posterior)
    if source is None:
        reason = "with --params or --posterior, since nothing is sampled"
        flags.refuse("include_excluded", "errors", "prior", *flags.SAMPLING, reason=reason)
    settings = inputs.Sampling(chains, warmup, draws, seed, sampler)

    with session():
        from jscale import fit
        from jscale.assess import doubts

        chosen = inputs.law_of(law, fix, tie)
        planning.check(chosen, width, post)
        if not planning.has_bits(chosen):
            flags.refuse("bits", reason=f"on {_name(chosen)}, which has no training precision")
        if params is not None:
            values: dict[str, Any] = inputs.params_of(chosen, params)
            payload: dict[str, Any] = {"draws": 1, "params": values, "notes": []}
            ranges: Any = {}
        else:
            if posterior is not None:
                sampled, table_notes = fit.load(posterior, chosen), ()
            else:
                assert source is not None
                table = inputs.table_of(source, include_excluded)
                sampled = inputs.posterior_of(
                    chosen, table, settings, as_json, errors=errors, priors=prior
                )
                table_notes = (*table.notes, *doubts(sampled, table))
            values, ranges = dict(sampled.draws), sampled.ranges
            payload = _summary(sampled, (*table_notes, *sampled.notes))

        payload = {"law": _name(chosen), **payload}
        request = planning.PlanRequest(chosen, values, width, count, post, ranges)
        with working("planning …", as_json):
            payload["plans"] = [planning.at_budget(request, flop) for flop in budgets]
            payload["notes"] += output.notes(planning.notes(request, payload["plans"]))
            if not budgets:
                payload["critical"] = [planning.at_size(request)]

    output.deliver(payload, as_json, out)
    if not as_json:
        _show(payload)


def _numbers(
    budget: list[str] | None, post_bits: list[str] | None, bits: str, size: str | None
) -> tuple[list[float], list[float], float | None, float | None]:
    """Budgets, bits after training, bits of training and the size, from the texts of the options.

    Raises:
        JscaleError: one is not a number, or there is nothing to plan.
    """
    budgets = budgets_of(budget)
    post = [parsing.above_zero(text, "--post-bits", "4") for text in parsing.many(post_bits)]
    width = None if bits == "free" else parsing.above_zero(bits, "--bits", "8, or 'free'")
    count = None if size is None else parsing.above_zero(size, "--N", "7e9")
    if not budgets and not (post and count):
        raise JscaleError("nothing to plan: give --budget FLOP, or --N with --post-bits")
    return budgets, post, width, count


def budgets_of(texts: list[str] | None) -> list[float]:
    """Budgets in FLOP, in the order given.

    Raises:
        JscaleError: one is not a number, or less than one parameter and one token cost.
    """
    budgets = []
    for text in parsing.many(texts):
        budget = parsing.above_zero(text, "--budget", "1e21")
        if budget < LEAST_FLOP:
            raise JscaleError(
                f"--budget: expected at least {LEAST_FLOP:g} FLOP, which one parameter and one "
                f"token cost, not {quote(text)}"
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
        "notes": output.notes(notes),
    }


def _show(payload: dict[str, Any]) -> None:
    """Print plans."""
    from jscale.report.notation import plural

    if payload["draws"] == 1:
        source = "one set of parameters"
    else:
        source = f"{plural(payload['draws'], 'draw')}, 90% bands"
    output.show(f"{payload['law']}: {source}")
    show_plans(payload["plans"], payload.get("critical", ()))
    output.show_notes(payload["notes"], least="warning")


def show_plans(plans: Sequence[dict[str, Any]], sizes: Sequence[dict[str, Any]] = ()) -> None:
    """Print a table of plans, and one of critical tokens if there are any."""
    from jscale.report.notation import fixed, human, power_of_ten, significant

    titles = {
        "N_opt": "parameters N",
        "D_opt": "tokens D",
        "P_opt": "bits P",
        "D_over_N": "D/N",
        "loss": "loss",
    }
    formats = {
        "N_opt": human,
        "D_opt": human,
        "P_opt": partial(fixed, places=2),
        "loss": partial(fixed, places=4),
    }
    columns = [name for name in titles if plans and name in plans[0]]
    known = any(d is not None for plan in plans for d in plan["decades"].values())
    rows = []
    for plan in plans:
        cells = [_cell(plan[name], formats.get(name, significant)) for name in columns]
        rows.append((power_of_ten(plan["C"]), *cells, _distance(plan), _verdict(plan)))
    if rows:
        headers = ("budget (FLOP)", *(titles[name] for name in columns), "decades beyond", "")
        # Without runs there is no distance, and mostly no verdict.
        kept = [i for i, header in enumerate(headers) if header != "decades beyond" or known]
        cells_kept = [[row[i] for i in kept] for row in rows]
        shown = [headers[i] for i in kept]
        output.show(output.table(shown, cells_kept, right="r" * (1 + len(columns))))

    _show_critical_tokens(
        [(power_of_ten(plan["C"]) + " FLOP", plan["D_crit"]) for plan in plans if "D_crit" in plan]
        + [(human(size["N"]) + " parameters", size["D_crit"]) for size in sizes]
    )


def _show_critical_tokens(models: Sequence[tuple[str, dict[str, Any]]]) -> None:
    """Print the critical tokens of models, for each number of bits after training."""
    from jscale.report.notation import human

    rows = []
    for model, by_bits in models:
        for bits, band in by_bits.items():
            verdict = _verdict(band, "more tokens never hurt")
            rows.append((model, bits, _cell(band, human), verdict))
    if rows:
        headers = ("model", "bits after training", "tokens", "")
        title = "more tokens than these make the quantised model worse"
        output.show(output.table(headers, rows, title=title, right="lrr"))


def _cell(band: dict[str, Any], write: Callable[[float], str]) -> str:
    """A band as ``median [low, high]``, or as one number where its ends are equal."""
    low, middle, high = (write(band[name]) for name in ("q05", "q50", "q95"))
    return middle if low == high else f"{middle} [{low}, {high}]"


def _distance(plan: dict[str, Any]) -> str:
    """``N 0.4 D 0.6 C 1.0``, or ``inside``: decades beyond the runs."""
    decades = plan["decades"]
    if all(value is None for value in decades.values()):
        return ""
    beyond = [f"{name} {value:.1f}".replace("-", "−") for name, value in decades.items() if value]
    return " ".join(beyond) or "inside"


def _verdict(result: dict[str, Any], no_optimum: str = "no interior optimum") -> str:
    """Why a result is missing in some or all draws; empty where it is in none."""
    if result["converged"] == 1:
        return ""
    if result["converged"] > 0:
        return f"without {result['lost']:,} draws ({1 - result['converged']:.1%}), which have none"
    if result["status"] == "no_interior_optimum":
        return no_optimum
    return result["status"].replace("_", " ")
