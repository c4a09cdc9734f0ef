"""Laws of quantised training recipes: published values, limits, and the division of a budget."""

import jax
import numpy as np
import pytest

from jscale import laws, plan
from jscale._core.errors import JscaleError
from jscale._core.scope import float64
from jscale._core.status import Status
from tests.tolerances import VALUE

THETA = laws.params(laws.quartet)
PRINTED = (
    # N, D, losses in BF16, with QuEST forward, and with stochastic rounding backward.
    (30482560, 2861, 3.41571, 3.48209, 3.4302),
    (30482560, 91552, 3.0609, 3.16289, 3.0711),
    (102777856, 305175, 2.76273, 2.84843, 2.7713),
    (203188480, 19073, 2.88419, 2.94854, 2.89457),
)
"""Of the notebook of Castro et al. 2025; D in steps of 512 * 512 tokens."""


@pytest.fixture(autouse=True, scope="module")
def float64_mode():
    with float64():
        yield


@pytest.mark.parametrize("row", PRINTED, ids=lambda row: f"{row[0]:.0e}-{row[1]}")
def test_multipliers_meet_the_losses_they_were_fitted_to(row):
    """Within three times the scatter of 0.25% of the formats."""
    N, steps, full, forward, backward = row
    D = steps * 512 * 512.0
    quest, rounded = laws.FORWARD_FORMATS["quest"].share, laws.BACKWARD_FORMATS["sr"].share
    for shares, loss in (((1, 1), full), ((quest, 1), forward), ((1, rounded), backward)):
        assert laws.quartet(N, D, *shares, **THETA) == pytest.approx(loss, rel=0.0075)


def test_full_precision_is_the_coupled_law():
    expected = laws.coupled(1e8, 2e9, **THETA)
    assert laws.quartet(1e8, 2e9, 1.0, 1.0, **THETA) == pytest.approx(expected, rel=1e-14)


def test_every_format_of_a_family_has_its_multiplier():
    law = laws.get("pass_formats(2, 3)")
    shares = {"eff_N_1": 0.7, "eff_N_2": 0.4, "eff_D_1": 0.9, "eff_D_2": 0.8, "eff_D_3": 0.95}
    for i in (0, 1, 2):
        for j in (0, 1, 3):
            columns = {f"forward_{k}": float(i == k) for k in (1, 2)}
            columns |= {f"backward_{k}": float(j == k) for k in (1, 2, 3)}
            expected = laws.quartet(
                1e8, 2e9, shares.get(f"eff_N_{i}", 1.0), shares.get(f"eff_D_{j}", 1.0), **THETA
            )
            value = law(1e8, 2e9, **columns, **THETA, **shares)
            np.testing.assert_allclose(value, expected, rtol=VALUE["float64"])


def test_members_of_a_family_by_name():
    assert laws.get("pass_formats(2, 1)") is laws.pass_formats(2, 1)
    assert laws.get("pass_formats(2)") is laws.pass_formats(2)
    assert laws.describe(laws.pass_formats(2, 2)).name == "pass_formats(2)"
    for call, message in (
        (lambda: laws.pass_formats(0), "forward is 0; expected a whole number of at least 1"),
        (lambda: laws.pass_formats(1, 0), "backward is 0; expected a whole number"),
        (lambda: laws.get("pass_formats(1, 2, 3)"), r"write pass_formats\(2\)"),
        (lambda: laws.get("bnsl(1, 2)"), r"write bnsl\(2\)"),
    ):
        with pytest.raises(JscaleError, match=message):
            call()


def test_the_best_share_of_quantised_training():
    """0.106, 0.232 and 0.339 at 20, 100 and 500 tokens per byte: Dremov et al. 2025."""
    theta = laws.params(laws.qat_share)
    D = np.array([20.0, 100.0, 500.0]) * 1e9 * 4 / 8
    np.testing.assert_allclose(
        laws.qat_share(1e9, D, 4, **theta), [0.106, 0.232, 0.339], atol=0.0005
    )
    slope = jax.grad(lambda D: laws.qat_share(1e9, D, 4, **theta))
    assert slope(0.4e9) == slope(0.5e9) == 0.0
    assert slope(0.5000001e9) == 0.0
    assert 0 < slope(1e9) < np.inf


def test_the_split_spends_all_tokens_and_follows_draws():
    draws = np.array([5.0, 6.7297, 9.0])
    split = plan.qat_split(8e9, 1e12, 4, a=draws)
    expected = np.exp(-draws / np.log(250.0))
    np.testing.assert_allclose(split.share, expected, rtol=1e-14)
    np.testing.assert_allclose(split.D_full + split.D_quantised, 1e12, rtol=1e-14)
    np.testing.assert_allclose(split.ratio, 250.0, rtol=1e-14)
    np.testing.assert_allclose(plan.qat_split(8e9, 1e12, 4).share, expected[1], rtol=1e-14)
    assert split.status.tolist() == [Status.converged] * 3
    one_byte = plan.qat_split(8e9, 4e9, 4)  # one token per byte: no quantised phase
    assert (one_byte.D_quantised, one_byte.status) == (0.0, Status.at_bound)
    slope = jax.grad(lambda D: plan.qat_split(8e9, D, 4).D_full)(1e12)
    step = 1e6
    up, down = (plan.qat_split(8e9, 1e12 + d, 4).D_full for d in (step, -step))
    np.testing.assert_allclose(slope, (up - down) / (2 * step), rtol=1e-6)
    with pytest.raises(JscaleError, match="N must be a finite number above 0"):
        plan.qat_split(0.0, 1e12, 4)
    with pytest.raises(JscaleError, match=r"P_w\[1\] must be bits below 16, .* not 32"):
        plan.qat_split(8e9, 1e12, np.array([4.0, 32.0]))


def test_optimisers_by_their_share():
    theta = {"E": 1.7, "A": 400.0, "alpha": 0.34}
    losses = {
        name: float(laws.optimiser_qat(1e9, 1.0, rho=rho, **theta))
        for name, rho in laws.QAT_OPTIMISERS.items()
    }
    assert sorted(losses, key=losses.__getitem__) == list(laws.QAT_OPTIMISERS)
    full = laws.optimiser_qat(1e9, 0.0, rho=0.5, **theta)
    assert full == pytest.approx(laws.power_size(1e9, L_inf=1.7, A=400.0, alpha=0.34), rel=1e-14)
