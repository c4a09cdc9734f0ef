"""``jscale plan``: the model to train on a budget, with bands."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from jscale._core.errors import JscaleError
from jscale.cli import _inputs, _options, _output, _parse, _plans
from jscale.cli._session import session, working

if TYPE_CHECKING:
    from jscale._core.notes import Note
    from jscale.fit import Posterior
    from jscale.laws import LawFunction
    from jscale.runs import Runs


def plan(
    source: _options.SOME_RUNS = None,
    *,
    law: _options.LAW = "chinchilla",
    budget: _options.BUDGET = None,
    params: _options.PARAMS = None,
    posterior: _options.POSTERIOR = None,
    bits: _options.BITS = "free",
    size: _options.SIZE = None,
    post_bits: _options.POST_BITS = None,
    fix: _options.FIX = None,
    tie: _options.TIE = None,
    include_excluded: _options.INCLUDE_EXCLUDED = False,
    chains: _options.CHAINS = 4,
    warmup: _options.WARMUP = 1000,
    draws: _options.DRAWS = 1000,
    as_json: _options.AS_JSON = False,
    seed: _options.SEED = 0,
    out: _options.OUT_JSON = None,
) -> None:
    """Plan training: parameters, tokens and bits for each budget, with 90% bands."""
    if out is not None:
        _output.target(out)
    budgets = budgets_of(budget)
    post = [_parse.above_zero(text, "--post-bits", "4") for text in _parse.many(post_bits)]
    width = None if bits == "free" else _parse.above_zero(bits, "--bits", "8, or 'free'")
    count = None if size is None else _parse.above_zero(size, "--N", "7e9")
    if not budgets and not (post and count):
        raise JscaleError("nothing to plan: give --budget FLOP, or --N with --post-bits")
    _one_source(source, params, posterior)
    settings = _inputs.Sampling(chains, warmup, draws, seed)
    with session():
        chosen = _inputs.law_of(law, fix, tie)
        _plans.check(chosen, width, post)
        if params is not None:
            values: dict[str, Any] = _inputs.params_of(chosen, params)
            payload: dict[str, Any] = {"draws": 1, "params": values, "notes": []}
        elif posterior is not None:
            values, payload = _loaded(chosen, posterior)
        else:
            assert source is not None
            table = _inputs.table_of(source, include_excluded, out=out)
            values, payload = _sampled(chosen, table, settings, as_json)
        payload = {"law": _name(chosen), **payload}
        wanted = _plans.Wanted(chosen, values, width, count, post)
        with working("planning …", as_json):
            payload["plans"] = [_plans.at_budget(wanted, flop) for flop in budgets]
            if not budgets:
                payload["critical"] = [_plans.at_size(wanted)]
    _output.deliver(payload, as_json, out)
    if not as_json:
        _show(payload)


def budgets_of(texts: list[str] | None) -> list[float]:
    """Budgets in FLOP, in the order given.

    Raises:
        JscaleError: one is no number above 0.
    """
    return [_parse.above_zero(text, "--budget", "1e21") for text in _parse.many(texts)]


def _one_source(source: str | None, params: str | None, posterior: str | None) -> None:
    given = {"RUNS": source, "--params": params, "--posterior": posterior}
    named = [name for name, value in given.items() if value is not None]
    if len(named) != 1:
        what = f"not {' and '.join(named)}" if named else "none was given"
        sources = "RUNS, --params SOURCE (see 'jscale laws NAME') and --posterior FILE"
        raise JscaleError(f"a plan needs one of {sources}; {what}")


def _name(law: "LawFunction") -> str:
    from jscale.laws import describe

    return describe(law).name


def _loaded(law: "LawFunction", file: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Draws from a file, and what to say of them."""
    from jscale import fit

    posterior = fit.load(file, law)
    return dict(posterior.draws), _told(posterior, posterior.notes)


def _sampled(
    law: "LawFunction", table: "Runs", settings: _inputs.Sampling, as_json: bool
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Draws made for a table, and what to say of them."""
    posterior = _inputs.posterior_of(law, table, settings, as_json)
    return dict(posterior.draws), _told(posterior, (*table.notes, *posterior.notes))


def _told(posterior: "Posterior", notes: "Iterable[Note]") -> dict[str, Any]:
    return {
        "draws": len(next(iter(posterior.draws.values()))),
        "posterior": {"status": str(posterior.status), "divergences": posterior.divergences},
        "notes": _output.notes(notes),
    }


def _show(payload: dict[str, Any]) -> None:
    """Plans for people."""
    from jscale.report.notation import plural

    source = (
        "one set of parameters"
        if payload["draws"] == 1
        else f"{plural(payload['draws'], 'draw')}, 90% bands"
    )
    _output.show(f"{payload['law']}: {source}")
    show_plans(payload["plans"], payload.get("critical", ()))
    _output.show_notes(payload["notes"], least="warning")


def show_plans(plans: Sequence[dict[str, Any]], sizes: Sequence[dict[str, Any]] = ()) -> None:
    """A table of plans, and one of critical tokens where there are any."""
    from jscale.report.notation import fixed, human, power_of_ten, significant

    names = {
        "N_opt": "parameters N",
        "D_opt": "tokens D",
        "P_opt": "bits P",
        "D_over_N": "D/N",
        "loss": "loss",
    }
    style = {
        "N_opt": human,
        "D_opt": human,
        "P_opt": partial(fixed, places=2),
        "loss": partial(fixed, places=4),
    }
    shown = [name for name in names if plans and name in plans[0]]
    rows = [
        (
            power_of_ten(p["C"]),
            *(_cell(p[name], style.get(name, significant)) for name in shown),
            _verdict(p),
        )
        for p in plans
    ]
    if rows:
        headers = ("budget (FLOP)", *(names[name] for name in shown), "")
        _output.show(_output.table(headers, rows, right="r" * (1 + len(shown))))
    critical = [(power_of_ten(p["C"]) + " FLOP", p["D_crit"]) for p in plans if "D_crit" in p]
    critical += [(human(size["N"]) + " parameters", size["D_crit"]) for size in sizes]
    rows = [
        (where, bits, _cell(band, human), _verdict(band, "more tokens never hurt"))
        for where, by_bits in critical
        for bits, band in by_bits.items()
    ]
    if rows:
        title = "more tokens than these make the quantised model worse"
        _output.show(
            _output.table(
                ("model", "bits after training", "tokens", ""), rows, title=title, right="lrr"
            )
        )


def _cell(band: dict[str, Any], write: Callable[[float], str]) -> str:
    """A band as ``median [low, high]``, or as one number where there is no width."""
    low, middle, high = (write(band[name]) for name in ("q05", "q50", "q95"))
    return middle if low == high else f"{middle} [{low}, {high}]"


def _verdict(result: dict[str, Any], no_optimum: str = "no interior optimum") -> str:
    if result["converged"] == 1:
        return ""
    if result["converged"] > 0:
        return f"{result['converged']:.1%} of the draws have one"
    return (
        no_optimum
        if result["status"] == "no_interior_optimum"
        else result["status"].replace("_", " ")
    )
