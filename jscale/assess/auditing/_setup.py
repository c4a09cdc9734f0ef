"""``setup.toml``: what only those who trained the runs know."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jscale._core.errors import JscaleError
from jscale._core.files import read_settings
from jscale._core.text import did_you_mean, inline, quote

FILE = "setup.toml"
"""Name of the file, beside the table."""
QUESTIONS = {
    "architecture": "Which architecture, and how do depth and width grow with size?",
    "tokenizer": "Which tokenizer, with how many tokens?",
    "mixture": "Which data in which mixture, and is any of it repeated?",
    "filtering": "How were the data filtered and deduplicated, also against the evaluation set?",
    "optimizer": "Which optimiser, with which weight decay and other settings?",
    "learning_rate": "How was the learning rate chosen at each size, and was it tuned?",
    "schedule": "Which schedule, with which warm-up, and does it end with the run?",
    "batch": "Which batch size and context length, and do they change with size?",
    "precision": "In which precision were the models trained and evaluated?",
    "parameters": "Which parameters does N count: total, active, without embeddings?",
    "compute": "By which formula was C computed, with or without embeddings and attention?",
    "evaluation": "On which held-out set, with which context, was the loss measured?",
    "checkpoints": "Are losses those of finished runs or of checkpoints, smoothed or not?",
    "hardware": "On which hardware, with which software?",
    "release": "Are code, data and models available, and where?",
}
"""Key of the file → the question that it answers."""


def read_setup(setup: Mapping[str, Any] | str | Path | None, source: str) -> dict[str, str]:
    """The answers of a setup: key → text.

    Args:
        setup: answers by key, or the path of a file of TOML; None for ``setup.toml`` beside the
            table, if it is there.
        source: where the table came from.

    Raises:
        JscaleError: the file cannot be read, or a key is unknown.
    """
    if setup is None:
        file = Path(source).parent / FILE
        if not (Path(source).is_file() and file.is_file()):
            return {}
        setup = file
    where = "setup"
    if not isinstance(setup, Mapping):
        where = inline(str(setup))
        try:
            setup = tomllib.loads(read_settings(str(setup)))
        except (JscaleError, tomllib.TOMLDecodeError) as error:
            raise JscaleError(f"{where}: {error}") from None
        nested = setup.get("setup", setup)
        setup = nested if isinstance(nested, Mapping) else setup
    for key in setup:
        if key not in QUESTIONS:
            hint = did_you_mean(str(key), QUESTIONS, f" (known: {', '.join(QUESTIONS)})")
            raise JscaleError(f"{where}: unknown key {quote(key)}{hint}")
    return {key: str(value) for key, value in setup.items() if str(value).strip()}


def template() -> str:
    """A file of TOML with every question and an empty answer."""
    return "\n".join(f'# {question}\n{key} = ""\n' for key, question in QUESTIONS.items())
