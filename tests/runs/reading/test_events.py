"""Event files of TensorBoard, read without it."""

import base64
import contextlib
import gzip
import random

import pytest

from jscale import runs
from jscale._core.errors import JscaleError
from tests.runs.tables import failure, write

WRITTEN = gzip.decompress(
    base64.b64decode(
        "H4sIAAAAAAACA/NggIB/kzzmckavcLB1P3zLUYo3qSgxM0/PtSw1r8TKKEiPS6ckNa84vygpP7EoRa+4NDc3sahSr7wo"
        "syS1SC8VpCo+LTMnNR4ismdKluYkqLnq7msCOEGM1LNnHbXaGLmaGblk4jMKEosSc4vj9YtTi4sz8/Pii0sSi0riM/PS"
        "8r2SuRK52KEKhMKkQrhEuDjzC0oyczOrUouE2KVYE1MSc8u5uLhYkjITi4WYFBi4RLk48uKhOjgFQbaVbZjgyCXJxZOU"
        "WJKcEV+Snw10PlSKgUHBUf7ozgB5qAsDvV0k4C4USNES4hLg4kwtS8zRz8kvLhaNKhV1dLmWnKcMVb5hfrkzsnIxoPvY"
        "IBY4cXEwCjFosTAwePjwv312SBuqpU36sDeyFjkuGS6uElAIg61w4uNgEmIw4rC23rbwfY+Kw9u3t2wVoFo1364EBV8D"
        "ROsJRnTXGcSIOPI0KJ1Qgap30m7wRVGP1XknfPweZB/Rger5su6MK4oeHO4z99q30i1NxUHe7Ng1NPcxMIL1TmBGd9+p"
        "OGFHnw0z0N2HUI89+HzVnx3/guY+hB4c7rO3+MGc76ziIOpfOgk9/CB6F7Chuy+rSsgxXSh8Onr4wdVjDz9fvvshOejh"
        "B9eDw32f06/ocqioOFzSdf4AACAOX/J3AwAA"
    )
)
"""What TensorBoard 2.21 writes: hyperparameters, then at steps 100, 200, 400 and 800 a simple value
``eval/loss``, a tensor of 32 bits ``tokens`` and one of 64 bits ``train/loss``."""
NAME = "events.out.tfevents.1796021493.host.1.0"
STEPS = [100, 200, 400, 800]


def test_scalars_and_hyperparameters_are_columns(tmp_path):
    table = runs.read(write(tmp_path, NAME, WRITTEN))
    assert table["step"].tolist() == STEPS
    assert table["D"].tolist() == [524288.0 * step for step in STEPS]
    assert table["N"].tolist() == [7e7] * 4
    # As TensorBoard's own EventAccumulator reads them, without digits that 32 bits do not hold.
    assert table["loss"].tolist() == [9.34115, 9.272507, 9.210642, 9.154886]
    assert table["train/loss"][0] == pytest.approx(1.1 * 9.34115, rel=1e-6)
    assert set(table["optimizer"]) == {"adamw"}


def test_a_folder_holds_a_run_in_each_folder_with_event_files(tmp_path):
    for run in ("small", "large"):
        (tmp_path / run).mkdir()
        write(tmp_path / run, NAME, WRITTEN)
    table = runs.read(tmp_path)
    assert sorted(set(table["run_id"])) == ["large", "small"]
    assert len(table) == 8
    assert table.where("run_id == 'small'")["step"].tolist() == STEPS


def test_a_file_that_still_grows_is_read_up_to_its_last_record(tmp_path):
    table = runs.read(write(tmp_path, NAME, WRITTEN[:700]))
    assert table["step"].tolist() == STEPS[:3]
    assert "event-file-cut" in {note.code for note in table.notes}


def test_damaged_files_are_refused(tmp_path):
    generator = random.Random(0)
    whole = runs.read(write(tmp_path, NAME, WRITTEN)).digest
    for _ in range(200):
        damaged = bytearray(WRITTEN)
        damaged[generator.randrange(len(damaged))] ^= generator.randrange(1, 256)
        path = write(tmp_path, NAME, bytes(damaged))
        with contextlib.suppress(JscaleError):
            assert runs.read(path).digest == whole
    for content in (b"", b"no records at all"):
        assert "event file" in failure(write(tmp_path, NAME, content))
    (tmp_path / "empty").mkdir()
    assert "this is a folder" in failure(tmp_path / "empty")


def test_folders_of_training_and_validation_are_one_run(tmp_path):
    for folder in ("train", "validation"):
        (tmp_path / folder).mkdir()
        write(tmp_path / folder, NAME, WRITTEN)
    columns = {"loss": "validation/eval/loss", "D": "step * 512K", "N": "70M"}
    table = runs.read(tmp_path, columns=columns)
    assert table["step"].tolist() == STEPS
    assert table["loss"].tolist() == table["train/eval/loss"].tolist()
    assert "run_id" not in table
