"""The README's Python runs as printed, and its commands exist."""

import ast
import re
from pathlib import Path

import pytest

from tests.cli.tables import chinchilla_rows, write_table

README = Path(__file__).parent.parent / "README.md"


def blocks(language: str) -> list[str]:
    """The fenced blocks of one language."""
    return re.findall(
        rf"^```{language}\n(.*?)^```", README.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )


def test_python_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    # A table of the shape that the command line's tests fit: they have compiled the same programs.
    write_table(tmp_path / "runs.csv", chinchilla_rows((3, 10, 30, 100, 300)))

    scope: dict = {}
    code = blocks("python")
    assert len(code) == 3
    for block in code:
        exec(compile(block, "README.md", "exec"), scope)

    # The numbers in the comments.
    lines = capsys.readouterr().out.splitlines()
    bits, tokens = (float(line) for line in lines[-2:])
    assert bits == pytest.approx(7.00211, rel=1e-3)
    assert tokens == pytest.approx(6.00872e11, rel=1e-3)
    assert scope["elasticity"] == pytest.approx(0.456, abs=2e-3)
    # The sandwich's standard errors, first in the output.
    assert list(ast.literal_eval(lines[0])) == ["E", "A", "B", "alpha", "beta"]


def test_commands_exist():
    from jscale.cli._app import app

    verbs = {c.name or c.callback.__name__ for c in app.registered_commands if c.callback}
    named = {
        line.split()[1]
        for block in blocks("sh")
        for line in block.splitlines()
        if line.startswith("jscale ")
    }
    assert named == verbs
