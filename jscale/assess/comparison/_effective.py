"""How much compute a training recipe saves: the compute multiplier of one against another."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import jax
import numpy as np
from jax.typing import ArrayLike

from jscale._core.checks import check_key
from jscale._core.errors import JscaleError
from jscale._core.notes import Note
from jscale._core.scope import in_float64
from jscale._core.text import did_you_mean, enumerated, shown
from jscale.assess.comparison._multipliers import ALONG, multipliers
from jscale.fit import ErrorModel, point
from jscale.fit.errors import labels_of
from jscale.laws import LawFunction, as_law, describe, fix
from jscale.runs import Runs, TableLike, as_runs

if TYPE_CHECKING:
    from jscale.fit import PooledPosterior
    from jscale.fit.bayes.pooling import Mode
    from jscale.fit.bayes.priors import Priors

FLOORS = ("pinned", "shared", "free")
_FLOP_PER_TOKEN = 6.0
_BUDGETS = 5
"""Budgets that are taken where none is given."""
_DRAWS = 1000
"""Draws of the posterior at which multipliers are computed, at most: evenly spaced ones."""


@dataclass(frozen=True)
class EffectiveCompute:
    """Compute multipliers of recipes against a reference.

    A multiplier of 1.5 at a budget C says that the recipe reaches with C the loss that the
    reference reaches with 1.5 C.

    Attributes:
        reference: recipe that the others are compared with.
        recipes: the others.
        budgets: (budgets,) FLOP of the recipe.
        draws: (recipes, budgets, draws) multipliers; infinite where the reference reaches the loss
            with no compute, NaN where a solve failed.
        floor: "pinned", "shared" or "free".
        along: "frontier" or "ratio".
        ratio: tokens per parameter of "ratio"; None along the frontier.
        posterior: of the pooled model.
        notes: on the comparison, and those of the posterior.
    """

    reference: str
    recipes: tuple[str, ...]
    budgets: np.ndarray
    draws: np.ndarray
    floor: str
    along: str
    ratio: float | None
    posterior: "PooledPosterior"
    notes: tuple[Note, ...]

    @property
    def overall(self) -> np.ndarray:
        """Geometric means over the budgets (recipes, draws).

        Budgets at which a solve failed are left out of the mean of their draw; NaN where all are.
        """
        is_number = ~np.isnan(self.draws)
        total = np.log(np.where(is_number, self.draws, 1.0)).sum(axis=1)
        counts = is_number.sum(axis=1)
        return np.where(counts > 0, np.exp(total / np.maximum(counts, 1)), math.nan)

    def quantile(self, p: ArrayLike) -> np.ndarray:
        """Quantiles of the multipliers, p's shape followed by (recipes, budgets).

        NaN draws are left out.
        """
        return _quantile(self.draws, p)

    def overall_quantile(self, p: ArrayLike) -> np.ndarray:
        """Quantiles of the overall multipliers, p's shape followed by (recipes,)."""
        return _quantile(self.overall, p)

    def __repr__(self) -> str:
        low, middle, high = self.overall_quantile(np.array([0.05, 0.5, 0.95]))
        parts = ", ".join(
            f"{name} {middle[i]:.3g} [{low[i]:.3g}, {high[i]:.3g}]"
            for i, name in enumerate(self.recipes)
        )
        return f"<EffectiveCompute against {self.reference}: {parts}; floor {self.floor}>"


def _quantile(values: np.ndarray, p: ArrayLike) -> np.ndarray:
    """Quantiles over the last axis of what is not NaN, by the nearest draw: some are infinite."""
    is_number = ~np.isnan(values)
    ordered = np.sort(np.where(is_number, values, np.inf), axis=-1)
    counts = is_number.sum(axis=-1)
    results = []
    for each in np.ravel(np.asarray(p, float)):
        at = np.clip(np.round(each * (counts - 1)).astype(int), 0, None)
        value = np.take_along_axis(ordered, at[..., None], axis=-1)[..., 0]
        results.append(np.where(counts > 0, value, np.nan))
    return np.stack(results).reshape(*np.shape(p), *values.shape[:-1])


@in_float64
def effective_compute(
    law: LawFunction | str,
    table: TableLike,
    *,
    key: jax.Array,
    by: str = "recipe",
    reference: Any = None,
    floor: Literal["pinned", "shared", "free"] | float = "shared",
    along: Literal["frontier", "ratio"] = "frontier",
    budgets: ArrayLike | None = None,
    pool: "Mapping[str, Mode] | None" = None,
    errors: ErrorModel | str | None = None,
    priors: "Priors | None" = None,
    **settings: Any,
) -> EffectiveCompute:
    """The compute that recipes save against a reference, with intervals: A/B tests of training.

    The law is fitted to all recipes at once, by :func:`jscale.fit.pooled_posterior`. The multiplier
    of a recipe at a budget C is the compute at which the reference reaches the loss that the recipe
    reaches with C, over C. ``along="frontier"`` compares compute-optimal models, each recipe with
    its own N and D; ``along="ratio"`` compares both at the tokens per parameter of the runs
    (geometric mean). The floor decides what multipliers mean far from the runs: pinned at the
    reference's fitted value or at a number, one for all recipes, or one for each. With floors that
    differ, a multiplier grows or shrinks without limit as the loss nears a floor.

    Args:
        law: a law of N and D, or of C; or its name.
        table: runs of two or more recipes.
        key: a JAX random key.
        by: column of the recipes.
        reference: the recipe that others are compared with; None for the first in order of names.
        floor: "pinned" at the optimum of the reference alone or at a number, "shared", or "free".
        along: "frontier" or "ratio".
        budgets: FLOP of the recipes; None for five between the ends of the compute that all recipes
            have runs at.
        pool: other parameter → "shared", "partial" or "separate"; separate where not named.
        errors: as for :func:`jscale.fit.pooled_posterior`.
        priors: as for :func:`jscale.fit.pooled_posterior`.
        **settings: of the sampler: ``chains``, ``warmup``, ``draws``, ``sampler``, ``progress``.

    Raises:
        JscaleError: an unknown floor, recipe or way, a law without compute, and what
            :func:`jscale.fit.pooled_posterior` raises.

    Example:
        >>> import jax
        >>> from jscale import assess, laws
        >>> assess.effective_compute(laws.chinchilla, {}, key=jax.random.key(0), floor="low")
        Traceback (most recent call last):
        jscale._core.errors.JscaleError: floor must be pinned, shared, free or a number, not 'low'
    """
    law = as_law(law)
    check_key(key)
    _check_choices(law, floor, along)
    table = as_runs(table)
    from jscale.fit import pooled_posterior  # NumPyro, which a fit does without, comes with it

    chosen = _checked_reference(table, by, reference)
    values = None if budgets is None else _checked_budgets(budgets)
    fitted, modes = _with_floor(law, table, by, chosen, floor)
    separate: dict[str, Any] = {
        n: "separate" for n in describe(fitted).parameter_names if n not in modes
    }
    unknown = [name for name in pool or {} if name in modes]
    if unknown:
        raise JscaleError(
            f"has the floor {enumerated(unknown)}, which the argument floor decides",
            argument="pool",
        )
    posterior = pooled_posterior(
        fitted,
        table,
        by=by,
        pool={**separate, **modes, **(pool or {})},
        key=key,
        errors=errors,
        priors=priors,
        **settings,
    )
    return _compared(posterior, chosen, floor, along, values)


def _compared(
    posterior: "PooledPosterior", chosen: str, floor: Any, along: str, budgets: np.ndarray | None
) -> EffectiveCompute:
    """Multipliers of all recipes but the reference."""
    law, groups = posterior.law, posterior.groups
    inputs = posterior.rows.inputs
    compute = inputs["C"] if "C" in inputs else _FLOP_PER_TOKEN * inputs["N"] * inputs["D"]
    spans, notes = _overlap(posterior, compute)
    values = np.geomspace(*spans, _BUDGETS) if budgets is None else budgets
    ratio = None
    if along == "ratio" and "N" in inputs:
        ratio = float(np.exp(np.log(inputs["D"] / inputs["N"]).mean()))
    draws = {label: _thinned(posterior, i) for i, label in enumerate(groups)}
    recipes = tuple(label for label in groups if label != chosen)
    result = np.stack(
        [multipliers(law, draws[chosen], draws[label], values, ratio=ratio) for label in recipes]
    )
    lost = float(np.isnan(result).mean())
    if lost > 0:
        message = f"{lost:.1%} of the multipliers could not be computed and are left out"
        notes = (*notes, Note("lost-draws", "warning", message, {"share": lost}))
    if beyond := float(np.isinf(result).mean()):
        message = (
            f"in {beyond:.1%} of the draws {chosen} does not reach the loss with any compute: its "
            "floor is above it; compare with floor='shared', or at smaller budgets"
        )
        notes = (*notes, Note("unreached-loss", "warning", message, {"share": beyond}))
    return EffectiveCompute(
        reference=chosen,
        recipes=recipes,
        budgets=values,
        draws=result,
        floor=floor if isinstance(floor, str) else "pinned",
        along=along,
        ratio=ratio,
        posterior=posterior,
        notes=(*notes, *posterior.notes),
    )


def _check_choices(law: LawFunction, floor: Any, along: Any) -> None:
    """Check the arguments that need no runs."""
    is_number = isinstance(floor, int | float) and not isinstance(floor, bool)
    if not (is_number and math.isfinite(floor)) and floor not in FLOORS:
        raise JscaleError(
            f"must be {', '.join(FLOORS)} or a number, not {shown(floor)}", argument="floor"
        )
    if along not in ALONG:
        raise JscaleError(
            f"must be {enumerated(ALONG, last=' or ')}, not {shown(along)}", argument="along"
        )
    names = set(describe(law).input_names)
    if not ({"N", "D"} <= names or "C" in names):
        raise JscaleError(
            f"effective_compute: law {describe(law).name!r} has no compute: its inputs are "
            f"{enumerated(sorted(names))}; expected N and D, or C"
        )
    needed = {each.name for each in describe(law).inputs if each.default is None}
    if others := sorted(needed - ({"C"} if "C" in names else {"N", "D"})):
        raise JscaleError(
            f"effective_compute: law {describe(law).name!r} also needs {enumerated(others)}, and a "
            "multiplier is of compute alone; expected a law of N and D, or of C"
        )


def _with_floor(
    law: LawFunction, table: Runs, by: str, chosen: str, floor: Any
) -> tuple[LawFunction, dict[str, Any]]:
    """The law, with its floor fixed where it is pinned, and the mode of the floor elsewhere."""
    names = [p.name for p in describe(law).parameters if p.role.name == "irreducible loss"]
    if floor in ("shared", "free"):
        return law, dict.fromkeys(names, "shared" if floor == "shared" else "separate")
    if not names:
        raise JscaleError(
            f"effective_compute: law {describe(law).name!r} has no floor to pin; expected "
            "floor='free'"
        )
    if not isinstance(floor, str):
        return fix(law, **dict.fromkeys(names, float(floor))), {}
    alone = point(law, table.where(labels_of(np.asarray(table[by])) == chosen))
    return fix(law, **{name: float(alone.params[name]) for name in names}), {}


def _checked_reference(table: Runs, by: Any, reference: Any) -> str:
    """The recipe that others are compared with, as the groups of a posterior have it."""
    if not isinstance(by, str) or by not in table:
        raise JscaleError(f": {table.no_column(str(by))}", argument="by")
    groups = np.unique(labels_of(np.asarray(table[by]))).tolist()
    if reference is None:
        return groups[0]
    chosen = str(labels_of(np.asarray([reference]))[0])
    if chosen not in groups:
        raise JscaleError(
            f": no recipe {shown(chosen)} in column {shown(by)} (there are: {enumerated(groups)})"
            f"{did_you_mean(chosen, groups)}",
            argument="reference",
        )
    return chosen


def _overlap(
    posterior: "PooledPosterior", compute: np.ndarray
) -> tuple[tuple[float, float], tuple[Note, ...]]:
    """The ends of the compute that all recipes have runs at; of all runs where there is none."""
    labels = labels_of(posterior.rows.columns[posterior.by])
    lows = [compute[labels == group].min() for group in posterior.groups]
    highs = [compute[labels == group].max() for group in posterior.groups]
    low, high = max(lows), min(highs)
    if low <= high:
        return (float(low), float(high)), ()
    message = (
        f"no compute has runs of all recipes: the multipliers between {min(lows):.3g} and "
        f"{max(highs):.3g} FLOP extrapolate one recipe or the other"
    )
    note = Note(
        "recipes-do-not-overlap", "warning", message, {"low": min(lows), "high": max(highs)}
    )
    return (float(min(lows)), float(max(highs))), (note,)


def _checked_budgets(budgets: Any) -> np.ndarray:
    """Budgets as an array."""
    try:
        values = np.atleast_1d(np.asarray(budgets, float))
    except (TypeError, ValueError):
        values = np.array([math.nan])
    if values.ndim != 1 or not values.size or not (np.isfinite(values) & (values > 0)).all():
        raise JscaleError(
            f"must be finite numbers of FLOP above 0, not {shown(budgets)}", argument="budgets"
        )
    return values


def _thinned(posterior: "PooledPosterior", group: int) -> dict[str, np.ndarray]:
    """Parameters of a group at up to :data:`_DRAWS` evenly spaced draws."""
    count = len(posterior.diverging)
    kept = np.unique(np.linspace(0, count - 1, min(count, _DRAWS)).round().astype(int))
    return {
        name: (values if values.ndim == 1 else values[:, group])[kept]
        for name, values in posterior.draws.items()
    }
