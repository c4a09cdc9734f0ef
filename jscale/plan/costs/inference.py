"""FLOP of serving, and the time of a generated token."""

from typing import Any

from jax.typing import ArrayLike

from jscale._core.arrays import ratio
from jscale.plan.costs._numbers import between, positive
from jscale.plan.costs.memory import weight_bytes


def inference_flops(N: ArrayLike, tokens: ArrayLike = 1.0) -> Any:
    """FLOP of reading or generating ``tokens``: ``2 N`` each.

    A multiplication and an addition per parameter. Attention scores are left out;
    :meth:`Architecture.forward_flops_per_token` has them.

    Args:
        N: parameters used by a token (the active ones of a mixture of experts).
        tokens: read and generated together.

    Raises:
        JscaleError: N not positive, or a negative number of tokens.

    Source: Kaplan et al. 2020 (arXiv 2001.08361), section 2.1 and Table 1.

    Example:
        >>> from jscale.plan import costs
        >>> print(f"{costs.inference_flops(8e9, tokens=1e12):.1e} FLOP")
        1.6e+22 FLOP
    """
    return 2.0 * positive("N", N) * between("tokens", tokens, 0.0)


def serving_flops(N: ArrayLike, T_gen: ArrayLike, Q: ArrayLike) -> Any:
    """FLOP of answering Q queries: ``2 N T_gen Q``.

    Args:
        N: parameters used by a token.
        T_gen: tokens per query, those read included.
        Q: queries.

    Raises:
        JscaleError: N not positive, or a negative count.

    Source: the inference term of Sardana et al. 2023 (arXiv 2401.00448), eq. 3, with ``T = T_gen
        Q``.

    Example:
        >>> from jscale.plan import costs
        >>> print(f"{costs.serving_flops(8e9, T_gen=2000, Q=1e9):.1e} FLOP")
        3.2e+22 FLOP
    """
    return inference_flops(N, between("T_gen", T_gen, 0.0)) * between("Q", Q, 0.0)


def decode_seconds(
    N: ArrayLike, *, bandwidth: ArrayLike, bits: ArrayLike = 16.0, kv_bytes: ArrayLike = 0.0
) -> Any:
    """Seconds between two tokens of a sequence: ``(N bits / 8 + kv_bytes) / bandwidth``.

    Generating a token reads all weights and the entire cache once for all sequences of the batch.
    At small batches this takes most of the time: decoding is memory bound. It is a lower bound,
    reached where the arithmetic of the batch, ``2 N batch / peak``, takes less time and
    communication none.

    Args:
        N: parameters read; of a mixture of experts those used by any sequence of the batch.
        bandwidth: of the memory that holds them, all devices together, bytes per second.
        bits: per weight.
        kv_bytes: the cache of all sequences of the batch, see :func:`kv_cache_bytes`.

    Raises:
        JscaleError: a number that is not positive, or a negative cache.

    Source: Pope et al. 2022 (arXiv 2211.05102), section 2 (memory time).

    Example:
        70e9 parameters in 8 bits, read at 3.35e12 bytes per second:

        >>> from jscale.plan import costs
        >>> print(f"{1e3 * costs.decode_seconds(70e9, bandwidth=3.35e12, bits=8):.1f} ms")
        20.9 ms
    """
    read = weight_bytes(N, bits) + between("kv_bytes", kv_bytes, 0.0)
    return ratio(read, positive("bandwidth", bandwidth))


def decodable_parameters(
    seconds: ArrayLike, *, bandwidth: ArrayLike, bits: ArrayLike = 16.0, kv_bytes: ArrayLike = 0.0
) -> Any:
    """The largest number of parameters that generate a token in ``seconds``.

    ``(seconds bandwidth - kv_bytes) 8 / bits``, the inverse of :func:`decode_seconds`, for a given
    latency: 0 or less where reading the cache alone takes longer.

    Args:
        seconds: between two tokens of a sequence.
        bandwidth: of the memory, all devices together, bytes per second.
        bits: per weight.
        kv_bytes: the cache of all sequences of the batch.

    Raises:
        JscaleError: a number that is not positive, or a negative cache.

    Source: solved from :func:`decode_seconds`.

    Example:
        20 ms per token with 8-bit weights, read at 3.35e12 bytes per second:

        >>> from jscale.plan import costs
        >>> print(f"{costs.decodable_parameters(0.02, bandwidth=3.35e12, bits=8):.2e} parameters")
        6.70e+10 parameters
    """
    readable = positive("seconds", seconds) * positive("bandwidth", bandwidth)
    weights = readable - between("kv_bytes", kv_bytes, 0.0)
    return 8.0 * ratio(weights, positive("bits", bits))
