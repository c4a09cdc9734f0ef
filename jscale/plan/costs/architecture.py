"""Parameters and FLOP of a transformer, counted from its architecture."""

from dataclasses import dataclass
from typing import Any, Literal

from jax.typing import ArrayLike

from jscale._core.errors import JscaleError
from jscale._core.text import shown
from jscale.plan.costs._numbers import between, positive
from jscale.plan.costs.memory import kv_cache_bytes

Mask = Literal["causal", "full"]


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """A decoder-only transformer, described by the sizes of its parts.

    The numbers may be fractions, and any of them may be traced. Weight matrices and embeddings
    count; norms and biases, some 0.01% of a large model, do not.

    Attributes:
        layers: blocks of attention and feed-forward.
        width: of the residual stream.
        heads: of queries.
        vocabulary: number of distinct tokens; 0 leaves out embedding and head.
        kv_heads: heads of keys and values, at most ``heads``; None for as many.
        head_dim: numbers per head; None for ``width / heads``.
        d_ff: width of the feed-forward layer, or of one expert at granularity 1; None for ``4
            width``.
        gated: whether the feed-forward layer has a gate (SwiGLU, GeGLU): three matrices instead of
            two.
        tied: whether embedding and head share their matrix.
        positions: learned position embeddings; 0 for none.
        experts: feed-forward layers among which a router chooses for each token; None for a dense
            model without a router.
        active_experts: used by a token, at most ``experts``.
        granularity: parts into which each expert is split: ``experts * granularity`` of width
            ``d_ff / granularity``, of which a token uses ``active_experts * granularity``
            (Krajewski et al. 2024, arXiv 2402.07871).

    Raises:
        JscaleError: a number out of range.

    Example:
        A model of 32 layers and width 4096 with a gated feed-forward layer:

        >>> from jscale.plan import costs
        >>> model = costs.Architecture(
        ...     layers=32, width=4096, heads=32, vocabulary=32000, d_ff=11008, gated=True
        ... )
        >>> print(f"{model.parameters:.3g} parameters")
        6.61e+09 parameters
        >>> print(f"{model.training_flops(D=1e12, context=2048):.3g} FLOP")
        4.13e+22 FLOP
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

        defaults = {
            "kv_heads": self.heads,
            "head_dim": self.width / self.heads,
            "d_ff": 4 * self.width,
        }
        for name, default in defaults.items():
            value = getattr(self, name)
            self._store(name, positive(name, default if value is None else value))

        if self.experts is not None:
            self._store("experts", positive("experts", self.experts))
        experts = 1.0 if self.experts is None else self.experts
        between("heads / kv_heads", self.heads / self.kv_heads, 1.0)
        between("experts / active_experts", experts / self.active_experts, 1.0)

    def _store(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)  # the way to set a field of a frozen dataclass

    @property
    def attention_parameters(self) -> Any:
        """Of the attention of one layer.

        ``2 width head_dim (heads + kv_heads)`` for queries, output, keys and values.
        """
        return 2.0 * self.width * self.head_dim * (self.heads + self.kv_heads)

    @property
    def expert_parameters(self) -> Any:
        """Of the feed-forward layer, or of one expert: ``2 width d_ff``, or 3 with a gate."""
        matrices = 3.0 if self.gated else 2.0
        return matrices * self.width * self.d_ff

    @property
    def router_parameters(self) -> Any:
        """Of one layer: ``width experts granularity``; 0 for a dense model."""
        return 0.0 if self.experts is None else self.width * self.experts * self.granularity

    def _blocks(self, experts: Any) -> Any:
        block = self.attention_parameters + self.router_parameters
        return self.layers * (block + experts * self.expert_parameters)

    @property
    def non_embedding_parameters(self) -> Any:
        """Of all layers, inactive experts and routers included.

        ``12 layers width**2`` for the standard block.
        """
        return self._blocks(1.0 if self.experts is None else self.experts)

    @property
    def active_non_embedding_parameters(self) -> Any:
        """Of all layers, those used by one token, routers included."""
        return self._blocks(self.active_experts)

    @property
    def embedding_parameters(self) -> Any:
        """Of the embedding, of the head if it has its own matrix, and of positions."""
        matrices = 1.0 if self.tied else 2.0
        return self.width * (matrices * self.vocabulary + self.positions)

    @property
    def parameters(self) -> Any:
        """All parameters."""
        return self.non_embedding_parameters + self.embedding_parameters

    @property
    def active_parameters(self) -> Any:
        """Parameters used by one token: those of inactive experts are left out."""
        return self.active_non_embedding_parameters + self.embedding_parameters

    def attention_flops_per_token(
        self, context: ArrayLike, *, mask: Mask = "causal", softmax: bool = False
    ) -> Any:
        """FLOP of a token's attention scores, forward, all layers: ``4 layers heads head_dim n``.

        2 for the products of queries and keys and 2 for the sum over values. A position attends to
        ``n = context`` positions under the mask ``"full"``, to half of them on average under
        ``"causal"``. Papers differ: Hoffmann, DeepSeek and Megatron count the full square, although
        half of it is masked; kernels that skip the masked half compute ``"causal"``. For a token
        generated after ``context`` others ``"full"`` applies.

        Args:
            context: tokens in a sequence.
            mask: ``"causal"`` or ``"full"``.
            softmax: count 3 FLOP per score for the softmax too.

        Raises:
            JscaleError: a context that is not positive, or an unknown mask.

        Source: Hoffmann et al. 2022 (arXiv 2203.15556), appendix F; half of it, Dao 2023 (arXiv
            2307.08691), section 4.
        """
        if mask not in ("causal", "full"):
            raise JscaleError(f"must be causal or full, not {shown(mask)}", argument="mask")
        attended = positive("context", context) * (0.5 if mask == "causal" else 1.0)
        per_pair = 4.0 * self.head_dim + (3.0 if softmax else 0.0)
        return self.layers * self.heads * per_pair * attended

    def forward_flops_per_token(
        self,
        context: ArrayLike,
        *,
        mask: Mask = "causal",
        head: bool = True,
        lookup: bool = False,
        softmax: bool = False,
    ) -> Any:
        """FLOP of one token, forward.

        ``2 active_non_embedding_parameters + attention + 2 width vocabulary``.

        Appendix F of Hoffmann et al. 2022 counts ``mask="full"``, ``head``, ``lookup`` and
        ``softmax``. But all six ratios to ``6 N D`` printed there in Table A4 are reproduced
        without ``head`` and ``lookup`` (with a vocabulary of 32,000, a context of 2,048, and in N a
        ``width**2`` matrix of relative positions in every layer); with both, the smallest model has
        1.58 instead of the 1.03 printed.

        Args:
            context: tokens in a sequence.
            mask: ``"causal"`` or ``"full"``, see :meth:`attention_flops_per_token`.
            head: count the logits.
            lookup: count the embedding as a product with a one-hot vector, although it is
                computed by indexing.
            softmax: count the softmax of attention.

        Raises:
            JscaleError: a context that is not positive, or an unknown mask.

        Source: Hoffmann et al. 2022 (arXiv 2203.15556), appendix F.
        """
        vocabulary = 2.0 * self.width * self.vocabulary
        attention = self.attention_flops_per_token(context, mask=mask, softmax=softmax)
        products = 2.0 * self.active_non_embedding_parameters
        return products + attention + (int(head) + int(lookup)) * vocabulary

    def training_flops(self, D: ArrayLike, context: ArrayLike, **counted: Any) -> Any:
        """FLOP of training on D tokens: 3 times forward.

        The backward pass costs twice the forward one.

        Args:
            D: tokens.
            context: tokens in a sequence.
            **counted: ``mask``, ``head``, ``lookup`` and ``softmax`` of
                :meth:`forward_flops_per_token`.

        Raises:
            JscaleError: a number out of range.

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
    """FLOP of training per token, without embedding and head.

    ``M = 72 layers width**2 + 12 layers width context``. Training on D tokens costs ``C = M D``.
    It is 3 times :meth:`Architecture.forward_flops_per_token` of the standard block with
    ``mask="full"`` and ``head=False``.

    Args:
        layers: number of them.
        width: of the residual stream.
        context: tokens in a sequence.

    Raises:
        JscaleError: a number that is not positive.

    Source: Bi et al. 2024 (arXiv 2401.02954), eq. 2.

    Example:
        >>> from jscale.plan import costs
        >>> flops = costs.deepseek_flops_per_token(layers=24, width=2048, context=4096)
        >>> print(f"{flops:.4g} FLOP")
        9.664e+09 FLOP
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
    """FLOP of training a fine-grained mixture of experts, per token.

    ``(12 d**2 c_f + d E G c_r) n_blocks``. A token uses as many parameters as in the dense model,
    ``12 d**2`` per block, whatever the granularity; only the routing increases with it. Attention
    scores, embedding and head are left out.

    Args:
        layers: n_blocks.
        width: d, of the residual stream.
        experts: E, undivided experts of width ``4 d``, one of them used by each token.
        granularity: G, parts into which each is split.
        per_parameter: c_f, FLOP per parameter and token.
        per_route: c_r, FLOP per entry of the router; 6 counts its matrix only, without softmax and
            dispatch.

    Raises:
        JscaleError: a number that is not positive.

    Source: Krajewski et al. 2024 (arXiv 2402.07871).

    Example:
        64 experts, each split into 16 parts:

        >>> from jscale.plan import costs
        >>> flops = costs.granular_flops_per_token(layers=12, width=768, experts=64, granularity=16)
        >>> print(f"{flops:.4g} FLOP")
        5.662e+08 FLOP
    """
    layers, width = positive("layers", layers), positive("width", width)
    routes = positive("experts", experts) * positive("granularity", granularity)
    dense = 12.0 * width * positive("per_parameter", per_parameter)
    block = dense + routes * positive("per_route", per_route)
    return layers * width * block
