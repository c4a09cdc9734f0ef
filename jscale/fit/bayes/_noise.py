"""The noise of the likelihood: Student-t, with a scale of its own."""

NOISE = "sigma"
"""Site of the scale of the log loss about the law."""
NOISE_SCALE = 0.02
"""Scale of the half-normal prior of ``sigma``."""
