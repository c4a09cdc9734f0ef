"""What the benchmarks of whole commands share."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Outcome:
    """What one finished process printed and cost.

    Attributes:
        seconds: wall time from start to exit.
        peak_mib: largest resident memory of the process or of one of its children, MiB.
        stdout: what it printed.
    """

    seconds: float
    peak_mib: float
    stdout: str


Run = Callable[[Sequence[str]], Outcome]
