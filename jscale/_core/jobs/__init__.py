"""Long computations: threads for compiled programs, and a progress bar on stderr."""

from jscale._core.jobs._progress import Progress
from jscale._core.jobs._workers import workers

__all__ = ["Progress", "workers"]
