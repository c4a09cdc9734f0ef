"""IsoFLOP results: Llama 3's D*(C), and Porian et al.'s five exponents of N*(C)."""

from collections.abc import Mapping
from typing import NamedTuple

import jax
import numpy as np

from jscale import fit
from jscale.assess.published._row import Paper, Protocol, Row
from jscale.runs import Runs, read

LLAMA = "llama3-isoflop"
FLAGGED = "isoflops"
EXPONENT, COEFFICIENT = 0.537, 0.299
BUDGET, TOKENS = 3.8e25, 16.55e12
"""The training run of the 405B model, and the tokens that the paper derives for it."""


def _llama(tables: Mapping[str, Runs], key: jax.Array) -> tuple[Row, ...]:
    points = tables[LLAMA]
    fitted = fit.isoflop(points, law=None).fits["all"].D
    assert fitted is not None

    label = f"{len(points)} points, a parabola for each of {fitted.points} budgets"
    all_points = Protocol(LLAMA, label)
    printed_tokens = COEFFICIENT * BUDGET**EXPONENT / 1e12
    reason = (
        f"the printed exponent and coefficient give {printed_tokens:.1f}T at this budget, "
        "not 16.55T"
    )
    return (
        all_points.absolute("exponent of D*", EXPONENT, fitted.exponent, within=5e-4),
        all_points.absolute("coefficient of D*", COEFFICIENT, fitted.coefficient, within=5e-4),
        all_points.relative(
            "D* at 3.8e25 FLOP, tokens",
            TOKENS,
            float(fitted.at(BUDGET)),
            within=5e-3,
            reason=reason,
        ),
        _without_flagged(tables[FLAGGED]),
    )


def _without_flagged(combined: Runs) -> Row:
    """The exponent of D* without the points that Open-Athena flags."""
    unflagged = (
        (combined["source"] == "llama_3") & (combined["condition"] == "raw_loss") & combined.kept
    )
    fitted = fit.isoflop(combined.where(unflagged), law=None).fits["all"].D
    assert fitted is not None
    low, high = fitted.interval
    reason = (
        "the published exponent depends on the flagged points and on the highest budget; "
        f"without them the 95% interval is {low:.3f} to {high:.3f}"
    )
    label = (
        f"{unflagged.sum()} points: without those flagged by Open-Athena, {fitted.points} budgets"
    )
    return Protocol(LLAMA, label).absolute(
        "exponent of D*", EXPONENT, fitted.exponent, within=5e-3, reason=reason
    )


PORIAN = "porian"
_NAMES = ("hparams", "warmup", "decay", "param_count", "eval")


class TrainingRecipe(NamedTuple):
    """One of Porian et al.'s ways of training and of counting parameters.

    Attributes:
        label: of the recipe, as a step from the one before.
        choice: values of the table's columns ``_NAMES``.
        published: the exponent a: (low end, value, high end).
    """

    label: str
    choice: tuple[str, ...]
    published: tuple[float, float, float]


RECIPES = (
    TrainingRecipe(
        "Kaplan's", ("base", "long", "kaplan", "kaplan", "train"), (0.824039, 0.833768, 0.842628)
    ),
    TrainingRecipe(
        "+ head counted",
        ("base", "long", "kaplan", "standard", "val"),
        (0.686197, 0.700899, 0.710790),
    ),
    TrainingRecipe(
        "+ short warm-up",
        ("base", "short", "kaplan", "standard", "val"),
        (0.586924, 0.603528, 0.622145),
    ),
    TrainingRecipe(
        "+ cosine decay",
        ("base", "short", "chinchilla", "standard", "val"),
        (0.559691, 0.571425, 0.588255),
    ),
    TrainingRecipe(
        "tuned, no decay",
        ("tuned", "short", "const", "standard", "val"),
        (0.490748, 0.497029, 0.505067),
    ),
)
"""In the order of the paper's Figure 1: each corrects one more cause of the difference."""
NOISE = 0.002
"""Standard deviation of the noise that the authors add to the loss to draw their bootstrap.

Theirs is that for RefinedWeb; here it applies to all losses.
"""
DRAWS = 1000
_WITHIN = 0.003
"""The Monte-Carlo error of draws whose minimum jumps between two sizes.

Seeds differ by 0.001 in the median and by twice that in the ends.
"""


def _porian(tables: Mapping[str, Runs], key: jax.Array) -> tuple[Row, ...]:
    return tuple(_recipe_row(recipe, tables[PORIAN], key) for recipe in RECIPES)


def _recipe_row(recipe: TrainingRecipe, table: Runs, key: jax.Array) -> Row:
    matches = [table[n] == value for n, value in zip(_NAMES, recipe.choice, strict=True)]
    chosen = table.where(np.all(matches, axis=0))
    columns = {name: chosen[name] for name in ("N", "D", "C", "loss")}
    noisy = read({**columns, "loss_se": np.full(len(chosen), NOISE)}, name=PORIAN)

    isoflop = fit.isoflop(noisy, curve="akima", law=None, resample="noise", draws=DRAWS, key=key)
    power_law = isoflop.through_medians()
    assert power_law is not None
    low, high = power_law.interval
    protocol = Protocol(PORIAN, f"Akima's curve through each budget, {DRAWS:,} draws of noise")
    return protocol.interval(
        f"a, {recipe.label}",
        recipe.published,
        (low, power_law.exponent, high),
        within=_WITHIN,
        reason="the noise that the authors added depends on the loss; here it is 0.002 throughout",
    )


llama = Paper(
    LLAMA, "Grattafiori et al. 2024, arXiv 2407.21783, section 3.2.1", _llama, (LLAMA, FLAGGED)
)
porian = Paper(PORIAN, "Porian et al. 2024, arXiv 2406.19146, Figure 1", _porian, (PORIAN,))
