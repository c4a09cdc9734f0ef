"""The catalogue of scaling laws: pure functions, each declared once in its own signature.

A law takes Python numbers, numpy and JAX arrays and follows their precision. Its value is right to 1e-14 of itself in
float64 and, the rounding of inputs and parameters included, to 5e-6 in float32 (a loss to 3e-6).
"""

import difflib

from jscale._core.errors import JscaleError
from jscale.laws import roles
from jscale.laws._change import fix, substitute, tie
from jscale.laws._declare import (
    CONFIDENCE,
    Constants,
    Input,
    LawFunction,
    Parameter,
    Record,
    constants,
    describe,
    law,
    params,
)
from jscale.laws.dense import chinchilla, kaplan, kaplan_compute, kaplan_data, kaplan_size, kaplan_steps
from jscale.laws.power import power_compute, power_data, power_size
from jscale.laws.precision import (
    effective_fraction,
    effective_parameters,
    effective_parameters_weights,
    low_precision,
    precision,
    precision_robust,
    ptq_degradation,
    qat,
)

catalogue: tuple[LawFunction, ...] = (
    power_size, power_data, power_compute,
    kaplan_size, kaplan_data, kaplan_compute, kaplan, kaplan_steps, chinchilla,
    effective_parameters_weights, effective_parameters, effective_fraction, qat, low_precision, ptq_degradation,
    precision, precision_robust,
)  # fmt: skip
"""Every law of the library, by subject."""


def get(name: str) -> LawFunction:
    """The law of the catalogue with this name.

    Raises:
        JscaleError: there is none; the message suggests the nearest name.
    """
    by_name = {describe(f).name: f for f in catalogue}
    if name not in by_name:
        close = difflib.get_close_matches(name, by_name, 1)
        hint = f"; did you mean {close[0]!r}?" if close else f" (known: {', '.join(by_name)})"
        raise JscaleError(f"no law named {name!r}{hint}")
    return by_name[name]


__all__ = [
    "CONFIDENCE", "Constants", "Input", "LawFunction", "Parameter", "Record", "catalogue", "chinchilla", "constants",
    "describe", "effective_fraction", "effective_parameters", "effective_parameters_weights", "fix", "get", "kaplan",
    "kaplan_compute", "kaplan_data", "kaplan_size", "kaplan_steps", "law", "low_precision", "params", "power_compute",
    "power_data", "power_size", "precision", "precision_robust", "ptq_degradation", "qat", "roles", "substitute", "tie",
]  # fmt: skip
