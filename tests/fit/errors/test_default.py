"""The error model of a posterior where the caller names none."""

import numpy as np
import pytest

from jscale import fit, laws, runs
from jscale._core.errors import JscaleError
from jscale.fit.bayes._model import pose
from jscale.fit.errors import default_errors
from tests.fit.tables import isoflop

SMOOTH = "normal + scale(C, D/N) + discrepancy"


def errors_of(law, table: runs.Runs) -> str:
    return str(default_errors(law, table, runs.select(table, law)).errors)


def some(count: int) -> runs.Runs:
    """The first runs of a table with different inputs."""
    table = isoflop()
    return table.where(np.arange(len(table)) < count)


@pytest.mark.parametrize(("count", "expected"), [(40, SMOOTH), (12, SMOOTH), (11, "student")])
def test_a_discrepancy_needs_twelve_different_inputs(count, expected):
    assert errors_of(laws.chinchilla, some(count)) == expected


def test_repeated_inputs_count_once():
    few = {name: np.tile(some(8)[name], 3) for name in ("N", "D", "loss")}
    assert errors_of(laws.chinchilla, runs.read(few)) == "student"


def test_the_scale_has_the_terms_that_vary():
    N = np.geomspace(1e8, 1e10, 14)
    loss = 2 + 1e3 / N**0.4
    on_a_ray = runs.read({"N": N, "D": 20 * N, "loss": loss})
    assert errors_of(laws.chinchilla, on_a_ray) == "normal + scale(C) + discrepancy"


def test_a_curve_along_one_input_has_independent_errors():
    N = np.geomspace(1e8, 1e10, 14)
    assert errors_of(laws.power_size, runs.read({"N": N, "loss": 2 + 1e3 / N**0.4})) == "student"


def test_runs_in_bits_have_independent_errors():
    table = isoflop()
    columns = {name: table[name] for name in ("N", "D", "loss")}
    varied = runs.read({**columns, "P_post": np.tile([4.0, 16.0], 20)})
    assert errors_of(laws.precision, varied) == "student"
    same = runs.read({**columns, "P_post": np.full(40, 16.0)})
    assert errors_of(laws.precision, same) == SMOOTH


def test_changes_of_the_loss_have_independent_errors():
    bits = {"P_post": np.tile([3.0, 4.0], 20)}
    table = isoflop()
    columns = {"N": table["N"], "D": table["D"], "delta": np.geomspace(0.01, 0.3, 40), **bits}
    assert errors_of(laws.ptq_degradation, runs.read(columns)) == "student"


def test_a_note_says_why_errors_are_independent():
    posed = pose(laws.chinchilla, some(11), None)
    (note,) = [note for note in posed.notes if note.code == "independent-errors"]
    assert note.severity == "info"
    assert "as the runs have 11 different inputs, fewer than 12" in note.message
    for table, errors in ((some(11), "student"), (some(40), None)):
        notes = pose(laws.chinchilla, table, None, errors).notes
        assert "independent-errors" not in {note.code for note in notes}


def test_the_model_has_the_default_too():
    posed = pose(laws.chinchilla, some(40), None)
    assert str(posed.problem.errors) == "normal + scale(C, D/N) + discrepancy(N, D)"
    with pytest.raises(JscaleError, match="errors"):
        fit.model(laws.chinchilla, some(40), errors="norml")
