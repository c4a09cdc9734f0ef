"""The differentiable root and minimum: values, derivatives, and the status where there is none."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jscale._core.scope import float64
from jscale._core.solve import argmin, root
from jscale._core.status import Status

RTOL = {"float32": 2e-6, "float64": 1e-13}


@pytest.fixture(params=["float32", "float64"])
def dtype(request):
    if request.param == "float32":
        yield request.param
    else:
        with float64():
            yield request.param


@pytest.fixture
def wide():
    with float64():
        yield


def scalar(value, dtype):
    return jnp.asarray(value, dtype)


# Each: equation in x and a, bracket, closed-form root. All are smooth and cross zero once.
EQUATIONS = {
    "cube": (lambda x, a: x**3 - a, 0.0, 5.0, lambda a: a ** (1 / 3)),
    "falling": (lambda x, a: jnp.exp(-x) - a, -5.0, 5.0, lambda a: -jnp.log(a)),
    "steep": (lambda x, a: jnp.tanh(30 * (x - jnp.sqrt(a))), -40.0, 40.0, jnp.sqrt),
    "flat": (lambda x, a: (x - a) ** 3 + 1e-3 * (x - a), -10.0, 10.0, lambda a: a),
    "distant": (lambda x, a: jnp.expm1(x - a), -30.0, 30.0, lambda a: a),
}


def solve(name, a):
    function, lower, upper, _ = EQUATIONS[name]
    return root(lambda x: function(x, a), scalar(lower, a.dtype), scalar(upper, a.dtype)).x


@pytest.mark.parametrize("name", EQUATIONS)
def test_root_is_the_closed_form(name, dtype):
    a = jnp.asarray([0.3, 1.0, 2.7], dtype)
    roots = jax.jit(jax.vmap(functools.partial(solve, name)))(a)
    assert roots.dtype == dtype
    np.testing.assert_allclose(roots, EQUATIONS[name][3](a), rtol=RTOL[dtype], atol=RTOL[dtype])


def derivatives(function, mode):
    """The first three, by one mode of differentiation, from one solution of the equation."""

    def second(a):
        slope = mode(function)(a)
        return slope, slope

    def third(a):
        curvature, slope = mode(second, has_aux=True)(a)
        return curvature, (slope, curvature)

    def all_three(a):
        last, (slope, curvature) = mode(third, has_aux=True)(a)
        return jnp.stack([slope, curvature, last])

    return all_three


@pytest.mark.parametrize("name", ["cube", "steep", "flat"])
def test_root_has_the_derivatives_of_the_closed_form(name, wide):
    exact = jax.jit(derivatives(EQUATIONS[name][3], jax.grad))(1.3)
    function = functools.partial(solve, name)
    modes = (jax.jacfwd, jax.jacrev)
    both = jax.jit(lambda a: [derivatives(function, mode)(a) for mode in modes])
    for mode, values in zip(modes, both(jnp.asarray(1.3)), strict=True):
        np.testing.assert_allclose(values, exact, rtol=1e-8, atol=1e-9, err_msg=mode.__name__)


def test_root_under_vmap_is_the_loop(wide):
    a = jnp.linspace(0.1, 4.0, 17)
    one = jax.jit(jax.value_and_grad(functools.partial(solve, "cube")))
    value, slope = jax.jit(jax.vmap(one))(a)
    np.testing.assert_array_equal(value, [one(x)[0] for x in a])
    np.testing.assert_allclose(slope, a ** (-2 / 3) / 3, rtol=1e-12)


# Each: function on [-5, 5] and the status of its root.
ROOT_STATUSES = {
    "outside": (lambda x: x - 7.0, Status.no_interior_optimum),
    "positive": (lambda x: 2.0 + x**2, Status.no_interior_optimum),
    "nan-end": (lambda x: jnp.where(x < 0, jnp.nan, x - 1.0), Status.no_interior_optimum),
    "pole": (lambda x: 1 / (x - 0.37), Status.not_converged),
    "nan-inside": (lambda x: jnp.where((x > -2) & (x < 2), jnp.nan, x), Status.not_converged),
    "inside": (lambda x: x - 1.0, Status.converged),
    "at-upper": (lambda x: x - 5.0, Status.converged),
    "at-lower": (lambda x: x + 5.0, Status.converged),
}


def by_case(cases):
    """The functions of ``cases`` as one of a case's index, so that one program serves all."""
    functions = [function for function, _ in cases.values()]
    return lambda index, x: jax.lax.switch(index, functions, x)


def test_root_has_the_status_of_its_case(dtype):
    function = by_case(ROOT_STATUSES)
    lower, upper = scalar(-5.0, dtype), scalar(5.0, dtype)
    find = jax.jit(lambda index: root(lambda x: function(index, x), lower, upper))
    for index, (name, (case, status)) in enumerate(ROOT_STATUSES.items()):
        result = find(index)
        assert int(result.status) == status, name
        assert result.status.dtype == jnp.int32
        if status is Status.converged:
            assert abs(case(result.x)) <= 1e-6, name
        if status is Status.no_interior_optimum:
            assert jnp.isnan(result.x), name


def test_an_entry_without_a_root_does_not_affect_the_derivatives_of_others(wide):
    def total(shift, a):
        roots = jax.vmap(
            lambda b: root(lambda x: jnp.exp(x) - b - shift, jnp.asarray(-5.0), jnp.asarray(2.0))
        )(a)
        return jnp.sum(jnp.where(roots.status == Status.converged, roots.x, 0.0))

    shift, a = jnp.asarray(0.5), jnp.asarray([1.0, 100.0, 2.0])  # the second has no root
    by_shift, by_a = jax.jit(jax.grad(total, argnums=(0, 1)))(shift, a)
    np.testing.assert_allclose(by_shift, 1 / 1.5 + 1 / 2.5, rtol=1e-12)
    np.testing.assert_allclose(by_a, [1 / 1.5, 0, 1 / 2.5], rtol=1e-12)


# Each: function of x (d,) and a (2,), half-width of the box, closed-form minimum.
LANDSCAPES = {
    "cosh": (
        lambda x, a: a[0] * jnp.exp(x[0]) + a[1] * jnp.exp(-x[0]),
        20.0,
        lambda a: 0.5 * jnp.log(a[1:] / a[:1]),
    ),
    "walled": (
        lambda x, a: jnp.where(
            x[0] > 0, a[0] * x[0] - a[1] * jnp.log(jnp.where(x[0] > 0, x[0], 1.0)), jnp.inf
        ),
        30.0,
        lambda a: a[1:] / a[:1],
    ),
    "valley": (
        lambda x, a: (a[0] - x[0]) ** 2 + 50 * a[1] * (x[1] - x[0] ** 2) ** 2,
        4.0,
        lambda a: jnp.stack([a[0], a[0] ** 2]),
    ),
    "three": (
        lambda x, a: (
            jnp.cosh(x[0] - a[0]) + jnp.cosh(x[1] - a[0] * a[1]) + (x[2] - x[0] - a[1]) ** 2
        ),
        6.0,
        lambda a: jnp.stack([a[0], a[0] * a[1], a[0] + a[1]]),
    ),
}


def minimum(name, a):
    function, half, exact = LANDSCAPES[name]
    upper = jnp.full(exact(a).shape, half, a.dtype)
    return argmin(lambda x: function(x, a), -upper, upper, 24)


@pytest.mark.parametrize("name", LANDSCAPES)
def test_minimum_is_the_closed_form(name, dtype):
    a = jnp.asarray([[1.1, 0.7], [0.4, 1.9]], dtype)
    minima = jax.jit(jax.vmap(functools.partial(minimum, name)))(a)
    np.testing.assert_array_equal(minima.status, Status.converged)
    assert minima.x.dtype == dtype
    rtol = {"float32": 5e-6, "float64": 1e-12}[dtype]
    exact = jax.jit(jax.vmap(LANDSCAPES[name][2]))(a)
    np.testing.assert_allclose(minima.x, exact, rtol=rtol, atol=rtol)


@pytest.mark.parametrize("name", ["walled", "valley", "three"])  # 1, 2 and 3 dimensions
def test_minimum_has_the_derivatives_of_the_closed_form(name, wide):
    def all_modes(function):
        def by_reverse(a):
            x, pull_back = jax.vjp(function, a)
            (reverse,) = jax.vmap(pull_back)(jnp.eye(x.size))
            return (x, reverse), reverse

        def program(a):
            (forward, second), reverse = jax.jacfwd(by_reverse, has_aux=True)(a)
            return {"forward": forward, "reverse": reverse, "forward over reverse": second}

        return jax.jit(program)

    a = jnp.asarray([1.1, 0.7])
    computed = all_modes(lambda a: minimum(name, a).x)(a)
    for mode, exact in all_modes(LANDSCAPES[name][2])(a).items():
        np.testing.assert_allclose(computed[mode], exact, rtol=1e-9, atol=1e-9, err_msg=mode)


def test_minimum_without_closed_form_has_the_derivatives_of_finite_differences(wide):
    box = jnp.array([3.0])

    def position(a):
        function = lambda x: jnp.exp(a * x[0]) - jnp.sin(x[0] + a) + x[0] ** 4 / 4  # noqa: E731
        return argmin(function, -box, box).x[0]

    a, h = 0.8, 1e-4
    below, middle, above = jax.jit(jax.vmap(position))(jnp.array([a - h, a, a + h]))
    first, second = jax.jit(jax.value_and_grad(jax.grad(position)))(a)
    np.testing.assert_allclose(first, (above - below) / (2 * h), rtol=1e-7)
    np.testing.assert_allclose(second, (above - 2 * middle + below) / h**2, rtol=1e-5)


# Each: function of x (d,) and a (2,) with its minimum at a kink, and the closed form.
KINKS = {
    "two draws": (
        lambda x, a: jnp.maximum(jnp.exp(a[0] * x[0]), jnp.exp(a[1] - x[0])),
        lambda a: a[1:] / (1 + a[0]),
    ),
    "single": (
        lambda x, a: (x[0] - 3 * x[1]) ** 2 + 0.01 * x[0] + jnp.abs(x[0] + x[1] - a[0] * a[1]),
        lambda a: (lambda t: jnp.stack([0.75 * a[0] * a[1] - t, 0.25 * a[0] * a[1] + t]))(
            0.01 / 32
        ),
    ),
    "crossed": (
        lambda x, a: jnp.abs(x[0] - a[0]) + jnp.abs(x[1] + x[0] - a[1]) + 0.1 * x[1],
        lambda a: jnp.stack([a[0], a[1] - a[0]]),
    ),
}


@pytest.mark.parametrize("name", KINKS)
def test_a_kink_moves_with_its_pieces(name, wide):
    function, exact = KINKS[name]
    a = jnp.asarray([1.1, 0.7])

    def place(a):
        corner = jnp.full(exact(a).shape, 4.0)
        found = argmin(lambda x: function(x, a), -corner, corner, 24)
        return found.x, found

    slopes, found = jax.jit(jax.jacfwd(place, has_aux=True))(a)
    assert int(found.status) == Status.kink
    np.testing.assert_allclose(found.x, exact(a), rtol=1e-7)
    np.testing.assert_allclose(slopes, jax.jacfwd(exact)(a), rtol=1e-4, atol=1e-4)


def test_minimum_under_vmap_is_the_loop(wide):
    a = jnp.stack([jnp.linspace(0.2, 1.8, 9), jnp.linspace(2.0, 0.3, 9)], axis=1)
    minima = jax.jit(jax.vmap(functools.partial(minimum, "valley")))(a)
    one = jax.jit(functools.partial(minimum, "valley"))
    np.testing.assert_allclose(minima.x, jnp.stack([one(row).x for row in a]), rtol=1e-13)
    np.testing.assert_array_equal(minima.status, 0)


def test_minimum_is_that_of_the_deepest_basin(wide):
    """The tilt decides which of two basins is the deeper, not the start of the scan."""
    lower, upper = jnp.array([-4.0]), jnp.array([5.0])
    find = jax.jit(
        lambda tilt: argmin(lambda x: (x[0] ** 2 - 1) ** 2 + tilt * x[0], lower, upper).x[0]
    )
    for tilt in (-0.3, 0.3):
        x = find(tilt)
        assert jnp.sign(x) == -jnp.sign(tilt)
        np.testing.assert_allclose(4 * x * (x**2 - 1) + tilt, 0, atol=1e-12)


def test_points_may_differ_between_dimensions(wide):
    """40 waves in the first dimension need many points, a bowl in the second few."""

    def waves(x):
        return 0.01 * (x[0] - 3.0) ** 2 - jnp.cos(4 * jnp.pi * (x[0] - 3.0)) + (x[1] + 2.0) ** 2

    corner = jnp.array([10.0, 10.0])
    find = jax.jit(
        lambda: [argmin(waves, -corner, corner, points).x for points in ((201, 6), (6, 6))]
    )
    fine, coarse = find()
    np.testing.assert_allclose(fine, [3.0, -2.0], atol=1e-12)
    assert abs(coarse[0] - 3.0) > 0.1


# Each: function on [-5, 5] and the status of its minimum.
MINIMUM_STATUSES = {
    "falling": (lambda x: jnp.exp(0.3 * x), Status.no_interior_optimum),
    "constant": (lambda x: jnp.full_like(x, 3.0), Status.no_interior_optimum),
    "infinite": (lambda x: jnp.full_like(x, jnp.inf), Status.no_interior_optimum),
    "nan": (lambda x: jnp.full_like(x, jnp.nan), Status.no_interior_optimum),
    "kink": (lambda x: jnp.abs(x - 0.3), Status.kink),
    "kink of the slope": (
        lambda x: jnp.where(x < 0.3, 9.0, 1.0) * (x - 0.3) ** 2,
        Status.converged,
    ),
    "plateau": (lambda x: jnp.maximum(jnp.abs(x - 0.3) - 1.0, 0.0), Status.flat),
    "half a plateau": (lambda x: jnp.maximum(-x - 1.0, 0.0), Status.no_interior_optimum),
    "jump": (lambda x: jnp.where(x < 0.3, -x, 5.0 + x), Status.kink),
    "wall": (lambda x: jnp.where(x < 0.3, jnp.inf, x), Status.not_converged),
    "smooth": (lambda x: x**4 - x**2 + 0.2 * x, Status.converged),
}


def test_minimum_has_the_status_of_its_case(dtype):
    function = by_case(MINIMUM_STATUSES)
    lower, upper = jnp.full(1, -5.0, dtype), jnp.full(1, 5.0, dtype)
    find = jax.jit(lambda index: argmin(lambda x: function(index, x[0]), lower, upper, 32))
    for index, (name, (_, status)) in enumerate(MINIMUM_STATUSES.items()):
        result = find(index)
        assert int(result.status) == status, name
        assert result.status.dtype == jnp.int32
        assert jnp.all(jnp.isfinite(result.x)), name
        if name in ("kink", "wall", "jump"):  # the best point, although no smooth minimum
            np.testing.assert_allclose(result.x, 0.3, atol=1e-3, err_msg=name)


def test_a_function_that_decreases_in_one_dimension_has_no_minimum(wide):
    corner = jnp.array([5.0, 5.0])
    find = jax.jit(lambda: argmin(lambda x: jnp.exp(x[0]) + x[1] ** 2, -corner, corner, 16))
    assert int(find().status) == Status.no_interior_optimum


def test_underflow_of_derivatives_is_detected(dtype):
    """The second derivative of 1e15 / N contains N**-3, which underflows in float32."""

    def through_counts(x):
        N = 1e15 * jnp.exp(x[0])
        return 1e15 / N + 2 * N / 1e15

    lower, upper = jnp.full(1, -9.0, dtype), jnp.full(1, 9.0, dtype)
    result = jax.jit(lambda: argmin(through_counts, lower, upper))()
    assert int(result.status) == (Status.not_converged if dtype == "float32" else Status.converged)


def test_an_entry_without_a_minimum_does_not_affect_the_derivatives_of_others(wide):
    box = jnp.array([20.0])

    def total(shift, a):
        minima = jax.vmap(
            lambda b: argmin(lambda x: shift * jnp.exp(x[0]) + b * jnp.exp(-x[0]), -box, box)
        )(a)
        return jnp.sum(jnp.where(minima.status == Status.converged, minima.x[:, 0], 0.0))

    shift, a = jnp.asarray(0.5), jnp.asarray([1.0, 0.0, 2.0, -1.0])  # b <= 0: no minimum
    by_shift, by_a = jax.jit(jax.grad(total, argnums=(0, 1)))(shift, a)
    np.testing.assert_allclose(by_shift, -2.0, rtol=1e-12)
    np.testing.assert_allclose(by_a, [0.5, 0, 0.25, 0], rtol=1e-12)
