"""Formulas as text: their names, value and renaming; only arithmetic is allowed."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jscale._core import expressions
from jscale._core.errors import JscaleError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("E + A * N**-alpha", {"E", "A", "N", "alpha"}),
        ("exp(-P_w / gamma_w) + exponent", {"P_w", "gamma_w", "exponent"}),
        ("where(P < inf, log(P), 1e5)", {"P"}),
        ("1e-05 * x + 2.5e3", {"x"}),
        ("1", set()),
    ],
)
def test_names(text, expected):
    assert expressions.names(text) == expected


@pytest.mark.parametrize("text", ["E +", "a = 1", "import os", "", "a b", "(x", "lambda"])
def test_invalid_expressions(text):
    with pytest.raises(JscaleError, match="is not a formula") as caught:
        expressions.names(text)
    assert "\n" not in str(caught.value).replace(repr(text), "")
    with pytest.raises(JscaleError, match="is not a formula"):
        expressions.evaluate(text, {})


NOT_ARITHMETIC = [
    *("x.__class__", "(i for i in [1]).gi_frame", "[1][0]", "x[0]", "(1, 2)", "{}", "{1: 2}"),
    *("lambda: 1", "(lambda x: x)(1)", "exp(x)(y)", "exp(x, axis=0)", "exp(*x)", "x if y else z"),
    *("[i for i in x]", "'text'", "b'bytes'", "f'{x}'", "1j", "...", "True", "None", "(x := 1)"),
    *("x // y", "x % y", "x @ y", "x << 9", "x & y", "~x", "not x", "x and y", "x in y", "x is y"),
    *("1 < x < 2", "await x", "x__y", "__import__('os')", "*x"),
]
"""Syntax of Python that no formula needs."""


@pytest.mark.parametrize("text", NOT_ARITHMETIC)
def test_only_arithmetic_is_allowed(text):
    for function in (expressions.names, lambda text: expressions.evaluate(text, {"x": 1.0})):
        with pytest.raises(JscaleError, match="is not a formula: ") as caught:
            function(text)
        assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "text",
    ["9**9**9", "x + 9**9**9 * y", "1 / 0", "(-8)**0.5", "1e999", "9" * 400, "1e200 * 1e200"],
)
def test_constant_parts_are_finite(text):
    """Python's integers have no largest value: ``9**9**9`` would take gigabytes."""
    with pytest.raises(JscaleError, match="is not a finite number"):
        expressions.evaluate(text, {"x": 1.0, "y": 1.0})


@pytest.mark.parametrize(
    "text",
    [
        "(" * 10**5,
        "-" * 10**5 + "x",
        "x+" * 10**5 + "x",
        "x**" * 10**5 + "x",
        "9" * 10**5,
        "x" * 10**6,
    ],
    ids=["brackets", "signs", "sums", "powers", "digits", "letters"],
)
def test_long_and_deep_texts(text):
    with pytest.raises(JscaleError, match="is not a formula") as caught:
        expressions.names(text)
    assert len(str(caught.value)) < 200


def test_the_largest_formulas():
    """Sums of a few hundred terms are formulas; a formula does not grow without end."""
    assert expressions.names(" + ".join(f"a_{i}" for i in range(400)))
    with pytest.raises(JscaleError, match="500,000 characters once its names are replaced"):
        expressions.rename("a + " * 1000 + "a", {"a": "b * " * 1000 + "b"})


def test_functions_are_called_and_numbers_are_not():
    with pytest.raises(JscaleError, match="x is called, but it is not a function"):
        expressions.evaluate("x(1)", {"x": 2.0})
    with pytest.raises(JscaleError, match="exp is a function, and it is not called"):
        expressions.evaluate("exp + 1", {})
    assert expressions.evaluate("double(x)", {"double": lambda x: 2 * x, "x": 2.0}) == 4


def test_evaluate():
    values = {"E": 1.5, "A": 2.0, "N": np.array([1.0, 4.0])}
    np.testing.assert_allclose(expressions.evaluate("E + A / sqrt(N)", values), [3.5, 2.5])
    assert (
        expressions.evaluate(
            "where(N > 2, log2(N), minimum(N, E))", {"N": jnp.float32(8), "E": 1.0}
        )
        == 3
    )
    assert expressions.evaluate("sum(N)", values) == 5
    np.testing.assert_allclose(
        expressions.evaluate("logsumexp(N)", values), np.logaddexp(1, 4), rtol=1e-6
    )
    assert expressions.evaluate("-inf", {}) == -jnp.inf


def test_evaluate_is_pure_jax():
    function = jax.jit(jax.grad(lambda a: expressions.evaluate("exp(a * x)", {"a": a, "x": 2.0})))
    np.testing.assert_allclose(function(0.5), 2 * np.e, rtol=1e-6)


def test_values_have_precedence_over_functions():
    assert expressions.evaluate("exp(1)", {"exp": lambda x: -x}) == -1


def test_no_builtins():
    for text in ("open", "print(1)"):
        with pytest.raises(NameError):
            expressions.evaluate(text, {})


@pytest.mark.parametrize(
    ("text", "replacements", "expected"),
    [
        ("D**-beta", {"beta": "alpha"}, "D**-(alpha)"),
        ("a + b", {"a": "b", "b": "a"}, "(b) + (a)"),
        (
            "alpha * alpha_N + exp(a)",
            {"alpha": "0.3", "a": "-1.5"},
            "(0.3) * alpha_N + exp((-1.5))",
        ),
        ("1e5 * e + x.e", {"e": "2"}, "1e5 * (2) + x.e"),
        ("P_w_low / P_w", {"P_w": "8"}, "P_w_low / (8)"),
        ("N", {}, "N"),
    ],
)
def test_rename(text, replacements, expected):
    assert expressions.rename(text, replacements) == expected


def test_renaming_does_not_change_the_value():
    """Brackets: a negative number or a sum in place of a name does not affect its surroundings."""
    renamed = expressions.rename("x**-n * m", {"n": "-2", "m": "a + b"})
    assert expressions.evaluate(renamed, {"x": 3.0, "a": 1.0, "b": 1.0}) == 18
