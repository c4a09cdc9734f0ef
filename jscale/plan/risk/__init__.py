"""Plans over draws of the parameters: bands, regret, and one plan for all draws."""

from jscale.plan.risk._bands import Bands, bands
from jscale.plan.risk._quantiles import quantiles_over_draws
from jscale.plan.risk._regret import Regret, beats, regret
from jscale.plan.risk._robust import RobustPlan, assured, robust

__all__ = [
    "Bands",
    "Regret",
    "RobustPlan",
    "assured",
    "bands",
    "beats",
    "quantiles_over_draws",
    "regret",
    "robust",
]
