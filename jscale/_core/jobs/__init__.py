"""Long work: threads for compiled programs, and progress on stderr."""

from jscale._core.jobs._progress import Progress
from jscale._core.jobs._workers import workers

__all__ = ["Progress", "workers"]
