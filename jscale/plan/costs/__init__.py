"""What a model costs: FLOP, bytes, seconds, dollars and joules.

Of training and of serving, from counts (:mod:`~jscale.plan.costs.training`,
:mod:`~jscale.plan.costs.inference`), by measured speeds of number formats
(:mod:`~jscale.plan.costs.speed`), from an architecture (:mod:`~jscale.plan.costs.architecture`), in
memory (:mod:`~jscale.plan.costs.memory`), and on given hardware
(:mod:`~jscale.plan.costs.hardware`). All take Python, numpy and JAX numbers or arrays, which
broadcast, and are differentiable under ``jit`` and ``vmap``. A number out of range raises an error,
except inside a transformation, where its value is not available.

A cost that a plan can divide between parameters and tokens is any object with the members of
:class:`Cost`; the functions of :mod:`jscale.plan` take one as ``cost=``.
"""

from jscale.plan.costs.architecture import (
    Architecture,
    deepseek_flops_per_token,
    granular_flops_per_token,
)
from jscale.plan.costs.hardware import compute_seconds, dollars, joules, kilowatt_hours
from jscale.plan.costs.inference import (
    decodable_parameters,
    decode_seconds,
    inference_flops,
    serving_flops,
)
from jscale.plan.costs.memory import activation_bytes, kv_cache_bytes, training_bytes, weight_bytes
from jscale.plan.costs.speed import PUBLISHED_SPEED_UPS, SpeedCost, speed_cost
from jscale.plan.costs.training import (
    FULL_BITS,
    Cost,
    LifetimeCost,
    ProductCost,
    precision_scaled_flops,
    training_flops,
)

__all__ = [
    "FULL_BITS",
    "PUBLISHED_SPEED_UPS",
    "Architecture",
    "Cost",
    "LifetimeCost",
    "ProductCost",
    "SpeedCost",
    "activation_bytes",
    "compute_seconds",
    "decodable_parameters",
    "decode_seconds",
    "deepseek_flops_per_token",
    "dollars",
    "granular_flops_per_token",
    "inference_flops",
    "joules",
    "kilowatt_hours",
    "kv_cache_bytes",
    "precision_scaled_flops",
    "serving_flops",
    "speed_cost",
    "training_bytes",
    "training_flops",
    "weight_bytes",
]
