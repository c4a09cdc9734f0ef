"""The range of an irreducible loss, which may lie above the smallest loss by the noise."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jscale import fit, laws, runs
from jscale._core.errors import JscaleError
from jscale._core.scope import float64
from jscale.fit.objective import centred_coordinates
from jscale.fit.objective._floor import highest_floor

PLATEAU = {"L_inf": 2.0, "A": 2.0 * 1e8**0.5, "alpha": 0.5}
TOKENS = np.geomspace(1e8, 1e13, 48)


def plateau(seed: int, noise: float = 0.01) -> runs.Runs:
    """Runs whose loss levels off: the last third lies within one sd of the noise of the floor."""
    key = jax.random.key(seed)
    return runs.simulate(laws.power_data, PLATEAU, {"D": TOKENS}, noise=noise, key=key)


def test_the_range_ends_above_the_smallest_loss_by_the_scatter():
    for noise in (0.003, 0.01, 0.03):
        table = plateau(0, noise)
        excess = np.log(highest_floor({"D": TOKENS}, table["loss"]) / table["loss"].min())
        assert 2.5 * noise < excess < 6 * noise + 0.02, noise


def test_an_outlier_far_below_does_not_end_the_range():
    loss = np.array(plateau(0)["loss"])
    loss[20] = 0.5
    assert 1.9 < highest_floor({"D": TOKENS}, loss) < 2.3


@pytest.mark.parametrize("loss", [[3.0, 2.0, 2.5], [2.0], [2.0, 2.0, 2.0, 2.0, 2.0, 2.0]])
def test_tables_without_a_measure_of_scatter(loss):
    """Few runs have a scatter of 1%, equal ones none."""
    column = np.geomspace(1e8, 1e10, len(loss))
    assert 2.0 <= highest_floor({"D": column}, np.array(loss)) <= 2.0 * np.exp(0.04) + 1e-12


def test_losses_without_logarithm_end_the_range_themselves():
    assert highest_floor({"D": TOKENS[:3]}, np.array([1.0, 0.0, -1.0])) == -1.0


def test_columns_that_are_constant_infinite_or_zero_have_no_terms():
    inputs = {"D": TOKENS, "P_w": np.full(48, np.inf), "N": np.full(48, 1e9), "s": TOKENS - 1e8}
    with np.errstate(all="raise"):
        assert np.isfinite(highest_floor(inputs, np.array(plateau(1)["loss"])))


def test_the_coordinate_has_finite_gradients_on_both_sides_of_the_smallest_loss():
    table = plateau(0)
    record = laws.describe(laws.power_data)
    coordinates = centred_coordinates(record, {"D": TOKENS}, table["loss"])
    with float64():
        for floor in (0.99 * table["loss"].min(), table["loss"].min(), 1.01 * table["loss"].min()):
            free = coordinates.to_free({**PLATEAU, "L_inf": floor})
            assert coordinates.to_params(free)["L_inf"] == pytest.approx(floor, rel=1e-12)
            jacobian = jax.jacfwd(lambda z: coordinates.to_params(z)["L_inf"])(free)
            assert jnp.isfinite(jacobian).all()
            assert jacobian[0] > 0


def test_intervals_of_runs_on_a_plateau_cover_the_truth():
    """90% profile intervals; up to the smallest loss alone, 48% of them cover alpha."""
    covered = []
    for seed in range(60):
        point = fit.point(laws.power_data, plateau(seed), objective="log-squares", starts=8)
        intervals = fit.intervals(point, targets=("alpha", "L_inf"), kinds=("profile",), level=0.9)
        row = {interval.target: interval for interval in intervals.rows}
        covered.append([row[name].low <= PLATEAU[name] <= row[name].high for name in row])
    assert (np.mean(covered, axis=0) >= 0.85).all()


def test_a_law_that_needs_its_floor_below_every_loss_keeps_it_there():
    anchors = {p.name: p.role.anchor for p in laws.describe(laws.m4).parameters}
    assert anchors["eps_inf"].multiplies == "1 / loss_min"


@pytest.mark.parametrize("of", [fit.point, fit.model])
def test_a_fixed_floor_may_exceed_losses_by_the_noise_only(of):
    table = plateau(3)
    assert table["loss"].min() < 1.99
    of(laws.fix(laws.power_data, L_inf=2.0), table)
    with pytest.raises(JscaleError, match=r"floor L_inf = 2.5 that was fixed, by more than the sc"):
        of(laws.fix(laws.power_data, L_inf=2.5), table)
