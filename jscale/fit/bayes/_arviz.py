"""ArviZ in both of its generations: 0.23 (InferenceData) and 1.x (DataTree)."""

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import arviz
import numpy as np

# 1.x still has the old name, with a warning, so the version decides.
_HAS_TREES = int(arviz.__version__.partition(".")[0]) >= 1


def container(
    groups: Mapping[str, Mapping[str, np.ndarray]],
    attributes: Mapping[str, Any],
    dimensions: Mapping[str, list[str]] | None = None,
    coordinates: Mapping[str, list[str]] | None = None,
) -> Any:
    """An InferenceData or a DataTree of arrays (chain, draw), with attributes on the posterior.

    It has no time of creation, so that equal draws give equal files.

    Args:
        groups: group → variable → values.
        attributes: of the posterior.
        dimensions: variable → names of its dimensions besides chain and draw, where they have any.
        coordinates: dimension → labels of its values.
    """
    groups = {name: dict(variables) for name, variables in groups.items()}
    from_dict: Any = arviz.from_dict  # its signature changed between the generations
    named = {"dims": dict(dimensions or {}), "coords": dict(coordinates or {})}
    tree = from_dict(groups, **named) if _HAS_TREES else from_dict(**groups, **named)
    for name in groups:
        tree[name].attrs.pop("created_at", None)  # the same draws give the same bytes
    tree["posterior"].attrs.update(attributes)
    return tree


def write(tree: Any, path: Path) -> None:
    """Write a container to a netCDF file."""
    tree.to_netcdf(str(path))


def diagnostics(draws: Mapping[str, np.ndarray]) -> dict[str, dict[str, float]]:
    """Effective sample sizes of bulk and tails, and rank-normalised split R-hat.

    Args:
        draws: name → (chain, draw).
    """
    # The two halves of a single chain are compared as two chains would be.
    is_single = next(iter(draws.values())).shape[0] == 1
    chains = {name: _halves(values[0]) for name, values in draws.items()} if is_single else draws
    tree = container({"posterior": chains}, {})
    columns = {
        "ess_bulk": _dataset(arviz.ess(tree, method="bulk")),
        "ess_tail": _dataset(arviz.ess(tree, method="tail")),
        "rhat": _dataset(arviz.rhat(tree, method="rank")),
    }
    return {
        name: {column: float(values[name].values) for column, values in columns.items()}
        for name in draws
    }


def smoothed_weights(log_weights: np.ndarray) -> tuple[np.ndarray, float]:
    """Pareto-smoothed log weights (draws,), and the shape of the tail of the weights."""
    smoothed: Any  # the two generations return other kinds of arrays
    shape: Any
    if _HAS_TREES:
        tree = container({"posterior": {"log_ratio": -log_weights[None]}}, {})
        ratios = tree["posterior"]["log_ratio"]  # it takes negative log weights
        smoothed, shape = ratios.azstats.psislw(dim=["chain", "draw"])
    else:
        smoothed, shape = arviz.psislw(log_weights)
    return np.asarray(smoothed).ravel(), float(shape)


def leave_one_out(log_likelihood: np.ndarray, independent: float) -> tuple[np.ndarray, np.ndarray]:
    """Log predictive densities, each left out in turn, and the shapes of the tails, (units,).

    Args:
        log_likelihood: (chain, draw, units).
        independent: effective draws as a share of all.
    """
    groups = {
        "posterior": {"unit": log_likelihood[:, :, 0]},
        "log_likelihood": {"unit": log_likelihood},
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # large tails are the caller's to report
        result: Any = arviz.loo(container(groups, {}), pointwise=True, reff=independent)
    values = result.elpd_i if _HAS_TREES else result.loo_i
    return np.asarray(values), np.asarray(result.pareto_k)


def _halves(chain: np.ndarray) -> np.ndarray:
    """A chain (draws,) as two (2, draws // 2)."""
    return np.stack(np.array_split(chain[: len(chain) // 2 * 2], 2))


def _dataset(result: Any) -> Any:
    return result["posterior"] if "posterior" in getattr(result, "children", {}) else result
