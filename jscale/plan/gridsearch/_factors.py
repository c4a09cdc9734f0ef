"""A function of a point in two parts: terms that depend on some of the axes, and what is left.

XLA computes a power of one axis once for its entries, but it repeats sums, products and comparisons
of one axis at every point, where it takes them for cheaper than reading their results. Where a loss
is a sum of terms of few axes, they take far longer than the sum. Here such terms are arrays over
their own axes, from which the loop over the points begins.
"""

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from jax import lax
from jax.extend.core import ClosedJaxpr, JaxprEqn, Literal, Var

from jscale._core.jaxprs import bind, evaluate

_CALLS = ("jit", "pjit", "closed_call", "custom_jvp_call", "custom_vjp_call")
"""Primitives that call a program, which is inlined."""
_COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "eq": np.equal,
    "ne": np.not_equal,
    "lt": np.less,
    "le": np.less_equal,
    "gt": np.greater,
    "ge": np.greater_equal,
}
_CHEAP = {
    *_COMPARISONS,
    *("add", "sub", "mul", "div", "neg", "abs", "sign", "max", "min", "integer_pow", "square"),
    *("select_n", "and", "or", "not", "is_finite", "convert_element_type"),
}
_LONG = 16
"""Length of the code of other operations, in that of a cheap one."""


@dataclass(frozen=True)
class Factors:
    """The terms of a function on a block of points, and what it makes of them at every point.

    Attributes:
        terms: arrays, each over the axes that it depends on.
        axes: of each term, in order.
        shape: of the block.
        length: of the code that runs at every point, in cheap operations.
        combine: terms at a point → the results there.
    """

    terms: tuple[jax.Array, ...]
    axes: tuple[tuple[int, ...], ...]
    shape: tuple[int, ...]
    length: int
    combine: Callable[..., Any]

    def everywhere(self) -> Any:
        """The results at every point of the block, in its shape."""
        return _mapped(self.combine, self.axes, dict(enumerate(self.shape)))(*self.terms)

    def parts(self, pieces: Sequence[int], counts: Sequence[int]) -> Iterator[Any]:
        """The results in parts of equal shape, as many as the product of ``counts``.

        Every one of equal ``pieces`` of an axis is cut into so many parts; a result has one part of
        each piece, in their order.
        """
        many = len(self.shape)
        entries = [n // (p * c) for n, p, c in zip(self.shape, pieces, counts, strict=True)]
        # The entries of a part are an axis of their own: a loop over pieces and entries at once
        # would have to divide. Axis a of the pieces is followed by axis many + a.
        sizes = {a: n for a in range(many) for a, n in ((a, pieces[a]), (many + a, entries[a]))}
        own = [tuple(b for a in axes for b in (a, many + a)) for axes in self.axes]
        function = _mapped(self.combine, own, sizes)
        shape = tuple(p * n for p, n in zip(pieces, entries, strict=True))

        cut = [
            term.reshape(
                [n for a in axes for n in (pieces[a], counts[a], entries[a])]
                + list(term.shape[len(axes) :])
            )
            for term, axes in zip(self.terms, self.axes, strict=True)
        ]
        for part in itertools.product(*map(range, counts)):
            terms = [
                term[tuple(i for a in axes for i in (slice(None), part[a], slice(None)))]
                for term, axes in zip(cut, self.axes, strict=True)
            ]
            yield jax.tree.map(lambda result: result.reshape(shape), function(*terms))


def factors(
    function: Callable[..., Any],
    arguments: Sequence[Any],
    axes: Sequence[int | None],
    shape: Sequence[int],
) -> Factors:
    """The factors of a function of a point on a block.

    Args:
        function: of scalars, traceable.
        arguments: of the block; those of an axis have its entries as their first dimension.
        axes: the axis of each argument; None for one that all points share.
        shape: of the block.
    """
    program, structure = _flat(function, arguments, axes)
    order = _order(program, axes, shape)
    inputs = [() if axis is None else (axis,) for axis in axes]
    early = _mapped(order.early, inputs, dict(enumerate(shape)), order.axes)

    def combine(*terms: Any) -> Any:
        return jax.tree.unflatten(structure, order.late(*terms))

    # XLA would compute the terms in the loop again, unless there is a barrier.
    terms = lax.optimization_barrier(tuple(early(*arguments)))
    return Factors(terms, order.axes, tuple(shape), order.length, combine)


@dataclass(frozen=True)
class _Order:
    """The equations of a program that come before the loop over all points, and those in it.

    Attributes:
        program: of which they are.
        first: equations of some of the axes.
        second: equations of all of them.
        terms: variables that the second ones or the results take from the first ones.
        axes: of each term.
    """

    program: ClosedJaxpr
    first: tuple[JaxprEqn, ...]
    second: tuple[JaxprEqn, ...]
    terms: tuple[Var, ...]
    axes: tuple[tuple[int, ...], ...]

    @property
    def length(self) -> int:
        """The length of the code of the second ones."""
        return sum(map(_length, self.second))

    def early(self, *inputs: Any) -> tuple[Any, ...]:
        """The terms, from the inputs of the program at a point."""
        values = self._run(self.first, self.program.jaxpr.invars, inputs)
        return tuple(values[term] for term in self.terms)

    def late(self, *terms: Any) -> list[Any]:
        """The results of the program, from the terms at a point."""
        values = self._run(self.second, self.terms, terms)
        return [_read(values, atom) for atom in self.program.jaxpr.outvars]

    def _run(
        self, equations: Sequence[JaxprEqn], variables: Sequence[Var], given: Sequence[Any]
    ) -> dict[Var, Any]:
        values = dict(zip(self.program.jaxpr.constvars, self.program.consts, strict=True))
        values |= dict(zip(variables, given, strict=True))
        for equation in equations:
            results = bind(equation, [_read(values, atom) for atom in equation.invars])
            values.update(zip(equation.outvars, results, strict=True))
        return values


def _order(program: ClosedJaxpr, axes: Sequence[int | None], shape: Sequence[int]) -> _Order:
    """What of a program depends on all axes that have several entries in a block."""
    jaxpr = program.jaxpr
    depends: dict[Var, set[int]] = {variable: set() for variable in jaxpr.constvars}
    for variable, axis in zip(jaxpr.invars, axes, strict=True):
        depends[variable] = set() if axis is None else {axis}
    for equation in jaxpr.eqns:
        own = set().union(*(depends[v] for v in _variables(equation.invars)))
        depends |= dict.fromkeys(equation.outvars, own)

    results = _variables(jaxpr.outvars)
    whole = {a for a in set().union(*(depends[v] for v in results)) if shape[a] > 1}
    first, second = [], []
    needed, terms = dict.fromkeys(results), dict.fromkeys(results)
    # Backwards, so that equations whose results nothing needs are left out.
    for equation in reversed(jaxpr.eqns):
        if not any(v in needed for v in equation.outvars):
            continue
        read = dict.fromkeys(_variables(equation.invars))
        needed |= read
        if whole <= depends[equation.outvars[0]]:
            second.append(equation)
            terms = {v: None for v in (*terms, *read) if v not in equation.outvars}
        else:
            first.append(equation)
    own = tuple(v for v in terms if v not in jaxpr.constvars)
    depended = tuple(tuple(sorted(depends[v])) for v in own)
    return _Order(program, tuple(first[::-1]), tuple(second[::-1]), own, depended)


def _length(equation: JaxprEqn) -> int:
    """The length of the code of an equation, in that of cheap operations."""
    scalar = not any(getattr(v.aval, "shape", ()) for v in equation.outvars)
    return 1 if scalar and equation.primitive.name in _CHEAP else _LONG


def _variables(atoms: Iterable[Any]) -> list[Var]:
    return [atom for atom in atoms if isinstance(atom, Var)]


def _read(values: dict[Var, Any], atom: Any) -> Any:
    return atom.val if isinstance(atom, Literal) else values[atom]


def _flat(
    function: Callable[..., Any], arguments: Sequence[Any], axes: Sequence[int | None]
) -> tuple[ClosedJaxpr, Any]:
    """The program of a function at a point, without calls of others, and how its results nest."""
    point = [
        jax.ShapeDtypeStruct(value.shape[axis is not None :], value.dtype)
        for value, axis in zip(arguments, axes, strict=True)
    ]
    traced, results = jax.make_jaxpr(function, return_shape=True)(*point)

    def inlined(*values: Any) -> list[Any]:
        return evaluate(traced.jaxpr, traced.consts, values, _simplified)

    return jax.make_jaxpr(inlined)(*point), jax.tree.structure(results)


def _simplified(equation: JaxprEqn, operands: list[Any]) -> list[Any] | None:
    """Calls inlined, and choices that do not depend on the point made.

    XLA does the same, but not across the barrier behind the terms.
    """
    name = equation.primitive.name
    known = [not isinstance(operand, jax.Array) for operand in operands]
    result: Any = equation.outvars[0].aval
    if name in _CALLS:
        program: Any = equation.params.get("jaxpr", equation.params.get("call_jaxpr"))
        return evaluate(program.jaxpr, program.consts, operands, _simplified)
    if name in _COMPARISONS and all(known):
        return [_COMPARISONS[name](*operands)]
    if name == "convert_element_type" and known[0] and result.dtype == bool:
        return [np.asarray(operands[0], bool)]
    if name in ("and", "or") and result.dtype == bool and any(known):
        value, other = operands if known[0] else operands[::-1]
        if not np.ndim(value):
            return [value if bool(value) == (name == "or") else other]
    if name == "select_n" and known[0] and not np.ndim(operands[0]):
        return [operands[1 + int(operands[0])]]
    return None


def _mapped(
    function: Callable[..., Any],
    inputs: Sequence[Sequence[int]],
    sizes: Mapping[int, int],
    outputs: Sequence[Sequence[int]] | None = None,
) -> Callable[..., Any]:
    """A function of scalars, of arrays over axes.

    Args:
        function: of as many arguments as ``inputs``.
        inputs: the axes of every argument, in order.
        sizes: all axes in order, and the entries of each.
        outputs: the axes of every result, in order; None where each has all of them.
    """
    for axis, size in reversed(list(sizes.items())):
        given = tuple(0 if axis in own else None for own in inputs)
        out = 0 if outputs is None else tuple(0 if axis in own else None for own in outputs)
        function = jax.vmap(function, given, out, axis_size=size)
    return function
