"""Types shared by the benchmarks of whole commands."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Outcome:
    """Output and cost of a finished process.

    Attributes:
        seconds: wall time from start to exit.
        cpu_seconds: processor time of the process and its children.
        peak_mib: largest resident memory of the process or of one of its children, MiB.
        stdout: its standard output.
    """

    seconds: float
    cpu_seconds: float
    peak_mib: float
    stdout: str


Run = Callable[[Sequence[str]], Outcome]
