"""Time, money and energy of a given amount of computing."""

from typing import Any

from jax.typing import ArrayLike

from jscale._core.arrays import ratio
from jscale.plan.costs._numbers import between, positive

_HOUR = 3600.0
"""Seconds."""


def compute_seconds(
    flops: ArrayLike, *, devices: ArrayLike, peak: ArrayLike, mfu: ArrayLike
) -> Any:
    """Seconds that ``flops`` take: ``C / (devices peak mfu)``.

    Args:
        flops: FLOP of the model itself, without recomputed activations.
        devices: number of them.
        peak: of one device in the precision used, FLOP per second.
        mfu: model FLOP utilisation, the share of the peak that the model's own FLOP reach: above 0,
            at most 1.

    Raises:
        JscaleError: a number that is not positive, or a utilisation above 1.

    Source: the definition of utilisation, Chowdhery et al. 2022 (arXiv 2204.02311), appendix B.

    Example:
        1e24 FLOP on 4096 devices of 989 TFLOP per second at 40% utilisation, in days:

        >>> from jscale.plan import costs
        >>> seconds = costs.compute_seconds(1e24, devices=4096, peak=989e12, mfu=0.4)
        >>> print(f"{seconds / 86400:.1f} days")
        7.1 days
    """
    mfu = positive("mfu", between("mfu", mfu, 0.0, 1.0))
    rate = positive("devices", devices) * positive("peak", peak) * mfu
    return ratio(between("flops", flops, 0.0), rate)


def dollars(seconds: ArrayLike, *, devices: ArrayLike, price: ArrayLike) -> Any:
    """Dollars that the devices cost: ``seconds devices price / 3600``.

    Args:
        seconds: of use.
        devices: number of them.
        price: of one device, dollars per hour.

    Raises:
        JscaleError: a negative time or price, or a number of devices that is not positive.

    Source: definition.

    Example:
        A week on 4096 devices at 2 dollars an hour each:

        >>> from jscale.plan import costs
        >>> print(f"{costs.dollars(7 * 86400, devices=4096, price=2.0):.3g} dollars")
        1.38e+06 dollars
    """
    hours = between("seconds", seconds, 0.0) / _HOUR
    return hours * positive("devices", devices) * between("price", price, 0.0)


def joules(
    seconds: ArrayLike, *, devices: ArrayLike, watts: ArrayLike, pue: ArrayLike = 1.0
) -> Any:
    """Joules that the devices use: ``seconds devices watts pue``.

    Args:
        seconds: of use.
        devices: number of them.
        watts: mean power of one device with its share of the host.
        pue: power usage effectiveness, joules drawn by the site per joule used by its computers: 1
            or more.

    Raises:
        JscaleError: a negative time, a number of devices or a power that is not positive, or a
            ``pue`` below 1.

    Source: Patterson et al. 2021 (arXiv 2104.10350).

    Example:
        A week on 4096 devices of 1000 watts:

        >>> from jscale.plan import costs
        >>> print(f"{costs.joules(7 * 86400, devices=4096, watts=1000.0, pue=1.1):.3g} joules")
        2.72e+12 joules
    """
    device_seconds = between("seconds", seconds, 0.0) * positive("devices", devices)
    return device_seconds * positive("watts", watts) * between("pue", pue, 1.0)


def kilowatt_hours(energy: ArrayLike) -> Any:
    """Kilowatt hours in ``energy`` joules, ``energy / 3.6e6``.

    Args:
        energy: joules, see :func:`joules`.

    Raises:
        JscaleError: a negative energy.

    Source: definition.

    Example:
        >>> from jscale.plan import costs
        >>> print(costs.kilowatt_hours(3.6e9), "kWh")
        1000.0 kWh
    """
    return between("energy", energy, 0.0) / (1000.0 * _HOUR)
