"""Laws of mixture-of-experts models."""

from jscale.laws.experts._moe import granular, joint_moe, joint_moe_optimal, sparse_moe
from jscale.laws.experts._routing import (
    routed,
    routed_cutoff,
    routed_dense_size,
    saturating_experts,
)

__all__ = [
    "granular",
    "joint_moe",
    "joint_moe_optimal",
    "routed",
    "routed_cutoff",
    "routed_dense_size",
    "saturating_experts",
    "sparse_moe",
]
