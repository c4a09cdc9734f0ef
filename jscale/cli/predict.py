"""``jscale predict``: the loss of new runs, with bands and where these come from."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from jscale._core.errors import JscaleError
from jscale._core.text import quoted_path
from jscale.cli.forecasting import ensembles, forecasts, points, text
from jscale.cli.support import flags, inputs, options, output, parsing
from jscale.cli.support.session import session, working

if TYPE_CHECKING:
    from jscale._core.notes import Note
    from jscale.fit import Posterior
    from jscale.laws import LawFunction
    from jscale.runs import Runs

RUNS = Annotated[
    str | None,
    typer.Argument(
        help="A table of runs, or a data set by name.", metavar="RUNS", show_default=False
    ),
]
AT = Annotated[
    list[str] | None,
    options.option(
        "--at",
        help="One new run: N=70B,D=1.4T, and columns of the error model; can be repeated.",
        metavar="NAME=VALUE",
    ),
]
FROM = Annotated[
    str | None,
    options.option(
        "--from", help="A table of new runs: their inputs, without losses.", metavar="FILE"
    ),
]
LEVEL = Annotated[
    float,
    typer.Option("--level", help="Probability inside the bands of the text.", metavar="NUMBER"),
]

LAWS = Annotated[
    list[str] | None,
    options.option(
        "--law",
        help="A law; can be repeated. Several, or none: weighted by forecasts of held-out runs.",
        metavar="NAME",
    ),
]
NO_CORRECTION = Annotated[
    bool,
    typer.Option(
        "--no-correction",
        help="Do not widen or narrow the bands by forecasts of held-out runs.",
    ),
]


def predict(
    source: RUNS = None,
    *,
    law: LAWS = None,
    at: AT = None,
    from_file: FROM = None,
    params: options.PARAMS = None,
    posterior: options.POSTERIOR = None,
    errors: options.ERRORS = None,
    prior: options.PRIOR = None,
    level: LEVEL = 0.8,
    no_correction: NO_CORRECTION = False,
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
    resume: options.RESUME = None,
) -> None:
    """Forecast new runs: their loss with bands, and how far from the runs they are."""
    files = [source, params, posterior, from_file]
    if out is not None:
        output.target(out, inputs=files)
    choice = forecasts.LawChoice(parsing.many(law), fix, tie)
    _refuse(choice, source, params, posterior)

    with output.resuming(resume, inputs=files, outputs=[out]) as progress_file:
        with session():
            from jscale._core.checks import check_level

            check_level(level)
            if params is not None:
                chosen = choice.law()
                wanted = points.points_of(chosen, at, from_file)
                payload, known, unit = _from_params(chosen, params, wanted), (), None
            elif posterior is not None:
                sampled = _loaded(posterior, choice)
                chosen = sampled.law
                others = points.error_columns(sampled.errors)
                wanted = points.points_of(chosen, at, from_file, others)
                with working("predicting …", as_json):
                    source_of = forecasts.of_file(sampled, not no_correction, seed, as_json)
                    payload = _forecast(chosen, source_of, wanted, level, seed)
                known, unit = _doubts_of_file(sampled), sampled.loss_unit
            else:
                assert source is not None
                table = inputs.table_of(source, include_excluded)
                settings = inputs.Sampling(chains, warmup, draws, seed, sampler)
                model = forecasts.Model(settings, errors, prior, correct=not no_correction)
                chosen = forecasts.law_of_points(choice, table, errors)
                # The points first: a mistake in them must not wait for the sampler.
                wanted = points.points_of(chosen, at, from_file, points.error_columns(errors))
                forecaster = forecasts.forecaster(choice, table, model, as_json, progress_file)
                with working("predicting …", as_json):
                    payload = _forecast(chosen, forecaster, wanted, level, seed)
                known, unit = (*table.notes, *_doubts(forecaster, table)), table.loss_unit
            notes = [*output.notes(known), *payload["notes"]]
            payload |= {"loss_unit": unit, "notes": notes}
        output.deliver(payload, as_json, out)

    if not as_json:
        origin = source if posterior is None else quoted_path(posterior)
        text.show(
            payload,
            origin,
            level,
            text.Words(_unit(chosen, unit), not no_correction),
        )


def _refuse(
    choice: "forecasts.LawChoice", source: str | None, params: str | None, posterior: str | None
) -> None:
    """Refuse options that have no effect on a forecast from this source.

    Raises:
        JscaleError: one of them is given, or not one source.
    """
    inputs.check_one_source("a forecast", source, params, posterior)
    if source is None:
        sampler = ("errors", "prior", "include_excluded", "chains", "warmup", "draws", "sampler")
        reason = "with --params or --posterior, since nothing is sampled"
        flags.refuse(*sampler, "resume", reason=reason)
        if params is not None:
            reason = "with --params, which has no band"
            flags.refuse("level", "seed", "no_correction", reason=reason)
    elif choice.is_ensemble:
        flags.refuse("fix", "tie", reason="with several laws; name one --law")
        reason = "with several laws, which are fitted by importance sampling; name one --law"
        if not choice.is_given:
            reason = (
                "since no --law was given, so that several laws are fitted by importance sampling"
            )
        flags.refuse("prior", "chains", "warmup", "sampler", reason=reason)


def _doubts(forecaster: Any, table: "Runs") -> "tuple[Note, ...]":
    """What the residuals of one law give reason to doubt; of several, their weights speak."""
    from jscale.assess import CorrectedPosterior, doubts
    from jscale.fit import Posterior

    if isinstance(forecaster, CorrectedPosterior):
        forecaster = forecaster.posterior
    return doubts(forecaster, table) if isinstance(forecaster, Posterior) else ()


def _doubts_of_file(posterior: "Posterior") -> "tuple[Note, ...]":
    """The doubts about a posterior from a file, by the runs that it holds."""
    from dataclasses import replace

    from jscale.assess import doubts
    from jscale.assess.ensembles import runs_of

    if posterior.rows is None:
        return ()
    table = runs_of(posterior)
    return doubts(replace(posterior, table_digest=table.digest), table)


def _loaded(file: str, choice: "forecasts.LawChoice") -> "Posterior":
    """The posterior in a file, of the law that was given, if any."""
    from jscale import fit

    expected = choice.law() if choice.is_given else None
    try:
        return fit.load(file, expected)
    except JscaleError as error:
        if expected is not None or "not in the catalogue" not in str(error):
            raise
        raise JscaleError(
            f"{quoted_path(file)}: its law is not in the catalogue as it stands; "
            "give the --law, --fix and --tie with which it was sampled"
        ) from None


def _forecast(
    law: "LawFunction",
    source: "forecasts.Forecaster",
    wanted: "points.Points",
    level: float,
    seed: int,
) -> dict[str, Any]:
    """The JSON object of a forecast with bands."""
    with flags.renamed(inputs=wanted.option):
        rows, notes = forecasts.rows_of(source, law, wanted, key=inputs.key_of(seed), level=level)
    notes = output.notes((*wanted.notes, *notes))

    from jscale.assess import CorrectedPosterior, Ensemble

    if isinstance(source, Ensemble):
        names = " + ".join(source.law_weights)
        values = ensembles.summary(source)
        return {"law": names, "ensemble": values, "rows": rows, "notes": notes}
    payload = {"law": _name(law), "rows": rows, "notes": notes}
    if isinstance(source, CorrectedPosterior):
        payload["correction"] = ensembles.correction_of(source.correction)
    return payload


def _from_params(law: "LawFunction", params: str, wanted: "points.Points") -> dict[str, Any]:
    """The JSON object of the law's values at given parameters."""
    values = inputs.params_of(law, params)
    with flags.renamed(inputs=wanted.option):
        rows = forecasts.values_of(law, values, wanted)
    notes = output.notes((*wanted.notes, forecasts.no_runs_note()))
    return {"law": _name(law), "rows": rows, "params": values, "notes": notes}


def _name(law: "LawFunction") -> str:
    from jscale.laws import describe

    return describe(law).name


def _unit(law: "LawFunction", loss_unit: str | None) -> str:
    """The unit of a forecast behind a number; empty for shares.

    Args:
        law: of the forecast.
        loss_unit: of the losses of the runs, where it is known.
    """
    unit = output.value_unit(law, loss_unit)
    return "" if unit == "1" else f" {unit}"
