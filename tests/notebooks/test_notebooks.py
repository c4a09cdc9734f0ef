"""The notebooks' form, and the checks of the exercises; ``make notebooks`` runs them whole."""

import ast
import json
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import jax
import matplotlib as mpl
import pytest

FOLDER = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(path.name for path in FOLDER.glob("*.ipynb"))
NUMBERED = [name for name in NOTEBOOKS if name[0].isdigit()]
GLOBAL_SETTING = "jax.config.update("

WRONG = {2: "(1e9, 6e21)", 3: "1e9", 6: "40.0", 9: "(1e10, 0.5)"}
RIGHT = {2: "(6.57e9, 3.94e22)", 3: "6.32e12", 6: "4.34", 9: "(1.78e11, 0.645)"}
"""Answers to the exercises that compile next to nothing."""


def cells(name: str) -> list[dict[str, Any]]:
    """The cells of a notebook, each with its source as one text."""
    notebook = json.loads((FOLDER / name).read_text(encoding="utf-8"))
    return [cell | {"source": "".join(cell["source"])} for cell in notebook["cells"]]


def sections(name: str) -> dict[int, list[dict[str, Any]]]:
    """Number of a heading → the cells from its own to the next."""
    every = cells(name)
    starts = {
        int(match[1]): place
        for place, cell in enumerate(every)
        if cell["cell_type"] == "markdown"
        for match in re.finditer(r"^## (\d+)\.", cell["source"], re.MULTILINE)
    }
    ends = pairwise([*starts.values(), len(every)])
    return {number: every[start:end] for number, (start, end) in zip(starts, ends, strict=True)}


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_form(name):
    for cell in cells(name):
        if cell["cell_type"] == "code":
            assert cell["outputs"] == []
            assert cell["execution_count"] is None
            ast.parse(cell["source"])


OFFLINE = [name for name in NUMBERED if name != "03_precision.ipynb"]
"""Those whose runs are simulated; 03 takes the table of the package and, where it can, QuEST's."""


@pytest.mark.parametrize("name", OFFLINE)
def test_nothing_is_downloaded(name):
    code = "\n".join(cell["source"] for cell in cells(name) if cell["cell_type"] == "code")
    for call in ("runs.dataset(", "assess.reproduce(", "urllib", "requests", "http"):
        assert call not in code


def test_the_precision_notebook_does_without_the_public_table():
    loads = [
        cell["source"] for cell in cells("03_precision.ipynb") if "runs.dataset(" in cell["source"]
    ]
    assert [("precision-runs" in source, "except JscaleError" in source) for source in loads] == [
        (True, False),
        (False, True),
    ]


@pytest.mark.parametrize("name", [name for name in NUMBERED if name > "03"])
def test_numbered_sections_all_compute(name):
    chapters = sections(name)
    assert list(chapters) == list(range(1, len(chapters) + 1))
    for number, chapter in chapters.items():
        assert any(cell["cell_type"] == "code" for cell in chapter), number


def test_theory_computes_in_every_section():
    chapters = sections("01_theory.ipynb")
    assert list(chapters) == list(range(1, 12))
    for number, chapter in chapters.items():
        assert any(cell["cell_type"] == "code" for cell in chapter), number


def test_exercises_have_their_parts():
    exercises = sections("02_exercises.ipynb")
    assert list(exercises) == list(range(1, 11))
    for exercise in exercises.values():
        answer, solution, check = exercise[1:4]
        assert re.search(r"^\w+_answer = \.\.\.", answer["source"], re.MULTILINE)
        assert re.search(r"^\w+_solution = ", solution["source"], re.MULTILINE)
        assert re.search(r"^assert ", check["source"], re.MULTILINE)
        for cell, tag in ((solution, "solution"), (check, "check")):
            assert cell["metadata"] == {"jupyter": {"source_hidden": True}, "tags": [tag]}


def run_exercise(number: int, answer: str) -> None:
    """Run an exercise with an answer in place of its dots."""
    setup = cells("02_exercises.ipynb")[1]["source"]
    lines = [line for line in setup.splitlines() if not line.startswith(GLOBAL_SETTING)]
    scope: dict[str, Any] = {}
    parts = sections("02_exercises.ipynb")[number][1:4]
    parts[0]["source"] = re.sub(r"(_answer = )\.\.\.", rf"\g<1>{answer}", parts[0]["source"])
    with jax.enable_x64(True), mpl.rc_context():
        for source in ("\n".join(lines), *(part["source"] for part in parts)):
            exec(compile(source, f"exercise {number}", "exec"), scope)


@pytest.mark.parametrize("number", WRONG)
def test_checks(number, capsys):
    run_exercise(number, "...")
    assert "no answer yet; the solution is right" in capsys.readouterr().out

    run_exercise(number, RIGHT[number])
    assert "your answer is right" in capsys.readouterr().out

    with pytest.raises(AssertionError, match="your answer"):
        run_exercise(number, WRONG[number])
