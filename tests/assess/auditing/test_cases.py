"""Small tables as people keep them, under audit, and the numbers that are known of them."""

from pathlib import Path

import numpy as np
import pytest

from jscale import assess, fit, laws, runs
from jscale.assess.auditing import all_advice

DIMENSIONS, BUDGETS = ["d512", "d768", "d1024", "d1280"], [2.19e17, 1.70e18, 9.00e18, 2.83e19]


def codes(table, **options) -> dict[str, str]:
    return {note.code: note.severity for note in assess.audit(table, **options).notes}


def test_a_ladder_is_named_as_a_ridge_with_the_runs_that_would_break_it():
    n = [7e7, 1.6e8, 4.1e8, 1e9, 2.8e9]
    table = runs.read({"N": n, "D": [20.2 * x for x in n], "loss": [3.35, 3.06, 2.79, 2.6, 2.43]})
    (note,) = assess.audit(table).errors
    assert note.code == "ridge"
    assert "runs that would break it: N 160M at D" in note.message


def test_twenty_seeds_of_one_run_give_the_noise_of_a_seed():
    losses = 0.7372 * np.exp(2e-4 * np.random.default_rng(0).standard_normal(20))
    table = {"seed": range(20), "tokens_trained": [5.2e9] * 20, "val_bpb": losses}
    (note,) = [n for n in assess.audit(table).notes if n.code == "seed-noise"]
    assert note.evidence["seed_noise"] == pytest.approx(2e-4, rel=0.4)
    assert note.evidence["degrees_of_freedom"] == 19


def test_isoflop_cells_with_budget_and_tokens():
    cells = {
        "budget": [1e18] * 3 + [3e18] * 4,
        "tokens": [5.77e9, 2.33e9, 9.23e8, 1.73e10, 7e9, 2.77e9, 1.57e9],
        "macro_loss": [3.399, 3.364, 3.456, 3.298, 3.204, 3.224, 3.289],
    }
    table = runs.read(cells, columns={"loss": "macro_loss"})
    result = fit.isoflop(table, law=None)
    assert [b.D_opt for b in result.budgets] == pytest.approx([2.837e9, 5.082e9], rel=2e-4)
    assert [b.loss for b in result.budgets] == pytest.approx([3.3611, 3.1982], abs=1e-4)


def test_arms_of_an_experiment_are_told_apart():
    table = runs.read(
        {
            "variant": ["base"] * 4 + ["2x"] * 4,
            "dim": DIMENSIONS * 2,
            "budget": BUDGETS * 2,
            "loss": [3.8105, 3.434, 3.1607, 3.0063, 3.8165, 3.436, 3.1637, 3.0133],
        }
    )
    assert codes(table)["text-splits"] == "warning"
    arm = table.where("variant == '2x'")
    assert "text-splits" not in codes(arm)
    law = laws.fix(laws.power_compute, L_inf=1.6)
    params = fit.point(law, arm, objective="log-squares", starts=2).params
    assert params["alpha"] == pytest.approx(0.0930, abs=2e-4)
    assert params["A"] == pytest.approx(90.93, rel=0.01)


def test_a_curve_of_one_run_is_no_outlier_of_a_smooth_surface():
    sizes = np.arange(15e6, 136e6, 10e6)
    losses = 7.0 * np.exp(-sizes / 5e7) + 0.02
    assert "outliers" not in codes({"N": sizes, "loss": losses})


@pytest.mark.data
def test_public_tables_have_no_error_but_those_that_their_sources_name():
    errors = {
        entry.name: {note.code for note in assess.audit(runs.dataset(entry.name)).errors}
        for entry in runs.datasets()
    }
    assert {name: found for name, found in errors.items() if found} == {
        "gemstones": {"checkpoints"}
    }


@pytest.mark.data
def test_the_points_of_llama_3_that_are_flagged_are_found():
    table = runs.dataset("llama3-isoflop")
    assert "one-budget-matters" in codes(table)


@pytest.mark.data
def test_the_floor_of_quest_is_not_identified():
    table = runs.dataset("quest")
    found = codes(table, law="chinchilla", starts=2)
    assert found["floor-unidentified"] == "error"


def test_every_code_has_a_line_in_the_documentation():
    text = (Path(__file__).parents[3] / "docs" / "audit.md").read_text(encoding="utf-8")
    for code, advice in all_advice().items():
        assert f"| `{code}` |" in text, code
        assert advice.replace("|", "\\|") in text, code
