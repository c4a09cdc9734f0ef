"""Training: many AdamW steps per dispatch, trunks with short decays, held-out losses."""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from benchmarks.precision_runs.model import CONTEXT, Params, Size, init, losses

CHUNK = 8
"""Steps per dispatch; step counts are multiples of it."""
WARMUP = 32
"""Steps of linear warm-up."""
DECAY = 0.2
"""Fraction of a run's steps over which the rate falls linearly to zero."""
WEIGHT_DECAY = 0.01
DRIFT = 0.2
"""A run whose final training loss exceeds its lowest window by more (nats) counts as diverged."""


class State(NamedTuple):
    """Parameters and optimiser state after ``step`` steps."""

    params: Params
    optimiser: optax.OptState
    step: int


def optimiser() -> optax.GradientTransformation:
    """AdamW without the learning rate, which is passed step by step."""
    return optax.chain(
        optax.clip_by_global_norm(1.0),
        optax.scale_by_adam(b1=0.9, b2=0.95),
        optax.add_decayed_weights(WEIGHT_DECAY),
    )


def start(size: Size, seed: int) -> State:
    """The state before the first step."""
    params = init(size, jax.random.key(seed))
    return State(params, optimiser().init(params), 0)


def rates(lr: float, first: int, last: int, total: int | None) -> np.ndarray:
    """Learning rates of steps ``first`` … ``last - 1``.

    Warm-up, constant rate, linear decay to step ``total``. ``total`` None is a trunk, which never
    decays. The decay takes the last fifth of ``total`` steps.
    """
    step = np.arange(first, last)
    factor = np.minimum(1.0, (step + 1) / WARMUP)
    if total is not None:
        factor = factor * np.minimum(1.0, (total - step) / (DECAY * total))
    return (lr * factor).astype(np.float32)


@partial(jax.jit, static_argnames="heads", donate_argnums=(0, 1))
def _advance(
    params: Params,
    opt: optax.OptState,
    tokens: jax.Array,
    rate: jax.Array,
    bits: jax.Array,
    *,
    heads: int,
):
    def objective(p: Params, batch: jax.Array) -> jax.Array:
        return jnp.mean(losses(p, batch, bits, heads))

    def step(carry, inputs):
        p, o = carry
        batch, lr = inputs
        value, grads = jax.value_and_grad(objective)(p, batch)
        updates, o = optimiser().update(grads, o, p)
        return (jax.tree.map(lambda w, u: w - lr * u, p, updates), o), value

    (params, opt), values = jax.lax.scan(step, (params, opt), (tokens, rate))
    return params, opt, values


def advance(state: State, size: Size, stream: "Stream", rate: np.ndarray, bits: tuple[float, ...]):
    """Take ``len(rate)`` steps (a multiple of `CHUNK`): the new state and the training losses."""
    if len(rate) % CHUNK:
        raise ValueError(f"{len(rate)} steps are not a multiple of {CHUNK}")
    # Copies, since the arguments are donated and the caller keeps its state.
    params, opt = jax.tree.map(jnp.array, (state.params, state.optimiser))
    bit_array, history = jnp.asarray(bits, jnp.float32), []
    for first in range(0, len(rate), CHUNK):
        tokens = stream.batches(state.step + first, CHUNK, size.batch)
        params, opt, values = _advance(
            params, opt, tokens, rate[first : first + CHUNK], bit_array, heads=size.heads
        )
        history.append(values)
    trace = np.concatenate([np.asarray(h) for h in history]) if history else np.zeros(0, np.float32)
    return State(params, opt, state.step + len(rate)), trace


class Stream:
    """Training text in a random order of sequences; every byte is a target at most once.

    Args:
        text: bytes, uint8.
        seed: of the order.
    """

    def __init__(self, text: np.ndarray, seed: int):
        self._text = text
        self._order = np.random.default_rng(seed).permutation((len(text) - 1) // CONTEXT)

    def batches(self, step: int, count: int, batch: int) -> np.ndarray:
        """Sequences of ``count`` steps from ``step`` on, (count, batch, CONTEXT + 1) int32."""
        first, last = step * batch, (step + count) * batch
        if last > len(self._order):
            raise ValueError(
                f"the text has {len(self._order)} sequences and step {step + count} needs {last}"
            )
        starts = self._order[first:last, None] * CONTEXT
        return (
            self._text[starts + np.arange(CONTEXT + 1)]
            .astype(np.int32)
            .reshape(count, batch, CONTEXT + 1)
        )


@partial(jax.jit, static_argnames="heads")
def _evaluate(params: Params, tokens: jax.Array, bits: jax.Array, heads: int) -> jax.Array:
    return jax.lax.map(lambda batch: jnp.mean(losses(params, batch, bits, heads), axis=-1), tokens)


def evaluate(
    params: Params, size: Size, sequences: np.ndarray, bits: tuple[float, ...]
) -> np.ndarray:
    """Mean loss of each held-out sequence, (sequences,) nats/byte, in batches as in training."""
    tokens = sequences.astype(np.int32).reshape(-1, size.batch, CONTEXT + 1)
    return np.asarray(
        _evaluate(params, tokens, jnp.asarray(bits, jnp.float32), size.heads)
    ).reshape(-1)


def mean_and_error(values: np.ndarray, documents: np.ndarray) -> tuple[float, float]:
    """The mean over sequences and its standard error, clustered by document.

    Args:
        values: (sequences,).
        documents: (sequences,), the document of each.
    """
    values = values.astype(np.float64)
    mean = float(values.mean())
    sums = np.bincount(documents, values - mean)
    clusters = len(np.unique(documents))
    return mean, float(np.sqrt(np.sum(sums**2) * clusters / (clusters - 1)) / len(values))


def diverged(trace: np.ndarray, loss: float, unigram: float) -> bool:
    """Whether a run counts as diverged.

    That is if a loss is not finite, if the validation loss is above ``unigram``, the loss of
    predicting byte frequencies, or if the last tenth of training is `DRIFT` above the lowest tenth.

    Args:
        trace: training losses, nats per byte, (steps,).
        loss: on validation, nats per byte.
        unigram: nats per byte.
    """
    if not (np.isfinite(loss) and np.all(np.isfinite(trace)) and loss <= unigram):
        return True
    windows = [part.mean() for part in np.array_split(trace, 10)]
    return bool(windows[-1] > min(windows) + DRIFT)
