"""The Python of the README and of the tour runs as printed, and the commands exist."""

import ast
import re
from pathlib import Path

import pytest

from tests.cli.tables import chinchilla_rows, write_table

ROOT = Path(__file__).parent.parent
TOUR, VERBS = ROOT / "docs/python.md", ROOT / "docs/command-line.md"


def blocks(page: Path, language: str) -> list[str]:
    """The fenced blocks of one language."""
    text = page.read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def test_python_runs(tmp_path, monkeypatch, capsys, optimised):
    """As printed; most of the time goes to running programs, not to compiling them."""
    monkeypatch.chdir(tmp_path)
    # A table of the shape that the command line's tests fit: they have compiled the same programs.
    write_table(tmp_path / "runs.csv", chinchilla_rows((3, 10, 30, 100, 300)))

    # The ten lines, from which the tour goes on.
    (ten,) = blocks(ROOT / "README.md", "python")
    assert len([line for line in ten.splitlines() if line and "import" not in line]) <= 10
    scope: dict = {}
    exec(compile(ten, "README.md", "exec"), scope)
    assert scope["test"].summary.count > 0
    assert scope["new"].decades["C"][0] > 1
    assert scope["best"].values.N_opt[1] == pytest.approx(1e11, rel=0.5)
    assert capsys.readouterr().out.startswith("<Point chinchilla")

    code = blocks(TOUR, "python")
    assert len(code) == 3
    for block in code:
        exec(compile(block, TOUR.name, "exec"), scope)

    # The numbers in the comments.
    lines = capsys.readouterr().out.splitlines()
    bits, tokens = (float(line) for line in lines[-2:])
    assert bits == pytest.approx(7.00211, rel=1e-3)
    assert tokens == pytest.approx(6.00872e11, rel=1e-3)
    assert scope["elasticity"] == pytest.approx(0.456, abs=2e-3)
    # The sandwich's standard errors, first in the output.
    assert list(ast.literal_eval(lines[0])) == ["E", "A", "B", "alpha", "beta"]


def test_readme_is_two_screens():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(text.splitlines()) < 90
    assert len(text) < 6000


def test_commands_exist():
    from jscale.cli._app import app

    verbs = {c.name or c.callback.__name__ for c in app.registered_commands if c.callback}
    named = {
        line.split()[1]
        for block in blocks(VERBS, "sh")
        for line in block.splitlines()
        if line.startswith("jscale ")
    }
    assert named == verbs
