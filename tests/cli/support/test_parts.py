"""The shared parts: numbers from text, strict JSON, atomic writes."""

import json
import math
from typing import get_args

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jscale._core.errors import JscaleError
from jscale.cli.support import output, parsing


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("7e10", 7e10),
        (" 70B ", 7e10),
        ("1.4T", 1.4e12),
        (".5", 0.5),
        ("-3", -3.0),
        ("2.", 2.0),
        ("1E+3", 1e3),
        ("5k", 5e3),
    ],
)
def test_numbers(text: str, value: float):
    assert parsing.number(text, "x") == value


@pytest.mark.parametrize(
    "text", ["", " ", "7e", "1_000", "1,5", "0x10", "nan", "inf", "1e999", "7BB", "１", "--1"]
)
def test_no_numbers(text: str):
    with pytest.raises(JscaleError, match="x: expected a number"):
        parsing.number(text, "x")


@given(st.text(max_size=60))
def test_any_text_is_a_number_or_an_error(text: str):
    try:
        value = parsing.number(text, "x")
    except JscaleError as error:
        message = str(error)
    else:
        message = "" if math.isfinite(value) else "not finite"
    assert message == "" or message.startswith("x: expected a number")


@given(
    st.dictionaries(st.from_regex(r"[A-Za-z_]\w{0,9}", fullmatch=True), st.floats(allow_nan=False))
)
def test_pairs_read_back(values: dict[str, float]):
    typed = [f"{name}={value!r}" for name, value in values.items()]
    if any(value == -math.inf for value in values.values()):
        with pytest.raises(JscaleError):
            parsing.values(typed, "--at", "N=1")
        return
    assert parsing.values(typed, "--at", "N=1") == values
    assert parsing.values([",".join(typed)] if typed else None, "--at", "N=1") == values


def test_json_is_strict():
    payload = {
        "array": np.array([1.0, math.nan, math.inf]),
        "jax": jnp.asarray(2.5),
        "flag": np.bool_(True),
        "count": np.int64(3),
        "tuple": (1, None, "é\ud800"),
        "nested": {1: -math.inf},
    }
    text = output.to_json(payload)
    assert text.isascii()
    assert json.loads(text) == {
        "array": [1.0, None, None],
        "jax": 2.5,
        "flag": True,
        "count": 3,
        "tuple": [1, None, "é\ud800"],
        "nested": {"1": None},
    }
    with pytest.raises(TypeError, match="no JSON for object"):
        output.to_json({"x": object()})


@given(st.floats())
def test_numbers_survive_json(value: float):
    assert json.loads(output.to_json({"x": value}))["x"] == (
        value if math.isfinite(value) else None
    )


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (1.8172237, 6, "1.81722"),
        (477.8, 6, "477.800"),
        (2000.0, 4, "2,000"),
        (1e-3, 8, "0.0010000000"),
        (math.nan, 3, "nan"),
    ],
)
def test_figures(value: float, digits: int, text: str):
    assert output.figures(value, digits) == text


def test_writing_is_all_or_nothing(tmp_path):
    path = tmp_path / "result.json"
    with output.writing(str(path)) as temporary:
        temporary.write_text("new")
        assert not path.exists()
    assert path.read_text() == "new"

    def fail() -> None:
        with output.writing(str(path)) as temporary:
            temporary.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_stays_a_link(tmp_path):
    real, link = tmp_path / "real.json", tmp_path / "link.json"
    real.write_text("old")
    link.symlink_to(real)
    with output.writing(str(link)) as temporary:
        temporary.write_text("new")
    assert link.is_symlink()
    assert real.read_text() == "new"


@pytest.mark.parametrize(
    ("stderr", "value", "text"),
    [
        (0.0123456, 1.8, "0.012"),
        (130.0, 482.0, "130"),
        (6001053079434.0, 1.20667e13, "6.0×10¹²"),
        (1.2e-14, 1.78537e-12, "1.2×10⁻¹⁴"),
        (1.2e-14, 1.8, "1.2×10⁻¹⁴"),
        (6e12, 482.0, "6.0×10¹²"),
        (0.0, 1e30, "0"),
        (math.inf, 1e30, "∞"),
    ],
)
def test_standard_errors_have_the_format_of_their_values(stderr: float, value: float, text: str):
    assert output.error(stderr, value) == text


def test_every_verb_names_the_same_objectives():
    from jscale.cli import sensitivity
    from jscale.cli.support import options

    texts = [get_args(option)[1].help for option in (options.OBJECTIVE, sensitivity.OBJECTIVES)]
    for name in (
        "huber ",
        "asymmetric-huber",
        "huber-likelihood",
        "student-likelihood",
        "log-squares",
        "raw-squares",
    ):
        assert all(name in text for text in texts)
