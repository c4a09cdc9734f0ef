"""Text that is filled to the width of the screen."""

import io

from rich.console import Console

from jscale.cli.screen import Prose

TEXT = """A paragraph whose lines
were broken elsewhere, at another width than this.

Example:

    >>> value = laws.precision(N=1e9, D=1e11, P_w=16, P_a=16, P_kv=16, **theta)
    2.974"""


def drawn(prose: Prose, width: int, *, soft_wrap: bool = False) -> list[str]:
    screen = io.StringIO()
    Console(file=screen, width=width).print(prose, soft_wrap=soft_wrap)
    return screen.getvalue().splitlines()


def test_paragraphs_are_filled_and_code_goes_on_as_python_reads_it():
    lines = drawn(Prose(TEXT), 60)
    assert lines[0] == "A paragraph whose lines were broken elsewhere, at another"
    assert lines[5:] == [
        "    >>> value = laws.precision(N=1e9, D=1e11, P_w=16,",
        "    ...     P_a=16, P_kv=16, **theta)",
        "    2.974",
    ]
    assert max(map(len, lines)) <= 60


def test_lines_after_the_first_hang_and_a_pipe_breaks_nothing():
    formula = Prose("  E + A * N**-alpha + B * D**-beta + C_T * exp(-P_post)", hang=4)
    assert drawn(formula, 40) == ["  E + A * N**-alpha + B * D**-beta + C_T", "    * exp(-P_post)"]
    assert drawn(formula, 40, soft_wrap=True) == [formula.text]
