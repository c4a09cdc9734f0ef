"""A figure on the page, and the labels that several figures share."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from matplotlib.figure import Figure

from jscale.laws import Input
from jscale.report.analysis import FULL_BITS, Analysis, FittedStudy
from jscale.report.notation import mathtext

_BIT_NAMES = {
    "P_w": "bits of the weights",
    "P_a": "bits of the activations",
    "P_kv": "bits of the KV cache",
    "P_post": "bits after training",
}


@dataclass(frozen=True, eq=False)
class PageFigure:
    """A figure on the page.

    Attributes:
        figure: the figure.
        title: a few words above it.
        alt: description for readers who cannot see it.
        caption: how to read it.
        narrow: the same figure for a phone, where the first would be too small to read.
        span: "panel" (shares its row), "row" (fills a row) or "square" (a grid that scrolls on a
            phone).
    """

    figure: Figure
    title: str
    alt: str
    caption: str
    narrow: Figure | None = None
    span: str = "panel"


class FigureMaker(Protocol):
    """A function that yields the figures on one subject; none where the analysis lacks it."""

    def __call__(self, analysis: Analysis, /) -> Iterator[PageFigure]:
        """The figures, in the order of the page."""
        ...


def input_words(item: Input) -> str:
    """What an input of the law is, in words."""
    return _BIT_NAMES.get(item.name, item.role.meaning)


def axis_label(item: Input) -> str:
    """Label of an axis for an input of the law, with its unit."""
    words = input_words(item)
    unit = "" if item.role.name == "bits" else f" ({item.unit})"
    return f"{words[:1].upper()}{words[1:]} {mathtext(item.name)}{unit}"


def compute_label(study: FittedStudy) -> str:
    """Label of an axis of compute, with the formula of the cost."""
    cost = f"6NDP/{FULL_BITS:g}" if study.training_bits else "6ND"
    return f"Training compute C = {cost} (FLOP)"


def band_caption(study: FittedStudy, curve_draws: int) -> str:
    """What the bands of a curve cover; empty without a posterior."""
    count = study.draw_count
    if not count:
        return ""
    bands = " Bands: uncertainty of the law's parameters, without the scatter of new runs."
    if curve_draws == count:
        return bands
    return (
        f"{bands} The curves of this page use {curve_draws:,} of the {count:,} draws; tables and"
        " budgets use all."
    )
