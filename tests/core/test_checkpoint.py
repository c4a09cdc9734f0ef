"""Progress of long jobs in a file: at most the unit under way is lost, and no result is wrong."""

from pathlib import Path

import numpy as np
import pytest

from jscale._core.errors import JscaleError
from jscale._core.jobs import Checkpoint

JOB = {"command": "test", "seed": [0, 1], "kinds": ("a", "b")}
VALUES = {"x": np.array([[0.1, np.nan, -0.0]]), "codes": np.array(["profile-open", ""])}


def run(path: Path | None, units: int, job: dict = JOB) -> list[str]:
    """Units that had to be computed."""
    computed = []

    def compute(name: str):
        computed.append(name)
        return {**VALUES, "name": np.array(name)}

    with Checkpoint(path, job) as checkpoint:
        for i in range(units):
            result = checkpoint.unit(f"unit {i}", lambda i=i: compute(f"unit {i}"))
            assert str(result["name"]) == f"unit {i}"
            for field, value in VALUES.items():
                assert result[field].tobytes() == value.tobytes()
                assert result[field].shape == value.shape
    return computed


def test_units_are_computed_once(tmp_path: Path):
    assert run(tmp_path / "state", 2) == ["unit 0", "unit 1"]
    assert run(tmp_path / "state", 4) == ["unit 2", "unit 3"]
    assert run(tmp_path / "state", 4) == []
    assert run(None, 1) == ["unit 0"]


def test_a_file_that_was_cut_off_anywhere_loses_one_unit(tmp_path: Path):
    state = tmp_path / "state"
    run(state, 1)
    first = state.stat().st_size
    run(state, 2)
    content = state.read_bytes()
    for size in (*range(0, first, 97), *range(first, len(content), 97), len(content) - 1):
        state.write_bytes(content[:size])
        expected = ["unit 1"] if size >= first else ["unit 0", "unit 1"]
        assert run(state, 2) == expected, size
        assert state.read_bytes() == content


def test_a_damaged_file_is_refused_or_costs_units(tmp_path: Path):
    """Whatever byte is changed, no result is."""
    state = tmp_path / "state"
    run(state, 2)
    content = state.read_bytes()
    for position in range(0, len(content), 41):
        damaged = bytearray(content)
        damaged[position] ^= 0x41
        state.write_bytes(damaged)
        try:
            run(state, 2)
        except JscaleError as error:
            assert str(error).startswith("resume: '")  # noqa: PT017 (either outcome is right)


@pytest.mark.parametrize(
    ("job", "words"),
    [
        ({**JOB, "seed": [0, 2]}, r"another job, whose seed is \[0, 1\], not \[0, 2\]; remove it"),
        ({**JOB, "level": 0.9}, "whose level is None, not 0.9"),
    ],
)
def test_the_progress_of_another_job(tmp_path: Path, job: dict, words: str):
    run(tmp_path / "state", 1)
    before = (tmp_path / "state").read_bytes()
    with pytest.raises(JscaleError, match=words):
        run(tmp_path / "state", 1, job)
    assert (tmp_path / "state").read_bytes() == before


def test_files_of_others_are_not_touched(tmp_path: Path):
    path = tmp_path / "notes.txt"
    path.write_text("mine")
    with pytest.raises(JscaleError, match="does not hold the progress of a job"):
        run(path, 1)
    assert path.read_text() == "mine"
    for wrong in (tmp_path, tmp_path / "gone" / "state", "/dev/full"):
        with pytest.raises(JscaleError, match=r"resume: .*(folder|device)"):
            run(Path(wrong), 1)
