"""``jscale sample``: the posterior of a law's parameters."""

from typing import TYPE_CHECKING, Any

import typer

from jscale.cli import _inputs, _options, _output
from jscale.cli._session import session
from jscale.cli._verbs import CHECK_FAILED

if TYPE_CHECKING:
    from jscale.fit import Posterior
    from jscale.runs import Runs


def sample(
    source: _options.RUNS,
    *,
    law: _options.LAW = "chinchilla",
    fix: _options.FIX = None,
    tie: _options.TIE = None,
    include_excluded: _options.INCLUDE_EXCLUDED = False,
    chains: _options.CHAINS = 4,
    warmup: _options.WARMUP = 1000,
    draws: _options.DRAWS = 1000,
    require_converged: _options.MIXED = False,
    as_json: _options.AS_JSON = False,
    seed: _options.SEED = 0,
    out: _options.OUT_DRAWS = None,
) -> None:
    """Sample the posterior of a law: how sure the runs make us."""
    if out is not None:
        _output.target(out)
    with session():
        table = _inputs.table_of(source, include_excluded, out=out)
        chosen = _inputs.law_of(law, fix, tie)
        settings = _inputs.Sampling(chains, warmup, draws, seed)
        posterior = _inputs.posterior_of(chosen, table, settings, as_json)
        if out is not None:
            with _output.writing(out) as temporary:
                posterior.save(temporary)
    payload = summary(posterior, table)
    _output.deliver(payload, as_json, None)
    if not as_json:
        show(posterior, table)
        _output.show_notes(payload["notes"])
    if require_converged and str(posterior.status) != "converged":
        raise typer.Exit(CHECK_FAILED)


def summary(posterior: "Posterior", table: "Runs") -> dict[str, Any]:
    """A posterior as a JSON object."""
    columns = ("mean", "sd", "q05", "q50", "q95", "ess_bulk", "rhat")
    return {
        "law": posterior.law_name,
        "status": str(posterior.status),
        "params": {name: {c: row[c] for c in columns} for name, row in posterior.summary.items()},
        "divergences": posterior.divergences,
        "seconds": posterior.seconds,
        "chains": posterior.chains,
        "draws": len(next(iter(posterior.draws.values()))),
        "table": {"name": table.name, "digest": table.digest},
        "notes": _output.notes((*table.notes, *posterior.notes)),
    }


def show(posterior: "Posterior", table: "Runs") -> None:
    """A posterior for people."""
    count = len(next(iter(posterior.draws.values())))
    _output.show(
        f"{posterior.law_name} on {table.name}: {count:,} draws from {posterior.chains} chains "
        f"in {posterior.seconds:.1f} s, {posterior.divergences} divergences, {posterior.status}"
    )
    columns = ("mean", "sd", "q05", "q50", "q95")
    rows = [
        (
            name,
            *(_output.figures(row[c], 4) for c in columns),
            f"{row['ess_bulk']:,.0f}",
            f"{row['rhat']:.3f}",
        )
        for name, row in posterior.summary.items()
    ]
    headers = ("parameter", "mean", "sd", "5%", "median", "95%", "ESS", "R-hat")
    _output.show(_output.table(headers, rows, right="lrrrrrrr"))
