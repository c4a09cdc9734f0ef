"""A fitted point answers every question about it without a second fit."""

import copy
import dataclasses
import pickle
from collections import Counter

import jax
import numpy as np
import pytest

from jscale import fit, laws
from jscale._core.errors import JscaleError
from jscale.fit.optimum import _point, _state
from tests.fit.lines import LINE, line

KEY = jax.random.key(0)
SETTINGS = {"objective": "log-squares", "weights": np.linspace(0.2, 3.0, 30), "starts": 4}
STEPS = ("select", "apply_weights", "tabulate", "find_optimum")
QUESTIONS = {
    "covariance": (fit.covariance, (), {"kind": "cluster-sandwich", "by": "group"}),
    "profile": (fit.profile, ("b",), {}),
    "bootstrap": (fit.bootstrap, (), {"draws": 40, "key": KEY, "kind": "cluster"}),
    "intervals": (
        fit.intervals,
        (),
        {"draws": 40, "key": KEY, "targets": "b", "kinds": ["fisher", "bootstrap-wild"]},
    ),
}


@pytest.fixture
def calls(monkeypatch) -> Counter[str]:
    """How often each step of a fit is called."""
    counts: Counter[str] = Counter()

    def count(name: str) -> None:
        original = getattr(_point, name)

        def counted(*args, **kwargs):
            counts[name] += 1
            return original(*args, **kwargs)

        monkeypatch.setattr(_point, name, counted)

    for name in STEPS:
        count(name)
    return counts


@pytest.fixture(scope="module")
def point() -> fit.Point:
    return fit.point(LINE, line(), **SETTINGS)


def test_a_fit_selects_weights_tabulates_and_minimises_once(calls, monkeypatch):
    def linearize(*arguments):
        raise AssertionError("the optimum was linearized when it was found")

    monkeypatch.setattr(_state, "linearize", linearize)
    point = fit.point(LINE, line(), **SETTINGS)
    assert calls == dict.fromkeys(STEPS, 1)
    for function, arguments, options in QUESTIONS.values():
        function(point, *arguments, **options)
    assert calls == dict.fromkeys(STEPS, 1)


@pytest.mark.parametrize("name", QUESTIONS)
def test_a_law_and_a_table_are_fitted_once_with_equal_results(name, calls, point):
    function, arguments, options = QUESTIONS[name]
    by_point = function(point, *arguments, **options)
    assert not calls
    by_table = function(LINE, line(), *arguments, **options, **SETTINGS)
    assert calls == dict.fromkeys(STEPS, 1)
    for field in dataclasses.fields(by_point):
        value, expected = getattr(by_point, field.name), getattr(by_table, field.name)
        if field.name == "point":
            value, expected = value.params, expected.params
        if field.name != "seconds":
            np.testing.assert_equal(value, expected, field.name)


def test_the_target_of_a_profile_has_two_places(point):
    assert fit.profile(point, "b").interval == fit.profile(point, target="b").interval
    with pytest.raises(JscaleError, match="target: none was given"):
        fit.profile(point)


def test_arguments_may_repeat_what_the_point_did(point):
    repeated = fit.covariance(point, **SETTINGS)
    np.testing.assert_array_equal(repeated.matrix, fit.covariance(point).matrix)
    by_column = fit.point(LINE, line(), objective="log-squares", starts=4, weights="N")
    assert fit.covariance(by_column, weights="N").point is by_column


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"table": line()}, r"table: given together with a point.*covariance\(point, \.\.\.\)"),
        ({"objective": "huber"}, r"objective: huber\(.*contradicts the point's log-squares"),
        ({"weights": np.ones(30)}, "weights: they differ from the point's weights 'given'"),
        ({"weights": "N"}, "weights: they differ from the point's weights 'given'"),
        ({"starts": 8}, "starts: 8 contradicts the point's 4"),
    ],
    ids=str,
)
def test_arguments_that_contradict_the_point_are_one_line(point, options, message):
    with pytest.raises(JscaleError, match=message) as caught:
        fit.covariance(point, **options)
    assert "\n" not in str(caught.value)
    assert caught.value.argument in options


def test_a_law_needs_a_table():
    with pytest.raises(JscaleError, match="table: none was given; expected covariance"):
        fit.covariance(LINE)


@pytest.mark.parametrize(
    "change",
    [
        lambda point: pickle.loads(pickle.dumps(point)),
        lambda point: dataclasses.replace(point, notes=()),
    ],
    ids=["pickle", "replace"],
)
def test_changed_and_unpickled_points_keep_the_result_but_not_the_fit(change):
    point = fit.point(
        laws.power_size, line(), objective="log-squares", starts=4, weights=np.ones(30)
    )
    changed = change(point)
    assert changed.params == point.params
    assert repr(changed) == repr(point)
    np.testing.assert_array_equal(changed.residuals, point.residuals)
    with pytest.raises(JscaleError, match="profile: this point has no table and no optimum"):
        fit.profile(changed, "alpha")


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy], ids=["copy", "deepcopy"])
def test_copies_keep_the_fit(point, duplicate):
    copied = duplicate(point)
    assert copied is not point
    assert repr(copied) == repr(point)
    assert fit.profile(copied, "b").interval == fit.profile(point, "b").interval


def test_results_are_compared_by_identity(point):
    for make in (fit.covariance, lambda point: fit.profile(point, "b")):
        first, second = make(point), make(point)
        assert first == first
        assert first != second
        assert len({first, second, point}) == 3


def test_the_arrays_of_a_point_are_read_only(point):
    for copied in (point, copy.deepcopy(point), pickle.loads(pickle.dumps(point))):
        for name in ("covariance", "predicted", "residuals", "rows"):
            with pytest.raises(ValueError, match="read-only"):
                getattr(copied, name)[0] = 1


def test_equal_weights_agree_with_a_point_without_weights():
    point = fit.point(LINE, line(), objective="log-squares", starts=4)
    assert fit.covariance(point, weights=np.full(30, 2.0)).point is point
    with pytest.raises(JscaleError, match="weights: the point was fitted without weights"):
        fit.covariance(point, weights=np.arange(30.0))


def test_arguments_in_the_wrong_place_are_named(point):
    with pytest.raises(JscaleError, match=r"'fisher' is not a table; did you mean kind='fisher'\?"):
        fit.covariance(point, "fisher")
    with pytest.raises(JscaleError, match="table: 'a' is not a table; expected profile"):
        fit.profile(point, "a", "b")


def test_a_covariance_is_shown_on_one_line(point):
    shown = repr(fit.covariance(point, kind="cluster-sandwich"))
    assert shown.startswith("<Covariance line_law, cluster-sandwich by group: a±")
