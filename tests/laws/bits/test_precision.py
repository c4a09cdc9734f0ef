"""Edge cases of the precision laws: too few bits, full precision, no degradation, no parameters."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jscale import laws
from tests.laws.catalogue_points import DTYPES, cast, in_dtype, thetas, typical
from tests.tolerances import VALUE

PARTS = ("w", "a", "kv")
ROBUST = {**laws.params(laws.precision), "C_w": 0.8, "C_a": 1.1, "C_kv": 0.3}
N, D = 1e9, 2e10
each_dtype = pytest.mark.parametrize("dtype", DTYPES)
each_part = pytest.mark.parametrize("part", PARTS)


def family() -> list[laws.LawFunction]:
    """Every law of the chapter that trains in some number of bits and returns a loss."""
    records = [laws.describe(f) for f in laws.catalogue]
    named = [
        r.name
        for r in records
        if r.subject == "precision" and "P_w" in r.bit_inputs and r.output.name == "loss"
    ]
    return [laws.get(name) for name in named]


each_loss = pytest.mark.parametrize("law", family(), ids=lambda f: laws.describe(f).name)


def constants(law) -> dict[str, float]:
    return {k: v for k, v in ROBUST.items() if k in laws.describe(law).parameter_names}


def edge(part: str) -> float:
    return ROBUST[f"n_{part}"] * ROBUST[f"gamma_{part}"]


def value_and_gradients(law, dtype, **inputs):
    """The value and every partial derivative at one point."""
    point = cast({**typical(law), **inputs}, dtype)
    value, (of_inputs, of_parameters) = jax.value_and_grad(
        lambda x, theta: law(**x, **theta), (0, 1)
    )(point, cast(constants(law), dtype))
    return value, {**of_inputs, **of_parameters}


def test_the_laws_of_the_family():
    names = {laws.describe(f).name for f in family()}
    assert names == {"qat", "low_precision", "precision", "precision_robust"}


@each_dtype
@pytest.mark.parametrize(
    ("law", "part"), [(f, x) for f in family() for x in PARTS if f is not laws.qat or x == "w"]
)
def test_bits_below_the_domain(law, part, dtype):
    """At or below n * gamma bits the loss is infinite; no derivative is NaN anywhere."""
    with in_dtype(dtype):
        for bits in (-1e4, 0.0, 0.5 * edge(part), 0.999 * edge(part)):
            value, gradients = value_and_gradients(law, dtype, **{f"P_{part}": bits})
            assert value == jnp.inf
            assert all(np.isfinite(g) for g in gradients.values())
        for factor in (1.001, 1.1):
            value, gradients = value_and_gradients(law, dtype, **{f"P_{part}": factor * edge(part)})
            assert np.isfinite(value)
            assert all(np.isfinite(g) for g in gradients.values())
            assert gradients[f"P_{part}"] < 0
            assert gradients[f"n_{part}"] > 0


@each_dtype
@pytest.mark.parametrize(
    "law", [*family(), laws.effective_parameters], ids=lambda f: laws.describe(f).name
)
def test_exactly_at_the_edge(law, dtype):
    """Numbers that are exact in binary, so that the exponent is exactly 0."""
    with in_dtype(dtype):
        at_edge = {"gamma_w": 2.0, "n_w": 1.5}
        theta = cast({**constants(law), **at_edge}, dtype)
        for bits, none_left in ((3.0, True), (np.nextafter(np.float32(3), np.float32(4)), False)):
            point = cast({**typical(law), "P_w": bits}, dtype)
            value, gradients = jax.value_and_grad(lambda x: law(**x), argnums=0)({**point, **theta})
            if law is laws.effective_parameters:
                assert (value == 0) == none_left
            else:
                assert np.isinf(value) == none_left
            assert all(np.isfinite(g) for g in gradients.values())


@each_dtype
@each_loss
def test_full_precision(law, dtype):
    """At full precision the law is Chinchilla's; the derivatives of the bits are 0."""
    with in_dtype(dtype):
        bits = dict.fromkeys(laws.describe(law).bit_inputs, jnp.inf)
        value, gradients = value_and_gradients(law, dtype, **bits)
        dense = {k: constants(law)[k] for k in ("E", "A", "B", "alpha", "beta")}
        np.testing.assert_allclose(value, laws.chinchilla(N, D, **dense), rtol=VALUE[dtype])
        assert all(np.isfinite(g) for g in gradients.values())
        unused = set(gradients) - {"N", "D", *dense}
        assert {name: float(g) for name, g in gradients.items() if name in unused} == dict.fromkeys(
            unused, 0.0
        )
        left_out = law(N, D, **cast(constants(law), dtype))
        np.testing.assert_allclose(left_out, value, rtol=VALUE[dtype])


@each_dtype
def test_one_part_in_full_precision(dtype):
    """The other parts' derivatives are those of the law without it."""
    with in_dtype(dtype):
        value, gradients = value_and_gradients(laws.low_precision, dtype, P_a=jnp.inf, P_kv=jnp.inf)
        expected, without = value_and_gradients(laws.qat, dtype)
        np.testing.assert_allclose(value, expected, rtol=VALUE[dtype])
        for name, gradient in without.items():
            np.testing.assert_allclose(
                gradients[name], gradient, rtol=10 * VALUE[dtype], err_msg=name
            )


@each_dtype
@pytest.mark.parametrize("P_w", [4.0, 8.0, 16.0, jnp.inf])
def test_no_degradation_at_or_above_the_training_bits(P_w, dtype):
    theta = constants(laws.precision)
    with in_dtype(dtype):
        trained = cast({"N": N, "D": D, "P_w": P_w, "P_a": 8.0, "P_kv": 8.0}, dtype)
        before = laws.low_precision(**trained, **cast(constants(laws.low_precision), dtype))
        for P_post in (P_w, P_w + 1, jnp.inf):
            for law in (laws.precision, laws.precision_robust):
                assert (
                    law(**trained, P_post=jnp.asarray(P_post, dtype), **cast(constants(law), dtype))
                    == before
                )
                _, gradients = value_and_gradients(law, dtype, **{**trained, "P_post": P_post})
                assert gradients["P_post"] == gradients["C_T"] == gradients["gamma_post"] == 0
        just_below = float(np.nextafter(np.float32(min(P_w, 1e3)), np.float32(0)))
        after = laws.precision(
            **trained, P_post=jnp.asarray(just_below, dtype), **cast(theta, dtype)
        )
        kept = laws.effective_parameters(
            N,
            P_w,
            8.0,
            8.0,
            **{k: theta[k] for k in laws.describe(laws.effective_parameters).parameter_names},
        )
        added = laws.ptq_degradation(
            kept,
            D,
            just_below,
            **{k: theta[k] for k in laws.describe(laws.ptq_degradation).parameter_names},
        )
        assert added > 0 or P_w == jnp.inf
        np.testing.assert_allclose(after, before + added, rtol=VALUE[dtype])


@each_dtype
@each_part
def test_a_robust_part_removes_the_degradation(part, dtype):
    """A part trained in P_post bits or fewer, where the printed factor would be negative."""
    with in_dtype(dtype):
        for bits in (4.0, 5.0):
            inputs = {"P_w": 16.0, "P_a": 16.0, "P_kv": 16.0, "P_post": 5.0, f"P_{part}": bits}
            value, gradients = value_and_gradients(laws.precision_robust, dtype, **inputs)
            trained = {k: v for k, v in inputs.items() if k != "P_post"}
            before, _ = value_and_gradients(laws.low_precision, dtype, **trained)
            assert value == before
            assert all(np.isfinite(g) for g in gradients.values())
            assert gradients["C_T"] == 0
        value, _ = value_and_gradients(
            laws.precision_robust, dtype, **{**inputs, f"P_{part}": 5.01}
        )
        before, _ = value_and_gradients(laws.low_precision, dtype, **{**trained, f"P_{part}": 5.01})
        assert value > before


@each_dtype
def test_robust_factors_tend_to_the_plain_law(dtype):
    """Infinite robustness gives the plain degradation if all parts have more than P_post bits."""
    with in_dtype(dtype):
        at = cast({"N": N, "D": D, "P_w": 8.0, "P_a": 12.0, "P_kv": jnp.inf, "P_post": 4.0}, dtype)
        theta = cast({**ROBUST, "C_w": 1e3, "C_a": jnp.inf}, dtype)
        plain = laws.precision(**at, **cast(constants(laws.precision), dtype))
        np.testing.assert_allclose(laws.precision_robust(**at, **theta), plain, rtol=VALUE[dtype])


@each_dtype
def test_no_effective_parameters(dtype):
    """N_eff = 0 by any route: infinite loss, no degradation added and no NaN."""
    with in_dtype(dtype):
        theta = cast(constants(laws.precision_robust), dtype)
        assert (
            laws.effective_parameters(N, 0.3, 8.0, 8.0, **_own(laws.effective_parameters, theta))
            == 0
        )
        assert (
            laws.effective_parameters_weights(
                N, 0.3, **_own(laws.effective_parameters_weights, theta)
            )
            == 0
        )
        zero = jnp.zeros((), dtype)
        delta, gradients = jax.value_and_grad(
            lambda N, theta: laws.ptq_degradation(N, D, 4.0, **theta), argnums=(0, 1)
        )(zero, _own(laws.ptq_degradation, theta))
        assert delta == 0
        assert all(np.isfinite(g) for g in jax.tree.leaves(gradients))
        for dense, params in ((laws.chinchilla, "besiroglu2024"), (laws.kaplan, "kaplan2020")):
            loss, gradients = jax.value_and_grad(
                lambda N, theta, dense=dense: dense(N, D, **theta), argnums=(0, 1)
            )(zero, cast(laws.params(dense, params), dtype))
            assert loss == jnp.inf
            assert all(np.isfinite(g) for g in jax.tree.leaves(gradients))


def _own(law, theta):
    return {k: theta[k] for k in laws.describe(law).parameter_names}


@each_dtype
def test_effective_fraction_at_its_edges(dtype):
    with in_dtype(dtype):
        theta = cast(laws.params(laws.effective_fraction), dtype)
        size_term = theta["A"] * jnp.asarray(N, dtype) ** -theta["alpha"]
        function = jax.value_and_grad(
            lambda delta, theta: laws.effective_fraction(N, delta, **theta), argnums=(0, 1)
        )
        for delta, expected in (
            (0.0, 1.0),
            (jnp.inf, 0.0),
            (-2 * size_term, jnp.inf),
            (-size_term * 1.001, jnp.inf),
        ):
            value, gradients = function(jnp.asarray(delta, dtype), theta)
            assert value == expected
            assert all(np.isfinite(g) for g in jax.tree.leaves(gradients))
        fraction, _ = function(-0.5 * size_term, theta)
        assert 1 < fraction < jnp.inf
        # A model that diverged at too few bits has no effective parameters.
        added = laws.qat(N, D, 0.3, **constants(laws.qat)) - laws.qat(N, D, **constants(laws.qat))
        assert laws.effective_fraction(N, added, **theta) == 0


@each_dtype
def test_fraction_and_law_agree(dtype):
    """Eq. 30 inverts the loss: it returns the fraction of parameters that the law retained."""
    with in_dtype(dtype):
        theta = constants(laws.low_precision)
        for bits in (4.0, 6.0, 12.0):
            delta = laws.low_precision(N, D, bits, bits, bits, **theta) - laws.low_precision(
                N, D, **theta
            )
            kept = laws.effective_parameters(
                1.0, bits, bits, bits, **_own(laws.effective_parameters, theta)
            )
            fraction = laws.effective_fraction(N, delta, **_own(laws.effective_fraction, theta))
            # Cancellation in the subtraction: 3e-7 * 3 / 0.03 in float32.
            np.testing.assert_allclose(fraction, kept, rtol=1e-4 if dtype == "float32" else 1e-12)


def test_printed_form_without_biases():
    plain = laws.fix(laws.low_precision, n_w=0.0, n_a=0.0, n_kv=0.0)
    theta = laws.params(plain, "kumar2024")
    kept = np.prod([1 - np.exp(-5 / theta[f"gamma_{part}"]) for part in PARTS])
    expected = laws.chinchilla(
        N * kept, D, **{k: theta[k] for k in ("E", "A", "B", "alpha", "beta")}
    )
    with in_dtype("float64"):
        np.testing.assert_allclose(plain(N, D, 5, 5, 5, **theta), expected, rtol=VALUE["float64"])


@pytest.mark.parametrize("name", ["N", "D", "P_w", "P_a", "P_kv", "P_post", "gamma_w", "n_a"])
@each_dtype
def test_nan_stays_nan(name, dtype):
    """A NaN propagates; it does not count as full precision or as zero effective parameters."""
    with in_dtype(dtype):
        at = cast({**typical(laws.precision_robust), **ROBUST, name: jnp.nan}, dtype)
        assert np.isnan(laws.precision_robust(**at))
        assert np.isnan(
            laws.precision(**{k: v for k, v in at.items() if k[:2] != "C_" or k == "C_T"})
        )
    assert np.isnan(laws.effective_fraction(N, np.nan, **laws.params(laws.effective_fraction)))


bits = (
    st.floats(0, 64, width=32)
    | st.floats(0, 8, width=32)
    | st.sampled_from([0.0, 3.0, 16.0, np.inf])
)


@settings(max_examples=300)
@given(P_w=bits, P_a=bits, P_kv=bits, P_post=bits)
def test_no_nan_at_any_bits(P_w, P_a, P_kv, P_post):
    inputs = cast({"P_w": P_w, "P_a": P_a, "P_kv": P_kv, "P_post": P_post}, "float32")
    value, gradients = GRADIENT(inputs, cast(ROBUST, "float32"))
    floor = ROBUST["E"]
    inside = all(bits > edge(part) for part, bits in zip(PARTS, (P_w, P_a, P_kv), strict=True))
    assert value > floor
    assert (
        np.isfinite(value)
        or not inside
        or min(P_w / edge("w"), P_a / edge("a"), P_kv / edge("kv")) < 1 + 1e-5
    )
    assert not any(np.isnan(g) for g in jax.tree.leaves(gradients))


GRADIENT = jax.jit(
    jax.value_and_grad(lambda x, theta: laws.precision_robust(N, D, **x, **theta), argnums=(0, 1))
)


def test_tried_constants_are_inside_the_domain():
    """The contract's grid starts at 4 bits: every set of constants that it uses is valid there."""
    for law in family():
        for source, theta in thetas(law):
            for part in PARTS:
                if f"n_{part}" in theta:
                    assert theta[f"n_{part}"] * theta[f"gamma_{part}"] < 4, (source, part)
