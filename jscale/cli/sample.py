"""``jscale sample``: the posterior of a law's parameters."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from jscale.cli import pooling
from jscale.cli.forecasting import draws_files
from jscale.cli.process.failures import CHECK_FAILED
from jscale.cli.support import inputs, options, output
from jscale.cli.support.session import session

if TYPE_CHECKING:
    from jscale._core.notes import Note
    from jscale.fit import PooledPosterior, Posterior
    from jscale.runs import Runs

REQUIRE_CONVERGED = Annotated[
    bool,
    typer.Option(
        "--require-converged",
        help="Exit 1 unless R-hat, effective sample size and divergences are all acceptable.",
    ),
]
OUT = Annotated[
    str | None,
    options.option(
        "--out",
        help="Write the draws to FILE: netCDF for ArviZ, or a table (.csv, .json, .parquet).",
        metavar="FILE.nc",
    ),
]


def sample(
    source: options.RUNS,
    *,
    law: options.LAW = "chinchilla",
    fix: options.FIX = None,
    tie: options.TIE = None,
    errors: options.ERRORS = None,
    prior: options.PRIOR = None,
    by: pooling.POOL_BY = None,
    pool: pooling.POOL = None,
    group: pooling.POOL_GROUP = None,
    include_excluded: options.INCLUDE_EXCLUDED = False,
    chains: options.CHAINS = 4,
    warmup: options.WARMUP = 1000,
    draws: options.DRAWS = 1000,
    sampler: options.SAMPLER = "auto",
    require_converged: REQUIRE_CONVERGED = False,
    as_json: options.AS_JSON = False,
    seed: options.SEED = 0,
    out: OUT = None,
    resume: options.RESUME = None,
) -> None:
    """Sample the posterior: credible intervals for a law's parameters.

    With --by and --pool of several groups at once: parameters shared, partial or separate.
    """
    if out is not None:
        output.target(out, inputs=[source])
        draws_files.check_format(out)
    pooled = pooling.checked_options(by, pool, group)

    with output.resuming(resume, inputs=[source], outputs=[out]) as progress_file, session():
        from jscale.assess import doubts

        table = inputs.table_of(source, include_excluded)
        chosen = inputs.law_of(law, fix, tie)
        settings = inputs.Sampling(chains, warmup, draws, seed, sampler)
        status, found = None, ()
        if pooled is None:
            posterior = inputs.posterior_of(
                chosen, table, settings, as_json, progress_file, errors=errors, priors=prior
            )
            found = doubts(posterior, table)
        else:
            posterior = pooling.pooled_of(
                chosen,
                table,
                settings,
                pooled,
                as_json=as_json,
                resume=progress_file,
                errors=errors,
                priors=prior,
            )
            status = posterior.status
            posterior = posterior if group is None else posterior.group(group)
        if out is not None:
            with output.writing(out) as temporary:
                draws_files.write(posterior, out, temporary)

    payload = summary(posterior, table, found, by=by)
    output.deliver(payload, as_json, None)
    if not as_json:
        show(posterior, table)
        output.show_notes(payload["notes"])
    if require_converged and str(status or posterior.status) != "converged":
        raise typer.Exit(CHECK_FAILED)


def summary(
    posterior: "Posterior | PooledPosterior",
    table: "Runs",
    doubts: "tuple[Note, ...]" = (),
    *,
    by: str | None = None,
) -> dict[str, Any]:
    """A posterior as a JSON object.

    Args:
        posterior: the draws.
        table: the runs.
        doubts: what the residuals give reason to doubt.
        by: column of groups that were pooled.
    """
    columns = (
        *("mean", "sd", "q05", "q50", "q95"),
        *("ess_bulk", "ess_tail", "rhat", "prior_overlap"),
    )
    params = {name: {c: row.get(c) for c in columns} for name, row in posterior.summary.items()}
    modes = getattr(posterior, "modes", None)
    groups = {"by": by, "pool": modes} if modes else {}
    return {
        "law": posterior.law_name,
        **groups,
        "status": str(posterior.status),
        "params": params,
        "errors": str(posterior.errors),
        "priors": dict(posterior.priors),
        "sampler": posterior.sampler,
        "divergences": posterior.divergences,
        "seconds": posterior.seconds,
        "chains": posterior.chains,
        "draws": len(next(iter(posterior.draws.values()))),
        "table": {"name": table.name, "digest": table.digest},
        "notes": output.notes((*pooling.table_notes(table, by), *doubts, *posterior.notes)),
    }


def show(posterior: "Posterior | PooledPosterior", table: "Runs") -> None:
    """Print a posterior: medians and 90% intervals; mean and standard deviation are in the JSON."""
    count = len(next(iter(posterior.draws.values())))
    how = f"from {posterior.chains} chains in {posterior.seconds:.1f} s"
    how += f", {posterior.divergences} divergences"
    if posterior.sampler == "importance":
        how = f"by importance sampling in {posterior.seconds:.1f} s"
    output.show(f"{posterior.law_name} on {table.name}: {count:,} draws {how}, {posterior.status}")
    output.show(f"errors: {posterior.errors}")

    rows = []
    for name, row in posterior.summary.items():
        values = [output.figures(row[c], 4) for c in ("q50", "q05", "q95")]
        effective = f"{min(row['ess_bulk'], row['ess_tail']):,.0f}"
        shared = f"{row['prior_overlap']:.0%}" if "prior_overlap" in row else ""
        rows.append((name, *values, effective, f"{row['rhat']:.3f}", shared))
    headers = ("parameter", "median", "5%", "95%", "ESS", "R-hat", "prior")
    output.show(output.table(headers, rows, right="lrrrrrr", narrow=True))
    output.show("prior: its overlap with the posterior, 100% where the runs add nothing to it")
