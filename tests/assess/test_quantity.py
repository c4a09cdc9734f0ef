"""Targets as text and as functions: their values, and invalid ones."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jscale import assess, fit, laws, plan
from jscale._core.errors import JscaleError
from tests.assess.tables import simulated

pytestmark = pytest.mark.usefixtures("one_optimiser")


def error_of(law, text) -> str:
    with pytest.raises(JscaleError) as caught:
        assess.quantity(law, text)
    assert str(caught.value).isprintable()
    return str(caught.value)


@pytest.mark.parametrize("text", [3, None, ["a"], b"a"], ids=str)
def test_a_target_is_a_text(text):
    assert error_of(laws.chinchilla, text) == f"a target must be a text such as 'E', not {text!r}"


def test_spaces_do_not_change_a_target():
    law = laws.chinchilla
    assert assess.quantity(law, " N_opt @ 1e24") == assess.quantity(law, "N_opt@1e24")
    assert assess.quantity(law, "loss @ N = 7e10 , D = 1e12").name == "loss@N=7e10,D=1e12"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "P_opt",
            "target 'P_opt': law 'chinchilla' has no training precision, "
            "so there is no P to plan with",
        ),
        ("N_opt@1e24,N=3", "target 'N_opt@1e24,N=3': N cannot be both free and given"),
        ("D_crit@P_post=4", "target 'D_crit@P_post=4': needs N (such as D_crit@N=8e9)"),
        (
            "loss@=7,D=1",
            "target 'loss@=7,D=1': no name before '=7'; expected a number such as 1e24 or N=8e9",
        ),
        ("N_opt@1e-30", "target 'N_opt@1e-30': the budget must be at least 6 FLOP, not 1e-30"),
        (
            "n_opt@1e24",
            "law 'chinchilla' has no target 'n_opt@1e24' "
            "(it has: a, N_opt, D_opt, loss, E, A, B, alpha, beta); did you mean 'N_opt'?",
        ),
    ],
    ids=str,
)
def test_invalid_targets_have_a_valid_example(text, message):
    assert error_of(laws.chinchilla, text) == message


def test_examples_are_of_the_law():
    assert error_of(laws.power_size, "loss") == "target 'loss': needs inputs (such as loss@N=7e10)"
    assert error_of(laws.power_size, "zz").endswith("(it has: loss, L_inf, A, alpha)")
    assert "(it has: a, N_opt, D_opt, P_opt, loss, D_crit, E, A, " in error_of(laws.precision, "zz")
    assert error_of(laws.precision, "D_crit@P_post=4").endswith(
        "needs N (such as D_crit@N=8e9,P_post=4)"
    )


FUNCTIONS = {
    "raised KeyError: 'alhpa'": lambda t: t["alhpa"],
    "raised TracerArrayConversionError": lambda t: np.log(t["alpha"]),
    "raised ConcretizationTypeError": lambda t: float(t["alpha"]),
    "raised TypeError": lambda: 1.0,
    "not to a tuple": lambda t: (t["alpha"], t["A"]),
    "not to an array of shape (1,)": lambda t: jnp.ones(1) * t["alpha"],
    "valid JAX type": lambda t: "alpha",
    "not to one of type bool": lambda t: t["alpha"] > 0,
    "not to one of type complex128": lambda t: jax.lax.complex(t["alpha"], t["A"]),
}


@pytest.mark.parametrize(("reason", "function"), FUNCTIONS.items(), ids=FUNCTIONS)
def test_invalid_target_functions(reason, function):
    with pytest.raises(JscaleError) as caught:
        fit.profile(
            laws.power_size, simulated(), {"mine": function}, objective="log-squares", starts=8
        )
    assert str(caught.value).startswith(
        "target: 'mine' must be a JAX function from a dict of the parameters (L_inf, A, alpha) "
        "to one real number"
    )
    assert reason in str(caught.value)
    assert str(caught.value).isprintable()


def test_a_quantity_by_name_alone_points_to_its_function():
    with pytest.raises(JscaleError, match=r"no parameter 'a' .*assess.quantity makes.*'a'"):
        fit.profile(laws.chinchilla, simulated(), "a")


def test_intervals_print_in_a_line():
    settings: Any = {"kinds": ["fisher", "sandwich"], "objective": "log-squares", "starts": 8}
    result = fit.intervals(laws.power_size, simulated(), key=jax.random.key(0), **settings)
    assert (
        repr(result)
        == f"<Intervals power_size: 3 targets x 2 kinds at 0.9; {result.point.certificate.status}>"
    )


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("loss@N=70B,D=1.4T", "loss@N=7e10,D=1.4e12"),
        ("N_opt@1t", "N_opt@1e12"),
        ("D_crit@N=8B,P_post=4", "D_crit@N=8e9,P_post=4"),
    ],
)
def test_counts_are_written_with_suffixes(text, plain):
    with_suffix, without = (assess.quantity(laws.precision, name) for name in (text, plain))
    assert (with_suffix.at, with_suffix.budget) == (without.at, without.budget)
    assert with_suffix.name == text
    assert "expected a number such as 1e24 or N=8e9, not 'N=70G'" in error_of(
        laws.precision, "loss@N=70G,D=1e9"
    )


def test_inputs_outside_the_definition_of_a_law_are_rejected():
    assert error_of(laws.routed, "loss@N=1e9,E_experts=0.5") == (
        "target 'loss@N=1e9,E_experts=0.5': "
        "E_experts must be a finite number of experts, 1 or more, not 0.5"
    )


def test_values_are_those_of_the_plans():
    law, theta = laws.chinchilla, laws.params(laws.chinchilla)
    best = plan.optimal(law, theta, 1e24)
    expected = {
        "a": theta["beta"] / (theta["alpha"] + theta["beta"]),
        "N_opt@1e24": best.N_opt,
        "D_opt@C=1e24": best.D_opt,
        "loss@1e24": best.loss,
        "loss@N=7e10,D=1.4e12": law(7e10, 1.4e12, **theta),
        "beta": theta["beta"],
    }
    for text, value in expected.items():
        target = assess.quantity(law, text)
        assert (target.__name__, target.positive) == (text, True)
        assert float(target(theta)) == pytest.approx(float(value), rel=1e-6), text
        assert target == assess.quantity(law, text)
        assert hash(target) == hash(assess.quantity(law, text))
    theta = laws.params(laws.precision)
    tokens = assess.quantity(laws.precision, "D_crit@N=8e9,P_post=4")(theta)
    critical = plan.critical_tokens(laws.precision, theta, N=8e9, P_post=4).D_crit
    assert float(tokens) == pytest.approx(float(critical), rel=1e-6)
    bits = assess.quantity(laws.precision, "P_opt@1e21")(theta)
    assert float(bits) == pytest.approx(
        float(plan.optimal_precision(laws.precision, theta, budget=1e21).P_opt), rel=1e-4
    )
    tied = laws.tie(laws.chinchilla, beta="alpha")
    assert float(
        assess.quantity(tied, "a")({"E": 1.7, "A": 400.0, "B": 400.0, "alpha": 0.3})
    ) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("gamma", "has no target 'gamma'"),
        ("alpha@1e24", "alpha takes neither a budget nor inputs"),
        ("N_opt", "target 'N_opt': needs a budget, in FLOP .such as N_opt@1e24"),
        ("N_opt@-1", "the budget must be a finite number above 0"),
        ("N_opt@many", "expected a number such as 1e24 or N=8e9, not 'many'"),
        ("N_opt@1e24,C=1e23", "C is given twice"),
        ("N_opt@1e24,P_w=4", "has no input P_w"),
        ("P_opt@1e21", "has no training precision"),
        ("loss@N=7e10", "also needs D"),
        ("D_crit@1e24", "takes no budget"),
        ("D_crit@P_post=4", "needs N"),
        ("D_crit@N=8e9,P_post=4", "has no input P_post"),
        ("loss@", "expected a number"),
    ],
    ids=str,
)
def test_invalid_targets(text, message):
    with pytest.raises(JscaleError, match=message) as caught:
        assess.quantity(laws.chinchilla, text)
    assert "\n" not in str(caught.value)


def test_compute_is_an_input_of_a_law_of_compute():
    law = laws.power_compute
    theta = {"L_inf": 1.69, "A": 1064.0, "alpha": 0.154}
    expected = float(law(1e21, **theta))
    for text in ("loss@C=1e21", "loss@1e21"):
        assert float(assess.quantity(law, text)(theta)) == pytest.approx(expected, rel=1e-6)
