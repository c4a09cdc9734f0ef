"""Size and data: the coupled law, over-training, Farseer's surface and several modalities."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from jscale import fit, laws, plan, runs
from jscale.laws.data._modalities import interaction, mixed_modal, unimodal
from jscale.laws.loss._coupled import coupled, coupled_optimum
from jscale.laws.loss._dense import kaplan_enough_data
from jscale.laws.loss._farseer import farseer
from jscale.laws.loss._overtraining import best_ratio, overtraining
from tests.laws.catalogue_points import in_dtype
from tests.tolerances import REFERENCE

N, D = (a.ravel() for a in np.meshgrid(np.geomspace(1e7, 1e12, 6), np.geomspace(1e9, 1e14, 6)))
CHINCHILLA = laws.params(laws.chinchilla)


@pytest.fixture(autouse=True)
def _double():
    with in_dtype("float64"):
        yield


# --- coupled
def kaplan_as_coupled() -> dict[str, float]:
    theta = laws.params(laws.kaplan)
    A, B = theta["N_c"] ** theta["alpha_N"], theta["D_c"] ** theta["alpha_D"]
    return {
        "E": 0.0,
        "A": A,
        "B": B,
        "alpha": theta["alpha_N"],
        "beta": theta["alpha_D"],
        "q": theta["alpha_D"],
    }


def test_chinchilla_and_kaplan_are_the_ends():
    np.testing.assert_allclose(
        coupled(N, D, **CHINCHILLA, q=1.0), laws.chinchilla(N, D, **CHINCHILLA), rtol=1e-14
    )
    value, kaplan = (
        coupled(N, D, **kaplan_as_coupled()),
        laws.kaplan(N, D, **laws.params(laws.kaplan)),
    )
    np.testing.assert_allclose(value, kaplan, rtol=1e-13)


def test_a_small_q_takes_the_larger_term():
    larger = np.maximum(406.4 * N**-0.3392, 410.7 * D**-0.2849)
    np.testing.assert_allclose(coupled(N, D, **CHINCHILLA, q=1e-6), 1.6934 + larger, rtol=1e-6)


@pytest.mark.parametrize("source", ["hoffmann2022", "besiroglu2024", "sardana2023_100"])
@pytest.mark.parametrize("C", [1e18, 5.76e23, 1e28])
def test_closed_optimum_is_that_of_the_planner(source, C):
    theta = laws.params(laws.chinchilla, source)
    best, planned = coupled_optimum(C, **theta), plan.optimal(laws.chinchilla, theta, C)
    np.testing.assert_allclose(best.N_opt, planned.N_opt, rtol=1e-7)
    np.testing.assert_allclose(best.D_opt, planned.D_opt, rtol=1e-7)
    np.testing.assert_allclose(best.loss, planned.loss, rtol=1e-13)
    # Written out: G, a and b of Hoffmann et al. 2022, eq. 4.
    alpha, beta = theta["alpha"], theta["beta"]
    G = (alpha * theta["A"] / (beta * theta["B"])) ** (1 / (alpha + beta))
    np.testing.assert_allclose(best.N_opt, G * (C / 6) ** (beta / (alpha + beta)), rtol=1e-11)
    np.testing.assert_allclose(best.D_opt, (C / 6) ** (alpha / (alpha + beta)) / G, rtol=1e-11)
    ratio = G**-2 * (C / 6) ** ((alpha - beta) / (alpha + beta))
    np.testing.assert_allclose(best.D_opt / best.N_opt, ratio, rtol=1e-11)
    excess = (theta["A"] * G**-alpha + theta["B"] * G**beta) * (C / 6) ** (
        -alpha * beta / (alpha + beta)
    )
    np.testing.assert_allclose(best.loss - theta["E"], excess, rtol=1e-9)


@pytest.mark.parametrize("q", [0.2, 0.6, 1.0, 1.4])
def test_closed_optimum_has_the_lowest_loss(q):
    theta, C = {**CHINCHILLA, "q": q}, 1e22
    best = coupled_optimum(C, **theta)
    sizes = best.N_opt * np.geomspace(0.01, 100, 20_001)
    losses = coupled(sizes, C / 6 / sizes, **theta)
    assert best.loss <= losses.min() * (1 + 1e-14)
    np.testing.assert_allclose(sizes[losses.argmin()], best.N_opt, rtol=1e-3)
    np.testing.assert_allclose(6 * best.N_opt * best.D_opt, C, rtol=1e-13)


def test_kaplan_at_six_flops_a_token():
    """With C = 6ND the optimal size of Kaplan's L(N, D) grows as C**0.575, not C**0.73."""
    best = coupled_optimum(jnp.array([1e20, 1e24]), **kaplan_as_coupled())
    power = jnp.log(best.N_opt[1] / best.N_opt[0]) / jnp.log(1e4)
    np.testing.assert_allclose(power, 1 / (1 + 0.076 / 0.103), rtol=1e-12)
    np.testing.assert_allclose(power, 0.575, atol=5e-4)


def test_closed_optimum_is_differentiable():
    names = list(CHINCHILLA)
    at = jnp.array([1.0, *CHINCHILLA.values(), 0.7])

    @jax.jit
    def sizes(v):
        return jnp.log(
            coupled_optimum(1e22 * v[0], **dict(zip([*names, "q"], v[1:], strict=True))).N_opt
        )

    check_grads(sizes, (at,), order=2, atol=1e-6, rtol=1e-6)
    np.testing.assert_allclose(jax.grad(sizes)(at)[0], 0.2849 / (0.3392 + 0.2849), rtol=1e-12)


def test_recovery_of_the_coupling():
    truth = {**CHINCHILLA, "q": 0.6}
    sizes, tokens = (
        a.ravel() for a in np.meshgrid(np.geomspace(1e8, 1e10, 8), np.geomspace(1e9, 1e12, 8))
    )
    table = runs.simulate(
        coupled, truth, {"N": sizes, "D": tokens}, noise=5e-4, key=jax.random.key(0)
    )
    point = fit.point(coupled, table, starts=8)
    assert point.certificate.converged
    for name, value in truth.items():
        assert abs(point.params[name] - value) < 4 * point.stderr[name], name
    assert point.stderr["q"] < 0.02


# --- Chinchilla's other constants, Kaplan's rule
def test_more_data_per_parameter_steepens_the_fit():
    """Sardana et al. 2023, Table 1: the exponents rise with the largest D / N that is fitted."""
    rows = [
        laws.params(laws.chinchilla, f"sardana2023{end}") for end in ("_100", "_250", "_500", "")
    ]
    assert [r["alpha"] for r in rows] == [0.08, 0.13, 0.13, 0.18]
    assert [r["beta"] for r in rows] == [0.13, 0.16, 0.16, 0.24]


def test_kaplan_enough_data():
    """Kaplan et al. 2020, Section 4.2: 22 B tokens of WebText2 are enough up to about N = 1e9."""
    np.testing.assert_allclose(
        kaplan_enough_data(1e9, **laws.params(kaplan_enough_data)), 2.2e10, rtol=0.05
    )


# --- over-training
@pytest.mark.parametrize(
    ("source", "loss", "ratio"),
    [("gadre2024_c4", 2.462787911, 3.35967193), ("gadre2024_refinedweb", 2.583472034, 5.845224153)],
)
def test_overtraining_worked_out_in_40_digits(source, loss, ratio):
    theta = laws.params(overtraining, source)
    np.testing.assert_allclose(overtraining(1e21, 20, **theta), loss, rtol=REFERENCE)
    np.testing.assert_allclose(
        best_ratio(**{k: theta[k] for k in ("a", "b", "eta")}), ratio, rtol=REFERENCE
    )


@pytest.mark.parametrize("source", laws.describe(overtraining).published)
def test_best_ratio_has_the_lowest_loss(source):
    theta = laws.params(overtraining, source)
    best = best_ratio(**{k: theta[k] for k in ("a", "b", "eta")})
    ratios = best * np.geomspace(0.01, 100, 20_001)
    for C in (1e18, 1e26):
        losses = overtraining(C, ratios, **theta)
        assert overtraining(C, best, **theta) <= losses.min() * (1 + 1e-14)
        np.testing.assert_allclose(ratios[losses.argmin()], best, rtol=1e-3)


def test_overtraining_is_chinchilla_with_equal_exponents():
    theta = {**laws.params(laws.chinchilla, "muennighoff2023")}
    eta = theta["alpha"] / 2
    other = {"E": theta["E"], "a": theta["A"] * 6**eta, "b": theta["B"] * 6**eta, "eta": eta}
    np.testing.assert_allclose(
        overtraining(6 * N * D, D / N, **other), laws.chinchilla(N, D, **theta), rtol=1e-13
    )
    best = coupled_optimum(1e21, **theta)
    np.testing.assert_allclose(
        best_ratio(a=other["a"], b=other["b"], eta=eta), best.D_opt / best.N_opt, rtol=1e-12
    )


def test_recovery_of_overtraining():
    truth = laws.params(overtraining)
    C, M = (a.ravel() for a in np.meshgrid(np.geomspace(1e17, 1e21, 9), np.geomspace(1, 1000, 9)))
    table = runs.simulate(overtraining, truth, {"C": C, "M": M}, noise=2e-3, key=jax.random.key(0))
    point = fit.point(overtraining, table, starts=8)
    assert point.certificate.converged
    for name, value in truth.items():
        assert abs(point.params[name] - value) < 4 * point.stderr[name], name
        assert point.stderr[name] < 0.05 * value, name


# --- Farseer
def test_farseer_worked_out_in_40_digits():
    """The form, with constants made up for the purpose."""
    theta = {
        "a_1": 0.1,
        "alpha": 0.05,
        "b_1": -1.5,
        "a_2": -0.5,
        "beta": 0.08,
        "b_2": 8.0,
        "a_3": -0.2,
        "gamma": 0.06,
        "b_3": 1.2,
    }
    np.testing.assert_allclose(farseer(1e9, 1e11, **theta), 1.780087737, rtol=REFERENCE)


def test_farseer_without_slopes_is_a_power_of_the_data():
    theta = {
        "a_1": 0.0,
        "alpha": 0.1,
        "b_1": np.log(0.28),
        "a_2": 0.0,
        "beta": 0.1,
        "b_2": np.log(410.7),
    }
    theta |= {"a_3": 0.0, "gamma": 0.1, "b_3": np.log(1.69)}
    np.testing.assert_allclose(
        farseer(N, D, **theta), laws.power_data(D, L_inf=1.69, A=410.7, alpha=0.28), rtol=1e-13
    )


def test_farseer_as_published_falls_with_size_and_data():
    """Li et al. 2025, eq. 15: decreasing in both; about 10 tokens per parameter at 1e20 FLOP."""
    theta = laws.params(farseer)
    gradient = jax.jit(jax.vmap(jax.grad(lambda n, d: farseer(n, d, **theta), (0, 1))))
    small = (N <= 1e11) & (D <= 1e13)
    of_size, of_data = gradient(jnp.asarray(N[small]), jnp.asarray(D[small]))
    assert (of_size < 0).all()
    assert (of_data < 0).all()
    ratios = np.geomspace(1, 1000, 3001)

    def best(C):
        sizes = np.sqrt(C / 6 / ratios)
        return ratios[np.argmin(farseer(sizes, sizes * ratios, **theta))]

    assert 9 < best(1e20) < best(1e21) < 13
    # With the printed digits there is no optimum at larger budgets.
    assert best(1e23) == ratios[0]


# --- modalities
def test_unimodal_is_chinchilla_with_other_constants():
    for source in laws.describe(unimodal).published:
        theta = laws.params(unimodal, source)
        np.testing.assert_array_equal(unimodal(N, D, **theta), laws.chinchilla(N, D, **theta))
        # As the notes say, three rows cannot be losses in nats at counts of single parameters and
        # tokens.
        implausible = bool(laws.describe(unimodal).published[source].note)
        assert (float(unimodal(1e9, 2e10, **theta)) > np.log(50_000)) == implausible, source
    # Molecules and code are learned from data and size fastest, images slowest.
    alphas = {
        s.rsplit("2023_")[1]: laws.params(unimodal, s)["alpha"]
        for s in laws.describe(unimodal).published
    }
    assert sorted(alphas, key=lambda m: alphas[m])[:2] == ["image_text", "image"]
    assert {m for m, alpha in alphas.items() if alpha == 0.37} == {"code", "molecules"}


def test_two_modalities():
    first, second = (laws.params(unimodal, f"aghajanyan2023_{m}") for m in ("text", "speech"))
    both = {f"{k}_i": v for k, v in first.items()} | {f"{k}_j": v for k, v in second.items()}
    joint = {"C": 0.1, "A": 50.0, "B": 90.0, "alpha": 0.3, "beta": 0.25}
    mean = (unimodal(N, D, **first) + unimodal(N, 2 * D, **second)) / 2
    value = mixed_modal(N, D, 2 * D, **both, **joint)
    np.testing.assert_allclose(value - mean, interaction(N, D, 2 * D, **joint), rtol=1e-11)
    nothing = {**joint, "C": 0.0, "A": 0.0, "B": 0.0}
    np.testing.assert_allclose(mixed_modal(N, D, 2 * D, **both, **nothing), mean, rtol=1e-14)
    # Small models compete, large ones help: the competition barrier lies between.
    assert interaction(1e7, 1e9, 1e9, **joint) > 0 > interaction(1e12, 1e13, 1e13, **joint)
