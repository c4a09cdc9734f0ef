"""Columns of new runs, checked."""

import numpy as np
import pytest

from jscale._core.errors import JscaleError
from jscale.fit.predictions import checked_columns

NEEDED = {"group": False, "C": True, "trunk": False}


def test_what_the_error_model_uses():
    given = {"group": "a", "C": [1e20, 1e21], "other": [1, 2, 3], "trunk": ["t", ""]}
    used = checked_columns(given, NEEDED, 2)
    assert used is not None
    assert {name: values.tolist() for name, values in used.items()} == {
        "group": ["a", "a"],
        "C": [1e20, 1e21],
        "trunk": ["t", ""],
    }
    assert checked_columns(None, NEEDED, 2) is None
    assert checked_columns({}, NEEDED, 2) == {}


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (["a"], "columns: expected a dict of columns such as"),
        ({"grop": ["a", "b"]}, "not 'grop'; did you mean 'group'"),
        ({"group": ["a", "b", "c"]}, r"group: got an array of shape \(3,\) for 2 points"),
        ({"group": [["a", "b"]]}, r"group: got an array of shape \(1, 2\) for 2 points"),
        (
            {"group": [1.0, np.nan]},
            "group: nan at point 2; expected labels or numbers, or an empty text for a",
        ),
        ({"C": ["a", "b"]}, "C: expected numbers above 0, not"),
        ({"C": [1.0, 0.0]}, "C: 0 at point 2; expected numbers above 0"),
        ({"C": np.nan}, "C: nan at point 1; expected numbers above 0"),
    ],
)
def test_columns_that_cannot_be_used(columns, message: str):
    with pytest.raises(JscaleError, match=message):
        checked_columns(columns, NEEDED, 2)
