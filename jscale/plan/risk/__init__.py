"""Plans over draws of the parameters: bands, regret, one plan for all draws or several laws."""

from jscale.plan.risk._assured import assured
from jscale.plan.risk._averaged import AveragedPlan, averaged
from jscale.plan.risk._bands import Bands, bands, bands_of
from jscale.plan.risk._limited import Risk, obeys
from jscale.plan.risk._one_plan import RobustPlan
from jscale.plan.risk._quantiles import quantiles_over_draws
from jscale.plan.risk._regret import Regret, beats, regret
from jscale.plan.risk._robust import robust
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
    "obeys",
    "on_surface",
    "quantiles_over_draws",
    "regret",
    "robust",
]
