"""Profile intervals against closed forms, brute force and transformations of the target."""

from dataclasses import replace
from statistics import NormalDist

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize
import scipy.special
import scipy.stats

from jscale import fit, laws, runs
from jscale._core.errors import JscaleError
from jscale._core.status import Status
from jscale.fit.optimum import resolve_point
from jscale.fit.uncertainty import profile_target
from tests.fit.lines import LINE, line

Z90 = NormalDist().inv_cdf(0.95)
pytestmark = pytest.mark.usefixtures("one_optimiser")

SIZES = laws.power_size
SQUARES = {"objective": "log-squares", "starts": 4}


def sizes() -> runs.Runs:
    N = np.geomspace(1e7, 1e10, 40)
    truth = {"L_inf": 1.8, "A": 150.0, "alpha": 0.3}
    return runs.simulate(
        SIZES, truth, {"N": N, "D": 20 * N}, noise=0.01, key=jax.random.key(3), df=4.0
    )


@pytest.fixture(scope="module")
def size_point() -> fit.Point:
    return fit.point(SIZES, sizes(), objective="log-squares", starts=8)


@pytest.fixture(scope="module")
def line_point() -> fit.Point:
    return fit.point(LINE, line(), **SQUARES)


def square(params):
    return params["alpha"] ** 2


def reciprocal(params):
    return 1 / params["alpha"]


@pytest.mark.parametrize(
    ("kind", "weights"),
    [
        ("fisher", None),
        ("fisher", np.linspace(0.2, 3.0, 30)),
        ("sandwich", None),
        ("cluster-sandwich", None),
    ],
    ids=["fisher", "weighted", "sandwich", "cluster"],
)
def test_the_profile_of_a_linear_problem_is_estimate_and_error(kind, weights, line_point):
    point = line_point if weights is None else fit.point(LINE, line(), weights=weights, **SQUARES)
    covariance = fit.covariance(point, kind=kind)
    clustered = kind == "cluster-sandwich"
    for name in ("a", "b"):
        profile = fit.profile(point, name, scaling=kind, by="group" if clustered else None)
        value, error = point.params[name], covariance.stderr[name]
        t90 = scipy.stats.t.ppf(0.95, 5 if clustered else 28)
        ends = (value - t90 * error, value + t90 * error)
        np.testing.assert_allclose(profile.interval, ends, atol=1e-6 * error)
        assert profile.estimate == pytest.approx(value, rel=1e-12)
        assert profile.stderr == pytest.approx(error, rel=1e-6)
        assert profile.status == Status.converged
        codes = [note.code for note in profile.notes]
        assert codes == (["few-clusters"] if clustered else [])
        expected = ((profile.levels - value) / error) ** 2
        np.testing.assert_allclose(profile.deviance, expected, rtol=1e-4, atol=1e-9)


def contributions(objective: str, r: np.ndarray, log_scale: float) -> np.ndarray:
    """Of each run to the objective; for the likelihood up to a constant."""
    if objective == "log-squares":
        return r**2 / 2
    if objective == "huber":
        return np.where(abs(r) < 1e-3, r**2 / 2, 1e-3 * (abs(r) - 5e-4))
    constant = scipy.special.gammaln(2) - scipy.special.gammaln(2.5) + 0.5 * np.log(4 * np.pi)
    return constant + log_scale + 2.5 * np.log1p((r * np.exp(-log_scale)) ** 2 / 4)


def brute_force(
    objective: str, table: runs.Runs, point: fit.Point, alpha: float, simplexes: int = 4
) -> float:
    """The least objective with ``alpha`` held, by simplexes that start where the last ended."""
    log_loss, log_size = np.log(table["loss"]), np.log(table["N"] / 3e8)

    def total(x: np.ndarray) -> float:
        predicted = x[0] + np.exp(x[1] - alpha * log_size)
        if predicted.min() <= 0:
            return np.inf
        return float(contributions(objective, log_loss - np.log(predicted), x[2]).sum())

    size = np.log(point.params["A"] * 3e8 ** -point.params["alpha"])
    start, least = np.array([point.params["L_inf"], size, np.log(point.scale)]), np.inf
    options = {"xatol": 1e-11, "fatol": 1e-14, "maxiter": 4000, "maxfev": 8000}
    for _ in range(simplexes):
        best = scipy.optimize.minimize(total, start, method="Nelder-Mead", options=options)
        start, least = best.x, min(least, best.fun)
    return least


@pytest.mark.parametrize("objective", ["log-squares", "huber", "student-likelihood"])
def test_ends_are_where_the_least_objective_meets_the_threshold(objective):
    table = sizes()
    point = fit.point(SIZES, table, objective=objective, starts=8)
    profile = fit.profile(point, "alpha")
    assert profile.low < profile.estimate < profile.high
    for alpha in (profile.estimate, *profile.interval):
        least = brute_force(objective, table, point, alpha)
        deviance = 2 * (least - point.objective) / profile.scale
        threshold = 0.0 if alpha == profile.estimate else profile.threshold
        assert deviance == pytest.approx(threshold, rel=1e-5, abs=1e-6)

    likelihood = objective == "student-likelihood"
    quantile = Z90 if likelihood else scipy.stats.t.ppf(0.95, 37)
    assert profile.threshold == pytest.approx(quantile**2)
    inside = (profile.levels >= profile.low) & (profile.levels <= profile.high)
    assert (profile.deviance[inside] <= profile.threshold * (1 + 1e-6)).all()
    assert (profile.deviance[~inside] >= profile.threshold * (1 - 1e-6)).all()
    assert (profile.scale == 1) == likelihood


def test_a_nearly_laplacian_likelihood_has_ends():
    point = fit.point(LINE, line(), objective="huber-likelihood", starts=4)
    profile = fit.profile(point, "b")
    log_loss, log_size, delta = np.log(line()["loss"]), np.log(line()["N"] / 2e8), 1e-3

    def total(x: np.ndarray, b: float) -> float:
        """Up to the constant of the density."""
        z = np.abs(log_loss - x[0] + b * log_size) * np.exp(-x[1])
        rows = np.where(z < delta, z**2 / 2, delta * (z - delta / 2))
        return float(rows.sum() + 30 * x[1])

    def least(b: float) -> float:
        start = np.array([point.params["a"], np.log(point.scale * delta)])
        for _ in range(4):
            options = {"xatol": 1e-11, "fatol": 1e-13, "maxiter": 4000, "maxfev": 8000}
            best = scipy.optimize.minimize(total, start, b, method="Nelder-Mead", options=options)
            start = best.x
        return best.fun

    at_fit = least(point.params["b"])
    for end in profile.interval:
        assert 2 * (least(end) - at_fit) == pytest.approx(profile.threshold, rel=1e-4)


def test_the_interval_of_a_function_is_the_function_of_the_interval():
    point = fit.point(SIZES, sizes(), objective="huber", starts=8)
    low, high = fit.profile(point, "alpha").interval
    squared = fit.profile(point, square)
    assert squared.target == "square"
    np.testing.assert_allclose(squared.interval, (low**2, high**2), rtol=1e-6)
    inverted = fit.profile(point, {"1 / alpha": reciprocal})
    assert inverted.target == "1 / alpha"
    np.testing.assert_allclose(inverted.interval, (1 / high, 1 / low), rtol=1e-6)


def test_levels_nest_and_the_path_follows_them(size_point):
    narrow, wide = (fit.profile(size_point, "L_inf", level=level) for level in (0.5, 0.99))
    assert wide.low < narrow.low < narrow.high < wide.high
    assert (np.diff(wide.levels) >= 0).all()
    np.testing.assert_allclose(wide.params["L_inf"], wide.levels, rtol=1e-12)


def test_a_profile_that_never_rises_is_open():
    design = {"N": np.geomspace(1e8, 1e10, 40), "D": np.full(40, 2e10)}
    theta = laws.params(laws.chinchilla)
    table = runs.simulate(laws.chinchilla, theta, design, noise=0.01, key=jax.random.key(0))
    profile = fit.profile(laws.chinchilla, table, "beta", objective="log-squares", starts=8)
    assert profile.interval == (0.0, np.inf)
    assert profile.status == Status.not_converged

    # To the right the coefficient may overflow before the path is out of range.
    codes = [note.code for note in profile.notes]
    assert codes[0] == "profile-open"
    assert codes[1] in ("profile-open", "profile-failed")
    assert codes[2:] == ["unidentified", "profile-uncertified"]
    assert "has no lower end at level 0.9" in profile.notes[0].message


def test_a_bounded_target_is_open_at_its_bound(line_point):
    def bounded(params):
        return jnp.sin(800 * (params["b"] - 0.08))

    profile = fit.profile(line_point, bounded)
    assert profile.interval == (-np.inf, np.inf)
    assert {note.code for note in profile.notes} == {"profile-open"}


def test_an_objective_below_the_fits_is_an_error(size_point):
    _, context = resolve_point(size_point, None, caller="test")
    with jax.enable_x64(True):
        free = np.asarray(context.state.free) + np.array([0.05, 0.0, 0.0])
        displaced = replace(context.state, free=free)
        profile = profile_target(displaced, "alpha", "alpha", 0.9, scaling="sandwich")
    assert profile.status == Status.not_converged
    (note,) = [note for note in profile.notes if note.code == "profile-below-fit"]
    assert note.severity == "error"
    assert "the fit was not an optimum" in note.message


def test_weighted_likelihoods_are_scaled_by_the_sandwich():
    weights = np.linspace(0.2, 3.0, 30)
    point = fit.point(LINE, line(), objective="student-likelihood", starts=4, weights=weights)
    profile = fit.profile(point, "b")
    assert profile.scaling == "sandwich"
    sandwich = fit.covariance(point, kind="sandwich")
    assert profile.stderr == pytest.approx(sandwich.stderr["b"], rel=1e-6)
    with pytest.raises(JscaleError, match="of weighted runs is not a likelihood"):
        fit.profile(point, "a", scaling="likelihood")


def test_rounding_is_not_a_lower_objective():
    profile = fit.profile(LINE, line(noise=0.0), "b", **SQUARES)
    assert "profile-below-fit" not in {note.code for note in profile.notes}


def test_a_target_without_a_value_has_no_profile(line_point):
    profile = fit.profile(line_point, {"nothing": lambda params: params["a"] * jnp.nan})
    assert profile.status == Status.not_converged
    assert profile.interval == (-np.inf, np.inf)
    assert "is nan at the best fit" in profile.notes[0].message


@pytest.mark.parametrize(
    ("target", "options", "message"),
    [
        (
            "gamma",
            {},
            "target: law 'line_law' has no parameter 'gamma' .it has: a, b.; any other target",
        ),
        ("a", {"level": 1.5}, "level must lie between 0 and 1, not 1.5"),
        ("a", {"level": True}, "level must lie between 0 and 1"),
        (3, {}, "target: expected a parameter or a function of the parameters, not 3"),
        ({"x": square, "y": square}, {}, "target: profile takes one target, not 2"),
        (
            "a",
            {"scaling": "hessian"},
            "scaling must be one of likelihood, fisher, sandwich, cluster-sandwich",
        ),
        ("a", {"scaling": "likelihood"}, "log-squares is not a likelihood"),
        (
            "a",
            {"scaling": "sandwich", "by": "group"},
            "by='group' belongs to the scaling 'cluster-sandwich'",
        ),
        ("a", {"by": "one"}, "by: .*no column 'one'"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_mistake_is_one_line(target, options, message, line_point):
    with pytest.raises(JscaleError, match=message) as caught:
        fit.profile(line_point, target, **options)
    assert "\n" not in str(caught.value)


def test_three_runs_of_a_law_of_two_parameters():
    three = line().where(np.arange(30) % 10 == 0)
    profile = fit.profile(LINE, three, "b", **SQUARES)
    assert profile.low < profile.estimate < profile.high
    two = sizes().where(np.arange(40) < 2)
    with pytest.raises(JscaleError, match="cannot determine the 3 parameters"):
        fit.profile(SIZES, two, "alpha")
