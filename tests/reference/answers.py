"""The library's values for each entry of ``values.json``, by the prefix of the entry's id.

A function of the entry returns a dict with the keys of its ``expected``.
"""

from collections.abc import Callable, Mapping
from typing import Any

from tests.reference import bits, field
from tests.reference.common import Entry

ANSWERS: Mapping[str, Callable[[Entry], dict]] = {
    "pstar_x_k": bits.pstar_k,
    "pstar_w_only": bits.pstar_weights,
    "pstar_eq7_as_printed": bits.misprint,
    "pstar_": bits.pstar,
    "dcrit_nobias": bits.critical,
    "budget_factorised": bits.budget,
    "budget_P16_bias": bits.budget_16,
    "fixedN_pstar": bits.fixed_ratio,
    "fixedN_asymptotics": bits.asymptotics,
    "fixedN_": bits.fixed_size,
    "unified_delta": bits.unified,
    "eq29_nobias": bits.serving,
    "neff_": bits.effective,
    "delta_ptq": bits.degradation,
    "kumar_loss": bits.trained,
    "quartet": bits.two_passes,
    "qat_share": bits.split,
    "optimiser_qat": field.simple("optimiser_qat", "L"),
    "ptq_log_score": field.simple("ptq_log_score", "y"),
    "chinchilla_opt": field.chinchilla_optimum,
    "chinchilla_70B": field.simple("chinchilla", "L"),
    "kaplan_LND": field.simple("kaplan", "L"),
    "kaplan_LN": field.simple("kaplan_size", "L"),
    "kaplan_LD": field.simple("kaplan_data", "L"),
    "kaplan_LCmin": field.kaplan_compute,
    "kaplan_Bcrit": field.simple("kaplan_critical_batch", "B_crit_tokens"),
    "muennighoff": field.reused,
    "transfer_text": field.transferred,
    "densing_doubling": field.doubling,
    "qid_1B": field.simple("qid_degradation", "delta", P_post="P"),
    "capybara_Dcrit": field.capybara_critical,
    "capybara_layout": field.capybara_layout,
    "capybara_jointP": field.capybara_joint,
    "capybara_": field.capybara,
    "moe_joint": field.joint_moe,
    "krajewski": field.simple("granular", "L", G_granularity="G"),
    "clark_": field.routed,
    "gadre_": field.overtrained,
    "quest_eff": field.quest,
    "parscale_stack": field.parallel,
    "steplaw": field.step_law,
    "deepseek_hp": field.deepseek,
    "bergsma_tau": field.timescale,
    "bnsl_1break": field.simple("bnsl(1)", "y", c_0="c0", c_1="c1", d_1="d1", f_1="f1"),
    "alabdulmohsin_M4": field.implicit,
    "vocab_app2": field.vocabulary_size,
    "vocab_app3": field.vocabulary,
    "mpl_25M": field.multi_power,
    "mccandlish": field.batch,
    "sardana": field.serving_more,
    "frantar": field.sparse,
    "total_cost_J": field.total_cost,
    "eff_equivalence": field.equivalence,
    "lesson_power": field.single,
    "farseer_form": field.simple(
        "farseer",
        "L",
        a_1="a1",
        alpha="al",
        b_1="b1",
        a_2="a2",
        beta="be",
        b_2="b2",
        a_3="a3",
        gamma="g",
        b_3="b3",
    ),
}
"""The first prefix that matches an entry's id counts."""


def answer(entry: Entry) -> dict[str, Any]:
    """The library's values for an entry."""
    name = next(start for start in ANSWERS if entry["id"].startswith(start))
    return ANSWERS[name](entry)
