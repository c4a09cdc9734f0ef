"""``jscale sample --by`` and ``jscale compare --effective-compute``: groups of runs."""

import json
from pathlib import Path

import numpy as np
import pytest

from jscale import fit, laws

TRUTH = laws.params(laws.chinchilla, "hoffmann2022")
FACTOR = 1.5
FIXED = ["--fix", f"alpha={TRUTH['alpha']}", "--fix", f"beta={TRUTH['beta']}"]
QUICK = ["--draws", "250", "--json"]


@pytest.fixture(scope="module")
def recipes(tmp_path_factory) -> Path:
    """Runs of two recipes, of which the second saves a third of the compute."""
    N, D = (x.ravel() for x in np.meshgrid(np.geomspace(1e8, 1e10, 4), [5e9, 3e10, 2e11]))
    rng, lines = np.random.default_rng(0), ["N,D,loss,recipe"]
    for label, factor in (("plain", 1.0), ("saving", FACTOR**0.5)):
        loss = np.asarray(laws.chinchilla(N=factor * N, D=factor * D, **TRUTH), float)
        loss = loss * np.exp(0.002 * rng.normal(size=len(loss)))
        lines += [f"{n},{d},{x},{label}" for n, d, x in zip(N, D, loss, strict=True)]
    path = tmp_path_factory.mktemp("recipes") / "recipes.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_sample_pools_groups_and_writes_one_of_them(jscale, recipes, tmp_path):
    out = tmp_path / "saving.nc"
    pooled = ["--by", "recipe", "--pool", "A=separate,B=separate"]
    result = jscale("sample", recipes, *FIXED, *pooled, *QUICK)
    content = json.loads(result.stdout)
    assert content["by"] == "recipe"
    assert content["pool"] == {"E": "shared", "A": "separate", "B": "separate"}
    assert {"A[plain]", "A[saving]", "E", "sigma"} <= set(content["params"])
    assert "text-splits" not in {note["code"] for note in content["notes"]}
    single = jscale("sample", recipes, *FIXED, *pooled, *QUICK, "--group", "saving", "--out", out)
    law = laws.fix(laws.chinchilla, alpha=TRUTH["alpha"], beta=TRUTH["beta"])
    assert json.loads(single.stdout)["params"]["A"]["q50"] == pytest.approx(
        content["params"]["A[saving]"]["q50"]
    )
    assert set(fit.load(out, law).draws) == {"E", "A", "B"}


def test_compare_gives_the_compute_that_a_recipe_saves(jscale, recipes):
    options = ["--effective-compute", "recipe", "--along", "ratio", "--budget", "1e21"]
    law = f"chinchilla[alpha={TRUTH['alpha']},beta={TRUTH['beta']}]"
    result = jscale("compare", recipes, "--law", law, *options, "--json")
    content = json.loads(result.stdout)
    (recipe,) = content["recipes"]
    assert (content["reference"], recipe["recipe"]) == ("plain", "saving")
    assert recipe["overall"]["q05"] < FACTOR < recipe["overall"]["q95"]
    assert recipe["budgets"][0]["C"] == 1e21


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["sample", "--pool", "partial"], "--pool: no effect without --by COLUMN"),
        (["sample", "--by", "recipe"], "--by: what differs between the groups is missing"),
        (["sample", "--by", "corpus", "--pool", "partial"], "has no column 'corpus'"),
        (["sample", "--by", "recipe", "--pool", "gamma=partial"], "has no parameter 'gamma'"),
        (["sample", "--by", "recipe", "--pool", "E=part"], "must be shared, partial or separate"),
        (
            ["sample", "--by", "recipe", "--pool", "partial", "--group", "safe"],
            "--group: no 'safe' in column 'recipe'",
        ),
        (["compare", "--effective-compute", "recipe", "--floor", "low"], "--floor: expected"),
        (
            ["compare", "--effective-compute", "recipe", "--reference", "plane"],
            "--reference: no recipe 'plane'",
        ),
        (
            ["compare", "--effective-compute", "recipe", "--holdout", "0.1"],
            "--holdout: no effect with --effective-compute",
        ),
        (["compare", "--floor", "free", "--law", "chinchilla"], "--floor: no effect without"),
    ],
)
def test_bad_options_are_one_line(jscale, recipes, words, message):
    verb, *options = words
    result = jscale(verb, recipes, *options)
    assert result.exit_code == 2
    assert message in result.stderr
    assert "Traceback" not in result.stderr
