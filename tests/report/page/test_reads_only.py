"""Page and figures read the analysis: they evaluate no law, plan nothing, and take no quantiles."""

import ast
from pathlib import Path

import pytest

from jscale import report

FOLDER = Path(report.__file__).parent
COMPUTING = {"quantile", "median", "percentile", "std", "var", "corrcoef", "cov"}


def called(tree: ast.AST) -> set[str]:
    """The names of everything that a module calls as an attribute."""
    calls = (node.func for node in ast.walk(tree) if isinstance(node, ast.Call))
    return {function.attr for function in calls if isinstance(function, ast.Attribute)}


@pytest.mark.parametrize("folder", ["page", "figures"])
def test_only_the_analysis_evaluates_laws_and_plans(folder: str):
    for path in (FOLDER / folder).glob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        of_types = {
            inner
            for node in ast.walk(tree)
            if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
            for inner in ast.walk(node)
        }
        used = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
        imports = [node.module or "" for node in used if node not in of_types]
        assert not [name for name in imports if name.startswith("jscale.plan")], path
        assert "law" not in called(tree), path


@pytest.mark.parametrize("folder", ["page", "figures"])
def test_only_the_analysis_computes_statistics(folder: str):
    for path in (FOLDER / folder).glob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        assert called(tree) & COMPUTING == set(), path
