"""``jscale plan`` with targets, prices, limits and risk, and ``jscale next``."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from jscale import assess, fit, laws, plan
from jscale._core.notes import Note
from jscale._core.scope import float64
from jscale.cli.decisions import answers, choice, text
from jscale.cli.decisions.batches import run_noise, thinned
from jscale.cli.decisions.question import Question
from jscale.cli.support.planning import PlanRequest
from tests.cli.tables import write_table
from tests.cli.test_bad_input import rejected

CHINCHILLA = ("--params", "besiroglu2024")
KUMAR = ("--law", "precision", "--params", "kumar2024")
HARDWARE = ("--price-per-hour", 2, "--devices", 4096, "--mfu", 0.4)
THETA = laws.params(laws.chinchilla, "besiroglu2024")


def test_the_decision_comes_first(jscale, answer):
    arguments = ("plan", *CHINCHILLA, "--budget", "1e24", *HARDWARE, "--peak", "989T")
    screen = jscale(*arguments, "--substitute").stdout
    first, *others = screen.splitlines()
    assert first.startswith("10²⁴ FLOP: train 95.9B on 1.74T tokens; 1.4M dollars; 7.14 days; ±25%")
    assert all(len(line) <= 80 for line in others)
    (printed,) = answer(*arguments, "--substitute")["plans"]
    decision = printed["decision"]
    assert decision["sentence"] == first
    seconds = plan.costs.compute_seconds(1e24, devices=4096, peak=989e12, mfu=0.4)
    assert printed["days"]["q50"] == pytest.approx(seconds / 86400, rel=1e-9)
    price = plan.costs.dollars(seconds, devices=4096, price=2)
    assert printed["dollars"]["q50"] == pytest.approx(price, rel=1e-9)

    def loss(size: float) -> float:
        return float(laws.chinchilla(size, 1e24 / (6 * size), **THETA))

    worst = max(loss(factor * decision["N"]) for factor in (0.75, 1.25))
    assert decision["quarter"] == pytest.approx(worst - decision["loss"], rel=1e-2)
    for other in printed["substitutes"]:
        same = float(laws.chinchilla(other["N"], other["D"], **THETA))
        assert same == pytest.approx(decision["loss"], rel=1e-6)


def test_a_budget_in_dollars_is_one_in_flop(answer):
    dollars = ("--cost", "dollars", "--budget", "1e6", *HARDWARE, "--peak", "989T")
    (printed,) = answer("plan", *CHINCHILLA, *dollars)["plans"]
    sentence = printed["decision"]["sentence"]
    assert sentence.startswith("1M dollars: train ")
    assert "FLOP; 5." in sentence
    assert printed["C"] == pytest.approx(1e6 * 3600 * 989e12 * 0.4 / 2, rel=1e-9)
    assert printed["dollars"]["q50"] == pytest.approx(1e6, rel=1e-9)


def test_the_best_of_hardware_formats(answer, jscale):
    """Twice the peak pays for twice the FLOP."""
    arguments = ("plan", *KUMAR, "--cost", "dollars", "--budget", "1e6", *HARDWARE)
    (printed,) = answer(*arguments, "--peak", "16=989T,8=1978T")["plans"]
    eight, sixteen = printed["formats"]
    assert (eight["bits"], sixteen["bits"]) == (8, 16)
    assert eight["C"] == pytest.approx(2 * sixteen["C"], rel=1e-9)
    assert eight["loss"]["q50"] < sixteen["loss"]["q50"]
    assert printed["decision"]["P"] == 8
    one = answer(*arguments, "--peak", "16=989T,8=1978T", "--bits", "16")["plans"][0]
    assert one["decision"]["P"] == 16
    assert one["C"] == pytest.approx(sixteen["C"], rel=1e-12)
    assert one["loss"]["q50"] == pytest.approx(sixteen["loss"]["q50"], rel=1e-12)


def test_a_budget_divided_by_precision(answer, jscale):
    arguments = ("plan", *CHINCHILLA, "--budget", "1e24", "--qat-bits", "4")
    (printed,) = answer(*arguments)["plans"]
    decision = printed["decision"]
    split = decision["qat"]
    share = laws.qat_share(decision["N"], decision["D"], 4, a=6.7297)
    assert split["share"] == pytest.approx(float(share), rel=1e-6)
    assert split["D_full"] + split["D_quantised"] == pytest.approx(decision["D"], rel=1e-9)
    assert "tokens, 1.47T of them in full precision and then 267B" in decision["sentence"]
    few = answer("plan", *CHINCHILLA, "--budget", "1e20", "--N", "70B", "--qat-bits", "4")["plans"][
        0
    ]
    assert few["decision"]["qat"]["status"] == "at_bound"
    assert "tokens, all in full precision: too few for" in few["decision"]["sentence"]
    bits = ("plan", *KUMAR, "--budget", "1e22", "--qat-bits", "4")
    rejected(jscale(*bits), "--qat-bits: needs a law of full precision")


def test_measured_speeds_of_formats(answer, jscale):
    """Fewer bits buy less than in proportion, so that more are planned."""
    arguments = ("plan", *KUMAR, "--budget", "1e22")
    (printed,) = answer(*arguments, "--speeds", "cloverlm2026_high")["plans"]
    cost = plan.costs.speed_cost({4: 1.5})
    theta = laws.params(laws.precision)
    best = plan.optimal(laws.precision, theta, 1e22, free=("N", "D", "P"), cost=cost)
    assert printed["P_opt"]["q50"] == pytest.approx(float(best.P_opt), rel=1e-4)
    assert printed["loss"]["q50"] == pytest.approx(float(best.loss), rel=1e-6)
    four = answer(*arguments, "--speeds", "bf16=2,nvfp4=3", "--bits", "4,16")["plans"][0]
    assert [each["bits"] for each in four["formats"]] == [4, 16]
    assert four["decision"]["P"] == 16
    served = ("--speeds", "fp8=1.4", "--serve-tokens", "1T")
    rejected(jscale(*arguments, *served), "--speeds: of training alone; leave out --serve-tokens")
    peaks = ("--speeds", "fp8=1.4", *HARDWARE, "--peak", "16=1T,8=2T")
    rejected(jscale(*arguments, *peaks), "--speeds: no effect with a peak for each precision")


def test_a_median_size_that_misses_the_mean_loss_is_no_plan():
    """One draw in three has its floor far above the target."""
    draws = {name: np.full(3, value) for name, value in THETA.items()}
    draws["E"] = np.array([1.7, 1.8, 3.0])
    request = PlanRequest(laws.chinchilla, draws)
    medians = {"N_opt": {"q50": 1e10}, "D_opt": {"q50": 2e11}, "target_loss": 2.1, "C": 1.2e22}
    medians["status"] = "converged"
    decision = choice.decision(request, {}, Question(targets=[2.1]), medians)
    assert decision["N"] is None
    words = text.sentence(medians | {"decision": decision}, text.Words())
    assert words == (
        "loss 2.1: no plan (no tokens bring the median size to this mean loss; give --level)"
    )


def test_bits_of_weights_alone_have_no_peak_of_their_own(jscale, answer):
    """Weights of few bits are multiplied in 16."""
    arguments = ("plan", "--law", "qat", "--budget", "1e22", *HARDWARE)
    rejected(jscale(*arguments, "--params", "kumar2024", "--peak", "16=989T,8=1979T"), "P_w alone")
    notes = answer(*arguments, "--params", "kumar2024", "--peak", "989T", "--bits", "4,16")["notes"]
    (note,) = [note for note in notes if note["code"] == "compute-of-bits"]
    assert "planned in 16 bits" in note["message"]


def test_a_decision_over_draws_spends_its_budget_or_reaches_its_target(answer, sampled):
    """Medians over draws of N and of D alone do neither."""
    printed = answer("plan", "--posterior", sampled.file, "--budget", "1e23")["plans"][0]
    decision = printed["decision"]
    assert decision["N"] == printed["N_opt"]["q50"]
    assert 6 * decision["N"] * decision["D"] == pytest.approx(1e23, rel=1e-12)

    prices = (*HARDWARE, "--peak", "989T")
    target = ("plan", "--posterior", sampled.file, "--target-loss", "2.3", *prices)
    decision = answer(*target)["plans"][0]["decision"]
    draws = fit.load(sampled.file).draws
    expected = float(np.mean(laws.chinchilla(decision["N"], decision["D"], **draws)))
    assert expected == pytest.approx(2.3, rel=1e-9)
    assert decision["C"] == pytest.approx(6 * decision["N"] * decision["D"], rel=1e-12)
    assert decision["dollars"] == pytest.approx(decision["C"] * 2 / (3600 * 989e12 * 0.4), rel=1e-9)
    likely = answer(*target, "--level", "0.9")["plans"][0]["decision"]
    assert likely["C"] > decision["C"]
    assert "tokens, with probability 90%;" in likely["sentence"]


def test_targets_and_serving(answer):
    options = ("--target-loss", "2.0", "--serve-tokens", "10T", *HARDWARE, "--peak", "989T")
    payload = answer("plan", *CHINCHILLA, *options)
    (printed,) = payload["plans"]
    N, D = printed["N_opt"]["q50"], printed["D_opt"]["q50"]
    assert printed["C"] == pytest.approx(plan.costs.LifetimeCost(1e13).flops(N, D), rel=1e-9)
    # First-order condition of the cheapest model that serves T tokens.
    p = THETA
    ratio = p["alpha"] * p["A"] * N ** -p["alpha"] / (p["beta"] * p["B"] * D ** -p["beta"])
    assert ratio == pytest.approx(1 + 1e13 / (3 * D), rel=1e-6)
    decision = printed["decision"]
    assert decision["loss"] == pytest.approx(2.0, rel=1e-6)
    # Days are those of training, dollars those of both.
    seconds = plan.costs.compute_seconds(6 * N * D, devices=4096, peak=989e12, mfu=0.4)
    for days in (printed["days"]["q50"], decision["days"]):
        assert days == pytest.approx(seconds / 86400, rel=1e-6)
    assert decision["dollars"] == pytest.approx(decision["C"] * 2 / (3600 * 989e12 * 0.4), rel=1e-9)
    assert "dollars with serving; " in decision["sentence"]
    assert "days of training; " in decision["sentence"]
    assert "price-of-serving" in [note["code"] for note in payload["notes"]]


def test_limits_bind_and_have_multipliers(answer):
    limits = ("--memory", "80B", "--latency", "1", "--bandwidth", "3.35T")
    (printed,) = answer("plan", *CHINCHILLA, "--budget", "1e24", *limits)["plans"]
    assert printed["N_opt"]["q50"] == pytest.approx(4e10, rel=1e-6)
    (held,) = printed["binding"]
    assert (held["limit"], held["unit"]) == ("--memory", "nats per byte")

    def loss(memory: float) -> float:
        return float(laws.chinchilla(memory / 2, 1e24 / (3 * memory), **THETA))

    with_step = (loss(8e10 * 0.9) - loss(8e10 * 1.1)) / (0.2 * 8e10)
    assert held["saves"]["q50"] == pytest.approx(with_step, rel=0.1)
    assert printed["weight_bits"] == 16
    assert "weights in use of 16 bits" in printed["decision"]["sentence"]


def test_weights_in_use_have_the_bits_of_training_or_after_it():
    assert Question().bits_in_use(None) == 16
    assert Question().bits_in_use(4.0) == 4
    assert Question(post_bits=[3.0]).bits_in_use(4.0) == 3
    assert Question(qat_bits=4.0).bits_in_use(None) == 4


def test_a_small_memory_is_remarked_on():
    (note,) = answers.notes(Question(memory=80.0))
    assert note.message.startswith("--memory is 80 bytes, below 1 MB")
    assert not answers.notes(Question(memory=1e6))


def test_one_plan_for_all_draws(answer, sampled):
    options = ("--posterior", sampled.file, "--budget", "1e22", "--risk", "mean")
    (printed,) = answer("plan", *options)["plans"]
    decision = printed["decision"]
    assert (decision["by"], decision["lost"]) == ("mean", 0)
    draws = fit.load(sampled.file).draws

    def loss(size: float) -> float:
        return float(np.mean(laws.chinchilla(size, 1e22 / (6 * size), **draws)))

    sizes = decision["N"] * np.geomspace(0.8, 1.25, 41)
    assert sizes[np.argmin([loss(size) for size in sizes])] == pytest.approx(decision["N"])
    assert decision["regret"]["nats"] >= 0


@pytest.mark.parametrize("risk", ["mean", "cvar"])
def test_one_plan_for_all_draws_within_a_range(answer, sampled, risk):
    """A range that holds no draw: the plan of ``plan.robust``, found by a scan."""
    options = ("--posterior", sampled.file, "--budget", "1e22", "--risk", risk)
    (printed,) = answer("plan", *options, "--bound", "N=1B..200B")["plans"]
    decision, draws = printed["decision"], fit.load(sampled.file).draws
    with float64():
        best = plan.robust(laws.chinchilla, draws, 1e22, risk=risk)
        plans = {"N": decision["N"], "D": decision["D"]}
        regret = plan.regret(laws.chinchilla, draws, plans)
    assert decision["N"] == pytest.approx(float(best.N), rel=2e-3)
    assert decision["risk_value"] == pytest.approx(float(best.value), abs=1e-9)
    assert decision["regret"]["nats"] == pytest.approx(float(regret.nats[0]), rel=1e-6)
    assert decision["quarter_side"] == "both"


def test_one_plan_for_all_draws_under_a_limit(answer, sampled):
    """The limit holds every draw, so that no regret is left; only smaller sizes are possible."""
    options = ("--posterior", sampled.file, "--budget", "1e22", "--risk", "regret")
    (printed,) = answer("plan", *options, "--memory", "4B")["plans"]
    decision = printed["decision"]
    assert decision["N"] == pytest.approx(2e9, rel=1e-6)
    assert (decision["by"], decision["lost"]) == ("regret", 0)
    assert decision["regret"]["nats"] == pytest.approx(0, abs=1e-9)
    assert decision["quarter_side"] == "smaller"
    assert "; −25% in size costs " in decision["sentence"]


def test_next_runs(answer, jscale, sampled, tmp_path: Path):
    options = ("next", "--posterior", sampled.file, "--plan-budget", "1e23", "--runs", 3)
    printed = answer(*options, "--spend-all", "--out", tmp_path / "next.json")
    assert json.loads((tmp_path / "next.json").read_text()) == printed
    runs = printed["runs"]
    assert len(runs) == 3
    assert printed["stop"] == "runs"
    # Errors of this posterior grow with no input: every run has their sigma.
    sigma = float(np.median(fit.load(sampled.file).noise["sigma"]))
    for run in runs:
        assert run["noise"] == pytest.approx(sigma, rel=0.4)
        assert run["cost"] == pytest.approx(6 * run["N"] * run["D"], rel=1e-9)
        assert run["regret_after"] < run["regret_before"]
    assert sum(run["cost"] for run in runs) <= printed["budget"] * (1 + 1e-9)
    designs = printed["designs"]
    assert designs["parameters"]["information"] >= designs["plan"]["information"] - 1e-9
    assert designs["plan"]["regret_after"] <= designs["parameters"]["regret_after"] + 1e-12
    screen = jscale(*options, "--spend-all").stdout
    assert screen.startswith("do 3 runs for")
    lines = [line for line in screen.splitlines()[1:] if not line.startswith("warning:")]
    assert max(map(len, lines)) <= 80

    N, D = np.array([1e8, 1e9]), np.array([1e10, 1e10])
    file = write_table(tmp_path / "own.csv", {"N": N, "D": D, "cost": np.array([1e30, 1e18])})
    own = answer(*options, "--budget", "1e19", "--candidates", file, "--spend-all")
    assert [(run["N"], run["cost"]) for run in own["runs"]] == [(1e9, 1e18)]
    assert own["stop"] == "budget"


@pytest.mark.parametrize("additive", [False, True])
def test_the_noise_of_a_run_is_that_at_the_candidate(additive):
    """Relative to the loss where it is added to it, and of bits in every place."""
    loss, spread = np.array([2.0, 4.0]), np.array([0.02, 0.01])
    steps = spread * np.random.default_rng(0).normal(size=(20_000, 2))

    class Stub:
        def predict(self, inputs, *, key):
            assert set(inputs) == {"N", "D", "P_w", "P_a", "P_kv"}
            draws = loss + steps if additive else loss * np.exp(steps)
            return SimpleNamespace(draws=draws, parameter_draws=loss)

    candidates = {"N": [1e9, 2e9], "D": [1e10, 2e10], "P": [8.0, 16.0]}
    noise = run_noise(Stub(), laws.precision, candidates, seed=0)
    np.testing.assert_allclose(noise, spread / loss if additive else spread, rtol=0.03)


def test_of_many_candidates_the_cheapest_of_every_cell_are_considered():
    random = np.random.default_rng(0)
    N, D = np.exp(random.uniform(np.log(1e8), np.log(1e10), (2, 20_000)))
    cost = random.uniform(1.0, 2.0, N.size)
    few, costs, (note,) = thinned({"N": N, "D": D}, cost)
    kept = np.searchsorted(np.sort(cost), costs)
    assert len(few["N"]) == len(costs) == note.evidence["kept"] <= 4096
    assert np.mean(kept) < 0.25 * N.size  # cheap ones
    assert "of 20,000 candidates" in note.message
    some = slice(None, 200)
    distance = np.log(N[some, None] / few["N"]) ** 2 + np.log(D[some, None] / few["D"]) ** 2
    assert np.sqrt(distance.min(axis=1).max()) < 0.2  # every run has one near it

    assert thinned({"N": N[:9], "D": D[:9]}, None)[2] == []


PLANS = {
    "contradictory": (("--bound", "N=2B..1B"), "--bound N: 2B is not below 1B"),
    "no range": (("--bound", "N=2B"), "--bound: expected N=LOW..HIGH, not '2B'"),
    "zero bound": (("--bound", "N=0..1B"), "--bound N: expected a number above 0"),
    "lacking": (("--bound", "U=1B..2B"), "--bound: law 'chinchilla' has no U"),
    "free": (("--free", "P_post"), "--free: law 'chinchilla' has no P_post"),
    "unique": (("--unique-tokens", "1T"), "--unique-tokens: law 'chinchilla' has no unique tokens"),
    "price": (("--price-per-hour", "0"), "--price-per-hour: expected a number above 0"),
    "negative": (("--price-per-hour", "-1"), "--price-per-hour: expected a number above 0"),
    "no price": (("--cost", "dollars", "--mfu", "0.4"), "also needs --price-per-hour and --peak"),
    "no peak": (("--price-per-hour", "2", "--mfu", ".4"), "the time of a FLOP also needs --peak"),
    "mfu": (("--mfu", "1.5", "--peak", "1T"), "--mfu: expected a number above 0 and at most 1"),
    "unit": (("--cost", "euros"), "--cost: expected flop, dollars or days, not 'euros'"),
    "latency": (("--latency", "0.02"), "--latency: the time of a token also needs --bandwidth"),
    "bandwidth": (("--bandwidth", "3T"), "--bandwidth: no effect without --latency"),
    "formats": (("--bits", ","), "--bits: expected a number above 0"),
    "many formats": (("--bits", ",".join(map(str, range(1, 99)))), "expected at most 64"),
    "peaks": (
        ("--devices", "8", "--mfu", "0.4", "--peak", "16=1T,8=2T"),
        "--peak: law 'chinchilla' has no training",
    ),
    "speeds": (("--speeds", "nvfp4=1.4"), "--speeds: needs a law with the bits of weights"),
    "speeds of nothing": (("--speeds", "fp5=2"), "'fp5' is no format with known bits"),
    "speeds by name": (("--speeds", "b300"), "--speeds: expected FORMAT=SPEED such as nvfp4=1.4"),
    "zero speed": (("--speeds", "fp8=0"), "--speeds fp8: expected a number above 0"),
    "qat": (("--qat-bits", "0"), "--qat-bits: expected a number above 0"),
    "qat of full precision": (("--qat-bits", "16"), "--qat-bits: expected bits below 16"),
    "memory": (("--memory", "80PB"), "--memory: expected a number of bytes above 0 such as 80GB"),
    "risk": (("--risk", "mean"), "--risk: no effect with one set of parameters"),
    "level": (("--level", "0.9"), "--level: no effect without --risk or --target-loss"),
    "days of serving": (
        ("--cost", "days", *HARDWARE[2:], "--peak", "989T", "--serve-tokens", "1T"),
        "--cost days: serving takes no days of --devices",
    ),
    "floor": (("--target-loss", "1.5"), "--target-loss 1.5: below 1.8172, the least loss"),
}


@pytest.mark.parametrize("case", PLANS)
def test_bad_plans_are_one_line(jscale, case: str):
    options, words = PLANS[case]
    rejected(jscale("plan", *CHINCHILLA, "--budget", "1e22", *options), words)


RISKS = {
    "target": (("--risk", "cvar", "--target-loss", "2.3"), "--risk: no effect with --target-loss"),
    "level": (("--risk", "mean", "--level", "0.9"), "--level: no effect with --risk mean"),
}


@pytest.mark.parametrize("case", RISKS)
def test_risks_without_effect_are_one_line(jscale, sampled, case: str):
    options, words = RISKS[case]
    rejected(jscale("plan", "--posterior", sampled.file, "--budget", "1e22", *options), words)


def test_a_limit_takes_one_precision_of_the_weights(jscale):
    options = ("--budget", "1e22", "--memory", "80B", "--post-bits", "3,4")
    rejected(jscale("plan", *KUMAR, *options), "--memory: the weights in use have one precision")


NEXT = {
    "none": ((), "the choice of runs needs one of RUNS"),
    "target": (("runs.csv", "--target", "loss"), "--target: expected plan, forecast or"),
    "at": (("runs.csv", "--target", "forecast"), "--target forecast: also needs --at"),
    "budget": (("runs.csv", "--budget", "0"), "--budget: expected a number above 0"),
    "count": (("runs.csv", "--runs", "1000"), "--runs: expected at most 64, not 1000"),
    "law": (("runs.csv", "--law", "power_data"), "has no input N"),
}


@pytest.mark.parametrize("case", NEXT)
def test_bad_choices_of_runs_are_one_line(jscale, case: str):
    options, words = NEXT[case]
    rejected(jscale("next", *options), words)


def test_draws_that_are_not_finite_are_counted(answer, sampled, monkeypatch):
    loaded = fit.load(sampled.file)
    draws = {name: values.copy() for name, values in loaded.draws.items()}
    draws["A"][:3] = np.nan

    class Some:
        def __init__(self):
            self.draws = draws

        def __getattr__(self, name):
            return getattr(loaded, name)

    monkeypatch.setattr(fit, "load", lambda *_: Some())
    printed = answer("plan", "--posterior", sampled.file, "--budget", "1e23")
    (note,) = [note for note in printed["notes"] if note["code"] == "lost-draws"]
    assert note["message"].startswith("3 of 200 draws are not finite")
    assert printed["plans"][0]["decision"]["N"] > 1e9


@pytest.fixture
def two_laws(monkeypatch) -> None:
    """Draws of two laws with weights in place of the fits of an ensemble."""
    members = []
    for law, weight in ((laws.chinchilla, 0.75), (laws.coupled, 0.25)):
        draws = {name: np.array([0.99, 1.0, 1.01]) * v for name, v in laws.params(law).items()}
        ranges = {"N": (1e8, 1e10), "D": (1e9, 1e12), "C": (1e18, 1e22)}
        sampled = SimpleNamespace(law=law, law_name=law.__name__, draws=draws, ranges=ranges)
        members.append(assess.Member(f"{law.__name__}, student", sampled, weight, 1.0))

    def ensemble(given, table, **settings):
        assert given == [laws.chinchilla, laws.coupled]
        assert not settings["correct"]
        note = Note("weights", "info", "weights of two laws")
        return assess.Ensemble(tuple(members), assess.BandCorrection(), 3, 96, (note,), "")

    monkeypatch.setattr(assess, "ensemble", ensemble)


def test_a_plan_averaged_over_laws(jscale, answer, two_laws, table: Path):
    """The library's plan, the medians of each law, and what 25% in size cost both together."""
    arguments = ("plan", table, "--ensemble", "--budget", "1e22")
    printed = answer(*arguments)
    (chosen,) = printed["plans"]
    members = [
        (law, {name: np.array([0.99, 1.0, 1.01]) * v for name, v in laws.params(law).items()})
        for law in (laws.chinchilla, laws.coupled)
    ]
    with float64():
        best = plan.averaged(members, 1e22, weights=[3, 1])
    decision = chosen["decision"]
    assert printed["law"] == "chinchilla + coupled"
    assert printed["draws"] == 6
    np.testing.assert_allclose(decision["N"], best.N, rtol=1e-9)
    np.testing.assert_allclose(decision["loss"], best.loss, rtol=1e-12)
    np.testing.assert_allclose(decision["regret"]["nats"], best.regret, rtol=1e-6)
    assert [each["weight"] for each in chosen["laws"]] == [0.75, 0.25]
    np.testing.assert_allclose(
        [each["N_opt"] for each in chosen["laws"]], best.by_law["N_opt"], rtol=1e-9
    )
    assert decision["quarter"] > 0
    assert {note["code"] for note in printed["notes"]} >= {"weights"}

    first, *others = jscale(*arguments).stdout.splitlines()
    assert first.startswith("10²² FLOP: train ")
    assert "expected regret" in first
    assert [line for line in others if len(line) > 80] == []
    words = "\n".join(others)
    assert "coupled, student" in words
    assert "Weights by 96 forecasts of held-out runs, 3 cuts by compute." in words


def test_an_ensemble_needs_two_laws(jscale, tmp_path: Path):
    columns = {"N": [1e8, 3e8, 1e9, 3e9], "loss": [3.1, 2.9, 2.7, 2.6]}
    sizes = write_table(tmp_path / "sizes.csv", columns)
    result = jscale("plan", sizes, "--ensemble", "--budget", "1e21")
    rejected(result, "--ensemble: of the catalogue only power_size suits the columns")


def test_unique_tokens_need_a_law_of_them(jscale, table):
    result = jscale("plan", table, "--ensemble", "--budget", "1e21", "--unique-tokens", "1e10")
    rejected(result, "--unique-tokens: chinchilla and coupled, which suit")
