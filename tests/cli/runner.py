"""The command line in this process."""

import functools
from collections.abc import Sequence

import pytest
import typer.main
from typer.testing import CliRunner, Result

from jscale.cli._app import app

_commands = functools.cache(typer.main.get_command)
"""Built once: Typer's runner builds all the verbs for every call, in 20 ms."""


def invoke(words: Sequence[object]) -> Result:
    """What ``jscale WORDS`` prints, and how it ends."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("typer.testing._get_command", _commands)
        return CliRunner().invoke(app, [str(word) for word in words])
