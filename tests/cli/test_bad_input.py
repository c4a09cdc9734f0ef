"""Bad input of every kind: one line, exit code 2, nothing on stdout, no partial files."""

from pathlib import Path

import numpy as np
import pytest

from tests.cli.tables import chinchilla_rows, write_table

VALID = {name: values.tolist() for name, values in chinchilla_rows((3, 10, 30, 100, 300)).items()}
TEXTS = {
    "empty.csv": ("", "the file is empty"),
    "header.csv": ("N,D,loss\n", "no data rows"),
    "one.csv": ("N,D,loss\n1e8,2e9,3.1\n", "1 run cannot determine the 5 parameters"),
    "three.csv": (
        "N,D,loss\n1e8,2e9,3.1\n2e8,4e9,3\n3e8,9e9,2.9\n",
        "3 runs cannot determine the 5 parameters",
    ),
    "zero.csv": (
        "N,D,loss\n1e8,2e9,3.1\n1e8,3e9,0\n",
        "column 'loss', row 2 (line 3): 0 is out of range",
    ),
    "text.csv": ("N,D,loss\n1e8,2e9,low\n", "column 'loss', row 1 (line 2): 'low'"),
    "no-loss.csv": ("N,D\n1e8,2e9\n", "no column for 'loss'"),
    "no-size.csv": ("loss,N\n" + "3,1e8\n" * 9, "needs column 'D'"),
    "unknown.xls": ("N,D,loss\n", "unknown kind of file '.xls'"),
}


def rejected(result, *words: str) -> None:
    """Check the exit code and the one line of stderr."""
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert result.stderr.startswith("jscale: error: ")
    assert result.stderr.count("\n") == 1
    assert "Traceback" not in result.stderr
    assert [word for word in words if word not in result.stderr] == []


@pytest.mark.parametrize("verb", ["fit", "sample", "plan", "report"])
@pytest.mark.parametrize("name", TEXTS)
def test_tables(jscale, tmp_path: Path, verb: str, name: str):
    text, words = TEXTS[name]
    (tmp_path / name).write_text(text)
    out = tmp_path / "result"
    options = ("--budget", "1e21") if verb in ("plan", "report") else ()
    rejected(jscale(verb, tmp_path / name, *options, "--out", out, "--json"), name, words)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_binary_file_named_csv(jscale, tmp_path: Path):
    (tmp_path / "photo.csv").write_bytes(bytes(range(256)) * 100)
    rejected(jscale("fit", tmp_path / "photo.csv"), "photo.csv", "not a text file")


def test_a_folder_for_runs(jscale, tmp_path: Path):
    rejected(jscale("fit", tmp_path), "this is a folder")
    (tmp_path / "runs.csv").mkdir()
    rejected(jscale("data", tmp_path / "runs.csv"), "this is a folder")


def test_names_of_data_sets(jscale, tmp_path: Path):
    rejected(
        jscale("fit", "chinchila"),
        "no data set and no file named 'chinchila'",
        "did you mean 'chinchilla'?",
    )
    rejected(jscale("fit", tmp_path / "gone.csv"), "no such file")
    rejected(jscale("data", "a\nb.csv"), r"a\nb.csv")


def test_a_loss_below_a_fixed_floor(jscale, tmp_path: Path):
    table = write_table(tmp_path / "runs.csv", VALID)
    # By more than the noise of the runs, up to which a floor may lie above the smallest loss.
    floor = 1.4 * min(VALID["loss"])
    first = int(np.flatnonzero(np.asarray(VALID["loss"]) <= floor)[0]) + 1
    rejected(jscale("fit", table, "--fix", f"E={floor}"), f"row {first}", "floor E = ")


LAWS = {
    "unknown": (("--law", "chinchila"), "did you mean 'chinchilla'?"),
    "fix-name": (("--fix", "Z=1"), "no parameter Z"),
    "fix-text": (("--fix", "E=low"), "--fix: E: expected a number"),
    "fix-half": (("--fix", "E"), "--fix: expected NAME=VALUE"),
    "fix-twice": (("--fix", "E=1,E=2"), "E is given twice"),
    "fix-outside": (("--fix", "alpha=-1"), "outside its support"),
    "tie": (("--tie", "beta=gamma"), "no parameter gamma"),
    "objective": (("--objective", "hubert"), "error: --objective must be one of"),
    "delta": (("--delta", "0"), "error: --delta must be a positive number"),
    "delta-squares": (("--delta", "1", "--objective", "raw-squares"), "a delta belongs to huber"),
    "starts": (("--starts", "0"), "error: --starts must be a whole number of at least 1"),
    "starts-text": (("--starts", "many"), "--starts: expected a whole number"),
    "not-a-loss": (("--law", "effective_parameters"), "it needs column 'N_effective'"),
    "option": (("--objetive", "huber"), "no such option: --objetive", "--objective"),
}


@pytest.mark.parametrize("case", LAWS)
def test_laws_and_objectives(jscale, table: Path, case: str):
    arguments, *words = LAWS[case]
    rejected(jscale("fit", table, *arguments), *words)


PLANS = {
    **{
        f"budget {b}": (
            ("--params", "hoffmann2022", f"--budget={b}"),
            "--budget: expected a number above 0",
            repr(b),
        )
        for b in ("0", "-1e21", "abc", "nan", "inf", "1e400", "")
    },
    "budget 1e21,": (("--params", "hoffmann2022", "--budget", "1e21,"), "not ''"),
    "no budget": (("--params", "hoffmann2022"), "give --budget"),
    "no source": (("--budget", "1e21"), "none was given"),
    "two sources": (
        ("runs.csv", "--params", "hoffmann2022", "--budget", "1e21"),
        "not RUNS and --params",
    ),
    "source": (("--params", "hofmann2022", "--budget", "1e21"), "did you mean 'hoffmann2022'?"),
    "missing": (("--params", "E=1,A=2", "--budget", "1e21"), "also needs B, alpha, beta"),
    "outside": (
        ("--params", "E=1,A=2,B=3,alpha=-1,beta=.3", "--budget", "1e21"),
        "alpha = -1 lies outside",
    ),
    "no bits": (
        ("--params", "hoffmann2022", "--budget", "1e21", "--bits", "8"),
        "no training precision",
    ),
    "bits": (("--params", "hoffmann2022", "--budget", "1e21", "--bits", "few"), "--bits: expected"),
    "size": (("--params", "hoffmann2022", "--budget", "1e21", "--N", "0"), "--N: expected"),
    "no D": (
        ("--law", "kaplan_size", "--params", "kaplan2020", "--budget", "1e21"),
        "has no input D",
    ),
    "no P_post": (
        ("--params", "hoffmann2022", "--budget", "1e21", "--post-bits", "4"),
        "--post-bits: law",
    ),
    "other inputs": (
        ("--law", "ptq_degradation", "--params", "kumar2024", "--budget", "1e21"),
        "also needs P_post",
    ),
    "posterior": (("--posterior", "gone.nc", "--budget", "1e21"), "gone.nc", "does not exist"),
}


@pytest.mark.parametrize("case", PLANS)
def test_plans(jscale, case: str):
    arguments, *words = PLANS[case]
    rejected(jscale("plan", *arguments), *words)


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("list.json", "[1]", "expected an object with 'params'"),
        ("text.json", "{", "not a JSON file"),
        ("summary.json", '{"params": {"E": {"mean": 1}}}', "pass the draws with --posterior"),
        (
            "null.json",
            '{"E": null, "A": 1, "B": 1, "alpha": 1, "beta": 1}',
            "E: expected a finite number, not None",
        ),
        ("nan.json", '{"E": NaN, "A": 1, "B": 1, "alpha": 1, "beta": 1}', "E = nan lies outside"),
        (
            "huge.json",
            f'{{"E": 1{"0" * 400}, "A": 1, "B": 1, "alpha": 1, "beta": 1}}',
            "E: expected a finite number",
        ),
        (
            "infinite.json",
            '{"E": 1, "A": Infinity, "B": 1, "alpha": 1, "beta": 1}',
            "A: expected a finite number",
        ),
        ("law.json", '{"law": "qat", "params": {}}', "fitted for law 'qat', not 'chinchilla'"),
    ],
)
def test_files_of_parameters(jscale, tmp_path: Path, name: str, text: str, words: str):
    (tmp_path / name).write_text(text)
    rejected(jscale("plan", "--params", tmp_path / name, "--budget", "1e21"), name, words)


def test_a_file_that_is_no_posterior(jscale, tmp_path: Path):
    (tmp_path / "draws.nc").write_bytes(b"CDF\x01nothing")
    rejected(
        jscale("plan", "--posterior", tmp_path / "draws.nc", "--budget", "1e21"),
        "is not a posterior",
    )


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--chains", 0), "error: --chains must be"),
        (("--draws", 1), "error: --draws must be"),
        (("--seed", -1), "--seed: expected"),
    ],
)
def test_sampling(jscale, table: Path, options, words: str):
    rejected(jscale("sample", table, *options), words)


def test_evaluation(jscale):
    law = ("laws", "chinchilla")
    rejected(jscale(*law, "--at", "N=1e9"), "also needs D, in tokens")
    rejected(
        jscale(*law, "--at", "N=1e9,D=0"), "D = 0: expected a finite number of tokens, above 0"
    )
    rejected(jscale(*law, "--at", "N=inf,D=1e9"), "N = inf")
    rejected(jscale(*law, "--at", "N=1e9,D=1e9,P=4"), "no input P")
    rejected(jscale(*law, "--params", "hoffmann2022"), "--at")
    rejected(
        jscale("laws", "routed", "--at", "N=1e9,E_experts=.5"),
        "= 0.5: expected a finite number of experts, 1 or more",
    )
    mixed = ("laws", "mixture_tokens(2)", "--params", "q_1=1,q_2=2", "--at")
    rejected(
        jscale(*mixed, "D=1B,mix_1=0.9,mix_2=0.9"),
        "mix_1 + mix_2 = 1.8: expected parts of one whole, together 1",
    )
    assert jscale(*mixed, "D=1B,mix_1=0.4,mix_2=0.6").exit_code == 0
    rejected(jscale("laws", "--latex"), "no effect without the NAME of a law")
    rejected(jscale("laws", "power_size", "--at", "N=1e9"), "no published constants")


PLAN = ("plan", "--params", "hoffmann2022", "--budget", "1e21")
WRITERS = (("laws",), PLAN, *((verb, "TABLE") for verb in ("data", "fit", "sample", "report")))


@pytest.mark.parametrize("verb", WRITERS, ids=lambda verb: verb[0])
def test_output_paths(jscale, table: Path, tmp_path: Path, verb: tuple[str, ...]):
    verb = tuple(str(table) if part == "TABLE" else part for part in verb)
    (tmp_path / "file").write_text("kept")
    (tmp_path / "link").symlink_to(tmp_path / "link")
    for out, words in (
        (tmp_path / "missing" / "out", "there is no folder"),
        (tmp_path, "this is a folder"),
        (tmp_path / "file" / "out", "there is no folder"),
        ("/dev/null", "device or pipe"),
        ("/proc/out", "cannot"),
        (tmp_path / ("x" * 300), "name too long"),
        (tmp_path / "link", "link"),
    ):
        rejected(jscale(*verb, "--out", out), str(out)[-20:], words)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "link"]
    assert (tmp_path / "file").read_text() == "kept"


def test_plans_are_rejected_before_anything_is_sampled(jscale, table: Path, monkeypatch):
    monkeypatch.setattr("jscale.fit.posterior", lambda *_, **__: pytest.fail("sampled"))
    for verb in ("plan", "report"):
        rejected(
            jscale(verb, table, "--budget", "1e21", "--post-bits", "4"), "no bits after training"
        )
    rejected(jscale("plan", table, "--law", "power_data", "--budget", "1e21"), "no input N")


def test_a_second_law_is_refused_where_one_is_taken(jscale):
    for verb in ("report", "fit", "plan"):
        result = jscale(verb, "runs.csv", "--law", "chinchilla", "--law=coupled")
        rejected(result, f"'jscale {verb}' takes one law, not 2", "'jscale predict' weighs them")


def test_usage(jscale):
    rejected(jscale("fit"), "missing argument 'RUNS'", "see 'jscale fit --help'")
    rejected(jscale("lwas"), "did you mean 'laws'?".capitalize())
    rejected(jscale("data", "--out", "runs.csv"), "say which table to write")
    assert jscale().exit_code == 0
    assert jscale().stdout.count("\n  jscale ") == 3, "three commands to begin with"
    assert "Usage" in jscale("--help").stdout


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("fit", "--bootstrap", "x"), "--bootstrap: expected a whole number, not 'x'"),
        (("fit", "--starts=1.5"), "--starts: expected a whole number, not '1.5'"),
        (("fit", "--delta", "little"), "--delta: expected a number, not 'little'"),
        (("isoflop", "--tolerance", ""), "--tolerance: expected a number, not ''"),
        (("fit", "--intervals", "--level", "2"), "--level must lie between 0 and 1, not 2"),
        (("fit", "--level", "0.9"), "--level: no effect without --intervals; leave it out"),
        (("fit", "--fix", "Z=1"), "--fix: law 'chinchilla' has no parameter Z"),
        (("fit", "--tie", "beta=gamma"), "--tie: law 'chinchilla' has no parameter gamma"),
        (("compare", "--law", "chinchilla[Z=1]"), "law 'chinchilla[Z=1]': law 'chinchilla' has no"),
    ],
)
def test_values_of_options_are_quoted_with_their_flag(
    jscale, table: Path, words: tuple[str, ...], message: str
):
    verb, *options = words
    result = jscale(verb, table, *options)
    assert result.stderr.startswith(f"jscale: error: {message}")
    rejected(result, message)


@pytest.mark.parametrize("words", [("--help",), ("fit", "--help")])
def test_help_shows_switches_without_a_type(jscale, words: tuple[str, ...]):
    assert "<bool>" not in jscale(*words).stdout
