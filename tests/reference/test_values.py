"""The library reproduces every value of the reference table: laws, optima, critical points."""

import json
from pathlib import Path

import numpy as np
import pytest

from jscale._core.scope import float64
from tests.reference.answers import ANSWERS, answer

TABLE = json.loads(Path(__file__).with_name("values.json").read_text(encoding="utf-8"))["values"]


@pytest.mark.parametrize("entry", TABLE, ids=lambda e: e["id"])
def test_value(entry):
    with float64():
        values = answer(entry)
    assert set(values) == set(entry["expected"])
    for key, expected in entry["expected"].items():
        if (key == "factorised_bias" and isinstance(expected, str)) or (
            key == "a_bias" and expected < 0
        ):
            # Below its domain the law's fraction is 0, where the bare formula is negative.
            assert values[key] == 0
            continue
        # This entry comes from a minimiser that stopped 1.5e-9 from the closed form.
        rtol = 1e-8 if key == "P_numeric_scipy" else entry["rtol"]
        np.testing.assert_allclose(values[key], np.array(expected, float), rtol=rtol, err_msg=key)


def test_every_answer_has_an_entry():
    used = {next(start for start in ANSWERS if entry["id"].startswith(start)) for entry in TABLE}
    assert used == set(ANSWERS)
    assert len({entry["id"] for entry in TABLE}) == len(TABLE)
