"""Loss curves under a schedule: published values, brute-force sums, edge cases of schedules."""

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest

from jscale import fit, laws, runs
from jscale._core.errors import JscaleError
from jscale.laws.training import _schedule
from jscale.laws.training._schedule import (
    momentum_curve,
    momentum_law,
    multi_power,
    multi_power_curve,
)
from tests.laws.catalogue_points import DTYPES, cast, in_dtype
from tests.laws.exact_functions import Steps

PEAK = 3e-4
MPL = laws.params(multi_power(), "luo2025_25M")
MOMENTUM = {"L0": 2.6, "A": 0.5, "alpha": 0.5, "C": 3.0, "lam": 0.99}
SCHEDULES = {
    "cosine": _schedule.cosine(60, PEAK, final=3e-5, warmup=6),
    "no warm-up": _schedule.cosine(60, PEAK, final=3e-5),
    "stable": _schedule.wsd(60, PEAK, final=3e-5, decay=12, warmup=6),
    "exponential": _schedule.wsd(60, PEAK, final=3e-5, decay=12, warmup=6, shape="exponential"),
    "to zero": _schedule.linear(60, PEAK, warmup=6),
    "flat": _schedule.constant(60, PEAK, warmup=6),
    "zero in between": np.concatenate(
        [_schedule.linear(30, PEAK, warmup=3), np.zeros(4), np.full(26, PEAK / 2)]
    ),
}
each_schedule = pytest.mark.parametrize("name", SCHEDULES)


@pytest.fixture(autouse=True)
def _double():
    with in_dtype("float64"):
        yield


def value(law, t, theta):
    """The law at some steps as one program: alone, each of its operations would be compiled."""
    return np.asarray(jax.jit(law)(t, **theta))


def test_value():
    """Luo et al. 2025, authors' constants: a cosine of 24,000 steps, summed in blocks."""
    rates = _schedule.cosine(24_000, PEAK, final=3e-5, warmup=2160)
    law = multi_power(rates)
    value_and_slope = jax.jit(jax.value_and_grad(lambda t: law(t, **MPL)))
    (at, _), (after, _), (_, slope) = map(value_and_slope, (24_000.0, 24_001.0, 24_000.5))
    np.testing.assert_allclose(at, 3.207207641, rtol=1e-9)
    np.testing.assert_allclose(slope, after - at, rtol=1e-3)
    assert slope < 0


def momentum_by_hand(rates, t, theta, lam):
    """The double sum as printed, in 40 digits, over the falls after the warm-up."""
    steps = Steps(rates)
    decreases = dict(steps.decreases)
    annealing = sum(
        decreases.get(k, 0) * lam ** (i - k) for i in range(1, t + 1) for k in range(1, i + 1)
    )
    area = sum(steps.rates[: t + 1])
    return theta["L0"] + theta["A"] * area ** -mpmath.mpf(theta["alpha"]) - theta["C"] * annealing


@pytest.mark.parametrize("name", ["cosine", "stable", "to zero"])
def test_momentum_is_the_printed_double_sum(name):
    """Value and derivative in lam, Tissue et al. 2024, eq. 1."""
    rates, law = SCHEDULES[name], momentum_law(SCHEDULES[name])
    theta = {k: v for k, v in MOMENTUM.items() if k != "lam"}
    steps = jnp.array([1.0, 7.0, 31.0, 60.0])

    # One program for all steps and memories.
    value_and_slope = jax.vmap(
        jax.value_and_grad(lambda lam, t: law(t, **theta, lam=lam)), (None, 0)
    )
    curve_slope = jax.jacfwd(lambda lam: momentum_curve(rates, {**theta, "lam": lam}))
    program = jax.jit(lambda lam: (*value_and_slope(lam, steps), curve_slope(lam)))

    for lam in (0.5, 0.99, 0.9995):
        values, slopes, curve_slopes = program(lam)
        for i, t in enumerate((1, 7, 31, 60)):
            with mpmath.workdps(40):
                value = momentum_by_hand(rates, t, theta, mpmath.mpf(lam))
                slope = mpmath.diff(
                    lambda x, t=t: momentum_by_hand(rates, t, theta, x), mpmath.mpf(lam)
                )
            np.testing.assert_allclose(values[i], float(value), rtol=1e-14)
            np.testing.assert_allclose(slopes[i], float(slope), rtol=1e-9, atol=1e-16)
            np.testing.assert_allclose(curve_slopes[t], float(slope), rtol=1e-9, atol=1e-16)


@each_schedule
def test_curves_are_the_laws(name):
    rates, steps = SCHEDULES[name], np.arange(1, 61)

    @jax.jit
    def laws_and_curves(rates):
        laws_at_steps = (
            momentum_law(SCHEDULES[name])(steps, **MOMENTUM),
            multi_power(SCHEDULES[name])(steps, **MPL),
        )
        curves = momentum_curve(rates, MOMENTUM), multi_power_curve(rates, MPL, block=7)
        return laws_at_steps, curves

    for at_steps, curve in zip(*laws_and_curves(rates), strict=True):
        np.testing.assert_allclose(curve[1:], at_steps, rtol=1e-13)
        assert np.isfinite(at_steps).all()


@pytest.mark.parametrize("dtype", DTYPES)
@each_schedule
def test_gradients_where_the_rate_is_zero(name, dtype):
    """Steps with a rate of 0 cause no division by zero, and all gradients are finite."""
    laws_and_parameters = (
        (momentum_law(SCHEDULES[name]), MOMENTUM),
        (multi_power(SCHEDULES[name]), MPL),
    )
    with in_dtype(dtype):
        steps = jnp.asarray(np.arange(1, 61), dtype)
        for law, theta in laws_and_parameters:
            slope = jax.grad(lambda t, p, law=law: law(t, **p), (0, 1))
            slopes = jax.jit(jax.vmap(slope, (0, None)))(steps, cast(theta, dtype))
            assert all(np.isfinite(s).all() for s in jax.tree.leaves(slopes))


def test_a_decrease_to_a_rate_of_zero():
    """A decrease to 0 takes effect as soon as the rate is above 0 again."""
    rates = SCHEDULES["zero in between"]
    theta = {"L0": 0.0, "A": 1.0, "alpha": 1.0, "B": 1.0, "C": 1e30, "beta": 1.0, "gamma": 0.5}
    area = np.cumsum(rates)
    # At an infinite pace every decrease counts in full once the rate is above 0.
    during, after = value(multi_power(rates), np.array([33.0, 60.0]), theta)
    np.testing.assert_allclose(during, 1 / area[33] - (PEAK - rates[29]), rtol=1e-12)
    np.testing.assert_allclose(after, 1 / area[60] - PEAK / 2, rtol=1e-12)


def test_the_warm_up_counts_in_the_area_only():
    steps = np.array([3, 6, 40])
    area = np.cumsum(SCHEDULES["flat"])[steps]
    losses = value(multi_power(SCHEDULES["flat"]), steps, MPL)
    np.testing.assert_allclose(losses, MPL["L0"] + MPL["A"] * area ** -MPL["alpha"], rtol=1e-14)
    losses = value(momentum_law(SCHEDULES["flat"]), steps, MOMENTUM)
    np.testing.assert_allclose(losses, 2.6 + 0.5 * area**-0.5, rtol=1e-14)


def test_between_steps():
    """The loss is continuous, and the area is linear between two steps."""
    for law, theta in ((momentum_law(), MOMENTUM), (multi_power(), MPL)):
        for t in (50.0, 100.0, 101.0, 700.0, 1000.0):
            around = value(law, np.array([np.nextafter(t, 0), t, np.nextafter(t, 2e3)]), theta)
            np.testing.assert_allclose(around, around[1], rtol=1e-13)
    half = np.mean(np.cumsum(SCHEDULES["flat"])[[40, 41]])
    loss = value(multi_power(SCHEDULES["flat"]), 40.5, MPL)
    np.testing.assert_allclose(loss, MPL["L0"] + MPL["A"] * half ** -MPL["alpha"])


def test_after_the_last_step_the_last_rate_continues():
    longer = np.append(SCHEDULES["stable"], np.full(40, SCHEDULES["stable"][-1]))
    for family, theta in ((momentum_law, MOMENTUM), (multi_power, MPL)):
        of_all, of_longer = (value(family(r), 95, theta) for r in (SCHEDULES["stable"], longer))
        np.testing.assert_allclose(of_all, of_longer, rtol=1e-13)

    # After a last rate of 0 the loss no longer changes.
    late, last, never = value(multi_power(SCHEDULES["to zero"]), np.array([1e9, 60.0, np.inf]), MPL)
    assert late == last == never


def test_curves_are_differentiable_in_the_rates():
    rates = jnp.asarray(SCHEDULES["stable"])
    for curve, theta in ((momentum_curve, MOMENTUM), (multi_power_curve, MPL)):

        @jax.jit
        @jax.value_and_grad
        def final_loss(r, curve=curve, theta=theta):
            return curve(r, theta, warmup=6)[-1]

        loss, slopes = final_loss(rates)
        whole = jax.jit(curve)(rates, theta)
        np.testing.assert_allclose(loss, whole[-1], rtol=1e-14)
        for i in (3, 40, 50, 55):
            step = 1e-9 * (np.arange(61) == i)
            difference = (final_loss(rates + step)[0] - final_loss(rates - step)[0]) / 2e-9
            np.testing.assert_allclose(slopes[i], difference, rtol=1e-4)


def test_a_decay_beats_a_constant_rate():
    decayed = _schedule.wsd(24_000, PEAK, final=3e-5, decay=4000, warmup=2160)
    constant = _schedule.constant(24_000, PEAK, warmup=2160)
    best, worst = (value(multi_power(r), 24_000, MPL) for r in (decayed, constant))
    assert best < worst - 0.05


def test_equal_schedules_give_the_same_law():
    rates = SCHEDULES["stable"]
    assert multi_power(rates) is multi_power(rates.copy()) is multi_power(rates.tolist())
    assert multi_power(rates) is not multi_power(SCHEDULES["cosine"])
    assert (
        laws.describe(multi_power(rates)).name
        != laws.describe(multi_power(SCHEDULES["cosine"])).name
    )
    assert multi_power() is laws.get("multi_power")
    assert laws.describe(momentum_law()).name == "momentum_law"


@pytest.mark.parametrize(
    ("rates", "message"),
    [
        (2, "array of the learning rates"),
        ([3e-4], "array of the learning rates"),
        ([0.0, 3e-4, -1e-4], "rate of step 2 is -0.0001"),
        ([0.0, np.nan], "rate of step 1 is nan"),
        ([0.0, 0.0], "all rates are 0"),
    ],
)
def test_bad_schedules(rates, message):
    for family in (momentum_law, multi_power):
        with pytest.raises(JscaleError, match=message):
            family(rates)


@pytest.mark.parametrize(
    "make",
    [
        lambda: _schedule.cosine(10, PEAK, final=4e-4),
        lambda: _schedule.cosine(10, -PEAK, final=0.0),
        lambda: _schedule.cosine(10.5, PEAK, final=0.0),  # pyright: ignore[reportArgumentType]
        lambda: _schedule.linear(10, PEAK, warmup=10),
        lambda: _schedule.constant(0, PEAK),
        lambda: _schedule.wsd(10, PEAK, final=0.0, decay=9, warmup=2),
        lambda: _schedule.wsd(10, PEAK, final=0.0, decay=5, shape="exponential"),
    ],
)
def test_bad_arguments_of_schedules(make):
    with pytest.raises(JscaleError, match="expected"):
        make()


@each_schedule
def test_schedules(name):
    rates = SCHEDULES[name]
    assert len(rates) in (61, 31 + 4 + 26)
    assert rates.max() == PEAK
    assert rates.min() >= 0
    if name not in ("no warm-up", "zero in between"):
        np.testing.assert_allclose(rates[:7], PEAK * np.arange(7) / 6, rtol=1e-15)
    if name in ("cosine", "no warm-up", "stable", "exponential"):
        np.testing.assert_allclose(rates[-1], 3e-5, rtol=1e-12)


@pytest.mark.parametrize(("family", "theta"), [(multi_power, MPL), (momentum_law, MOMENTUM)])
def test_recovery(family, theta):
    """A fit to one curve with its decay recovers the curve and the identified parameters."""
    law = family(_schedule.wsd(200, PEAK, final=1e-5, decay=75, warmup=10))
    t = np.unique(np.concatenate([np.geomspace(5, 200, 50), np.arange(125, 200, 4)]).astype(int))
    table = runs.simulate(law, theta, {"t": t.astype(float)}, noise=1e-7, key=jax.random.key(2))
    free = laws.fix(law, gamma=theta["gamma"], beta=theta["beta"]) if family is multi_power else law
    point = fit.point(free, table, starts=4)
    for name in ("L0", "A", "alpha"):
        np.testing.assert_allclose(point.params[name], theta[name], rtol=1e-2, err_msg=name)
    np.testing.assert_allclose(point.predicted, value(law, t, theta), rtol=1e-6)
