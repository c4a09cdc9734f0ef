"""Parameters and FLOP of a transformer, counted from its architecture."""

from dataclasses import dataclass
from typing import Any, Literal

from jax.typing import ArrayLike

from jscale._core.errors import JscaleError
from jscale.plan.costs._numbers import between, positive
from jscale.plan.costs.memory import kv_cache_bytes

Mask = Literal["causal", "full"]


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """A decoder-only transformer; its numbers may be fractions and may be traced, one at a time or
    all.

    Weight matrices and embeddings count; norms and biases, some 0.01% of a large model, do not.

    Attributes:
        layers: blocks of attention and feed-forward.
        width: of the residual stream.
        heads: of queries.
        vocabulary: tokens known; 0 for a model seen without embedding and head.
        kv_heads: heads of keys and values, at most ``heads``; None for as many.
        head_dim: numbers per head; None for ``width / heads``.
        d_ff: width of the feed-forward layer, or of one expert at granularity 1; None for ``4
            width``.
        gated: whether the feed-forward layer has a gate (SwiGLU, GeGLU): three matrices instead of
            two.
        tied: whether embedding and head share their matrix.
        positions: learned position embeddings; 0 for none.
        experts: feed-forward layers of which each token meets a few; None for a dense model without
            a router.
        active_experts: met by a token, at most ``experts``.
        granularity: parts into which each expert is cut: ``experts * granularity`` of width ``d_ff
            / granularity``, of which a token meets ``active_experts * granularity`` (Krajewski et
            al. 2024, arXiv 2402.07871).

    Raises:
        JscaleError: a number that makes no sense.
    """

    layers: ArrayLike
    width: ArrayLike
    heads: ArrayLike
    vocabulary: ArrayLike = 0
    kv_heads: Any = None
    head_dim: Any = None
    d_ff: Any = None
    gated: bool = False
    tied: bool = True
    positions: ArrayLike = 0
    experts: ArrayLike | None = None
    active_experts: ArrayLike = 1
    granularity: ArrayLike = 1

    def __post_init__(self) -> None:
        for name in ("layers", "width", "heads", "active_experts", "granularity"):
            self._store(name, positive(name, getattr(self, name)))
        for name in ("vocabulary", "positions"):
            self._store(name, between(name, getattr(self, name), 0.0))
        for name, whole in (
            ("kv_heads", self.heads),
            ("head_dim", self.width / self.heads),
            ("d_ff", 4 * self.width),
        ):
            self._store(
                name, positive(name, whole if getattr(self, name) is None else getattr(self, name))
            )
        if self.experts is not None:
            self._store("experts", positive("experts", self.experts))
        between("heads / kv_heads", self.heads / self.kv_heads, 1.0)
        between(
            "experts / active_experts",
            (1.0 if self.experts is None else self.experts) / self.active_experts,
            1.0,
        )

    def _store(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)  # the way to set a field of a frozen dataclass

    @property
    def attention_parameters(self) -> Any:
        """Of one layer: ``2 width head_dim (heads + kv_heads)`` for queries, output, keys and
        values.
        """
        return 2.0 * self.width * self.head_dim * (self.heads + self.kv_heads)

    @property
    def expert_parameters(self) -> Any:
        """Of the feed-forward layer, or of one whole expert: ``2 width d_ff``, or 3 with a gate."""
        return (3.0 if self.gated else 2.0) * self.width * self.d_ff

    @property
    def router_parameters(self) -> Any:
        """Of one layer: ``width experts granularity``; 0 for a dense model."""
        return 0.0 if self.experts is None else self.width * self.experts * self.granularity

    def _blocks(self, experts: Any) -> Any:
        return self.layers * (
            self.attention_parameters + self.router_parameters + experts * self.expert_parameters
        )

    @property
    def non_embedding_parameters(self) -> Any:
        """Of all layers, idle experts and routers included; ``12 layers width**2`` for the standard
        block.
        """
        return self._blocks(1.0 if self.experts is None else self.experts)

    @property
    def active_non_embedding_parameters(self) -> Any:
        """Of all layers, those that one token meets, routers included."""
        return self._blocks(self.active_experts)

    @property
    def embedding_parameters(self) -> Any:
        """Of embedding, head where it has its own matrix, and positions."""
        return self.width * ((1.0 if self.tied else 2.0) * self.vocabulary + self.positions)

    @property
    def parameters(self) -> Any:
        """All parameters."""
        return self.non_embedding_parameters + self.embedding_parameters

    @property
    def active_parameters(self) -> Any:
        """Parameters without the experts that a token does not meet."""
        return self.active_non_embedding_parameters + self.embedding_parameters

    def attention_flops_per_token(
        self, context: ArrayLike, *, mask: Mask = "causal", softmax: bool = False
    ) -> Any:
        """FLOP of the attention scores of a token, forward, all layers: ``4 layers heads head_dim
            seen``.

        2 for the products of queries and keys and 2 for the sum over values. A position sees all
        ``context`` positions under the mask ``"full"``, half of them on average under ``"causal"``.
        Papers differ: Hoffmann, DeepSeek and Megatron count the full square, though half of it is
        masked; kernels that skip the masked half do the other. For a token written after
        ``context`` others ``"full"`` is the one that applies.

        Args:
            context: tokens in a sequence.
            mask: ``"causal"`` or ``"full"``.
            softmax: count 3 FLOP per score for the softmax too.

        Raises:
            JscaleError: a context that is not positive, or another mask.

        Source: Hoffmann et al. 2022 (arXiv 2203.15556), appendix F; half of it, Dao 2023 (arXiv
            2307.08691), section 4.
        """
        if mask not in ("causal", "full"):
            raise JscaleError(f"mask must be causal or full, not {mask!r}")
        seen = positive("context", context) * (0.5 if mask == "causal" else 1.0)
        per_pair = 4.0 * self.head_dim + (3.0 if softmax else 0.0)
        return self.layers * self.heads * per_pair * seen

    def forward_flops_per_token(
        self,
        context: ArrayLike,
        *,
        mask: Mask = "causal",
        head: bool = True,
        lookup: bool = False,
        softmax: bool = False,
    ) -> Any:
        """FLOP of one token forward: ``2 active_non_embedding_parameters + attention + 2 width
            vocabulary``.

        Appendix F of Hoffmann et al. 2022 counts ``mask="full"``, ``head``, ``lookup`` and
        ``softmax``. But the ratios to ``6 N D`` printed there in Table A4 come out, all six,
        without ``head`` and ``lookup`` (a vocabulary of 32,000, a context of 2,048, and in N a
        ``width**2`` matrix of relative positions in every layer); with both the smallest model has
        1.58 instead of the 1.03 printed.

        Args:
            context: tokens in a sequence.
            mask: ``"causal"`` or ``"full"``, see :meth:`attention_flops_per_token`.
            head: count the logits.
            lookup: count the embedding as a product with a one-hot vector, which is not how it is
                computed.
            softmax: count the softmax of attention.

        Raises:
            JscaleError: a context that is not positive, or another mask.

        Source: Hoffmann et al. 2022 (arXiv 2203.15556), appendix F.
        """
        vocabulary = 2.0 * self.width * self.vocabulary
        attention = self.attention_flops_per_token(context, mask=mask, softmax=softmax)
        return (
            2.0 * self.active_non_embedding_parameters
            + attention
            + (int(head) + int(lookup)) * vocabulary
        )

    def training_flops(self, D: ArrayLike, context: ArrayLike, **counted: Any) -> Any:
        """FLOP of training on D tokens: 3 times forward, since the backward pass costs twice the
            forward one.

        Args:
            D: tokens.
            context: tokens in a sequence. **counted: ``mask``, ``head``, ``lookup`` and ``softmax``
            of :meth:`forward_flops_per_token`.

        Raises:
            JscaleError: a count that makes no sense.

        Source: Hoffmann et al. 2022 (arXiv 2203.15556), appendix F.
        """
        return 3.0 * self.forward_flops_per_token(context, **counted) * between("D", D, 0.0)

    def kv_cache_bytes(
        self, context: ArrayLike, *, batch: ArrayLike = 1.0, bits: ArrayLike = 16.0
    ) -> Any:
        """Bytes of the cached keys and values, see :func:`~jscale.plan.costs.kv_cache_bytes`.

        Args:
            context: tokens cached per sequence.
            batch: sequences.
            bits: per number.

        Raises:
            JscaleError: a number that is not positive.

        Source: Pope et al. 2022 (arXiv 2211.05102), section 3.3.
        """
        sizes = {"layers": self.layers, "kv_heads": self.kv_heads, "head_dim": self.head_dim}
        return kv_cache_bytes(**sizes, context=context, batch=batch, bits=bits)


def deepseek_flops_per_token(layers: ArrayLike, width: ArrayLike, context: ArrayLike) -> Any:
    """FLOP of training per token, without embedding and head: ``M = 72 layers width**2 + 12 layers
        width context``.

    Training on D tokens costs ``C = M D``. It is 3 times
    :meth:`Architecture.forward_flops_per_token` of the standard block with ``mask="full"`` and
    ``head=False``.

    Args:
        layers: number of them.
        width: of the residual stream.
        context: tokens in a sequence.

    Raises:
        JscaleError: a number that is not positive.

    Source: Bi et al. 2024 (arXiv 2401.02954), eq. 2.
    """
    layers, width = positive("layers", layers), positive("width", width)
    return layers * width * (72.0 * width + 12.0 * positive("context", context))


def granular_flops_per_token(
    *,
    layers: ArrayLike,
    width: ArrayLike,
    experts: ArrayLike,
    granularity: ArrayLike = 1.0,
    per_parameter: ArrayLike = 6.0,
    per_route: ArrayLike = 6.0,
) -> Any:
    """FLOP of training a fine-grained mixture of experts per token: ``(12 d**2 c_f + d E G c_r)
        n_blocks``.

    A token meets as many parameters as in the dense model, ``12 d**2`` per block, whatever the
    granularity; the routing alone grows with it. Attention scores, embedding and head are left out.

    Args:
        layers: n_blocks.
        width: d, of the residual stream.
        experts: E, whole experts of width ``4 d``, one of them met by each token.
        granularity: G, parts into which each is cut.
        per_parameter: c_f, FLOP per parameter and token.
        per_route: c_r, FLOP per entry of the router; 6 counts its matrix alone, softmax and
            dispatch come on top.

    Raises:
        JscaleError: a number that is not positive.

    Source: Krajewski et al. 2024 (arXiv 2402.07871).
    """
    layers, width = positive("layers", layers), positive("width", width)
    routes = positive("experts", experts) * positive("granularity", granularity)
    block = 12.0 * width * positive("per_parameter", per_parameter) + routes * positive(
        "per_route", per_route
    )
    return layers * width * block
