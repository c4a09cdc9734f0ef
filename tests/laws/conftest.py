"""Fits of laws to runs that are simulated by them go without the second optimiser."""

import pytest


@pytest.fixture(autouse=True, scope="module")
def _one_optimiser(one_optimiser: None) -> None:
    """What such a fit must reach is known."""
