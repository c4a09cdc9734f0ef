"""Devices and their prices: what a FLOP costs in dollars and in days."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from jscale._core.errors import JscaleError
from jscale._core.text import general, listing
from jscale.cli.support import parsing

_DAY = 86400.0
"""Seconds."""
_ANY = 0.0
"""Bits of a peak that holds for all."""


@dataclass(frozen=True)
class Hardware:
    """Devices; what is not given is None.

    Attributes:
        price: dollars per device hour.
        devices: number of them.
        mfu: model FLOP utilisation.
        peaks: bits → FLOP per second of one device; bits 0 where it holds for all.
    """

    price: float | None = None
    devices: float | None = None
    mfu: float | None = None
    peaks: Mapping[float, float] = field(default_factory=dict)

    @property
    def formats(self) -> list[float]:
        """Bits for which the device has a peak of its own; empty where one holds for all."""
        return sorted(bits for bits in self.peaks if bits != _ANY)

    @property
    def has_rate(self) -> bool:
        """Whether the seconds of a FLOP are known."""
        return bool(self.peaks) and self.mfu is not None

    def _seconds(self, bits: float | None) -> float:
        """Device seconds per FLOP.

        Raises:
            JscaleError: the device has no peak for these bits.
        """
        known = self.peaks.get(_ANY, self.peaks.get(16.0 if bits is None else bits))
        if known is None:
            have = listing([general(each, 3) for each in self.formats])
            raise JscaleError(f"--peak: no peak for {bits or 16:g} bits; it has {have}")
        assert self.mfu is not None
        return 1 / (known * self.mfu)

    def units(self, bits: float | None) -> dict[str, float]:
        """Dollars and days per FLOP in this precision, where they are known."""
        if not self.has_rate:
            return {}
        seconds, units = self._seconds(bits), {}
        if self.price is not None:
            units["dollars"] = seconds * self.price / 3600
        if self.devices is not None:
            units["days"] = seconds / self.devices / _DAY
        return units


def hardware_of(
    price: str | None, devices: str | None, mfu: str | None, peak: list[str] | None
) -> Hardware:
    """The devices of ``--price-per-hour``, ``--devices``, ``--mfu`` and ``--peak``.

    Raises:
        JscaleError: one is not a number above 0, or a utilisation is above 1.
    """
    numbers = {
        flag: None if text is None else parsing.above_zero(text, flag, example)
        for flag, text, example in (
            ("--price-per-hour", price, "2.5"),
            ("--devices", devices, "4096"),
            ("--mfu", mfu, "0.4"),
        )
    }
    utilisation = numbers["--mfu"]
    if utilisation is not None and utilisation > 1:
        raise JscaleError(f"--mfu: expected a number above 0 and at most 1, not {utilisation:g}")
    return Hardware(numbers["--price-per-hour"], numbers["--devices"], utilisation, _peaks(peak))


def _peaks(texts: list[str] | None) -> dict[float, float]:
    peaks: dict[float, float] = {}
    for text in parsing.many(texts):
        bits, equals, rate = text.rpartition("=")
        key = parsing.above_zero(bits, "--peak: bits", "8") if equals else _ANY
        if key in peaks:
            raise JscaleError(f"--peak: the peak of {bits or 'all bits'} is given twice")
        peaks[key] = parsing.above_zero(rate, "--peak", "989T")
    if _ANY in peaks and len(peaks) > 1:
        raise JscaleError(
            "--peak: give one number, or one for each number of bits: 16=989T,8=1979T"
        )
    return peaks


def check_unit(cost: str, hardware: Hardware) -> None:
    """Check that the unit of a budget is known and has its prices.

    Raises:
        JscaleError: an unknown unit, or a price that it needs is missing.
    """
    needs = {"flop": (), "dollars": ("--price-per-hour",), "days": ("--devices",)}
    if cost not in needs:
        raise JscaleError(f"--cost: expected {listing(list(needs), last=' or ')}, not {cost!r}")
    has = {
        "--price-per-hour": hardware.price is not None,
        "--devices": hardware.devices is not None,
        "--mfu": hardware.mfu is not None,
        "--peak": bool(hardware.peaks),
    }
    if cost == "flop":
        _check_complete(has)
        return
    required = (*needs[cost], "--mfu", "--peak")
    if missing := [flag for flag in required if not has[flag]]:
        raise JscaleError(f"--cost {cost}: also needs {listing(missing)}")


def _check_complete(has: Mapping[str, bool]) -> None:
    """Check that prices beside a budget in FLOP say what it costs or how long it takes."""
    options = [flag for flag, is_there in has.items() if is_there]
    if not options:
        return
    if missing := [flag for flag in ("--mfu", "--peak") if not has[flag]]:
        raise JscaleError(f"{options[0]}: the time of a FLOP also needs {listing(missing)}")
    if not (has["--price-per-hour"] or has["--devices"]):
        raise JscaleError(
            f"{listing(options)}: no effect without --price-per-hour or --devices; leave them out"
        )
