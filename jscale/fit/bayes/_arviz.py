"""ArviZ in both of its generations: 0.23 (InferenceData) and 1.x (DataTree)."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import arviz
import numpy as np

# 1.x still has the old name, with a warning, so the version decides.
_HAS_TREES = int(arviz.__version__.partition(".")[0]) >= 1


def container(groups: Mapping[str, Mapping[str, np.ndarray]], attributes: Mapping[str, Any]) -> Any:
    """An InferenceData or a DataTree of arrays (chain, draw), with attributes on the posterior.

    It has no time of creation, so that equal draws give equal files.
    """
    groups = {name: dict(variables) for name, variables in groups.items()}
    from_dict: Any = arviz.from_dict  # its signature changed between the generations
    tree = from_dict(groups) if _HAS_TREES else from_dict(**groups)
    for name in groups:
        tree[name].attrs.pop("created_at", None)  # the same draws give the same bytes
    for name in groups:
        tree[name].attrs.pop("created_at", None)
    tree["posterior"].attrs.update(attributes)
    return tree


def write(tree: Any, path: Path) -> None:
    """Write a container to a netCDF file."""
    tree.to_netcdf(str(path))


def diagnostics(draws: Mapping[str, np.ndarray]) -> dict[str, dict[str, float]]:
    """Bulk effective sample size and rank-normalised split R-hat of arrays (chain, draw)."""
    # The two halves of a single chain are compared as two chains would be.
    is_single = next(iter(draws.values())).shape[0] == 1
    chains = {name: _halves(values[0]) for name, values in draws.items()} if is_single else draws
    tree = container({"posterior": chains}, {})
    ess = _dataset(arviz.ess(tree, method="bulk"))
    rhat = _dataset(arviz.rhat(tree, method="rank"))
    return {
        name: {"ess_bulk": float(ess[name].values), "rhat": float(rhat[name].values)}
        for name in draws
    }


def _halves(chain: np.ndarray) -> np.ndarray:
    """A chain (draws,) as two (2, draws // 2)."""
    return np.stack(np.array_split(chain[: len(chain) // 2 * 2], 2))


def _dataset(result: Any) -> Any:
    return result["posterior"] if "posterior" in getattr(result, "children", {}) else result
