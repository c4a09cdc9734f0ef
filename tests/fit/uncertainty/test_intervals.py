"""Intervals of every kind, side by side."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

from jscale import fit, laws, runs
from jscale._core.errors import JscaleError
from jscale.fit.uncertainty._ends import nan_note, percentiles, wald_interval
from jscale.fit.uncertainty._targets import ParameterTarget, TargetTransform
from tests.fit.lines import LINE, line
from tests.fit.tables import frontier

SETTINGS = {"objective": "log-squares", "starts": 4, "draws": 60}
KEY = jax.random.key(0)


def level_at(params):
    """The loss at a billion parameters."""
    return jnp.exp(params["a"] - params["b"] * jnp.log(5.0))


level_at.positive = True


@pytest.fixture(scope="module")
def made() -> fit.Intervals:
    return fit.intervals(LINE, line(), key=KEY, targets={"b": "b", "loss": level_at}, **SETTINGS)


def test_every_kind_of_every_target(made):
    assert [(row.target, row.kind) for row in made.rows] == [
        (t, k) for t in ("b", "loss") for k in fit.INTERVAL_KINDS
    ]
    assert (made.by, made.level, made.draws) == ("group", 0.9, 60)
    assert set(made.seconds) == set(fit.INTERVAL_KINDS)
    for row in made.rows:
        assert row.low < row.estimate < row.high
        assert row.width == row.high - row.low
    assert made.of("b", "profile") is made.rows[fit.INTERVAL_KINDS.index("profile")]
    codes = {note.code for note in made.notes}
    assert {"few-clusters", "rows-resampled"} <= codes


def test_wald_intervals_are_the_errors_and_the_delta_method(made):
    for kind in ("fisher", "sandwich", "cluster-sandwich"):
        # 28 degrees of freedom, and one less than the six groups.
        z = scipy.stats.t.ppf(0.95, 5 if kind == "cluster-sandwich" else 28)
        covariance = fit.covariance(LINE, line(), kind, objective="log-squares", starts=4)
        value, error = covariance.point.params["b"], covariance.stderr["b"]
        row = made.of("b", kind)
        np.testing.assert_allclose(
            (row.low, row.high), (value - z * error, value + z * error), rtol=1e-9
        )
        slope = np.array([1.0, -np.log(5.0)])  # of the logarithm, which is linear here
        spread = z * np.sqrt(slope @ covariance.matrix @ slope)
        row = made.of("loss", kind)
        ends = row.estimate * np.exp(np.array([-spread, spread]))
        np.testing.assert_allclose((row.low, row.high), ends, rtol=1e-9)


def test_wald_intervals_end_where_the_range_ends():
    aim = TargetTransform(
        "share", ParameterTarget(("share",), (False,)), jnp.ones(1), log=False, lower=0.0, upper=1.0
    )
    assert wald_interval(aim, {"share": 0.95}, np.array([[0.01]]), 0.9) == pytest.approx(
        (0.95 - 0.1645, 1.0), abs=1e-4
    )
    assert wald_interval(aim, {"share": 0.05}, np.array([[0.01]]), 0.9) == pytest.approx(
        (0.0, 0.05 + 0.1645), abs=1e-4
    )


def test_linear_profiles_are_the_sandwich(made):
    for target in ("b", "loss"):
        for profile, sandwich in (("profile", "sandwich"), ("cluster-profile", "cluster-sandwich")):
            ours, theirs = made.of(target, profile), made.of(target, sandwich)
            np.testing.assert_allclose((ours.low, ours.high), (theirs.low, theirs.high), rtol=1e-6)


def test_bootstraps_are_percentiles_of_the_refits(made):
    for kind, by in (("rows", None), ("cluster", "group"), ("wild", None), ("parametric", None)):
        key = jax.random.fold_in(KEY, fit.INTERVAL_KINDS.index(f"bootstrap-{kind}"))
        alone = fit.bootstrap(LINE, line(), kind=kind, by=by, key=key, **SETTINGS)
        row = made.of("b", f"bootstrap-{kind}")
        assert (row.low, row.high) == pytest.approx(alone.interval(0.9)["b"], rel=1e-12)
        losses = np.exp(alone.draws["a"] - alone.draws["b"] * np.log(5.0))
        row = made.of("loss", f"bootstrap-{kind}")
        np.testing.assert_allclose(
            (row.low, row.high), np.quantile(losses, (0.05, 0.95)), rtol=1e-9
        )


def test_same_key_same_bytes(made):
    second = fit.intervals(LINE, line(), key=KEY, targets={"b": "b", "loss": level_at}, **SETTINGS)
    assert second.rows == made.rows


def test_chosen_kinds_and_levels():
    found = fit.intervals(LINE, line(), key=KEY, kinds=["profile", "fisher"], level=0.5, **SETTINGS)
    assert [(row.target, row.kind) for row in found.rows] == [
        ("a", "profile"),
        ("a", "fisher"),
        ("b", "profile"),
        ("b", "fisher"),
    ]
    assert found.by is None
    wide = fit.intervals(LINE, line(), key=KEY, kinds="fisher", level=0.99, targets="b", **SETTINGS)
    assert wide.of("b", "fisher").width > 3 * found.of("b", "fisher").width
    with pytest.raises(JscaleError, match="there is no 'sandwich' interval of 'b'"):
        found.of("b", "sandwich")


def test_without_clusters_those_kinds_are_left_out():
    columns = {name: values for name, values in line().columns.items() if name != "group"}
    found = fit.intervals(LINE, runs.read(columns), key=KEY, targets="b", **SETTINGS)
    assert [row.kind for row in found.rows] == [k for k in fit.INTERVAL_KINDS if "cluster" not in k]
    assert "no-clusters" in {note.code for note in found.notes}


def test_an_objective_of_one_side_has_no_symmetric_bootstraps():
    settings = {**SETTINGS, "objective": fit.AsymmetricHuber(delta=0.01)}
    found = fit.intervals(LINE, line(), key=KEY, targets="b", **settings)
    left_out = {"bootstrap-parametric", "bootstrap-wild", "bootstrap-wild-cluster"}
    assert {row.kind for row in found.rows} == set(fit.INTERVAL_KINDS) - left_out
    assert [note.code for note in found.notes].count("no-symmetric") == 1
    for kind in left_out:
        with pytest.raises(JscaleError, match=f"'{kind}' draws symmetric noise"):
            fit.intervals(LINE, line(), key=KEY, kinds=[kind], **settings)


def test_wild_signs_and_absolute_losses_do_not_go_together(made):
    assert "wild-short" not in {note.code for note in made.notes}
    settings = {"kinds": ["bootstrap-wild"], "targets": "b", "draws": 20, "starts": 4, "key": KEY}
    for objective, told in ((fit.Huber(1e-3), True), (fit.Huber(0.1), False)):
        found = fit.intervals(LINE, line(), objective=objective, **settings)
        assert ("wild-short" in {note.code for note in found.notes}) == told


def test_without_a_degree_of_freedom_every_interval_is_the_whole_range():
    two = line().where(np.isin(np.arange(30), (3, 20)))
    with_level = {"b": "b", "loss": level_at}
    found = fit.intervals(LINE, two, key=KEY, targets=with_level, **SETTINGS)
    for row in found.rows:
        assert (row.low, row.high) == (
            (0.0, np.inf) if row.target == "loss" else (-np.inf, np.inf)
        ), row
    assert [note.code for note in found.notes].count("saturated") == 1
    profile = fit.profile(LINE, two, "b", objective="log-squares", starts=4)
    assert profile.interval == (-np.inf, np.inf)
    assert [note.code for note in profile.notes] == ["saturated"]
    assert fit.bootstrap(LINE, two, key=KEY, kind="wild", **SETTINGS).interval()["b"] == (
        -np.inf,
        np.inf,
    )


def test_what_the_runs_do_not_tell_has_its_whole_range_in_every_kind():
    kinds = ("fisher", "sandwich", "bootstrap-rows", "bootstrap-parametric", "profile")
    found = fit.intervals(
        laws.chinchilla,
        frontier(),
        key=KEY,
        kinds=kinds,
        objective="log-squares",
        starts=8,
        draws=8,
    )
    blind = found.point.certificate.unidentified
    assert blind
    assert set(blind) < set(found.point.params)
    for row in found.rows:
        assert ((row.low, row.high) == (0.0, np.inf)) == (row.target in blind), row
    assert [note.code for note in found.notes].count("unidentified") == 1


def test_refits_along_a_ridge_say_nothing_of_what_varies_along_it():
    """All refits begin at one exponent of size, which runs of one size leave open, and stay there."""
    D = np.geomspace(1e9, 1e12, 30)
    theta = {"E": 1.69, "A": 406.4, "B": 410.7, "alpha": 0.34, "beta": 0.28}
    table = runs.simulate(
        laws.chinchilla, theta, {"N": np.full(30, 1e9), "D": D}, noise=0.003, key=KEY
    )

    def exponent(params):
        return params["beta"] / (params["alpha"] + params["beta"])

    exponent.positive = True
    found = fit.intervals(
        laws.chinchilla,
        table,
        key=KEY,
        targets={"a": exponent, "beta": "beta"},
        objective="log-squares",
        kinds=("sandwich", "bootstrap-rows"),
        starts=8,
        draws=30,
    )
    ends = {(row.target, row.kind): (row.low, row.high) for row in found.rows}
    assert ends["a", "sandwich"] == (0.0, np.inf)
    assert np.isfinite(ends["a", "bootstrap-rows"]).all()
    (note,) = [note for note in found.notes if note.code == "unidentified-target"]
    assert note.evidence["targets"] == ["a"]


def test_percentiles_of_what_is_not_finite():
    values = np.arange(101.0)
    assert percentiles(values, 0.9) == pytest.approx((5, 95))
    assert percentiles(np.append(values, np.nan), 0.9) == pytest.approx((5, 95))
    some = np.where(values > 90, np.inf, values)
    assert percentiles(some, 0.9) == (5, np.inf)
    assert percentiles(np.full(3, np.nan), 0.9) == (-np.inf, np.inf)
    assert nan_note("P_opt", "bootstrap-rows", values) == []
    (note,) = nan_note("P_opt", "bootstrap-rows", np.array([1.0, np.nan]))
    assert note.message.startswith("P_opt has no value at 1 of 2 draws")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kinds": ["hessian"]}, "kinds: 'hessian' is none of fisher, sandwich"),
        ({"kinds": []}, "kinds is empty"),
        ({"targets": []}, "targets is empty"),
        ({"targets": "c"}, "has no parameter 'c'"),
        ({"targets": [level_at, level_at]}, "targets: two are named 'level_at'"),
        ({"level": 1.0}, "level must lie between 0 and 1"),
        ({"by": "one"}, "no column 'one'"),
        ({"by": "group", "kinds": ["fisher"]}, "by='group' belongs to the kinds cluster-sandwich"),
        ({"draws": 1}, "draws must be a whole number of at least 2"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_bad_input_is_one_line(settings, message):
    with pytest.raises(JscaleError, match=message) as caught:
        fit.intervals(LINE, line(), key=KEY, **{**SETTINGS, **settings})
    assert "\n" not in str(caught.value)


def test_clusters_that_are_not_there():
    columns = {name: values for name, values in line().columns.items() if name != "group"}
    with pytest.raises(
        JscaleError, match="kind 'cluster-profile' needs clusters, and no runs share"
    ):
        fit.intervals(LINE, runs.read(columns), key=KEY, kinds=["cluster-profile"], **SETTINGS)
