"""Names in place of laws: every public function that takes a law takes the name of one."""

import inspect
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import pytest

from jscale import assess, laws, plan, runs
from jscale._core.errors import JscaleError

THETA = laws.params("chinchilla")
TABLE = runs.read({"N": [1e8, 3e8, 1e9], "D": [2e9, 6e9, 2e10], "loss": [3.5, 3.2, 2.9]})
GIVEN: dict[str, Any] = {
    "params": THETA,
    "draws": THETA,
    "table": TABLE,
    "key": jax.random.key(0),
    "plan_function": plan.optimal,
    "N": 1e9,
    "D": 2e10,
    "U": 1e10,
    "at": {"N": 1e9, "D": 2e10},
    "first": {"N": 1e9, "D": 2e10},
    "second": {"N": 2e9, "D": 1e10},
    "plans": {"N": [1e9], "D": [2e10]},
    "design": {"N": [1e9], "D": [2e10]},
    "candidates": {"N": [1e9], "D": [2e10]},
    "budget": 1e21,
    "plan_budget": 1e21,
    "loss": 3.0,
    "price": 1e-22,
    "probability": 0.5,
    "noise": 0.01,
    "text": "a",
    "target": "a",
}
"""A value for every argument that has no default."""


def functions(*arguments: str) -> list[Callable[..., Any]]:
    """The public functions of plan, assess and runs with one of these arguments."""
    public = [getattr(module, name) for module in (plan, assess, runs) for name in module.__all__]
    return [
        each
        for each in public
        if inspect.isroutine(each) and {*arguments} & {*inspect.signature(each).parameters}
    ]


def of_law(function: Callable[..., Any], law: Any) -> Any:
    parameters = inspect.signature(function).parameters.values()
    required = {p.name for p in parameters if p.default is p.empty and p.kind < p.VAR_KEYWORD}
    return function(**{name: GIVEN[name] for name in required & {*GIVEN}}, law=law)


BY_LAW = [each for each in functions("law") if each is not assess.band_correction]
"""``band_correction`` takes the name of a law in a backtest."""


def test_the_functions_that_take_a_law():
    names = {each.__name__ for each in BY_LAW}
    assert len(names) >= 26
    assert {"optimal", "bands", "calibrate", "effective_compute", "simulate"} <= names


@pytest.mark.parametrize("function", BY_LAW, ids=lambda each: each.__name__)
def test_an_unknown_name_suggests_the_nearest(function: Callable[..., Any]):
    with pytest.raises(JscaleError, match="no law named 'chinchila'; did you mean 'chinchilla'"):
        of_law(function, "chinchila")


@pytest.mark.parametrize(
    "function",
    [
        plan.optimal,
        plan.marginal_returns,
        plan.beats,
        assess.quantity,
        runs.inputs,
        runs.columns_of,
    ],
    ids=lambda each: each.__name__,
)
def test_a_name_gives_what_its_law_gives(function: Callable[..., Any]):
    by_name, by_law = (of_law(function, law) for law in ("chinchilla", laws.chinchilla))
    jax.tree.map(np.testing.assert_array_equal, by_name, by_law)


def test_names_under_transformations():
    def size(A: Any, law: Any) -> Any:
        return plan.optimal(law, {**THETA, "A": A}, 1e21).N_opt

    slopes = [jax.grad(size)(THETA["A"], law) for law in ("chinchilla", laws.chinchilla)]
    assert slopes[0] == slopes[1]


@pytest.mark.parametrize(
    "call",
    [
        lambda name: assess.compare([name, laws.coupled], TABLE),
        lambda name: assess.compare(name, TABLE),
        lambda name: assess.compare([laws.chinchilla, laws.coupled], TABLE, nested=[(name, name)]),
        lambda name: assess.backtest(["coupled", name], TABLE, key=GIVEN["key"]),
        lambda name: assess.ensemble([laws.coupled, name], TABLE, key=GIVEN["key"]),
        lambda name: assess.ensemble_forecaster(name, TABLE),
        lambda name: assess.sensitivity("coupled", TABLE, target="a", variants=[name]),
        lambda name: plan.averaged([("coupled", {}), (name, THETA)], 1e21),
    ],
    ids=["compare", "one", "nested", "backtest", "ensemble", "forecaster", "variants", "averaged"],
)
def test_an_unknown_name_among_several(call: Callable[[str], Any]):
    with pytest.raises(JscaleError, match="no law named 'chinchila'; did you mean 'chinchilla'"):
        call("chinchila")


def test_names_among_several():
    assert (
        assess.ensemble_forecaster("chinchilla", TABLE).name
        == assess.ensemble_forecaster(laws.chinchilla, TABLE).name
    )
    members = [(law, THETA) for law in ("chinchilla", laws.chinchilla)]
    plans = [plan.averaged([member], 1e21).N for member in members]
    assert plans[0] == plans[1]
