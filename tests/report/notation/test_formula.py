"""Formulas as MathML and LaTeX, names as mathtext."""

import re
from xml.etree import ElementTree

import pytest
from matplotlib.mathtext import MathTextParser

from jscale import laws
from jscale.laws import describe
from jscale.report.notation import latex_lines
from jscale.report.notation._formula import render
from jscale.report.notation._latex import Latex
from jscale.report.notation._mathml import mathml
from jscale.report.notation._names import markup, mathtext, plain

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
        ("minimum(a, log(b))", "y=min(a,log(b))"),
        ("log1p(a)", "y=log(1+a)"),
        ("2 * expm1(a)", "y=2(ea−1)"),
        ("a / 1e6 + b * 33e6", "y=a106+b×3.3×107"),
    ],
)
def test_brackets_are_where_precedence_needs_them(formula: str, text: str):
    assert text_of(formula) == text


def test_other_text_is_escaped():
    assert "<script>" not in mathml("f('<script>')", "y")
    assert "&lt;" in mathml("a < b", "y")


@pytest.mark.parametrize(
    ("formula", "text"),
    [
        ("E + A / N**alpha", r"E + \frac{A}{N^{\alpha}}"),
        ("(a + b) * c", r"\left(a + b\right) c"),
        ("a - (b - c)", r"a - \left(b - c\right)"),
        (
            "(N_c / N)**(alpha_N / alpha_D)",
            r"\left(\frac{N_{c}}{N}\right)^{\alpha_{N} / \alpha_{D}}",
        ),
        ("exp(-P / (g * h))", r"e^{- P / \left(g h\right)}"),
        ("a * 2 <= 1e9", r"a \times 2 \le 10^{9}"),
        ("B_star**2 * alpha1", r"{B^{*}}^{2} \alpha_{1}"),
        (
            "maximum(log2(block), sqrt(x_inf))",
            r"\max\left(\log_{2}\left(\mathrm{block}\right), \sqrt{x_{\infty}}\right)",
        ),
        (
            "where(P < inf, 1 - x, 1)",
            r"\begin{cases} 1 - x & \text{if } P < \infty \\ 1 & \text{otherwise} \end{cases}",
        ),
        ("area(t)**2", r"\operatorname{area}\left(t\right)^{2}"),
    ],
)
def test_latex(formula: str, text: str):
    assert render(formula, Latex()) == text


def test_latex_of_every_law_has_balanced_brackets():
    for law in laws.catalogue:
        for line in latex_lines(describe(law)):
            assert line.count("{") == line.count("}")
            assert line.count(r"\left(") == line.count(r"\right)")
            assert "**" not in line


def test_the_value_of_a_law_has_the_letter_of_its_role():
    assert latex_lines(describe(laws.chinchilla))[0].startswith("L = ")
    assert latex_lines(describe(laws.ptq_degradation))[0].startswith(r"\Delta = ")
    # The batch size is a function of the loss L, so its value is y.
    assert latex_lines(describe(laws.kaplan_critical_batch))[0].startswith("y = ")


@pytest.mark.parametrize("name", [*NAMES, "L_inf", "loss", "a_b_c"])
def test_names_are_valid_mathtext(name: str):
    assert MathTextParser("path").parse(mathtext(name)).width > 0


def test_names():
    assert mathtext("gamma_w") == r"$\gamma_{\mathrm{w}}$"
    assert markup("gamma_w") == "<i>γ</i><sub>w</sub>"
    assert plain("L_inf") == "L_∞"
    assert (plain("alpha1"), plain("A2"), plain("mix2")) == ("α_1", "A_2", "mix2")
    assert re.fullmatch(r"[^<>]*", markup("a<b").replace("<i>", "").replace("</i>", ""))
    assert mathtext("$x") == r"\$x"
