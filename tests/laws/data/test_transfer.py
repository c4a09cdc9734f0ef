"""Transfer: printed values and how the laws of the chapter hang together."""

import numpy as np

from jscale import laws
from jscale.laws.data import _transfer
from tests.laws.catalogue_points import in_dtype
from tests.tolerances import REFERENCE

TEXT = laws.params(_transfer.transferred_data, "hernandez2021_text")
DENSE = laws.params(laws.kaplan)
D_F, N = 1e7, 1e8


def test_reference_values():
    """Hernandez et al. 2021, Table 1, worked out in 40 digits at 1e7 tokens and 1e8 parameters."""
    with in_dtype("float64"):
        np.testing.assert_allclose(
            _transfer.transferred_data(D_F, N, **TEXT), 379099839.8, rtol=REFERENCE
        )
        np.testing.assert_allclose(
            _transfer.transfer_multiplier(D_F, N, **TEXT), 38.90998398, rtol=REFERENCE
        )


def test_multiplier_is_effective_over_actual_data():
    for source in laws.describe(_transfer.transfer_multiplier).published:
        theta = laws.params(_transfer.transfer_multiplier, source)
        with in_dtype("float64"):
            ratio = _transfer.effective_data(D_F, N, **theta) / D_F
            np.testing.assert_allclose(
                _transfer.transfer_multiplier(D_F, N, **theta), ratio, rtol=1e-14
            )


def test_the_loss_is_kaplans_at_the_data_transferred():
    with in_dtype("float64"):
        value = _transfer.transfer_loss(D_F, N, **DENSE, **TEXT)
        transferred = _transfer.transferred_data(D_F, N, **TEXT)
        np.testing.assert_allclose(value, laws.kaplan(N, transferred, **DENSE), rtol=1e-14)
        assert value > laws.kaplan(N, _transfer.effective_data(D_F, N, **TEXT), **DENSE)


def test_data_and_coefficient_are_degenerate():
    """The ridge that the card names: D_c / k is all that the loss knows."""
    with in_dtype("float64"):
        value = _transfer.transfer_loss(D_F, N, **DENSE, **TEXT)
        moved = {**DENSE, **TEXT, "D_c": 3 * DENSE["D_c"], "k": 3 * TEXT["k"]}
        np.testing.assert_allclose(_transfer.transfer_loss(D_F, N, **moved), value, rtol=1e-13)
        assert abs(_transfer.transfer_loss(D_F, N, **{**moved, "k": TEXT["k"]}) - value) > 1e-3
