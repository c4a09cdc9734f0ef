"""Quantisation after training: every finished model at each P_post, to the nearest value or with
errors made good.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.precision_runs.model import LINEARS, Params, Size, block
from benchmarks.precision_runs.quantise import OFF, gptq, round_to_nearest
from benchmarks.precision_runs.train import evaluate, mean_and_error

P_POST = (2, 3, 4, 5, 6, 8)
RTN, GPTQ = "rtn", "gptq"


class PostLoss(NamedTuple):
    """The loss after post-training quantisation, and what it added (both with standard errors, nats
    per byte).
    """

    method: str
    P_post: int
    loss: float
    loss_se: float
    delta: float
    delta_se: float


class HeldOut(NamedTuple):
    """Validation sequences with their documents, and calibration sequences; see `corpus.Corpus`."""

    validation: np.ndarray
    documents: np.ndarray
    calibration: np.ndarray


def per_layer(params: Params, change: Callable[[np.ndarray], np.ndarray]) -> Params:
    """Parameters whose block matrices are ``change(matrix)``, layer by layer."""
    changed = {
        name: jnp.asarray(np.stack([change(w) for w in np.asarray(params[name])]))
        for name in LINEARS
    }
    return {**params, **changed}


def as_used(params: Params, P_w: float) -> Params:
    """The weights that the forward pass multiplies with: those of training, on the grid of ``P_w``
    bits.
    """
    return per_layer(params, lambda w: round_to_nearest(w, int(P_w)))


def compensated(
    params: Params, size: Size, calibration: np.ndarray, bits: tuple[float, ...], P_post: int
) -> Params:
    """All block matrices by GPTQ: layer by layer, each matrix seeing inputs from those quantised
        before it.

    Args:
        params: as used (`as_used`).
        size: of the model.
        calibration: (sequences, time + 1) bytes.
        bits: (16, P_a, P_kv): activations and cache stay as in training.
        P_post: bits of the result.
    """
    done = {name: np.array(params[name]) for name in LINEARS}
    x = jnp.asarray(params["embed"])[calibration[:, :-1].astype(np.int32)]
    bit_array = jnp.asarray(bits, jnp.float32)
    for layer in range(size.layers):
        for name in LINEARS:
            weights = {n: done[n][layer] for n in LINEARS}
            _, grams = _run_block(x, weights, bit_array, size.heads)
            done[name][layer] = gptq(weights[name], np.asarray(grams[name]), P_post)
        x, _ = _run_block(x, {n: done[n][layer] for n in LINEARS}, bit_array, size.heads)
    return {**params, **{name: jnp.asarray(weights) for name, weights in done.items()}}


@partial(jax.jit, static_argnames="heads")
def _run_block(
    x: jax.Array, weights: Params, bits: jax.Array, heads: int
) -> tuple[jax.Array, Params]:
    x, seen = block(x, weights, bits, heads)
    flat = {name: y.reshape(-1, y.shape[-1]) for name, y in seen.items()}
    return x, {name: y.T @ y for name, y in flat.items()}


def post_losses(
    params: Params, size: Size, held: HeldOut, bits: tuple[float, ...], methods: tuple[str, ...]
) -> Iterator[PostLoss]:
    """The losses of one trained model at every `P_POST`, by each method.

    Quantisation starts from the weights as the trained network uses them, so ``P_post = P_w`` adds
    exactly nothing, and ``P_post > P_w`` re-rounds a coarser grid. Activations and cache keep their
    bits of training.
    """
    used = as_used(params, bits[0])
    kept = (OFF, *bits[1:])
    before = evaluate(used, size, held.validation, kept)
    for method in methods:
        for P_post in P_POST:
            if method == RTN:
                changed = per_layer(used, partial(round_to_nearest, bits=P_post))
            else:
                changed = compensated(used, size, held.calibration, kept, P_post)
            after = evaluate(changed, size, held.validation, kept)
            loss, loss_se = mean_and_error(after, held.documents)
            delta, delta_se = mean_and_error(after - before, held.documents)
            yield PostLoss(method, P_post, loss, loss_se, delta, delta_se)
