"""The scale of the errors of a posterior, by the name of its site."""

NOISE = "sigma"
"""Site of the scale of the errors at the typical run."""
