"""Formulas of laws as LaTeX."""

from typing import TYPE_CHECKING

from jscale.report.notation._formula import equations, render
from jscale.report.notation._names import GREEK, split_name

if TYPE_CHECKING:
    from jscale.laws import Record

_SIGNS = {"−": "-", "×": r"\times", "≤": r"\le", "≥": r"\ge", "≠": r"\ne"}
_STAR = "^{*}"
_FUNCTIONS = {"log", "min", "max"}
"""Functions that LaTeX has a command for."""


def latex_lines(record: "Record") -> list[str]:
    """A line for the law and one for each abbreviation in it."""
    write = Latex()
    return [f"{write.name(name)} = {render(formula, write)}" for name, formula in equations(record)]


class Latex:
    """LaTeX as the notation of a formula; see :class:`~._formula.Notation`."""

    shows_limits = True

    def name(self, name: str) -> str:
        if name == "inf":
            return r"\infty"
        stem, indices = split_name(name)
        star = _STAR if indices[-1:] == ["star"] else ""
        index = ",".join(_letter(part) for part in indices if part != "star")
        return _letter(stem) + (f"_{{{index}}}" if index else "") + star

    def number(self, digits: str) -> str:
        return digits

    def text(self, text: str) -> str:
        return rf"\text{{{text}}}"

    def operator(self, sign: str) -> str:
        return _SIGNS.get(sign, sign)

    def space(self) -> str:
        return ""

    def row(self, *parts: str) -> str:
        return " ".join(part for part in parts if part)

    def brackets(self, inside: str) -> str:
        return rf"\left({inside}\right)"

    def power(self, base: str, exponent: str) -> str:
        # A name with a star has a superscript already.
        base = f"{{{base}}}" if base.endswith(_STAR) else base
        return f"{base}^{{{exponent}}}"

    def fraction(self, above: str, below: str) -> str:
        return rf"\frac{{{above}}}{{{below}}}"

    def root(self, inside: str) -> str:
        return rf"\sqrt{{{inside}}}"

    def function(self, name: str, arguments: list[str]) -> str:
        stem, _, index = name.partition("_")
        if stem in _FUNCTIONS:
            command = rf"\{stem}" + (f"_{{{index}}}" if index else "")
        else:
            command = self.name(name) if stem in GREEK else rf"\operatorname{{{name}}}"
        return command + self.brackets(", ".join(arguments))

    def cases(self, condition: str, value: str, other: str) -> str:
        lines = rf"{value} & \text{{if }} {condition} \\ {other} & \text{{otherwise}}"
        return rf"\begin{{cases}} {lines} \end{{cases}}"


def _letter(part: str) -> str:
    """A part of a name: a Greek letter, infinity, one character, or a word in upright type."""
    if part in GREEK:
        return f"\\{part}"
    if part == "inf":
        return r"\infty"
    return part if len(part) == 1 or part.isdigit() else rf"\mathrm{{{part}}}"
