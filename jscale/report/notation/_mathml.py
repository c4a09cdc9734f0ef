"""Formulas of laws as MathML."""

from html import escape
from typing import TYPE_CHECKING

from jscale.report.notation._formula import equations, render
from jscale.report.notation._names import GREEK, stem_and_index

if TYPE_CHECKING:
    from jscale.laws import Record


def mathml_lines(record: "Record") -> list[str]:
    """A ``<math>`` element for the law and one for each abbreviation in it."""
    return [mathml(formula, name) for name, formula in equations(record)]


def mathml(formula: str, name: str) -> str:
    """A formula as a ``<math>`` element, with ``name =`` before it.

    A case ``where(x < inf, a, b)`` reads as ``a``: ``b`` is its limit.

    Args:
        formula: a Python expression, as in a law's record.
        name: name of the formula's value.
    """
    write = Mathml()
    equation = write.name(name) + write.operator("=") + render(formula, write)
    return f'<math displaystyle="true">{equation}</math>'


class Mathml:
    """MathML as the notation of a formula; see :class:`~._formula.Notation`."""

    shows_limits = False

    def name(self, name: str) -> str:
        if name == "inf":
            return "<mi>∞</mi>"
        stem, index = stem_and_index(name)
        letter = f"<mi>{escape(GREEK.get(stem, stem))}</mi>"
        return f"<msub>{letter}<mtext>{escape(index)}</mtext></msub>" if index else letter

    def number(self, digits: str) -> str:
        return f"<mn>{digits}</mn>"

    def text(self, text: str) -> str:
        return f"<mtext>{escape(text)}</mtext>"

    def operator(self, sign: str) -> str:
        return f"<mo>{escape(sign)}</mo>"

    def space(self) -> str:
        return '<mspace width="0.15em"></mspace>'

    def row(self, *parts: str) -> str:
        return f"<mrow>{''.join(parts)}</mrow>"

    def brackets(self, inside: str) -> str:
        return self.row("<mo>(</mo>", inside, "<mo>)</mo>")

    def power(self, base: str, exponent: str) -> str:
        return f"<msup>{base}{exponent}</msup>"

    def fraction(self, above: str, below: str) -> str:
        return f"<mfrac>{above}{below}</mfrac>"

    def root(self, inside: str) -> str:
        return f"<msqrt>{inside}</msqrt>"

    def function(self, name: str, arguments: list[str]) -> str:
        return self.row(self.name(name), "<mo>(</mo>", "<mo>,</mo>".join(arguments), "<mo>)</mo>")

    def cases(self, condition: str, value: str, other: str) -> str:
        words = f"<mtext>&#160;if&#160;</mtext>{condition}<mtext>, else&#160;</mtext>"
        return self.row("<mo>(</mo>", value, words, other, "<mo>)</mo>")
