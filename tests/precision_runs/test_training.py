"""The model and its training, on a model of 768 parameters."""

from collections.abc import Iterator
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks.precision_runs import design, train
from benchmarks.precision_runs.corpus import Corpus
from benchmarks.precision_runs.model import CONTEXT, LINEARS, Size, init, losses, rotate
from benchmarks.precision_runs.sweep import restore, run, save, train_job

SMALL = Size(1, 8, 1, 2)
ALL_OFF = jnp.asarray([16.0, 16.0, 16.0])
TEXT = np.tile(np.frombuffer(b"to be, or not to be: that is the question. ", np.uint8), 2000)


@pytest.fixture(autouse=True)
def _promotion() -> Iterator[None]:
    """Optax mixes dtypes in its bias correction."""
    with jax.numpy_dtype_promotion("standard"):
        yield


@pytest.fixture
def job(monkeypatch: pytest.MonkeyPatch) -> design.Job:
    monkeypatch.setitem(design.SIZES, SMALL.N, SMALL)
    return design.Job("design", SMALL.N, 40, (4, 16, 16), lr=0.02)


@pytest.mark.parametrize("size", [SMALL, *design.SIZES.values()], ids=lambda size: str(size.N))
def test_N_counts_the_matrices_of_the_blocks(size: Size):
    shapes = jax.eval_shape(lambda: init(size, jax.random.key(0)))
    assert sum(shapes[name].size for name in LINEARS) == size.N
    assert set(shapes) == {*LINEARS, "embed", "head"}


def test_causality_and_separate_bits_of_the_parts():
    params = init(SMALL, jax.random.key(0))
    tokens = jax.random.randint(jax.random.key(1), (2, CONTEXT + 1), 0, 256)
    compute = jax.jit(lambda tokens, bits: losses(params, tokens, bits, SMALL.heads))
    value, changed = compute(tokens, ALL_OFF), compute(tokens.at[:, 60].add(1), ALL_OFF)
    np.testing.assert_array_equal(value[:, :59], changed[:, :59])
    assert np.all(value[:, 60:] != changed[:, 60:])
    quantised = [compute(tokens, ALL_OFF.at[part].set(3)) for part in range(3)]
    means = [float(jnp.mean(jnp.abs(q - value))) for q in quantised]
    assert min(means) > 1e-4
    assert len({round(mean, 8) for mean in means}) == 3


def test_rotary_products_depend_only_on_the_distance():
    q, k = (
        rotate(jnp.broadcast_to(jax.random.normal(jax.random.key(i), (8,)), (1, 1, 20, 8)))
        for i in (0, 1)
    )
    products = np.asarray(jnp.einsum("bhqd,bhkd->bhqk", q, k))[0, 0]
    for distance in (0, 3, 7):
        diagonal = np.diagonal(products, -distance)
        np.testing.assert_allclose(diagonal, diagonal[0], rtol=2e-4)


def test_rates_warm_up_and_decay():
    rate = train.rates(2.0, 0, 200, 200)
    np.testing.assert_allclose(rate[:32], 2.0 * np.arange(1, 33) / 32, rtol=1e-6)
    assert np.all(rate[32:160] == 2.0)
    np.testing.assert_allclose(rate[160:], 2.0 * np.arange(40, 0, -1) / 40, rtol=1e-6)
    np.testing.assert_array_equal(train.rates(2.0, 0, 160, None), rate[:160])


def test_every_byte_is_a_target_at_most_once():
    text = np.arange(256 * CONTEXT + 1, dtype=np.uint64)
    batches = train.Stream(text, seed=3).batches(0, 16, 16)
    assert batches.shape == (16, 16, CONTEXT + 1)
    assert len(np.unique(batches[..., 1:])) == 256 * CONTEXT
    with pytest.raises(ValueError, match="256 sequences"):
        train.Stream(text, seed=3).batches(1, 16, 16)


def test_standard_error_is_clustered_by_document():
    values = np.array([1.0, 2.0, 4.0, 7.0])
    mean, error = train.mean_and_error(values, np.arange(4))
    assert mean == 3.5
    assert error == pytest.approx(values.std(ddof=1) / 2)
    repeated = train.mean_and_error(np.repeat(values, 5), np.repeat(np.arange(4), 5))
    assert repeated == pytest.approx((mean, error))


def test_diverged():
    falling = np.linspace(5, 2, 200)
    assert not train.diverged(falling, 2.0, 3.5)
    assert train.diverged(falling, 3.6, 3.5)
    assert train.diverged(falling, float("nan"), 3.5)
    assert train.diverged(np.append(falling, np.inf), 2.0, 3.5)
    assert train.diverged(np.append(falling, np.full(40, 2.6)), 2.6, 3.5)


def test_a_run_from_a_trunk_equals_one_from_scratch(job: design.Job, tmp_path: Path):
    scratch, _ = train_job(
        design.Job("schedule", job.N, 80, job.bits, lr=0.02, trunk=False), 0.02, TEXT, tmp_path
    )
    train_job(job, 0.02, TEXT, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [f"{job.trunk_id}-t96.npz"]
    branch, trace = train_job(design.Job("design", job.N, 80, job.bits), 0.02, TEXT, tmp_path)
    assert branch.step == scratch.step == 240
    assert len(trace) == 240 - 96  # resumed at the shorter run's stop
    for name, value in scratch.params.items():
        np.testing.assert_array_equal(branch.params[name], value)


def test_a_state_is_restored(tmp_path: Path):
    state = train.start(SMALL, 0)
    save(tmp_path / "state.npz", state._replace(step=8))
    restored = restore(tmp_path / "state.npz", train.start(SMALL, 1))
    assert restored.step == 8
    jax.tree.map(np.testing.assert_array_equal, restored.params, state.params)
    jax.tree.map(np.testing.assert_array_equal, restored.optimiser, state.optimiser)


def test_a_run_learns_and_is_quantised_afterwards(job: design.Job, tmp_path: Path):
    held = TEXT[: 4 * (CONTEXT + 1)].reshape(4, -1)
    text = Corpus(TEXT, held, np.arange(4), held[:2], {"sha256": "f" * 64, "unigram_loss": 4.0})
    row, post = run(job, 0.02, text, tmp_path)
    assert row["D"] == 40 * job.N
    assert row["C"] == 6 * row["N"] * row["D"]
    assert row["loss"] < 3.0 < np.log(256)
    assert (row["diverged"], row["exclude"], row["reason"]) == (0, 0, "")
    assert {entry["method"] for entry in post} == {"rtn", "gptq"}
    added = {(entry["method"], entry["P_post"]): entry["delta"] for entry in post}
    # The model was trained with exactly these 4-bit weights.
    assert added["rtn", 4] == pytest.approx(0, abs=1e-6)
    assert added["rtn", 2] > 10 * abs(added["rtn", 8])
    for entry in post:
        assert entry["loss"] == pytest.approx(row["loss"] + entry["delta"], abs=1e-5)
