"""Broken neural scaling laws: power laws whose exponent changes.

The exponent changes at n breaks, each with a width of its own. Between two breaks the excess over
the floor is a power law. The form also describes double descent and late take-offs, since a slope
may increase; it cannot predict a break beyond the runs.

Everything is evaluated in logarithms: ``(x / d)**(1 / f)`` has hundreds of digits where a break is
sharp.
"""

from collections.abc import Mapping
from typing import Annotated, Any

import jax
import jax.numpy as jnp

from jscale._core.arrays import log
from jscale._core.checks import is_whole_number
from jscale._core.errors import JscaleError
from jscale._core.text import enumerated, shown
from jscale.laws.declaration import LawFunction, family, member
from jscale.laws.roles import (
    Anchor,
    Coefficient,
    Irreducible,
    Loss,
    Prior,
    Resource,
    SignedExponent,
    adjust,
    lognormal,
)

_DECADES = 2.0
"""Start ranges of breaks reach this many decades to either side of the middle of the runs."""


def _break_place(i: int, n: int) -> Any:
    """Role of the place of break i of n.

    Start ranges do not overlap, so that the breaks keep their order.
    """
    half = _DECADES / n
    middle = -_DECADES + half * (2 * i - 1)
    low, high = (10 ** (middle + s * half) for s in (-0.95, 0.95))
    return Annotated[
        Coefficient,
        adjust(
            name="break",
            unit="units",
            meaning=f"resource at break {i}",
            prior=lognormal(10**middle, 2.0 * half),
            start=(low, high),
            anchor=Anchor("1 / x"),
        ),
    ]


_First = Annotated[
    SignedExponent,
    adjust(
        meaning="exponent before the first break",
        prior=Prior("normal", (0.3, 0.5)),
        start=(0.02, 0.8),
    ),
]
_Change = Annotated[
    SignedExponent,
    adjust(
        name="change",
        meaning="change of the exponent at a break",
        prior=Prior("normal", (0.0, 1.0)),
        start=(-0.5, 0.8),
    ),
]
_Width = Annotated[
    Coefficient,
    adjust(
        name="width",
        meaning="width of a break: the smaller, the sharper",
        prior=lognormal(0.3, 0.7),
        start=(0.05, 1.5),
    ),
]
_Scale = Annotated[
    Coefficient,
    adjust(
        unit="nats/token at resource 1",
        meaning="scale of the first power law",
        prior=lognormal(0.3, 0.8),
        start=(0.03, 1.5),
        anchor=Anchor("x**-c_0"),
    ),
]


def _excess(values: Mapping[str, Any], n: int) -> jax.Array:
    """``y - a``; at ``x = inf`` 0 or infinity, by the sign of the last slope."""
    log_x = log(values["x"])
    infinite = jnp.isposinf(log_x)
    log_x = jnp.where(infinite, 0.0, log_x)

    exponent, last_slope = log(values["b"]) - values["c_0"] * log_x, values["c_0"]
    for i in range(1, n + 1):
        c, d, f = (values[f"{name}_{i}"] for name in "cdf")
        exponent = exponent - c * f * jax.nn.softplus((log_x - log(d)) / f)
        last_slope = last_slope + c

    at_infinity = jnp.where(last_slope > 0, 0.0, jnp.inf)
    return jnp.where(infinite, at_infinity, jnp.exp(exponent))


@family
def bnsl(n: int = 1) -> LawFunction:
    """The broken neural scaling law with n breaks, a law of the loss in nats per token.

    Its parameters are a, b, c_0 and, for each break, c_i, d_i and f_i (Caballero et al. 2022).

    Args:
        n: breaks, 1 or more.

    Raises:
        JscaleError: n is not a whole number above 0.

    Example:
        >>> from jscale import laws
        >>> law = laws.bnsl(1)
        >>> theta = {"a": 1.5, "b": 2.0, "c_0": 0.1, "c_1": 0.3, "d_1": 1e4, "f_1": 0.5}
        >>> [round(float(law(x, **theta)), 3) for x in (1e2, 1e4, 1e6)]
        [2.762, 2.218, 1.626]
    """
    if not is_whole_number(n, 1):
        raise JscaleError(f"a broken scaling law has 1 break or more, not {shown(n)}")
    breaks = range(1, n + 1)
    parameters: dict[str, Any] = {"a": Irreducible, "b": _Scale, "c_0": _First}
    for i in breaks:
        parameters |= {f"c_{i}": _Change, f"d_{i}": _break_place(i, n), f"f_{i}": _Width}
    where = {f"u_{i}": f"(log(x) - log(d_{i})) / f_{i}" for i in breaks}
    where |= {f"s_{i}": f"maximum(u_{i}, 0) + log1p(exp(minimum(u_{i}, -u_{i})))" for i in breaks}
    last = " + ".join(f"c_{i}" for i in range(n + 1))
    number = "1 break" if n == 1 else f"{n} breaks"
    return member(
        lambda values: values["a"] + _excess(values, n),
        name=f"bnsl({n})",
        doc=f"""Loss along one resource, a power law with {number}, nats per token.

        ``y = a + b * x**-c_0 * prod_i (1 + (x / d_i)**(1 / f_i))**(-c_i * f_i)`` (Caballero et al.
        2022), as the exponential of ``log(b) - c_0 * log(x) - sum_i c_i * f_i * softplus(log(x /
        d_i) / f_i)``. The slopes of the excess in a log-log plot are those of :func:`bnsl_slopes`;
        at ``x = inf`` the value is ``a`` where the last slope is negative and infinite elsewhere.
        """,
        subject="broken",
        inputs={"x": Resource},
        parameters=parameters,
        output=Loss,
        formula="a + b * x**-c_0 * exp("
        + " ".join(f"- c_{i} * f_{i} * s_{i}" for i in breaks)
        + ")",
        where=where,
        source="Caballero et al. 2022 (arXiv 2210.14891)",
        limits={"x = inf": f"where({last} > 0, a, inf)"},
        ridges=(
            "f_i with c_i, and d_i with c_i, where the runs lie on one side of a break only.",
            "b with c_0; a higher floor goes with a steeper last segment.",
            "Breaks can change places: only their start ranges are in order.",
        ),
        traps=(
            "Runs do not identify a break beyond their range.",
            "The authors minimise squared errors of log(y + 1), not of log(y).",
            "Where a slope changes its sign, the loss is not monotone in x.",
        ),
    )


FAMILIES = {"bnsl": bnsl}


def bnsl_slopes(params: Mapping[str, Any]) -> jax.Array:
    """Slopes of the excess over the floor in a log-log plot, dimensionless.

    ``-c_0, -(c_0 + c_1), …`` (Caballero et al. 2022): the slope of each segment far from every
    break.

    Args:
        params: parameters of ``bnsl(n)``, scalars or draws.

    Returns:
        (n + 1, ...) slopes, one for each segment.

    Raises:
        JscaleError: there is no ``c_0``.

    Example:
        >>> from jscale import laws
        >>> theta = {"a": 1.5, "b": 2.0, "c_0": 0.1, "c_1": 0.3, "d_1": 1e4, "f_1": 0.5}
        >>> [round(float(slope), 2) for slope in laws.bnsl_slopes(theta)]
        [-0.1, -0.4]
    """
    if "c_0" not in params:
        raise JscaleError(f"these are not parameters of a broken scaling law: {enumerated(params)}")
    n = sum(1 for name in params if name.startswith("c_"))
    changes = jnp.stack([jnp.asarray(params[f"c_{i}"]) for i in range(n)])
    return -jnp.cumsum(changes, axis=0)
