"""Pooled posteriors: parameters that are shared, partial or separate between groups of runs."""

from dataclasses import replace
from functools import partial as partial_of

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpyro import handlers

from jscale import fit, laws, runs
from jscale._core.errors import JscaleError
from jscale._core.scope import float64
from jscale.fit.bayes._conditional import _conditionals
from jscale.fit.bayes._model import pose, sites
from jscale.fit.bayes._pool import checked_pool, parsed_pool
from jscale.fit.bayes.sampling._deviations import informed, spread
from jscale.fit.bayes.sampling._mode import _informed, find_mode
from jscale.fit.bayes.sampling._ridge import along_ridge
from jscale.fit.bayes.sampling._whitening import (
    free_size,
    natural_sites,
    potential_at,
    sites_at,
    split,
    unconstrained,
)

KEY = jax.random.key(0)
TRUTH = laws.params(laws.chinchilla, "hoffmann2022")
SIZES, TOKENS = (x.ravel() for x in np.meshgrid(np.geomspace(1e8, 1e10, 4), [5e9, 3e10, 2e11]))
LAW = laws.fix(laws.chinchilla, B=TRUTH["B"], beta=TRUTH["beta"])
"""Three parameters: E, A and alpha."""


def grouped(floors, alphas, noise=0.003, seed=1):
    """A run of each size and token count in every group; equal size terms at 1e9 parameters."""
    rng = np.random.default_rng(seed)
    columns = {"N": [], "D": [], "loss": [], "corpus": []}
    for i, (E, alpha) in enumerate(zip(floors, alphas, strict=True)):
        A = TRUTH["A"] * 1e9 ** (alpha - TRUTH["alpha"])
        loss = np.asarray(LAW(N=SIZES, D=TOKENS, E=E, A=A, alpha=alpha), float)
        columns["N"] += SIZES.tolist()
        columns["D"] += TOKENS.tolist()
        columns["loss"] += (loss * np.exp(noise * rng.normal(size=len(loss)))).tolist()
        columns["corpus"] += [f"c{i}"] * len(loss)
    return runs.read(columns)


def only(table, label):
    keep = table["corpus"] == label
    return runs.read({name: table[name][keep] for name in table})


TWO = grouped([1.5, 1.9], [0.30, 0.38])


def within(a, b, sds=0.2):
    """Two summaries agree: means within a share of the sd, sds and ends within a fifth."""
    assert abs(a["mean"] - b["mean"]) < sds * b["sd"]
    assert a["sd"] == pytest.approx(b["sd"], rel=0.2)


@pytest.fixture(scope="module")
def separate():
    return fit.pooled_posterior(
        LAW, TWO, by="corpus", pool="separate", key=KEY, errors="student + scale-by(corpus)"
    )


def test_separate_parameters_are_those_of_single_fits(separate):
    """With a scale for each group, both are products of the same likelihoods and priors."""
    assert separate.draws["alpha"].shape == (4000, 2)
    for i, label in enumerate(separate.groups):
        single = fit.posterior(LAW, only(TWO, label), key=KEY, errors="student")
        group = separate.group(label)
        assert group.draws["alpha"].tolist() == separate.draws["alpha"][:, i].tolist()
        for name in ("E", "A", "alpha"):
            within(group.summary[name], single.summary[name])


def test_a_group_is_an_ordinary_posterior(separate, tmp_path):
    group = separate.group("c1")
    assert str(group.errors) == "student"
    assert group.noise["sigma"].tolist() == separate.noise["sigma_c1"].tolist()
    assert len(group.rows) == 12
    band = group.predict({"N": [1e10], "D": [2e11]}, key=KEY)
    truth = float(LAW(1e10, 2e11, E=1.9, A=TRUTH["A"] * 1e9 ** (0.38 - TRUTH["alpha"]), alpha=0.38))
    assert band.mean()[0] == pytest.approx(truth, rel=0.01)
    group.save(tmp_path / "group.nc")
    assert fit.load(tmp_path / "group.nc", LAW).summary["alpha"] == group.summary["alpha"]


def test_a_file_gives_back_the_draws(separate, tmp_path):
    path = tmp_path / "pooled.nc"
    separate.save(path)
    loaded = fit.load_pooled(path, LAW)
    assert loaded.summary == separate.summary
    assert loaded.groups == separate.groups
    assert loaded.modes == separate.modes
    assert loaded.group("c0").draws["E"].tolist() == separate.group("c0").draws["E"].tolist()
    with pytest.raises(JscaleError, match="holds a pooled posterior, by corpus"):
        fit.load(path, LAW)
    group = separate.group("c0")
    group.save(path)
    with pytest.raises(JscaleError, match="holds the posterior of one group"):
        fit.load_pooled(path, LAW)


def test_arviz_has_a_dimension_of_groups(separate):
    variable = separate.to_arviz()["posterior"]["alpha_by_group"]
    assert variable.dims == ("chain", "draw", "group")
    assert variable.coords["group"].values.tolist() == ["c0", "c1"]


def test_a_new_group_needs_what_is_separate(separate):
    with pytest.raises(JscaleError, match="E, A, alpha is separate"):
        separate.new_group(key=KEY)
    new = separate.new_group(key=KEY, E=1.7, A=300.0, alpha=0.3)
    assert set(new.draws["E"]) == {1.7}
    assert new.noise["sigma"].std() > separate.noise["sigma_c0"].std()
    with pytest.raises(JscaleError, match="alpha must be a number or one a draw inside its range"):
        separate.new_group(key=KEY, E=1.7, A=300.0, alpha=-0.3)


def with_errors(pooled, errors, **columns):
    """The pooled draws under another error model, whose parameters depend on the draw."""
    shares = np.linspace(0.8, 1.2, len(pooled.diverging))
    values = {"sigma": 0.01, "scale_power_C": -0.3, "effect_scale_seed": 0.02}
    noise = {name: values[name] * shares for name in fit.errors.noise_ranges(errors)}
    rows = replace(pooled.rows, columns={**pooled.rows.columns, **columns})
    return replace(pooled, errors=errors, noise=noise, rows=rows)


def errors_at(posterior, **columns):
    """The errors of a run of 1e10 parameters and 5e10 tokens."""
    inputs = {"N": np.array([1e10]), "D": np.array([5e10])}
    with float64():
        return _conditionals(posterior, inputs, {n: np.array([x]) for n, x in columns.items()})[0]


def test_the_scale_of_errors_depends_on_the_same_compute_in_every_group(separate):
    """A group's own runs are standardised otherwise than all of them."""
    compute = 6 * TWO["N"] * TWO["D"] * np.where(TWO["corpus"] == "c1", 30.0, 1.0)
    pooled = with_errors(separate, fit.ErrorModel("normal", scale=("C",)), C=compute)
    logs, at = np.log(compute), 3e21
    power = pooled.noise["scale_power_C"] * (np.log(at) - logs.mean()) / logs.std()
    expected = pooled.noise["sigma"] * np.exp(power)
    new = pooled.new_group(key=KEY, E=1.7, A=300.0, alpha=0.3)
    for posterior in (new, pooled.group("c0"), pooled.group("c1")):
        scale = errors_at(posterior, C=at).scale.total
        np.testing.assert_allclose(scale[:, 0], expected, rtol=1e-9)


def test_a_new_group_is_in_new_clusters(separate, tmp_path):
    """A label that a fitted cluster has says nothing of a run in another group."""
    seed = np.array([f"s{i}" for i in np.arange(len(TWO["N"])) // 4])
    errors = fit.ErrorModel("normal", effects=("seed",))
    pooled = with_errors(separate, errors, seed=seed)
    new = pooled.new_group(key=KEY, E=1.7, A=300.0, alpha=0.3)
    result = errors_at(new, seed="s1")
    assert np.abs(result.effect_mean).max() == 0.0
    np.testing.assert_allclose(result.effect_variance[:, 0], pooled.noise["effect_scale_seed"] ** 2)

    new.save(tmp_path / "new.nc")
    loaded = fit.load(tmp_path / "new.nc", LAW)
    assert loaded.rows is None
    point = {"N": [1e10], "D": [5e10]}
    draws = [each.predict(point, key=KEY).draws.tolist() for each in (new, loaded)]
    assert draws[0] == draws[1]


def test_all_shared_is_the_plain_posterior():
    settings = {"key": KEY, "errors": "student", "draws": 100}
    shared = fit.pooled_posterior(LAW, TWO, by="corpus", pool={"E": "shared"}, **settings)
    plain = fit.posterior(LAW, TWO, **settings)
    assert shared.draws["alpha"].tolist() == plain.draws["alpha"].tolist()
    assert shared.new_group(key=KEY).draws["E"].tolist() == plain.draws["E"].tolist()
    assert list(shared.summary) == list(plain.summary)


FLOORS = 1.7 * np.exp(0.1 * np.array([-1.5, -1.0, -0.5, -0.1, 0.1, 0.5, 1.0, 1.5]))
ALPHAS = 0.34 * np.exp(0.08 * np.array([1.0, -1.5, 0.1, 0.5, -0.5, 1.5, -1.0, -0.1]))


@pytest.fixture(scope="module")
def partial():
    settings = {"errors": "student", "sampler": "nuts", "warmup": 300, "draws": 400}
    table = grouped(FLOORS, ALPHAS)
    return fit.pooled_posterior(LAW, table, by="corpus", pool="partial", key=KEY, **settings)


def test_hierarchical_truth_is_recovered(partial):
    assert str(partial.status) == "converged"
    inside = [
        partial.summary[f"{name}[c{i}]"]["q05"] < value < partial.summary[f"{name}[c{i}]"]["q95"]
        for name, values in (("E", FLOORS), ("alpha", ALPHAS))
        for i, value in enumerate(values)
    ]
    assert sum(inside) >= 12  # of 16; fewer than 12 have a probability of 0.2%
    for name, value in (("E", 1.7), ("alpha", 0.34), ("E_sd", 0.1), ("alpha_sd", 0.08)):
        row = partial.summary[name]
        assert row["q05"] < value < row["q95"], name


def test_partial_values_lie_between_typical_and_separate(partial):
    """Group values are closer together than those of single fits."""
    values = partial.draws["alpha"].mean(axis=0)
    assert np.log(values).std() < partial.summary["alpha_sd"]["q95"]
    new = partial.new_group(key=KEY)
    spread = np.log(new.draws["alpha"]).std()
    expected = np.hypot(
        np.log(partial.typical["alpha"]).std(), np.sqrt((partial.between["alpha"] ** 2).mean())
    )
    # 400 independent draws would have a Monte-Carlo error of 4% in a standard deviation.
    assert spread == pytest.approx(expected, rel=0.1)
    assert new.draws["A"].std() > partial.group("c0").draws["A"].std()
    assert new.rows is None
    assert new.predict({"N": [1e10], "D": [2e11]}, key=KEY).draws.shape == (1600, 1)


@pytest.fixture(scope="module")
def pooled_problem():
    pool = checked_pool(LAW, "corpus", {"E": "partial", "A": "separate", "alpha": "partial"})
    with jax.enable_x64(True), jax.numpy_dtype_promotion("standard"):
        yield pose(LAW, TWO, None, "student", pool=pool, padded=False).problem


@jax.jit
def informed_at(problem, u):
    """The problem with what its groups say about their deviations, as if ``u`` were its mode."""
    values, _ = unconstrained(problem, split(problem, u))
    return informed(problem, values, partial_of(natural_sites, problem))


@jax.jit
def coordinates_at(problem, u):
    """Coordinates without the groups' information: values, log volume, its Jacobian, sites."""

    def flat(u):
        free, _ = unconstrained(problem, split(problem, u))
        return jnp.concatenate([jnp.ravel(x) for x in free.values()])

    values, log_volume = unconstrained(problem, split(problem, u))
    return values, log_volume, jax.jacfwd(flat)(u), sites_at(problem, u), potential_at(problem, u)


def test_coordinates_of_deviations_have_their_jacobian(pooled_problem):
    with jax.enable_x64(True), jax.numpy_dtype_promotion("standard"):
        u = 0.3 * jax.random.normal(KEY, (free_size(pooled_problem),))
        values, none, _, plain, _ = coordinates_at(pooled_problem, u)
        assert float(none) == 0.0
        problem = informed_at(pooled_problem, u)

        _, log_jacobian, jacobian, moved, potential = coordinates_at(problem, u)
        expected = np.linalg.slogdet(jacobian)[1]
        assert float(log_jacobian) == pytest.approx(float(expected), abs=1e-9)
        assert float(moved["alpha_sd"]) == float(plain["alpha_sd"])
        assert np.isfinite(float(potential))
        assert jax.eval_shape(spread, pooled_problem, values)[0].keys() == values.keys()


def test_a_point_is_found_again_in_the_coordinates_of_deviations(pooled_problem):
    """From where the mode was: elsewhere deviations that follow other values may overflow."""
    with jax.enable_x64(True), jax.numpy_dtype_promotion("standard"):
        u = 0.3 * jax.random.normal(KEY, (free_size(pooled_problem),))
        known, about = _informed(pooled_problem, u)
        assert not np.allclose(about, u, rtol=0.01)
        there, _ = unconstrained(pooled_problem, split(pooled_problem, u))
        here, _ = unconstrained(known, split(known, about))
    for name, values in there.items():
        np.testing.assert_allclose(here[name], values, rtol=1e-9, atol=1e-9, err_msg=name)


def test_deviations_follow_what_groups_share():
    """Along a ridge of the shared floor the coordinates of deviations need not move."""
    pool = checked_pool(LAW, "corpus", {"A": "partial", "alpha": "partial"})
    with jax.enable_x64(True), jax.numpy_dtype_promotion("standard"):
        plain = pose(LAW, TWO, None, "normal", pool=pool, padded=False).problem
        u = find_mode(plain, KEY).free
        problem = informed_at(plain, u)
        ends = np.concatenate([[name] * x.size for name, x in split(plain, u).items()])
        own, shared = np.char.endswith(ends, "_deviation"), ends == "E_centred"
        alone = replace(problem.pooling, cross=np.zeros((2, 2, 0)))
        floor = along_ridge(problem, "E_centred", u[shared][0])
        still = alone.weighted - problem.pooling.cross[..., 0] * floor
        alone = replace(alone, weighted=still)

        # Gradients at the mean of the deviations, where the floor has moved.
        moved = jnp.where(own, 0.0, u + 0.02 * shared)
        gradient = jax.jit(jax.grad(potential_at, argnums=1))
        pulls = [
            np.abs(gradient(each, moved)[own]).max()
            for each in (replace(problem, pooling=alone), problem)
        ]
    assert pulls[1] < 0.2 * pulls[0]


def test_values_of_groups_follow_from_typical_ones(pooled_problem):
    """Partial parameters move on the scale of logs; a coefficient keeps its term."""
    with jax.enable_x64(True), jax.numpy_dtype_promotion("standard"):
        trace = handlers.trace(handlers.seed(sites, 3)).get_trace(pooled_problem)
    value = {name: np.asarray(site["value"]) for name, site in trace.items()}
    for name in ("E", "alpha"):
        moved = np.log(value[f"{name}_by_group"] / value[name])
        assert moved == pytest.approx(value[f"{name}_sd"] * value[f"{name}_deviation"])
    own = np.exp(np.log(SIZES).mean())
    term = value["A_by_group"] * own ** -value["alpha_by_group"]
    assert term == pytest.approx(value["A_by_group_centred"])


@pytest.mark.parametrize(
    ("by", "pool", "message"),
    [
        ("corpora", "partial", "has no column 'corpora'"),
        ("corpus", {"gamma": "partial"}, "has no parameter 'gamma'"),
        ("corpus", {"E": "partly"}, r"must be shared, partial or separate, not 'partly'"),
        ("corpus", ["E"], "must map parameters to shared, partial or separate"),
        ("one", "partial", "has one group, 'a'; expected two or more"),
        ("gap", "partial", "row 2: the cell is empty"),
        ("single", "separate", r"group 'b' has 1 run for all 3 separate parameters"),
        (3, "partial", "by must be the name of a column"),
    ],
)
def test_what_cannot_be_pooled_is_said_in_one_sentence(by, pool, message):
    labels = ["a"] * len(TWO["N"])
    columns = {name: TWO[name] for name in TWO}
    columns |= {"one": labels, "gap": ["a", "", *labels[2:]], "single": ["b", *labels[1:]]}
    with pytest.raises(JscaleError, match=message) as caught:
        fit.pooled_posterior(LAW, runs.read(columns), by=by, pool=pool, key=KEY)
    assert "\n" not in str(caught.value)


def test_errors_that_groups_cannot_share_are_refused():
    columns = {name: TWO[name] for name in TWO}
    columns["seed"] = np.array([f"s{i}" for i in np.arange(len(TWO["N"])) % 3])
    table, settings = runs.read(columns), {"by": "corpus", "pool": "partial", "key": KEY}
    with pytest.raises(JscaleError, match="has one discrepancy for all groups"):
        fit.pooled_posterior(LAW, table, errors="normal + discrepancy", **settings)
    with pytest.raises(JscaleError, match="has runs of several groups"):
        fit.pooled_posterior(LAW, table, errors="normal + effects(seed)", **settings)


def test_one_coefficient_for_several_exponents_gets_a_note():
    pool = checked_pool(LAW, "corpus", {"alpha": "partial"})
    with jax.enable_x64(True):
        (note,) = pose(LAW, TWO, None, "student", pool=pool).notes
    assert note.code == "shared-coefficient"
    assert "A is shared and alpha is not" in note.message


def test_a_group_with_one_run_gets_a_note():
    columns = {name: TWO[name][:13] for name in TWO}
    pool = checked_pool(LAW, "corpus", "partial")
    with jax.enable_x64(True):
        notes = pose(LAW, runs.read(columns), None, "student", pool=pool).notes
    assert [note.code for note in notes] == ["single-run-groups"]


def test_modes_are_read_from_text():
    assert parsed_pool(["alpha=partial, E=separate"], "--pool") == {
        "alpha": "partial",
        "E": "separate",
    }
    assert parsed_pool(["partial"], "--pool") == "partial"
    for texts in (["alpha"], ["alpha=partial,alpha=shared"], [""]):
        with pytest.raises(JscaleError, match="--pool"):
            parsed_pool(texts, "--pool")
