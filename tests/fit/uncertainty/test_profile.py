"""Profile intervals against closed forms, brute force and what cannot change them."""

from dataclasses import replace
from statistics import NormalDist

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize
import scipy.stats

from jscale import fit, laws, runs
from jscale._core.errors import JscaleError
from jscale._core.status import Status
from jscale.fit.optimum._state import fit_once
from jscale.fit.uncertainty._profile import profiled
from tests.fit.lines import LINE, line
from tests.fit.tables import isoflop

Z90 = NormalDist().inv_cdf(0.95)
SIZES = laws.power_size


def sizes() -> runs.Runs:
    N = np.geomspace(1e7, 1e10, 40)
    truth = {"L_inf": 1.8, "A": 150.0, "alpha": 0.3}
    return runs.simulate(
        SIZES, truth, {"N": N, "D": 20 * N}, noise=0.01, key=jax.random.key(3), df=4.0
    )


def square(params):
    return params["alpha"] ** 2


def reciprocal(params):
    return 1 / params["alpha"]


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("fisher", {}),
        ("fisher", {"weights": np.linspace(0.2, 3.0, 30)}),
        ("sandwich", {}),
        ("cluster-sandwich", {"by": "group"}),
    ],
    ids=["fisher", "weighted", "sandwich", "cluster"],
)
def test_where_all_is_linear_the_profile_is_the_estimate_and_its_error(kind, settings):
    settings = {"objective": "log-squares", "starts": 4, **settings}
    expected = fit.covariance(LINE, line(), kind, **settings)
    for name in ("a", "b"):
        found = fit.profile(LINE, line(), name, scaling=kind, **settings)
        value, error = expected.point.params[name], expected.stderr[name]
        t90 = scipy.stats.t.ppf(0.95, 5 if kind == "cluster-sandwich" else 28)
        np.testing.assert_allclose(
            found.interval, (value - t90 * error, value + t90 * error), atol=1e-6 * error
        )
        assert found.estimate == pytest.approx(value, rel=1e-12)
        assert found.stderr == pytest.approx(error, rel=1e-6)
        assert found.status == Status.converged
        assert [note.code for note in found.notes] == (
            ["few-clusters"] if kind == "cluster-sandwich" else []
        )
        np.testing.assert_allclose(
            found.deviance, ((found.levels - value) / error) ** 2, rtol=1e-4, atol=1e-9
        )


def contributions(objective: str, r: np.ndarray, log_scale: float) -> np.ndarray:
    if objective == "log-squares":
        return r**2 / 2
    if objective == "huber":
        return np.where(abs(r) < 1e-3, r**2 / 2, 1e-3 * (abs(r) - 5e-4))
    return -scipy.stats.t.logpdf(r, 4, scale=np.exp(log_scale))


@pytest.mark.parametrize("objective", ["log-squares", "huber", "student-likelihood"])
def test_ends_are_where_the_best_objective_meets_the_threshold(objective):
    """Brute force: the parameter is held at the end, and a simplex searches the others."""
    table, settings = sizes(), {"objective": objective, "starts": 8}
    point, found = (
        fit.point(SIZES, table, **settings),
        fit.profile(SIZES, table, "alpha", **settings),
    )
    assert found.low < found.estimate < found.high
    floor, size = point.params["L_inf"], np.log(point.params["A"] * 3e8 ** -point.params["alpha"])
    for alpha in (found.estimate, *found.interval):

        def total(x: np.ndarray, alpha: float = alpha) -> float:
            predicted = x[0] + np.exp(x[1]) * (table["N"] / 3e8) ** -alpha
            r = np.log(table["loss"] / predicted) if predicted.min() > 0 else np.full(40, np.inf)
            return float(contributions(objective, r, x[2]).sum())

        start, least = np.array([floor, size, np.log(point.scale)]), np.inf
        for _ in range(4):  # a simplex that has shrunk begins anew
            options = {"xatol": 1e-11, "fatol": 1e-14, "maxiter": 4000, "maxfev": 8000}
            best = scipy.optimize.minimize(total, start, method="Nelder-Mead", options=options)
            start, least = best.x, min(least, best.fun)
        rise = 2 * (least - point.objective) / found.scale
        threshold = 0.0 if alpha == found.estimate else found.threshold
        assert rise == pytest.approx(threshold, rel=1e-5, abs=1e-6)
    reach = Z90 if objective == "student-likelihood" else scipy.stats.t.ppf(0.95, 37)
    assert found.threshold == pytest.approx(reach**2)
    inside = (found.levels >= found.low) & (found.levels <= found.high)
    assert (found.deviance[inside] <= found.threshold * (1 + 1e-6)).all()
    assert (found.deviance[~inside] >= found.threshold * (1 - 1e-6)).all()
    assert (found.scale == 1) == (objective == "student-likelihood")


def test_a_nearly_laplacian_likelihood_has_ends_too():
    table, settings = sizes(), {"objective": "huber-likelihood", "starts": 8}
    point, found = (
        fit.point(SIZES, table, **settings),
        fit.profile(SIZES, table, "alpha", **settings),
    )
    held = fit.point(laws.fix(SIZES, alpha=found.high), table, **settings)
    assert 2 * (held.objective - point.objective) == pytest.approx(found.threshold, rel=1e-4)


def test_the_interval_of_a_function_is_the_function_of_the_interval():
    table, settings = sizes(), {"objective": "huber", "starts": 8}
    low, high = fit.profile(SIZES, table, "alpha", **settings).interval
    squared = fit.profile(SIZES, table, square, **settings)
    assert squared.target == "square"
    np.testing.assert_allclose(squared.interval, (low**2, high**2), rtol=1e-6)
    inverted = fit.profile(SIZES, table, {"1 / alpha": reciprocal}, **settings)
    assert inverted.target == "1 / alpha"
    np.testing.assert_allclose(inverted.interval, (1 / high, 1 / low), rtol=1e-6)


def test_levels_nest_and_the_path_leads_along_them():
    table, settings = sizes(), {"objective": "log-squares", "starts": 8}
    narrow, wide = (
        fit.profile(SIZES, table, "L_inf", level=level, **settings) for level in (0.5, 0.99)
    )
    assert wide.low < narrow.low < narrow.high < wide.high
    assert (np.diff(wide.levels) >= 0).all()
    np.testing.assert_allclose(wide.params["L_inf"], wide.levels, rtol=1e-12)


def test_a_profile_that_never_rises_is_open_and_says_so():
    N = np.geomspace(1e8, 1e10, 30)
    design = {"N": N, "D": np.full(30, 2e10)}
    table = runs.simulate(
        laws.chinchilla, laws.params(laws.chinchilla), design, noise=0.01, key=jax.random.key(0)
    )
    found = fit.profile(laws.chinchilla, table, "beta", objective="log-squares", starts=8)
    assert found.interval == (0.0, np.inf)
    assert found.status == Status.not_converged
    # To the right the coefficient overflows before the walk is out of range: no minimum is met any
    # more.
    codes = [note.code for note in found.notes]
    assert codes[0] == "profile-open"
    assert codes[1] in ("profile-open", "profile-failed")
    assert codes[2:] == ["unidentified", "profile-uncertified"]
    assert "has no lower end at level 0.9" in found.notes[0].message


def test_a_target_bounded_in_itself_is_open_at_its_bound():
    def bounded(params):
        return jnp.sin(800 * (params["b"] - 0.08))

    found = fit.profile(LINE, line(), bounded, objective="log-squares", starts=4)
    assert found.interval == (-np.inf, np.inf)
    assert {note.code for note in found.notes} == {"profile-open"}


def test_a_better_optimum_on_the_way_is_told():
    with jax.enable_x64(True):
        _, state, _ = fit_once(SIZES, sizes(), "log-squares", 8, None)
        off = replace(state, free=np.asarray(state.free) + np.array([0.05, 0.0, 0.0]))
        found = profiled(off, "alpha", "alpha", 0.9, scaling="sandwich")
    assert found.status == Status.not_converged
    (note,) = [note for note in found.notes if note.code == "profile-below-fit"]
    assert note.severity == "error"
    assert "the fit was no optimum" in note.message


def test_weighted_likelihoods_are_measured_by_the_sandwich():
    settings = {
        "objective": "student-likelihood",
        "starts": 4,
        "weights": np.linspace(0.2, 3.0, 30),
    }
    found = fit.profile(LINE, line(), "b", **settings)
    assert found.scaling == "sandwich"
    assert found.stderr == pytest.approx(
        fit.covariance(LINE, line(), "sandwich", **settings).stderr["b"], rel=1e-6
    )


def test_rounding_is_no_better_optimum():
    found = fit.profile(LINE, line(noise=0.0), "b", objective="log-squares", starts=4)
    assert "profile-below-fit" not in {note.code for note in found.notes}


def test_a_target_without_a_value_has_no_profile():
    found = fit.profile(
        LINE, line(), {"nothing": lambda params: params["a"] * jnp.nan}, objective="log-squares"
    )
    assert found.status == Status.not_converged
    assert found.interval == (-np.inf, np.inf)
    assert "is nan at the best fit" in found.notes[0].message


@pytest.mark.data
def test_published_runs():
    """The exponent of the best size on the runs of Hoffmann et al.; its interval by robust profile
    holds 1/2.
    """
    found = fit.profile(
        laws.chinchilla,
        runs.dataset("chinchilla"),
        {"a": lambda p: p["beta"] / (p["alpha"] + p["beta"])},
    )
    np.testing.assert_allclose(
        (found.low, found.estimate, found.high), (0.48258, 0.51390, 0.54777), atol=5e-5
    )


@pytest.mark.parametrize(
    ("target", "settings", "message"),
    [
        (
            "gamma",
            {},
            "law 'line_law' has no parameter 'gamma' .it has: a, b.; any other target is a function",
        ),
        ("a", {"level": 1.5}, "level must lie between 0 and 1, not 1.5"),
        ("a", {"level": True}, "level must lie between 0 and 1"),
        (3, {}, "target '3' must be a parameter or a function of the parameters, not 3"),
        ({"x": square, "y": square}, {}, "profile takes one target, not 2"),
        (
            "a",
            {"scaling": "hessian"},
            "scaling must be one of likelihood, fisher, sandwich, cluster-sandwich",
        ),
        ("a", {"scaling": "likelihood"}, r"log-squares is no likelihood"),
        (
            "a",
            {
                "scaling": "likelihood",
                "objective": "student-likelihood",
                "weights": np.linspace(1, 2, 30),
            },
            "of weighted runs is no likelihood",
        ),
        (
            "a",
            {"scaling": "sandwich", "by": "group"},
            "by='group' belongs to the scaling 'cluster-sandwich'",
        ),
        ("a", {"by": "one"}, "no column 'one'"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_bad_input_is_one_line(target, settings, message):
    with pytest.raises(JscaleError, match=message) as caught:
        fit.profile(LINE, line(), target, **{"objective": "log-squares", "starts": 4, **settings})
    assert "\n" not in str(caught.value)


def test_three_runs_of_a_law_of_two():
    made = line()
    few = made.where(np.arange(30) % 10 == 0)
    found = fit.profile(LINE, few, "b", objective="log-squares", starts=4)
    assert found.low < found.estimate < found.high
    with pytest.raises(JscaleError, match="cannot determine the 5 parameters"):
        fit.profile(laws.chinchilla, isoflop().where(np.arange(40) < 3), "E")
