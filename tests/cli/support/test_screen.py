"""Tables that fit the width of the screen."""

import pytest
from rich.console import Console

from jscale.cli.screen import Grid, pipe_width

HEADERS = ("law", "tokens", "loss", "interval", "what it is for")
ROWS = [
    ["chinchilla", "1,400,000,000", "2.7512", "2.7001 to 2.8023", "size and data of a dense model"],
    ["precision", "20,000,000,000", "2.6113", "2.5600 to 2.6626", "bits in training and after it"],
]


def lines(grid: Grid, width: int) -> list[str]:
    console = Console(width=width, no_color=True, force_terminal=False)
    with console.capture() as capture:
        console.print(grid)
    return [line.rstrip() for line in capture.get().splitlines()]


@pytest.mark.parametrize("width", [120, 80, 60, 40])
def test_every_line_fits_and_no_number_or_word_is_broken(width: int):
    text = lines(Grid(HEADERS, ROWS, right="lrrr"), width)
    assert max(map(len, text)) <= width
    words = set(" ".join(text).split())
    expected = {word for row in [HEADERS, *ROWS] for cell in row for word in cell.split()}
    assert expected <= words
    assert any("2.7001 to 2.8023" in line for line in text)


def test_a_wide_table_is_stacked_with_its_first_column_in_every_part():
    text = lines(Grid(HEADERS, ROWS, title="A title", right="lrrr"), 40)
    assert sum("chinchilla" in line for line in text) > 1
    assert sum("A title" in line for line in text) == 1
    assert sum("chinchilla" in line for line in lines(Grid(HEADERS, ROWS, right="lrrr"), 120)) == 1


def test_pipes_honour_columns(monkeypatch):
    for value, width in (("80", 80), ("", None), ("x", None), ("0", None), ("1", 40)):
        monkeypatch.setenv("COLUMNS", value)
        assert pipe_width() == width
