"""Names and formulas of laws as mathematics: MathML for the page, mathtext for figures."""

import ast
from html import escape

_GREEK = {
    "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "epsilon": "ε", "zeta": "ζ", "eta": "η", "theta": "θ",
    "kappa": "κ", "lambda": "λ", "mu": "μ", "nu": "ν", "xi": "ξ", "rho": "ρ", "sigma": "σ", "tau": "τ", "phi": "φ",
    "chi": "χ", "psi": "ψ", "omega": "ω",
}  # fmt: skip
_COMPARE = {ast.Lt: "<", ast.LtE: "≤", ast.Gt: ">", ast.GtE: "≥", ast.Eq: "=", ast.NotEq: "≠"}
_SUM, _PRODUCT, _ATOM = 1, 2, 4


def _parts(name: str) -> tuple[str, str]:
    stem, _, index = name.partition("_")
    index = ",".join(_GREEK.get(part, part) for part in index.split("_") if part)
    return stem, "∞" if index == "inf" else index


def mathtext(name: str) -> str:
    """A parameter's or input's name for a matplotlib label: ``gamma_w`` becomes ``$\\gamma_{\\mathrm{w}}$``."""
    stem, index = _parts(name)
    if not name.replace("_", "").isalnum() or not name.isascii():
        return name.replace("$", r"\$")
    stem = rf"\{stem}" if stem in _GREEK else stem if len(stem) == 1 else rf"\mathrm{{{stem}}}"
    index = r"\infty" if index == "∞" else rf"\mathrm{{{index}}}" if index else ""
    return f"${stem}_{{{index}}}$" if index else f"${stem}$"


def markup(name: str) -> str:
    """A name as inline HTML: ``gamma_w`` becomes an italic γ with the index w."""
    stem, index = _parts(name)
    index = f"<sub>{escape(index)}</sub>" if index else ""
    return f"<i>{escape(_GREEK.get(stem, stem))}</i>{index}"


def plain(name: str) -> str:
    """A name as text: ``gamma_w`` becomes ``γ_w``, ``alpha`` becomes ``α``."""
    stem, index = _parts(name)
    return _GREEK.get(stem, stem) + (f"_{index}" if index else "")


def mathml(formula: str, value: str = "") -> str:
    """A law's formula as a ``<math>`` element, with ``value =`` before it.

    Args:
        formula: a Python expression, as in a law's record.
        value: name of what the formula gives.
    """
    body = _render(ast.parse(formula, mode="eval").body)[0]
    head = f"{_name(value)}<mo>=</mo>" if value else ""
    return f'<math display="block">{head}{body}</math>'


def _name(name: str) -> str:
    stem, index = _parts(name)
    head = f"<mi>{escape(_GREEK.get(stem, stem))}</mi>"
    return f"<msub>{head}<mtext>{escape(index)}</mtext></msub>" if index else head


def _row(*parts: str) -> str:
    return f"<mrow>{''.join(parts)}</mrow>"


def _bracketed(node: ast.expr, at_least: int) -> str:
    text, rank = _render(node)
    return text if rank >= at_least else _row("<mo>(</mo>", text, "<mo>)</mo>")


def _render(node: ast.expr) -> tuple[str, int]:
    """The element of a node, and how tightly its outermost operator binds."""
    match node:
        case ast.Name(id=name):
            return ("<mi>∞</mi>" if name == "inf" else _name(name)), _ATOM
        case ast.Constant(value=value):
            return f"<mn>{value:g}</mn>" if isinstance(value, int | float) else f"<mtext>{escape(str(value))}</mtext>", _ATOM
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return _row("<mo>−</mo>", _bracketed(operand, _PRODUCT)), _SUM
        case ast.BinOp(left=left, op=op, right=right):
            return _binary(left, op, right)
        case ast.Compare(left=left, ops=ops, comparators=others):
            signs = "".join(
                f"<mo>{escape(_COMPARE[type(o)])}</mo>{_render(c)[0]}" for o, c in zip(ops, others, strict=True)
            )
            return _row(_render(left)[0], signs), 0
        case ast.Call(func=ast.Name(id=name), args=args):
            return _call(name, args)
    return f"<mtext>{escape(ast.unparse(node))}</mtext>", 0


def _binary(left: ast.expr, op: ast.operator, right: ast.expr) -> tuple[str, int]:
    match op:
        case ast.Add():
            return _row(_render(left)[0], "<mo>+</mo>", _render(right)[0]), _SUM
        case ast.Sub():
            return _row(_render(left)[0], "<mo>−</mo>", _bracketed(right, _PRODUCT)), _SUM
        case ast.Pow():
            return f"<msup>{_bracketed(left, _ATOM)}{_row(_render(right)[0])}</msup>", _ATOM - 1
        case ast.Div():
            return f"<mfrac>{_row(_render(left)[0])}{_row(_render(right)[0])}</mfrac>", _PRODUCT
    # A number after another needs its cross; letters stand side by side.
    sign = "<mo>×</mo>" if isinstance(right, ast.Constant) else '<mspace width="0.15em"></mspace>'
    return _row(_bracketed(left, _PRODUCT), sign, _bracketed(right, _PRODUCT)), _PRODUCT


def _call(name: str, args: list[ast.expr]) -> tuple[str, int]:
    inner = [_render(a)[0] for a in args]
    if name == "exp" and len(args) == 1:
        return f"<msup><mi>e</mi>{_row(inner[0])}</msup>", _ATOM - 1
    if name == "sqrt" and len(args) == 1:
        return f"<msqrt>{inner[0]}</msqrt>", _ATOM
    if name == "where" and len(args) == 3:
        rows = _case(inner[1], "if", inner[0]) + _case(inner[2], "otherwise", "")
        return _row('<mo fence="true" stretchy="true">{</mo>', f'<mtable columnalign="left">{rows}</mtable>'), _ATOM
    listed = "<mo>,</mo>".join(inner)
    return _row(f"<mi>{escape(name)}</mi>", "<mo>(</mo>", listed, "<mo>)</mo>"), _ATOM


def _case(value: str, word: str, condition: str) -> str:
    return f'<mtr><mtd>{value}</mtd><mtd><mspace width="0.6em"></mspace><mtext>{word} </mtext>{condition}</mtd></mtr>'
