"""The command line run in this process, and a table for it."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from jscale.cli._app import app
from tests.cli.tables import SHORT, chinchilla_rows, write_table

Command = Callable[..., Result]


@pytest.fixture(scope="session")
def jscale() -> Command:
    """``jscale("fit", "runs.csv")`` runs the verb as a shell would."""
    runner = CliRunner()
    return lambda *arguments: runner.invoke(app, [str(a) for a in arguments])


@pytest.fixture(scope="session")
def answer(jscale: Command) -> Callable[..., dict[str, Any]]:
    """The JSON object that a verb prints with ``--json``: alone on stdout, strict, with nothing on
    stderr.
    """

    def run(*arguments: object, code: int = 0) -> dict[str, Any]:
        result = jscale(*arguments, "--json")
        assert (result.exit_code, result.stderr) == (code, "")
        assert result.stdout.endswith("\n")
        assert result.stdout.count("\n") == 1

        def refuse(token: str) -> None:
            raise AssertionError(f"{token} is not JSON")

        found = json.loads(result.stdout, parse_constant=refuse)
        assert isinstance(found, dict)
        return found

    return run


@pytest.fixture(scope="session")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirty good runs with awkward names, and two excluded ones."""
    columns = chinchilla_rows((3, 10, 30, 100, 300), rows=32)
    columns = {name: values.tolist() for name, values in columns.items()}
    columns["run_id"] = [f"<script>alert({i})</script>" for i in range(32)]
    columns["exclude"] = [i in (4, 9) for i in range(32)]
    return write_table(tmp_path_factory.mktemp("tables") / "runs.csv", columns)


@pytest.fixture(scope="session")
def ray(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirty runs at D = 20 N, which cannot tell size from data."""
    return write_table(tmp_path_factory.mktemp("tables") / "ray.csv", chinchilla_rows((20,)))


@dataclass(frozen=True)
class Made:
    """What a verb printed, and the file that it wrote."""

    printed: dict[str, Any]
    file: Path


@pytest.fixture(scope="session")
def tied(
    answer: Callable[..., dict[str, Any]], table: Path, tmp_path_factory: pytest.TempPathFactory
) -> Made:
    """A fit with one exponent, from few starts, of the plain squares."""
    file = tmp_path_factory.mktemp("fits") / "fit.json"
    options = ("--tie", "beta=alpha", "--starts", 8, "--objective", "raw-squares")
    return Made(answer("fit", table, *options, "--out", file), file)


@pytest.fixture(scope="session")
def sampled(
    answer: Callable[..., dict[str, Any]], table: Path, tmp_path_factory: pytest.TempPathFactory
) -> Made:
    """A posterior of the table."""
    file = tmp_path_factory.mktemp("draws") / "posterior.nc"
    return Made(answer("sample", table, *SHORT, "--seed", 3, "--out", file), file)
