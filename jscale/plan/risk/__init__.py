"""Plans over draws: bands."""

from jscale.plan.risk._bands import Bands, bands

__all__ = [
    "Bands",
    "bands",
]
