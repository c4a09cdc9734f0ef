"""Published errors and intervals of the Chinchilla runs."""

import jax
import numpy as np
import pytest

from jscale import fit, laws, runs

pytestmark = pytest.mark.data
PUBLISHED = {"E": 0.0257, "alpha": 0.0154, "beta": 0.0206}
"""Besiroglu et al. 2024: standard deviations of 4,000 bootstrap refits of the summed Huber loss, by
runs."""


@pytest.fixture(scope="module")
def point() -> fit.Point:
    return fit.point(laws.chinchilla, runs.dataset("chinchilla"))


@pytest.mark.smoke
def test_published_standard_errors(point):
    by_rows = fit.bootstrap(point, draws=4000, key=jax.random.key(0))
    assert by_rows.failures == 0
    for name, published in PUBLISHED.items():
        assert by_rows.stderr[name] == pytest.approx(published, rel=0.1), name

    # Runs of one model size share errors, which only resampling whole sizes includes.
    by_size = fit.bootstrap(point, draws=4000, key=jax.random.key(0), kind="cluster", by="N")
    for name in PUBLISHED:
        assert by_size.stderr[name] > 1.05 * by_rows.stderr[name], name
    assert "rows-resampled" in {note.code for note in by_rows.notes}
    assert "rows-resampled" not in {note.code for note in by_size.notes}


def test_the_profile_of_the_exponent_of_size(point):
    """The interval by robust profile contains 1/2, equal growth of size and data."""
    target = {"a": lambda p: p["beta"] / (p["alpha"] + p["beta"])}
    profile = fit.profile(point, target)
    ends = (profile.low, profile.estimate, profile.high)
    np.testing.assert_allclose(ends, (0.48258, 0.51390, 0.54777), atol=5e-5)
