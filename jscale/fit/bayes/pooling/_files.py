"""Pooled posteriors as ArviZ trees and netCDF files."""

import json
import os
from typing import TYPE_CHECKING, Any

import numpy as np

from jscale._core.files import replacing
from jscale.fit.bayes import _arviz, files
from jscale.fit.bayes._pool import BY_GROUP
from jscale.fit.errors import noise_ranges
from jscale.laws import describe

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jscale.fit.bayes.pooling._pooled import PooledPosterior

_GROUP = "group"
"""Dimension of the groups in ArviZ's trees."""


def pooled_tree(pooled: "PooledPosterior") -> Any:
    """What :meth:`PooledPosterior.to_arviz` returns."""
    groups = _draws(pooled)
    dimensions = {name: [_GROUP] for name in groups["posterior"] if name.endswith(BY_GROUP)}
    rows, loss = pooled.rows, pooled.rows.loss
    constant = {name: np.asarray(x, float) for name, x in rows.inputs.items()}
    constant[pooled.by] = rows.columns[pooled.by]
    site = pooled.errors.site
    groups["observed_data"] = {site: loss if pooled.errors.additive else np.log(loss)}
    groups["constant_data"] = constant
    dimensions |= {name: ["run"] for name in (site, *constant)}
    labels = {_GROUP: list(pooled.groups)}
    return _arviz.container(groups, _attributes(pooled), dimensions, labels)


def save_pooled(pooled: "PooledPosterior", path: str | os.PathLike[str]) -> None:
    """What :meth:`PooledPosterior.save` does."""
    groups, record = _draws(pooled), describe(pooled.law)
    where = f"posterior of {pooled.law_name}"
    noise = noise_ranges(pooled.errors, pooled.rows)
    files.check_draws(where, record, groups["posterior"], noise)
    groups |= files.row_groups(pooled.rows)
    dimensions = files.row_dimensions(pooled.rows)
    with replacing(path) as temporary:
        _arviz.write(_arviz.container(groups, _attributes(pooled), dimensions), temporary)
        files.seal(temporary)


def _draws(pooled: "PooledPosterior") -> "dict[str, Mapping[str, np.ndarray]]":
    """The groups ``posterior`` and ``sample_stats``, by (chain, draw)."""
    errors = {**pooled.noise, **pooled.weights}
    shaped = {n: x.reshape(pooled.chains, -1, *x.shape[1:]) for n, x in errors.items()}
    statistics = {"diverging": pooled.diverging.reshape(pooled.chains, -1)}
    if pooled.energy is not None:
        statistics["energy"] = pooled.energy.reshape(pooled.chains, -1)
    return {"posterior": {**pooled.sites(), **shaped}, "sample_stats": statistics}


def _attributes(pooled: "PooledPosterior") -> dict[str, Any]:
    """Attributes of the group ``posterior``."""
    return {
        "law": pooled.law_name,
        "pool": json.dumps({"by": pooled.by, "modes": dict(pooled.pool.modes)}),
        "noise": json.dumps(list(pooled.noise)),
        "errors": str(pooled.errors),
        "columns": files.columns_text(pooled.rows),
        "priors": json.dumps(dict(pooled.priors)),
        "seed": json.dumps(list(pooled.seed)),
        "loss_min": pooled.loss_min,
        **({} if pooled.loss_unit is None else {"loss_unit": pooled.loss_unit}),
        "table_digest": pooled.table_digest,
        "ranges": json.dumps({name: list(ends) for name, ends in pooled.ranges.items()}),
        "notes": json.dumps([(n.code, n.severity, n.message) for n in pooled.notes]),
        "sampler": pooled.sampler,
        "effective_draws": json.dumps(pooled.effective),
        "jscale": pooled.version,
    }
