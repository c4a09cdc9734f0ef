"""Tables of runs for the command line."""

from pathlib import Path
from typing import Any

import numpy as np

SHORT = ("--chains", 2, "--warmup", 100, "--draws", 100, "--errors", "student")
"""Settings of a short run of the sampler; most of its time is compilation."""


def chinchilla_rows(
    ratios: tuple[float, ...], rows: int = 30, noise: float = 0.002
) -> dict[str, np.ndarray]:
    """Runs simulated from Hoffmann's constants at the given tokens per parameter."""
    N = np.geomspace(3e7, 3e9, rows)
    D = N * np.resize(ratios, rows)
    loss = 1.6934 + 406.4 * N**-0.3392 + 410.7 * D**-0.2849
    return {
        "N": N,
        "D": D,
        "loss": loss * np.exp(noise * np.random.default_rng(7).standard_normal(rows)),
    }


def write_table(path: Path, columns: dict[str, Any]) -> Path:
    """Write columns to a CSV file with every digit."""
    lines = [
        ",".join(columns),
        *(",".join(str(cell) for cell in row) for row in zip(*columns.values(), strict=True)),
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def without_times(value: Any) -> Any:
    """A JSON object as it is written to a file: without wall times, the members ``seconds``."""
    if isinstance(value, dict):
        return {name: without_times(item) for name, item in value.items() if name != "seconds"}
    return value
