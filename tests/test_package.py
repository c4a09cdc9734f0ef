"""The package as a whole: what it is called, what importing it costs and changes, how its command
starts.
"""

import ast
import importlib.metadata
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import jscale

PACKAGE = Path(jscale.__file__).parent
VERBS = sorted(
    path.stem for path in (PACKAGE / "cli").glob("*.py") if not path.stem.startswith("_")
)
HEAVY = {"arviz", "jax", "matplotlib", "numpy", "numpyro", "pandas", "scipy"}

pytestmark = pytest.mark.smoke


def python(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The outcome of ``code`` in an interpreter of its own."""
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=120
    )


def imported_roots(path: Path) -> set[str]:
    """The top-level packages that the file names in its imports, wherever in the file they stand."""
    roots = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            roots |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            roots.add("jscale" if node.level else (node.module or "").partition(".")[0])
    return roots


def test_version_is_the_installed_one():
    assert importlib.metadata.version("jscale") == jscale.__version__


def test_command_is_declared():
    (script,) = importlib.metadata.entry_points(group="console_scripts", name="jscale")
    assert script.value == "jscale.cli:main"


def test_rooms_load_on_first_use():
    names = [name for name in jscale.__all__ if not name.startswith("_")]
    assert {"laws", "runs", "fit", "plan", "report", "cli"} <= set(names) <= set(dir(jscale))
    assert all(getattr(jscale, name).__name__ == f"jscale.{name}" for name in names)
    with pytest.raises(AttributeError, match="nonsense"):
        _ = jscale.nonsense


def test_import_changes_no_setting():
    code = """
import json, logging, os, sys, warnings
import jax

def settings():
    return {
        "jax": {name: repr(value) for name, value in jax.config.values.items()},
        "warnings": repr(warnings.filters),
        "environment": dict(os.environ),
        "logging": [logging.root.level, len(logging.root.handlers), logging.root.manager.disable],
    }

before = settings()
import jscale, jscale.laws, jscale.plan
after = settings()
print(json.dumps([name for name in before if before[name] != after[name]]))
"""
    done = python(code)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == []


@pytest.mark.parametrize(
    ("module", "allowed"),
    [
        ("jscale", set()),
        ("jscale.laws", {"jax", "numpy", "scipy"}),
        ("jscale.plan", {"jax", "numpy", "scipy"}),
    ],
)
def test_import_stays_light(module: str, allowed: set[str]):
    done = python(f"import {module}, sys, json; print(json.dumps(sorted(sys.modules)))")
    assert done.returncode == 0, done.stderr
    assert set(json.loads(done.stdout)) & (HEAVY - allowed) == set()


def test_core_knows_jax_and_numpy_only():
    folder = PACKAGE / "_core"
    # The progress bar is rich's, imported where it is drawn.
    files = sorted(set(folder.rglob("*.py")) - {folder / "jobs" / "_progress.py"})
    assert files
    known = {"jax", "numpy", "jscale"} | sys.stdlib_module_names
    assert {
        path.name: imported_roots(path) - known for path in files if imported_roots(path) - known
    } == {}


def test_imports_and_dependencies_agree():
    """What another package happens to bring along is not ours to import, and what nothing needs is
    not asked for.
    """
    lines = [
        line
        for line in importlib.metadata.requires("jscale") or []
        if not re.search(r"extra == .(dev|cuda12)", line)
    ]
    declared = {re.split(r"[^\w.-]", line)[0].lower().replace("-", "_") for line in lines}
    files = {
        str(path.relative_to(PACKAGE)): imported_roots(path)
        for path in sorted(PACKAGE.rglob("*.py"))
    }
    known = declared | {"jscale"} | sys.stdlib_module_names
    assert {path: roots - known for path, roots in files.items() if roots - known} == {}
    indirect = {
        "jaxlib",
        "h5netcdf",
        "h5py",
        "pyarrow",
    }  # JAX's other half, and what netCDF and Parquet are read with
    assert declared - indirect - set().union(*files.values()) == set()


def test_every_verb_is_offered():
    assert {"laws", "data", "fit", "sample", "plan", "report"} <= set(VERBS)
    done = python("import jscale.cli; jscale.cli.main()", "--help")
    assert done.returncode == 0, done.stderr
    assert [verb for verb in VERBS if verb not in done.stdout] == []


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], *([verb, "--help"] for verb in VERBS)], ids=" ".join
)
def test_help_loads_nothing_heavy(arguments: list[str]):
    code = """
import atexit, json, sys
atexit.register(lambda: print(json.dumps(sorted(sys.modules)), file=sys.stderr))
import jscale.cli
sys.exit(jscale.cli.main())
"""
    done = python(code, *arguments)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
    assert set(json.loads(done.stderr.splitlines()[-1])) & HEAVY == set()
