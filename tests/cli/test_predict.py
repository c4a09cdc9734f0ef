"""``jscale predict``, and the distance of plans from the runs."""

import gzip
import json
import re
from dataclasses import replace
from pathlib import Path

import jax
import numpy as np
import pytest

from jscale import JscaleError, assess, fit, laws
from jscale._core.notes import Note
from jscale._core.scope import float64
from jscale.assess.ensembles import UncorrectableError
from jscale.cli.forecasting import ensembles
from jscale.cli.forecasting.forecasts import quantile_key
from jscale.cli.forecasting.points import at_example
from tests.cli.tables import SHORT, write_table
from tests.cli.test_bad_input import rejected

pytestmark = pytest.mark.usefixtures("few_points")

HOFFMANN = ("--params", "hoffmann2022")
FAR, INSIDE = "N=70B,D=1.4T", "N=1e9,D=3e10"
QUANTILES = ("q025", "q05", "q10", "q50", "q90", "q95", "q975")


@pytest.fixture(autouse=True)
def uncorrected(monkeypatch, request) -> None:
    """Bands of one law stay as they are, without forecasts of held-out runs."""

    def correct_bands(posterior, table=None, **settings):
        return assess.CorrectedPosterior(posterior, assess.BandCorrection())

    if "for_real" not in request.node.name:
        monkeypatch.setattr(assess, "correct_bands", correct_bands)


@pytest.fixture(scope="module")
def posterior(sampled) -> fit.Posterior:
    return fit.load(sampled.file)


def test_a_posterior_knows_the_unit_of_its_losses(jscale, posterior, tmp_path: Path):
    file = tmp_path / "bytes.nc"
    replace(posterior, loss_unit="nats per byte").save(file)
    forecast = jscale("predict", "--posterior", file, "--at", FAR).stdout
    assert re.search(r"at\s+[0-9.]+\s+nats/byte,", forecast)
    planned = jscale("plan", "--posterior", file, "--budget", 1e22).stdout
    assert re.search(r"in size costs [0-9.]+ nats/byte\n", planned)
    assert "losses in nats/byte" in planned


def test_json_of_a_posterior(answer, sampled, posterior, tmp_path: Path):
    out = tmp_path / "forecast.json"
    options = ("--at", FAR, "--at", INSIDE, "--seed", 5, "--out", out)
    printed = answer("predict", "--posterior", sampled.file, *options)
    assert set(printed) == {"law", "rows", "notes", "correction", "loss_unit"}
    assert (printed["law"], printed["loss_unit"]) == ("chinchilla", "nats per token")
    far, inside = printed["rows"]
    assert far["at"] == {"N": 7e10, "D": 1.4e12}
    assert set(far) == {"at", "mean", *QUANTILES, "parameter", "decades", "shares"}
    assert set(far["parameter"]) == {"q10", "q90"}
    assert set(far["decades"]) == {"N", "D", "C"}
    assert sorted(QUANTILES, key=lambda q: far[q]) == list(QUANTILES)
    assert sum(far["shares"].values()) == pytest.approx(1.0)

    new = posterior.predict(
        {"N": [7e10, 1e9], "D": [1.4e12, 3e10]}, key=jax.random.fold_in(jax.random.key(5), 0)
    )
    assert [far["q90"], inside["q90"]] == pytest.approx(new.quantile(0.9).tolist(), rel=1e-12)
    assert far["parameter"]["q10"] == pytest.approx(new.parameter_quantile(0.1)[0], rel=1e-12)
    # The largest run has 3e9 parameters.
    assert far["decades"]["N"] == pytest.approx(np.log10(7e10 / 3e9), abs=1e-6)
    assert inside["decades"] == {"N": 0, "D": 0, "C": 0}
    (note,) = [note for note in printed["notes"] if note["code"] == "far-forecast"]
    assert note["severity"] == "warning"
    assert note["message"].startswith("1 of 2 rows beyond the runs: ")
    assert json.loads(out.read_text()) == printed


def test_a_correction_of_one_law_for_real(answer, jscale, sampled):
    options = ("--posterior", sampled.file, "--at", FAR, "--seed", 5)
    wide, plain = (answer("predict", *options, *more) for more in ((), ("--no-correction",)))
    assert "correction" not in plain
    assert wide["correction"]["held_out"] > 0
    assert wide["correction"]["drift"] == 0.007
    (note,) = [note for note in wide["notes"] if note["code"] == "corrected-bands"]
    assert f"by {wide['correction']['edge']:.2f} at the edge of the runs" in note["message"]
    widths = [each["rows"][0]["q90"] - each["rows"][0]["q10"] for each in (wide, plain)]
    assert widths[0] > 0.9 * wide["correction"]["decade"] * widths[1]
    text = " ".join(jscale("predict", *options).stdout.split())
    assert "Bands are multiplied by " in text
    assert "--no-correction leaves bands as they are." in text
    plain_text = " ".join(jscale("predict", *options, "--no-correction").stdout.split())
    assert "Bands are not corrected by held-out runs (--no-correction)." in plain_text


def test_bands_that_cannot_be_corrected_say_so(answer, jscale, sampled, monkeypatch):
    def refuse(posterior, table=None, **settings):
        raise errors.pop()

    errors = [JscaleError("another mistake"), UncorrectableError("it holds no runs")]
    monkeypatch.setattr(assess, "correct_bands", refuse)
    printed = answer("predict", "--posterior", sampled.file, "--at", INSIDE)
    (note,) = [note for note in printed["notes"] if note["code"] == "not-corrected"]
    assert note["message"] == "bands are not corrected: it holds no runs"
    assert "correction" not in printed
    # Other mistakes are not taken for it.
    rejected(jscale("predict", "--posterior", sampled.file, "--at", INSIDE), "another mistake")


def test_forecasts_of_held_out_runs_are_resumed(
    answer, table: Path, monkeypatch, sampled, tmp_path
):
    """From a file beside that of the chains, which goes when they are done."""
    files = []

    def correct_bands(posterior, table=None, *, resume, **settings):
        files.append(resume)
        resume.write_text("forecasts")
        return assess.CorrectedPosterior(posterior, assess.BandCorrection())

    monkeypatch.setattr(assess, "correct_bands", correct_bands)
    monkeypatch.setattr(fit, "posterior", lambda *given, **settings: fit.load(sampled.file))
    progress = tmp_path / "progress.jscale"
    answer("predict", table, "--law", "chinchilla", "--at", FAR, "--resume", progress)
    assert files == [tmp_path / "progress.jscale.bands"]
    assert not list(tmp_path.iterdir())


def test_the_seed_determines_the_noise(answer, sampled):
    options = ("--posterior", sampled.file, "--at", FAR)
    first, same, other = (
        answer("predict", *options, "--seed", seed)["rows"][0] for seed in (1, 1, 2)
    )
    assert same == first
    assert other["q90"] != first["q90"]
    assert other["parameter"] == first["parameter"]


def test_runs_are_sampled_as_by_the_verb_sample(answer, sampled, table: Path, monkeypatch):
    calls = []

    def posterior(law, runs_table, **settings):
        settings["key"] = jax.random.key_data(settings["key"]).tolist()
        calls.append((law, runs_table.digest, settings))
        return fit.load(sampled.file)

    monkeypatch.setattr(fit, "posterior", posterior)
    options = (*SHORT, "--seed", 3)
    law = ("--law", "chinchilla")
    printed = answer("predict", table, *law, "--at", FAR, *options)
    answer("sample", table, *options)
    assert calls[0] == calls[1]
    from_file = answer("predict", "--posterior", sampled.file, "--at", FAR, "--seed", 3)
    assert printed["rows"] == from_file["rows"]
    assert {note["code"] for note in printed["notes"]} >= {"rows-excluded", "far-forecast"}
    answer("predict", table, *law, "--at", FAR, *options, "--errors", "normal + scale(C)")
    assert calls[-1][2]["errors"] == "normal + scale(C)"


def test_parameters_alone_have_no_band(answer, jscale):
    (row,) = answer("predict", *HOFFMANN, "--at", FAR)["rows"]
    with float64():
        value = float(laws.chinchilla(7e10, 1.4e12, **laws.params(laws.chinchilla)))
    assert row["mean"] == row["q50"] == pytest.approx(value, rel=1e-12)
    assert row["parameter"] == {"q10": row["q50"], "q90": row["q50"]}
    assert row["decades"] == {"N": None, "D": None, "C": None}
    assert {row[q] for q in QUANTILES if q != "q50"} == {None}
    screen = jscale("predict", *HOFFMANN, "--at", FAR).stdout
    assert "a new run at N = 70B, D = 1.4T has 1.9208" in screen
    assert "without runs" in screen


def test_a_table_of_inputs(answer, sampled, tmp_path: Path):
    """The project's reader: other names, a missing D from C, excluded rows left out."""
    points = write_table(
        tmp_path / "points.csv",
        {
            "params": ["7B", "70B", "1B"],
            "compute": [4.2e22, 5.88e23, 6e20],
            "exclude": ["no", "no", "yes"],
        },
    )
    printed = answer("predict", "--posterior", sampled.file, "--from", points, "--at", INSIDE)
    assert [row["at"] for row in printed["rows"]] == [
        {"N": 1e9, "D": 3e10},
        {"N": 7e9, "D": pytest.approx(1e12)},
        {"N": 7e10, "D": pytest.approx(1.4e12)},
    ]
    assert "derived-D" in {note["code"] for note in printed["notes"]}
    (alone,) = answer("predict", *HOFFMANN, "--at", FAR)["rows"]
    assert answer("predict", *HOFFMANN, "--from", points)["rows"][1]["mean"] == pytest.approx(
        alone["mean"]
    )


def test_many_points_are_forecast_in_parts(answer, sampled, posterior, tmp_path: Path):
    N = np.geomspace(1e8, 1e11, 250)
    points = write_table(tmp_path / "points.csv", {"N": N, "D": 20 * N})
    printed = answer("predict", "--posterior", sampled.file, "--from", points)
    assert len(printed["rows"]) == 250
    medians = [row["q50"] for row in printed["rows"]]
    expected = np.median(fit.predict(posterior, {"N": N, "D": 20 * N}), axis=0)
    np.testing.assert_allclose(medians, expected, rtol=2e-3)
    messages = [note["message"] for note in printed["notes"] if note["code"] == "far-forecast"]
    assert len(messages) == 1
    assert "row 250 the farthest" in messages[0]


def test_the_level_adds_its_quantiles(answer, jscale, sampled):
    options = ("predict", "--posterior", sampled.file, "--at", FAR)
    (row,) = answer(*options, "--level", "0.5")["rows"]
    assert row["q10"] < row["q25"] < row["q50"] < row["q75"] < row["q90"]
    assert set(row["parameter"]) == {"q10", "q25", "q75", "q90"}
    assert "50% between" in jscale(*options, "--level", "0.5").stdout
    assert [quantile_key(p) for p in (0.025, 0.05, 0.5, 0.975, 0.995)] == [
        "q025",
        "q05",
        "q50",
        "q975",
        "q995",
    ]


def test_text_is_eighty_columns_wide(jscale, sampled):
    options = ("--posterior", sampled.file, "--at", FAR, "--at", "N=12.5B,D=2.75T", "--at", INSIDE)
    lines = jscale("predict", *options).stdout.splitlines()
    table = [line for line in lines if not line.startswith(("warning: ", "info: "))]
    assert max(map(len, table)) <= 80
    text = " ".join(" ".join(table).split())
    assert "of 3 rows, row 1 (N = 70B, D = 1.4T) is the lowest: it is forecast at" in text
    assert re.search(r"that is \d\.\d decades above the runs in C\.", text)
    assert re.search(
        r"\b1 70B 1\.4T 1\.\d+ 1\.\d+–1\.\d+ 1\.\d+–1\.\d+ N 1\.4 D \S+ C \S+ \d", text
    )
    assert "inside" in text
    assert "shares of the band from parameters / noise" in text


def test_a_law_with_many_inputs_for_people(jscale):
    bits = "P_w=16,P_a=16,P_kv=16"
    options = ("--at", f"N=7B,D=1T,{bits},P_post=4", "--at", f"N=1B,D=2T,{bits},P_post=3")
    screen = jscale("predict", "--law", "precision", "--params", "kumar2024", *options).stdout
    assert re.search(r"# +N +D +P_post", screen)


def test_a_posterior_of_another_law_says_how_to_name_it(
    jscale, answer, table: Path, posterior, tmp_path: Path, monkeypatch
):
    def sampled_before(law, *_, **__) -> fit.Posterior:
        """The draws of the parameters that the law has, without the sampler."""
        names = laws.describe(law).parameter_names
        kept = {name: posterior.draws[name] for name in names}
        summary = {name: row for name, row in posterior.summary.items() if name != "E"}
        return replace(posterior, law=law, draws=kept, summary=summary)

    monkeypatch.setattr(fit, "posterior", sampled_before)
    file = tmp_path / "posterior.nc"
    answer("sample", table, *SHORT, "--fix", "E=1.69", "--out", file)
    rejected(jscale("predict", "--posterior", file, "--at", FAR), "give the --law, --fix and --tie")
    printed = answer("predict", "--posterior", file, "--fix", "E=1.69", "--at", FAR)
    assert printed["law"] == "chinchilla[E=1.69]"
    refused = jscale("predict", "--posterior", file, "--law", "coupled", "--at", FAR)
    rejected(refused, "holds draws of law 'chinchilla[E=1.69]', not of 'coupled'")


def test_an_old_posterior_has_no_ranges(answer, jscale, tmp_path: Path):
    packed = Path(__file__).parents[1] / "fit" / "files" / "posterior-0.1.0.nc.gz"
    file = tmp_path / "posterior-0.1.0.nc"
    file.write_bytes(gzip.decompress(packed.read_bytes()))
    printed = answer("predict", "--posterior", file, "--at", FAR)
    (row,) = printed["rows"]
    assert row["decades"] == {"N": None, "D": None, "C": None}
    assert row["q10"] < row["q50"] < row["q90"]
    (note,) = [note for note in printed["notes"] if note["code"] == "ranges-unknown"]
    assert "a posterior of an earlier version" in note["message"]
    (planned,) = answer("plan", "--posterior", file, "--budget", "1e24")["plans"]
    assert planned["decades"] == {"N": None, "D": None, "C": None}
    assert "its distance from the runs is not known" in " ".join(
        jscale("predict", "--posterior", file, "--at", FAR).stdout.split()
    )


@pytest.fixture
def fake_ensemble(sampled, posterior, monkeypatch) -> list[tuple]:
    """Two error models of one posterior in place of the fits; the calls of ``assess.ensemble``."""
    calls = []

    def ensemble(given, table, **settings):
        calls.append((given, table, settings))
        settings = {"correct": True} | settings
        correction = assess.BandCorrection(
            np.log(1.25), np.log(1.6 / 1.25), count=96, clusters=24, points=12
        )
        members = (
            assess.Member("chinchilla, student", posterior, 0.75, 2.0),
            assess.Member("chinchilla, normal", posterior, 0.25, 1.0),
        )
        chosen = correction if settings["correct"] else assess.BandCorrection()
        note = Note("calibrated-bands", "info", "bands are multiplied by 1.25 at the edge")
        notes = (note,) if settings["correct"] else ()
        return assess.Ensemble(members, chosen, 3, 96, notes, table.digest)

    monkeypatch.setattr(assess, "ensemble", ensemble)
    return calls


def test_without_a_law_several_forecast_together(answer, fake_ensemble: list, table: Path):
    options = ("--at", FAR, "--seed", 4, "--draws", 300)
    printed = answer("predict", table, *options)
    (given, _, settings), *_ = fake_ensemble
    assert given == [laws.chinchilla, laws.coupled]
    assert (settings["errors"], settings["draws"], settings["correct"]) == (None, 300, True)
    assert jax.random.key_data(settings["key"]).tolist() == [0, 4]
    assert printed["law"] == "chinchilla"
    assert printed["ensemble"] == {
        "weights": {"chinchilla, student": 0.75, "chinchilla, normal": 0.25},
        "laws": {"chinchilla": 1.0},
        "held_out": 96,
        "windows": 3,
        "correction": {
            "edge": pytest.approx(1.25),
            "decade": pytest.approx(1.6),
            "drift": 0.0,
            "held_out": 96,
            "clusters": 24,
            "points": 12,
            "furthest": 0.0,
        },
    }
    (row,) = printed["rows"]
    assert set(row) == {"at", "mean", *QUANTILES, "parameter", "decades", "shares"}
    assert row["decades"]["N"] == pytest.approx(np.log10(7e10 / 3e9), abs=1e-6)

    narrow = answer("predict", table, *options, "--no-correction")
    assert narrow["ensemble"]["correction"] == {
        "edge": 1.0,
        "decade": 1.0,
        "drift": 0.0,
        "held_out": 0,
        "clusters": 0,
        "points": 0,
        "furthest": 0.0,
    }
    (other,) = narrow["rows"]
    assert other["q90"] - other["q10"] < row["q90"] - row["q10"]
    # The middle of two draws is another in logarithms: by the square of their distance.
    assert other["q50"] == pytest.approx(row["q50"], rel=1e-9)


def test_named_laws_with_an_error_model(answer, fake_ensemble: list, table: Path, tmp_path: Path):
    law = ("--law", "coupled", "--law", "chinchilla", "--errors", "student(7)")
    answer("predict", table, *law, "--at", FAR, "--resume", tmp_path / "progress.jscale")
    ((given, _, settings),) = fake_ensemble
    assert given == [laws.coupled, laws.chinchilla]
    assert settings["errors"] == "student(7)"
    assert settings["resume"] == tmp_path / "progress.jscale"


def test_text_of_an_ensemble(jscale, fake_ensemble: list, table: Path):
    result = jscale("predict", table, "--at", FAR)
    assert (result.exit_code, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert [line for line in lines if len(line) > 80 and not line.startswith("warning")] == []
    text = " ".join(result.stdout.split())
    assert text.startswith(f"chinchilla on {table}: a new run at N = 70B, D = 1.4T is forecast at")
    assert "chinchilla student 75% chinchilla normal 25% Weights by 96 forecasts" in text
    assert "Weights by 96 forecasts of held-out runs, 3 cuts by compute. Bands are mul" in text
    assert "by 1.25 at the edge; --no-correction leaves bands as they are." in text
    assert text.index("Weights by") < text.index("median 80% run")
    plain = " ".join(jscale("predict", table, "--at", FAR, "--no-correction").stdout.split())
    assert "Bands are not corrected by held-out runs (--no-correction)." in plain


def test_an_ensemble_without_held_out_runs():
    text = ensembles.origin({"held_out": 0, "windows": 0}, [], corrected=True)
    assert text == "The runs are too few to hold any out: the weights are equal."


def test_an_ensemble_for_real(answer, table: Path, tmp_path: Path):
    options = ("--errors", "student", "--draws", 200, "--at", FAR, "--seed", 1)
    printed = answer("predict", table, *options, "--out", tmp_path / "forecast.json")
    values = printed["ensemble"]
    assert set(values["weights"]) == {"chinchilla, student", "coupled, student"}
    assert sum(values["weights"].values()) == pytest.approx(1.0)
    assert sum(values["laws"].values()) == pytest.approx(1.0)
    assert printed["law"] == " + ".join(values["laws"])
    assert values["windows"] > 0
    assert values["held_out"] > 10
    (row,) = printed["rows"]
    with float64():
        truth = float(laws.chinchilla(7e10, 1.4e12, **laws.params(laws.chinchilla)))
    assert row["q025"] < truth < row["q975"]
    assert sum(row["shares"].values()) == pytest.approx(1.0)
    assert json.loads((tmp_path / "forecast.json").read_text()) == printed


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--law", "chinchilla", "--law", "chinchilla"), "--law: 'chinchilla' is given twice"),
        (
            ("--law", "chinchilla", "--law", "power_compute"),
            "--law: chinchilla takes N, D, power_compute takes C; expected laws of the same inputs",
        ),
        (("--law", "chinchilla", "--law", "chinchila"), "did you mean 'chinchilla'"),
        (("--errors", "normale"), "normale"),
        (("--law", "coupled", "--law", "chinchilla", "--fix", "E=1"), "--fix: no effect with sev"),
    ],
)
def test_laws_that_do_not_forecast_together(jscale, table: Path, options, message: str):
    rejected(jscale("predict", table, *options, "--at", FAR), message)


BAD = {
    "no points": ((*HOFFMANN,), "nothing to predict: give --at N=7e10,D=1.4e12, or --from FILE"),
    "no source": (("--at", FAR), "a forecast needs one of RUNS, --params SOURCE"),
    "two sources": (("runs.csv", *HOFFMANN, "--at", FAR), "not RUNS and --params"),
    "missing": ((*HOFFMANN, "--at", "N=7e10"), "--at: law 'chinchilla' takes N, D; D (tokens) is"),
    "unknown": ((*HOFFMANN, "--at", "n=7e10,D=1"), "takes N, D, not 'n'; did you mean 'N'?"),
    "alias": ((*HOFFMANN, "--at", "N=7e10,tokens=1e9"), "did you mean 'D'?"),
    "pairs": ((*HOFFMANN, "--at", "7e10"), "expected NAME=VALUE such as N=7e10,D=1.4e12"),
    "number": ((*HOFFMANN, "--at", "N=big,D=1"), "--at: N: expected a number such as 7e10 or 70B"),
    "twice": ((*HOFFMANN, "--at", "N=1,N=2,D=1"), "--at: N is given twice"),
    "empty": ((*HOFFMANN, "--at", ""), "--at: expected NAME=VALUE"),
    "domain": ((*HOFFMANN, "--at", "N=-1,D=1"), "--at: N = -1: expected a finite number of param"),
    "infinite": ((*HOFFMANN, "--at", "N=inf,D=1"), "--at: N = inf: expected a finite number"),
    "level": (("--posterior", "x.nc", "--at", FAR, "--level", "1"), "--level must lie between 0"),
    "no band": ((*HOFFMANN, "--at", FAR, "--level", "0.5"), "--level: no effect with --params"),
    "no noise": ((*HOFFMANN, "--at", FAR, "--seed", "1"), "--seed: no effect with --params"),
    "no sampler": ((*HOFFMANN, "--at", FAR, "--draws", "10"), "--draws: no effect"),
    "no errors": ((*HOFFMANN, "--at", FAR, "--errors", "normal"), "--errors: no effect"),
    "laws": ((*HOFFMANN, "--law", "coupled", "--law", "kaplan", "--at", FAR), "expected one law"),
    "no such file": ((*HOFFMANN, "--from", "gone.csv"), "--from gone.csv: no such file"),
    "no such posterior": (("--posterior", "gone.nc", "--at", FAR), "no posterior at 'gone.nc'"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input(jscale, tmp_path: Path, monkeypatch, case: str):
    monkeypatch.chdir(tmp_path)
    arguments, message = BAD[case]
    rejected(jscale("predict", *arguments, "--json"), message)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("N,D\n", "--from points.csv: a header and no data rows"),
        ("", "--from points.csv: the file is empty"),
        ("N,S\n1e9,2\n", "needs column 'D'"),
        ("N,D\n1e9,0\n", "column 'D', row 1 (line 2): 0 is out of range"),
        ("N,D\n1e9,2e9\n1e9,\n", "column 'D', row 2 (line 3): the cell is empty"),
        ("N,D,exclude\n1e9,1e10,yes\n", "--from points.csv: all 1 rows are excluded"),
        ("name\nx\n", "no column for N, D or C"),
    ],
)
def test_bad_tables_of_inputs(jscale, tmp_path: Path, monkeypatch, text: str, message: str):
    monkeypatch.chdir(tmp_path)
    Path("points.csv").write_text(text)
    rejected(jscale("predict", *HOFFMANN, "--from", "points.csv"), message)


def test_a_point_outside_the_domain_of_the_law(jscale):
    """Below its threshold of bits a model has no effective parameters."""
    at = "N=7B,D=1T,P_w=1e-9,P_a=16,P_kv=16"
    kumar = ("--law", "precision", "--params", "kumar2024")
    rejected(jscale("predict", *kumar, "--at", at), "has no finite value there; expected a point")


@pytest.mark.parametrize("law", laws.catalogue, ids=lambda law: laws.describe(law).name)
def test_the_example_of_every_law_is_accepted(jscale, law):
    name = laws.describe(law).name
    published = next(iter(laws.describe(law).published), None)
    if published is None or name not in {laws.describe(each).name for each in laws.catalogue}:
        return
    flag, example = at_example(law).split(" ", 1)
    result = jscale("predict", "--law", name, "--params", published, flag, example, "--json")
    assert result.exit_code == 0, result.stderr


def test_columns_of_the_error_model(answer, jscale, table: Path, tmp_path: Path):
    """A new run in a group of the table, in a new one, and with what the scale depends on."""
    file = tmp_path / "posterior.nc"
    errors = ("--errors", "normal + scale(seed) + effects(corpus)")
    lines = table.read_text().splitlines()
    seeds = ["seed", *(str(1 + i % 3) for i in range(len(lines) - 1))]
    runs_file = tmp_path / "runs.csv"
    runs_file.write_text("\n".join(map(",".join, zip(lines, seeds, strict=True))) + "\n")
    answer("sample", runs_file, *SHORT, *errors, "--out", file)

    at = ("--at", f"{INSIDE},seed=2,corpus=corpus 3", "--at", f"{INSIDE},seed=2")
    known, new = answer("predict", "--posterior", file, *at)["rows"]
    assert known["at"] == {"N": 1e9, "D": 3e10, "seed": 2.0, "corpus": "corpus 3"}
    assert known["shares"]["effects"] < new["shares"]["effects"]
    points = write_table(tmp_path / "points.csv", {"N": [1e9], "D": [3e10], "seed": [2.0]})
    (row,) = answer("predict", "--posterior", file, "--from", points)["rows"]
    assert row["at"] == {"N": 1e9, "D": 3e10, "seed": 2.0}
    assert "corpus = corpus 3" in " ".join(
        jscale("predict", "--posterior", file, *at[:2]).stdout.split()
    )
    message = "the errors depend on 'seed', which a point does not have; expected it in every point"
    rejected(jscale("predict", "--posterior", file, "--at", INSIDE), message)
    rejected(jscale("predict", runs_file, *errors, "--at", INSIDE), message)
    wrong = ("--errors", "normal + scal(C)")
    rejected(jscale("predict", runs_file, *wrong, "--at", INSIDE), "--errors")


def test_plans_state_their_distance_from_the_runs(answer, jscale, sampled, posterior):
    options = ("plan", "--posterior", sampled.file, "--budget", "1e20,1e25")
    near, far = (printed := answer(*options))["plans"]
    assert near["decades"] == {"N": 0, "D": 0, "C": 0}
    assert far["decades"]["C"] == pytest.approx(np.log10(1e25 / posterior.ranges["C"][1]))
    largest = posterior.ranges["N"][1]
    assert far["decades"]["N"] == pytest.approx(np.log10(far["N_opt"]["q50"] / largest))
    (note,) = [note for note in printed["notes"] if note["code"] == "far-forecast"]
    assert note["severity"] == "warning"
    assert "1 of 2 plans beyond the runs, the farthest at 1e25 FLOP: " in note["message"]
    screen = jscale(*options).stdout
    assert "decades beyond" in screen
    assert "warning: 1 of 2 plans beyond the runs" in screen


def test_plans_from_parameters_have_no_distance(answer, jscale):
    (printed,) = answer("plan", *HOFFMANN, "--budget", "1e21")["plans"]
    assert printed["decades"] == {"N": None, "D": None, "C": None}
    assert "decades" not in jscale("plan", *HOFFMANN, "--budget", "1e21").stdout
