"""Intervals of every kind, side by side."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

from jscale import fit, laws, runs
from jscale._core.errors import JscaleError
from jscale.fit.uncertainty import (
    BOOTSTRAP_KINDS,
    bootstrap_key,
    nan_note,
    percentiles,
    wald_interval,
)
from jscale.fit.uncertainty._targets import ParameterTarget, TargetTransform
from tests.fit.lines import LINE, line
from tests.fit.tables import frontier

pytestmark = pytest.mark.usefixtures("one_optimiser")

SQUARES = {"objective": "log-squares", "starts": 4}
KEY = jax.random.key(0)
DRAWN = {"key": KEY, "draws": 60}


def loss_at(params):
    """The loss at a billion parameters."""
    return jnp.exp(params["a"] - params["b"] * jnp.log(5.0))


loss_at.positive = True
TARGETS = {"b": "b", "loss": loss_at}


@pytest.fixture(scope="module")
def point() -> fit.Point:
    return fit.point(LINE, line(), **SQUARES)


@pytest.fixture(scope="module")
def intervals(point) -> fit.Intervals:
    return fit.intervals(point, targets=TARGETS, **DRAWN)


def test_every_kind_of_every_target(intervals):
    assert [(row.target, row.kind) for row in intervals.rows] == [
        (target, kind) for target in ("b", "loss") for kind in fit.INTERVAL_KINDS
    ]
    assert (intervals.by, intervals.level, intervals.draws) == ("group", 0.9, 60)
    assert set(intervals.seconds) == set(fit.INTERVAL_KINDS)
    for row in intervals.rows:
        assert row.low < row.estimate < row.high
        assert row.width == row.high - row.low
    at = fit.INTERVAL_KINDS.index("profile")
    assert intervals.of("b", "profile") is intervals.rows[at]
    codes = {note.code for note in intervals.notes}
    assert {"few-clusters", "rows-resampled"} <= codes


def test_wald_intervals_are_the_errors_and_the_delta_method(point, intervals):
    for kind in ("fisher", "sandwich", "cluster-sandwich"):
        # 28 degrees of freedom, and one less than the six groups.
        z = scipy.stats.t.ppf(0.95, 5 if kind == "cluster-sandwich" else 28)
        covariance = fit.covariance(point, kind=kind)
        value, error = point.params["b"], covariance.stderr["b"]
        row = intervals.of("b", kind)
        ends = (value - z * error, value + z * error)
        np.testing.assert_allclose((row.low, row.high), ends, rtol=1e-9)

        gradient = np.array([1.0, -np.log(5.0)])  # of the logarithm, which is linear here
        half_width = z * np.sqrt(gradient @ covariance.matrix @ gradient)
        row = intervals.of("loss", kind)
        ends = row.estimate * np.exp(np.array([-half_width, half_width]))
        np.testing.assert_allclose((row.low, row.high), ends, rtol=1e-9)


def test_wald_intervals_end_at_the_bounds_of_the_range():
    function = ParameterTarget(("share",), (False,))
    transform = TargetTransform("share", function, jnp.ones(1), log=False, lower=0.0, upper=1.0)
    variance = np.array([[0.01]])
    high = wald_interval(transform, {"share": 0.95}, variance, 0.9)
    assert high == pytest.approx((0.95 - 0.1645, 1.0), abs=1e-4)
    low = wald_interval(transform, {"share": 0.05}, variance, 0.9)
    assert low == pytest.approx((0.0, 0.05 + 0.1645), abs=1e-4)


def test_linear_profiles_are_the_sandwich(intervals):
    for target in ("b", "loss"):
        for kind, sandwich in (("profile", "sandwich"), ("cluster-profile", "cluster-sandwich")):
            profile, wald = intervals.of(target, kind), intervals.of(target, sandwich)
            np.testing.assert_allclose(
                (profile.low, profile.high), (wald.low, wald.high), rtol=1e-6
            )


def test_bootstraps_are_percentiles_of_the_refits(point, intervals):
    for kind, by in (("rows", None), ("cluster", "group"), ("wild", None), ("parametric", None)):
        key = bootstrap_key(KEY, f"bootstrap-{kind}")
        resampled = fit.bootstrap(point, kind=kind, by=by, key=key, draws=60)
        row = intervals.of("b", f"bootstrap-{kind}")
        assert (row.low, row.high) == pytest.approx(resampled.interval(0.9)["b"], rel=1e-12)

        losses = np.exp(resampled.draws["a"] - resampled.draws["b"] * np.log(5.0))
        row = intervals.of("loss", f"bootstrap-{kind}")
        ends = np.quantile(losses, (0.05, 0.95))
        np.testing.assert_allclose((row.low, row.high), ends, rtol=1e-9)


def test_the_same_key_gives_the_same_bytes(intervals):
    second = fit.intervals(LINE, line(), targets=TARGETS, **DRAWN, **SQUARES)
    assert second.rows == intervals.rows


def test_chosen_kinds_and_levels(point):
    chosen = fit.intervals(point, key=KEY, kinds=["profile", "fisher"], level=0.5)
    assert [(row.target, row.kind) for row in chosen.rows] == [
        ("a", "profile"),
        ("a", "fisher"),
        ("b", "profile"),
        ("b", "fisher"),
    ]
    assert chosen.by is None
    wide = fit.intervals(point, key=KEY, kinds="fisher", level=0.99, targets="b")
    assert wide.of("b", "fisher").width > 3 * chosen.of("b", "fisher").width
    with pytest.raises(JscaleError, match=r"no 'sandwich' interval of 'b'; targets: .*; kinds: "):
        chosen.of("b", "sandwich")


def test_without_clusters_cluster_kinds_are_left_out():
    columns = {name: values for name, values in line().columns.items() if name != "group"}
    point = fit.point(LINE, runs.read(columns), **SQUARES)
    intervals = fit.intervals(point, targets="b", **DRAWN)
    kinds = [row.kind for row in intervals.rows]
    assert kinds == [kind for kind in fit.INTERVAL_KINDS if "cluster" not in kind]
    assert "no-clusters" in {note.code for note in intervals.notes}
    with pytest.raises(JscaleError, match="kind 'cluster-profile' needs clusters, and no runs"):
        fit.intervals(point, key=KEY, kinds=["cluster-profile"])


def test_an_asymmetric_objective_has_no_symmetric_bootstraps():
    point = fit.point(LINE, line(), objective=fit.AsymmetricHuber(delta=0.01), starts=4)
    intervals = fit.intervals(point, targets="b", **DRAWN)
    left_out = {"bootstrap-parametric", "bootstrap-wild", "bootstrap-wild-cluster"}
    assert {row.kind for row in intervals.rows} == set(fit.INTERVAL_KINDS) - left_out
    assert [note.code for note in intervals.notes].count("no-symmetric") == 1
    for kind in left_out:
        with pytest.raises(JscaleError, match=f"'{kind}' draws symmetric noise"):
            fit.intervals(point, kinds=[kind], **DRAWN)


def test_wild_bootstraps_of_nearly_absolute_losses_warn(intervals):
    assert "wild-short" not in {note.code for note in intervals.notes}
    point = fit.point(LINE, line(), objective="huber", starts=4)
    wild = fit.intervals(point, key=KEY, targets="b", kinds=["bootstrap-wild"], draws=20)
    assert "wild-short" in {note.code for note in wild.notes}


def test_without_a_degree_of_freedom_every_interval_is_the_whole_range():
    two = line().where(np.isin(np.arange(30), (3, 20)))
    point = fit.point(LINE, two, **SQUARES)
    intervals = fit.intervals(point, targets=TARGETS, **DRAWN)
    for row in intervals.rows:
        whole_range = (0.0 if row.target == "loss" else -np.inf, np.inf)
        assert (row.low, row.high) == whole_range, row
    assert [note.code for note in intervals.notes].count("saturated") == 1

    profile = fit.profile(point, "b")
    assert profile.interval == (-np.inf, np.inf)
    assert [note.code for note in profile.notes] == ["saturated"]
    resampled = fit.bootstrap(point, kind="wild", **DRAWN)
    assert resampled.interval()["b"] == (-np.inf, np.inf)


def test_unidentified_parameters_have_their_whole_range_in_every_kind():
    kinds = ("fisher", "sandwich", "bootstrap-rows", "bootstrap-parametric", "profile")
    point = fit.point(laws.chinchilla, frontier(), objective="log-squares", starts=8)
    intervals = fit.intervals(point, key=KEY, kinds=kinds, draws=8)
    unidentified = point.certificate.unidentified
    assert unidentified
    assert set(unidentified) < set(point.params)
    for row in intervals.rows:
        assert ((row.low, row.high) == (0.0, np.inf)) == (row.target in unidentified), row
    assert [note.code for note in intervals.notes].count("unidentified") == 1


def exponent(params):
    """The exponent of the compute-optimal size."""
    return params["beta"] / (params["alpha"] + params["beta"])


exponent.positive = True


def test_bootstraps_along_a_ridge_warn_of_functions_that_vary_along_it():
    """Runs of one size do not identify its exponent; every refit stays near the first one's."""
    D = np.geomspace(1e9, 1e12, 40)
    theta = {"E": 1.69, "A": 406.4, "B": 410.7, "alpha": 0.34, "beta": 0.28}
    design = {"N": np.full(40, 1e9), "D": D}
    table = runs.simulate(laws.chinchilla, theta, design, noise=0.003, key=KEY)
    intervals = fit.intervals(
        laws.chinchilla,
        table,
        key=KEY,
        targets={"a": exponent, "beta": "beta"},
        objective="log-squares",
        kinds=("sandwich", "bootstrap-rows"),
        starts=8,
        draws=30,
    )
    ends = {(row.target, row.kind): (row.low, row.high) for row in intervals.rows}
    assert ends["a", "sandwich"] == (0.0, np.inf)
    assert np.isfinite(ends["a", "bootstrap-rows"]).all()
    (note,) = [note for note in intervals.notes if note.code == "unidentified-target"]
    assert note.evidence["targets"] == ["a"]


def test_percentiles_of_values_that_are_not_finite():
    values = np.arange(101.0)
    assert percentiles(values, 0.9) == pytest.approx((5, 95))
    assert percentiles(np.append(values, np.nan), 0.9) == pytest.approx((5, 95))
    partly_infinite = np.where(values > 90, np.inf, values)
    assert percentiles(partly_infinite, 0.9) == (5, np.inf)
    assert percentiles(np.full(3, np.nan), 0.9) == (-np.inf, np.inf)
    assert nan_note("P_opt", "bootstrap-rows", values) == []
    (note,) = nan_note("P_opt", "bootstrap-rows", np.array([1.0, np.nan]))
    assert note.message.startswith("P_opt has no value at 1 of 2 draws")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kinds": ["hessian"]}, "kinds: unknown kind 'hessian'; expected one of fisher, sand"),
        ({"kinds": ["sandwhich"]}, "unknown kind 'sandwhich'; .*; did you mean 'sandwich'"),
        ({"kinds": 3}, "kinds: expected names of kinds such as 'profile', not 3"),
        ({"kinds": [["profile"]]}, r"kinds: unknown kind \['profile'\]"),
        ({"kinds": ["bootstrap-rows"], "key": None}, "key: none was given, and kind 'bootstrap-r"),
        ({"kinds": ["fisher"], "key": 3}, "key must be a JAX random key"),
        ({"kinds": ["fisher"], "draws": 0}, "draws must be a whole number of at least 2"),
        ({"by": ""}, "by: .* has no column ''"),
        ({"kinds": []}, "kinds is empty"),
        ({"targets": []}, "targets is empty"),
        ({"targets": 3}, "targets: expected parameters or functions of the parameters, not 3"),
        ({"targets": "c"}, "targets: law .* has no parameter 'c'"),
        ({"targets": [loss_at, loss_at]}, "targets: two are named 'loss_at'"),
        ({"level": 1.0}, "level must lie between 0 and 1"),
        ({"by": "one"}, "by: .* has no column 'one'"),
        ({"by": "group", "kinds": ["fisher"]}, "by='group' applies only to the kinds cluster-sa"),
        ({"draws": 1}, "draws must be a whole number of at least 2"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_mistake_is_one_line(options, message, point):
    with pytest.raises(JscaleError, match=message) as caught:
        fit.intervals(point, **{**DRAWN, **options})
    assert "\n" not in str(caught.value)


def test_only_bootstraps_need_a_key(point):
    without = fit.intervals(point, kinds=["fisher", "profile"])
    assert without.rows == fit.intervals(point, kinds=["fisher", "profile"], key=KEY).rows


def test_the_random_numbers_of_a_kind_never_change():
    """These numbers are part of every published interval: a new kind takes one of its own."""
    streams = {
        "bootstrap-rows": 3,
        "bootstrap-cluster": 4,
        "bootstrap-wild": 5,
        "bootstrap-wild-cluster": 6,
        "bootstrap-parametric": 7,
    }
    for kind in BOOTSTRAP_KINDS:
        expected = jax.random.fold_in(KEY, streams.pop(kind))
        assert jax.random.key_data(bootstrap_key(KEY, kind)).tolist() == (
            jax.random.key_data(expected).tolist()
        )
    assert not streams
    with pytest.raises(ValueError, match="'profile' has no stream"):
        bootstrap_key(KEY, "profile")
