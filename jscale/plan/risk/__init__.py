"""Plans over draws of the parameters: bands of quantiles."""

from jscale.plan.risk._bands import Bands, bands
from jscale.plan.risk._quantiles import quantiles_over_draws

__all__ = [
    "Bands",
    "bands",
    "quantiles_over_draws",
]
