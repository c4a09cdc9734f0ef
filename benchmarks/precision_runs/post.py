"""Quantisation after training: every finished model at each P_post, by rounding and by GPTQ."""

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
    """Loss after post-training quantisation and its increase, with standard errors, nats/byte."""

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
    """The weights as the forward pass uses them: rounded to the grid of ``P_w`` bits."""
    return per_layer(params, lambda w: round_to_nearest(w, int(P_w)))


def quantise_by_gptq(
    params: Params, size: Size, calibration: np.ndarray, bits: tuple[float, ...], P_post: int
) -> Params:
    """All block matrices by GPTQ, each with inputs from the matrices quantised before it.

    Args:
        params: as used (`as_used`).
        size: of the model.
        calibration: (sequences, time + 1) bytes.
        bits: (16, P_a, P_kv): activations and cache stay as in training.
        P_post: bits of the result.
    """
    quantised = {name: np.array(params[name]) for name in LINEARS}
    x = jnp.asarray(params["embed"])[calibration[:, :-1].astype(np.int32)]
    bit_array = jnp.asarray(bits, jnp.float32)
    for layer in range(size.layers):
        for name in LINEARS:
            weights = {n: quantised[n][layer] for n in LINEARS}
            _, grams = _run_block(x, weights, bit_array, size.heads)
            quantised[name][layer] = gptq(weights[name], np.asarray(grams[name]), P_post)
        x, _ = _run_block(x, {n: quantised[n][layer] for n in LINEARS}, bit_array, size.heads)
    return {**params, **{name: jnp.asarray(weights) for name, weights in quantised.items()}}


@partial(jax.jit, static_argnames="heads")
def _run_block(
    x: jax.Array, weights: Params, bits: jax.Array, heads: int
) -> tuple[jax.Array, Params]:
    x, inputs = block(x, weights, bits, heads)
    flat = {name: y.reshape(-1, y.shape[-1]) for name, y in inputs.items()}
    return x, {name: y.T @ y for name, y in flat.items()}


def post_losses(
    params: Params, size: Size, held: HeldOut, bits: tuple[float, ...], methods: tuple[str, ...]
) -> Iterator[PostLoss]:
    """The losses of one trained model at every `P_POST`, by each method.

    Quantisation starts from the weights as the trained network uses them, so ``P_post = P_w`` adds
    exactly nothing, and ``P_post > P_w`` rounds a coarser grid again. Activations and cache keep
    their training bits.
    """
    used = as_used(params, bits[0])
    training_bits = (OFF, *bits[1:])
    before = evaluate(used, size, held.validation, training_bits)
    for method in methods:
        for P_post in P_POST:
            if method == RTN:
                changed = per_layer(used, partial(round_to_nearest, bits=P_post))
            else:
                changed = quantise_by_gptq(used, size, held.calibration, training_bits, P_post)
            after = evaluate(changed, size, held.validation, training_bits)
            loss, loss_se = mean_and_error(after, held.documents)
            delta, delta_se = mean_and_error(after - before, held.documents)
            yield PostLoss(method, P_post, loss, loss_se, delta, delta_se)
