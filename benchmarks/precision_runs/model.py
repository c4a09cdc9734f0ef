"""A decoder-only byte transformer with quantised weights, activations and KV cache."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp

from benchmarks.precision_runs.quantise import fake_quantise

VOCABULARY = 256
CONTEXT = 128
LINEARS = ("qkv", "out", "up", "down")
"""The weight matrices of a block, which count as N and are quantised."""
_ROTARY_BASE = 10_000.0

Params = dict[str, jax.Array]


@dataclass(frozen=True)
class Size:
    """The shape of a model and of its batches.

    Attributes:
        layers: number of blocks.
        width: of the residual stream.
        heads: of attention.
        batch: sequences per step.
    """

    layers: int
    width: int
    heads: int
    batch: int

    @property
    def N(self) -> int:
        """Parameters without embedding and head; the norms have none."""
        return 12 * self.layers * self.width**2

    @property
    def step_tokens(self) -> int:
        """Tokens (bytes) per training step."""
        return self.batch * CONTEXT


def init(size: Size, key: jax.Array) -> Params:
    """Normal weights of variance 1 / inputs, over 2 layers for outputs to the residual stream."""
    layers, width = size.layers, size.width
    shapes = {
        "embed": (VOCABULARY, width),
        "head": (width, VOCABULARY),
        "qkv": (layers, width, 3 * width),
        "out": (layers, width, width),
        "up": (layers, width, 4 * width),
        "down": (layers, 4 * width, width),
    }
    gain = {name: shape[-2] ** -0.5 for name, shape in shapes.items()}
    gain["embed"] = 1.0
    gain["out"] /= (2 * layers) ** 0.5
    gain["down"] /= (2 * layers) ** 0.5
    keys = jax.random.split(key, len(shapes))
    return {
        name: gain[name] * jax.random.normal(k, shapes[name])
        for name, k in zip(shapes, keys, strict=True)
    }


def norm(x: jax.Array) -> jax.Array:
    """RMSNorm without a gain, so that no parameter rescales a quantised tensor."""
    return x * jax.lax.rsqrt(jnp.mean(x * x, axis=-1, keepdims=True) + 1e-6)


def rotate(x: jax.Array) -> jax.Array:
    """Rotary positions for x of shape (batch, heads, time, head width)."""
    half = x.shape[-1] // 2
    rate = _ROTARY_BASE ** (-jnp.arange(half, dtype=jnp.float32) / half)
    angle = jnp.arange(x.shape[-2], dtype=jnp.float32)[:, None] * rate
    cos, sin = jnp.cos(angle), jnp.sin(angle)
    a, b = x[..., :half], x[..., half:]
    return jnp.concatenate([a * cos - b * sin, a * sin + b * cos], axis=-1)


def attend(qkv: jax.Array, heads: int, kv_bits: jax.Array) -> jax.Array:
    """Causal attention, (batch, time, 3 width) to (batch, time, width).

    K (rotated) and V are quantised per tensor.
    """
    batch, time, width = qkv.shape[0], qkv.shape[1], qkv.shape[2] // 3
    q, k, v = jnp.moveaxis(qkv.reshape(batch, time, 3, heads, width // heads), (2, 3), (0, 2))
    q, k = rotate(q), fake_quantise(rotate(k), kv_bits)
    v = fake_quantise(v, kv_bits)
    scores = jnp.einsum("bhqd,bhkd->bhqk", q, k) * (width // heads) ** -0.5
    scores = jnp.where(jnp.tril(jnp.ones((time, time), bool)), scores, -1e9)
    mixed = jnp.einsum("bhqk,bhkd->bhqd", jax.nn.softmax(scores), v)
    return jnp.moveaxis(mixed, 1, 2).reshape(batch, time, width)


def block(x: jax.Array, weights: Params, bits: jax.Array, heads: int) -> tuple[jax.Array, Params]:
    """One pre-norm block.

    Args:
        x: (batch, time, width).
        weights: the four matrices of this block, each (inputs, outputs).
        bits: (P_w, P_a, P_kv).
        heads: of attention.

    Returns:
        The residual stream after the block, and the quantised inputs of each matrix (for
            calibration).
    """
    quantised_inputs: Params = {}

    def linear(y: jax.Array, name: str) -> jax.Array:
        quantised_inputs[name] = fake_quantise(y, bits[1])
        return quantised_inputs[name] @ fake_quantise(weights[name], bits[0], axis=0)

    x = x + linear(attend(linear(norm(x), "qkv"), heads, bits[2]), "out")
    x = x + linear(jax.nn.gelu(linear(norm(x), "up")), "down")
    return x, quantised_inputs


def losses(params: Params, tokens: jax.Array, bits: jax.Array, heads: int) -> jax.Array:
    """Cross-entropy of each next byte, nats.

    Args:
        params: from `init`.
        tokens: (batch, time + 1) integers; the last time steps are predicted from those before.
        bits: (3,): P_w, P_a, P_kv.
        heads: of attention.

    Returns:
        (batch, time).
    """
    x = params["embed"][tokens[:, :-1]]
    for layer in range(params["qkv"].shape[0]):
        x, _ = block(x, {name: params[name][layer] for name in LINEARS}, bits, heads)
    logits = norm(x) @ params["head"]
    target_logits = jnp.take_along_axis(logits, tokens[:, 1:, None], axis=-1)[..., 0]
    return jax.nn.logsumexp(logits, axis=-1) - target_logits
