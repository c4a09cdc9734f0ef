"""Downstream: from the loss to scores on benchmarks.

The loss is smooth in size and data; scores can look abrupt. Each law is one link: loss to error or
score, and the two metrics that make a smooth quantity look abrupt, a threshold and an exact match.
``substitute`` joins links: the two-step prediction of Bhagia et al.
is ``substitute(score_from_loss, loss=chinchilla)``, where Chinchilla's law has been fitted to the
loss on the task's own answers (their step 1). The plateaus and the midpoint belong to one task and
its way of asking.
"""

from typing import Annotated

import jax
import jax.numpy as jnp
from jax.scipy.special import ndtr
from jax.typing import ArrayLike

from jscale._core.arrays import as_float
from jscale._core.supports import positive, real
from jscale.laws.declaration import Constants, constants, law
from jscale.laws.roles import (
    Coefficient,
    Error,
    Loss,
    Prior,
    Role,
    Score,
    ShareParameter,
    adjust,
    lognormal,
)

_GADRE = "Gadre et al. 2024 (arXiv 2403.08540), authors' code run again"
_SCHAEFFER = "Schaeffer et al. 2023 (arXiv 2304.15004), Section 2"

ModelLoss = Annotated[Loss, adjust(ends=(2.0, 8.0))]
"""Gadre's law gives an error below 0 at losses below about 1.2."""
AnswerLoss = Annotated[
    Loss, adjust(meaning="cross-entropy of the right answer", ends=(0.01, 2.0), typical=0.2)
]
Ceiling = Annotated[
    ShareParameter,
    adjust(
        name="ceiling",
        meaning="error by guessing",
        prior=Prior("beta", (8.0, 2.0)),
        start=(0.75, 0.9),
    ),
]
Gain = Annotated[
    ShareParameter,
    adjust(
        name="gain",
        meaning="score gained in all",
        prior=Prior("beta", (4.0, 2.0)),
        start=(0.3, 0.7),
    ),
]
Chance = Annotated[
    ShareParameter,
    adjust(
        name="chance",
        meaning="score by guessing",
        prior=Prior("beta", (2.0, 6.0)),
        start=(0.05, 0.3),
    ),
]
Steepness = Annotated[
    Coefficient,
    adjust(name="steepness", unit="tokens/nat", prior=lognormal(3.0, 0.7), start=(1.0, 6.0)),
]
Midpoint = Annotated[
    ArrayLike,
    Role(
        "midpoint", "nats/token", "loss of half the gain", positive, lognormal(2.0, 0.5), (0.7, 4.0)
    ),
]


def _gadre() -> dict[str, Constants]:
    trained = {"c4": "C4", "redpajama": "RedPajama", "refinedweb": "RefinedWeb"}
    fitted = {
        ("c4", 17): (0.8497, 2.0789, 0.7561),
        ("c4", 46): (0.7589, 1.2885, 0.9722),
        ("redpajama", 17): (0.8570, 2.2065, 0.7146),
        ("redpajama", 46): (0.7608, 1.3229, 0.8907),
        ("refinedweb", 17): (0.8653, 2.2148, 0.7070),
        ("refinedweb", 46): (0.7677, 1.1281, 0.8215),
    }
    return {
        f"gadre2024_{corpus}_{tasks}": constants(
            _GADRE,
            "R",
            eps=eps,
            k=k,
            gamma=gamma,
            note=f"trained on {trained[corpus]}, mean of {tasks} tasks, loss on C4; five models",
        )
        for (corpus, tasks), (eps, k, gamma) in fitted.items()
    }


@law(
    formula="eps - k * exp(-gamma * loss)",
    source=_GADRE,
    published=_gadre(),
    increasing=("loss",),
    limits={"loss = inf": "eps"},
    ridges=("eps, k and gamma together: scores near chance identify none of the three.",),
    traps=(
        "Fitted to five losses, too few for an interval.",
        "The error is below 0 at a low loss: an extrapolation, not a perfect model.",
        "Holds for the mean of many tasks; single tasks scatter far more.",
    ),
)
def error_from_loss(
    loss: ModelLoss,
    *,
    eps: Ceiling,
    k: Annotated[
        Coefficient,
        adjust(meaning="error below eps at loss 0", prior=lognormal(2.0, 0.5), start=(0.5, 2.2)),
    ],
    gamma: Annotated[
        Coefficient,
        adjust(
            unit="tokens/nat",
            meaning="steepness of the error",
            prior=lognormal(0.8, 0.4),
            start=(0.6, 1.1),
        ),
    ],
) -> Error:
    """Mean error over tasks of a model whose loss is ``loss``.

    ``Err = eps - k * exp(-gamma * L)`` (Gadre et al. 2024).

    Example:
        >>> from jscale import laws
        >>> theta = laws.params(laws.error_from_loss, "gadre2024_redpajama_17")
        >>> [round(float(laws.error_from_loss(loss, **theta)), 3) for loss in (3.0, 2.5)]
        [0.598, 0.487]
    """
    return eps - k * jnp.exp(gamma * -as_float(loss))


@law(
    formula="b + a / (1 + exp(k * (loss - L_0)))",
    source="Bhagia et al. 2024 (arXiv 2412.04403), authors' code, step 2",
    decreasing=("loss",),
    limits={"loss = inf": "b", "loss = 0": "b + a / (1 + exp(-k * L_0))"},
    ridges=(
        "a with k and L_0, and b with L_0, unless scores reach both plateaus; fix b at the chance "
        "level.",
    ),
    traps=(
        "Constants belong to one task each; none are given.",
        "The loss is that of the task's own right answers, not of running text.",
        "The law does not bound a + b by 1.",
    ),
)
def score_from_loss(loss: ModelLoss, *, a: Gain, k: Steepness, L_0: Midpoint, b: Chance) -> Score:
    """Score on a task of a model whose loss on it is ``loss``.

    ``Acc = b + a / (1 + exp(k * (L - L_0)))`` (Bhagia et al. 2024, step 2, with the opposite sign
    of k, so that changing the signs of a and k together is not a second solution).

    Example:
        >>> from jscale import laws
        >>> theta = {"a": 0.7, "k": 4.0, "L_0": 0.9, "b": 0.25}  # four choices: b = 0.25
        >>> [round(float(laws.score_from_loss(loss, **theta)), 3) for loss in (1.5, 0.9, 0.6)]
        [0.308, 0.6, 0.788]
    """
    return b + a * jax.nn.sigmoid(k * (L_0 - as_float(loss)))


AnswerTokens = Annotated[
    Coefficient,
    adjust(
        name="answer tokens",
        unit="tokens",
        meaning="tokens that must all be right",
        prior=lognormal(5.0, 1.0),
        start=(1.0, 20.0),
    ),
]


@law(
    formula="exp(-k * loss)",
    source=_SCHAEFFER,
    decreasing=("loss",),
    limits={"loss = 0": "1", "loss = inf": "0"},
    traps=(
        "The score of k tokens looks abrupt in size while the loss is smooth: use the loss, or a "
        "metric with partial credit.",
        "Tokens are assumed to be right independently of each other.",
    ),
)
def exact_match(loss: AnswerLoss, *, k: AnswerTokens) -> Score:
    """Score when all k tokens of an answer must be right.

    ``acc = exp(-k * L)``, L the cross-entropy per token of the right answer (Schaeffer et al. 2023,
    Section 2).

    Example:
        >>> from jscale import laws
        >>> [round(float(laws.exact_match(loss, k=5)), 2) for loss in (0.5, 0.1, 0.02)]
        [0.08, 0.61, 0.9]
    """
    return jnp.exp(k * -as_float(loss))


MeanMargin = Annotated[
    ArrayLike,
    Role("mean", "units", "mean of what is measured", real, ends=(-2.0, 2.0), typical=0.3),
]
Threshold = Annotated[
    ArrayLike,
    Role("threshold", "units", "least that passes", real, Prior("normal", (0.0, 1.0)), (-0.5, 0.5)),
]
Spread = Annotated[
    ArrayLike,
    Role("spread", "units", "standard deviation of it", positive, lognormal(1.0, 0.5), (0.7, 2.0)),
]


@law(
    formula="ndtr((mu - tau) / sd)",
    source=_SCHAEFFER,
    increasing=("mu",),
    limits={"mu = inf": "1"},
    ridges=("tau and sd need scores well below and well above one half.",),
    traps=("A threshold turns a steady gain in mu into a step of width sd.",),
)
def pass_rate(mu: MeanMargin, *, tau: Threshold, sd: Spread) -> Score:
    """Score of a task passed when a normally distributed quantity exceeds a threshold.

    ``P = Phi((mu - tau) / sd)`` (after Schaeffer et al. 2023, Section 2: metrics with a threshold).

    Example:
        >>> from jscale import laws
        >>> [round(float(laws.pass_rate(mu, tau=0.5, sd=0.4)), 3) for mu in (0.1, 0.5, 0.9)]
        [0.159, 0.5, 0.841]
    """
    return ndtr((as_float(mu) - tau) / sd)
