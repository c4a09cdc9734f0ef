"""A budget problem: the variables, their ranges, what is fixed and what is free."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import PyTreeDef
from jax.typing import ArrayLike

from jscale._core.errors import JscaleError
from jscale.laws import LawFunction, describe
from jscale.plan.costs import Cost, precision_scaled_flops, training_flops
from jscale.plan.problem import BoundLaw, bind

_VARIABLES = ("N", "D", "P")


MIDDLE_BITS = 4.0


RANGES = {"P": float(np.log(64.0)), "N": 35.0}
"""Half the ranges searched: of ln P about 4 bits, from 1/16 to 256; of ln N about sqrt(N D), tokens
per parameter from 1e-30 to 1e30."""


POINTS = {"P": 48, "N": 32}
"""A spacing of 19% in P and of a factor 10 in N, which Newton's method then closes: on 3,000 laws
with
widely scattered constants a grid of 1,200 x 700 points found nothing better. 64 x 64 take three
times as long."""


@dataclass(frozen=True)
class BudgetProblem:
    """What is fixed while the code is compiled.

    Attributes:
        bound: the law.
        cost: the :class:`~jscale.plan.costs.Cost`, or the tree structure of one that is a pytree of
            its numbers.
        free: names of what is sought.
    """

    bound: BoundLaw
    cost: Any
    free: frozenset[str]

    def price(self, numbers: Sequence[jax.Array]) -> Cost:
        """The cost with its numbers."""
        return self.cost.unflatten(numbers) if isinstance(self.cost, PyTreeDef) else self.cost

    @property
    def coordinates(self) -> list[str]:
        """Of P and N those that a budget leaves open."""
        # Without D free the budget determines N.
        return [
            name for name in ("P", "N") if name in self.free and (name == "P" or "D" in self.free)
        ]

    def place(
        self, cost: Cost, inputs: Any, budget: jax.Array, x: jax.Array
    ) -> dict[str, jax.Array]:
        """All inputs of the law that spend ``budget`` at ln(P / 4 bits) and, under 6 N D, ln(N / D)
        / 2.
        """
        values = dict(inputs)
        coordinates = dict(zip(self.coordinates, x, strict=True))
        if "P" in coordinates:
            values["P"] = MIDDLE_BITS * jnp.exp(coordinates["P"])
        P = values.get("P")
        if "N" in coordinates:
            # The tokens are measured from the square root of N D, so that float32 has a small
            # number to resolve. They set the size, not the size them: every number of tokens leaves
            # a size that a lifetime cost can pay for.
            values["D"] = jnp.sqrt(cost.parameters(budget, 1.0, P)) * jnp.exp(-coordinates["N"])
        if "D" in values:
            values["N"] = cost.parameters(budget, values["D"], P)
        else:
            values["D"] = cost.tokens(budget, values["N"], P)
        return values


def build_problem(
    law: LawFunction, free: Iterable[str], given: Iterable[str], cost: Cost | None
) -> tuple[BudgetProblem, list[ArrayLike]]:
    """The question, and the numbers of its cost.

    Raises:
        JscaleError: a combination that cannot be planned.
    """
    free, given = frozenset((free,) if isinstance(free, str) else free), frozenset(given)
    if unknown := sorted(map(str, free - set(_VARIABLES))):
        raise JscaleError(f"free holds {', '.join(unknown)}: only N, D and P can be free")
    for name in ("N", "D"):
        if name not in describe(law).input_names:
            raise JscaleError(
                f"law {describe(law).name!r} has no input {name}: a plan divides a budget between both"
            )
        if name not in free | given:
            raise JscaleError(f"{name} is neither free nor given: add it to free, or give {name}=")
    if {"N", "D"} <= given:
        raise JscaleError(
            "N and D are both given: the budget then leaves nothing to choose; free one of them"
        )
    bound = bind(law, given, free)
    cost = (precision_scaled_flops if bound.tied else training_flops) if cost is None else cost
    if not all(
        hasattr(cost, name) for name in ("name", "needs_bits", "flops", "tokens", "parameters")
    ):
        raise JscaleError(
            f"cost must be one of jscale.plan.costs or an object like them, not {cost!r}"
        )
    if cost.needs_bits and not bound.tied:
        raise JscaleError(
            f"the cost {cost.name} depends on the training precision: free P, or give P="
        )
    numbers, structure = jax.tree.flatten(cost)
    if len(numbers) == 1 and numbers[0] is cost:  # no pytree
        return BudgetProblem(bound, cost, free), []
    return BudgetProblem(bound, structure, free), numbers
