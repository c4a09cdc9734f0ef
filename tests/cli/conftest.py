"""The command line run in this process, a table for it, and one fit and posterior of the table."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from tests.cli.runner import invoke
from tests.cli.tables import SHORT, chinchilla_rows, write_table

Command = Callable[..., Result]


@pytest.fixture(autouse=True)
def without_lines_of_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a slow machine, a job of a test would write some."""
    monkeypatch.setattr("jscale._core.jobs._progress.LINE_SECONDS", float("inf"))


@pytest.fixture(scope="session")
def jscale() -> Command:
    """``jscale("fit", "runs.csv")`` runs the verb as a shell would."""
    return lambda *arguments: invoke(arguments)


@pytest.fixture(scope="session")
def answer(jscale: Command) -> Callable[..., dict[str, Any]]:
    """The JSON object that a verb prints with ``--json``: strict, alone on stdout, no stderr."""

    def run(*arguments: object, code: int = 0) -> dict[str, Any]:
        result = jscale(*arguments, "--json")
        assert (result.exit_code, result.stderr) == (code, "")
        assert result.stdout.endswith("\n")
        assert result.stdout.count("\n") == 1

        def reject(token: str) -> None:
            raise AssertionError(f"{token} is not JSON")

        payload = json.loads(result.stdout, parse_constant=reject)
        assert isinstance(payload, dict)
        return payload

    return run


@pytest.fixture(scope="session")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirty valid runs with awkward names, in groups of three, and two excluded ones."""
    columns = chinchilla_rows((3, 10, 30, 100, 300), rows=32)
    columns = {name: values.tolist() for name, values in columns.items()}
    columns["run_id"] = [f"<script>alert({i})</script>" for i in range(32)]
    columns["corpus"] = [f"corpus {i // 3}" for i in range(32)]
    columns["exclude"] = [i in (4, 9) for i in range(32)]
    return write_table(tmp_path_factory.mktemp("tables") / "runs.csv", columns)


@pytest.fixture(scope="session")
def ray(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirty runs at D = 20 N: they do not identify size and data separately."""
    return write_table(tmp_path_factory.mktemp("tables") / "ray.csv", chinchilla_rows((20,)))


@dataclass(frozen=True)
class Outcome:
    """What a verb printed, and the file that it wrote."""

    printed: dict[str, Any]
    file: Path


@pytest.fixture(scope="session")
def fitted(
    answer: Callable[..., dict[str, Any]], table: Path, tmp_path_factory: pytest.TempPathFactory
) -> Outcome:
    """The fit of the table with every setting at its default."""
    file = tmp_path_factory.mktemp("fits") / "default.json"
    return Outcome(answer("fit", table, "--out", file), file)


@pytest.fixture(scope="session")
def tied(
    answer: Callable[..., dict[str, Any]], table: Path, tmp_path_factory: pytest.TempPathFactory
) -> Outcome:
    """A least-squares fit with one exponent from eight starts."""
    file = tmp_path_factory.mktemp("fits") / "tied.json"
    options = ("--tie", "beta=alpha", "--starts", 8, "--objective", "raw-squares")
    return Outcome(answer("fit", table, *options, "--out", file), file)


@pytest.fixture(scope="session")
def sampled(
    answer: Callable[..., dict[str, Any]], table: Path, tmp_path_factory: pytest.TempPathFactory
) -> Outcome:
    """A posterior of the table."""
    file = tmp_path_factory.mktemp("draws") / "posterior.nc"
    return Outcome(answer("sample", table, *SHORT, "--seed", 3, "--out", file), file)
