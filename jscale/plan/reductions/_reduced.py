"""The result of one reduction: arrays over named dimensions."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from jscale._core.errors import JscaleError
from jscale._core.text import did_you_mean, shown

if TYPE_CHECKING:
    import pandas
    import xarray


@dataclass(frozen=True)
class Reduced:
    """The result of one reduction.

    Attributes:
        name: of the reduction.
        dims: names of the dimensions; empty for single numbers.
        values: variable → array over ``dims``.
        coords: name → (dimension, array along it): the labels of a dimension under its own name,
            and what else its entries carry.
        attrs: single numbers and texts about the result.

    Example:
        >>> import numpy as np
        >>> from jscale import plan
        >>> cells = plan.grid(lambda x, y: (x - y) ** 2, {"x": np.arange(4.0), "y": [1.0, 2.5]})
        >>> best = cells["best"]
        >>> float(best["value"]), float(best["x"]), float(best["y"])
        (0.0, 1.0, 1.0)
    """

    name: str
    dims: tuple[str, ...]
    values: Mapping[str, np.ndarray]
    coords: Mapping[str, tuple[str, np.ndarray]] = field(default_factory=dict)
    attrs: Mapping[str, Any] = field(default_factory=dict)

    def __getitem__(self, variable: str) -> np.ndarray:
        if variable not in self.values:
            hint = did_you_mean(str(variable), self.values)
            raise JscaleError(f"{self.name} has no variable {shown(variable)}{hint}")
        return self.values[variable]

    def to_xarray(self) -> "xarray.Dataset":
        """The arrays with labelled axes, as an ``xarray.Dataset`` (``.to_netcdf`` writes a file).

        Example:
            >>> import numpy as np
            >>> from jscale import plan
            >>> from jscale.plan import reductions
            >>> valley = reductions.Marginal(keep=("x",))
            >>> axes = {"x": np.arange(3.0), "y": np.arange(2.0)}
            >>> cells = plan.grid(lambda x, y: x + (y - x) ** 2, axes, reduce=[valley])
            >>> cells["marginal"].to_xarray()["value"].dims
            ('x',)
        """
        import xarray

        variables = {}
        for name, array in self.values.items():
            own = tuple(f"{name}_{i}" for i in range(np.ndim(array)))
            variables[name] = (self.dims if np.ndim(array) == len(self.dims) else own, array)
        return xarray.Dataset(variables, dict(self.coords), dict(self.attrs))

    def to_pandas(self) -> "pandas.DataFrame":
        """The arrays as a table, one row for each entry."""
        dataset = self.to_xarray()
        if not self.dims:
            dataset = dataset.expand_dims("entry")
        return dataset.to_dataframe().reset_index()
