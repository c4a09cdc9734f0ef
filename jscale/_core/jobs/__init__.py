"""Long computations: threads for compiled programs, progress on stderr and in a file."""

from jscale._core.jobs._checkpoint import Arrays, Checkpoint
from jscale._core.jobs._progress import Progress
from jscale._core.jobs._workers import workers

__all__ = ["Arrays", "Checkpoint", "Progress", "workers"]
