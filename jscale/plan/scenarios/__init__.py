"""Questions about one design: what more of each input buys, how far it is from the optimum.

And what repeated data are worth, and from which serving volume on a smaller model is cheaper.
"""

from jscale.plan.scenarios._allocation import Allocation, allocation
from jscale.plan.scenarios._epochs import OptimalEpochs, optimal_epochs
from jscale.plan.scenarios._lifetime import break_even_tokens
from jscale.plan.scenarios._qat_split import QatSplit, qat_split
from jscale.plan.scenarios._repeats import RepeatedData, repeated_data
from jscale.plan.scenarios._returns import MarginalReturns, marginal_returns

__all__ = [
    "Allocation",
    "MarginalReturns",
    "OptimalEpochs",
    "QatSplit",
    "RepeatedData",
    "allocation",
    "break_even_tokens",
    "marginal_returns",
    "optimal_epochs",
    "qat_split",
    "repeated_data",
]
