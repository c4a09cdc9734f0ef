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
    whole = fit.isoflop(tables[LLAMA], law=None).fits["all"].D
    combined = tables[FLAGGED]
    chosen = (
        (combined["source"] == "llama_3") & (combined["condition"] == "raw_loss") & combined.kept
    )
    sound = fit.isoflop(combined.where(chosen), law=None).fits["all"].D
    assert whole is not None
    assert sound is not None
    every = Protocol(
        LLAMA, f"{len(tables[LLAMA])} points, a parabola for each of {whole.points} budgets"
    )
    few = Protocol(
        LLAMA,
        f"{chosen.sum()} points: without those that Open-Athena flags, {sound.points} budgets",
    )
    low, high = sound.interval
    why = (
        f"the published exponent hangs on the flagged points and on the highest budget; without them the 95% interval "
        f"is {low:.3f} to {high:.3f}"
    )
    pair = COEFFICIENT * BUDGET**EXPONENT / 1e12
    rounded = f"the printed pair itself gives {pair:.1f}T at this budget, not 16.55T"
    return (
        every.absolute("exponent of D*", EXPONENT, whole.exponent, within=5e-4),
        every.absolute("coefficient of D*", COEFFICIENT, whole.coefficient, within=5e-4),
        every.relative(
            "D* at 3.8e25 FLOP, tokens", TOKENS, float(whole.at(BUDGET)), within=5e-3, why=rounded
        ),
        few.absolute("exponent of D*", EXPONENT, sound.exponent, within=5e-3, why=why),
    )


PORIAN = "porian"
_NAMES = ("hparams", "warmup", "decay", "param_count", "eval")


class TrainingRecipe(NamedTuple):
    """One of Porian et al.'s ways of training and counting, and the exponent a that it gives with
    its interval.
    """

    told: str
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
"""In the order of the paper's Figure 1: each corrects one more thing. (Low end, value, high end.)"""
NOISE = 0.002
"""Standard deviation of the loss that the authors add to draw their bootstrap for RefinedWeb, for
all losses here."""
DRAWS = 1000
_WITHIN = 0.003
"""The Monte-Carlo error of draws whose minimum jumps between two sizes: seeds differ by 0.001 in
the
median and by twice that in the ends."""


def _porian(tables: Mapping[str, Runs], key: jax.Array) -> tuple[Row, ...]:
    return tuple(_of(recipe, tables[PORIAN], key) for recipe in RECIPES)


def _of(recipe: TrainingRecipe, table: Runs, key: jax.Array) -> Row:
    chosen = table.where(
        np.all([table[n] == p for n, p in zip(_NAMES, recipe.choice, strict=True)], axis=0)
    )
    columns = {name: chosen[name] for name in ("N", "D", "C", "loss")}
    noisy = read({**columns, "loss_se": np.full(len(chosen), NOISE)}, name=PORIAN)
    found = fit.isoflop(
        noisy, curve="akima", law=None, resample="noise", draws=DRAWS, key=key
    ).through_medians()
    assert found is not None
    low, high = found.interval
    protocol = Protocol(PORIAN, f"Akima's curve through each budget, {DRAWS:,} draws of noise")
    return protocol.interval(
        f"a, {recipe.told}",
        recipe.published,
        (low, found.exponent, high),
        within=_WITHIN,
        why="the noise that the authors added depends on the loss, which is here 0.002 throughout",
    )


llama = Paper(
    LLAMA, "Grattafiori et al. 2024, arXiv 2407.21783, section 3.2.1", _llama, (LLAMA, FLAGGED)
)
porian = Paper(PORIAN, "Porian et al. 2024, arXiv 2406.19146, Figure 1", _porian, (PORIAN,))
