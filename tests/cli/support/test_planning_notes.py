"""Notes on plans, from given numbers."""

from jscale import laws
from jscale.cli.support import planning
from jscale.cli.support.planning import PlanRequest


def test_a_plan_in_bits_below_those_of_the_runs_has_a_warning():
    ranges = {"P_w": (8.0, 16.0), "P_a": (12.0, 16.0), "P_kv": (16.0, 16.0), "P_post": (4.0, 4.0)}
    request = PlanRequest(laws.precision, {}, ranges=ranges)

    def warnings(bits: float) -> list[str]:
        row = {"C": 1e22, "P_opt": {"q50": bits}, "D_over_N": {"q50": 20.0}, "decades": {}}
        return [note.message for note in planning.notes(request, [row])]

    assert warnings(3.8) == [
        "3.8 bits at 1e22 FLOP, below the 8 to 16 bits of the runs: "
        "no run supports such bits, only the law and its priors"
    ]
    assert warnings(7.96) == warnings(16.0) == warnings(float("nan")) == []


def test_critical_tokens_of_runs_that_were_not_quantised_have_a_warning():
    def messages(low: float, high: float, post_bits: tuple[float, ...]) -> list[str]:
        request = PlanRequest(
            laws.precision, {}, post_bits=post_bits, ranges={"P_post": (low, high)}
        )
        notes = planning.notes(request, [])
        return [note.message for note in notes if note.code == "post-bits-unidentified"]

    assert messages(16.0, 16.0, (4.0,))[0].startswith("no run was quantised after training: ")
    assert messages(4.0, 4.0, (4.0,))[0].startswith("P_post is 4 in all runs: ")
    assert messages(3.0, 16.0, (4.0,)) == messages(16.0, 16.0, ()) == []
