"""A thousand damaged tables: each gives an error of one line or a result that is correct."""

import numpy as np
import pytest

from jscale import fit, laws, runs
from jscale._core.errors import JscaleError

TABLES, ROWS = 1000, 12
CELLS = [
    "",
    "nan",
    "inf",
    "-1",
    "0",
    "1e-300",
    "1e300",
    "3.0",
    "many",
    "1e8",
    "70M",
    "0x10",
    "1,000",
    " 2.5 ",
    "-inf",
]
SIZES = np.geomspace(1e7, 1e10, ROWS)


def damaged(rng: np.random.Generator) -> dict[str, list[str]]:
    """A small table with up to three damaged cells, columns or units, of constant length."""
    columns = {
        "N": [repr(float(n)) for n in SIZES],
        "loss": [
            repr(float(1.7 + 400 * n**-0.34)) for n in SIZES * np.exp(0.1 * rng.normal(size=ROWS))
        ],
    }
    for _ in range(rng.integers(0, 4)):
        name = str(rng.choice(["N", "loss"]))
        match rng.integers(0, 6):
            case 0:
                columns[name][rng.integers(ROWS)] = str(rng.choice(CELLS))
            case 1:
                columns[name] = [columns[name][0]] * ROWS
            case 2:
                columns[name] = list(rng.permutation(columns[name]))
            case 3:
                columns[name] = rescaled(columns[name], 10.0 ** rng.integers(-30, 30))
            case 4:
                first = rng.integers(ROWS)
                columns[name][first] = columns[name][rng.integers(ROWS)]
            case 5:
                columns["exclude"] = ["1" if row == 3 else "0" for row in range(ROWS)]
    return columns


def rescaled(cells: list[str], factor: float) -> list[str]:
    """The cells multiplied by a factor, where they are numbers."""
    scaled = []
    for cell in cells:
        try:
            scaled.append(repr(float(cell) * factor))
        except ValueError:
            scaled.append(cell)
    return scaled


def test_damaged_tables_give_an_error_or_a_correct_result():
    rng = np.random.default_rng(0)
    counts, errors = {"converged": 0, "not converged": 0}, []
    for _ in range(TABLES):
        columns = damaged(rng)
        try:
            # The optimum and its report are what is tested, not how many starts find it.
            point = fit.point(laws.power_size, runs.read(columns), starts=4)
        except JscaleError as error:
            errors.append(str(error))
            continue
        if not point.certificate.converged:
            assert point.notes, "a status other than converged comes with a note"
            counts["not converged"] += 1
            continue
        counts["converged"] += 1
        assert np.isfinite([*point.params.values(), *point.stderr.values(), point.objective]).all()
        assert point.objective == pytest.approx(
            objective(columns, point.params), rel=1e-6, abs=1e-15
        )
    assert not [message for message in errors if "\n" in message]
    # Each of the three outcomes occurs.
    assert min(len(errors), *counts.values()) > TABLES / 50, counts


def objective(columns: dict[str, list[str]], params: dict[str, float]) -> float:
    """The summed Huber loss at the reported parameters, in plain numpy."""
    table = runs.read(columns)
    included = np.array([cell != "1" for cell in columns.get("exclude", ["0"] * ROWS)])
    included &= np.isfinite(table["loss"])  # runs without a loss are left out with a note
    residual = np.abs(np.log(table["loss"]) - np.log(laws.power_size(table["N"], **params)))[
        included
    ]
    return float(np.where(residual <= 1e-3, 0.5 * residual**2, 1e-3 * (residual - 0.5e-3)).sum())
