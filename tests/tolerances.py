"""How far results may be off, per dtype: relative errors, each with the worst that was measured."""

from collections.abc import Mapping

VALUE: Mapping[str, float] = {"float32": 8e-6, "float64": 1.5e-14}
"""A law against its formula in 40 digits, at the corners of what anyone trains, over the whole
catalogue: 4.6e-6 and 6.2e-15, both in ``ptq_degradation``, whose exponent of about 20 magnifies
rounding; a loss is off by 4.1e-6 (``farseer``) and 4.0e-15 at most."""

REWRITTEN: Mapping[str, float] = {"float32": 8e-6, "float64": 1.5e-14}
"""The same operations in another order (formula text, jit, vmap, scalars for arrays): 3.6e-6 and
4.8e-15."""

ROUND_TRIP: Mapping[str, float] = {"float32": 1e-6, "float64": 1e-14}
"""Natural to free and back, 4.8e-7 and 6.7e-16; parameter to coordinate and back (float64 only),
2.5e-15."""

REFERENCE = 1e-9
"""Numbers of the reference table carry ten digits."""

FINITE_DIFFERENCE = 1e-5
"""First and second derivatives against central differences in float64 with a step of 1e-4: 1.7e-6,
the truncation error of ``effective_fraction``, whose third derivative is about 500 times its
value."""
