"""Laws of training: batch size, learning rate, schedules."""

from jscale.laws.training._batch import (
    AllocationExponents,
    critical_batch,
    kaplan_allocation,
    kaplan_critical_batch,
    minimum_compute,
    minimum_steps,
    training_examples,
    training_steps,
)
from jscale.laws.training._hyper import (
    adamw_timescale,
    deepseek_batch,
    deepseek_learning_rate,
    deepseek_model_scale,
    deepseek_tokens,
    step_law_batch,
    step_law_learning_rate,
    weight_decay,
)
from jscale.laws.training._noisy_quadratic import noisy_quadratic
from jscale.laws.training._rates import constant, cosine, linear, wsd
from jscale.laws.training._schedule import (
    FAMILIES,
    momentum_curve,
    momentum_law,
    multi_power,
    multi_power_curve,
)

__all__ = [
    "FAMILIES",
    "AllocationExponents",
    "adamw_timescale",
    "constant",
    "cosine",
    "critical_batch",
    "deepseek_batch",
    "deepseek_learning_rate",
    "deepseek_model_scale",
    "deepseek_tokens",
    "kaplan_allocation",
    "kaplan_critical_batch",
    "linear",
    "minimum_compute",
    "minimum_steps",
    "momentum_curve",
    "momentum_law",
    "multi_power",
    "multi_power_curve",
    "noisy_quadratic",
    "step_law_batch",
    "step_law_learning_rate",
    "training_examples",
    "training_steps",
    "weight_decay",
    "wsd",
]
