"""Plans over draws of the parameters: bands, regret, one plan for all draws or several laws."""

from jscale.plan.risk._averaged import AveragedPlan, averaged
from jscale.plan.risk._bands import Bands, bands, bands_of
from jscale.plan.risk._quantiles import quantiles_over_draws
from jscale.plan.risk._regret import Regret, beats, regret
from jscale.plan.risk._robust import Risk, RobustPlan, assured, robust
from jscale.plan.risk._surface import KnownSurface, on_surface

__all__ = [
    "AveragedPlan",
    "Bands",
    "KnownSurface",
    "Regret",
    "Risk",
    "RobustPlan",
    "assured",
    "averaged",
    "bands",
    "bands_of",
    "beats",
    "on_surface",
    "quantiles_over_draws",
    "regret",
    "robust",
]
