"""Properties of every law of the catalogue, in both precisions.

Most of the time would go to compilation. So laws are evaluated operation by operation wherever the
property does not depend on ``jit``, in arrays of two sizes: JAX compiles an operation once for
each size, for all laws together.
"""

import functools
import itertools
import re
from collections.abc import Mapping
from typing import Any

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
from tests.laws.traced_law import traced, with_gradient
from tests.tolerances import FINITE_DIFFERENCE, REWRITTEN, ROUND_TRIP, VALUE

PRIOR_SUPPORT = {
    "normal": ("real",),
    "lognormal": ("positive",),
    "uniform": ("unit", "interval"),
    "beta": ("unit",),
    "halfnormal": ("positive",),
}

EXACT_POINTS = 96
"""Points per law for the formula in 40 digits, divided among its sets of constants."""

SIZE, LONG = 512, 16384
"""Rows of the arrays in which laws are evaluated; shorter ones repeat their first rows."""

TOGETHER = 14
"""Laws in one compiled program."""


def name_of(law: laws.LawFunction) -> str:
    return laws.describe(law).name


each_law = pytest.mark.parametrize("law", laws.catalogue, ids=name_of)
each_dtype = pytest.mark.parametrize("dtype", DTYPES)


def first_theta(law: laws.LawFunction) -> dict[str, float]:
    return thetas(law)[0][1]


def floor(record: laws.Record, theta: Mapping[str, Any]) -> Any:
    """The limit of a loss when every resource grows; the lower end of the support otherwise."""
    if record.output.name != "loss":
        return record.output.support.lower
    return sum(theta[p.name] for p in record.parameters if p.role.name == "irreducible loss")


def filled(columns: Mapping[str, np.ndarray], dtype: str) -> dict[str, jax.Array]:
    """The columns as JAX arrays of ``SIZE`` rows, or ``LONG`` where they do not fit."""
    rows = len(next(iter(columns.values())))
    size = SIZE if rows <= SIZE else LONG
    return {name: jnp.asarray(np.resize(column, size), dtype) for name, column in columns.items()}


def pieces(columns: Mapping[str, np.ndarray], dtype: str) -> list[dict[str, jax.Array]]:
    """All the columns, ``SIZE`` rows at a time."""
    rows = len(next(iter(columns.values())))
    return [
        filled({name: column[first : first + SIZE] for name, column in columns.items()}, dtype)
        for first in range(0, rows, SIZE)
    ]


@functools.cache
def corners(law: laws.LawFunction) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Every corner of the grid with every set of constants: columns, and the set of each row."""
    points, sets = grid(law), thetas(law)
    count = len(next(iter(points.values())))

    columns = {name: np.tile(column, len(sets)) for name, column in points.items()}
    for name in sets[0][1]:
        columns[name] = np.repeat([theta[name] for _, theta in sets], count)
    return columns, np.repeat([source for source, _ in sets], count)


@functools.cache
def exact_values(law: laws.LawFunction) -> tuple[np.ndarray, np.ndarray]:
    """Some rows of :func:`corners`, and the formula there in 40 digits."""
    columns, sources = corners(law)
    sets = dict.fromkeys(sources)
    share = max(6, EXACT_POINTS // len(sets))

    rows = []
    for source in sets:
        of_set = np.flatnonzero(sources == source)
        rows += [*np.random.default_rng(len(source)).permutation(of_set)[:share]]
    chosen = {name: column[rows] for name, column in columns.items()}
    return np.array(rows), exactly(laws.describe(law), chosen)


@each_dtype
@each_law
def test_value_is_the_formula(law, dtype):
    record = laws.describe(law)
    columns, sources = corners(law)
    with in_dtype(dtype):
        parts = [(law(**piece), record.evaluate(piece)) for piece in pieces(columns, dtype)]
    assert all(v.dtype == dtype for part in parts for v in part)

    value, written = (
        np.concatenate(part).astype(float)[: len(sources)] for part in zip(*parts, strict=True)
    )
    assert np.isfinite(value).all(), set(sources[~np.isfinite(value)])
    rows, expected = exact_values(law)
    np.testing.assert_allclose(value[rows], expected, rtol=VALUE[dtype])
    np.testing.assert_allclose(written, value, rtol=REWRITTEN[dtype])


@each_law
def test_no_loss_below_the_floor(law):
    columns, _ = corners(law)
    for piece in pieces(columns, "float32"):
        assert (law(**piece) >= floor(laws.describe(law), piece)).all()


def broadcast_arguments(law: laws.LawFunction, dtype: str) -> tuple[dict, dict]:
    """Inputs of shapes (3, 1) and (4,), and parameters of shape (5, 1, 1)."""
    first, *_ = laws.describe(law).input_names
    inputs = {name: np.full((4,), value) for name, value in typical(law).items()}
    inputs[first] = typical(law)[first] * np.array([[0.5], [1.0], [2.0]])
    factors = np.linspace(0.99, 1.01, 5)[:, None, None]
    theta = {name: value * factors for name, value in first_theta(law).items()}
    return cast(inputs, dtype), cast(theta, dtype)


def two_draws(law: laws.LawFunction, dtype: str) -> dict[str, jax.Array]:
    """The first set of constants, and the same 1% higher."""
    return {k: jnp.stack([v, v * 1.01]) for k, v in cast(first_theta(law), dtype).items()}


@functools.cache
def compiled_group(group: int, dtype: str) -> dict[str, dict[str, jax.Array]]:
    """Laws under ``vmap`` and broadcast, as one program: part of the time to compile is fixed."""
    members = laws.catalogue[group * TOGETHER : (group + 1) * TOGETHER]

    def in_both_shapes(law, points, draws, wide):
        return {
            "vmap": jax.vmap(lambda theta: jax.vmap(lambda point: law(**point, **theta))(points))(
                draws
            ),
            "broadcast": law(**wide[0], **wide[1]),
        }

    arguments = {}
    for law in members:
        points, draws = filled(grid(law), dtype), two_draws(law, dtype)
        arguments[name_of(law)] = points, draws, broadcast_arguments(law, dtype)

    @jax.jit
    def evaluate(arguments):
        return {name_of(law): in_both_shapes(law, *arguments[name_of(law)]) for law in members}

    return evaluate(arguments)


def compiled_values(law: laws.LawFunction, dtype: str) -> dict[str, jax.Array]:
    """The law under ``jit``: at every point and draw by ``vmap``, and in broadcast shapes."""
    return compiled_group(laws.catalogue.index(law) // TOGETHER, dtype)[name_of(law)]


@each_dtype
@each_law
def test_broadcasting(law, dtype):
    first, *others = laws.describe(law).input_names
    with in_dtype(dtype):
        values = compiled_values(law, dtype)
        inputs, theta = broadcast_arguments(law, dtype)
        alone = {}
        for draw, row in ((0, 1), (3, 2)):
            chosen = {n: np.asarray(v)[(row, 0) if n == first else 1] for n, v in inputs.items()}
            chosen |= {k: np.asarray(v)[draw, 0, 0] for k, v in theta.items()}
            alone[draw, row] = law(**cast(chosen, dtype))
        no_rows = {**cast(typical(law), dtype), first: jnp.zeros((0,), dtype)}
        empty = jax.eval_shape(law, **no_rows, **cast(first_theta(law), dtype))
    value = values["broadcast"]
    assert value.shape == (5, 3, 4 if others else 1)
    for entry, one in alone.items():
        assert one.shape == ()
        np.testing.assert_allclose(value[(*entry, -1)], one, rtol=REWRITTEN[dtype])
    assert empty.shape == (0,)
    assert empty.dtype == dtype


@each_dtype
@each_law
def test_jit_and_vmap(law, dtype):
    with in_dtype(dtype):
        points, draws = filled(grid(law), dtype), two_draws(law, dtype)
        theta, other = ({k: v[draw] for k, v in draws.items()} for draw in (0, 1))
        eager, second = law(**points, **theta), law(**points, **other)
        values = compiled_values(law, dtype)
        some = range(0, eager.size, eager.size // 4 + 1)
        columns = {k: np.asarray(v) for k, v in points.items()}
        loop = [law(**cast({k: v[i] for k, v in columns.items()}, dtype), **theta) for i in some]

    assert eager.dtype == dtype
    np.testing.assert_allclose(np.asarray(eager)[some], loop, rtol=REWRITTEN[dtype])
    assert values["vmap"].shape == (2, eager.size)
    assert values["vmap"].dtype == dtype
    np.testing.assert_allclose(values["vmap"], [eager, second], rtol=REWRITTEN[dtype])


@functools.cache
def large_counts(law: laws.LawFunction) -> tuple[dict[str, float], dict[str, float], set[str]]:
    """A point with counts above 2**63, one with counts below, and the inputs that are counts."""
    # A share or a learning rate is never an int.
    counts = {name for name, value in typical(law).items() if value >= 1}
    point = {k: round(v) if k in counts else v for k, v in typical(law).items()}
    point = {k: 40 * v if v >= 1e9 else v for k, v in point.items()}
    # Numbers above 2**63 exist as Python ints only.
    return point, {k: min(v, 2**62) for k, v in point.items()}, counts


@functools.cache
def exact_at_large_counts(law: laws.LawFunction) -> tuple[float, float]:
    """The formula in 40 digits at the two points of :func:`large_counts`."""
    record, (point, small, _) = laws.describe(law), large_counts(law)
    large_value, small_value = (
        exactly(record, {**at, **first_theta(law)})[0] for at in (point, small)
    )
    return large_value, small_value


@each_dtype
@each_law
def test_kinds_of_numbers(law, dtype):
    """Python floats and ints, numpy and JAX arrays give one value, without overflow."""
    theta = first_theta(law)
    point, small, counts = large_counts(law)
    expected, expected_small = exact_at_large_counts(law)
    scalars = {k: np.int64(v) if k in counts else v for k, v in small.items()}
    kinds = {
        "int": (point, expected),
        "int64": ({k: np.full(SIZE, v) for k, v in small.items()}, expected_small),
        "int64 scalar": (scalars, expected_small),
        "float64 scalar": ({k: np.float64(v) for k, v in point.items()}, expected),
    }

    with in_dtype(dtype):
        for kind, (inputs, exact) in kinds.items():
            for parameters in (theta, cast(theta, dtype)):
                value = np.asarray(law(**inputs, **parameters), float)
                np.testing.assert_allclose(value, exact, rtol=VALUE[dtype], err_msg=kind)
        assert law(**point, **cast(theta, dtype)).dtype == dtype
        arrays = {
            k: jnp.asarray(min(v, 2**30)) if k in counts else jnp.asarray(v, dtype)
            for k, v in point.items()
        }
        assert law(**arrays, **cast(theta, dtype)).dtype == dtype


SMALL, ALONG = 1e-5, 1e-4
"""Steps of one argument, right to 1e-10 of the curvature (rounding costs as much), and of all."""


class ByLogSteps:
    """A law by steps in the logarithms of its arguments, around its sets of constants.

    Logarithmic, since N is 1e9 and n_w is 0.3. In each column of ``steps``, and for each set: no
    step, one of all arguments along ``signs`` and one back, then one of each argument alone and
    one back. Derivatives are traced once: those of second order are taken of the trace.
    """

    def __init__(self, law: laws.LawFunction):
        sets = [{**typical(law), **theta} for _, theta in thetas(law)]
        self.names = list(sets[0])
        count = len(self.names)
        self.signs = np.random.default_rng(count).choice([-1.0, 1.0], count)
        along, alone = ALONG * self.signs, SMALL * np.eye(count)
        moves = np.stack([0 * along, along, -along, *alone, *-alone])
        self.shape = (len(sets), len(moves))

        points = np.array([list(values.values()) for values in sets])
        at = self.columns(np.repeat(points, len(moves), axis=0))
        self.steps = self.columns(np.tile(moves, (len(sets), 1)))
        self.direction = self.columns(self.signs[None])

        def value(*steps):
            moved = (v * jnp.exp(step) for v, step in zip(at, steps, strict=True))
            return law(**dict(zip(self.names, moved, strict=True)))

        def slope(*steps):
            return jax.jvp(value, steps, self.direction)[1]

        self.slope = traced(slope, self.steps)
        self.with_gradient = traced(with_gradient(value), self.steps)
        self.values, *gradient = self.rows(*self.with_gradient(*self.steps))
        self.gradients = np.stack(gradient, axis=-1)

    def columns(self, rows: np.ndarray) -> tuple[jax.Array, ...]:
        """An array for each argument, of a size that laws share."""
        return tuple(filled(dict(zip(self.names, rows.T, strict=True)), "float64").values())

    def rows(self, *columns: jax.Array) -> list[np.ndarray]:
        """The columns as arrays (sets, moves)."""
        sets, moves = self.shape
        return [np.asarray(c)[: sets * moves].reshape(sets, moves) for c in columns]


by_log_steps = functools.cache(ByLogSteps)


@each_law
def test_derivatives(law):
    """First and second derivatives in every argument, in every mode, along one direction.

    Forwards and backwards, and each of the two over each, against central differences.
    """
    with in_dtype("float64"):
        of_law = by_log_steps(law)
        steps, direction = of_law.steps, of_law.direction
        ones = jnp.ones_like(steps[0])
        (slope,), (second,) = jax.jvp(of_law.slope, steps, direction)
        _, forwards_over_backwards = jax.jvp(of_law.with_gradient, steps, direction)
        backwards_over_forwards = jax.vjp(of_law.slope, *steps)[1]([ones])
        _, pull_back = jax.vjp(of_law.with_gradient, *steps)
        backwards_over_backwards = pull_back([0 * ones, *direction])
        slopes, seconds = of_law.rows(slope, second)
        rows = {
            "forwards over backwards": of_law.rows(*forwards_over_backwards[1:]),
            "backwards over forwards": of_law.rows(*backwards_over_forwards),
            "backwards over backwards": of_law.rows(*backwards_over_backwards),
        }

    # Of the first set of constants: at some of the draws third derivatives are large.
    values, gradients = of_law.values[0], of_law.gradients[0]
    difference = (values[1] - values[2]) / (2 * ALONG)
    row = (gradients[1] - gradients[2]) / (2 * ALONG)
    tolerance = {"rtol": FINITE_DIFFERENCE, "atol": FINITE_DIFFERENCE * abs(values[0])}
    np.testing.assert_allclose(slopes[0, 0], difference, **tolerance)
    np.testing.assert_allclose(gradients[0] @ of_law.signs, difference, **tolerance)
    np.testing.assert_allclose(seconds[0, 0], row @ of_law.signs, **tolerance)
    for mode, columns in rows.items():
        second = [column[0, 0] for column in columns]
        np.testing.assert_allclose(second, row, **tolerance, err_msg=mode)


@each_law
def test_derivatives_one_by_one(law):
    """An error in a small derivative must not hide behind a large one."""
    with in_dtype("float64"):
        of_law = by_log_steps(law)
    moved = of_law.values[:, 3:].reshape(len(of_law.values), 2, -1)
    for value, (plus, minus), gradient in zip(
        of_law.values[:, 0], moved, of_law.gradients[:, 0], strict=True
    ):
        np.testing.assert_allclose(
            gradient,
            (plus - minus) / (2 * SMALL),
            rtol=1e-6,
            atol=1e-9 * abs(value),
            err_msg=f"{of_law.names}",
        )


@each_dtype
@each_law
def test_gradients_are_finite(law, dtype):
    """At full precision and at every other corner, in every argument."""
    columns, sources = corners(law)
    with in_dtype(dtype):
        rows = [tuple(piece.values()) for piece in pieces(columns, dtype)]
        value = traced(lambda *values: law(**dict(zip(columns, values, strict=True))), rows[0])
        gradient = with_gradient(lambda *values: value(*values)[0])
        parts = [gradient(*row)[1:] for row in rows]
    for name, *derivative in zip(columns, *parts, strict=True):
        assert all(part.dtype == dtype for part in derivative)
        finite = np.isfinite(np.concatenate(derivative))[: len(sources)]
        assert finite.all(), (set(sources[~finite]), name)


def from_end_to_end(role: laws.roles.Role) -> np.ndarray:
    """49 values of an input from its lowest to its highest finite end."""
    low, *_, high = (end for end in role.ends if end < np.inf)
    if high < 100 or low <= 0:
        return np.linspace(low, high, 49)
    return np.geomspace(low, high, 49)


@each_law
def test_declared_monotonicity(law):
    """The value never grows along a decreasing input, and never falls along an increasing one.

    Along any other input it does both, or the declaration says too little.
    """
    record = laws.describe(law)
    growing, falling = set(), set()
    with in_dtype("float64"):
        for (source, theta), argument in itertools.product(thetas(law), record.inputs):
            path, others = from_end_to_end(argument.role), grid(law)
            count = len(others[argument.name])
            columns = {name: np.repeat(column, len(path)) for name, column in others.items()}
            columns[argument.name] = np.tile(path, count)

            value = law(**filled(columns, "float64"), **cast(theta, "float64"))
            value = np.asarray(value)[: count * len(path)].reshape(count, len(path))
            change = np.diff(value) / np.maximum(np.abs(value[:, 1:]), 1e-300)
            if change.max() > VALUE["float64"]:
                assert argument.name not in record.decreasing, (source, argument.name)
                growing.add(argument.name)
            if change.min() < -VALUE["float64"]:
                assert argument.name not in record.increasing, (source, argument.name)
                falling.add(argument.name)
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
                    {k: jnp.minimum(v, scale) for k, v in at.items()} for scale in (1e290, 1e300)
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
        draws = [drawn_coordinates(record, seed) for seed in range(20)]
        for p in record.parameters:
            coordinate = jnp.asarray([draw[p.name] for draw in draws], dtype)
            free = p.role.support.to_free(coordinate)
            back = p.role.support.to_natural(free)
            assert free.dtype == back.dtype == dtype
            assert p.role.support.contains(back).all()
            np.testing.assert_allclose(back, coordinate, rtol=ROUND_TRIP[dtype])
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
    for source, constants in record.published.items():
        assert list(constants.values) == list(record.parameter_names)
        for p in record.parameters:
            assert p.support.contains(constants.values[p.name]), (source, p.name)
        assert all(error > 0 for error in constants.stderr.values())
        assert constants.confidence in laws.CONFIDENCE
        assert re.search(r"\d{4}", constants.source)


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
    citation = r"[A-Z][\w-]+ (et al\.|& [A-Z]\w+|and [A-Z]\w+)? ?20\d\d"
    assert re.search(citation, " ".join(rest.split()))
    assert re.search(r"arXiv \d{4}\.\d{5}", record.source)
    assert not re.search(
        r"(eqs?\.|[Ss]ection|[Tt]able|Fig\.|[Aa]ppendix) (?![\dA-Z])", record.source
    )
    assert record.ridges or len(record.parameters) < 2
    assert all(sentence.endswith(".") for sentence in (*record.ridges, *record.traps))
    assert all(i.role.ends and i.role.typical for i in record.inputs)
