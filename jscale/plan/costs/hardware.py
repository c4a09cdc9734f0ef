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
        flops: FLOP of the model itself, without what is computed again for lack of memory.
        devices: number of them.
        peak: of one device in the precision used, FLOP per second.
        mfu: model FLOP utilisation, the share of the peak that the model's own FLOP reach: above 0,
            at most 1.

    Raises:
        JscaleError: a number that is not positive, or a utilisation above 1.

    Source: the definition of utilisation, Chowdhery et al. 2022 (arXiv 2204.02311), appendix B.
    """
    mfu = positive("mfu", between("mfu", mfu, 0.0, 1.0))
    return ratio(
        between("flops", flops, 0.0), positive("devices", devices) * positive("peak", peak) * mfu
    )


def dollars(seconds: ArrayLike, *, devices: ArrayLike, price: ArrayLike) -> Any:
    """Dollars that the devices cost: ``seconds devices price / 3600``.

    Args:
        seconds: of use.
        devices: number of them.
        price: of one device, dollars per hour.

    Raises:
        JscaleError: a negative time or price, or a number of devices that is not positive.

    Source: definition.
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
        pue: power usage effectiveness, what the site draws for a joule that its computers use: 1 or
            more.

    Raises:
        JscaleError: a negative time, a number of devices or a power that is not positive, or a
            ``pue`` below 1.

    Source: Patterson et al. 2021 (arXiv 2104.10350).
    """
    energy = (
        between("seconds", seconds, 0.0) * positive("devices", devices) * positive("watts", watts)
    )
    return energy * between("pue", pue, 1.0)


def kilowatt_hours(energy: ArrayLike) -> Any:
    """Kilowatt hours in ``energy`` joules, ``energy / 3.6e6``.

    Raises:
        JscaleError: a negative energy.

    Source: definition.
    """
    return between("energy", energy, 0.0) / (1000.0 * _HOUR)
