"""Formulas of laws as mathematics: one walk over the expression for every format."""

import ast
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from jscale.laws import Record

_LETTERS = {"loss": "L", "loss change": "Delta", "share": "f", "effective count": "N_eff"}
"""Role of a law's value → its letter."""
_COMPARISONS = {ast.Lt: "<", ast.LtE: "≤", ast.Gt: ">", ast.GtE: "≥", ast.Eq: "=", ast.NotEq: "≠"}
_FUNCTIONS = {
    "minimum": "min",
    "maximum": "max",
    "log2": "log_2",
    "log10": "log_10",
    "ndtr": "Phi",
}
"""Function of NumPy or SciPy → its mathematical name."""
_COMPARISON, _SUM, _PRODUCT, _POWER, _ATOM = range(5)
"""How tightly the outermost operator of an expression binds."""


class Notation(Protocol):
    """A format of mathematics: how each part of an expression is written."""

    shows_limits: bool
    """Whether ``where(x < inf, a, b)`` is written in full; else as ``a``, whose limit is ``b``."""

    def name(self, name: str) -> str:
        """A name such as ``gamma_w``."""
        ...

    def number(self, digits: str) -> str:
        """A number without a power of ten."""
        ...

    def text(self, text: str) -> str:
        """Anything that is not mathematics."""
        ...

    def operator(self, sign: str) -> str:
        """One of ``+ − × / = < ≤ > ≥ ≠`` or a comma."""
        ...

    def space(self) -> str:
        """The space between two factors."""
        ...

    def row(self, *parts: str) -> str:
        """Parts in a row."""
        ...

    def brackets(self, inside: str) -> str:
        """Round brackets."""
        ...

    def power(self, base: str, exponent: str) -> str:
        """``base**exponent``."""
        ...

    def fraction(self, above: str, below: str) -> str:
        """``above / below`` with a bar."""
        ...

    def root(self, inside: str) -> str:
        """A square root."""
        ...

    def function(self, name: str, arguments: list[str]) -> str:
        """A function at its arguments."""
        ...

    def cases(self, condition: str, value: str, other: str) -> str:
        """``value`` under the condition, else ``other``."""
        ...


def equations(record: "Record") -> list[tuple[str, str]]:
    """Name and expression of the law, then of each abbreviation in it.

    The law's value is called L for a loss, Δ for a change of loss, f for a share; y where the law
    has that name already or for any other value.
    """
    names = (
        *record.input_names,
        *record.parameter_names,
        *(name for name, _ in record.definitions),
    )
    letter = _LETTERS.get(record.output.name, "y")
    return [("y" if letter in names else letter, record.formula), *record.definitions]


def render(formula: str, notation: Notation) -> str:
    """A Python expression, as in a law's record, in a format of mathematics."""
    return _Renderer(notation).expression(ast.parse(formula, mode="eval").body)[0]


class _Renderer:
    """Each method returns the text of a node and how tightly its outermost operator binds.

    ``raised`` is true in an exponent, where a fraction with a bar would be too small.
    """

    def __init__(self, notation: Notation) -> None:
        self.notation = notation

    def expression(self, node: ast.expr, raised: bool = False) -> tuple[str, int]:
        write = self.notation
        match node:
            case ast.Name(id=name):
                return write.name(name), _ATOM
            case ast.Constant(value=int() | float() as value):
                return self.number(value)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                inside = self.bracketed(operand, _PRODUCT, raised)
                return write.row(write.operator("−"), inside), _SUM
            case ast.BinOp(left=left, op=op, right=right):
                return self.binary(left, op, right, raised)
            case ast.Compare(left=left, ops=ops, comparators=others):
                parts = [self.expression(left, raised)[0]]
                for op, other in zip(ops, others, strict=True):
                    parts.append(write.operator(_COMPARISONS[type(op)]))
                    parts.append(self.expression(other, raised)[0])
                return write.row(*parts), _COMPARISON
            case ast.Call(func=ast.Name(id=name), args=arguments):
                return self.call(name, arguments, raised)
        return write.text(ast.unparse(node)), _COMPARISON

    def bracketed(self, node: ast.expr, at_least: int, raised: bool) -> str:
        """A node, in brackets if it binds less tightly than ``at_least``."""
        text, rank = self.expression(node, raised)
        return text if rank >= at_least else self.notation.brackets(text)

    def number(self, value: float) -> tuple[str, int]:
        write = self.notation
        mantissa, _, exponent = f"{value:g}".partition("e")
        if not exponent:
            return write.number(mantissa), _ATOM
        power = write.power(write.number("10"), write.number(str(int(exponent))))
        if mantissa == "1":
            return power, _POWER
        return write.row(write.number(mantissa), write.operator("×"), power), _PRODUCT

    def binary(
        self, left: ast.expr, op: ast.operator, right: ast.expr, raised: bool
    ) -> tuple[str, int]:
        write = self.notation
        match op:
            case ast.Mult() | ast.Div() if isinstance(left, ast.UnaryOp) and isinstance(
                left.op, ast.USub
            ):
                # The sign of the first factor is that of the product.
                product = self.binary(left.operand, op, right, raised)[0]
                return write.row(write.operator("−"), product), _SUM
            case ast.Add():
                first, second = (self.expression(node, raised)[0] for node in (left, right))
                return write.row(first, write.operator("+"), second), _SUM
            case ast.Sub():
                first = self.expression(left, raised)[0]
                second = self.bracketed(right, _PRODUCT, raised)
                return write.row(first, write.operator("−"), second), _SUM
            case ast.Pow():
                exponent = write.row(self.expression(right, True)[0])
                return write.power(self.bracketed(left, _ATOM, raised), exponent), _POWER
            case ast.Div() if raised:
                above = self.bracketed(left, _PRODUCT, True)
                below = self.bracketed(right, _POWER, True)
                return write.row(above, write.operator("/"), below), _PRODUCT
            case ast.Div():
                above, below = (write.row(self.expression(node)[0]) for node in (left, right))
                return write.fraction(above, below), _PRODUCT
        # A number after another factor needs a multiplication sign; names stand side by side.
        sign = write.operator("×") if isinstance(right, ast.Constant) else write.space()
        first, second = (self.bracketed(node, _PRODUCT, raised) for node in (left, right))
        return write.row(first, sign, second), _PRODUCT

    def call(self, name: str, arguments: list[ast.expr], raised: bool) -> tuple[str, int]:
        write = self.notation
        match name, arguments:
            case "exp", [power]:
                return write.power(write.name("e"), write.row(self.expression(power, True)[0])), (
                    _POWER
                )
            case "expm1", [power]:
                exponential = ast.Call(ast.Name("exp"), [power], [])
                return self.binary(exponential, ast.Sub(), ast.Constant(1), raised)
            case "log1p", [inside]:
                total = ast.BinOp(ast.Constant(1), ast.Add(), inside)
                return self.call("log", [total], raised)
            case "sqrt", [inside]:
                return write.root(self.expression(inside, raised)[0]), _ATOM
            case "where", [condition, value, other]:
                if _is_limit(condition) and not write.shows_limits:
                    return self.expression(value, raised)
                parts = (self.expression(node, raised)[0] for node in (condition, value, other))
                return write.cases(*parts), _ATOM
        texts = [self.expression(each, raised)[0] for each in arguments]
        return write.function(_FUNCTIONS.get(name, name), texts), _ATOM


def _is_limit(condition: ast.expr) -> bool:
    """Whether a condition is ``x < inf``: the other case is the limit of the first."""
    match condition:
        case ast.Compare(ops=[ast.Lt()], comparators=[ast.Name(id="inf")]):
            return True
    return False
