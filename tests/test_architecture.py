"""The layout: folders with faces, nobody reaches into another folder, no import circle."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import jscale

PACKAGE = Path(jscale.__file__).parent
MOST_MODULES = 12
"""Modules of one folder; ``cli`` has one a verb and may have more."""


def module_name(path: Path) -> str:
    """The dotted name of a file of the package."""
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)


def imports(path: Path, *, at_run_time: bool = False) -> Iterator[str]:
    """Modules and names of the package that a file imports, wherever in the file it does so."""
    pending: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    while pending:
        node = pending.pop()
        if at_run_time and is_type_checking(node):
            continue
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "jscale":
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (a.name for a in node.names if a.name.split(".")[0] == "jscale")
        pending.extend(ast.iter_child_nodes(node))


def private_folder(target: str) -> str | None:
    """The folder whose private module or name ``target`` is; None where all of it is public."""
    parts = target.split(".")
    private = [i for i, part in enumerate(parts) if part.startswith("_") and part != "_core"]
    return ".".join(parts[: private[0]]) if private else None


def test_nobody_imports_private_modules_of_another_folder():
    reached = []
    for name, path in FILES.items():
        package = name if path.stem == "__init__" else name.rpartition(".")[0]
        for target in imports(path):
            folder = private_folder(target)
            inside = folder is None or f"{package}.".startswith(f"{folder}.")
            # ``from jscale import _x`` within the package itself is inside, too.
            if not inside and name != folder:
                reached.append((name, target))
    assert reached == []


def test_folders_stay_small():
    for folder in {path.parent for path in FILES.values()}:
        modules = [path for path in folder.glob("*.py") if path.stem != "__init__"]
        assert len(modules) <= MOST_MODULES or folder == PACKAGE / "cli", folder


def test_every_folder_lists_what_its_neighbours_may_use():
    """A face has a docstring and ``__all__``; what it lists exists."""
    for name, path in FILES.items():
        if path.stem != "__init__" or name in ("jscale", "jscale._core"):
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        assert ast.get_docstring(tree), name
        module = __import__(name, fromlist=["__all__"])
        assert [each for each in module.__all__ if not hasattr(module, each)] == [], name


def test_no_module_shares_its_name_with_a_law():
    from jscale import laws

    names = {laws.describe(law).name for law in laws.catalogue} | set(laws.families)
    modules = {name.rpartition(".")[2] for name in FILES if name.startswith("jscale.laws.")}
    assert names & modules == set()


def test_no_import_circle():
    graph: dict[str, set[str]] = defaultdict(set)
    for name, path in FILES.items():
        for target in imports(path, at_run_time=True):
            module = target if target in FILES else target.rpartition(".")[0]
            # A face is the sum of its modules: within a folder only the modules count.
            if module in FILES and module != name and not f"{name}.".startswith(f"{module}."):
                graph[name].add(module)
    assert circles(graph) == []


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Strongly connected components of more than one module (Tarjan)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(node: str) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in graph.get(node, ()):
            if other not in index:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            component = stack[stack.index(node) :]
            del stack[stack.index(node) :]
            if len(component) > 1:
                found.append(sorted(component))

    for node in list(graph):
        if node not in index:
            visit(node)
    return found
