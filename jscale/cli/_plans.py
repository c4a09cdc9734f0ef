"""Plans with bands as JSON objects: what ``jscale plan`` prints and ``jscale report`` returns."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jscale._core.errors import JscaleError

if TYPE_CHECKING:
    from jscale.laws import LawFunction

_QUANTILES = ("q05", "q50", "q95")
_CHOSEN = ("N_opt", "D_opt", "P_opt", "loss", "D_over_N")


@dataclass(frozen=True)
class Wanted:
    """What to plan.

    Attributes:
        law: the law.
        params: parameter → value or draws.
        bits: training precision, None to let the plan choose it (or where the law has none).
        size: parameters, None to let the plan choose them.
        post_bits: bits after training for which to find the critical tokens.
    """

    law: "LawFunction"
    params: Mapping[str, Any]
    bits: float | None = None
    size: float | None = None
    post_bits: Sequence[float] = ()

    @property
    def free(self) -> tuple[str, ...]:
        """What the plan chooses."""
        free = ("D",) if self.size is not None else ("N", "D")
        return (*free, "P") if self.has_bits and self.bits is None else free

    @property
    def fixed(self) -> dict[str, Any]:
        """What was given instead."""
        given = {"N": self.size, "P": self.bits}
        return {name: value for name, value in given.items() if value is not None}

    @property
    def has_bits(self) -> bool:
        """Whether the law counts bits during training."""
        from jscale.laws import describe

        return any(name != "P_post" for name in describe(self.law).bit_inputs)


def check(law: "LawFunction", bits: float | None = None, post_bits: Sequence[float] = ()) -> None:
    """Refuse what cannot be planned before anything is sampled for it.

    Raises:
        JscaleError: the law does not divide a budget between size and data, or has no such bits.
    """
    from jscale.laws import describe

    record = describe(law)
    if missing := {"N", "D"} - set(record.input_names):
        lacking = " and ".join(sorted(missing, reverse=True))
        raise JscaleError(
            f"law {record.name!r} has no input {lacking}: a plan divides a budget between N and D"
        )
    if others := [i.name for i in record.inputs if i.default is None and i.name not in ("N", "D")]:
        raise JscaleError(
            f"law {record.name!r} also needs {', '.join(others)}, which a plan does not choose"
        )
    if bits is not None and not set(record.bit_inputs) - {"P_post"}:
        raise JscaleError(f"--bits: law {record.name!r} has no training precision")
    if post_bits and "P_post" not in record.bit_inputs:
        raise JscaleError(f"--post-bits: law {record.name!r} has no bits after training, P_post")


def at_budget(wanted: Wanted, budget: float) -> dict[str, Any]:
    """The plan for a budget in FLOP, with quantiles over the draws (all equal for a point)."""
    from jscale import plan

    def decide(law: Any, theta: Any, budget: Any) -> dict[str, Any]:
        best = plan.optimal(law, theta, budget, free=wanted.free, **wanted.fixed)
        chosen = {"N_opt": best.N_opt, "D_opt": best.D_opt, "P_opt": best.P_opt, "loss": best.loss}
        chosen["D_over_N"] = best.D_opt / best.N_opt
        return {"chosen": {k: v for k, v in chosen.items() if v is not None}, "status": best.status}

    bands = plan.bands(decide, wanted.law, wanted.params, budget)
    found: dict[str, Any] = {"C": budget}
    chosen = bands.values["chosen"]
    found.update({name: _quantiles(chosen[name]) for name in _CHOSEN if name in chosen})
    found.update(_outcome(bands.values["status"], bands.converged))
    if wanted.post_bits:
        found["D_crit"] = _critical(wanted, budget)
    return found


def at_size(wanted: Wanted) -> dict[str, Any]:
    """The critical tokens of a model of the given size, without a budget."""
    return {"N": wanted.size, "D_crit": _critical(wanted, None)}


def _critical(wanted: Wanted, budget: float | None) -> dict[str, Any]:
    """Bits after training → quantiles of the tokens beyond which more data hurts the model that is
    planned.
    """
    from jscale import plan

    def tokens(law: Any, theta: Any, post_bits: float) -> Any:
        inputs: dict[str, Any] = dict(wanted.fixed)
        if budget is not None:
            best = plan.optimal(law, theta, budget, free=wanted.free, **wanted.fixed)
            inputs = {"N": best.N_opt} if best.P_opt is None else {"N": best.N_opt, "P": best.P_opt}
        return plan.critical_tokens(law, theta, P_post=post_bits, **inputs)

    found = {}
    for bits in wanted.post_bits:
        bands = plan.bands(tokens, wanted.law, wanted.params, bits)
        found[f"{bits:g}"] = {
            **_quantiles(bands.values.D_crit),
            **_outcome(bands.values.status, bands.converged),
        }
    return found


def _quantiles(values: Any) -> dict[str, float]:
    return dict(zip(_QUANTILES, values.tolist(), strict=True))


def _outcome(status: Any, share: Any) -> dict[str, Any]:
    from jscale._core.status import Status

    return {"status": str(Status(int(status))), "converged": float(share)}


def default_budgets(compute: Any) -> list[float]:
    """One, two and three decades beyond the largest run, as powers of ten.

    Args:
        compute: FLOP of every run, shape (rows,).

    Raises:
        JscaleError: there is no run.
    """
    import numpy as np

    if not len(compute):
        raise JscaleError("no run tells how much compute it took: give --budget")
    nearest = round(float(np.log10(np.max(compute))))
    return [float(f"1e{nearest + decades}") for decades in (1, 2, 3)]
