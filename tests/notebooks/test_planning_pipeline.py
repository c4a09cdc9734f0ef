"""The five-year plan: it improves, keeps to its money and tokens, and has the right gradient."""

import importlib.util
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from jscale._core.scope import float64

FILE = Path(__file__).parents[2] / "notebooks" / "planning_pipeline.py"


def test_the_pipeline():
    spec = importlib.util.spec_from_file_location("planning_pipeline", FILE)
    pipeline = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(pipeline)
    # Adam raises a float to an integer power, which strict promotion does not allow.
    with float64(), jax.numpy_dtype_promotion("standard"):
        result = pipeline.main(steps=4, draws=2, show=False)
        losses, year, best = result["losses"], result["year"], result["models"]
        assert losses[-1] < losses[0]
        assert not np.any(np.asarray(best.status))
        np.testing.assert_allclose(np.sum(year.spent), pipeline.BUDGETS.sum(), rtol=1e-12)
        cost = pipeline.dollars(best.values["N"], best.values["D"], pipeline.SERVED, year.price)
        spent = np.broadcast_to(year.spent - year.for_data, cost.shape)
        np.testing.assert_allclose(cost, spent, rtol=1e-9)
        assert np.all(np.diff(year.unique) > 0)
        assert float(year.unique[-1]) < pipeline.OWNED + pipeline.STOCK

        decision, params = result["decision"], result["params"]
        slope = pipeline.value_and_slope(decision, params)[1]
        step = 1e-4
        for name in decision:
            ends = []
            for sign in (1, -1):
                moved = decision[name] + sign * step * jnp.eye(5)[1]
                (value, _), _ = pipeline.value_and_slope(decision | {name: moved}, params)
                ends.append(float(value))
            np.testing.assert_allclose(slope[name][1], (ends[0] - ends[1]) / (2 * step), rtol=1e-5)
