"""The package as a whole: its version, the cost and effects of importing it, its command."""

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
    """Run ``code`` in a separate interpreter."""
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=120
    )


def imported_roots(path: Path) -> set[str]:
    """Top-level packages that a file imports, anywhere in it."""
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


def test_subpackages_load_on_first_use():
    names = [name for name in jscale.__all__ if name.islower() and not name.startswith("_")]
    names.remove("clear_caches")
    assert {"laws", "runs", "fit", "plan", "report", "cli"} <= set(names) <= set(dir(jscale))
    assert all(getattr(jscale, name).__name__ == f"jscale.{name}" for name in names)
    with pytest.raises(AttributeError, match="nonsense"):
        _ = jscale.nonsense


def test_the_exception_is_public_and_light():
    code = "import sys; from jscale import JscaleError; print(JscaleError.__mro__[1], *sys.modules)"
    done = python(code)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("<class 'ValueError'>")
    assert set(done.stdout.split()) & HEAVY == set()

    with pytest.raises(jscale.JscaleError, match="no_such_law"):
        jscale.laws.get("no_such_law")


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


def test_import_stays_light():
    code = """
import importlib, json, sys

loaded = {}
for name in ("jscale", "jscale.laws", "jscale.plan"):
    importlib.import_module(name)
    loaded[name] = sorted(sys.modules)
print(json.dumps(loaded))
"""
    done = python(code)
    assert done.returncode == 0, done.stderr
    loaded = {name: set(modules) & HEAVY for name, modules in json.loads(done.stdout).items()}
    assert loaded["jscale"] == set()
    assert loaded["jscale.laws"] <= {"jax", "numpy", "scipy"}
    assert loaded["jscale.plan"] <= {"jax", "numpy", "scipy"}


def test_core_imports_jax_and_numpy_only():
    folder = PACKAGE / "_core"
    # The progress bar is drawn with rich, which is imported there.
    files = sorted(set(folder.rglob("*.py")) - {folder / "jobs" / "_progress.py"})
    assert files
    known = {"jax", "numpy", "jscale"} | sys.stdlib_module_names
    assert {
        path.name: imported_roots(path) - known for path in files if imported_roots(path) - known
    } == {}


def test_imports_and_dependencies_agree():
    """Every import is a declared dependency, and every declared dependency is imported."""
    lines = [
        line
        for line in importlib.metadata.requires("jscale") or []
        if not re.search(r"extra == .(dev|docs|cuda12)", line)
    ]
    declared = {re.split(r"[^\w.-]", line)[0].lower().replace("-", "_") for line in lines}
    files = {
        str(path.relative_to(PACKAGE)): imported_roots(path)
        for path in sorted(PACKAGE.rglob("*.py"))
    }
    known = declared | {"jscale"} | sys.stdlib_module_names
    assert {path: roots - known for path, roots in files.items() if roots - known} == {}
    # JAX's other half, and the packages with which ArviZ and pandas read netCDF, Parquet and Excel.
    indirect = {"jaxlib", "h5netcdf", "h5py", "openpyxl", "pyarrow"}
    assert declared - indirect - set().union(*files.values()) == set()


def test_help_names_every_verb_and_loads_nothing_heavy():
    assert {"laws", "data", "fit", "sample", "plan", "report"} <= set(VERBS)
    # One process for all: a package stays loaded once one of them has imported it.
    code = """
import contextlib, io, json, sys
import jscale.cli

outcomes = {}
for words in json.loads(sys.argv[1]):
    sys.argv[1:] = words
    text = io.StringIO()
    with contextlib.redirect_stdout(text):
        try:
            jscale.cli.main()
        except SystemExit as end:
            outcomes[" ".join(words)] = (end.code, text.getvalue(), sorted(sys.modules))
print(json.dumps(outcomes))
"""
    commands = [["--help"], ["--version"], *([verb, "--help"] for verb in VERBS)]
    done = python(code, json.dumps(commands))
    assert (done.returncode, done.stderr) == (0, "")

    outcomes = json.loads(done.stdout)
    assert len(outcomes) == len(commands)
    for words, (exit_code, text, modules) in outcomes.items():
        assert exit_code == 0, words
        assert text.strip(), words
        assert set(modules) & HEAVY == set(), words
    assert [verb for verb in VERBS if verb not in outcomes["--help"][1]] == []


def test_public_names_of_the_first_version_stay():
    """Names may be added to a room, and what people import stays."""
    expected = json.loads(Path(__file__).with_name("public_names.json").read_text("utf-8"))
    for room, names in expected.items():
        module = importlib.import_module(room)
        listed = getattr(module, "__all__", dir(module))
        assert sorted(set(names) - set(listed)) == [], room
