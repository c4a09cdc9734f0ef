"""The isoFLOP approach against closed forms and brute force, and its flags on poor designs."""

import jax
import numpy as np
import pytest

from jscale import fit, laws, runs
from jscale._core.errors import JscaleError
from jscale._core.status import Status
from tests.fit.tables import HOFFMANN

ALPHA, BETA = HOFFMANN["alpha"], HOFFMANN["beta"]
A_EXPONENT = BETA / (ALPHA + BETA)
G = (ALPHA * HOFFMANN["A"] / (BETA * HOFFMANN["B"])) ** (1 / (ALPHA + BETA))
BUDGETS = np.geomspace(1e18, 1e21, 5)


def optimal_size(C: np.ndarray) -> np.ndarray:
    return G * (C / 6) ** A_EXPONENT


def valleys(
    half_width: float = 2.0, points: int = 9, drift: float = 0.0, noise: float = 0.0, seed: int = 0
) -> runs.Runs:
    """Hoffmann's law on symmetric windows about the optimum; ``drift`` moves them by ln C."""
    C = np.repeat(BUDGETS, points)
    offset = np.tile(np.linspace(-half_width, half_width, points), len(BUDGETS)) + drift * np.log(
        C / 1e18
    )
    N = optimal_size(C) * np.exp(offset)
    design = {"N": N, "D": C / (6 * N), "C": C}
    return runs.simulate(laws.chinchilla, HOFFMANN, design, noise=noise, key=jax.random.key(seed))


def one_budget(N: np.ndarray, loss: np.ndarray) -> runs.Runs:
    return runs.read({"N": N, "D": 1e20 / (6 * N), "C": np.full(len(N), 1e20), "loss": loss})


def test_law_shaped_valleys_recover_the_law():
    result = fit.isoflop(valleys(drift=0.1), curve="law", law=None)
    assert result.status == Status.converged
    assert result.shape == pytest.approx((ALPHA, BETA), rel=1e-8)
    np.testing.assert_allclose([b.N_opt for b in result.budgets], optimal_size(BUDGETS), rtol=1e-9)
    assert result.N is not None
    assert result.D is not None
    assert result.N.exponent == pytest.approx(A_EXPONENT, abs=1e-10)
    assert result.D.exponent == pytest.approx(1 - A_EXPONENT, abs=1e-10)
    np.testing.assert_allclose(result.N.at(BUDGETS), optimal_size(BUDGETS), rtol=1e-8)


@pytest.mark.parametrize("degree", [2, 3])
def test_the_bias_on_a_grid_equals_brute_force(degree: int):
    table = valleys(drift=0.1)
    result = fit.isoflop(table, curve="parabola" if degree == 2 else "cubic", params=HOFFMANN)
    expected = []
    for C in BUDGETS:
        rows = table["C"] == C
        x = np.log(table["N"][rows] / optimal_size(C))
        slope = np.polynomial.Polynomial.fit(x, table["loss"][rows], degree).deriv()
        roots = [r.real for r in np.atleast_1d(slope.roots()) if slope.deriv()(r).real > 0]
        expected.append(roots[0])
    assert result.bias is not None
    assert result.corrected is not None
    assert result.corrected.N is not None
    np.testing.assert_allclose(result.bias.log_N_true, np.log(optimal_size(BUDGETS)), rtol=1e-12)
    np.testing.assert_allclose(result.bias.log_N, expected, atol=1e-9)
    assert result.bias.exponent == pytest.approx(
        np.polyfit(np.log(BUDGETS), expected, 1)[0], abs=1e-10
    )
    assert abs(result.bias.exponent) > 1e-3
    assert result.corrected.N.exponent == pytest.approx(A_EXPONENT, abs=1e-10)


def test_the_bias_on_symmetric_windows_has_a_closed_form():
    """The odd part of the loss gives the parabola's slope there, the even part its curvature."""
    half_width, points = 2.0, 9
    x = np.linspace(-half_width, half_width, points)
    odd = -np.sinh(ALPHA * x) / ALPHA + np.sinh(BETA * x) / BETA
    even = np.cosh(ALPHA * x) / ALPHA + np.cosh(BETA * x) / BETA
    slope = (x * odd).sum() / (x * x).sum()
    curvature = np.cov(x**2, even)[0, 1] / np.var(x**2, ddof=1)
    result = fit.isoflop(valleys(half_width, points), params=HOFFMANN)
    assert result.bias is not None
    np.testing.assert_allclose(result.bias.log_N, -slope / (2 * curvature), rtol=1e-9)
    # The same window at every budget shifts the coefficient and leaves the exponent alone.
    assert abs(result.bias.exponent) < 1e-12
    assert result.bias.log_coefficient == pytest.approx(-slope / (2 * curvature), rel=1e-6)


def test_the_bias_of_narrow_windows_follows_the_third_derivative():
    """A window of half width w is off by (alpha - beta) w**2 / 10 in the limit.

    The ratio of the third derivative of the loss to the second is beta - alpha.
    """
    result = fit.isoflop(valleys(0.2, 201), params=HOFFMANN)
    assert result.bias is not None
    np.testing.assert_allclose(result.bias.log_N, (ALPHA - BETA) * 0.2**2 / 10, rtol=0.02)


def test_standard_errors_are_the_scatter_of_repeated_experiments():
    exact, rng = valleys(), np.random.default_rng(0)
    noise = np.exp(0.003 * rng.standard_normal((40, len(exact))))
    tables = [runs.read({**exact.columns, "loss": exact["loss"] * z}) for z in noise]
    results = [fit.isoflop(table, law=None) for table in tables]
    log_N = np.log([[b.N_opt for b in r.budgets] for r in results])
    stated = np.array([[b.log_stderr for b in r.budgets] for r in results])
    # 200 valleys: the ratio is known to about 6%.
    assert 0.8 < np.sqrt((stated**2).mean() / log_N.var(axis=0, ddof=1).mean()) < 1.2


def test_draws_of_noise_and_rows():
    table = valleys(noise=0.003)
    noisy = runs.read({**table.columns, "loss_se": 0.003 * table["loss"]})
    key = jax.random.key(3)
    stated = np.array([b.log_stderr for b in fit.isoflop(table, law=None).budgets])
    for resample, source in (("rows", table), ("noise", noisy)):
        result = fit.isoflop(source, law=None, resample=resample, draws=400, key=key)
        same = fit.isoflop(source, law=None, resample=resample, draws=400, key=key)
        assert result.draws is not None
        assert same.draws is not None
        assert result.draws.tobytes() == same.draws.tobytes()
        assert result.N is not None
        low, high = result.N.interval
        assert low < A_EXPONENT < high
        assert low < result.N.exponent < high
        ratio = np.array([b.log_stderr for b in result.budgets]) / stated
        assert 0.4 < np.median(ratio) < 2.5
    median = result.through_medians()
    assert median is not None
    assert result.N is not None
    assert median.exponent == pytest.approx(result.N.exponent, abs=result.N.stderr)


def test_nearly_equal_compute_is_one_budget():
    table = valleys(points=7)
    spread = np.exp(0.01 * np.cos(np.arange(len(table))))
    perturbed = runs.read(
        {"N": table["N"], "D": table["D"] * spread, "C": table["C"] * spread, "loss": table["loss"]}
    )
    assert len(fit.isoflop(perturbed, law=None).budgets) == len(BUDGETS)
    named = runs.read({**perturbed.columns, "group": [f"{C:.0e}" for C in table["C"]]})
    separate = fit.isoflop(named, law=None, tolerance=0.0)
    by_name = fit.isoflop(named, law=None, tolerance=0.0, by="group")
    assert len(separate.budgets) > len(BUDGETS) == len(by_name.budgets)


SIZES = np.geomspace(1e8, 1e10, 7)
X = np.log(SIZES / 1e9)


@pytest.mark.parametrize(
    ("loss", "flags", "status", "has_minimum"),
    [
        (2 + 0.05 * (X - 4.0) ** 2, {"unbracketed"}, Status.no_interior_optimum, True),
        (2 + 0.05 * (X - 1.8) ** 2, {"off_centre"}, Status.converged, True),
        (2 - 0.05 * X**2, {"unbracketed", "weak_curvature"}, Status.no_interior_optimum, False),
        (2 + 0.1 * np.cos(5 * X) + 1e-3 * X**2, {"weak_curvature"}, None, None),
        (np.full(7, 2.0), {"weak_curvature"}, None, None),
        (2 + 0.05 * X**2, set(), Status.converged, True),
    ],
    ids=["outside", "off-centre", "concave", "periodic", "flat", "regular"],
)
def test_flags(loss: np.ndarray, flags: set[str], status: Status | None, has_minimum: bool | None):
    result = fit.isoflop(one_budget(SIZES, loss), law=None)
    (budget,) = result.budgets
    assert flags <= set(budget.flags)
    if status is not None:
        assert set(budget.flags) == flags
        assert budget.status == status
        assert np.isfinite(budget.N_opt) == has_minimum
    assert not (np.isnan(budget.N_opt) and budget.status == Status.converged)
    # One budget does not determine a power law.
    assert result.status != Status.converged
    assert result.N is None
    codes = {note.code for note in result.notes}
    assert {flag.replace("_", "-") for flag in budget.flags} | {"no-power-law"} <= codes
    assert "headline-flagged" not in codes
    (note,) = [note for note in result.notes if note.code == "no-power-law"]
    count = "1 of 1 budgets has" if np.isfinite(budget.N_opt) else "0 of 1 budgets have"
    assert note.message == f"no power law: {count} a minimum; expected two or more"


@pytest.mark.parametrize("curve", ["parabola", "cubic", "akima"])
def test_two_sizes_have_no_minimum(curve: str):
    result = fit.isoflop(one_budget(SIZES[:2], np.array([2.0, 2.1])), curve=curve, law=None)
    (budget,) = result.budgets
    assert budget.flags == ("few_points",)
    assert budget.status == Status.collinear_design
    assert np.isnan(budget.N_opt)
    assert result.status == Status.no_interior_optimum
    assert {"few-points", "no-minimum", "no-power-law"} <= {note.code for note in result.notes}
    (note,) = [note for note in result.notes if note.code == "no-power-law"]
    assert note.message == (
        "no minimum and no power law: no budget has enough sizes for the curve "
        f"(1 budget of at most 2 runs); expected {4 if curve == 'cubic' else 3} or more sizes at "
        "equal compute, at two or more budgets"
    )


def test_flagged_budgets_are_left_out_of_the_headline():
    table = valleys(noise=1e-4)
    last = table["C"] == BUDGETS[-1]
    # Only the rising side, away from the minimum.
    used = ~last | (table["N"] > 1.2 * optimal_size(table["C"]))
    result = fit.isoflop(table.where(used), law=None)
    assert "unbracketed" in result.budgets[-1].flags
    assert result.headline == "unflagged"
    assert result.N is not None
    assert result.N.points == len(BUDGETS) - 1
    assert result.fits["all"].N is not None
    assert result.fits["all"].N.points == len(BUDGETS)


def test_a_certified_law_gives_the_bias_and_too_few_runs_give_none():
    result = fit.isoflop(valleys(noise=1e-4, points=7))
    assert result.bias is not None
    exact = fit.isoflop(valleys(points=7), params=HOFFMANN).bias
    assert exact is not None
    np.testing.assert_allclose(result.bias.log_N, exact.log_N, atol=1e-3)
    few = fit.isoflop(one_budget(SIZES[:3], np.array([2.1, 2.0, 2.1])))
    assert few.bias is None
    assert "no-bias" in {note.code for note in few.notes}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"curve": "quartic"}, "no curve 'quartic'; expected one of parabola, cubic, law, akima"),
        ({"tolerance": -0.1}, "tolerance must be a share of 0 or more"),
        ({"draws": 10}, "draws and key belong together"),
        ({"draws": 10, "key": 3}, "key must be a JAX random key"),
        ({"draws": 1, "key": jax.random.key(0)}, "at least 2, not 1"),
        ({"resample": "runs"}, "expected one of rows, noise"),
        ({"resample": "noise", "draws": 9, "key": jax.random.key(0)}, "'loss_se'"),
        ({"curve": "akima", "draws": 9, "key": jax.random.key(0)}, "goes through all its points"),
        ({"by": "sweep"}, "no column 'sweep'"),
        ({"law": laws.kaplan_size}, "needs a law of N and D"),
        ({"params": {"E": 1.7}}, "needs the parameters E, A, B, alpha, beta"),
        ({"law": None, "params": HOFFMANN}, "params belong to a law"),
    ],
)
def test_a_mistake_is_one_line(options: dict, message: str):
    with pytest.raises(JscaleError, match=message):
        fit.isoflop(valleys(points=5), **options)


def test_law_shaped_valleys_need_more_than_three_runs_a_budget():
    with pytest.raises(JscaleError, match="at least two runs more than 3 a budget"):
        fit.isoflop(valleys(points=3), curve="law", law=None)
