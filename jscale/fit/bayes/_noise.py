"""Noise models of the likelihood."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    pass


_NOISE_SCALE = 0.02


NOISE, STUDENT_NU = "sigma", 4.0
"""Site of the scale of the log loss about the law, and the degrees of freedom of its Student-t
distribution."""
