"""What every law of the catalogue keeps, in both precisions: one contract, no exceptions."""

import functools
import itertools
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jscale import laws
from tests.laws.catalogue_points import (
    DTYPES,
    cast,
    drawn_coordinates,
    exactly,
    from_coordinates,
    grid,
    in_dtype,
    thetas,
    to_coordinates,
    typical,
)
from tests.tolerances import FINITE_DIFFERENCE, REWRITTEN, ROUND_TRIP, VALUE

PRIOR_SUPPORT = {
    "normal": ("real",),
    "lognormal": ("positive",),
    "uniform": ("unit", "interval"),
    "beta": ("unit",),
    "halfnormal": ("positive",),
}


def name_of(law: laws.LawFunction) -> str:
    return laws.describe(law).name


EXACT_POINTS = 96
"""Points at which a law's formula is evaluated in 40 digits, shared out among its sets of
constants."""

each_law = pytest.mark.parametrize("law", laws.catalogue, ids=name_of)
each_dtype = pytest.mark.parametrize("dtype", DTYPES)


def first_theta(law: laws.LawFunction) -> dict[str, float]:
    return thetas(law)[0][1]


def floor(record: laws.Record, theta: dict) -> float:
    """What a loss tends to when everything grows."""
    return sum(theta[p.name] for p in record.parameters if p.role.name == "irreducible loss")


@functools.cache
def exact_values(law: laws.LawFunction, source: str) -> tuple[np.ndarray, np.ndarray]:
    """Places of some points of the grid, and the formula there for one set of constants."""
    share = max(6, EXACT_POINTS // len(thetas(law)))
    some = np.random.default_rng(len(source)).permutation(len(next(iter(grid(law).values()))))[
        :share
    ]
    corners = {name: column[some] for name, column in grid(law).items()}
    return some, exactly(laws.describe(law), {**corners, **dict(thetas(law))[source]})


@each_dtype
@each_law
def test_value_is_the_formula(law, dtype):
    record = laws.describe(law)
    function, formula = jax.jit(law), jax.jit(record.evaluate)
    for source, theta in thetas(law):
        with in_dtype(dtype):
            points, params = cast(grid(law), dtype), cast(theta, dtype)
            value, written = function(**points, **params), formula({**points, **params})
        assert value.dtype == written.dtype == dtype
        assert np.isfinite(value).all(), source
        some, expected = exact_values(law, source)
        np.testing.assert_allclose(
            np.asarray(value, float)[some], expected, rtol=VALUE[dtype], err_msg=source
        )
        np.testing.assert_allclose(written, value, rtol=REWRITTEN[dtype], err_msg=source)


@each_law
def test_no_loss_below_the_floor(law):
    record = laws.describe(law)
    for _, theta in thetas(law):
        value = jax.jit(law)(**grid(law), **theta)
        assert (
            value
            >= (
                floor(record, theta)
                if record.output.name == "loss"
                else record.output.support.lower
            )
        ).all()


@each_dtype
@each_law
def test_broadcasting(law, dtype):
    record = laws.describe(law)
    first, *others = record.input_names
    with in_dtype(dtype):
        inputs = cast({k: np.full((4,), v) for k, v in typical(law).items()}, dtype)
        inputs[first] = jnp.asarray(typical(law)[first] * np.array([[0.5], [1.0], [2.0]]), dtype)
        theta = cast(
            {k: v * np.linspace(0.99, 1.01, 5)[:, None, None] for k, v in first_theta(law).items()},
            dtype,
        )
        value = law(**inputs, **theta)
        one = law(
            inputs[first][2, 0],
            *(inputs[n][1] for n in others),
            **{k: v[3, 0, 0] for k, v in theta.items()},
        )
        empty = law(
            jnp.zeros((0,), dtype),
            **{n: inputs[n][0] for n in others},
            **cast(first_theta(law), dtype),
        )
    assert value.shape == (5, 3, 4 if others else 1)
    assert one.shape == ()
    np.testing.assert_allclose(value[3, 2, -1], one, rtol=REWRITTEN[dtype])
    assert empty.shape == (0,)
    assert empty.dtype == dtype


@each_dtype
@each_law
def test_jit_and_vmap(law, dtype):
    with in_dtype(dtype):
        points, theta = cast(grid(law), dtype), cast(first_theta(law), dtype)
        eager = law(**points, **theta)
        jitted = jax.jit(law)(**points, **theta)
        mapped = jax.jit(jax.vmap(lambda point: law(**point, **theta)))(points)
        stride = eager.size // 4 + 1
        loop = jnp.stack(
            [
                law(**{k: v[i] for k, v in points.items()}, **theta)
                for i in range(0, eager.size, stride)
            ]
        )
        draws = {k: jnp.stack([v, v * 1.01]) for k, v in theta.items()}
        over_draws = jax.jit(jax.vmap(lambda theta: law(**points, **theta)))(draws)
    assert eager.dtype == jitted.dtype == mapped.dtype == dtype
    np.testing.assert_allclose(jitted, eager, rtol=REWRITTEN[dtype])
    np.testing.assert_allclose(mapped, eager, rtol=REWRITTEN[dtype])
    np.testing.assert_allclose(mapped[::stride], loop, rtol=REWRITTEN[dtype])
    assert over_draws.shape == (2, eager.size)
    np.testing.assert_allclose(over_draws[0], eager, rtol=REWRITTEN[dtype])


@each_dtype
@each_law
def test_kinds_of_numbers(law, dtype):
    """Python floats and ints, numpy and JAX arrays, for the inputs and for the parameters: one
    value, no overflow.
    """
    record, theta = laws.describe(law), first_theta(law)
    whole = {
        k for k, v in typical(law).items() if v >= 1
    }  # a share or a learning rate is never an int
    point = {k: round(v) if k in whole else v for k, v in typical(law).items()}
    point = {k: 40 * v if v >= 1e9 else v for k, v in point.items()}
    # Numbers above 2**63 exist as Python ints only.
    small = {k: min(v, 2**62) for k, v in point.items()}
    expected, expected_small = (exactly(record, {**at, **theta})[0] for at in (point, small))
    kinds = {
        "int": (point, expected),
        "int64": ({k: np.array([v]) for k, v in small.items()}, expected_small),
        "int64 scalar": (
            {k: np.int64(v) if k in whole else v for k, v in small.items()},
            expected_small,
        ),
        "float64 scalar": ({k: np.float64(v) for k, v in point.items()}, expected),
    }
    with in_dtype(dtype):
        for kind, (inputs, value) in kinds.items():
            for parameters in (theta, cast(theta, dtype)):
                found = np.asarray(law(**inputs, **parameters), float)
                np.testing.assert_allclose(found, value, rtol=VALUE[dtype], err_msg=kind)
        assert law(**kinds["int"][0], **cast(theta, dtype)).dtype == dtype
        counts = {
            k: jnp.asarray(min(v, 2**30)) if k in whole else jnp.asarray(v, dtype)
            for k, v in point.items()
        }
        assert law(**counts, **cast(theta, dtype)).dtype == dtype


def stacked(law: laws.LawFunction):
    """``law`` as a function of one vector: steps in the logarithms of its arguments, away from
    ``at``.

    Logarithmic, since N is 1e9 and n_w is 0.3; one vector, since derivatives of many arguments
    compile slowly.
    """
    record = laws.describe(law)
    names = [*record.input_names, *record.parameter_names]

    def function(steps, at):
        return law(**dict(zip(names, at * jnp.exp(steps), strict=True)))

    points = [
        jnp.array([{**typical(law), **theta}[n] for n in names], "float64")
        for _, theta in thetas(law)
    ]
    return function, names, points


@each_law
def test_derivatives(law):
    """First and second derivatives in every argument at once, in every mode, along one direction."""
    step = 1e-4

    def everything(function, at, zero, along):
        def slope(s):  # forwards
            return jax.jvp(lambda t: function(t, at), (s,), (along,))[1]

        gradient = jax.grad(function)
        difference = (function(step * along, at) - function(-step * along, at)) / (2 * step)
        turn = (gradient(step * along, at) - gradient(-step * along, at)) / (2 * step)
        return (
            (slope(zero), gradient(zero, at) @ along),
            difference,
            (
                jax.jvp(lambda s: gradient(s, at), (zero,), (along,))[1],
                jax.grad(slope)(zero),
                jax.grad(lambda s: gradient(s, at) @ along)(zero),
            ),
            (turn, jax.jvp(slope, (zero,), (along,))[1]),
        )

    with in_dtype("float64"):
        function, names, (at, *_) = stacked(law)
        along = jnp.asarray(np.random.default_rng(len(names)).choice([-1.0, 1.0], len(names)))
        zero = jnp.zeros(len(names), "float64")
        first, difference, second, (turn, twice) = jax.jit(everything, static_argnums=0)(
            function, at, zero, along
        )
        tolerance = {
            "rtol": FINITE_DIFFERENCE,
            "atol": FINITE_DIFFERENCE * abs(float(function(zero, at))),
        }
        for slope in first:
            np.testing.assert_allclose(slope, difference, **tolerance)
        for hessian_row in second:
            np.testing.assert_allclose(hessian_row, turn, **tolerance)
        np.testing.assert_allclose(twice, turn @ along, **tolerance)


@each_law
def test_derivatives_one_by_one(law):
    """An error in a small derivative must not hide behind a large one."""
    step = 1e-5  # differences are then right to 1e-10 of the curvature, and rounding costs as much
    with in_dtype("float64"):
        function, names, points = stacked(law)
        zero, moves = jnp.zeros(len(names), "float64"), step * jnp.eye(len(names), dtype="float64")
        gradient, move = jax.jit(jax.grad(function)), jax.jit(jax.vmap(function, in_axes=(0, None)))
        for at in points:
            difference = (move(moves, at) - move(-moves, at)) / (2 * step)
            scale = abs(float(function(zero, at)))
            np.testing.assert_allclose(
                gradient(zero, at), difference, rtol=1e-6, atol=1e-9 * scale, err_msg=f"{names}"
            )


@each_dtype
@each_law
def test_gradients_are_finite(law, dtype):
    """At full precision and at every other corner."""
    with in_dtype(dtype):
        points = cast(grid(law), dtype)
        gradient = jax.jit(
            jax.vmap(jax.grad(lambda at, theta: law(**at, **theta), (0, 1)), in_axes=(0, None))
        )
        for source, theta in thetas(law):
            of_inputs, of_parameters = gradient(points, cast(theta, dtype))
            for name, values in {**of_inputs, **of_parameters}.items():
                assert values.dtype == dtype
                assert np.isfinite(values).all(), (source, name)


@each_law
def test_declared_monotonicity(law):
    """The value never grows along an input that is declared decreasing, never falls along one
    declared
    increasing.

    Along any other input it does both, or the declaration says too little.
    """
    record = laws.describe(law)
    growing, falling = set(), set()
    with in_dtype("float64"):
        function = jax.jit(law)
        for (source, theta), given in itertools.product(thetas(law), record.inputs):
            low, *_, high = (c for c in given.role.ends if c < np.inf)
            path = (
                np.linspace(low, high, 49)
                if high < 100 or low <= 0
                else np.geomspace(low, high, 49)
            )
            others = {k: v[:, None] for k, v in grid(law).items()}
            value = np.atleast_2d(function(**{**others, given.name: path}, **theta))
            rise = np.diff(value) / np.maximum(np.abs(value[:, 1:]), 1e-300)
            if rise.max() > VALUE["float64"]:
                assert given.name not in record.decreasing, (source, given.name)
                growing.add(given.name)
            if rise.min() < -VALUE["float64"]:
                assert given.name not in record.increasing, (source, given.name)
                falling.add(given.name)
    declared = {*record.decreasing, *record.increasing}
    assert growing & falling == set(record.input_names) - declared


@each_law
def test_limits(law):
    """At the edges of the domain the value is the one that the law declares, and it tends to it."""
    record = laws.describe(law)
    assert record.limits
    with in_dtype("float64"):
        for source, theta in thetas(law):
            inputs = cast(typical(law), "float64")
            for edges, limit in record.at_limits({**inputs, **cast(theta, "float64")}):
                at = {**inputs, **cast(edges, "float64")}
                np.testing.assert_allclose(
                    law(**at, **theta), limit, rtol=REWRITTEN["float64"], err_msg=source
                )
                # On the way there, not at the end alone.
                large, larger = (
                    {k: jnp.minimum(v, most) for k, v in at.items()} for most in (1e290, 1e300)
                )
                if np.isfinite(limit):
                    near, nearer = (
                        abs(law(**towards, **theta) - limit) for towards in (large, larger)
                    )
                    assert nearer <= near * (1 + 1e-9) + REWRITTEN["float64"] * abs(limit)
                elif any(np.isinf(v) for v in edges.values()):
                    assert abs(law(**larger, **theta)) > abs(law(**large, **theta))


@each_dtype
@each_law
def test_free_and_natural(law, dtype):
    record = laws.describe(law)
    with in_dtype(dtype):
        for seed in range(20):
            coordinates = cast(drawn_coordinates(record, seed), dtype)
            for p in record.parameters:
                free = p.role.support.to_free(coordinates[p.name])
                back = p.role.support.to_natural(free)
                assert free.dtype == back.dtype == dtype
                assert p.role.support.contains(back)
                np.testing.assert_allclose(back, coordinates[p.name], rtol=ROUND_TRIP[dtype])
                np.testing.assert_allclose(
                    p.role.support.to_free(back), free, rtol=0, atol=ROUND_TRIP[dtype]
                )
    with in_dtype("float64"):
        for source, theta in thetas(law):
            coordinates = to_coordinates(record, theta)
            back = from_coordinates(record, coordinates)
            for p in record.parameters:
                assert p.role.support.contains(coordinates[p.name]), (source, p.name)
                np.testing.assert_allclose(back[p.name], theta[p.name], rtol=ROUND_TRIP["float64"])


@each_law
def test_constants_lie_in_their_support(law):
    record = laws.describe(law)
    for source, given in record.published.items():
        assert list(given.values) == list(record.parameter_names)
        for p in record.parameters:
            assert p.support.contains(given.values[p.name]), (source, p.name)
        assert all(error > 0 for error in given.stderr.values())
        assert given.confidence in laws.CONFIDENCE
        assert re.search(r"\d{4}", given.source)


@each_law
def test_priors_and_starts(law):
    for p in laws.describe(law).parameters:
        prior, (low, high), support = p.role.prior, p.role.start, p.role.support
        assert low < high
        assert support.contains(low)
        assert support.contains(high)
        # A prior is one of the coordinate; where there is only a shift, one of the parameter
        # itself.
        target = p.support if p.role.anchor and p.role.anchor.plus != "0" else support
        assert target.name in PRIOR_SUPPORT[prior.family]
        if prior.family == "lognormal":
            assert low < np.exp(prior.args[0]) < high
        if prior.family == "uniform":
            assert prior.args == (support.lower, support.upper)


@each_law
def test_declaration_reads_well(law):
    record = laws.describe(law)
    first, _, rest = law.__doc__.partition("\n")
    assert first == record.summary
    assert first.endswith(".")
    unit = (
        record.output.name
        if record.output.unit == "1"
        else record.output.unit.replace("/", " per ")
    )
    assert unit in first.lower()
    assert re.search(r"[A-Z][\w-]+ (et al\.|& [A-Z]\w+|and [A-Z]\w+)?\s*20\d\d", rest)
    assert re.search(r"arXiv \d{4}\.\d{5}", record.source)
    assert not re.search(
        r"(eqs?\.|[Ss]ection|[Tt]able|Fig\.|[Aa]ppendix) (?![\dA-Z])", record.source
    )
    assert record.ridges or len(record.parameters) < 2
    assert all(sentence.endswith(".") for sentence in (*record.ridges, *record.traps))
    assert all(i.role.ends and i.role.typical for i in record.inputs)
