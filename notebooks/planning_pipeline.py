"""A five-year plan of compute, data and serving, optimised end to end through ``plan.solve``.

Each year has a budget, a price of compute that falls, and a number of tokens to serve. Money may be
saved for later years, and spent on training and serving a model or on unique tokens, of which there
is a finite stock: the more is bought, the dearer the rest. The model of a year is the best one for
its money and its tokens (``plan.solve``), for each draw of the law's parameters. Adam (optax)
lowers the sum of the expected losses over years through all of it: the derivatives come from the
optimality conditions of every model.

Run: ``python notebooks/planning_pipeline.py [STEPS]``; ``main`` is for use from Python.
"""

import sys
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jscale import laws, plan

YEARS = 5
BUDGETS = np.array([2e6, 4e6, 6e6, 8e6, 10e6])
"""Dollars of each year."""
PRICE, FALL = 2e-18, 0.7
"""Dollars per FLOP in the first year, and the factor a year."""
SERVED = np.array([1e11, 3e11, 1e12, 3e12, 1e13])
"""Tokens that the model of a year serves."""
OWNED, STOCK = 1e11, 2e12
"""Unique tokens at the start, and those that can be bought at all."""
TOKEN_PRICE = 2e-6
"""Dollars per token, of the first ones."""
SPREAD = 0.03
"""Relative standard deviation of the parameters: an assumption of this example."""
LEARNING_RATE = 0.1


class Year(NamedTuple):
    """What happens in each year, (years,)."""

    spent: jax.Array
    for_data: jax.Array
    unique: jax.Array
    price: jax.Array


def draws_of(count: int) -> dict[str, jax.Array]:
    """Parameters of the law of repeated data, (draws, 1) each."""
    theta = laws.params(laws.data_constrained)
    random = np.random.default_rng(0)
    factors = np.exp(SPREAD * random.normal(size=(len(theta), count)))
    moved = {name: theta[name] * row for name, row in zip(theta, factors, strict=True)}
    # Coefficients hold at 1e9 parameters and 1e11 tokens, so that exponents pivot about the runs.
    moved["A"] = theta["A"] * 1e9 ** (moved["alpha"] - theta["alpha"])
    moved["B"] = theta["B"] * 1e11 ** (moved["beta"] - theta["beta"])
    return {name: jnp.asarray(value)[:, None] for name, value in moved.items()}


def years_of(decision: dict[str, jax.Array]) -> Year:
    """The money and the tokens of each year, from logits of what is spent and of what buys data."""
    share = jax.nn.sigmoid(decision["spend"]).at[-1].set(1.0)  # nothing is kept after the last year
    data_share = jax.nn.sigmoid(decision["data"])
    saved, unique = jnp.zeros(()), jnp.asarray(OWNED)
    rows = []
    for year in range(YEARS):
        available = saved + BUDGETS[year]
        spent = share[year] * available
        saved = available - spent
        for_data = data_share[year] * spent
        left = OWNED + STOCK - unique
        unique = unique + left * -jnp.expm1(-for_data / (TOKEN_PRICE * left))
        rows.append((spent, for_data, unique))
    spent, for_data, unique = (jnp.stack(column) for column in zip(*rows, strict=True))
    return Year(spent, for_data, unique, jnp.asarray(PRICE * FALL ** np.arange(YEARS)))


def dollars(N: Any, D: Any, served: Any, price: Any) -> Any:
    """Of training a model and of serving it."""
    return price * (6 * N * D + 2 * N * served)


def models(params: dict[str, jax.Array], year: Year) -> plan.Solution:
    """The best model of each draw and year, (draws, years)."""
    variables = {
        "N": plan.Free(1e7, 1e13),
        "D": plan.Free(1e8, 1e15),
        "U": year.unique,
        "served": jnp.asarray(SERVED),
        "price": year.price,
    }
    limit = [(dollars, "<=", year.spent - year.for_data)]
    return plan.solve(laws.data_constrained, variables, params=params, constraints=limit)


def total_loss(
    decision: dict[str, jax.Array], params: dict[str, jax.Array]
) -> tuple[jax.Array, plan.Solution]:
    """The expected loss, summed over years, and the models."""
    best = models(params, years_of(decision))
    return jnp.sum(jnp.mean(best.objective, axis=0)), best


value_and_slope = jax.jit(jax.value_and_grad(total_loss, has_aux=True))


def main(steps: int = 60, draws: int = 8, show: bool = True) -> dict[str, Any]:
    """Optimise the decisions; the losses of each step, the decisions and the models."""
    params = draws_of(draws)
    decision = {"spend": jnp.full(YEARS, 4.0), "data": jnp.full(YEARS, -2.0)}
    optimiser = optax.adam(LEARNING_RATE)
    state, history = optimiser.init(decision), []
    for _ in range(steps):
        (value, _), slope = value_and_slope(decision, params)
        updates, state = optimiser.update(slope, state)
        decision = optax.apply_updates(decision, updates)
        history.append(float(value))
    value, best = value_and_slope(decision, params)[0]
    history.append(float(value))
    result = {
        "losses": history,
        "decision": decision,
        "year": years_of(decision),
        "models": best,
        "params": params,
    }
    if show:
        print_plan(result)
    return result


def print_plan(result: dict[str, Any]) -> None:
    """Print the plan of each year, medians over the draws."""
    year, best = result["year"], result["models"]
    first, last = result["losses"][0], result["losses"][-1]
    print(f"sum of losses {first:.4f} before, {last:.4f} after {len(result['losses']) - 1} steps")
    print("year  spent M$  data M$  unique    N        D        epochs  loss")
    for i in range(YEARS):
        N, D = (float(jnp.median(best.values[name][:, i])) for name in ("N", "D"))
        loss = float(jnp.mean(best.objective[:, i]))
        print(
            f"{i + 1:4} {year.spent[i] / 1e6:9.2f} {year.for_data[i] / 1e6:8.2f} "
            f"{year.unique[i]:8.2e} {N:8.2e} {D:8.2e} {D / year.unique[i]:7.1f}  {loss:.4f}"
        )


if __name__ == "__main__":
    jax.config.update("jax_enable_x64", True)
    main(*(int(word) for word in sys.argv[1:2]))
