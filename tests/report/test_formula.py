"""Formulas as MathML and names as mathtext."""

import re
from xml.etree import ElementTree

import pytest
from matplotlib.mathtext import MathTextParser

from jscale import laws
from jscale.laws import describe
from jscale.report.notation._mathml import markup, mathml, mathtext, plain

FORMULAS = [
    (f"{describe(law).name}: {name}", text, name)
    for law in laws.catalogue
    for name, text in (("L", describe(law).formula), *describe(law).definitions)
]
NAMES = sorted(
    {
        name
        for law in laws.catalogue
        for name in (*describe(law).parameter_names, *describe(law).input_names)
    }
)


def text_of(formula: str) -> str:
    return "".join(ElementTree.fromstring(mathml(formula, "y")).itertext())


@pytest.mark.parametrize(
    ("formula", "name"), [f[1:] for f in FORMULAS], ids=[f[0] for f in FORMULAS]
)
def test_every_formula_of_the_catalogue_is_well_formed(formula: str, name: str):
    root = ElementTree.fromstring(mathml(formula, name))
    assert root.tag == "math"
    kinds = {element.tag for element in root.iter()}
    assert kinds <= {
        "math",
        "mrow",
        "mi",
        "mn",
        "mo",
        "mtext",
        "msub",
        "msup",
        "mfrac",
        "msqrt",
        "mspace",
    }
    assert "*" not in "".join(root.itertext())  # nothing is left as Python


@pytest.mark.parametrize(
    ("formula", "text"),
    [
        ("E + A / N**alpha", "y=E+ANα"),
        ("(a + b) * c", "y=(a+b)c"),
        ("a - (b - c)", "y=a−(b−c)"),
        ("a - b * c", "y=a−bc"),
        ("(N_c / N)**(alpha_N / alpha_D)", "y=(NcN)αN/αD"),
        ("(-a)**2", "y=(−a)2"),
        ("exp(-P / (g * h))", "y=e−P/(gh)"),
        ("a - -b * c", "y=a−(−bc)"),
        ("a * 2", "y=a×2"),
        ("where(P < inf, 1 - x, 1)", "y=1−x"),
        ("where(a < b, c, 0)", "y=(c\u00a0if\u00a0a<b, else\u00a00)"),
        ("minimum(a, log(b))", "y=minimum(a,log(b))"),
    ],
)
def test_brackets_stand_where_they_must(formula: str, text: str):
    assert text_of(formula) == text


def test_foreign_parts_are_escaped():
    assert "<script>" not in mathml("f('<script>')", "y")
    assert "&lt;" in mathml("a < b", "y")


@pytest.mark.parametrize("name", [*NAMES, "L_inf", "loss", "a_b_c"])
def test_names_are_valid_mathtext(name: str):
    assert MathTextParser("path").parse(mathtext(name)).width > 0


def test_names():
    assert mathtext("gamma_w") == r"$\gamma_{\mathrm{w}}$"
    assert markup("gamma_w") == "<i>γ</i><sub>w</sub>"
    assert plain("L_inf") == "L_∞"
    assert re.fullmatch(r"[^<>]*", markup("a<b").replace("<i>", "").replace("</i>", ""))
    assert mathtext("$x") == r"\$x"
