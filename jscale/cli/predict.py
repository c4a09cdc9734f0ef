"""``jscale predict``: the loss of new runs, with bands and where these come from."""

import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from jscale._core.errors import JscaleError
from jscale._core.text import enumerated, quoted_path
from jscale.cli.support import ensembles, flags, forecasts, inputs, options, output, parsing, points
from jscale.cli.support.session import session, working

if TYPE_CHECKING:
    from jscale._core.notes import Note
    from jscale.fit import Posterior
    from jscale.laws import LawFunction
    from jscale.runs import Runs

_WIDTH = 80

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
        help="Do not widen or narrow the bands of several laws by forecasts of held-out runs.",
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
    sampler: options.SAMPLER = "nuts",
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
                payload = _from_params(chosen, params, wanted)
            elif posterior is not None:
                sampled = _loaded(posterior, choice)
                chosen = sampled.law
                others = points.error_columns(sampled.errors)
                wanted = points.points_of(chosen, at, from_file, others)
                payload = _forecast(chosen, sampled, wanted, level, seed)
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
                known = (*table.notes, *_doubts(forecaster, table))
                payload["notes"] = [*output.notes(known), *payload["notes"]]
        output.deliver(payload, as_json, out)

    if not as_json:
        origin = source if posterior is None else quoted_path(posterior)
        _show(payload, origin, level, _Words(_unit(chosen), not no_correction))


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
        flags.refuse(*sampler, "no_correction", "resume", reason=reason)
        if params is not None:
            flags.refuse("level", "seed", reason="with --params, which has no band")
    elif choice.is_ensemble:
        flags.refuse("fix", "tie", reason="with several laws; name one --law")
        reason = "with several laws, which are not sampled by chains; name one --law"
        flags.refuse("prior", "chains", "warmup", "sampler", reason=reason)
    else:
        flags.refuse("no_correction", reason="with one law, whose bands are not corrected")


def _doubts(forecaster: Any, table: "Runs") -> "tuple[Note, ...]":
    """What the residuals of one law give reason to doubt; of several, their weights speak."""
    from jscale.assess import doubts
    from jscale.fit import Posterior

    return doubts(forecaster, table) if isinstance(forecaster, Posterior) else ()


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

    from jscale.assess import Ensemble

    if isinstance(source, Ensemble):
        names = ", ".join(source.law_weights)
        values = ensembles.summary(source)
        return {"law": names, "ensemble": values, "rows": rows, "notes": notes}
    return {"law": _name(law), "rows": rows, "notes": notes}


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


def _unit(law: "LawFunction") -> str:
    """The unit of a forecast behind a number; empty for shares."""
    from jscale.laws import describe

    unit = describe(law).output.unit
    return "" if unit == "1" else f" {unit}"


class _Words(NamedTuple):
    """What the text of a forecast depends on besides the forecast.

    Attributes:
        unit: behind a number.
        corrected: whether an ensemble corrects its bands.
    """

    unit: str
    corrected: bool


def _show(payload: dict[str, Any], origin: str | None, level: float, words: _Words) -> None:
    """Print a forecast: a sentence, an ensemble's weights, one line a row, and notes."""
    rows = payload["rows"]
    low, high = (forecasts.quantile_key(p) for p in ((1 - level) / 2, (1 + level) / 2))
    shown = [_ShownRow(row, low, high) for row in rows]
    with_bands = origin is not None
    law = (
        enumerated(payload["ensemble"]["laws"], last=" and ")
        if "ensemble" in payload
        else payload["law"]
    )
    of = f"{law} on {origin}" if with_bands else f"{law}, given parameters"
    output.show(_wrapped(f"{of}: {_headline(shown, level, with_bands, words.unit)}"))
    if "ensemble" in payload:
        ensembles.show(payload["ensemble"], payload["notes"], words.corrected)

    varying, sources = _varying(rows), _sources(rows)
    headers = ["median", f"{level:.0%} run", f"{level:.0%} law", "decades", "from %"]
    headers = headers if with_bands else ["value"]
    cells = [row.forecast(sources) for row in shown]
    if len(rows) > 1:
        inputs_of = [[str(i + 1), *row.inputs(varying)] for i, row in enumerate(shown)]
        names = ["#", *varying]
        both = [[*left, *right] for left, right in zip(inputs_of, cells, strict=True)]
        if _width_of([[*names, *headers], *both]) > _WIDTH:
            output.show(output.table(names, inputs_of, right="r" * len(names), narrow=True))
            names, both = names[:1], [[row[0], *row[len(names) :]] for row in both]
        headers, cells = [*names, *headers], both
    # What is left of the bands is numbers.
    right = "r" * (len(headers) - 4 * with_bands)
    output.show(output.table(headers, cells, right=right, narrow=True))
    if with_bands:
        output.show(_wrapped(_legend(sources)))
    output.show_notes(payload["notes"], least="info" if not with_bands else "warning")


def _headline(rows: "Sequence[_ShownRow]", level: float, with_bands: bool, unit: str) -> str:
    """What to expect, in a sentence."""
    lowest = min(range(len(rows)), key=lambda i: rows[i].median)
    row = rows[lowest]
    start = f"a new run at {row.point}"
    if len(rows) > 1:
        start = f"of {len(rows):,} rows, row {lowest + 1} ({row.point}) is the lowest: it"
    if not with_bands:
        return f"{start} has {row.value}{unit} by the law; without runs there is no band."
    band = f"{level:.0%} between {row.band[0]} and {row.band[1]}"
    return f"{start} is forecast at {row.value}{unit}, {band}; {row.distance}."


def _sources(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """What bands come from: parameters and noise, and all else that has a share in some row."""
    always = ("parameters", "noise")
    names = rows[0]["shares"] or ()
    return [n for n in names if n in always or any(row["shares"][n] >= 0.005 for row in rows)]


def _legend(sources: Sequence[str]) -> str:
    """What the columns of the table say."""
    sources = ["law choice" if name == "law" else name for name in sources]
    return (
        "run: a new run, with its noise; law: the law's value alone; decades: beyond the runs "
        f"(− below them); from %: shares of the band from {' / '.join(sources)}"
    )


def _varying(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """The inputs that differ between rows."""
    names = dict.fromkeys(name for row in rows for name in row["at"])
    return [name for name in names if len({row["at"].get(name) for row in rows}) > 1]


def _width_of(rows: Sequence[Sequence[str]]) -> int:
    """Characters of a narrow table."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return sum(widths) + 2 * len(widths)


def _wrapped(text: str) -> str:
    return textwrap.fill(text, _WIDTH, break_long_words=False, break_on_hyphens=False)


class _ShownRow:
    """A row as text, with as many decimal places as its band has."""

    def __init__(self, row: Mapping[str, Any], low: str, high: str) -> None:
        from jscale.report.notation import decimals

        self._row = row
        self.median: float = row["q50"]
        ends = (row[low], row[high]) if row.get(low) is not None else (row["q50"], row["q50"])
        law_ends = [row["parameter"].get(name, row["q50"]) for name in (low, high)]
        self._places = decimals((ends[1] - ends[0]) / 2, least=2) if ends[0] < ends[1] else 4
        self.band = [self._fixed(end) for end in ends]
        self.law_band = [self._fixed(end) for end in law_ends]

    @property
    def value(self) -> str:
        """The median."""
        return self._fixed(self.median)

    @property
    def point(self) -> str:
        """The inputs: ``N = 70B, D = 1.4T``."""
        from jscale.report.notation import human

        texts = {
            name: value if isinstance(value, str) else human(value)
            for name, value in self._row["at"].items()
        }
        return ", ".join(f"{name} = {text}" for name, text in texts.items())

    def inputs(self, names: Sequence[str]) -> list[str]:
        """Cells of inputs."""
        from jscale.report.notation import human

        values = [self._row["at"].get(name, "") for name in names]
        return [value if isinstance(value, str) else human(value) for value in values]

    def forecast(self, sources: Sequence[str]) -> list[str]:
        """Cells of the forecast; the value alone where nothing is known of a band."""
        if not sources:
            return [self.value]
        shares = "/".join(f"{100 * self._row['shares'][name]:.0f}" for name in sources)
        return [self.value, "–".join(self.band), "–".join(self.law_band), self._decades(), shares]

    @property
    def distance(self) -> str:
        """The farthest quantity, in words."""
        beyond = self._beyond()
        if beyond is None:
            return "its distance from the runs is not known"
        if not beyond:
            return "that is inside the runs"
        name = max(beyond, key=lambda name: abs(beyond[name]))
        side = "above" if beyond[name] > 0 else "below"
        return f"that is {abs(beyond[name]):.1f} decades {side} the runs in {name}"

    def _decades(self) -> str:
        """``N 1.4 C 1.6``, ``inside``, or ``unknown`` where the runs are not known."""
        beyond = self._beyond()
        if beyond is None:
            return "unknown"
        texts = [f"{name} {self._signed(value)}" for name, value in beyond.items()]
        return " ".join(texts) or "inside"

    def _beyond(self) -> dict[str, float] | None:
        """The quantities in which the row lies beyond the runs; None where none is known."""
        decades = self._row["decades"]
        known = {name: float(value) for name, value in decades.items() if not math.isnan(value)}
        return {name: value for name, value in known.items() if value} if known else None

    @staticmethod
    def _signed(value: float) -> str:
        return f"{value:.1f}".replace("-", "−").replace("inf", "∞")

    def _fixed(self, value: float) -> str:
        from jscale.report.notation import fixed

        return fixed(value, self._places)
