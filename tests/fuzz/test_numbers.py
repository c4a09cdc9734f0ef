"""Texts of any length and kind: every parser of user text is linear, and exact or refuses."""

import json
import math
import random
import time
from collections.abc import Callable
from decimal import Decimal
from functools import partial

import pytest

from jscale import assess, laws, runs
from jscale._core import expressions
from jscale._core.errors import JscaleError
from jscale._core.text import did_you_mean, number_with_suffix, plain_number
from jscale.cli.compare import law_from
from jscale.cli.support import inputs, output, parsing
from tests.fuzz.scale import cases

MILLION = 10**6
LONG = {
    "digits": "9" * MILLION,
    "digits and a letter": "9" * MILLION + "x",
    "exponents": "1e" * (MILLION // 2),
    "signs": "+-" * (MILLION // 2),
    "spaces": "1" + " " * MILLION + "x",
    "commas": "," * MILLION,
    "groups": "1" + ",000" * (MILLION // 4) + "x",
    "quotes": "\"'" * (MILLION // 2),
    "letters": "a" * MILLION,
    "points": "1." * (MILLION // 2),
    "brackets": "([" * (MILLION // 2),
    "closing": "])" * (MILLION // 2),
    "equals": "a=1" * (MILLION // 3),
    "separators": "N_-./ (in" * (MILLION // 9),
    "braces": '{"N":' * (MILLION // 5),
    "fraction": "0." + "1" * MILLION,
    "small": "1e-" + "9" * MILLION,
    "member": "bnsl(" + "9" * MILLION + ")",
    "at": "loss@" * (MILLION // 5),
    "lines": "\n" * MILLION,
    "words": "params (in millions) " * (MILLION // 21),
}
LIMIT_SECONDS = 1.0


def table(header: str, cell: str) -> dict[str, list]:
    return {"N": [1e8, 2e8], "loss": [3.0, 2.5], header: [cell, "1"]}


IN_MEMORY: dict[str, Callable[[str], object]] = {
    "plain_number": plain_number,
    "number_with_suffix": number_with_suffix,
    "near match": lambda text: did_you_mean(text, ["chinchilla", "kaplan"]),
    "formula": expressions.names,
    "renamed formula": lambda text: expressions.rename(text, {"a": "b"}),
    "law": laws.get,
    "changed law": law_from,
    "law with changes": lambda text: law_from(f"chinchilla[{text}]"),
    "data set": runs.dataset,
    "target": lambda text: assess.quantity(laws.chinchilla, text),
    "target at": lambda text: assess.quantity(laws.chinchilla, f"loss@{text}"),
    "source": lambda text: laws.params(laws.chinchilla, text),
    "option number": lambda text: parsing.number(text, "--x"),
    "option above zero": lambda text: parsing.above_zero(text, "--x", "1"),
    "option values": lambda text: parsing.values([text], "--x", "E=1"),
    "option pairs": lambda text: parsing.pairs([f"E={text}"], "--x", "E=1"),
    "objective": inputs.objective_of,
    "delta": lambda text: inputs.objective_of(f"huber:{text}"),
    "parameters": lambda text: inputs.params_of(laws.chinchilla, text),
    "table or data set": inputs.table_of,
    "output": output.target,
    "tie": lambda text: laws.tie(laws.chinchilla, beta=text),
    "count": lambda text: runs.read(table("D", text)),
    "loss": lambda text: runs.read({"N": [1e8], "loss": [text]}),
    "bits": lambda text: runs.read(table("w_bits", text)),
    "flag": lambda text: runs.read(table("exclude", text)),
    "label": lambda text: runs.read(table("group", text)),
    "other column": lambda text: runs.read(table("width", text)),
    "header": lambda text: runs.read(table(text, "1")),
    "scaled header": lambda text: runs.read(table(f"tokens {text} millions", "1")),
}
"""Every parser of text that a user types or a table holds."""


def within_the_limit(parse: Callable[[], object]) -> None:
    """Check that a parser returns or refuses, quickly and in a short line."""
    start = time.process_time()
    try:
        parse()
    except JscaleError as error:
        line = str(error)
    else:
        line = ""
    assert len(line) <= 1000
    assert line == "" or line.isprintable()
    assert time.process_time() - start < LIMIT_SECONDS


@pytest.mark.parametrize("parser", IN_MEMORY)
def test_a_million_characters(parser: str):
    start = time.process_time()
    for text in LONG.values():
        within_the_limit(lambda text=text: IN_MEMORY[parser](text))
    assert time.process_time() - start < 3 * LIMIT_SECONDS


FILES: dict[str, Callable[[str], str]] = {
    "cell.csv": lambda text: f'N,loss,x\n1e8,3,"{text}"\n',
    "raw.csv": lambda text: f"N,loss,x\n1e8,3,{text}\n",
    "header.csv": lambda text: f"N,loss,{text}\n1e8,3,1\n",
    "whole.csv": lambda text: text,
    "whole.tsv": lambda text: text,
    "cell.jsonl": lambda text: json.dumps({"N": text, "loss": 3}),
    "key.jsonl": lambda text: json.dumps({"N": 1e8, "loss": 3, text: 1}),
    "raw.jsonl": lambda text: f'{{"N": {text}, "loss": 3}}',
    "whole.jsonl": lambda text: text,
    "raw.json": lambda text: f'[{{"N": 1e8, "loss": {text}}}]',
    "whole.json": lambda text: text,
}


@pytest.mark.parametrize("name", FILES)
def test_a_million_characters_in_a_file(name: str, tmp_path):
    path = tmp_path / name
    start = time.process_time()
    for text in LONG.values():
        path.write_text(FILES[name](text))
        within_the_limit(lambda: runs.read(path))
    assert time.process_time() - start < 5 * LIMIT_SECONDS


@pytest.mark.parametrize("name", ["whole.json", "raw.json"])
def test_a_million_characters_of_parameters(name: str, tmp_path):
    path = tmp_path / name
    for text in LONG.values():
        path.write_text(FILES[name](text))
        within_the_limit(lambda: inputs.params_of(laws.chinchilla, str(path)))


PIECES = (
    *"0123456789" * 3,
    *"..,+-eE_ kKmMbBtT",
    "inf",
    "nan",
    "\u0661",
    "\u212a",
    "\u0131",
    "\xa0",
)
VALUES = ("7", "1.5", ".5", "2.", "1e3", "1E-5", "1e308", "5e-324", "1e309", "9" * 309, "0", "-3")


def written(source: random.Random) -> str:
    """A text that is a number, or almost one."""
    if source.random() < 0.5:
        return "".join(source.choices(PIECES, k=source.randint(0, 8)))
    text = source.choice(VALUES)
    at = source.randint(0, len(text))
    return text[:at] + source.choice((*PIECES, "")) + text[at:] + source.choice(("", "B", " T"))


def exact(text: str, count: bool) -> float | None:
    """The value by decimal arithmetic; None for what is not a number."""
    text = text.strip()
    scale = 0
    if count and text[-1:] in tuple("kKmMbBtT"):
        scale = {"k": 3, "m": 6, "b": 9, "t": 12}[text[-1].lower()]
        text = text[:-1].rstrip()
        if "e" in text.lower() or "n" in text.lower() or "," in text:
            return None
    if count and "," in text:
        head, *groups = text.partition(".")[0].split(",")
        tail = text.partition(".")[2]
        separate = all(len(g) == 3 for g in groups) and 1 <= len(head) <= 3
        if not separate or not (head + "".join(groups)).isdigit() or text[-1:] == ".":
            return None
        if tail and not tail.isdigit():
            return None
        text = text.replace(",", "")
    if not text.isascii() or "_" in text or "nan" in text.lower():
        return None
    try:
        return float(Decimal(text).scaleb(scale)) if "n" not in text.lower() else float(text)
    except (ArithmeticError, ValueError):
        return None


def test_numbers_in_cells():
    """A cell is read to the last bit, or refused with its row and column."""
    source = random.Random(0)
    read = 0
    for _ in range(cases(1500)):
        text = written(source)
        for column in ("N", "width"):
            columns = {"N": [1e8], "loss": [3.0], column: [text]}
            expected = exact(text, column == "N")
            try:
                values = runs.read(columns)
            except JscaleError as error:
                line = str(error)
            else:
                if expected is not None and column in values:
                    assert values[column].tolist() == [expected], text
                    read += 1
                continue
            assert "row 1" in line or "no column for" in line
            assert expected is None or not 0 < expected < math.inf, text
    assert read > cases(300)


NODES = ("x", "y", "1", "2.5", "1e300", "inf", "exp", "sum", "where")
ALLOWED = (
    "{} + {}",
    "{} - {}",
    "{} * {}",
    "{} / {}",
    "{}**{}",
    "-{}",
    "({})",
    "{} < {}",
    "exp({})",
)
REFUSED = (
    "{}.gi_frame",
    "[{}]",
    "lambda: {}",
    "{} if {} else {}",
    "{}[0]",
    "({} for i in {})",
    "'{}'",
)


def formula(source: random.Random, depth: int) -> tuple[str, bool]:
    """A random expression, and whether it has only allowed syntax."""
    if depth == 0:
        return source.choice(NODES[:5]), True
    allowed = source.random() < 0.93
    pattern = source.choice(ALLOWED if allowed else REFUSED)
    parts = [formula(source, depth - 1) for _ in range(pattern.count("{}"))]
    inside = [f"({text})" for text, _ in parts]
    return pattern.format(*inside), allowed and all(ok for _, ok in parts)


def test_formulas():
    """Only arithmetic is evaluated, whatever is around it."""
    source = random.Random(1)
    evaluated = 0
    for _ in range(cases(300)):
        text, allowed = formula(source, source.randint(0, 4))
        try:
            names = expressions.names(text)
        except JscaleError as error:
            line = str(error)
        else:
            assert allowed, text
            assert names <= {"x", "y"}
            evaluated += 1
            continue
        assert len(line) < 400
        assert not allowed or "finite number" in line, text
    assert evaluated > cases(100)


def test_damaged_formulas():
    """Random characters in a formula: a value, or one line."""
    source = random.Random(2)
    text = "E + A * N**-alpha + where(D < inf, B / D**beta, 0)"
    pieces = (
        *"()[]{}*+-/<>=.,:;'\"\\\n\t\0 @~!%&|^`$?#_",
        "lambda",
        "if",
        " in ",
        "\ud800",
        "é",
        "9" * 99,
    )
    renamed = {"E": "1.5", "D": "(A"}
    for _ in range(cases(1000)):
        damaged = list(text)
        for _ in range(source.randint(1, 4)):
            damaged[source.randrange(len(damaged))] = source.choice(pieces)
        within_the_limit(partial(expressions.names, "".join(damaged)))
        within_the_limit(partial(expressions.rename, "".join(damaged), renamed))
