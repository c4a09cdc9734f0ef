"""The README's Python runs as it stands, and its commands exist."""

import re
from pathlib import Path

import jax
import numpy as np
import pytest

from jscale import laws, runs

README = Path(__file__).parent.parent / "README.md"


def blocks(language: str) -> list[str]:
    """The fenced blocks of one language."""
    return re.findall(
        rf"^```{language}\n(.*?)^```", README.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )


def test_python_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    N, ratio = (
        m.ravel() for m in np.meshgrid(np.geomspace(1e8, 1e10, 7), [5.0, 20.0, 80.0, 320.0])
    )
    design = {"N": N, "D": ratio * N}
    table = runs.simulate(
        laws.chinchilla, laws.params(laws.chinchilla), design, noise=0.01, key=jax.random.key(0)
    )
    table.to_pandas().to_csv("runs.csv", index=False)
    scope: dict = {}
    code = blocks("python")
    assert len(code) == 3
    for block in code:
        exec(compile(block, "README.md", "exec"), scope)
    # The numbers that the comments promise.
    out = capsys.readouterr().out
    bits, tokens = (float(line) for line in out.splitlines()[-2:])
    assert bits == pytest.approx(7.00211, rel=1e-3)
    assert tokens == pytest.approx(6.00872e11, rel=1e-3)
    assert scope["elasticity"] == pytest.approx(0.456, abs=2e-3)


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
