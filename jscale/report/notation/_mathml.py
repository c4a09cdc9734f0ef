"""Names and formulas of laws as mathematics: MathML for the page, mathtext for figures."""

import ast
from html import escape

_GREEK = {
    "alpha": "α",
    "beta": "β",
    "gamma": "γ",
    "delta": "δ",
    "epsilon": "ε",
    "zeta": "ζ",
    "eta": "η",
    "theta": "θ",
    "kappa": "κ",
    "lambda": "λ",
    "mu": "μ",
    "nu": "ν",
    "xi": "ξ",
    "rho": "ρ",
    "sigma": "σ",
    "tau": "τ",
    "phi": "φ",
    "chi": "χ",
    "psi": "ψ",
    "omega": "ω",
}
_COMPARE = {ast.Lt: "<", ast.LtE: "≤", ast.Gt: ">", ast.GtE: "≥", ast.Eq: "=", ast.NotEq: "≠"}
# How tightly the outermost operator of a formula binds.
_LOOSE, _SUM, _PRODUCT, _POWER, _ATOM = range(5)


def _parts(name: str) -> tuple[str, str]:
    stem, _, index = name.partition("_")
    index = ",".join(_GREEK.get(part, part) for part in index.split("_") if part)
    return stem, "∞" if index == "inf" else index


def mathtext(name: str) -> str:
    r"""A parameter's or input's name for a matplotlib label: ``gamma_w`` becomes
    ``$\gamma_{\mathrm{w}}$``.
    """
    stem, index = _parts(name)
    if not name.isascii() or not name.replace("_", "").isalnum():
        return name.replace("$", r"\$")
    stem = rf"\{stem}" if stem in _GREEK else stem if len(stem) == 1 else rf"\mathrm{{{stem}}}"
    if not index:
        return f"${stem}$"
    index = r"\infty" if index == "∞" else rf"\mathrm{{{index}}}" if index.isascii() else index
    return f"${stem}_{{{index}}}$"


def markup(name: str) -> str:
    """A name as inline HTML: ``gamma_w`` becomes an italic γ with the index w."""
    stem, index = _parts(name)
    index = f"<sub>{escape(index)}</sub>" if index else ""
    return f"<i>{escape(_GREEK.get(stem, stem))}</i>{index}"


def plain(name: str) -> str:
    """A name as text: ``gamma_w`` becomes ``γ_w``, ``alpha`` becomes ``α``."""
    stem, index = _parts(name)
    return _GREEK.get(stem, stem) + (f"_{index}" if index else "")


def mathml(formula: str, value: str) -> str:
    """A law's formula as a ``<math>`` element, with ``value =`` before it.

    A case ``where(x < inf, a, b)`` reads as ``a``, whose limit ``b`` is written for the computer's
    sake only.

    Args:
        formula: a Python expression, as in a law's record.
        value: name of what the formula gives.
    """
    body = _render(ast.parse(formula, mode="eval").body)[0]
    return f'<math displaystyle="true">{_name(value)}<mo>=</mo>{body}</math>'


def _name(name: str) -> str:
    stem, index = _parts(name)
    head = f"<mi>{escape(_GREEK.get(stem, stem))}</mi>"
    return f"<msub>{head}<mtext>{escape(index)}</mtext></msub>" if index else head


def _row(*parts: str) -> str:
    return f"<mrow>{''.join(parts)}</mrow>"


def _bracketed(node: ast.expr, at_least: int, raised: bool) -> str:
    text, rank = _render(node, raised)
    return text if rank >= at_least else _row("<mo>(</mo>", text, "<mo>)</mo>")


def _render(node: ast.expr, raised: bool = False) -> tuple[str, int]:
    """The element of a node and its rank; ``raised`` inside an exponent, where a fraction would be
    too small.
    """
    match node:
        case ast.Name(id=name):
            return ("<mi>∞</mi>" if name == "inf" else _name(name)), _ATOM
        case ast.Constant(value=int() | float() as value):
            return f"<mn>{value:g}</mn>", _ATOM
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return _row("<mo>−</mo>", _bracketed(operand, _PRODUCT, raised)), _SUM
        case ast.BinOp(left=left, op=op, right=right):
            return _binary(left, op, right, raised)
        case ast.Compare(left=left, ops=ops, comparators=others):
            pairs = zip(ops, others, strict=True)
            rest = "".join(
                f"<mo>{escape(_COMPARE[type(o)])}</mo>{_render(c, raised)[0]}" for o, c in pairs
            )
            return _row(_render(left, raised)[0], rest), _LOOSE
        case ast.Call(func=ast.Name(id=name), args=args):
            return _call(name, args, raised)
    return f"<mtext>{escape(ast.unparse(node))}</mtext>", _LOOSE


def _binary(left: ast.expr, op: ast.operator, right: ast.expr, raised: bool) -> tuple[str, int]:
    match op:
        case ast.Mult() | ast.Div() if isinstance(left, ast.UnaryOp) and isinstance(
            left.op, ast.USub
        ):
            return _row("<mo>−</mo>", _binary(left.operand, op, right, raised)[0]), _SUM
        case ast.Add():
            return _row(_render(left, raised)[0], "<mo>+</mo>", _render(right, raised)[0]), _SUM
        case ast.Sub():
            return _row(
                _render(left, raised)[0], "<mo>−</mo>", _bracketed(right, _PRODUCT, raised)
            ), _SUM
        case ast.Pow():
            return (
                f"<msup>{_bracketed(left, _ATOM, raised)}{_row(_render(right, True)[0])}</msup>",
                _POWER,
            )
        case ast.Div() if raised:
            return _row(
                _bracketed(left, _PRODUCT, True), "<mo>/</mo>", _bracketed(right, _POWER, True)
            ), _PRODUCT
        case ast.Div():
            return f"<mfrac>{_row(_render(left)[0])}{_row(_render(right)[0])}</mfrac>", _PRODUCT
    # A number after another factor needs its cross; letters stand side by side.
    sign = "<mo>×</mo>" if isinstance(right, ast.Constant) else '<mspace width="0.15em"></mspace>'
    return _row(
        _bracketed(left, _PRODUCT, raised), sign, _bracketed(right, _PRODUCT, raised)
    ), _PRODUCT


def _call(name: str, args: list[ast.expr], raised: bool) -> tuple[str, int]:
    match name, args:
        case "exp", [power]:
            return f"<msup><mi>e</mi>{_row(_render(power, True)[0])}</msup>", _POWER
        case "sqrt", [inside]:
            return f"<msqrt>{_render(inside, raised)[0]}</msqrt>", _ATOM
        case "where", [ast.Compare(ops=[ast.Lt()], comparators=[ast.Name(id="inf")]), value, _]:
            return _render(value, raised)
        case "where", [condition, value, other]:
            yes, no = (_render(n, raised)[0] for n in (value, other))
            when = f"<mtext>&#160;if&#160;</mtext>{_render(condition, raised)[0]}<mtext>, else&#160;</mtext>"
            return _row("<mo>(</mo>", yes, when, no, "<mo>)</mo>"), _ATOM
    listed = "<mo>,</mo>".join(_render(a, raised)[0] for a in args)
    return _row(f"<mi>{escape(name)}</mi>", "<mo>(</mo>", listed, "<mo>)</mo>"), _ATOM
