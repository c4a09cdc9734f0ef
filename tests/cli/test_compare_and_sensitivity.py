"""``jscale compare`` and ``jscale sensitivity``."""

import json
from pathlib import Path

import jax
import pytest

from jscale import fit, laws, report, runs
from jscale._core.errors import JscaleError
from jscale._core.status import Status
from jscale.assess import Sensitivity, Specification
from jscale.cli import compare as verb
from jscale.cli.compare import law_from
from jscale.cli.support.inputs import objective_of
from tests.assess.tables import FIXED, FREE, simulated
from tests.cli.tables import write_table

EIGHT_STARTS = ("--starts", 8)
COMPARE = (
    *("--law", "power_size", "--law", "power_size[L_inf=1.8]"),
    *("--objective", "log-squares", *EIGHT_STARTS),
)
CURVE = (
    *("--law", "power_size", "--target", "alpha"),
    *("--objective", "log-squares,huber:0.01", *EIGHT_STARTS),
)


@pytest.fixture(scope="module")
def sizes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    columns = {name: values.tolist() for name, values in simulated().columns.items()}
    return write_table(tmp_path_factory.mktemp("tables") / "sizes.csv", columns)


def test_compare(answer, jscale, sizes: Path, tmp_path: Path, monkeypatch):
    # The same two functions every time, so that they are compiled once.
    monkeypatch.setattr(verb, "law_from", lambda text: FIXED if "[" in text else FREE)
    printed = answer("compare", sizes, *COMPARE, "--out", tmp_path / "compare.json")
    assert json.loads((tmp_path / "compare.json").read_text()) == printed
    assert {"n_runs", "objective_name", "held_out", "rows", "nested", "notes"} <= set(printed)
    assert printed["held_out"]["runs"] == 8
    assert [row["rank"] for row in printed["rows"]] == [1, 2]
    assert {row["law"]: row["parameters"] for row in printed["rows"]} == {
        "power_size": 3,
        "power_size[L_inf=1.8]": 2,
    }
    assert {"rmse", "relative_error", "aicc", "bic", "status", "converged"} <= set(
        printed["rows"][0]
    )
    assert [(test["small"], test["large"]) for test in printed["nested"]] == [
        ("power_size[L_inf=1.8]", "power_size")
    ]
    result = jscale("compare", sizes, *COMPARE)
    assert (result.exit_code, result.stderr) == (0, "")
    assert "held-out rmse" in result.stdout
    assert "likelihood ratio" in result.stdout
    without_holdout = answer(
        "compare", sizes, *COMPARE, "--holdout", 0, "--nested", "power_size[L_inf=1.8]<power_size"
    )
    assert without_holdout["held_out"] == {"runs": 0, "C_from": None}
    assert len(without_holdout["nested"]) == 1


@pytest.fixture(scope="module")
def posteriors(sizes: Path) -> list[Path]:
    """The posteriors of one law under two error models."""
    files, table = [], runs.read(sizes)
    for errors in ("student", "normal"):
        draws = fit.posterior(
            FREE,
            table,
            key=jax.random.key(0),
            errors=errors,
            sampler="importance",
            chains=1,
            draws=400,
        )
        files.append(sizes.with_name(f"{errors}.nc"))
        draws.save(files[-1])
    return files


def test_compare_posteriors(answer, jscale, sizes: Path, posteriors: list[Path], tmp_path: Path):
    given = [word for file in posteriors for word in ("--posterior", file)]
    printed = answer("compare", sizes, *given, "--out", tmp_path / "loo.json")
    assert json.loads((tmp_path / "loo.json").read_text()) == printed
    assert (printed["n_runs"], printed["cluster"], len(printed["clusters"])) == (40, None, 40)
    first, second = printed["rows"]
    assert {first["errors"], second["errors"]} == {"student", "normal"}
    assert first["elpd"] == pytest.approx(sum(first["log_scores"]))
    assert second["difference"] == pytest.approx(second["elpd"] - first["elpd"])
    assert first["weight"] + second["weight"] == pytest.approx(1.0)
    result = jscale("compare", sizes, *given)
    assert (result.exit_code, result.stderr) == (0, "")
    assert "40 runs, each left out in turn" in result.stdout
    # Notes are one line each, which a terminal folds.
    tables = [line for line in result.stdout.splitlines() if "warning: " not in line]
    assert max(map(len, tables)) <= 80
    alone = answer("compare", sizes, "--posterior", posteriors[0], "--refit")
    assert [row["weight"] for row in alone["rows"]] == [1.0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--law", "power_size"), "--law: no effect with --posterior"),
        (("--cluster", "shape"), "--cluster: sizes.csv has no column 'shape'"),
        (("--cluster", "D"), "--cluster: sizes.csv: no two runs share a value of 'D'"),
        (("--posterior", "STUDENT"), "--posterior: 'power_size, student' is given twice"),
    ],
)
def test_compare_refuses_with_posteriors(jscale, sizes: Path, posteriors, arguments, message):
    words = [str(posteriors[0]) if word == "STUDENT" else word for word in arguments]
    result = jscale("compare", sizes, "--posterior", posteriors[0], *words)
    assert result.exit_code == 2
    assert message in result.stderr


def test_sensitivity(answer, jscale, sizes: Path, tmp_path: Path):
    out, figure = tmp_path / "curve.json", tmp_path / "curve.svg"
    printed = answer("sensitivity", sizes, *CURVE, "--out", out, "--figure", figure)
    assert json.loads(out.read_text()) == printed
    assert figure.read_text().startswith("<?xml")
    assert len(printed["rows"]) == 6
    assert {row["runs"] for row in printed["rows"]} == {
        "all runs",
        "without the 5 smallest D/N",
        "without the 10% lowest-compute runs",
    }
    values = [row["value"] for row in printed["rows"]]
    assert printed["range"] == [min(values), max(values)]
    result = jscale("sensitivity", sizes, *CURVE, "--vary", "ratio")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith("alpha ranges from ")
    assert "over 4 certified fits of 4" in result.stdout


def test_laws_and_objectives_as_typed():
    assert laws.describe(law_from("chinchilla[beta=alpha, E=1.7]")).parameter_names == (
        "A",
        "B",
        "alpha",
    )
    assert str(objective_of("huber-likelihood:0.5")) == "huber-likelihood(delta=0.5)"
    assert objective_of("raw-squares") == "raw-squares"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("compare", "--law", "power_size"), "at least two laws, not 1"),
        (("compare",), "at least two laws, not 0"),
        (("compare", *COMPARE, "--cluster", "N"), "--cluster: no effect without --posterior"),
        (("compare", "--law", "power_siz"), "did you mean 'power_size'?"),
        (("compare", "--law", "power_size[beta=alpha]"), "has no parameter beta"),
        (
            ("compare", *COMPARE, "--holdout", 1),
            "error: --holdout must be above 0 and below 1, not 1",
        ),
        (("compare", *COMPARE, "--nested", "power_size"), "--nested: expected SMALL<LARGE"),
        (
            ("compare", *COMPARE, "--nested", "power_size<kaplan"),
            "'kaplan' is not one of the laws given with --law",
        ),
        (("sensitivity",), "missing option '--target'"),
        (("sensitivity", *CURVE, "--target", "gamma"), "--target: one at a time, not 2"),
        (
            ("sensitivity", *CURVE, "--objective", "raw-squares:2"),
            "a delta belongs to huber, asymmetric-huber, huber-likelihood",
        ),
        (("sensitivity", *CURVE, "--vary", "groups"), "needs column 'group'"),
        (
            ("sensitivity", *CURVE, "--turns-at", "nan"),
            "error: --turns-at must be a finite number, not nan",
        ),
        (
            ("sensitivity", *CURVE, "--column", "X=N"),
            "error: --column: law 'power_size' has no input 'X'",
        ),
        (("sensitivity", *CURVE, "--column", "N"), "--column: expected NAME=VALUE"),
        (
            ("sensitivity", *CURVE, "--figure", "curve.gif"),
            "expected a file that ends in .png, .pdf or .svg",
        ),
    ],
)
def test_bad_input(jscale, sizes: Path, arguments, message):
    name, *options = arguments
    result = jscale(name, sizes, *options)
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr
    assert result.stderr.count("\n") == 1


def curve() -> Sensitivity:
    def way(
        value: float, objective: str, choice: str, status: Status = Status.converged
    ) -> Specification:
        return Specification("chinchilla", objective, choice, "as given", 30, value, 0.01, status)

    rows = (
        way(0.51, "huber", "all runs"),
        way(0.48, "log-squares", "all runs"),
        way(0.9, "huber", "some", Status.not_converged),
        way(float("nan"), "log-squares", "some", Status.not_converged),
    )
    return Sensitivity("a", rows, 0.5, (), "")


def test_the_figure_shows_every_value_in_order_with_its_choices():
    above, below = report.sensitivity_figure(curve()).axes
    drawn = {c.get_label(): c.lines[0].get_xydata().tolist() for c in above.containers}
    assert drawn == {
        "certified": [[0, 0.48]],
        "first specification": [[1, 0.51]],
        "not certified": [[2, 0.9]],
    }
    dots = {
        c.get_label(): c.get_offsets()[:, 0].tolist()
        for c in below.collections
        if c.get_label() != "_off"
    }
    assert dots == {"all runs": [0, 1], "some": [2], "huber": [1, 2], "log-squares": [0]}
    assert [tick.get_text() for tick in below.get_yticklabels()] == [
        "all runs",
        "some",
        "huber",
        "log-squares",
    ]
    assert above.lines[0].get_ydata()[0] == 0.5


@pytest.mark.parametrize(
    ("kind", "start"), [(".png", b"\x89PNG"), (".pdf", b"%PDF"), (".svg", b"<?xml")]
)
def test_figures_are_written(tmp_path: Path, kind: str, start: bytes):
    report.write_sensitivity(tmp_path / f"curve{kind}", curve())
    assert (tmp_path / f"curve{kind}").read_bytes().startswith(start)


def test_figures_that_cannot_be(tmp_path: Path):
    with pytest.raises(JscaleError, match=r"expected a file that ends in \.pdf, \.png, \.svg"):
        report.write_sensitivity(tmp_path / "curve.gif", curve())
    empty = Sensitivity("a", curve().rows[3:], None, (), "")
    with pytest.raises(JscaleError, match="there is nothing to draw"):
        report.write_sensitivity(tmp_path / "curve.png", empty)
    assert list(tmp_path.iterdir()) == []
