"""Numbers as text."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jscale.report.notation import numbers

pytestmark = pytest.mark.smoke


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (7e10, "70B"),
        (70e6, "70M"),
        (1.4e12, "1.4T"),
        (1.234e9, "1.23B"),
        (2048, "2.05k"),
        (512, "512"),
        (20, "20"),
        (0.0456, "0.0456"),
        (0, "0"),
        (-3e6, "−3M"),
        (2.5e16, "2.5×10¹⁶"),
        (1e-5, "10⁻⁵"),
        (999.6e9, "1T"),
        (999_999, "1M"),
        (math.inf, "∞"),
        (-math.inf, "−∞"),
        (math.nan, "–"),
    ],
)
def test_human(value: float, text: str):
    assert numbers.human(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1e21, "10²¹"),
        (5.76e23, "5.76×10²³"),
        (-1e3, "−10³"),
        (9.9999e18, "10¹⁹"),
        (0.0, "0"),
        (3e-7, "3×10⁻⁷"),
    ],
)
def test_power_of_ten(value: float, text: str):
    assert numbers.power_of_ten(value) == text


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (1234567.0, 3, "1,234,567"),
        (0.09996, 3, "0.1"),
        (2.0, 3, "2"),
        (0.34731, 4, "0.3473"),
        (-0.5, 2, "−0.5"),
    ],
)
def test_significant(value: float, digits: int, text: str):
    assert numbers.significant(value, digits) == text


@pytest.mark.parametrize(
    ("value", "text"), [(1.1e-12, "1.1×10⁻¹²"), (0.00123, "0.00123"), (5e7, "5×10⁷"), (0, "0")]
)
def test_number(value: float, text: str):
    assert numbers.number(value) == text


@pytest.mark.parametrize(
    ("width", "places"), [(0.0323, 3), (0.0097, 3), (0.065, 2), (1.2, 1), (40.0, 0), (0.0, 6)]
)
def test_decimals_follow_the_width(width: float, places: int):
    assert numbers.decimals(width) == places


def test_decimals_stay_within_bounds():
    assert numbers.decimals(100.0, least=2) == 2
    assert numbers.decimals(1e-9, most=4) == 4


def test_words():
    assert numbers.plural(1, "run") == "1 run"
    assert numbers.plural(1200, "run") == "1,200 runs"
    assert [numbers.listing(list("abc"[:n])) for n in range(4)] == [
        "none",
        "a",
        "a and b",
        "a, b and c",
    ]
    assert numbers.fixed(-0.12345, 3) == "−0.123"
    assert numbers.percent(0.00757) == "0.76%"


@given(st.floats(1e-2, 9.9e14))
def test_human_is_within_its_rounding(value: float):
    text = numbers.human(value)
    scale = {"k": 1e3, "M": 1e6, "B": 1e9, "T": 1e12}.get(text[-1], 1.0)
    assert float(text.rstrip("kMBT").replace(",", "")) * scale == pytest.approx(value, rel=5.1e-3)
