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
        cpu_seconds: processor time of it and its children: what is left of `seconds` when nothing
            else runs, over the cores that it could use.
        peak_mib: largest resident memory of the process or of one of its children, MiB.
        stdout: what it printed.
    """

    seconds: float
    cpu_seconds: float
    peak_mib: float
    stdout: str


Run = Callable[[Sequence[str]], Outcome]
