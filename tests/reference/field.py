"""The library's values for every other law and optimum."""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from jscale import laws, plan
from jscale.plan import costs
from tests.reference.common import Entry, of


def chinchilla_optimum(e: Entry) -> dict:
    theta = of(laws.chinchilla, e["constants"])
    C = np.array(e["inputs"]["C"])
    best = plan.optimal(laws.chinchilla, theta, C, throw=True)

    # The exponent of size, as the derivative of the logarithm of the best size.
    def log_size(log_C):
        return jnp.log(plan.optimal(laws.chinchilla, theta, jnp.exp(log_C)).N_opt)

    a = jax.grad(log_size)(jnp.log(C[0]))
    alpha, beta = theta["alpha"], theta["beta"]
    excess = jnp.log(best.loss - theta["E"])
    return {
        "G": best.N_opt[0] / (C[0] / 6) ** a,
        "a": a,
        "b": 1 - a,
        "loss_exponent": -(excess[1] - excess[0]) / math.log(C[1] / C[0]),
        "sigma_star": 2 / (2 + alpha + beta),
        "rows[C,N,D,D/N,L]": jnp.stack(
            [C, best.N_opt, best.D_opt, best.D_opt / best.N_opt, best.loss], 1
        ),
    }


def simple(law: str, key: str, **renamed: str) -> Callable[[Entry], dict]:
    """Answer to an entry with one value of one law, some of whose names differ."""

    def answer(e: Entry) -> dict:
        declared = laws.get(law)
        inputs = {n: e["inputs"][renamed.get(n, n)] for n in laws.describe(declared).input_names}
        return {key: declared(**inputs, **of(declared, e["constants"], **renamed))}

    return answer


def kaplan_compute(e: Entry) -> dict:
    c = {**e["constants"], "C_c": e["constants"]["C_c"] * 8.64e19}
    assert c == laws.params(laws.kaplan_compute, "kaplan2020")
    return {"L": laws.kaplan_compute(e["inputs"]["C_FLOP"], **c)}


def reused(e: Entry) -> dict:
    N, D, U = (e["inputs"][k] for k in ("N", "D", "U"))
    theta = laws.params(laws.data_constrained, "muennighoff2023")
    return {
        "D_eff": laws.effective_tokens(D, U, **of(laws.effective_tokens, theta)),
        "N_eff": laws.effective_size(N, D, U, **of(laws.effective_size, theta)),
        "U_N": laws.size_for_tokens(U, **{k: theta[k] for k in ("A", "B", "alpha", "beta")}),
        "L": laws.data_constrained(N, D, U, **theta),
    }


def transferred(e: Entry) -> dict:
    at, theta = e["inputs"], laws.params(laws.transferred_data, "hernandez2021_text")
    moved = laws.transferred_data(**at, **theta)
    multiplier = laws.transfer_multiplier(**at, **theta)
    np.testing.assert_allclose(
        laws.effective_data(**at, **theta), at["D_F"] * multiplier, rtol=1e-12
    )
    return {"D_T": moved, "multiplier": multiplier}


def doubling(e: Entry) -> dict:
    days = laws.doubling_time(e["inputs"]["A"])
    return {
        "days": days,
        "months_30.4375": days / 30.4375,
        "A_for_3.5_months": laws.params(laws.density_growth, "xiao2025")["A"],
    }


_SUN = {"A": "n", "B": "d", "E": "eps", "exp_bits": "E", "man_bits": "M", "block": "B"}


def _capybara_theta(e: Entry) -> dict[str, float]:
    theta = of(laws.capybara, e["constants"], **{k: _SUN[k] for k in ("A", "B", "E")})
    assert theta == laws.params(laws.capybara, "sun2025")
    return theta


def capybara(e: Entry) -> dict:
    at = e["inputs"]
    return {"L": laws.capybara(at["N"], at["D"], at["E"], at["M"], at["B"], **_capybara_theta(e))}


def capybara_critical(e: Entry) -> dict:
    at = e["inputs"]
    tokens = laws.float_critical_tokens(at["N"], at["E"], at["M"], at["B"], **_capybara_theta(e))
    return {"D_crit": tokens}


def capybara_layout(e: Entry) -> dict:
    theta = _capybara_theta(e)
    best = laws.float_layout(e["inputs"]["P"], delta=theta["delta"], nu=theta["nu"])
    return {"M_opt": best.man_bits, "E_opt": best.exp_bits}


def capybara_joint(e: Entry) -> dict:
    at = e["inputs"]
    P = laws.float_optimum(at["C"], at["B"], at["k"], **_capybara_theta(e)).P
    return {"P_numeric_scipy": P, "P_eq54_literal": P}


def joint_moe(e: Entry) -> dict:
    at, theta = e["inputs"], laws.params(laws.joint_moe, "ludziejewski2025")
    experts = laws.saturating_experts(at["E"], E_start=theta["E_start"], E_max=theta["E_max"])
    best = laws.joint_moe_optimal(1e20, at["E"], theta)
    log_E = jnp.log(experts)
    return {
        "Ehat": experts,
        "m": theta["a"] * experts ** theta["delta"],
        "mu": theta["alpha"] + theta["gamma"] * log_E,
        "n": theta["b"] * experts ** theta["omega"],
        "nu": theta["beta"] + theta["zeta"] * log_E,
        "L": laws.joint_moe(at["N_act"], at["D"], at["E"], **theta),
        "N_opt_F1e20": best.N,
        "D_opt_F1e20": best.D,
    }


def routed(e: Entry) -> dict:
    theta, at = of(laws.routed, e["constants"]), e["inputs"]
    experts = laws.saturating_experts(at["E"], E_start=theta["E_start"], E_max=theta["E_max"])
    return {"L": laws.routed(at["N"], at["E"], **theta), "Ehat": experts}


def overtrained(e: Entry) -> dict:
    theta = of(laws.overtraining, e["constants"])
    loss = laws.overtraining(e["inputs"]["C"], e["inputs"]["M"], **theta)
    return {
        "L": loss,
        "Err17": laws.error_from_loss(loss, **of(laws.error_from_loss, e["constants"])),
        "M_star": laws.best_ratio(**{k: theta[k] for k in ("a", "b", "eta")}),
    }


def quest(e: Entry) -> dict:
    at, theta = e["inputs"], laws.params(laws.quest, "quest2025")
    eff = laws.quest_format("4").share
    np.testing.assert_allclose(eff, e["constants"]["eff4"], rtol=1e-9)
    return {"L": laws.quest(at["N"], at["D"], eff, **theta)}


def parallel(e: Entry) -> dict:
    c = e["constants"]
    theta = {"E": c["E"], "A": c["A_1e9"] * 1e9, "alpha": c["alpha"], "k": c["k"]}
    return {"L": laws.parallel(e["inputs"]["N"], e["inputs"]["P"], **theta)}


def step_law(e: Entry) -> dict:
    N, D = e["inputs"]["N"], e["inputs"]["D"]
    rate, batch = laws.step_law_learning_rate, laws.step_law_batch
    return {
        "lr": rate(N, D, **laws.params(rate, "li2025")),
        "B": batch(D, **laws.params(batch, "li2025")),
    }


def deepseek(e: Entry) -> dict:
    names = {"lr": "learning_rate", "B": "batch", "M": "model_scale", "D": "tokens"}
    named = {key: laws.get(f"deepseek_{name}") for key, name in names.items()}
    return {key: law(e["inputs"]["C"], **laws.params(law, "bi2024")) for key, law in named.items()}


def timescale(e: Entry) -> dict:
    return {
        "tau": laws.adamw_timescale(
            e["inputs"]["TPP"], **laws.params(laws.adamw_timescale, "bergsma2025")
        )
    }


def vocabulary_size(e: Entry) -> dict:
    return {
        "N_v": laws.vocabulary_size(
            e["inputs"]["N_nv"], **laws.params(laws.vocabulary_size, "tao2024")
        )
    }


def vocabulary(e: Entry) -> dict:
    at = e["inputs"]
    return {
        "L_u": laws.vocabulary(
            at["N_nv"], at["V"], at["d"], at["D"], **laws.params(laws.vocabulary, "tao2024")
        )
    }


def multi_power(e: Entry) -> dict:
    steps = np.arange(24001.0)
    warm, last = 2160, 24000
    cosine = 3e-5 + 0.5 * (3e-4 - 3e-5) * (1 + np.cos(np.pi * (steps - warm) / (last - warm)))
    rates = np.where(steps < warm, 3e-4 * steps / warm, cosine)
    law = laws.multi_power(rates)
    assert laws.params(law, "luo2025_25M") == e["constants"]
    return {"L": law(24000.0, **e["constants"])}


def batch(e: Entry) -> dict:
    B, c = e["inputs"]["B"], e["constants"]
    return {"S": laws.training_steps(B, **c), "Ex": laws.training_examples(B, **c)}


def serving_more(e: Entry) -> dict:
    at, theta = e["inputs"], laws.params(laws.chinchilla, "hoffmann2022_rounded")
    loss = laws.chinchilla(at["quality_N"], at["quality_D"], **theta)
    cost = costs.LifetimeCost(at["D_inf"])
    best = plan.cheapest(laws.chinchilla, theta, loss, cost=cost, throw=True)
    ratio = best.budget / cost.flops(at["quality_N"], at["quality_D"])
    return {"N": best.N_opt, "D": best.D_opt, "cost_ratio_vs_train_only": ratio}


def sparse(e: Entry) -> dict:
    at, c = e["inputs"], e["constants"]
    dense = laws.dense_equivalent(at["N"], at["S"], **of(laws.dense_equivalent, c))
    return {
        "dense_equiv_multiplier": dense / at["N"],
        "L": laws.sparse(at["N"], at["S"], at["D"], **c),
    }


def total_cost(e: Entry) -> dict:
    theta = laws.params(laws.chinchilla, "besiroglu2024")
    best = plan.best_value(laws.chinchilla, theta, price=e["inputs"]["lambda"], throw=True)
    return {"C_star": best.budget, "J": best.loss + e["inputs"]["lambda"] * best.budget}


def equivalence(e: Entry) -> dict:
    return {
        "eff": laws.effective_fraction(
            **e["inputs"], A=e["constants"]["A"], alpha=e["constants"]["alpha"]
        )
    }


def implicit(e: Entry) -> dict:
    c = {**e["constants"], "c": -e["constants"]["c"]}  # positive in the library
    return {"eps": laws.m4(e["inputs"]["x"], **of(laws.m4, c, eps_0="eps0"))}


def single(e: Entry) -> dict:
    c, C = e["constants"], e["inputs"]["C"]
    loss, larger = (laws.power_compute(x, **c) for x in (C, 10 * C))
    return {"L": loss, "ratio10": (larger - c["L_inf"]) / (loss - c["L_inf"])}
