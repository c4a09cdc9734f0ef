"""Laws of mixture-of-experts models."""

from jscale.laws.experts._five_factors import five_factor_moe
from jscale.laws.experts._moe import granular, joint_moe, joint_moe_optimal, sparse_moe
from jscale.laws.experts._routing import (
    routed,
    routed_cutoff,
    routed_dense_size,
    routed_floor,
    saturating_experts,
)

__all__ = [
    "five_factor_moe",
    "granular",
    "joint_moe",
    "joint_moe_optimal",
    "routed",
    "routed_cutoff",
    "routed_dense_size",
    "routed_floor",
    "saturating_experts",
    "sparse_moe",
]
