"""``jscale report``: fit, posterior, plans and figures in one HTML file."""

from typing import TYPE_CHECKING, Any

from jscale.cli import _inputs, _options, _output, _parse, _plans
from jscale.cli import fit as fit_verb
from jscale.cli import sample as sample_verb
from jscale.cli._session import session, working
from jscale.cli.plan import budgets_of, show_plans

if TYPE_CHECKING:
    from jscale.laws import LawFunction
    from jscale.runs import Runs


def report(
    source: _options.RUNS,
    *,
    law: _options.LAW = "chinchilla",
    budget: _options.BUDGET = None,
    posterior: _options.POSTERIOR = None,
    post_bits: _options.POST_BITS = None,
    title: _options.TITLE = None,
    fix: _options.FIX = None,
    tie: _options.TIE = None,
    include_excluded: _options.INCLUDE_EXCLUDED = False,
    chains: _options.CHAINS = 4,
    warmup: _options.WARMUP = 1000,
    draws: _options.DRAWS = 1000,
    as_json: _options.AS_JSON = False,
    seed: _options.SEED = 0,
    out: _options.OUT_PAGE = "report.html",
) -> None:
    """Write a report on a table of runs: one HTML file with everything in it."""
    path = _output.target(out)
    budgets = budgets_of(budget)
    post = [_parse.above_zero(text, "--post-bits", "4") for text in _parse.many(post_bits)]
    with session():
        table = _inputs.table_of(source, include_excluded, out=out)
        chosen = _inputs.law_of(law, fix, tie)
        if budgets or post:
            _plans.check(chosen, post_bits=post)
        from jscale import fit
        from jscale import report as room

        with working(f"fitting {law} to {table.kept.sum():,} runs …", as_json):
            point = fit.point(chosen, table)
        if posterior is None:
            settings = _inputs.Sampling(chains, warmup, draws, seed)
            drawn = _inputs.posterior_of(chosen, table, settings, as_json)
        else:
            drawn = fit.load(posterior, chosen)
        if not budgets and plans_here(chosen, table):
            budgets = _plans.default_budgets(table["C"][table.kept])
        with working("planning …", as_json):
            wanted = _plans.Wanted(chosen, dict(drawn.draws), post_bits=post)
            plans = [_plans.at_budget(wanted, flop) for flop in budgets]
        with working("drawing …", as_json):
            asked = {"P_post": tuple(post)} if post else {}
            room.write(path, table, point, drawn, budgets=tuple(budgets), title=title, **asked)
    payload: dict[str, Any] = {
        "out": str(path),
        "bytes": path.stat().st_size,
        "law": drawn.law_name,
        "fit": fit_verb.summary(point, table),
        "posterior": sample_verb.summary(drawn, table),
        "plans": plans,
    }
    _output.deliver(payload, as_json, None)
    if not as_json:
        _output.show(
            f"{drawn.law_name} on {table.name}: {point.n_runs:,} runs; fit {point.certificate.status}, "
            f"posterior {drawn.status}"
        )
        show_plans(plans)
        _output.show_notes((*payload["fit"]["notes"], *_output.notes(drawn.notes)), least="warning")
        _output.show(f"report: {path} ({payload['bytes'] / 1e6:.1f} MB)")


def plans_here(law: "LawFunction", table: "Runs") -> bool:
    """Whether the law divides a budget between size and data, and the runs tell how much compute
    they took.
    """
    from jscale.laws import describe

    return {"N", "D"} <= set(describe(law).input_names) and "C" in table
