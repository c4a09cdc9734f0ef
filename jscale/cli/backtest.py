"""``jscale backtest``: forecasts of held-out runs, and whether their bands hold."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from jscale._core.errors import JscaleError
from jscale._core.text import number_with_suffix, shown
from jscale.cli.compare import law_from
from jscale.cli.forecasting import ensembles
from jscale.cli.process.failures import CHECK_FAILED
from jscale.cli.support import flags, inputs, options, output, parsing
from jscale.cli.support.session import session, shows_progress

if TYPE_CHECKING:
    from jscale.assess import Backtest, Forecaster, ForecastScores
    from jscale.assess.backtesting import BacktestedLaw
    from jscale.laws import LawFunction
    from jscale.runs import Runs

LAWS = Annotated[
    list[str] | None,
    options.option(
        "--law",
        help="A law, also 'chinchilla\\[beta=alpha,E=1.7]'; can be repeated (default: several, "
        "weighted as by 'predict', and each of them).",
        metavar="NAME",
    ),
]
BY = Annotated[
    str,
    typer.Option(
        "--by",
        help="Column of numbers that orders the runs: fit low, forecast high.",
        metavar="COL",
    ),
]
CUTS = Annotated[
    str | None,
    options.option(
        "--cuts",
        help="How many, from 40% to 80% of the runs, or the shares: 0.6,0.8 (default: 5).",
        metavar="INT|X,…",
    ),
]
TRAIN_BELOW = Annotated[
    list[str] | None,
    options.option(
        "--train-below",
        help="Instead: fit the runs below the value, forecast the others: N=2.1e8.",
        metavar="COL=VALUE",
    ),
]
LEAVE_OUT = Annotated[
    str | None,
    options.option(
        "--leave-out",
        help="Instead: forecast each group of this column from all others.",
        metavar="COL",
    ),
]
FOLDS = Annotated[
    int | None,
    options.option(
        "--folds", help="Instead: forecast each of so many random folds.", metavar="INT"
    ),
]
CLUSTER = Annotated[
    str | None,
    options.option(
        "--cluster",
        help="Runs of equal values are not independent (default: trunk, run_id, group or N).",
        metavar="COL",
    ),
]
BASELINE = Annotated[
    bool,
    typer.Option(
        "--baseline", help="Also each point fit with a band as wide as the fitted residuals."
    ),
]
NO_CORRECTION = Annotated[
    bool,
    typer.Option(
        "--no-correction",
        help="Do not widen or narrow the bands of a --law by forecasts of held-out runs.",
    ),
]
SAMPLER = Annotated[
    str,
    typer.Option(
        "--sampler",
        help="Of the posterior: importance (a second a fit) or nuts (slower, sure).",
        metavar="NAME",
    ),
]
DRAWS = Annotated[int, typer.Option("--draws", help="Draws of each forecast.", metavar="INT")]
REQUIRE_COVERAGE = Annotated[
    bool,
    typer.Option(
        "--require-coverage",
        help="Exit 1 if the 80% or 95% bands of a law are too narrow by more than chance.",
    ),
]


def backtest(
    source: options.RUNS,
    *,
    law: LAWS = None,
    errors: options.ERRORS = None,
    prior: options.PRIOR = None,
    by: BY = "compute",
    cuts: CUTS = None,
    train_below: TRAIN_BELOW = None,
    leave_out: LEAVE_OUT = None,
    folds: FOLDS = None,
    cluster: CLUSTER = None,
    baseline: BASELINE = False,
    no_correction: NO_CORRECTION = False,
    sampler: SAMPLER = "importance",
    draws: DRAWS = 1000,
    include_excluded: options.INCLUDE_EXCLUDED = False,
    require_coverage: REQUIRE_COVERAGE = False,
    as_json: options.AS_JSON = False,
    seed: options.SEED = 0,
    out: options.OUT_JSON = None,
    resume: options.RESUME = None,
) -> None:
    """Fit the smaller runs, forecast the larger ones: how far off, and do the bands hold?"""
    if out is not None:
        output.target(out, inputs=[source])
    if not law:
        reason = "without --law, for the default error models of several laws"
        flags.refuse("prior", "no_correction", reason=reason)
    limits = parsing.values(train_below, "--train-below", "N=2.1e8")
    shares = _cuts(cuts)

    with output.resuming(resume, inputs=[source], outputs=[out]) as progress_file:
        with session():
            table = inputs.table_of(source, include_excluded)
            laws = [law_from(text) for text in law or ()]
            laws = laws or ensembles.laws_for((), table, errors)
            settings = {"errors": errors, "priors": inputs.priors_of(prior), "sampler": sampler}
            model = _Model(settings, draws, correct=not no_correction)
            forecasters = _forecasters(laws, table, model, named=bool(law))

            from jscale import assess

            bands = [assess.in_sample_band(each, draws=draws) for each in laws if baseline]
            result = assess.backtest(
                [*forecasters, *bands],
                table,
                **settings,
                key=inputs.key_of(seed),
                by=by,
                cuts=shares,
                train_below=limits or None,
                leave_out=leave_out,
                folds=folds,
                cluster=cluster,
                draws=draws,
                progress=shows_progress(as_json),
                resume=progress_file,
            )
        payload = summary(result, table, seed, stacked=_stacked(result, named=bool(law)))
        output.deliver(payload, as_json, out)

    if not as_json:
        show(result, table, _in_detail(result, laws, bool(law)), payload["stacking"])
        output.show_notes(payload["notes"])
    judged = result.laws[: len(laws) if law else 1]
    if require_coverage and any(each.failed for each in judged):
        raise typer.Exit(CHECK_FAILED)


class _Model(NamedTuple):
    """What forecasts besides the laws.

    Attributes:
        settings: errors, priors and sampler.
        draws: of each forecast.
        correct: whether the bands of named laws are corrected.
    """

    settings: dict[str, Any]
    draws: int
    correct: bool


def _forecasters(
    laws: "Sequence[LawFunction]", table: "Runs", model: _Model, *, named: bool
) -> "list[LawFunction | Forecaster]":
    """Named laws, their bands corrected as by 'predict'; else an ensemble and each of its laws."""
    from jscale import assess

    if not named:
        errors = model.settings["errors"]
        return [assess.ensemble_forecaster(laws, table, errors=errors, draws=model.draws), *laws]
    if not model.correct:
        return [*laws]
    settings = {**model.settings, "draws": model.draws}
    return [assess.corrected_forecaster(law, table, **settings) for law in laws]


def _in_detail(
    result: "Backtest", laws: "Sequence[LawFunction]", named: bool
) -> "Sequence[BacktestedLaw]":
    """What is shown by cut and by distance: all of it where laws are named.

    Otherwise the ensemble, its law with the smallest CRPS, and the band of the residuals of that.
    """
    if named:
        return result.laws
    together, *others = result.laws
    best = min(range(len(laws)), key=lambda i: others[i].summary.crps)
    return [together, *others[best :: len(laws)]]


def _cuts(text: str | None) -> int | list[float] | None:
    """A number of cuts, or shares of the runs.

    Raises:
        JscaleError: neither.
    """
    if text is None:
        return None
    parts = [number_with_suffix(part) for part in parsing.many([text])]
    numbers = [part for part in parts if part is not None]
    if len(numbers) < len(parts):
        raise JscaleError(
            f"--cuts: expected a number of cuts, or shares such as 0.6,0.8; not {shown(text)}"
        )
    is_count = len(numbers) == 1 and numbers[0] == int(numbers[0])
    return int(numbers[0]) if is_count else numbers


def summary(
    result: "Backtest", table: "Runs", seed: int, stacked: list[dict[str, Any]] | None
) -> dict[str, Any]:
    """A backtest as a JSON object; ``summary`` is that of the first law.

    Args:
        result: the backtest.
        table: the runs.
        seed: of the forecasts.
        stacked: weights of the laws, or None.
    """
    from dataclasses import asdict

    laws = [
        {
            "law": each.law,
            "verdict": each.verdict,
            "failed": each.failed,
            "summary": _scores(each.summary),
            "cuts": [_scores(scores) for scores in each.cuts],
            "distances": [_scores(scores) for scores in each.distances],
        }
        for each in result.laws
    ]
    cuts = [
        {"label": cut.label, "fitted": cut.fitted, "held_out": cut.held_out, "C": cut.compute}
        for cut in result.cuts
    ]
    return {
        "law": result.laws[0].law,
        "rows": [asdict(row) for row in result.rows],
        "summary": laws[0]["summary"],
        "laws": laws,
        "cuts": cuts,
        "how": result.how,
        "stacking": stacked,
        "errors": result.errors,
        "cluster": result.cluster,
        "n_runs": result.n_runs,
        "seed": seed,
        "seconds": result.seconds,
        "table": {"name": table.name, "digest": result.table_digest},
        "notes": output.notes((*table.notes, *result.notes)),
    }


def _stacked(result: "Backtest", *, named: bool) -> list[dict[str, Any]] | None:
    """Weights by leave-future-out stacking; None for one law, or without log scores.

    Without the ensemble that comes first where no law is named: it is made of the others.
    """
    from dataclasses import asdict, replace

    from jscale import assess

    laws = result.laws if named else result.laws[1:]
    if len(laws) < 2:
        return None
    try:
        return [asdict(model) for model in assess.stacking(replace(result, laws=laws)).models]
    except JscaleError:  # log scores that are not finite: losses of 0 or below
        return None


def _scores(scores: "ForecastScores") -> dict[str, Any]:
    """Scores as a JSON object, the bands under keys such as ``coverage80``."""
    from dataclasses import asdict

    values = {name: value for name, value in asdict(scores).items() if name != "bands"}
    for band in scores.bands:
        level = round(100 * band.level)
        values |= {
            f"coverage{level}": band.coverage,
            f"coverage{level}_limits": [band.low, band.high],
            f"held{level}": band.held,
            f"effective{level}": band.effective,
            f"width{level}": band.width,
        }
    return values


def show(
    result: "Backtest",
    table: "Runs",
    in_detail: "Sequence[BacktestedLaw]",
    stacked: list[dict[str, Any]] | None,
) -> None:
    """Print a backtest: verdicts, all laws in a table, then scores by cut and by distance.

    Args:
        result: the backtest.
        table: the runs.
        in_detail: laws with a verdict and with scores by cut and by distance.
        stacked: weights of the laws, or None.
    """
    from jscale.report.notation import plural

    several = len(result.laws) > 1
    for each in in_detail:
        output.show(f"{each.law}: {each.verdict}" if several else each.verdict)
    cuts = plural(len(result.cuts), "cut")
    output.show(f"{table.name}: {plural(result.n_runs, 'run')}, {cuts} {result.how}")

    if several:
        rows = [_cells(each.law, each.summary) for each in result.laws]
        rows = [(law, *cells) for law, _, *cells in rows]
        output.show(output.table(("law", *_HEADERS[1:]), rows, right="lrrrrrrr"))
        if stacked:
            weights = (f"{model['name']} {model['weight']:.0%}" for model in stacked)
            output.show(f"stacking weights by these forecasts: {', '.join(weights)}")
    for each in in_detail:
        _show_law(each, result.cuts, several)


_HEADERS = ("tested", "bias", "error", "CRPS", "50%", "80%", "95%", "width")
"""Columns of the tables. The error is the root mean square of the log loss; 50% to 95% are the
shares of the runs in these bands, the width is that of the 80% band."""


def _show_law(law: "BacktestedLaw", cuts: Sequence[Any], several: bool) -> None:
    fitted = [f"{cut.fitted:,}" for cut in cuts]
    rows = [
        (scores.label, count, *_cells("", scores)[1:])
        for scores, count in zip(law.cuts, fitted, strict=True)
    ]
    headers = ("split", "fit", *_HEADERS)
    title = law.law if several else None
    output.show(output.table(headers, rows, title=title, right="lrrrrrrrrr"))

    rows = [_cells(scores.label, scores) for scores in law.distances]
    output.show(output.table(("decades beyond", *_HEADERS), rows, right="lrrrrrrrr"))


def _cells(label: str, scores: "ForecastScores") -> tuple[str, ...]:
    """A row of a table."""
    from jscale.report.notation import MISSING, fixed

    def percent(value: float) -> str:
        text = fixed(100 * value, 2)
        return text if text == MISSING else f"{text}%"

    return (
        label,
        f"{scores.count:,}",
        percent(scores.bias),
        percent(scores.rmsle),
        fixed(scores.crps, 4),
        *(f"{band.coverage:.0%}" for band in scores.bands),
        percent(scores.bands[1].width),
    )
