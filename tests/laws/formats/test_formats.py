"""Number formats: values and rounding bit by bit against ml_dtypes, blocks, errors by sampling."""

import re
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest

from benchmarks.precision_runs.quantise import fake_quantise
from jscale._core.errors import JscaleError
from jscale.laws import formats

KEY = jax.random.key(0)
UNTYPED: Any = formats
"""For calls that a type checker refuses."""
DTYPES = {
    "float4_e2m1fn": formats.E2M1,
    "float6_e2m3fn": formats.E2M3,
    "float6_e3m2fn": formats.E3M2,
    "float8_e4m3fn": formats.E4M3,
    "float8_e5m2": formats.E5M2,
}
BLOCKS = ("nvfp4", "mxfp4", "mxfp6", "mxfp8")
FP4_SCALE = 0.487079483934662
"""With the least error on normal numbers: notebook mse_fitting of Castro et al. 2025."""
UNIFORM = {
    1: (0.7978845587140913, 0.3633802276324186),
    4: (2.5139324513630887, 0.011542884500323213),
    8: (3.884997364699907, 8.782117814336654e-05),
}
"""Bits → the ends with the least error, and that error, from the same notebook."""


def every_code(name: str) -> np.ndarray:
    """All finite values of a type of ml_dtypes."""
    codes = np.arange(2 ** DTYPES[name].bits, dtype=np.uint8).view(getattr(ml_dtypes, name))
    values = codes.astype(np.float32)
    return values[np.isfinite(values)]


@pytest.fixture(scope="module")
def normal() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(64, 4096)).astype(np.float32)


@pytest.mark.parametrize("name", DTYPES)
def test_values_and_ties_are_those_of_ml_dtypes(name):
    element = DTYPES[name]
    magnitudes = element.magnitudes
    np.testing.assert_array_equal(np.unique(np.abs(every_code(name))), magnitudes)

    middles = ((magnitudes[1:] + magnitudes[:-1]) / 2).astype(np.float32)
    beside = [np.nextafter(middles, np.float32(end)) for end in (0.0, np.inf)]
    others = np.random.default_rng(1).normal(size=1000) * magnitudes[-1] / 4
    x = np.concatenate([magnitudes, middles, *beside, others]).astype(np.float32)
    x = np.resize(np.concatenate([x, -x]), 4096)
    x = np.clip(x, -magnitudes[-1], magnitudes[-1])
    expected = x.astype(getattr(ml_dtypes, name)).astype(np.float32)
    value = np.asarray(formats.cast(x, element))
    np.testing.assert_array_equal(value.view(np.uint32), expected.view(np.uint32))


def test_scales_are_those_of_ml_dtypes():
    codes = np.arange(255, dtype=np.uint8).view(ml_dtypes.float8_e8m0fnu)
    np.testing.assert_array_equal(codes.astype(np.float64), formats.E8M0.magnitudes)


def test_what_is_out_of_range_is_clipped():
    value = formats.cast([500.0, -np.inf, np.nan, 0.0], formats.E4M3)
    np.testing.assert_array_equal(value, [448.0, -448.0, np.nan, 0.0])


def test_stochastic_rounding_is_unbiased_and_takes_neighbours():
    x = jnp.full(200_000, 2.3)
    value = np.asarray(formats.cast(x, formats.E2M1, key=KEY))
    assert set(value) == {2.0, 3.0}
    # Five standard errors of the mean, sqrt(0.3 * 0.7 / 200,000) each.
    assert abs(value.mean() - 2.3) < 5 * 0.001025


def test_integers_are_those_of_the_precision_runs():
    x = jax.random.normal(KEY, (33, 17))
    for bits in (3, 4, 8):
        for axis, ours in ((0, 0), (None, None)):
            expected = fake_quantise(x, jnp.asarray(float(bits)), axis)
            value = formats.quantise(x, formats.integer(bits), axis=ours)
            np.testing.assert_allclose(value, expected, rtol=1e-6, atol=1e-6)


def test_a_block_by_hand():
    """NVFP4: the scale of the array is 12 / (6 * 448); the blocks have the scales 448 and 28."""
    x = np.zeros(32, np.float32)
    x[:3], x[16:18] = (12.0, 5.2, -0.9), (0.75, 0.4)
    value = np.asarray(formats.quantise(x, formats.NVFP4))
    np.testing.assert_allclose(value[:3], [12.0, 6.0, -1.0], rtol=1e-6)
    np.testing.assert_allclose(value[16:18], [0.75, 0.375], rtol=1e-6)
    # MXFP4: one block of 32 with the scale 2**(3 - 2).
    value = np.asarray(formats.quantise(x, formats.MXFP4))
    np.testing.assert_array_equal(value[:3], [12.0, 6.0, -1.0])
    np.testing.assert_array_equal(value[16:18], [1.0, 0.0])


def test_blocks_follow_the_axis_and_may_be_short():
    x = jax.random.normal(KEY, (5, 40))
    rows = formats.quantise(x, formats.MXFP4)
    np.testing.assert_array_equal(formats.quantise(x.T, formats.MXFP4, axis=0), rows.T)
    np.testing.assert_array_equal(formats.quantise(x[:, 32:], formats.MXFP4), rows[:, 32:])
    flat = formats.quantise(x, formats.MXFP4, axis=None)
    np.testing.assert_array_equal(flat.ravel(), formats.quantise(x.ravel(), formats.MXFP4))
    assert formats.quantise(jnp.zeros((0, 3)), formats.NVFP4).shape == (0, 3)


@pytest.mark.parametrize("name", [*BLOCKS, "int4"])
def test_zeros_transformations_and_derivatives(name):
    format = formats.get(name)
    np.testing.assert_array_equal(formats.quantise(jnp.zeros(64), format), 0.0)
    x = jax.random.normal(KEY, (3, 64))
    eager = jax.vmap(lambda row: formats.quantise(row, format))(x)
    compiled = jax.jit(jax.vmap(lambda row: formats.quantise(row, format)))(x)
    np.testing.assert_allclose(compiled, eager, rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(eager[1], formats.quantise(x[1], format), rtol=1e-6)

    def weighted(x, straight_through):
        return jnp.sum(x * formats.quantise(x, format, straight_through=straight_through))

    rounded = formats.quantise(x[0], format)
    np.testing.assert_allclose(jax.grad(weighted)(x[0], True), x[0] + rounded, rtol=1e-6)
    np.testing.assert_allclose(jax.grad(weighted)(x[0], False), rounded, rtol=1e-6)


# --- errors ---


def test_errors_of_grids_are_the_published_ones():
    signed = np.concatenate([-formats.E2M1.magnitudes[:0:-1], formats.E2M1.magnitudes])
    assert formats.grid_error(FP4_SCALE * signed) == pytest.approx(0.012684904138719949, rel=1e-9)
    for bits, (end, error) in UNIFORM.items():
        grid = np.linspace(-end, end, 2**bits)
        assert formats.grid_error(grid) == pytest.approx(error, rel=1e-9)


@pytest.mark.parametrize("name", formats.NORMAL_ERRORS)
def test_stored_errors(name):
    format, stored = formats.get(name), formats.NORMAL_ERRORS[name]
    assert formats.normal_error(format) == pytest.approx(stored.nearest, rel=1e-9)
    assert formats.normal_error(format, stochastic=True) == pytest.approx(
        stored.stochastic, rel=1e-9
    )


@pytest.mark.parametrize("name", ["nvfp4", "mxfp4", "mxfp8", "e4m3", "int4"])
def test_errors_by_sampling(normal, name):
    """Within 2%: the largest of 64 rows, which decide the scales of int4, differ by 12% each."""
    format, key = formats.get(name), None
    rows = normal if name != "nvfp4" else normal[:, None]
    quantised = jax.vmap(lambda row: formats.quantise(row, format, key=key))(rows)
    error = np.mean((np.asarray(quantised) - rows) ** 2) / np.mean(rows**2)
    assert error == pytest.approx(formats.NORMAL_ERRORS[name].nearest, rel=0.02)
    quantised = formats.quantise(normal, format, key=KEY)
    error = np.mean((np.asarray(quantised) - normal) ** 2) / np.mean(normal**2)
    assert error == pytest.approx(formats.NORMAL_ERRORS[name].stochastic, rel=0.02)


def test_powers_of_two_rounded_up_clip_nothing(normal):
    up = formats.Blocks(formats.E2M1, 32, formats.PowerOfTwo(up=True))
    quantised = np.asarray(formats.quantise(normal, up))
    error = np.mean((quantised - normal) ** 2) / np.mean(normal**2)
    assert error == pytest.approx(formats.normal_error(up), rel=0.01)
    tops = np.abs(normal).reshape(-1, 32).max(1)
    scales = np.exp2(np.ceil(np.log2(tops / 6.0)))
    expected = formats.cast(normal.reshape(-1, 32) / scales[:, None], formats.E2M1)
    np.testing.assert_array_equal(quantised.reshape(-1, 32), expected * scales[:, None])


def test_bits():
    stored = {name: formats.get(name).stored_bits for name in (*BLOCKS, "int4")}
    assert stored == {"nvfp4": 4.5, "mxfp4": 4.25, "mxfp6": 6.25, "mxfp8": 8.25, "int4": 4.0}
    assert formats.integer(4, 128).stored_bits == 4.25
    for bits in (2, 4, 7, 16):
        assert formats.effective_bits(formats.integer(bits)) == pytest.approx(bits, abs=1e-9)
    assert formats.effective_bits(formats.NVFP4) == pytest.approx(4.658211, abs=1e-5)
    assert formats.ideal_bits(0.25) == 1.0


def test_the_table_of_the_page():
    text = (Path(__file__).parents[3] / "docs" / "formats.md").read_text(encoding="utf-8")
    rows = [
        re.split(r" *\| *", line)[1:-1] for line in re.findall(r"^\| \w+[248356] .*$", text, re.M)
    ]
    assert [row[0] for row in rows] == list(formats.NORMAL_ERRORS)
    for name, *cells in rows:
        format, errors = formats.get(name), formats.NORMAL_ERRORS[name]
        size = "row" if format.size is None else str(format.size)
        bits = formats.effective_bits(format), formats.ideal_bits(errors.nearest)
        assert cells == [
            *(f"{format.bits}", f"{format.stored_bits:g}", size),
            *(f"{errors.nearest:.3g}", f"{errors.stochastic:.3g}"),
            *(f"{each:.2f}" for each in bits),
        ]


@pytest.mark.parametrize("name", ["nvfp4", "MX-FP8", "E4M3", "int8"])
def test_one_table_of_names(name):
    named = formats.bits_of(name)
    assert named is not None
    assert named.bits == formats.get(name).bits


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: formats.Integer(1), "has 2 to 16 bits, a whole number, not 1"),
        (lambda: UNTYPED.integer(4.5), "not 4.5"),
        (lambda: formats.Blocks(formats.E2M1, 0), "size is 0; expected a whole number above 0"),
        (lambda: formats.Blocks(formats.E2M1, scale=formats.E4M3), "needs a block size"),
        (lambda: UNTYPED.quantise([1.0], "nvfp4"), "format is 'nvfp4'; expected a format"),
        (lambda: formats.quantise([1.0], formats.NVFP4, axis=1), "axis is 1; x has 1 axes"),
        (lambda: UNTYPED.quantise([1.0], formats.NVFP4, axis="a"), "axis is 'a'; x has 1 axes"),
        (lambda: UNTYPED.quantise("a", formats.NVFP4), "x must be an array of numbers, not 'a'"),
        (lambda: UNTYPED.quantise([1j], formats.NVFP4), "x must be an array of numbers, not"),
        (lambda: UNTYPED.cast([None], formats.E2M1), "x must be an array of numbers, not"),
        (lambda: UNTYPED.quantise([1.0], formats.NVFP4, key=1), "key must be a JAX random key"),
        (lambda: UNTYPED.Blocks("x"), "element is 'x'; expected a Float or an Integer"),
        (lambda: UNTYPED.Blocks(formats.E2M1, 16, 8), "scale is 8; expected a PowerOfTwo, a Float"),
        (lambda: UNTYPED.bits_of(3), "text must be the name of a format, not 3"),
        (lambda: UNTYPED.grid_error("a"), "values must be a number, not 'a'"),
        (lambda: UNTYPED.cast([1.0], formats.NVFP4), "expected a Float or an Integer"),
        (lambda: formats.get("nvfp3"), "did you mean 'nvfp4'"),
        (lambda: formats.get("bf16"), "no format with known values is named 'bf16'"),
        (lambda: UNTYPED.get(4), "no format with known values is named 4"),
        (lambda: UNTYPED.get(["int4"]), r"no format with known values is named \['int4'\]"),
        (lambda: formats.normal_error(formats.NVFP4, numbers=8), "a whole number of at least 16"),
        (lambda: UNTYPED.normal_error("nvfp4"), "format is 'nvfp4'"),
        (lambda: formats.grid_error([1.0, 0.0]), "values must be finite numbers that increase"),
        (lambda: formats.ideal_bits(0.0), "error must be a finite number above 0"),
        (lambda: formats.ideal_bits(2.0), "error is 2; expected above 0 and at most 1"),
        (lambda: formats.effective_bits(formats.Blocks(formats.Integer(2), 1)), "no INT-b"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(JscaleError, match=message):
        call()
