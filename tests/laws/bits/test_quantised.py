"""Degradation laws and multipliers of formats: published numbers, nesting, recovery."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jscale import fit, laws, runs
from jscale._core.errors import JscaleError
from jscale.laws.bits._compressed import QUEST_FORMATS, best_format, compressed, quest, quest_format
from jscale.laws.bits._quantised import (
    qat_degradation,
    qid,
    qid_degradation,
    qid_tokens,
    variance_degradation,
)
from tests.laws.catalogue_points import in_dtype
from tests.tolerances import REFERENCE, VALUE

N, D = 1e9, 2e10
QAT = {"k": 0.05, "gamma_D": 0.161, "gamma_N": 0.25, "gamma_G": 0.3533}


@pytest.fixture(autouse=True)
def _double():
    with in_dtype("float64"):
        yield


# --- variance form
def test_variance_form_of_a_full_precision_model_is_the_plain_law():
    theta = laws.params(variance_degradation)
    for P_post in (3.0, 4.0, 8.0):
        expected = laws.ptq_degradation(N, D, P_post, **theta)
        np.testing.assert_allclose(
            variance_degradation(N, D, P_post, **theta), expected, rtol=VALUE["float64"]
        )


@pytest.mark.parametrize("P_w", [3.0, 4.5, 8.0])
def test_variance_form_nests_in_the_robust_law(P_w):
    """Eq. 10 is eq. 9 with C_w = 1 / gamma_post and gamma_w = gamma_post, and not with C_w = 1."""
    theta = laws.params(laws.precision)
    theta |= {"gamma_w": theta["gamma_post"], "n_w": 0.0, "C_a": np.inf, "C_kv": np.inf}
    inputs = {"N": N, "D": D, "P_w": P_w}
    before = laws.precision_robust(**inputs, **theta, C_w=1.0)
    own = {name: theta[name] for name in laws.describe(variance_degradation).parameter_names}
    result = variance_degradation(**inputs, P_post=2.5, **own)
    after = [
        laws.precision_robust(**inputs, P_post=2.5, **theta, C_w=C_w)
        for C_w in (1 / theta["gamma_post"], 1.0)
    ]
    np.testing.assert_allclose(after[0] - before, result, rtol=1e-12)
    assert (
        abs((after[1] - before) / result - 1) > 0.02 or P_w == 8.0
    )  # far above P_post neither hardens


def test_variance_form_vanishes_at_the_training_bits():
    theta = laws.params(variance_degradation)
    for P_post in (4.0, 5.0, np.inf):
        value, slopes = jax.value_and_grad(
            lambda P_post, P_w: variance_degradation(N, D, P_post, P_w, **theta), argnums=(0, 1)
        )(jnp.asarray(P_post), jnp.asarray(4.0))
        assert value == 0
        assert np.isfinite(slopes).all()
    assert variance_degradation(N, D, 4.0, 4.0 + 1e-9, **theta) > 0


# --- Ouyang et al.
def test_qid():
    """Ouyang et al. 2024."""
    theta = laws.params(qid_degradation)
    np.testing.assert_allclose(qid_degradation(1e9, 1e12, 4, **theta), 0.153959243, rtol=REFERENCE)
    # From the constants; the paper's Table 1 has 48.5e12, from a fit to 4 bits only.
    assert float(qid_tokens(405e9, 4, 0.2, **theta)) == pytest.approx(21.8e12, rel=2e-3)


def test_qid_tokens_invert_the_degradation():
    theta = laws.params(qid_degradation)
    size, bits, delta = np.meshgrid([1e7, 1e9, 1e12], [2.0, 4.0, 8.0], [1e-3, 0.2])
    tokens = qid_tokens(size, bits, delta, **theta)
    np.testing.assert_allclose(qid_degradation(size, tokens, bits, **theta), delta, rtol=1e-12)


def test_qid_on_top_of_kaplan():
    theta = laws.params(qid)
    before = {name: theta[name] for name in ("N_c", "D_c", "alpha_N", "alpha_D")}
    full = ((4.74e19 / N) ** (0.045 / 0.399) + 7.63e10 / D) ** 0.399
    np.testing.assert_allclose(qid(N, D, **theta), full, rtol=1e-14)
    np.testing.assert_allclose(laws.kaplan(N, D, **before), full, rtol=1e-14)
    added = qid_degradation(N, D, 3.0, **laws.params(qid_degradation))
    np.testing.assert_allclose(qid(N, D, 3.0, **theta), full + added, rtol=1e-14)
    assert jax.grad(lambda P: qid(N, D, P, **theta))(jnp.asarray(np.inf)) == 0


def test_qid_is_recovered():
    size, ratio, bits = (
        m.ravel() for m in np.meshgrid([1e8, 1e9, 7e9], [20.0, 200.0, 2000.0], [2.0, 3.0, 4.0, 8.0])
    )
    truth = laws.params(qid_degradation)
    columns = {"N": size, "D": ratio * size, "P_post": bits}
    table = runs.simulate(qid_degradation, truth, columns, noise=0.02, key=jax.random.key(1))
    point = fit.point(qid_degradation, table, objective="log-squares", starts=8)
    assert point.certificate.converged
    for name in ("alpha", "beta", "gamma"):
        assert abs(point.params[name] - truth[name]) < 4 * point.stderr[name], name


# --- Chen et al.
def test_qat_degradation_as_effective_parameters():
    """An added loss can be expressed as a fraction of parameters (Kumar et al. 2024, eq. 30)."""
    law = laws.substitute(laws.effective_fraction, delta=qat_degradation)
    dense = {"A": 400.0, "alpha": 0.34}
    result = law(N=N, D=D, block=128.0, **dense, **QAT)
    grain = (
        QAT["k"]
        * D ** QAT["gamma_D"]
        * 7.0 ** QAT["gamma_G"]
        * N ** (dense["alpha"] - QAT["gamma_N"])
    )
    np.testing.assert_allclose(
        result, (dense["A"] / (dense["A"] + grain)) ** (1 / dense["alpha"]), rtol=1e-13
    )
    total = dense | {"E": 1.7, "B": 900.0, "beta": 0.3}
    quantised = laws.chinchilla(N, D, **total) + qat_degradation(N, D, 128.0, **QAT)
    np.testing.assert_allclose(laws.chinchilla(N * result, D, **total), quantised, rtol=1e-13)


def test_a_scale_for_every_number_costs_nothing():
    value, slope = jax.value_and_grad(lambda block: qat_degradation(N, D, block, **QAT))(
        jnp.asarray(1.0)
    )
    assert value == 0
    assert np.isfinite(slope)


# --- effective-parameter multipliers of formats
def test_quest():
    """Panferov et al. 2025, the authors' notebook: 1e9 parameters in INT4 on 1e11 tokens."""
    np.testing.assert_allclose(
        quest(1e9, 1e11, quest_format("4").share, **laws.params(quest)), 2.461863263, rtol=REFERENCE
    )


def test_best_formats():
    """INT4 is best at a given product of size and bits; INT3 if only weights are quantised."""
    assert best_format() == "4"
    assert best_format(["1WO", "2WO", "3WO", "4WO"]) == "3WO"
    assert best_format(["1NOH", "2NOH", "3NOH", "4NOH", "8NOH"]) == "4NOH"
    losses = {
        name: quest(
            1e10 / QUEST_FORMATS[name].bits, 1e11, QUEST_FORMATS[name].share, **laws.params(quest)
        )
        for name in ("16", "8", "4", "3", "2", "1", "fp4", "2.5")
    }
    assert min(losses, key=losses.__getitem__) == best_format()


@pytest.mark.parametrize(
    "call", [lambda: quest_format("5"), lambda: best_format(["4", "int4"]), lambda: best_format([])]
)
def test_unknown_formats(call):
    with pytest.raises(JscaleError, match=r"known: 16, 8|at least one"):
        call()


def test_compression_is_quest_with_a_fitted_share():
    theta = laws.params(quest)
    for name in ("8", "3", "1WO"):
        eff = quest_format(name).share
        np.testing.assert_allclose(
            compressed(N, D, 1, eff=eff, **theta), quest(N, D, eff, **theta), rtol=VALUE["float64"]
        )
        np.testing.assert_allclose(
            compressed(N, D, 0, eff=eff, **theta), laws.chinchilla(N, D, **theta), rtol=1e-14
        )


def test_share_of_a_method_is_recovered():
    size, ratio, method = (
        m.ravel() for m in np.meshgrid(np.geomspace(3e7, 1e9, 5), [10.0, 40.0, 160.0], [0.0, 1.0])
    )
    truth = {"E": 1.7, "A": 400.0, "B": 900.0, "alpha": 0.34, "beta": 0.3, "eff": 0.7}
    columns = {"N": size, "D": ratio * size, "compressed": method}
    table = runs.simulate(compressed, truth, columns, noise=0.001, key=jax.random.key(2))
    point = fit.point(compressed, table, objective="log-squares", starts=8)
    assert point.certificate.converged
    assert abs(point.params["eff"] - 0.7) < 4 * point.stderr["eff"]


@pytest.mark.data
def test_published_shares_explain_the_runs():
    """The published constants fit the authors' 104 runs within 3%, except in 1-bit formats."""
    table = runs.dataset("quest")
    keys = table["P_key"]
    assert set(keys) == set(QUEST_FORMATS)
    share = np.array([quest_format(key).share for key in keys])
    predicted = np.asarray(quest(table["N"], table["D"], share, **laws.params(quest)))
    off = np.abs(np.log(predicted / table["loss"]))
    assert np.median(off) < 0.01
    assert off.max() < 0.1


def test_degradations_add_up_as_printed():
    """Chen et al. 2025: W4A4 costs 0.906 times W4A16 and W16A4 together; within 5%."""
    N, D = np.meshgrid(np.geomspace(7.4e7, 6e8, 5), np.geomspace(1e10, 1e11, 5))
    total, weights, activations = (
        qat_degradation(N, D, 128.0, **laws.params(qat_degradation, f"chen2025_{name}"))
        for name in ("w4a4", "w4a16", "w16a4")
    )
    np.testing.assert_allclose(np.mean(total / (weights + activations)), 0.906, rtol=0.05)
