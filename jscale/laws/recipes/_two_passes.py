"""Models trained with one number format in the forward pass and another in the backward pass.

A forward format acts as fewer parameters, ``N * eff_N``, a backward format as fewer tokens, ``D *
eff_D`` (Castro et al. 2025). Both multiply: with the two multipliers fitted apart, the runs of both
formats at once lie 0.08% above the law on average, with a scatter of 0.26%.
"""

from collections.abc import Mapping
from typing import Annotated, Any, NamedTuple

from jax.typing import ArrayLike

from jscale._core.arrays import as_float
from jscale._core.checks import is_whole_number
from jscale._core.errors import JscaleError
from jscale._core.text import shown
from jscale.laws.bits import Indicator, MethodMultiplier
from jscale.laws.declaration import LawFunction, constants, family, law, member
from jscale.laws.loss import Coupling, coupled
from jscale.laws.roles import (
    Count,
    DataCoefficient,
    Exponent,
    Irreducible,
    Loss,
    Role,
    SizeCoefficient,
    Tokens,
    adjust,
)

_CASTRO = "Castro et al. 2025 (arXiv 2505.14669)"
_NOTEBOOK = f"{_CASTRO}, authors' notebook"
_INSIDE = {
    "A": 127444.68546799707,
    "B": 465834.31227225706,
    "alpha": 0.578520117717248,
    "beta": 0.538876899794824,
}
"""As printed: ``(A / N**alpha + B / D**beta)**gamma``."""
_GAMMA = 0.2764156900618507
_COUPLED = "E + exp(q * (maximum(u, v) + log1p(exp(minimum(u, v) - maximum(u, v)))))"
_RIDGES = (
    "A with alpha and B with beta are almost perfectly correlated unless quoted at the runs' own "
    "scale.",
    "E falls as alpha falls: on losses that span less than a nat it can run to 0.",
)

SizeShare = Annotated[
    ArrayLike,
    Role(
        "effective-parameter multiplier",
        "1",
        "effective parameters per parameter, by the forward format",
        ends=(0.01, 1.1),
        typical=0.7,
        column="eff_N",
    ),
]
DataShare = Annotated[
    ArrayLike,
    Role(
        "effective-token multiplier",
        "1",
        "effective tokens per token, by the backward format",
        ends=(0.01, 1.1),
        typical=0.9,
        column="eff_D",
    ),
]


# Above 1 where rounding helps a little, as in 8 bits.
FittedSizeShare = Annotated[MethodMultiplier, adjust(start=(0.1, 1.5))]
FittedDataShare = Annotated[
    MethodMultiplier,
    adjust(
        name="effective-token multiplier", meaning="effective tokens per token", start=(0.3, 1.5)
    ),
]
_DENSE = {
    "E": Irreducible,
    "A": SizeCoefficient,
    "B": DataCoefficient,
    "alpha": Exponent,
    "beta": Exponent,
    "q": Coupling,
}


class PassFormat(NamedTuple):
    """A number format of one pass of training.

    Attributes:
        share: effective parameters per parameter, or effective tokens per token.
        runs: number of runs that it was fitted to.
        scatter: root mean square of their relative residuals.
        meaning: description.
    """

    share: float
    runs: int
    scatter: float
    meaning: str


FORWARD_FORMATS: Mapping[str, PassFormat] = {
    "bf16": PassFormat(1.0, 24, 0.0, "BF16; 1 by definition"),
    "quest": PassFormat(0.64516309, 21, 0.0025, "MXFP4, QuEST"),
    "rtn": PassFormat(0.60607537, 6, 0.0016, "MXFP4, Hadamard transform, rounding to nearest"),
    "sr": PassFormat(0.43296519, 6, 0.0136, "MXFP4, Hadamard transform, stochastic rounding"),
    "eden32": PassFormat(0.67498679, 6, 0.0013, "MXFP4, EDEN with a Hadamard transform of 32"),
    "eden128": PassFormat(0.63913041, 6, 0.0017, "MXFP4, EDEN with a Hadamard transform of 128"),
}
"""Multipliers ``eff_N`` by forward format, with BF16 in the backward pass.

From the losses in the notebook of Castro et al. 2025, with its constants held, its loss and its
threshold; that of ``quest`` is printed there. One of the six losses of ``sr``, of the longest run,
is higher than at half its tokens.
"""
BACKWARD_FORMATS: Mapping[str, PassFormat] = {
    "bf16": PassFormat(1.0, 24, 0.0, "BF16; 1 by definition"),
    "sr": PassFormat(0.89346845, 22, 0.0015, "MXFP4, Hadamard transform, stochastic rounding"),
    "rtn": PassFormat(0.92806962, 17, 0.0020, "MXFP4, Hadamard transform, rounding to nearest"),
    "eden32": PassFormat(0.91232715, 12, 0.0030, "MXFP4, EDEN with a Hadamard transform of 32"),
    "eden128": PassFormat(0.95056107, 19, 0.0017, "MXFP4, EDEN with a Hadamard transform of 128"),
}
"""Multipliers ``eff_D`` by backward format, with BF16 in the forward pass; as
:data:`FORWARD_FORMATS`.

The one of ``sr`` is printed in the notebook. Gradients rounded by QuEST are left out: no multiplier
describes their four runs, whose losses stop falling with more tokens.
"""


@law(
    formula=_COUPLED,
    where={
        "u": "(log(A) - alpha * (log(N) + log(eff_N))) / q",
        "v": "(log(B) - beta * (log(D) + log(eff_D))) / q",
    },
    source=_NOTEBOOK,
    published={
        "castro2025": constants(
            _NOTEBOOK,
            "R",
            E=1.3408460539510816,
            A=_INSIDE["A"] ** _GAMMA,
            B=_INSIDE["B"] ** _GAMMA,
            alpha=_INSIDE["alpha"] * _GAMMA,
            beta=_INSIDE["beta"] * _GAMMA,
            q=_GAMMA,
            note="printed inside the power q: A 127444.7, B 465834.3, alpha 0.57852, beta 0.53888; "
            "24 runs in BF16, 30M to 822M parameters without embeddings",
        )
    },
    decreasing=("N", "D", "eff_N", "eff_D"),
    limits={"N = inf": "E + B * (D * eff_D)**-beta", "D = inf": "E + A * (N * eff_N)**-alpha"},
    ridges=(
        *_RIDGES,
        "The multipliers of all formats scale with A and B: BF16 is 1 by definition.",
    ),
    traps=(
        "N counts parameters without embeddings; losses are of C4.",
        "A multiplier belongs to its training recipe: see FORWARD_FORMATS and BACKWARD_FORMATS.",
        "A faster format pays where its speed-up is more than the share it costs: compare plans "
        "with cost=costs.speed_cost(...).in_format(...).",
    ),
)
def quartet(
    N: Count,
    D: Tokens,
    eff_N: SizeShare,
    eff_D: DataShare,
    *,
    E: Irreducible,
    A: SizeCoefficient,
    B: DataCoefficient,
    alpha: Exponent,
    beta: Exponent,
    q: Coupling,
) -> Loss:
    """Loss of a model with a forward and a backward number format, nats per token.

    ``L = E + [(A * (N * eff_N)**-alpha)**(1 / q) + (B * (D * eff_D)**-beta)**(1 / q)]**q``, the law
    ``coupled`` of effective parameters and effective tokens (Castro et al. 2025, who write the
    constants inside the power).

    Example:
        >>> from jscale import laws
        >>> theta = laws.params(laws.quartet)
        >>> forward, backward = laws.FORWARD_FORMATS["quest"], laws.BACKWARD_FORMATS["sr"]
        >>> full = laws.quartet(N=1e9, D=1e11, eff_N=1.0, eff_D=1.0, **theta)
        >>> fp4 = laws.quartet(N=1e9, D=1e11, eff_N=forward.share, eff_D=backward.share, **theta)
        >>> print(f"{full:.3f} in BF16, {fp4:.3f} in MXFP4")
        2.426 in BF16, 2.481 in MXFP4
    """
    size, tokens = as_float(N) * as_float(eff_N), as_float(D) * as_float(eff_D)
    return coupled(size, tokens, E=E, A=A, B=B, alpha=alpha, beta=beta, q=q)


def _scaled(values: Mapping[str, Any], resource: str, shares: Mapping[str, str]) -> Any:
    """A resource times the multiplier of every share whose column is 1."""
    total = as_float(values[resource])
    for share, column in shares.items():
        total = total * as_float(values[share]) ** as_float(values[column])
    return total


def _logarithm(resource: str, shares: Mapping[str, str]) -> str:
    """The logarithm of :func:`_scaled`, as a formula."""
    return " + ".join([f"log({resource})", *(f"{c} * log({s})" for s, c in shares.items())])


@family
def pass_formats(forward: int = 1, backward: int | None = None) -> LawFunction:
    """Law of several formats of the two passes, with a multiplier each (a family).

    Its parameters are E, A, B, alpha, beta, q, eff_N_1 … for the forward formats and eff_D_1 … for
    the backward ones (Castro et al. 2025).

    Args:
        forward: number of forward formats besides full precision; the runs have a column
            ``forward_i`` for each, 1 for its runs and 0 for all others.
        backward: number of backward formats besides full precision, with columns ``backward_i``;
            None for as many.

    Returns:
        The law of the loss, nats per token.

    Raises:
        JscaleError: a number that is not whole, or below 1.

    Example:
        >>> from jscale import laws
        >>> law = laws.pass_formats(2, 1)
        >>> theta = laws.params(laws.quartet) | {"eff_N_1": 0.65, "eff_N_2": 0.6, "eff_D_1": 0.9}
        >>> loss = law(N=1e9, D=1e11, forward_1=0, forward_2=1, backward_1=1, **theta)
        >>> print(f"{loss:.3f} nats per token")
        2.489 nats per token
    """
    backward = forward if backward is None else backward
    for name, count in (("forward", forward), ("backward", backward)):
        if not is_whole_number(count, 1):
            raise JscaleError(
                f"pass_formats: {name} is {shown(count)}; expected a whole number of at least 1"
            )
    sizes = {f"eff_N_{i}": f"forward_{i}" for i in range(1, forward + 1)}
    data = {f"eff_D_{i}": f"backward_{i}" for i in range(1, backward + 1)}

    def evaluate(values: Mapping[str, Any]) -> Any:
        constant = {name: values[name] for name in _DENSE}
        return coupled(_scaled(values, "N", sizes), _scaled(values, "D", data), **constant)

    count = f"{forward}" if forward == backward else f"{forward}, {backward}"
    return member(
        evaluate,
        name=f"pass_formats({count})",
        doc="""Loss of models in several formats of the forward and backward pass, nats per token.

        ``L = E + [(A * (N * eff_N_i)**-alpha)**(1 / q) + (B * (D * eff_D_j)**-beta)**(1 / q)]**q``
        for the runs of forward format i and backward format j, with multipliers of 1 for full
        precision (Castro et al. 2025). Columns ``forward_i`` and ``backward_j`` are 1 for the runs
        of these formats.
        """,
        subject="two_passes",
        inputs={"N": Count, "D": Tokens}
        | dict.fromkeys((*sizes.values(), *data.values()), Indicator),
        parameters=_DENSE
        | dict.fromkeys(sizes, FittedSizeShare)
        | dict.fromkeys(data, FittedDataShare),
        output=Loss,
        formula=_COUPLED,
        where={
            "u": f"(log(A) - alpha * ({_logarithm('N', sizes)})) / q",
            "v": f"(log(B) - beta * ({_logarithm('D', data)})) / q",
        },
        source=_CASTRO,
        decreasing=("N", "D"),
        limits={"N = inf, D = inf": "E"},
        ridges=(
            *_RIDGES,
            "All eff_N_i with A, and all eff_D_i with B, unless the runs include full precision.",
        ),
        traps=(
            "A run has one format in each pass: two columns of 1 multiply their multipliers.",
            "A column is 0 or 1: a value between them is a power of the multiplier.",
            "Published multipliers are in FORWARD_FORMATS and BACKWARD_FORMATS.",
        ),
    )


FAMILIES = {"pass_formats": pass_formats}
