"""What an error model needs of the runs: columns, defaults, and a sentence for each mistake."""

from typing import Annotated

import numpy as np
import numpyro.distributions as dist
import pytest
from jax.typing import ArrayLike

from jscale import fit, laws, runs
from jscale._core.errors import JscaleError
from jscale._core.scope import float64
from jscale.fit.bayes._model import Posed, pose
from jscale.fit.errors import place
from tests.fit.tables import isoflop


def output_of(law: laws.LawFunction) -> laws.roles.Role:
    return laws.describe(law).output


def table(**columns: object) -> runs.Runs:
    simulated = isoflop()
    own = {name: simulated[name] for name in ("N", "D", "loss")}
    return runs.read({**own, **columns})


def posed(errors: object, law=laws.chinchilla, **columns: object) -> Posed:
    with float64():
        return pose(law, table(**columns), None, errors)


def resolved(errors: str, **columns: object) -> str:
    return str(posed(errors, **columns).problem.errors)


NUMBERS = np.arange(40)
LABELS = [f"run {i}" for i in NUMBERS]
PAIRS = [f"pair {i // 2}" for i in NUMBERS]


def test_effects_have_a_default_column():
    """``trunk``, where runs branch off one; else ``group``; else equal sizes."""
    trunks = [f"t{i // 4}" for i in range(36)] + [""] * 4
    assert resolved("normal + effects", trunk=trunks, group=PAIRS) == "normal + effects(trunk)"
    assert resolved("normal + effects", trunk=LABELS, group=PAIRS) == "normal + effects(group)"
    assert resolved("normal + effects") == "normal + effects(N)"


def test_runs_without_a_trunk_are_clusters_of_their_own():
    trunks = [f"t{i // 4}" for i in range(36)] + [""] * 4
    labels = posed("normal + effects(trunk)", trunk=trunks).rows.columns["trunk"]
    assert len(set(labels.tolist())) == 9 + 4


def test_a_discrepancy_depends_on_the_inputs_that_vary():
    bits = {f"P_{part}": np.full(40, 16.0) for part in ("w", "a", "kv")}
    bits["P_w"] = 2.0 + NUMBERS % 4
    precise = posed("normal + discrepancy", law=laws.qat, **bits)
    assert precise.problem.errors.discrepancy == ("N", "D", "P_w")
    assert precise.rows.inducing.shape == (40, 3)


def test_runs_with_equal_inputs_are_a_configuration():
    simulated = isoflop(sizes=4)
    twice = {name: np.tile(simulated[name], 2) for name in ("N", "D", "loss")}
    with float64():
        own = pose(laws.chinchilla, runs.read(twice), None, "normal + effects(configuration)")
        columns = {name: twice[name][:3] for name in ("N", "D")}
        at = place(own.problem.errors, own.rows, columns, {})
        new = place(own.problem.errors, own.rows, {"N": np.array([1e9]), "D": np.array([1e9])}, {})
    assert len(np.unique(own.problem.arrays.at.clusters[0][:40])) == 20
    np.testing.assert_array_equal(at.clusters[0], own.problem.arrays.at.clusters[0][:3])
    assert new.clusters[0].tolist() == [-1]


def test_the_scale_is_not_extrapolated_without_end():
    own = posed("normal + scale(C)")
    with float64():
        inputs = {"N": np.array([1e9, 1e15]), "D": np.array([1e10, 1e20])}
        scale = place(own.problem.errors, own.rows, inputs, {}).scale[:, 0]
    assert scale[1] == 2.5
    assert -2.5 < scale[0] < 2.5


def test_groups_with_one_run_are_noted():
    groups = ["alone"] + ["many"] * 20 + ["others"] * 19
    notes = posed("normal + scale-by(group)", group=groups).notes
    note = next(note for note in notes if note.code == "single-run-groups")
    assert note.severity == "warning"
    assert "1 group of group with one run ('alone')" in note.message


BAD = {
    "normal + effects(trunk)": ({}, "has no column 'trunk'"),
    "normal + effects(goup)": ({"group": PAIRS}, "did you mean 'group'?"),
    "normal + effects(group)": ({"group": ["one"] * 40}, "all runs have one value"),
    "student + effects(group)": ({"group": LABELS}, "no two runs share a value"),
    "normal + scale-by(group)": ({"group": ["one"] * 40}, "all runs have one value"),
    "student + scale-by(group)": ({"group": LABELS}, "no two runs share a value, so that no group"),
    "normal + effects(tag)": ({"tag": ["a", *[""] * 39]}, "row 2: the cell is empty"),
    "normal + known": ({}, "no column 'loss_se'"),
    "student + known": ({"loss_se": [0.01, 0, *[0.01] * 38]}, "row 2: 0 is out of range"),
    "outliers + known": ({"loss_se": [np.nan, *[0.01] * 39]}, "row 1: the cell is empty"),
    "normal + scale(lr)": ({"lr": np.full(40, 0.1)}, "the same in all runs"),
    "normal + scale(C, lr)": ({"lr": NUMBERS * 0.1}, "row 1: 0 has no finite logarithm"),
    "normal + scale(group)": ({"group": PAIRS}, "holds text"),
    "normal + scale(D/M)": ({}, "no column 'M'"),
    "normal + discrepancy(M)": ({}, "law 'chinchilla' has no input 'M' (it has: N, D)"),
    "nromal": ({}, "did you mean 'normal'?"),
}


@pytest.mark.parametrize("text", BAD)
def test_what_the_runs_lack_is_named(text):
    columns, message = BAD[text]
    if "loss_se" in columns:
        columns = {**columns}
    with pytest.raises(JscaleError) as error:
        posed(text, **columns)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_discrepancy_needs_different_runs():
    few = runs.read({name: isoflop()[name][:6] for name in ("N", "D", "loss")})
    with pytest.raises(JscaleError, match="the runs have 6 different inputs; expected at least 8"):
        fit.model(laws.chinchilla, few, errors="normal + discrepancy")


def test_effects_without_shared_runs_say_so():
    columns = {"N": np.geomspace(1e7, 1e9, 12), "D": np.geomspace(1e9, 1e11, 12)}
    alone = runs.read({**columns, "loss": 2 + columns["N"] ** -0.05})
    with pytest.raises(JscaleError, match="no runs share a trunk, a group or a size"):
        fit.model(laws.chinchilla, alone, errors="normal + effects")


def test_additive_errors_and_losses_below_zero():
    """Losses relative to those of unigrams are negative and have no logarithm."""
    rng = np.random.default_rng(0)
    columns = {
        "N_nv": rng.uniform(1e7, 1e9, 30),
        "vocab": rng.uniform(4e3, 1e5, 30),
        "d_model": rng.uniform(512, 2048, 30),
        "D": rng.uniform(1e9, 1e11, 30),
        "loss": np.full(30, 3.0),
        "loss_u": rng.normal(-3, 0.5, 30),
    }
    with float64():
        own = pose(laws.vocabulary, runs.read(columns), None, "student + additive")
    assert own.problem.arrays.spread == pytest.approx(columns["loss_u"].std())
    with pytest.raises(JscaleError, match=r"has no logarithm.*'normal \+ additive'"):
        fit.model(laws.vocabulary, runs.read(columns))


def test_a_floor_in_units_of_the_losses_needs_losses_above_zero():
    @laws.law(formula="E + A * N_nv**-alpha", source="test")
    def law(
        N_nv: laws.roles.Count,
        *,
        E: laws.roles.Irreducible,
        A: laws.roles.Slope,
        alpha: laws.roles.Exponent,
    ) -> Annotated[ArrayLike, output_of(laws.vocabulary)]:
        """A law with a floor, of a loss that may be negative."""
        return E + A * N_nv**-alpha

    columns = {"N_nv": np.geomspace(1e7, 1e9, 9), "D": np.full(9, 1e9), "loss": np.full(9, 3.0)}
    table = runs.read({**columns, "loss_u": np.linspace(-1, -2, 9)})
    with pytest.raises(JscaleError, match="E of law 'law' is in units of the losses"):
        fit.model(law, table, errors="normal + additive")


def test_errors_of_another_type_are_refused():
    for errors in (3, ["normal"], b"normal", True):
        with pytest.raises(JscaleError, match=r"errors must be a fit\.ErrorModel or its text"):
            fit.model(laws.chinchilla, table(), errors=errors)
    with pytest.raises(JscaleError, match="observed must be True or False"):
        fit.model(laws.chinchilla, table(), observed="no")


def test_priors_of_the_error_model_can_be_replaced():
    priors = {"sigma": dist.LogNormal(-3.0, 0.1), "misfit_length": dist.LogNormal(1.0, 0.1)}
    fit.model(laws.chinchilla, table(), errors="normal + discrepancy", priors=priors)
    with pytest.raises(JscaleError, match="misfit_length"):
        fit.model(laws.chinchilla, table(), errors="normal", priors=priors)


def test_a_parameter_of_the_law_is_not_one_of_the_errors():
    @laws.law(formula="nu + N**-alpha", source="test")
    def floor(
        N: laws.roles.Count, *, nu: laws.roles.Irreducible, alpha: laws.roles.Exponent
    ) -> laws.roles.Loss:
        """A law with a parameter ``nu``."""
        return nu + N**-alpha

    with float64(), pytest.raises(JscaleError, match="has a parameter 'nu', and so has law"):
        pose(floor, table(), None, "student(free)")
