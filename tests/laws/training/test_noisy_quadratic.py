"""The noisy quadratic system: the predictions that its authors print, and limits of its sums."""

import numpy as np
import pytest
from scipy.special import zeta

from jscale import laws
from tests.laws.catalogue_points import in_dtype

THETA = laws.params(laws.noisy_quadratic)
SEQUENCE = 128

PRINTED = [
    # N, sequences per batch, steps; prediction: demo_log.txt of the authors' code.
    (1e7, 393216, 313, 4.0442),
    (1e7, 98304, 78, 5.0591),
    (1e7, 48, 160000, 2.8031),
    (256e6, 245, 1242, 3.2160),
]


def system(N: float, batch: float, rates: list[tuple[float, int]] | None, steps: int) -> float:
    """The loss with the directions of the authors' code: 100 one by one, then 20 nodes.

    ``rates`` are pairs of a learning rate and a number of steps; None for the authors' rule, which
    lowers the rate as the squared norm of the weights grows past ``0.0004 N``, and never raises it.
    """
    P, p, Q, q, R, r = (THETA[name] for name in ("P", "p", "Q", "q", "R", "r"))
    nodes, weights = np.polynomial.legendre.leggauss(20)
    half = np.log(N / 100) / 2
    beyond = np.exp(np.log(100) + half * (nodes + 1))
    n = np.concatenate([beyond, np.arange(1, 101)])
    weights = np.concatenate([weights * half * beyond, np.ones(100)])

    curvature, excess = Q * n**-q, P / 2 * n**-p
    kept, spread, rate = np.ones_like(n), np.zeros_like(n), 1.999

    def noise() -> np.ndarray:
        return curvature * R / SEQUENCE * n**-r * spread / 2

    interval = max(steps // 100, min(1000, steps // 10))
    whole, rest = divmod(steps, interval)
    for count in [interval] * whole + [rest] * (rest > 0):
        if rates is None:
            norm = (1 - 2 * np.sqrt(kept)) * 2 * excess + 2 * (excess * kept + noise())
            norm = max(float(np.sum(weights * norm / curvature)), 0.0)
            rate = min(rate, 1.999 * (1 - norm / (4e-4 * N + norm)))
        left = (1 - rate * curvature) ** (2 * count)
        filled = (1 - left) / (1 - (1 - rate * curvature) ** 2)
        kept, spread = kept * left, spread * left + rate**2 / batch * filled
    learned = float(np.sum(weights * (excess * kept + noise())))
    return learned + P / 2 * zeta(p, N + 1) + THETA["E"]


@pytest.mark.parametrize(("N", "batch", "steps", "printed"), PRINTED)
def test_predictions_of_the_authors(N, batch, steps, printed):
    """Their rule for the rate gives what they print; at a constant rate the law is the system.

    The authors' nodes and first-order correction leave up to 1e-4 of the loss.
    """
    assert round(system(N, batch, None, steps), 4) == pytest.approx(printed)
    with in_dtype("float64"):
        loss = laws.noisy_quadratic(N, batch * SEQUENCE, steps, **THETA)
    np.testing.assert_allclose(loss, system(N, batch, [], steps), rtol=2e-4)


def test_a_system_without_noise_and_steps_is_the_initial_excess():
    """``E + P / 2 zeta(p)`` at no steps, and ``E + P / 2 zeta(p, N + 1)`` after infinitely many."""
    with in_dtype("float64"):
        at = {"N": 1e8, "batch_tokens": np.inf}
        start, end = (laws.noisy_quadratic(steps=steps, **at, **THETA) for steps in (0.0, np.inf))
    tail = [THETA["E"] + THETA["P"] / 2 * zeta(THETA["p"], first) for first in (1.0, 1e8 + 1)]
    np.testing.assert_allclose([start, end], tail, rtol=1e-12)


def test_the_best_batch_grows_with_the_tokens():
    """A small batch takes more steps, which few tokens need; its noise is what is left of many."""
    tokens = np.array([1e9, 1e11])
    with in_dtype("float64"):
        small, large = (
            laws.noisy_quadratic(1e9, batch, tokens / batch, **THETA) for batch in (1e5, 1e6)
        )
    few, many = np.asarray(large - small)
    assert few > 0 > many
