"""Edited and damaged files of posteriors: the right draws or one line, and never a long wait.

A short run makes 30 files. ``JSCALE_FUZZ_SCALE=17`` makes 500.
"""

import gzip
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from jscale import fit, laws
from jscale._core.errors import JscaleError
from tests.fuzz.scale import cases

OLD_FILE = Path(__file__).parents[1] / "fit" / "files" / "posterior-0.1.0.nc.gz"
LONGEST_SECONDS = 20.0
VARIABLES = ("E", "A", "B", "alpha", "beta", "sigma")
ATTRIBUTES = ("law", "noise", "loss_min", "table_digest", "notes", "jscale")
VALUES: tuple[Any, ...] = (
    *(np.nan, np.inf, -np.inf, 0.0, -1.0, 1e-300, 1e308, 0.3),
    *(
        "",
        "kaplan",
        "chinchilla",
        "x" * 10_000,
        "{",
        "[[]]",
        "null",
        '["sigma"]',
        '["a", "b"]',
        "\0",
    ),
    *(7, True, b"\xff\xfe", 1j),
    *(np.zeros((0, 0)), np.ones(3), np.zeros((2, 10), "i8"), np.full(2, b"text")),
)
ARRAYS: tuple[Any, ...] = (
    *(np.ones((2, 10)), np.ones((10, 2)), np.ones((2, 9)), np.ones((3, 10)), np.ones((2, 10, 1))),
    *(np.zeros((0, 0)), np.zeros((2, 0)), np.ones(20), 0.3, "text", np.full((2, 10), b"x")),
    *(
        np.ones((2, 10)) + 1j,
        np.ones((2, 10), "f4"),
        np.ones((2, 10), ">f8"),
        np.ones((2, 10), "f2"),
    ),
    *(np.ones((2, 10), bool), np.ones((2, 10), "i8"), np.full((2, 10), np.nan)),
)


@dataclass(frozen=True)
class Original:
    """A posterior and its files with and without a checksum."""

    posterior: fit.Posterior
    old: bytes
    new: bytes


@pytest.fixture(scope="module")
def original(tmp_path_factory) -> Original:
    folder = tmp_path_factory.mktemp("posterior")
    old = gzip.decompress(OLD_FILE.read_bytes())
    (folder / "old.nc").write_bytes(old)
    posterior = fit.load(folder / "old.nc")
    posterior.save(folder / "new.nc")
    return Original(posterior, old, (folder / "new.nc").read_bytes())


# Edits by a program that knows HDF5. Each takes the open file and a generator.


def delete(file: h5py.File, rng: random.Random) -> None:
    names: list[str] = []
    file.visit(names.append)
    del file[rng.choice(names)]


def rename(file: h5py.File, rng: random.Random) -> None:
    first, second = rng.sample(VARIABLES, 2)
    file.move(f"posterior/{first}", "posterior/other")
    if rng.random() < 0.5:  # two variables change places: seen only where a range differs
        file.move(f"posterior/{second}", f"posterior/{first}")
        file.move("posterior/other", f"posterior/{second}")


def set_attribute(file: h5py.File, rng: random.Random) -> None:
    name, value = rng.choice(ATTRIBUTES), rng.choice(VALUES)
    try:
        file["posterior"].attrs[name] = value
    except (TypeError, ValueError):  # HDF5 has no such attribute
        file["posterior"].attrs[name] = 7


def delete_attribute(file: h5py.File, rng: random.Random) -> None:
    del file["posterior"].attrs[rng.choice(ATTRIBUTES)]


def set_value(file: h5py.File, rng: random.Random) -> None:
    value = rng.choice([value for value in VALUES if isinstance(value, float)])
    file[f"posterior/{rng.choice(VARIABLES)}"][rng.randrange(2), rng.randrange(10)] = value


def replace_array(file: h5py.File, rng: random.Random) -> None:
    group, name = file["posterior"], rng.choice((*VARIABLES, "other"))
    if name in group:
        del group[name]
    group[name] = rng.choice(ARRAYS)
    if group[name].ndim == 2 and rng.random() < 0.7:
        for axis, dimension in enumerate(("chain", "draw")):
            group[name].dims[axis].attach_scale(group[dimension])


def replace_flags(file: h5py.File, rng: random.Random) -> None:
    del file["sample_stats/diverging"]
    file["sample_stats/diverging"] = rng.choice(ARRAYS)


def replace_link(file: h5py.File, rng: random.Random) -> None:
    name = f"posterior/{rng.choice(VARIABLES)}"
    del file[name]
    file[name] = rng.choice(
        (
            h5py.SoftLink(f"/{name}"),
            h5py.SoftLink("/posterior/E"),
            h5py.SoftLink("/none"),
            h5py.ExternalLink("/dev/zero", "/posterior/E"),
            h5py.ExternalLink("none.nc", "/posterior/E"),
            file["posterior"],
        )
    )


EDITS: tuple[Callable[[h5py.File, random.Random], None], ...] = (
    *(delete, rename, set_attribute, set_attribute, delete_attribute, set_value),
    *(replace_array, replace_array, replace_flags, replace_link),
)


# Damage by a disk or a transfer, of a file with its bytes.


def change_bytes(content: bytes, rng: random.Random) -> bytes:
    damaged = bytearray(content)
    reach = len(content) if rng.random() < 0.5 else 3000  # the structure is at the front
    for _ in range(rng.randint(1, 8)):
        damaged[rng.randrange(reach)] = rng.randrange(256)
    return bytes(damaged)


def cut(content: bytes, rng: random.Random) -> bytes:
    return content[: rng.randrange(len(content))]


def remove_block(content: bytes, rng: random.Random) -> bytes:
    start = rng.randrange(len(content))
    return content[:start] + content[start + rng.randint(1, 4096) :]


def clear_block(content: bytes, rng: random.Random) -> bytes:
    start = rng.randrange(len(content))
    length = min(rng.randint(1, 4096), len(content) - start)
    return content[:start] + bytes(length) + content[start + length :]


def append(content: bytes, rng: random.Random) -> bytes:
    return content + rng.randbytes(rng.randint(1, 4096))


DAMAGE = (change_bytes, change_bytes, change_bytes, cut, remove_block, clear_block, append)


def loaded(path: Path) -> fit.Posterior | None:
    """The posterior of a file, or None after a refusal in one line that names the file."""
    start = time.monotonic()
    try:
        return fit.load(path)
    except JscaleError as error:
        text = str(error)
        assert "\n" not in text
        assert len(text) <= 1000
        assert str(path) in text
        return None
    finally:
        assert time.monotonic() - start < LONGEST_SECONDS


def check_valid(posterior: fit.Posterior) -> None:
    """What is loaded has numbers in the shapes and ranges of its law."""
    record = laws.describe(posterior.law)
    assert set(posterior.draws) == set(record.parameter_names)
    supports = {p.name: p.support for p in record.parameters}
    for name, values in posterior.draws.items():
        assert values.shape == posterior.diverging.shape
        assert values.dtype == np.float64
        assert np.isfinite(values).all()
        assert ((values > supports[name].lower) & (values < supports[name].upper)).all()
    assert (posterior.noise["sigma"] > 0).all()
    assert np.isfinite(posterior.loss_min)
    assert len(posterior.table_digest) == 64


def equal(first: fit.Posterior, second: fit.Posterior) -> bool:
    return all(
        getattr(first, group)[name].tobytes() == values.tobytes()
        for group in ("draws", "noise")
        for name, values in getattr(second, group).items()
    )


def content_of(path: Path) -> dict[str, bytes]:
    """Draws as HDF5 reads them from an edited file."""
    with h5py.File(path) as file:
        return {name: file[f"posterior/{name}"][()].astype(float).tobytes() for name in VARIABLES}


@pytest.mark.parametrize("seed", range(cases(10)))
def test_edited_files(original, tmp_path, seed):
    """A file that a program has edited is refused, or gives what the program has written."""
    rng, path = random.Random(seed), tmp_path / "edited.nc"
    path.write_bytes(rng.choice((original.old, original.new)))
    with h5py.File(path, "r+") as file:
        rng.choice(EDITS)(file, rng)

    posterior = loaded(path)
    if posterior is not None:
        check_valid(posterior)
        draws = {**posterior.draws, **posterior.noise}
        assert {name: draws[name].tobytes() for name in VARIABLES} == content_of(path)


@pytest.mark.parametrize("seed", range(cases(10)))
def test_damaged_files(original, tmp_path, seed):
    """A damaged file is refused, or gives the draws that were saved: a checksum guards them."""
    rng, path = random.Random(10_000 + seed), tmp_path / "damaged.nc"
    path.write_bytes(rng.choice(DAMAGE)(original.new, rng))
    posterior = loaded(path)
    if posterior is not None:
        assert equal(posterior, original.posterior)
        assert posterior.notes == original.posterior.notes
        assert posterior.table_digest == original.posterior.table_digest


@pytest.mark.parametrize("seed", range(cases(10)))
def test_damaged_files_without_a_checksum(original, tmp_path, seed):
    """Nobody can tell which digits of such a file are right, but the numbers are valid ones."""
    rng, path = random.Random(20_000 + seed), tmp_path / "damaged.nc"
    path.write_bytes(rng.choice(DAMAGE)(original.old, rng))
    posterior = loaded(path)
    if posterior is not None:
        check_valid(posterior)
