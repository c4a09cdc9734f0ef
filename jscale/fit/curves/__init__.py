"""Training curves: the loss at the end of a run, forecast from the part that is done."""

from jscale.fit.curves._run_ends import RunEnds, run_ends

__all__ = ["RunEnds", "run_ends"]
