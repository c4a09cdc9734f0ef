"""Tables of training runs: read, validate, select for a law, simulate, and the public data sets."""

from jscale.runs._select import Data, TableLike, as_runs, columns_of, inputs, select
from jscale.runs._simulate import simulate
from jscale.runs._table import Runs
from jscale.runs.public import Dataset, dataset, datasets
from jscale.runs.reading import read
from jscale.runs.tables import convert_loss

__all__ = [
    "Data",
    "Dataset",
    "Runs",
    "TableLike",
    "as_runs",
    "columns_of",
    "convert_loss",
    "dataset",
    "datasets",
    "inputs",
    "read",
    "select",
    "simulate",
]
