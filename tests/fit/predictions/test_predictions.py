"""Forecasts of new runs: draws, quantiles, where the band comes from, distance, bad input."""

import pickle

import jax
import numpy as np
import pytest

from jscale import fit, laws, runs
from jscale._core.errors import JscaleError
from jscale._core.scope import float64
from jscale.fit.predictions import (
    assemble,
    checked_inputs,
    decades,
    example,
    input_ranges,
    mixture,
    predict_by_covariance,
    variance_shares,
)
from tests.fit.tables import HOFFMANN, isoflop

pytestmark = pytest.mark.usefixtures("one_optimiser")

KEY = jax.random.key(3)
INSIDE = {"N": 1e9, "D": 2e10}
POINTS = {"N": [1e9, 7e10], "D": [2e10, 1.4e12]}
SETTINGS = {"chains": 2, "warmup": 400, "draws": 100, "errors": "student"}
NOISE = 0.01
"""Of the simulated table."""


@pytest.fixture(scope="module")
def point() -> fit.Point:
    return fit.point(laws.chinchilla, isoflop(), objective="log-squares", starts=8)


@pytest.fixture(scope="module")
def posterior() -> fit.Posterior:
    return fit.posterior(laws.chinchilla, isoflop(), key=jax.random.key(0), **SETTINGS)


@pytest.fixture(scope="module")
def bootstrap(point) -> fit.Bootstrap:
    return fit.bootstrap(point, draws=200, key=jax.random.key(1))


def check(prediction: fit.Prediction, points: int) -> None:
    """What holds for every prediction of a law that fits."""
    assert prediction.law == "chinchilla"
    assert prediction.draws.shape == prediction.parameter_draws.shape
    assert prediction.draws.dtype == np.float64
    assert len(prediction) == points
    assert prediction.mean().shape == prediction.quantile(0.5).shape == (points,)
    np.testing.assert_allclose(sum(prediction.shares.values()), 1.0, rtol=1e-12)
    assert all((share >= 0).all() for share in prediction.shares.values())
    low, high = prediction.interval(0.8)
    # (1 - 0.8) / 2 is not quite 0.1.
    np.testing.assert_allclose([low, high], prediction.quantile([0.1, 0.9]), rtol=1e-15)
    law_low, law_high = prediction.parameter_quantile([0.1, 0.9])
    assert (high - low > law_high - law_low).all()


def test_every_fit_predicts(point, bootstrap, posterior):
    truth = np.asarray(laws.chinchilla(np.array([1e9, 7e10]), np.array([2e10, 1.4e12]), **HOFFMANN))
    for source in (point, bootstrap, posterior):
        new = source.predict(POINTS, key=KEY)
        check(new, 2)
        np.testing.assert_allclose(new.quantile(0.5), truth, rtol=0.03)
        np.testing.assert_allclose(new.mean(), truth, rtol=0.03)
        assert new.decades["N"][0] == 0
        assert new.decades["N"][1] > 0
        # Inside the runs the noise makes the band, far beyond them the parameters.
        assert new.shares["noise"][0] > 0.7
        assert new.shares["parameters"][1] > new.shares["parameters"][0]
        assert new.notes[0].code == "far-forecast"
        assert "<Prediction chinchilla: 2 points" in repr(new)


def test_the_band_of_a_point_has_the_noise_and_the_covariance(point):
    """Normal noise about the law, and the delta method for the law's value."""
    new = point.predict(INSIDE, key=KEY, draws=20_000)
    (noise,) = np.std(np.log(new.draws / new.parameter_draws), axis=0)
    degrees = point.n_runs - len(point.params)
    assert noise == pytest.approx(point.scale * np.sqrt(point.n_runs / degrees), rel=0.03)
    assert noise == pytest.approx(NOISE, rel=0.3)
    gradient = jax.grad(lambda p: jax.numpy.log(laws.chinchilla(1e9, 2e10, **p)))
    with float64():
        slopes = np.array(list(gradient({k: float(v) for k, v in point.params.items()}).values()))
    order = sorted(point.params)
    index = [list(point.params).index(name) for name in order]
    expected = np.sqrt(slopes @ point.covariance[np.ix_(index, index)] @ slopes)
    assert np.std(np.log(new.parameter_draws)) == pytest.approx(expected, rel=0.03)


def test_a_point_without_its_table_has_the_same_band(point):
    """The covariance of the parameters is enough; the ranges of the runs are unknown."""
    bare = pickle.loads(pickle.dumps(point))
    new, same = (each.predict(POINTS, key=KEY, draws=20_000) for each in (point, bare))
    np.testing.assert_allclose(same.quantile([0.1, 0.9]), new.quantile([0.1, 0.9]), rtol=1e-3)
    assert np.isnan(same.decades["C"]).all()
    assert "ranges-unknown" in [note.code for note in same.notes]


def test_a_bootstrap_predicts_by_its_converged_refits(bootstrap):
    new = bootstrap.predict(INSIDE, key=KEY)
    assert len(new.draws) == bootstrap.settled.sum()
    ratios = np.unique(np.round(np.log(new.draws / new.parameter_draws), 9))
    factor = np.sqrt(bootstrap.point.n_runs / (bootstrap.point.n_runs - 5))
    assert set(ratios) <= set(np.round(bootstrap.point.residuals * factor, 9))


def test_predict_of_a_posterior_is_the_method(posterior):
    new = posterior.predict(POINTS, key=KEY)
    np.testing.assert_array_equal(fit.predict(posterior, POINTS, key=KEY), new.draws)
    np.testing.assert_array_equal(fit.predict(posterior, POINTS), new.parameter_draws)


def test_a_saved_posterior_predicts_the_same(posterior, tmp_path):
    posterior.save(tmp_path / "posterior.nc")
    loaded = fit.load(tmp_path / "posterior.nc")
    assert loaded.ranges == posterior.ranges
    first, second = (each.predict(POINTS, key=KEY) for each in (posterior, loaded))
    assert second.draws.tobytes() == first.draws.tobytes()
    for name in first.decades:
        np.testing.assert_array_equal(second.decades[name], first.decades[name])
    assert [n.message for n in second.notes] == [n.message for n in first.notes]


def test_bands_of_a_point_reach_their_coverage():
    """New runs beyond half of the compute lie inside 80% bands in about 80% of the cases."""
    table = isoflop()
    inside = []
    for seed in range(12):
        simulated = runs.simulate(
            laws.chinchilla,
            HOFFMANN,
            {"N": table["N"], "D": table["D"]},
            noise=NOISE,
            key=jax.random.key(100 + seed),
        )
        fitted = fit.point(laws.chinchilla, simulated, objective="log-squares", starts=8)
        points = {"N": np.geomspace(1e9, 1e10, 40), "D": np.geomspace(2e10, 2e11, 40)}
        new = fitted.predict(points, key=KEY, draws=1000)
        rng = np.random.default_rng(seed)
        truth = np.asarray(laws.chinchilla(**points, **HOFFMANN))
        observed = truth * np.exp(NOISE * rng.standard_normal(40))
        low, high = new.interval(0.8)
        inside.append(((observed > low) & (observed < high)).mean())
    # 480 new runs; those of one table share its parameters.
    assert 0.7 < np.mean(inside) < 0.9


def test_decades_are_signed_and_zero_inside():
    inputs = {"N": np.array([1e8, 1e10]), "D": np.array([1e9, 1e11])}
    ranges = input_ranges(laws.chinchilla, inputs)
    assert ranges == {"N": (1e8, 1e10), "D": (1e9, 1e11), "C": (6e17, 6e21), "D/N": (10.0, 10.0)}
    points = {"N": np.array([1e9, 1e7, 1e11]), "D": np.array([1e10, 1e11, 1e10])}
    beyond = decades(ranges, laws.chinchilla, points)
    assert list(beyond) == ["N", "D", "C"]
    np.testing.assert_allclose(beyond["N"], [0, -1, 1])
    np.testing.assert_allclose(beyond["D"], [0, 0, 0])
    np.testing.assert_allclose(beyond["C"], [0, 0, 0])
    unknown = decades({}, laws.chinchilla, points)
    assert all(np.isnan(values).all() for values in unknown.values())


def test_decades_in_bits_and_compute_that_plans_count():
    inputs = {"N": np.full(2, 1e9), "D": np.full(2, 1e10), "P_w": np.array([4.0, 8.0])}
    inputs |= {"P_a": np.full(2, 16.0), "P_kv": np.full(2, 16.0), "P_post": np.full(2, 16.0)}
    ranges = input_ranges(laws.precision, inputs)
    assert ranges["C"] == (6e19, 6e19)
    four = {"N": np.array([1e9]), "D": np.array([1e10]), "P_w": np.array([2.0])}
    beyond = decades(ranges, laws.precision, {**inputs, **four})
    np.testing.assert_allclose(beyond["P_w"][0], np.log10(2 / 4))
    # Infinite bits, the law's default, and 16, a missing column of the runs, are not quantised.
    off = {**inputs, **four, "P_post": np.array([np.inf])}
    assert decades(ranges, laws.precision, off)["P_post"][0] == 0
    del off["P_post"]
    assert decades(ranges, laws.precision, off)["P_post"][0] == 0


def test_a_law_without_tokens_has_no_decades_of_them():
    ranges = input_ranges(laws.kaplan_steps, {"N": np.array([1e8]), "S": np.array([1e4])})
    beyond = decades(ranges, laws.kaplan_steps, {"N": np.array([1e9]), "S": np.array([1e4])})
    assert list(beyond) == ["N", "D", "C", "S"]
    assert beyond["N"] == pytest.approx([1.0])
    assert np.isnan([beyond["D"][0], beyond["C"][0]]).all()


def test_shares_are_ratios_of_variances():
    rng = np.random.default_rng(0)
    parts = {
        "parameters": 1.0 * rng.standard_normal((40_000, 2)),
        "noise": 2.0 * rng.standard_normal((40_000, 2)),
        "discrepancy": 2.0 * rng.standard_normal((40_000, 2)),
    }
    shares = variance_shares(parts)
    np.testing.assert_allclose(shares["parameters"], 1 / 9, atol=0.02)
    np.testing.assert_allclose(shares["noise"], 4 / 9, atol=0.02)
    assert (shares["effects"] == 0).all()
    # A part that offsets another has no share of its own, and nothing has one without variance.
    offset = {"parameters": 2 * parts["noise"], "discrepancy": -parts["noise"]}
    assert (variance_shares(offset)["discrepancy"] == 0).all()
    constant = {"parameters": np.zeros((10, 1)), "noise": np.zeros((10, 1))}
    assert np.isnan(variance_shares(constant)["noise"]).all()


def test_several_laws_share_the_band():
    columns = {"N": np.array([1e9]), "D": np.array([1e10])}
    rng = np.random.default_rng(0)
    members = [
        assemble(
            laws.chinchilla,
            columns,
            np.full((count, 1), level),
            {"noise": 0.1 * rng.standard_normal((count, 1))},
            ranges={},
        )
        for count, level in ((30_000, 2.0), (10_000, 2.2))
    ]
    both = mixture(members)
    assert both.draws.shape == (40_000, 1)
    between = 0.75 * 0.25 * np.log(1.1) ** 2
    assert both.shares["law"] == pytest.approx([between / (between + 0.01)], rel=0.05)
    assert sum(both.shares.values()) == pytest.approx([1.0])
    assert [note.code for note in both.notes] == ["ranges-unknown"]


def test_a_law_that_can_be_negative_has_shares_of_the_loss():
    columns = {"N": np.array([1e9]), "D": np.array([1e10])}
    values = np.linspace(-0.1, 0.1, 1000)[:, None]
    noise = 0.1 * np.random.default_rng(0).standard_normal((1000, 1))
    new = assemble(laws.chinchilla, columns, values, {"noise": noise}, ranges={}, additive=True)
    np.testing.assert_array_equal(new.draws, values + noise)
    ratio = values.var() / (values.var() + noise.var())
    assert new.shares["parameters"] == pytest.approx([ratio], rel=0.1)


def test_draws_outside_the_domain_are_left_out_with_a_note():
    columns = {"N": np.array([1e9, 2e9]), "D": np.array([1e10, 1e10])}
    values = np.full((10, 2), 2.0)
    values[:3, 1] = np.inf
    new = assemble(laws.chinchilla, columns, values, {}, ranges={})
    assert new.mean().tolist() == new.quantile(0.9).tolist() == [2.0, 2.0]
    (note,) = [note for note in new.notes if note.code == "outside-domain"]
    assert (
        "at N=2B, D=10B law 'chinchilla' has no finite value in 30.0% of the draws" in note.message
    )
    values[:, 1] = np.nan
    with pytest.raises(JscaleError, match="N=2B, D=10B: law 'chinchilla' has no finite value"):
        assemble(laws.chinchilla, columns, values, {}, ranges={})


def isoflop_at_16_bits():
    table = isoflop()
    columns = {name: table[name] for name in ("N", "D", "loss")}
    return runs.read(columns | {"P": np.full(len(table), 16.0)})


@pytest.fixture(scope="module")
def dense_forecast():
    """Of the law without bits, whose optimum no rounding decides."""
    dense = fit.point(laws.chinchilla, isoflop_at_16_bits(), starts=8)
    return dense.predict(INSIDE, key=KEY)


def test_bits_that_the_runs_do_not_vary(dense_forecast):
    """At 16 bits, as in all runs, the forecast is that of a law of N and D; at 4 it is open."""
    law = laws.fix(laws.precision, n_w=0.0, n_a=0.0, n_kv=0.0)
    fitted = fit.point(law, isoflop_at_16_bits(), starts=8)

    at = {**INSIDE, "P_a": 16, "P_kv": 16, "P_post": 16}
    full = fitted.predict({**at, "P_w": 16}, key=KEY)
    low, high = full.parameter_quantile([0.1, 0.9])
    expected = dense_forecast.parameter_quantile([0.1, 0.9])
    np.testing.assert_allclose([low, high], expected, rtol=2e-3)

    # Rounding, which processors do not share, decides where on the ridge the fit ends: it has a
    # covariance there, which gives a band of a factor of two or more, or none.
    refusal, four = "", None
    try:
        four = fitted.predict({**at, "P_w": 4}, key=KEY)
    except JscaleError as error:
        refusal = str(error)
    if four is None:
        assert "P_w=4" in refusal
        assert "depends on parameters that the runs do not identify" in refusal
    else:
        low, high = four.parameter_quantile([0.1, 0.9])
        assert high > 2 * low
        (note,) = [note for note in four.notes if note.code == "beyond-runs"]
        assert note.severity == "warning"
        assert "P_w = 4, where all runs have 16" in note.message


def test_a_forecast_that_the_runs_do_not_identify_is_refused():
    """The runs identify the sum of two coordinates, and not their difference."""
    settings = {"key": KEY, "draws": 100, "scale": 0.01, "ranges": {}, "notes": ()}
    covariance = np.diag([1e-4, 1e-4, np.inf, 1e-4, 1e-4])
    with pytest.raises(JscaleError, match="no finite covariance, so its forecast has no band"):
        predict_by_covariance(laws.chinchilla, HOFFMANN, covariance, INSIDE, **settings)
    open_direction = np.array([[1.0, 0.0, 0.0, 0.0, 0.0]]).T
    with pytest.raises(JscaleError, match=r"at N=1B, D=20B depends on parameters that the runs do"):
        predict_by_covariance(
            laws.chinchilla,
            HOFFMANN,
            np.diag([1e-4] * 5),
            INSIDE,
            unidentified=open_direction,
            **settings,
        )


def test_a_fit_without_a_degree_of_freedom_has_no_band():
    table = runs.read({name: isoflop()[name][::8] for name in ("N", "D", "loss")})
    saturated = fit.point(laws.chinchilla, table, starts=8)
    with pytest.raises(JscaleError, match="no finite covariance, so its forecast has no band"):
        saturated.predict(INSIDE, key=KEY)


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"N": 1e9}, r"law 'chinchilla' takes N, D; D \(tokens\) is missing"),
        ({}, r"takes N, D; N \(parameters\), D \(tokens\) are missing"),
        ({"n": 1e9, "D": 1e10}, "takes N, D, not 'n'; did you mean 'N'"),
        ({"N": 1e9, "tokens": 1e10}, "takes N, D, not 'tokens'; did you mean 'D'"),
        ({"N": 1e9, "D": 1e10, "P_w": 4}, "takes N, D, not 'P_w'$"),
        ({"N": -1e9, "D": 1e10}, "N = -1e.09: expected a finite number of parameters, above 0"),
        ({"N": [1e9, np.nan], "D": 1e10}, r"N = nan \(point 2\): expected"),
        ({"N": np.inf, "D": 1e10}, "N = inf: expected"),
        (
            {"N": "7e10", "D": 1e10},
            "N: expected a finite number of parameters, above 0, not '7e10'",
        ),
        ({"N": None, "D": 1e10}, "N: expected a finite number"),
        ({"N": True, "D": 1e10}, "N: expected a finite number"),
        ({"N": [1e9, 2e9], "D": [1e10] * 3}, "the numbers of values differ .N 2, D 3."),
        (
            {"N": np.ones((2, 3)), "D": 1e10},
            r"N is an array of shape \(2, 3\); expected one number",
        ),
        ({"N": [], "D": []}, "there is no point"),
        ([1e9, 1e10], "expected a dict such as {'N': 7e10, 'D': 1.4e12}"),
    ],
)
def test_inputs_are_checked(inputs, message):
    with pytest.raises(JscaleError, match=message) as error:
        checked_inputs(laws.chinchilla, inputs)
    assert str(error.value).startswith("inputs: ")
    assert error.value.argument == "inputs"


def test_shares_of_one_whole_must_add_up():
    law = next(
        law for law in laws.catalogue if any(i.role.parts for i in laws.describe(law).inputs)
    )
    record = laws.describe(law)
    parts = [i.name for i in record.inputs if i.role.parts]
    inputs = {i.name: i.role.typical or 1.0 for i in record.inputs} | dict.fromkeys(parts, 0.9)
    if len(parts) > 1:
        with pytest.raises(JscaleError, match="expected parts of one whole"):
            checked_inputs(law, inputs)


@pytest.mark.parametrize("law", laws.catalogue, ids=lambda law: laws.describe(law).name)
def test_examples_in_messages_are_valid_inputs(law):
    pairs = (pair.split("=") for pair in example(laws.describe(law)).split(","))
    columns = checked_inputs(law, {name: float(value) for name, value in pairs})
    assert all(len(column) == 1 for column in columns.values())


def test_the_key_and_the_draws_are_checked(point, posterior):
    with pytest.raises(JscaleError, match="key must be"):
        posterior.predict(INSIDE, key=0)
    with pytest.raises(JscaleError, match="draws must be a whole number of at least 2"):
        point.predict(INSIDE, key=KEY, draws=1)


@pytest.mark.parametrize("p", [-0.1, 1.1, "half", [[0.5]], None])
def test_probabilities_are_checked(point, p):
    new = point.predict(INSIDE, key=KEY)
    with pytest.raises(JscaleError, match="p must be probabilities from 0 to 1"):
        new.quantile(p)
