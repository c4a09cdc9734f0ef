"""Architectures: the sizes and FLOP that papers print of their models."""

import numpy as np
import pytest

from jscale.plan import costs

GPT3 = costs.Architecture(layers=96, width=12288, heads=96, vocabulary=50257, positions=2048)
LLAMA2 = costs.Architecture(
    layers=80,
    width=8192,
    heads=64,
    kv_heads=8,
    d_ff=28672,
    gated=True,
    tied=False,
    vocabulary=32000,
)
MIXTRAL = costs.Architecture(
    layers=32,
    width=4096,
    heads=32,
    kv_heads=8,
    d_ff=14336,
    gated=True,
    tied=False,
    vocabulary=32000,
    experts=8,
    active_experts=2,
)

HOFFMANN_A4 = (
    (73, 10, 640, 10, 64, 1.03),
    (305, 20, 1024, 16, 64, 1.10),
    (552, 24, 1280, 10, 128, 1.08),
    (1100, 26, 1792, 14, 128, 1.04),
    (1600, 28, 2048, 16, 128, 1.03),
    (6800, 40, 3584, 28, 128, 0.99),
)
"""Hoffmann et al. 2022, Table A4: millions of parameters, layers, width, heads, head_dim, FLOP over
6 N D."""

DEEPSEEK_3 = (
    (8, 512, 25.2e6, 77.6e6, 352e6),
    (12, 768, 84.9e6, 164e6, 963e6),
    (24, 1024, 302e6, 407e6, 3.02e9),
    (24, 2048, 1.21e9, 1.42e9, 9.66e9),
    (32, 4096, 6.44e9, 6.86e9, 45.1e9),
    (40, 5120, 12.6e9, 13.1e9, 85.6e9),
    (80, 8192, 64.4e9, 65.3e9, 419e9),
)
"""DeepSeek-AI 2024, Table 3, vocabulary 102,400, context 4,096: layers, width, N_1, N_2, M."""


def test_gpt3():
    """174.6e9 parameters, 3.14e23 FLOP (6 N D) on 300e9 tokens: Brown et al. 2020, Table D.1."""
    assert GPT3.parameters == pytest.approx(174.6e9, rel=1e-4)
    assert costs.training_flops.flops(GPT3.parameters, 300e9) == pytest.approx(3.14e23, rel=1e-3)
    # Attention, which 6 N D leaves out, adds 2.7% to the training of this model.
    exact = GPT3.training_flops(300e9, 2048, mask="full")
    without = 6 * (GPT3.parameters - 2048 * 12288) * 300e9
    assert exact / without - 1 == pytest.approx(
        12 * 96 * 12288 * 2048 / (6 * (GPT3.parameters - 2048 * 12288))
    )
    assert exact / without == pytest.approx(1.0277, abs=1e-4)


def test_llama2_70b():
    """69e9 parameters; 8 of 64 heads have keys and values: 320 KiB per token, not 2.5 MiB."""
    assert LLAMA2.parameters == 68_975_329_280  # 68,976,648,192 with its 161 norms of 8,192
    assert LLAMA2.kv_cache_bytes(1) == 327_680
    assert LLAMA2.kv_cache_bytes(4096, batch=2, bits=8) == 327_680 * 4096


def test_mixtral_8x7b():
    """46.7 billion parameters, 12.9 of them active: Jiang et al. 2024 (arXiv 2401.04088)."""
    assert MIXTRAL.parameters == pytest.approx(46.7e9, abs=5e7)
    assert MIXTRAL.active_parameters == pytest.approx(12.9e9, abs=5e7)
    head = MIXTRAL.embedding_parameters / 2
    forward = MIXTRAL.forward_flops_per_token(4096) - MIXTRAL.attention_flops_per_token(4096)
    assert forward == 2 * (MIXTRAL.active_non_embedding_parameters + head)


@pytest.mark.parametrize("row", HOFFMANN_A4, ids=lambda row: f"{row[0]}M")
def test_hoffmann_table_a4(row):
    """The ratios are reproduced without embedding and logits, which appendix F says it counts."""
    millions, layers, width, heads, head_dim, printed = row
    model = costs.Architecture(
        layers=layers, width=width, heads=heads, head_dim=head_dim, vocabulary=32000
    )
    N = model.parameters + layers * width**2  # relative positions
    np.testing.assert_allclose(N, millions * 1e6, rtol=0.04)
    counted = model.forward_flops_per_token(2048, mask="full", softmax=True, head=False)
    assert round(counted / (2 * N), 2) == printed
    as_described = model.forward_flops_per_token(2048, mask="full", softmax=True, lookup=True)
    assert as_described - counted == 2 * 2 * width * 32000
    assert as_described / (2 * N) > printed + 0.03


def test_hoffmann_appendix_f_line_by_line():
    """Chinchilla 70B as the appendix lists it, per sequence of 2,048."""
    s, d, key, heads, ff, vocabulary = 2048, 8192, 128, 64, 4 * 8192, 32000
    attention = 2 * 3 * s * d * key * heads + 2 * s * s * key * heads + 3 * heads * s * s
    attention += 2 * s * s * key * heads + 2 * s * key * heads * d
    total = (
        2 * s * vocabulary * d
        + 80 * (attention + 2 * s * (d * ff + d * ff))
        + 2 * s * d * vocabulary
    )
    model = costs.Architecture(layers=80, width=d, heads=heads, vocabulary=vocabulary)
    flops = s * model.forward_flops_per_token(s, mask="full", lookup=True, softmax=True)
    assert flops == pytest.approx(total, rel=1e-15)
    options = {"mask": "full", "lookup": True, "softmax": True}
    assert model.training_flops(1.4e12, s, **options) == pytest.approx(
        3 * total / s * 1.4e12, rel=1e-15
    )


@pytest.mark.parametrize("row", DEEPSEEK_3, ids=lambda row: f"{row[0]}x{row[1]}")
def test_deepseek_table_3(row):
    layers, width, N_1, N_2, M = row
    model = costs.Architecture(layers=layers, width=width, heads=8, vocabulary=102400)
    np.testing.assert_allclose(model.non_embedding_parameters, N_1, rtol=5e-3)
    np.testing.assert_allclose(model.parameters, N_2, rtol=5e-3)
    flops = costs.deepseek_flops_per_token(layers, width, 4096)
    np.testing.assert_allclose(flops, M, rtol=2e-3)
    assert 3 * model.forward_flops_per_token(4096, mask="full", head=False) == pytest.approx(
        flops, rel=1e-15
    )


def test_a_causal_mask_halves_the_scores_alone():
    full, causal = (LLAMA2.forward_flops_per_token(8192, mask=mask) for mask in ("full", "causal"))
    scores = LLAMA2.attention_flops_per_token(8192, mask="full")
    assert scores == 4 * 80 * 8192 * 8192
    assert full - causal == scores / 2
    assert LLAMA2.forward_flops_per_token(8192) == causal


def test_granular_flops_are_those_of_the_architecture():
    """Krajewski et al. 2024: the router depends on the granularity, the parameters used do not."""
    sizes = {"layers": 16, "width": 1024}
    for granularity in (1, 4, 16):
        model = costs.Architecture(**sizes, heads=16, experts=64, granularity=granularity)
        scores = model.attention_flops_per_token(1024)
        flops = costs.granular_flops_per_token(**sizes, experts=64, granularity=granularity)
        assert flops == 3 * (model.forward_flops_per_token(1024) - scores)
        assert flops == 6 * 16 * (12 * 1024**2 + 1024 * 64 * granularity)
        # The law's N, without the router: d^2 (8 E + 4) per block.
        experts = model.non_embedding_parameters - 16 * model.router_parameters
        assert experts == 16 * 1024**2 * (8 * 64 + 4)
    double = costs.granular_flops_per_token(**sizes, experts=64, granularity=16, per_route=12)
    assert double - flops == 6 * 16 * 1024 * 64 * 16
