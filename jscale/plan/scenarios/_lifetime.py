"""The serving volume at which a smaller model pays."""

from typing import Any

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from jscale._core.checks import check_number, is_traced
from jscale._core.errors import JscaleError
from jscale._core.scope import in_default_settings
from jscale.plan.costs import LifetimeCost
from jscale.plan.problem import to_arrays


@in_default_settings
def break_even_tokens(
    small: tuple[ArrayLike, ArrayLike],
    large: tuple[ArrayLike, ArrayLike],
    *,
    training: ArrayLike = 6.0,
    inference: ArrayLike = 2.0,
) -> Any:
    """Tokens served from which on a smaller, longer trained model costs less over its life.

    ``T = training (N_1 D_1 - N_2 D_2) / (inference (N_2 - N_1))`` for models of equal loss; 0 or
    less where the smaller one is cheaper to train as well.

    Args:
        small: parameters and tokens of the smaller model.
        large: those of the larger one.
        training: FLOP per parameter and token trained on.
        inference: FLOP per parameter and token served.

    Raises:
        JscaleError: a number that is not above 0, or a smaller model that is not smaller.

    Source: equal lifetime costs of Sardana et al. 2023 (arXiv 2401.00448), eq. 3.

    Example:
        33.7e9 parameters on 9.3e12 tokens against 70e9 on 4.26e12:

        >>> from jscale import plan
        >>> served = plan.break_even_tokens((33.7e9, 9.3e12), (70e9, 4.26e12))
        >>> print(f"{served:.2e} tokens")
        1.26e+12 tokens
    """
    numbers = {}
    for label, design in (("small", small), ("large", large)):
        if not isinstance(design, tuple) or len(design) != 2:
            raise JscaleError("must be a pair of parameters and tokens", argument=label)
        numbers[label] = tuple(check_number(label, value, above=0.0) for value in design)
    cost = LifetimeCost(0.0, training=training, inference=inference)  # checks the factors
    first, second, factors = to_arrays(
        numbers["small"], numbers["large"], (cost.training, cost.inference)
    )
    if not is_traced(first, second) and bool(jnp.any(first[0] >= second[0])):
        raise JscaleError("is not smaller than the larger model", argument="small")
    trained: jax.Array = factors[0] * (first[0] * first[1] - second[0] * second[1])
    return trained / (factors[1] * (second[0] - first[0]))
