"""Every public function and class has a docstring with a short example, and the examples run."""

import doctest
import importlib
import inspect
import types

import jax
import pytest

ROOMS = (
    "jscale.laws",
    "jscale.laws.formats",
    "jscale.laws.roles",
    "jscale.laws.schedule",
    "jscale.runs",
    "jscale.fit",
    "jscale.plan",
    "jscale.plan.costs",
    "jscale.assess",
    "jscale.report",
    "jscale.report.plots",
    "jscale.report.tables",
)
"""Modules whose public names people use."""
FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS


def public_functions() -> dict[str, types.FunctionType]:
    """Every public function, by the first name that people call it by."""
    found: dict[str, types.FunctionType] = {}
    for room in ROOMS:
        parent, _, attribute = room.rpartition(".")
        module = getattr(importlib.import_module(parent), attribute)
        for name in getattr(module, "__all__", [n for n in vars(module) if n[0] != "_"]):
            thing = getattr(module, name)
            # A law is a function too; a name that is only imported belongs to its own room.
            ours = (getattr(thing, "__module__", None) or "").startswith("jscale")
            if inspect.isroutine(inspect.unwrap(thing)) and ours and thing not in found.values():
                found[f"{room}.{name}"] = thing
    return found


FUNCTIONS = public_functions()


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_example_of_a_public_function_runs(name: str, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    function = FUNCTIONS[name]
    assert function.__doc__, f"{name} has no docstring"
    examples = doctest.DocTestParser().get_doctest(
        inspect.cleandoc(function.__doc__), {}, name, None, None
    )
    assert examples.examples, f"{name} has no example"
    report: list[str] = []
    runner = doctest.DocTestRunner(optionflags=FLAGS)
    with jax.numpy_dtype_promotion("standard"):  # as users have it
        failures, _ = runner.run(examples, out=report.append)
    assert failures == 0, "".join(report)
