"""What a plan is asked for: goals, limits and variables, from the texts of the options."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, get_args

from jscale._core.errors import JscaleError
from jscale._core.text import enumerated, listing, quote
from jscale.cli.decisions.hardware import Hardware
from jscale.cli.support import parsing, planning

if TYPE_CHECKING:
    from jscale.laws import LawFunction

MOST_FORMATS = 64
"""Numbers of bits in one list: each is a plan of its own."""
_STORED = 16.0
"""Bits of a weight that no option names."""
Range = tuple[float | None, float | None]


@dataclass(frozen=True)
class Question:
    """What to plan.

    Attributes:
        budgets: in the unit of ``cost``.
        targets: losses to reach at the least cost.
        cost: flop, dollars or days.
        hardware: devices and prices.
        formats: bits of training to choose from; empty to optimise them.
        speeds: format → throughput of training, or the name of published ones; empty where it is
            in proportion to bits.
        served: tokens over the life of the model; None for the cost of training alone.
        latency: most seconds between two tokens; None for no limit.
        bandwidth: bytes per second.
        memory: most bytes of weights; None for no limit.
        post_bits: of the weights in use, if they are quantised after training.
        qat_bits: of the weights after quantisation-aware training; None without it.
        free: variables to choose besides the usual ones.
        bounds: variable → least and largest value, either may be None.
        risk: mean, cvar or regret; None for the median of the draws' own plans.
        level: of the risk or of reaching a target.
        substitute: whether to list other sizes of the same loss.
    """

    budgets: Sequence[float] = ()
    targets: Sequence[float] = ()
    cost: str = "flop"
    hardware: Hardware = field(default_factory=Hardware)
    formats: Sequence[float] = ()
    speeds: Mapping[str, float] | str = field(default_factory=dict)
    served: float | None = None
    latency: float | None = None
    bandwidth: float | None = None
    memory: float | None = None
    post_bits: Sequence[float] = ()
    qat_bits: float | None = None
    free: Sequence[str] = ()
    bounds: Mapping[str, Range] = field(default_factory=dict)
    risk: str | None = None
    level: float | None = None
    substitute: bool = False

    @property
    def is_general(self) -> bool:
        """Whether it needs the general optimiser: limits, ranges or other variables."""
        return bool(self.free or self.bounds) or self.has_limits

    @property
    def has_limits(self) -> bool:
        """Whether the weights in use have a limit."""
        return self.latency is not None or self.memory is not None

    def bits_in_use(self, trained: float | None) -> float:
        """Bits of the weights in use: those after training, else those of training, else 16."""
        if self.post_bits:
            return self.post_bits[0]
        return self.qat_bits or trained or _STORED


def formats_of(texts: list[str] | None) -> list[float]:
    """The bits of ``--bits``; empty for ``free``.

    Raises:
        JscaleError: one is not a number above 0, is given twice, or there are too many.
    """
    words = parsing.many(texts)
    if words in ([], ["free"]):
        return []
    if len(words) > MOST_FORMATS:
        raise JscaleError(
            f"--bits: {len(words):,} numbers of bits; expected at most {MOST_FORMATS}: give a "
            "range with --bound P=LOW..HIGH"
        )
    formats = [parsing.above_zero(word, "--bits", "8, 4,8,16 or 'free'") for word in words]
    if len(set(formats)) < len(formats):
        raise JscaleError("--bits: a number of bits is given twice")
    return formats


def bounds_of(texts: list[str] | None) -> dict[str, Range]:
    """The ranges of ``--bound``.

    Raises:
        JscaleError: no range, an end that is not a number above 0, or ends that contradict.
    """
    bounds: dict[str, Range] = {}
    for name, text in parsing.pairs(texts, "--bound", "N=1B..20B").items():
        low, dots, high = text.partition("..")
        if not dots or not (low or high):
            raise JscaleError(f"--bound: expected {name}=LOW..HIGH, not {quote(text)}")
        ends = [
            parsing.above_zero(end, f"--bound {name}", "1B") if end.strip() else None
            for end in (low, high)
        ]
        if ends[0] is not None and ends[1] is not None and ends[0] >= ends[1]:
            raise JscaleError(f"--bound {name}: {low.strip()} is not below {high.strip()}")
        bounds[name] = (ends[0], ends[1])
    return bounds


def speeds_of(texts: list[str] | None) -> dict[str, float] | str:
    """The table of ``--speeds``, or a single name of a published one.

    Raises:
        JscaleError: a speed that is not a number above 0, or a format that is given twice.
    """
    words = parsing.many(texts)
    if len(words) == 1 and "=" not in words[0]:
        return words[0]
    pairs = parsing.pairs(texts, "--speeds", "nvfp4=1.4")
    return {
        name: parsing.above_zero(text, f"--speeds {name}", "1.4") for name, text in pairs.items()
    }


def optional(text: str | None, flag: str, example: str) -> float | None:
    """A number above 0, or None where the option was not given."""
    return None if text is None else parsing.above_zero(text, flag, example)


def optional_bytes(text: str | None, flag: str, example: str) -> float | None:
    """A number of bytes above 0, or None where the option was not given."""
    return None if text is None else parsing.byte_count(text, flag, example)


def check(question: Question, law: "LawFunction", draws: int | None) -> None:
    """Check a question against its law.

    Args:
        question: what is planned.
        law: whose variables.
        draws: number of draws of the parameters; None where it is not known yet, but more than 1.

    Raises:
        JscaleError: a variable that the law lacks, or options that do not go together.
    """
    from jscale.laws import describe
    from jscale.plan.risk import Risk

    record = describe(law)
    known = [*record.input_names, *(["P"] if planning.has_bits(law) else [])]
    for flag, names in (("--free", question.free), ("--bound", question.bounds)):
        if unknown := [name for name in names if name not in known]:
            raise JscaleError(
                f"{flag}: law {record.name!r} has no {enumerated(unknown)} (it has: "
                f"{enumerated(known)})"
            )
    if question.latency is not None and question.bandwidth is None:
        raise JscaleError("--latency: the time of a token also needs --bandwidth")
    if question.has_limits and len(question.post_bits) > 1:
        flag = "--latency" if question.latency is not None else "--memory"
        raise JscaleError(f"{flag}: the weights in use have one precision; give one --post-bits")
    if question.cost == "days" and question.served is not None:
        raise JscaleError(
            "--cost days: serving takes no days of --devices; give --budget in flop or dollars"
        )
    _check_qat_bits(question, law)
    _check_peaks(question, law)
    _check_speeds(question, law)
    _check_risk(question, get_args(Risk), draws)


def _check_qat_bits(question: Question, law: "LawFunction") -> None:
    """Check that there are two phases to divide tokens between, and one precision at the end."""
    bits = question.qat_bits
    if bits is None:
        return
    if planning.has_bits(law):
        raise JscaleError("--qat-bits: needs a law of full precision, without bits of training")
    if question.post_bits:
        raise JscaleError("--qat-bits: no effect with --post-bits; leave one of them out")
    if bits >= _STORED:
        raise JscaleError(
            f"--qat-bits: expected bits below {_STORED:g}, those of full precision, not {bits:g}"
        )


def _check_peaks(question: Question, law: "LawFunction") -> None:
    """Check that a peak for each precision goes with a law whose products have that precision."""
    from jscale.laws import describe

    record = describe(law)
    if not question.hardware.formats or planning.charges_bits(law):
        return
    if not planning.has_bits(law):
        raise JscaleError(
            f"--peak: law {record.name!r} has no training precision; give one number for all bits"
        )
    names = enumerated([name for name in record.bit_inputs if name != "P_post"])
    raise JscaleError(
        f"--peak: law {record.name!r} has {names} alone, and weights of few bits are multiplied "
        "in 16: give that peak as one number"
    )


def _check_speeds(question: Question, law: "LawFunction") -> None:
    """Check that a speed for each format goes with the law and the other options.

    Raises:
        JscaleError: an unknown format or table, a law without bits, or prices of bits besides.
    """
    if not question.speeds:
        return
    speed_cost(question.speeds)
    if not planning.charges_bits(law):
        raise JscaleError("--speeds: needs a law with the bits of weights and activations")
    if question.hardware.formats:
        raise JscaleError("--speeds: no effect with a peak for each precision; give one --peak")
    if question.served is not None:
        raise JscaleError("--speeds: of training alone; leave out --serve-tokens")


def speed_cost(speeds: Mapping[str, float] | str) -> Any:
    """The cost of training by a table of speeds, or by the published one of this name.

    Raises:
        JscaleError: an unknown format or table.
    """
    from jscale.plan import costs

    if isinstance(speeds, str):
        published = costs.PUBLISHED_SPEED_UPS
        if speeds not in published:
            raise JscaleError(
                f"--speeds: expected FORMAT=SPEED such as nvfp4=1.4, or {listing(published)}, not "
                f"{quote(speeds)}"
            )
        return costs.speed_cost(published, device=speeds)
    return costs.speed_cost(speeds)


def _check_risk(question: Question, kinds: Sequence[str], draws: int | None) -> None:
    risk, level = question.risk, question.level
    if level is not None and not 0 < level < 1:
        raise JscaleError(f"--level: expected a number above 0 and below 1, not {level:g}")
    if risk is not None:
        if risk not in kinds:
            raise JscaleError(f"--risk: expected {enumerated(kinds)}, not {quote(risk)}")
        if question.targets:
            raise JscaleError(
                "--risk: no effect with --target-loss; give --level, the probability to reach it"
            )
        if risk == "mean" and level is not None:
            raise JscaleError("--level: no effect with --risk mean; leave it out")
        if draws == 1:
            raise JscaleError("--risk: no effect with one set of parameters; give RUNS or draws")
        names = (*question.free, *question.bounds)
        if others := [name for name in names if name not in ("N", "D", "P")]:
            raise JscaleError(
                f"--risk: not available with {enumerated(others)} to choose, only with N, D and P"
            )
    elif level is not None and not question.targets:
        raise JscaleError("--level: no effect without --risk or --target-loss; leave it out")
    if level is not None and question.targets and (draws == 1 or question.is_general):
        reason = "with one set of parameters" if draws == 1 else "with limits or ranges"
        raise JscaleError(f"--level: no effect {reason}; leave it out")
