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
        imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
        planning = [node for node in imports if (node.module or "").startswith("jscale.plan")]
        # Classes of results, which a page may read.
        names = [alias.name for node in planning for alias in node.names]
        assert all(name[0].isupper() for name in names), (path, names)
        assert "law" not in called(tree), path


@pytest.mark.parametrize("folder", ["page", "figures"])
def test_only_the_analysis_computes_statistics(folder: str):
    for path in (FOLDER / folder).glob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        assert called(tree) & COMPUTING == set(), path
