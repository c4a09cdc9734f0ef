"""Learning-rate schedules and the laws of the loss along them, as a module of their own."""

from jscale.laws.training import (
    FAMILIES,
    constant,
    cosine,
    linear,
    momentum_curve,
    momentum_law,
    multi_power,
    multi_power_curve,
    wsd,
)

__all__ = [
    "FAMILIES",
    "constant",
    "cosine",
    "linear",
    "momentum_curve",
    "momentum_law",
    "multi_power",
    "multi_power_curve",
    "wsd",
]
