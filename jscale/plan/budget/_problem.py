"""A budget problem: which variables are free, which are fixed, and the ranges of the search."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import PyTreeDef
from jax.typing import ArrayLike

from jscale._core.errors import Argument, JscaleError
from jscale._core.text import enumerated, listing, shown
from jscale.laws import LawFunction, describe
from jscale.plan.costs import Cost, precision_scaled_flops, training_flops
from jscale.plan.problem import BoundLaw, bind

_VARIABLES = ("N", "D", "P")
_COST_MEMBERS = ("name", "needs_bits", "flops", "tokens", "parameters")

MIDDLE_BITS = 4.0
"""The precision, in bits, about which P is searched."""

RANGES = {"P": float(np.log(64.0)), "N": 35.0}
"""Half the ranges searched.

Of ln P about 4 bits: from 1/16 to 256. Of ln N about sqrt(N D): from 1e-30 to 1e30 tokens per
parameter.
"""

POINTS = {"P": 48, "N": 32}
"""Points of the grid that starts the search of one variable.

19% apart in P and a factor of 10 in N.
"""
JOINT_POINTS = {"P": 24, "N": 16}
"""Points of the grid over both.

Newton's method then converges from the best of them. On 3,000 problems each of six laws with widely
scattered constants a grid of 64 x 48 points reached no lower loss; with bits after training it had
4 optima more, of 5,997. Half of these points are twice as fast, and led to higher losses there.
"""
REPEATED_POINTS = 1024
"""Points of the grid over N for a law of unique tokens.

At a budget its loss can have two minima: of a large model on few tokens and of a small one on many.
On 1,000 random problems of ``overfitting_penalty`` a grid of 6,001 sizes beat 69 plans from 32
points, 8 from 256 and 1 from these, at a cusp that is narrower than their spacing.
"""

Arrays = Mapping[str, jax.Array]
"""Parameters or inputs of a law, by name."""


@dataclass(frozen=True)
class BudgetProblem:
    """What is fixed when the code is compiled.

    Attributes:
        bound: the law.
        cost: the :class:`~jscale.plan.costs.Cost`, or the tree structure of one that is a pytree of
            its numbers.
        free: names of the free variables.
    """

    bound: BoundLaw
    cost: Any
    free: frozenset[str]

    def build_cost(self, cost_values: Sequence[jax.Array]) -> Cost:
        """The cost with its numbers."""
        if isinstance(self.cost, PyTreeDef):
            return self.cost.unflatten(cost_values)
        return self.cost

    @property
    def coordinates(self) -> list[str]:
        """The variables, of P and N, that a budget does not determine."""
        names = []
        if "P" in self.free:
            names.append("P")
        # Unless D is free, the budget determines N.
        if {"N", "D"} <= self.free:
            names.append("N")
        return names

    @property
    def points(self) -> list[int]:
        """Points of the grid that starts the search, for each of the coordinates."""
        names = self.coordinates
        if names == ["N"] and "U" in describe(self.bound.law).input_names:
            return [REPEATED_POINTS]
        return grid_points(names)

    def design(
        self, cost: Cost, inputs: Arrays, budget: jax.Array, x: jax.Array
    ) -> dict[str, jax.Array]:
        """All inputs of the law for a point of the search that spends ``budget``.

        ``x`` holds ln(P / 4 bits) and, under 6 N D, ln(N / D) / 2.
        """
        values = dict(inputs)
        coordinates = dict(zip(self.coordinates, x, strict=True))

        if "P" in coordinates:
            values["P"] = MIDDLE_BITS * jnp.exp(coordinates["P"])
        P = self.bound.bits(values)

        if "N" in coordinates:
            # D is measured relative to sqrt(N D), so that float32 resolves a small number. D
            # determines N and not the reverse: for every D there is an N that a lifetime cost can
            # pay for.
            values["D"] = jnp.sqrt(cost.parameters(budget, 1.0, P)) * jnp.exp(-coordinates["N"])

        if "D" in values:
            values["N"] = cost.parameters(budget, values["D"], P)
        else:
            values["D"] = cost.tokens(budget, values["N"], P)
        return values


def grid_points(names: Sequence[str]) -> list[int]:
    """Points of the usual grid, for each of its coordinates."""
    points = JOINT_POINTS if len(names) > 1 else POINTS
    return [points[name] for name in names]


def build_problem(
    law: LawFunction, free: Iterable[str], fixed: Iterable[str], cost: Cost | None
) -> tuple[BudgetProblem, list[ArrayLike]]:
    """The problem, and the numbers of its cost.

    Args:
        law: a law of N and D.
        free: names of the free variables; a single name may be a text.
        fixed: names of the inputs that have a value.
        cost: None for ``(6 / 16) N D P`` where the law has the bits of weights and activations and
            one of them is planned, else ``6 N D``.

    Raises:
        JscaleError: variables, or a cost, that do not make a problem.
    """
    if not isinstance(free, Iterable):
        message = f"must be names such as ('N', 'D'), not {shown(free)}"
        raise JscaleError(message, argument="free")
    free = frozenset((free,) if isinstance(free, str) else free)
    fixed = frozenset(fixed)
    _check_variables(law, free, fixed)

    bound = bind(law, fixed, free)
    if cost is None:
        cost = precision_scaled_flops if bound.charged else training_flops
    _check_cost(cost, bound)

    cost_values, structure = jax.tree.flatten(cost)
    is_leaf = len(cost_values) == 1 and cost_values[0] is cost
    if is_leaf:  # not a pytree: the cost itself is part of the problem
        return BudgetProblem(bound, cost, free), []
    return BudgetProblem(bound, structure, free), cost_values


def _check_variables(law: LawFunction, free: frozenset[str], fixed: frozenset[str]) -> None:
    record = describe(law)
    if unknown := sorted(map(str, free - set(_VARIABLES))):
        raise JscaleError(
            f"holds {enumerated(unknown)}: only N, D and P can be free", argument="free"
        )
    for name in ("N", "D"):
        if name not in record.input_names:
            raise JscaleError(
                f"law {record.name!r} has no input {name}: "
                "a plan divides a budget between parameters N and tokens D"
            )
        if name not in free | fixed:
            raise JscaleError(
                f"{name} is neither free nor given: add it to ",
                Argument("free"),
                ", or give ",
                Argument(name),
            )
    if {"N", "D"} <= fixed:
        raise JscaleError(
            "N and D are both given: the budget then leaves nothing to choose; free one of them"
        )


def _check_cost(cost: Any, bound: BoundLaw) -> None:
    missing = [name for name in _COST_MEMBERS if not hasattr(cost, name)]
    if missing:
        raise JscaleError(
            f"must be one of jscale.plan.costs or an object with {listing(_COST_MEMBERS)}, "
            f"not {shown(cost)}, which has no {listing(missing, last=' or ')}",
            argument="cost",
        )
    if cost.needs_bits and not (bound.tied or bound.charged):
        raise JscaleError(
            f"the cost {cost.name} depends on the training precision: free P, or give ",
            Argument("P"),
        )
