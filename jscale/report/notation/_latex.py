"""The formula of a law as LaTeX, by SymPy."""

import importlib
from typing import TYPE_CHECKING, Any

from jscale._core.errors import JscaleError

if TYPE_CHECKING:
    from jscale.laws import Record


def latex_lines(record: "Record") -> list[str]:
    """One line for the law and one for each abbreviation in it.

    Raises:
        JscaleError: SymPy is not installed.
    """
    try:
        sympy: Any = importlib.import_module("sympy")
    except ImportError:
        raise JscaleError("--latex needs SymPy: pip install sympy") from None
    names = (
        *record.input_names,
        *record.parameter_names,
        *(name for name, _ in record.definitions),
    )
    # Symbols by name, since E, N, S, beta, gamma … are constants and functions to SymPy.
    scope = {**_functions(sympy), **{name: sympy.Symbol(name) for name in names}}
    starred = {
        sympy.Symbol(name): sympy.latex(sympy.Symbol(name.removesuffix("_star"))) + "^{*}"
        for name in names
        if name.endswith("_star")
    }

    def line(name: str, text: str) -> str:
        expression = sympy.sympify(text, locals=scope, evaluate=False)
        written = sympy.latex(expression, order="none", symbol_names=starred).replace(
            r"\left(-1\right) ", "- "
        )
        return f"{sympy.latex(sympy.Symbol(name), symbol_names=starred)} = {written}"

    letters = {"loss": "L", "loss change": "Delta", "share": "f", "effective count": "N_eff"}
    letter = letters.get(record.output.name, "y")
    head = line("y" if letter in names else letter, record.formula)
    return [head, *(line(name, text) for name, text in record.definitions)]


def _functions(sympy: Any) -> dict[str, Any]:
    return {
        "where": lambda condition, yes, no: sympy.Piecewise((yes, condition), (no, True)),
        "expm1": lambda x: sympy.exp(x, evaluate=False) - 1,
        "log1p": lambda x: sympy.log(1 + x, evaluate=False),
        "minimum": sympy.Min,
        "maximum": sympy.Max,
        "log2": lambda x: sympy.log(x, 2),
        "log10": lambda x: sympy.log(x, 10),
        "inf": sympy.oo,
    }
