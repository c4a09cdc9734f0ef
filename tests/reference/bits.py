"""The library's values for precision: Kumar et al. 2024 (arXiv 2411.04330), Appendix K, Table 2."""

import functools
import math
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jscale import laws, plan
from jscale.plan import costs
from tests.plan.cases import powers
from tests.reference.common import Entry, of

BIASES = ("n_w", "n_a", "n_kv")


@functools.cache
def _tied() -> laws.LawFunction:
    """One law for all entries, so that they share its compiled programs."""
    unbiased = laws.fix(laws.low_precision, **dict.fromkeys(BIASES, 0.0))
    return laws.tie(unbiased, gamma_a="gamma_w", gamma_kv="gamma_w")


def _mode(mode: str, constants: Mapping[str, float]) -> tuple[laws.LawFunction, dict[str, float]]:
    """The law and constants of a mode: an averaged factor cubed, or three factors."""
    constants = {**laws.params(laws.low_precision, "kumar2024"), **constants}
    if mode == "tied_gbar":
        mean = np.mean([constants[f"gamma_{part}"] for part in ("w", "a", "kv")])
        return _tied(), {**of(laws.chinchilla, constants), "gamma_w": mean}
    biases = {} if mode.endswith("_bias") else dict.fromkeys(BIASES, 0.0)
    return laws.low_precision, of(laws.low_precision, {**constants, **biases})


def _share(law: laws.LawFunction, theta: Mapping[str, Any], P: Any) -> Any:
    """The fraction of effective parameters, from the loss of P bits and at full precision."""
    delta = law(1.0, jnp.inf, P, P, P, **theta) - law(1.0, jnp.inf, **theta)
    return laws.effective_fraction(1.0, delta, A=theta["A"], alpha=theta["alpha"])


def pstar_k(e: Entry) -> dict:
    law = powers(e["inputs"]["k"])
    theta = {"E": 1.0, "A": 400.0, "B": 2000.0, "alpha": 0.35, "beta": 0.37, "gamma": 2.0}
    best = plan.optimal_precision(law, theta, cost=costs.precision_scaled_flops, throw=True)
    return {"x_star": best.P_opt / theta["gamma"]}


def pstar(e: Entry) -> dict:
    law, theta = _mode(e["inputs"]["mode"], e["constants"])
    P = plan.optimal_precision(law, theta, throw=True).P_opt
    share = _share(law, theta, P)
    return {"P_star": P, "f_at_P_star": share, "f_over_P": share / P}


def pstar_weights(e: Entry) -> dict:
    theta = {**laws.params(laws.qat, "kumar2024"), **e["constants"]}
    charged = plan.costs.precision_scaled_flops
    return {"P_star": plan.optimal_precision(laws.qat, theta, cost=charged, throw=True).P_opt}


def misprint(e: Entry) -> dict:
    """The value of eq. 7 as printed, which the library corrects (see the test of the misprint)."""
    alpha, gamma = e["constants"]["alpha"], e["constants"]["gamma"]
    low, high = 0.1, 10.0
    for _ in range(200):
        x = 0.5 * (low + high)
        low, high = (x, high) if 3 * alpha * x > math.expm1(x) else (low, x)
    return {"x": x, "P": x * gamma}


def critical(e: Entry) -> dict:
    N, P = np.meshgrid(e["inputs"]["N"], e["inputs"]["P_post"], indexing="ij")
    critical = plan.critical_tokens(laws.precision, _kumar(e), N=N, P_post=P, throw=True)
    return {"table[N][P]": critical.D_crit}


def _kumar(e: Entry, bias: bool = False) -> dict[str, float]:
    theta = {**laws.params(laws.precision, "kumar2024"), **e["constants"]}
    if bias:
        theta["C_T"] *= math.exp(theta["b"])
    return of(laws.precision, theta)


def budget(e: Entry) -> dict:
    law, theta = _mode(e["inputs"]["mode"], e["constants"])
    best = plan.optimal(law, theta, np.array(e["inputs"]["C"]), free=("N", "D", "P"), throw=True)
    assert best.P_opt is not None
    effective = best.N_opt * _share(law, theta, best.P_opt)
    return {
        "rows[N,D,P,L,N_eff]": jnp.stack(
            [best.N_opt, best.D_opt, best.P_opt, best.loss, effective], 1
        )
    }


def budget_16(e: Entry) -> dict:
    law, theta = _mode("factorised_bias", e["constants"])
    best = plan.optimal(
        law,
        theta,
        np.array(e["inputs"]["C"]),
        P=16.0,
        cost=costs.precision_scaled_flops,
        throw=True,
    )
    return {
        "rows[N,D,L,N_eff]": jnp.stack(
            [best.N_opt, best.D_opt, best.loss, best.N_opt * _share(law, theta, 16.0)], 1
        )
    }


def fixed_size(e: Entry) -> dict:
    law, theta = _mode(e["id"].removeprefix("fixedN_"), e["constants"])
    N, C = np.array(e["expected"]["rows[N,C,P,D]"])[:, :2].T
    best = plan.optimal_precision(law, theta, N=N, budget=C)
    return {"rows[N,C,P,D]": np.stack([N, C, best.P_opt, best.D_opt], 1)}


def fixed_ratio(e: Entry) -> dict:
    """With equal exponents, the best bits at a size depend only on the tokens per parameter."""
    ratios = np.array(e["inputs"]["D_over_N"])
    modes = ("tied_gbar", "factorised_nobias", "factorised_bias")
    expected = np.array(e["expected"]["rows[D/N,P_tied_gbar,P_fact_nobias,P_fact_bias]"])
    columns = []
    for i, mode in enumerate(modes):
        law, theta = _mode(mode, e["constants"])
        # The budget of this ratio at the expected bits, for which the library must find these bits.
        budget = 6 / 16 * 1e9 * (ratios * 1e9) * expected[:, i + 1]
        columns.append(
            plan.optimal_precision(
                law, theta, N=np.full(len(ratios), 1e9), budget=budget, throw=True
            ).P_opt
        )
    return {"rows[D/N,P_tied_gbar,P_fact_nobias,P_fact_bias]": np.stack([ratios, *columns], 1)}


def asymptotics(e: Entry) -> dict:
    """The best bits at a size up to 1e60 FLOP, the limit of plans, and the expansion beyond."""
    c = e["constants"]
    law, theta = _mode(
        "tied_gbar", {**c, **{f"gamma_{part}": c["gamma"] for part in ("w", "a", "kv")}}
    )
    N, rows = e["inputs"]["N"], []
    expansion = {k: c[k] for k in ("A", "B", "alpha", "beta", "gamma")}
    for decade, exact, *_ in e["expected"][
        "rows[log10C,P*,leading,second_order,P*/leading,second/P*]"
    ]:
        if decade <= 60:
            exact = float(plan.optimal_precision(law, theta, N=N, budget=10.0**decade).P_opt)
        leading = c["beta"] * c["gamma"] * decade * math.log(10)
        # A budget above 1e308 is not a float: add the expansion's terms in its logarithm.
        second = float(laws.large_budget_bits(N, 10.0 ** min(decade, 300), **expansion))
        if decade > 300:
            growth = (1 - c["beta"]) * math.log(decade / 300)
            second += c["gamma"] * (c["beta"] * (decade - 300) * math.log(10) + growth)
        rows.append((decade, exact, leading, second, exact / leading, second / exact))
    return {"rows[log10C,P*,leading,second_order,P*/leading,second/P*]": rows}


def unified(e: Entry) -> dict:
    at = e["inputs"]
    theta = {**_kumar(e, bias=True), **{k: e["constants"][k] for k in ("C_w", "C_a", "C_kv")}}
    trained = {k: at[k] for k in ("N", "D", "P_w", "P_a", "P_kv")}
    before = laws.low_precision(**trained, **of(laws.low_precision, theta))
    bits = {k: v for k, v in trained.items() if k != "D"}
    return {
        "N_eff": laws.effective_parameters(**bits, **of(laws.effective_parameters, theta)),
        "delta": laws.precision_robust(**at, **theta) - before,
    }


def serving(e: Entry) -> dict:
    """The local minimum of the loss at ``C = N P``."""
    theta, C = _kumar(e), jnp.array(e["inputs"]["C"])
    post = of(laws.ptq_degradation, theta)
    dense = {k: theta[k] for k in ("A", "B", "alpha", "beta")}

    best = jax.jit(jax.vmap(lambda C: laws.serving_optimum(C, **post, **dense)))(C)
    loss = laws.precision(best.N, best.D, P_post=best.P, **theta)
    added = laws.ptq_degradation(best.N, best.D, best.P, **post)
    return {"rows[C,N,D,P,L,delta]": jnp.stack([C, best.N, best.D, best.P, loss, added], 1)}


def effective(e: Entry) -> dict:
    P, c = e["inputs"]["P"], e["constants"]
    theta = of(laws.effective_parameters, c)
    mean = float(np.mean([c[f"gamma_{part}"] for part in ("w", "a", "kv")]))
    fractions: dict[str, Any] = {
        "tied_gbar": laws.averaged_parameters(1.0, P, P, P, gamma_bar=mean),
        "factorised_nobias": laws.effective_parameters(
            1.0, P, P, P, **theta | dict.fromkeys(BIASES, 0.0)
        ),
        "factorised_bias": laws.effective_parameters(1.0, P, P, P, **theta),
    }
    for part in ("w", "a", "kv"):
        fractions[f"{part}_bias"] = laws.effective_parameters(1.0, **{f"P_{part}": P}, **theta)
    return fractions


def degradation(e: Entry) -> dict:
    law = laws.ptq_degradation
    return {
        key: law(**e["inputs"], **of(law, _kumar(e, bias=key == "bias")))
        for key in ("nobias", "bias")
    }


def trained(e: Entry) -> dict:
    N, D, P = (e["inputs"][k] for k in ("N", "D", "P"))
    law, theta = laws.low_precision, of(laws.low_precision, e["constants"])
    full, low = law(N, D, **theta), law(N, D, P, P, P, **theta)
    share = laws.effective_fraction(N, low - full, A=theta["A"], alpha=theta["alpha"])
    return {"L_inf_precision": full, "L_tied_P_factorised_bias": low, "f_from_eq30": share}


def two_passes(e: Entry) -> dict:
    """The constants as printed, inside the power of the sum."""
    c = dict(e["constants"])
    q = c.pop("gamma")
    theta = {"E": c["E"], "q": q, "A": c["A"] ** q, "B": c["B"] ** q}
    theta |= {name: c[name] * q for name in ("alpha", "beta")}
    return {"L": laws.quartet(**e["inputs"], **theta)}


def split(e: Entry) -> dict:
    N, P, S = (e["inputs"][k] for k in ("N", "P_w", "S"))
    D = np.array(S) * N * P / 8
    return {"f": laws.qat_share(N, D, P, **e["constants"])}
