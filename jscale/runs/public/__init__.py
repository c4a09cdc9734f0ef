"""Public data sets: catalogue, download with hashes, tidy-up."""

from jscale.runs.public._catalogue import Dataset, dataset, datasets

__all__ = [
    "Dataset",
    "dataset",
    "datasets",
]
