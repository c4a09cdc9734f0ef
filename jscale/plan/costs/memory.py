"""Memory of a model in training and in use, in bytes."""

from typing import Any, Literal

from jax.typing import ArrayLike

from jscale._core.errors import JscaleError
from jscale._core.text import shown
from jscale.plan.costs._numbers import between, positive

_STORED = {"none": (34.0, 5.0), "selective": (34.0, 0.0), "full": (2.0, 0.0)}
"""Bytes stored per token and layer: a multiple of the width, and one of heads times context."""


def weight_bytes(N: ArrayLike, bits: ArrayLike = 16.0) -> Any:
    """Bytes of N weights: ``N bits / 8``.

    Args:
        N: parameters, all of them, inactive experts included.
        bits: per weight.

    Raises:
        JscaleError: a number that is not positive.

    Source: definition.

    Example:
        >>> from jscale.plan import costs
        >>> print(f"{costs.weight_bytes(70e9, bits=4) / 1e9:.0f} GB")
        35 GB
    """
    return positive("N", N) * positive("bits", bits) / 8.0


def training_bytes(
    N: ArrayLike,
    *,
    weights: ArrayLike = 16.0,
    gradients: ArrayLike = 16.0,
    master: ArrayLike = 32.0,
    moment: ArrayLike = 32.0,
) -> Any:
    """Bytes of weights, gradients and optimiser state when training with Adam.

    ``N (weights + gradients + master + 2 moment) / 8``: 16 bytes per parameter in mixed precision,
    all devices together. Activations are not included (:func:`activation_bytes`).

    Args:
        N: parameters, all of them.
        weights: bits of a weight in the matrix products.
        gradients: bits of a gradient.
        master: bits of the copy of a weight that the optimiser updates; 0 for no copy.
        moment: bits of each of the two moments; 0 for plain gradient descent.

    Raises:
        JscaleError: N or the bits of weights or gradients not positive, or negative others.

    Source: Rajbhandari et al. 2020 (arXiv 1910.02054), section 3.1.

    Example:
        >>> from jscale.plan import costs
        >>> print(f"{costs.training_bytes(8e9) / 1e9:.0f} GB")
        128 GB
    """
    bits = positive("weights", weights) + positive("gradients", gradients)
    bits = bits + between("master", master, 0.0) + 2.0 * between("moment", moment, 0.0)
    return positive("N", N) * bits / 8.0


def activation_bytes(
    *,
    layers: ArrayLike,
    width: ArrayLike,
    heads: ArrayLike,
    context: ArrayLike,
    batch: ArrayLike = 1.0,
    recompute: Literal["none", "selective", "full"] = "selective",
) -> Any:
    """Bytes of the activations that the backward pass needs, in 16 bits.

    ``s b h L (34 + 5 a s / h)`` for the standard block (``d_ff = 4 width``, as many key as query
    heads, no gate), all devices together, without the embedding and the head.

    Args:
        layers: L.
        width: h, of the residual stream.
        heads: a, of attention.
        context: s, tokens in a sequence.
        batch: b, sequences.
        recompute: what the backward pass recomputes: ``"none"``, as above; ``"selective"``, the
            attention scores, with ``34 s b h L`` bytes; ``"full"``, entire layers from their
            inputs, with ``2 s b h L`` bytes.

    Raises:
        JscaleError: a number that is not positive, or an unknown ``recompute``.

    Source: Korthikanti et al. 2022 (arXiv 2205.05198), Table 2.

    Example:
        >>> from jscale.plan import costs
        >>> sizes = {"layers": 32, "width": 4096, "heads": 32, "context": 4096, "batch": 8}
        >>> print(f"{costs.activation_bytes(**sizes) / 1e9:.0f} GB")
        146 GB
    """
    if recompute not in _STORED:
        raise JscaleError(
            f"must be one of {', '.join(_STORED)}, not {shown(recompute)}", argument="recompute"
        )
    per_width, per_score = _STORED[recompute]
    context, heads = positive("context", context), positive("heads", heads)
    per_token = per_width * positive("width", width) + per_score * heads * context
    return per_token * context * positive("batch", batch) * positive("layers", layers)


def kv_cache_bytes(
    *,
    layers: ArrayLike,
    kv_heads: ArrayLike,
    head_dim: ArrayLike,
    context: ArrayLike,
    batch: ArrayLike = 1.0,
    bits: ArrayLike = 16.0,
) -> Any:
    """Bytes of the cached keys and values: ``2 layers kv_heads head_dim context batch bits / 8``.

    Args:
        layers: with attention.
        kv_heads: heads of keys and values; fewer than those of queries in grouped-query attention.
        head_dim: numbers per head.
        context: tokens cached per sequence.
        batch: sequences.
        bits: per number.

    Raises:
        JscaleError: a number that is not positive.

    Source: Pope et al. 2022 (arXiv 2211.05102), section 3.3; shared heads, Ainslie et al. 2023
        (arXiv 2305.13245).

    Example:
        >>> from jscale.plan import costs
        >>> cache = costs.kv_cache_bytes(layers=32, kv_heads=8, head_dim=128, context=131072)
        >>> print(f"{cache / 1e9:.1f} GB per sequence")
        17.2 GB per sequence
    """
    layers, kv_heads = positive("layers", layers), positive("kv_heads", kv_heads)
    per_token = 2.0 * layers * kv_heads * positive("head_dim", head_dim)
    context, batch = positive("context", context), positive("batch", batch)
    return per_token * context * batch * positive("bits", bits) / 8.0
