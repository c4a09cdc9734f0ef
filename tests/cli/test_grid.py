"""``jscale grid``."""

import numpy as np
import pytest

from jscale._core.errors import JscaleError
from jscale.cli.grid import saved_results
from tests.cli.test_bad_input import rejected

SMALL = ("--quantity", "value=(x - 2)**2 + y", "--axis", "x=0:4:5:linear", "--axis", "y=1,2")
KUMAR = (
    *("--law", "precision", "--params", "kumar2024"),
    *("--axis", "N=1e9:1e10:21", "--axis", "D=1e10:1e12:21", "--axis", "P=4:12:9:linear"),
    *("--quantity", "flops=6/16*N*D*P", "--where", "flops <= 1e21"),
)


def test_the_best_point_of_a_law(answer, tmp_path):
    out = tmp_path / "out.json"
    printed = answer(
        "grid", *KUMAR, "--top", 3, "--front", "flops,loss", "--keep", "P", "--out", out
    )
    assert set(printed["best"]) == {"N", "D", "P", "value"}
    assert printed["best"] == printed["top"][0]
    assert printed["points"] == 21 * 21 * 9 > printed["feasible"] > 0
    assert 5e9 < printed["best"]["N"] < 6e9
    assert 6 <= printed["best"]["P"] <= 8
    assert [entry["P"] for entry in printed["marginal"]] == list(range(4, 13))
    assert printed["front"][0]["flops"] < printed["front"][-1]["flops"] <= 1e21
    assert '"seconds"' not in out.read_text()


def test_a_file_is_read_as_results(answer, tmp_path):
    """What a report draws: the axes that were kept, infeasible cells, and the front."""
    file = tmp_path / "grid.json"
    printed = answer(
        "grid", *SMALL, "--quantity", "cost=y - x", "--where", "x + y < 6", "--keep", "x,y",
        "--front", "value,cost", "--out", file,
    )  # fmt: skip
    front, marginal = saved_results(str(file))
    assert front["cost"].tolist() == [entry["cost"] for entry in printed["front"]]
    assert marginal.dims == ("x", "y")
    expected = np.array([[(x - 2) ** 2 + y for y in (1.0, 2.0)] for x in range(5)])
    expected[4, 1] = np.nan
    np.testing.assert_array_equal(marginal["value"], expected)
    assert marginal.coords["y"][1].tolist() == [1, 2]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "cannot be read: No such file"),
        ("{", "cannot be read: it is no JSON"),
        ("[1]", "is not a file of jscale grid --out"),
        ("{}", "has nothing to draw; expected a search with --front or --keep"),
        ('{"marginal": [{"x": 1}], "keep": ["x"]}', "is not a file of jscale grid --out"),
    ],
)
def test_a_file_that_is_no_grid(tmp_path, content, words):
    file = tmp_path / "grid.json"
    if content is not None:
        file.write_text(content)
    with pytest.raises(JscaleError, match=words):
        saved_results(str(file))


def test_the_optimum_between_the_points(answer, jscale):
    """The published optimum from a coarse grid in float32."""
    words = ("grid", *KUMAR, "--dtype", "float32", "--polish")
    polished = answer(*words)["polished"]
    expected = {"N": 5.34335e9, "D": 7.12732e10, "P": 7.00211}
    assert {name: polished[name] for name in expected} == pytest.approx(expected, rel=1e-6)
    assert (polished["status"], polished["at"]) == ("converged", [])
    assert "between the points: converged" in jscale(*words).stdout


def test_a_search_is_kept_where_it_cannot_be_polished(answer):
    printed = answer("grid", *SMALL, "--where", "minimum(x, y)", "--polish")
    assert printed["best"]["value"] == 1
    assert "polished" not in printed
    (note,) = printed["notes"]
    assert note["code"] == "not-polished"
    assert "'minimum(x, y)' is not a comparison" in note["message"]


def test_a_formula_and_ties(answer):
    printed = answer("grid", *SMALL, "--where", "x > 2")
    assert printed["best"] == {"value": 2.0, "x": 3.0, "y": 1.0}
    assert (printed["points"], printed["feasible"], printed["nan"]) == (10, 4, 0)


def test_models_from_a_file(answer, jscale, tmp_path):
    file = tmp_path / "models.csv"
    file.write_text("name,N,layers\nsmall,1B,16\nlarge,70B,80\n")
    words = ("--models", file, "--axis", "bits=4,16", "--quantity", "value=1/N + bits/1e12")
    printed = answer("grid", *words, "--where", "N * bits <= 300e9")
    assert printed["best"] == {
        "name": "large",
        "N": 7e10,
        "layers": 80,
        "bits": 4,
        "value": pytest.approx(1 / 7e10 + 4e-12),
    }
    shown = jscale("grid", *words)
    assert shown.exit_code == 0
    assert "best points" in shown.stdout
    assert "large" in shown.stdout


def test_a_finished_job_leaves_no_file(answer, tmp_path):
    answer("grid", *SMALL, "--resume", tmp_path / "progress")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "--axis: there is no axis"),
        (("--axis", "x=1,2"), "nothing to minimise"),
        ((*SMALL, "--axis", "x=1"), "--axis: an axis is given twice"),
        ((*SMALL, "--front", "value"), "--front must be two or three different quantities, not"),
        ((*SMALL, "--axis", "z"), "--axis: expected NAME=VALUES such as P=4,8,16, not 'z'"),
        ((*SMALL, "--axis", "z=1:2:0"), "--axis: z: expected LOW:HIGH:COUNT"),
        ((*SMALL, "--axis", "z=0:2:3"), "add ':linear'"),
        ((*SMALL, "--axis", "z=1,b"), "--axis: z"),
        ((*SMALL, "--where", "x >"), "x >"),
        ((*SMALL, "--where", "x > 9"), "none of the 10 points is feasible"),
        ((*SMALL, "--minimise", "z"), "--minimise: there is no quantity 'z'"),
        ((*SMALL, "--quantity", "3"), "--quantity: expected NAME=FORMULA"),
        ((*SMALL, "--quantity", "value=x"), "--quantity: 'value' is given twice"),
        ((*SMALL, "--params", "hoffmann2022"), "--params: the parameters of which law?"),
        ((*SMALL, "--fix", "E=1"), "--fix"),
        ((*SMALL, "--posterior", "no.nc", "--polish"), "--polish: no effect with --posterior"),
        ((*SMALL, "--top", 0), "k must be a whole number of at least 1"),
        ((*SMALL, "--hosts", "me"), "--hosts: expected 'auto' or HOST:PORT,I/N"),
        ((*SMALL, "--models", "no.csv"), "--models 'no.csv'"),
        (
            ("--quantity", "v=x+y", "--axis", "x=1:2:10000000", "--axis", "y=1:2:10000000"),
            "or confirm with --yes\n",
        ),
    ],
)
def test_bad_input(jscale, words, message):
    rejected(jscale("grid", *words), message)
