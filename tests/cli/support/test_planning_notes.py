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
