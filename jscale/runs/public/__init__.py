"""Public data sets: catalogue, download checked by hash, conversion to columns."""

from jscale.runs.public._dataset import Dataset
from jscale.runs.public._load import dataset, datasets

__all__ = [
    "Dataset",
    "dataset",
    "datasets",
]
