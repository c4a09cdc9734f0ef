"""Names of parameters and inputs as mathematics: for pages, figures and plain text."""

import re
from html import escape

GREEK = {
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
    "Delta": "Δ",
    "Phi": "Φ",
}
"""LaTeX command without its backslash → letter."""


_INDICES = {"inf": "∞", "star": "∗"}
_NUMBERED = re.compile(r"([A-Za-z]+)(\d+)")


def split_name(name: str) -> tuple[str, list[str]]:
    """``gamma_w`` → (``gamma``, [``w``]); ``alpha1`` and ``A1`` have the index 1."""
    stem, *indices = name.split("_")
    numbered = _NUMBERED.fullmatch(stem)
    if numbered and (numbered[1] in GREEK or len(numbered[1]) == 1):
        stem, indices = numbered[1], [numbered[2], *indices]
    return stem, [index for index in indices if index]


def stem_and_index(name: str) -> tuple[str, str]:
    """``gamma_w`` → (``gamma``, ``w``), with Greek letters, infinity and star as characters."""
    stem, indices = split_name(name)
    return stem, ",".join(_INDICES.get(index, GREEK.get(index, index)) for index in indices)


def mathtext(name: str) -> str:
    r"""A name for a matplotlib label: ``gamma_w`` becomes ``$\gamma_{\mathrm{w}}$``."""
    if not name.isascii() or not name.replace("_", "").isalnum():
        return name.replace("$", r"\$")
    stem, index = stem_and_index(name)
    if stem in GREEK:
        stem = rf"\{stem}"
    elif len(stem) > 1:
        stem = rf"\mathrm{{{stem}}}"
    if not index:
        return f"${stem}$"
    if index == "∞":
        index = r"\infty"
    elif index.isascii():
        index = rf"\mathrm{{{index}}}"
    return f"${stem}_{{{index}}}$"


def markup(name: str) -> str:
    """A name as inline HTML: ``gamma_w`` becomes an italic γ with the index w."""
    stem, index = stem_and_index(name)
    index = f"<sub>{escape(index)}</sub>" if index else ""
    return f"<i>{escape(GREEK.get(stem, stem))}</i>{index}"


def plain(name: str) -> str:
    """A name as text: ``gamma_w`` becomes ``γ_w``, ``alpha`` becomes ``α``."""
    stem, index = stem_and_index(name)
    return GREEK.get(stem, stem) + (f"_{index}" if index else "")
