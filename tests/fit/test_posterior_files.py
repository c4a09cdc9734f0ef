"""Files of posteriors: exact, equal for equal draws, and checked before anything is computed."""

import gzip
import json
import os
import random
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import h5py
import jax
import numpy as np
import pytest

from jscale import fit, laws
from jscale._core.errors import JscaleError
from jscale.fit.bayes.files import _read
from tests.fit.tables import isoflop

OLD_FILE = Path(__file__).parent / "files" / "posterior-0.1.0.nc.gz"
"""Two chains of ten draws, saved by jscale 0.1.0 on 40 rows of :func:`isoflop`."""
QUICK = {"chains": 2, "warmup": 400, "draws": 100, "errors": "student"}


@pytest.fixture(scope="module")
def old_bytes() -> bytes:
    return gzip.decompress(OLD_FILE.read_bytes())


@pytest.fixture
def old_file(old_bytes, tmp_path) -> Path:
    path = tmp_path / "old.nc"
    path.write_bytes(old_bytes)
    return path


@pytest.fixture(scope="module")
def posterior(old_bytes, tmp_path_factory) -> fit.Posterior:
    path = tmp_path_factory.mktemp("old") / "old.nc"
    path.write_bytes(old_bytes)
    return fit.load(path)


@pytest.fixture
def saved(posterior, tmp_path) -> Path:
    path = tmp_path / "p.nc"
    posterior.save(path)
    return path


def message(path: object, law=None) -> str:
    """The message of the refusal to load a file: one line that names it."""
    with pytest.raises(JscaleError) as error:
        fit.load(path, law)
    text = str(error.value)
    assert "\n" not in text
    assert len(text) <= 1000
    return text


def test_files_of_the_first_version_load(posterior, old_file):
    assert posterior.law is laws.chinchilla
    assert (posterior.chains, len(posterior.diverging)) == (2, 20)
    with h5py.File(old_file) as file:
        for name, values in {**posterior.draws, **posterior.noise}.items():
            np.testing.assert_array_equal(values, np.ravel(file[f"posterior/{name}"]), name)
    assert posterior.draws["E"][0] == 1.737690526814293
    assert posterior.table_digest == isoflop().digest
    assert {note.code for note in posterior.notes} == {"high-rhat", "low-ess", "divergences"}
    assert np.isnan(posterior.seconds)


@pytest.mark.smoke
def test_saved_and_loaded_bit_by_bit(tmp_path):
    path = tmp_path / "posterior.nc"
    settings = {**QUICK, "sampler": "nuts"}
    posterior = fit.posterior(laws.chinchilla, isoflop(), key=jax.random.key(0), **settings)
    posterior.save(path)
    loaded = fit.load(path)
    assert loaded.law is posterior.law
    for group in ("draws", "noise"):
        for name, values in getattr(posterior, group).items():
            assert getattr(loaded, group)[name].tobytes() == values.tobytes()
    assert loaded.summary == posterior.summary
    for name in ("chains", "status", "notes", "loss_min", "loss_unit", "table_digest"):
        assert getattr(loaded, name) == getattr(posterior, name)
    assert posterior.energy is not None
    assert loaded.energy is not None
    assert loaded.energy.tobytes() == posterior.energy.tobytes()
    assert loaded.to_arviz()["sample_stats"]["energy"].shape == (2, 100)
    assert list(tmp_path.iterdir()) == [path]
    unsealed = tmp_path / "unsealed.nc"
    unsealed.write_bytes(path.read_bytes())
    with h5py.File(unsealed, "r+") as file:
        file["sample_stats/energy"][1, 3] = np.nan
    assert "'energy' is of shape (2, 100) or has values that are not finite" in message(unsealed)


def test_the_unit_of_the_losses_is_kept(posterior, tmp_path):
    assert posterior.loss_unit is None  # a file of an earlier version
    replace(posterior, loss_unit="bits per byte").save(tmp_path / "bytes.nc")
    assert fit.load(tmp_path / "bytes.nc").loss_unit == "bits per byte"
    replace(posterior, loss_unit="a\nb").save(tmp_path / "lines.nc")
    assert "attribute 'loss_unit' is wrong" in message(tmp_path / "lines.nc")


def test_one_key_gives_one_file(tmp_path):
    """Neither the wall time of the sampler nor the time of writing is in a file."""
    arguments = {"key": jax.random.key(0), **QUICK}
    first, second = (fit.posterior(laws.chinchilla, isoflop(), **arguments) for _ in range(2))
    assert first.seconds > 0
    first.save(tmp_path / "first.nc")
    time.sleep(1.1)  # times in files are whole seconds
    replace(second, seconds=99.0).save(tmp_path / "second.nc")
    fit.load(tmp_path / "first.nc").save(tmp_path / "third.nc")
    contents = {path.read_bytes() for path in tmp_path.iterdir()}
    assert len(contents) == 1


def test_other_programs_read_the_file(saved, posterior):
    import arviz
    import h5netcdf

    tree = arviz.from_netcdf(str(saved))
    np.testing.assert_array_equal(
        tree["posterior"]["alpha"].values.ravel(), posterior.draws["alpha"]
    )
    with h5netcdf.File(saved) as file:
        assert file["posterior"]["alpha"].shape == (2, 10)


def test_a_file_that_another_program_rewrote_loads(saved, posterior, tmp_path):
    import arviz

    arviz.from_netcdf(str(saved)).to_netcdf(str(tmp_path / "again.nc"))
    again = fit.load(tmp_path / "again.nc")
    assert again.summary == posterior.summary


def test_load_names_the_mistake(saved, posterior, tmp_path):
    assert "does not exist" in message(tmp_path / "none.nc")
    (tmp_path / "text.nc").write_text("not a posterior")
    assert "not a posterior saved by jscale" in message(tmp_path / "text.nc")
    assert "holds draws of law 'chinchilla', not of 'kaplan'" in message(saved, laws.kaplan)
    with pytest.raises(JscaleError, match="not a declared law"):
        fit.load(saved, np.log)
    with pytest.raises(JscaleError, match="cannot write"):
        posterior.save(tmp_path / "no" / "p.nc")


@pytest.mark.parametrize("path", [None, 3, b"p.nc", ["p.nc"], True], ids=repr)
def test_what_is_no_path_is_refused(path):
    assert message(path).startswith("path must be a path of a file, not")


def test_files_that_end_late_or_never_are_refused(tmp_path):
    os.mkfifo(tmp_path / "fifo.nc")
    (tmp_path / "empty.nc").touch()
    with open(tmp_path / "huge.nc", "wb") as file:
        file.truncate(2**36)
    with open(tmp_path / "huge-hdf.nc", "wb") as file:
        file.write(b"\x89HDF\r\n\x1a\n")
        file.truncate(2**36)
    start = time.monotonic()
    for name in ("fifo", "empty", "huge", "huge-hdf"):
        assert f"{name}.nc" in message(tmp_path / f"{name}.nc")
    assert "folder" in message(tmp_path)
    assert "/dev/zero" in message("/dev/zero")
    assert "NUL" not in message("a\0.nc")
    assert time.monotonic() - start < 60


def set_attribute(name: str, value: object) -> Callable[[h5py.File], None]:
    def edit(file: h5py.File) -> None:
        file["posterior"].attrs[name] = value

    return edit


def drop_attribute(name: str) -> Callable[[h5py.File], None]:
    return lambda file: file["posterior"].attrs.__delitem__(name)


def set_values(name: str, value: float) -> Callable[[h5py.File], None]:
    def edit(file: h5py.File) -> None:
        file["posterior"][name][1, 4] = value

    return edit


def replace_variable(name: str, values: object) -> Callable[[h5py.File], None]:
    """Another array, with the dimensions of the old one where it has two."""

    def edit(file: h5py.File) -> None:
        group = file["posterior"]
        if name in group:
            del group[name]
        group[name] = values
        if group[name].ndim == 2:
            for axis, dimension in enumerate(("chain", "draw")):
                group[name].dims[axis].attach_scale(group[dimension])

    return edit


def transpose(file: h5py.File) -> None:
    values = file["posterior/alpha"][()]
    del file["posterior/alpha"]
    file["posterior/alpha"] = values.T
    for axis, dimension in enumerate(("draw", "chain")):
        file["posterior/alpha"].dims[axis].attach_scale(file["posterior"][dimension])


def link(target: object) -> Callable[[h5py.File], None]:
    def edit(file: h5py.File) -> None:
        del file["posterior/alpha"]
        file["posterior/alpha"] = target

    return edit


def flag(value: int) -> Callable[[h5py.File], None]:
    def edit(file: h5py.File) -> None:
        file["sample_stats/diverging"][0, 0] = value

    return edit


ONES = np.ones((2, 10))
ATTRIBUTES = ("law", "noise", "loss_min", "table_digest", "notes")
EDITS: dict[str, tuple[Callable[[h5py.File], None], str]] = {
    **{
        f"no {name}": (drop_attribute(name), f"attribute '{name}' is missing")
        for name in ATTRIBUTES
    },
    **{
        f"{name} of two numbers": (set_attribute(name, [1.0, 2.0]), f"attribute '{name}'")
        for name in ATTRIBUTES
    },
    "law of another name": (set_attribute("law", "chinchila"), "'chinchila'"),
    "law with other parameters": (set_attribute("law", "kaplan"), "no variable"),
    "law with fewer parameters": (set_attribute("law", "power_floor"), "attribute 'law'"),
    "noise that is no JSON": (set_attribute("noise", '["sig'), "attribute 'noise'"),
    "noise of another name": (set_attribute("noise", '["tau"]'), "attribute 'noise'"),
    "deep JSON": (set_attribute("notes", "[" * 50_000), "attribute 'notes'"),
    "notes of numbers": (set_attribute("notes", "[[1, 2, 3]]"), "attribute 'notes'"),
    "notes of short lists": (set_attribute("notes", '[["a"]]'), "attribute 'notes'"),
    "note of another severity": (
        set_attribute("notes", json.dumps([["a", "fatal", "b"]])),
        "attribute 'notes'",
    ),
    "infinite loss": (set_attribute("loss_min", np.inf), "attribute 'loss_min'"),
    "text as loss": (set_attribute("loss_min", "2.1"), "attribute 'loss_min'"),
    "short digest": (set_attribute("table_digest", "15d08d"), "attribute 'table_digest'"),
    "no group": (lambda file: file.__delitem__("posterior"), "group 'posterior' is missing"),
    "no statistics": (lambda file: file.__delitem__("sample_stats"), "group 'sample_stats'"),
    "no divergences": (lambda file: file.__delitem__("sample_stats/diverging"), "'diverging'"),
    "divergences of 2": (flag(2), "'diverging'"),
    "no variable": (lambda file: file.__delitem__("posterior/alpha"), "no variable alpha"),
    "no noise": (lambda file: file.__delitem__("posterior/sigma"), "no variable sigma"),
    "renamed": (lambda file: file.move("posterior/alpha", "posterior/gamma"), "no variable alpha"),
    "another variable": (replace_variable("tau", ONES), "variable tau is unknown"),
    "text": (replace_variable("alpha", np.full((2, 10), b"x")), "variable 'alpha'"),
    "complex": (replace_variable("alpha", ONES + 0j), "variable 'alpha'"),
    "integers": (replace_variable("alpha", ONES.astype(int)), "variable 'alpha'"),
    "single precision": (replace_variable("alpha", ONES.astype("f4")), "variable 'alpha'"),
    "empty": (replace_variable("alpha", np.ones((0, 0))), "variable 'alpha'"),
    "scalar": (replace_variable("alpha", 0.3), "variable 'alpha'"),
    "one draw less": (replace_variable("alpha", ONES[:, 1:]), "variable 'alpha'"),
    "one chain more": (replace_variable("alpha", np.ones((3, 10))), "variable 'alpha'"),
    "draws before chains": (transpose, "variable 'alpha'"),
    "a group": (lambda file: (drop(file), file.create_group("posterior/alpha")), "'alpha'"),
    "a link": (link(h5py.SoftLink("/posterior/beta")), "'alpha'"),
    "a link in a circle": (link(h5py.SoftLink("/posterior/alpha")), "'alpha'"),
    "another file": (link(h5py.ExternalLink("/dev/zero", "/posterior/beta")), "'alpha'"),
    "NaN": (set_values("alpha", np.nan), "'alpha' has nan in draw 5 of chain 2"),
    "infinity": (set_values("A", np.inf), "'A' has inf"),
    "below zero": (set_values("beta", -0.1), "'beta' has -0.1"),
    "zero": (set_values("E", 0.0), "'E' has 0"),
    "noise of zero": (set_values("sigma", 0.0), "'sigma' has 0"),
}


def drop(file: h5py.File) -> None:
    del file["posterior/alpha"]


def test_edited_files_are_refused_by_the_name_of_the_edit(saved, monkeypatch):
    """In this process, since a process for each file takes 0.3 s; one other test runs that."""
    monkeypatch.setattr(_read.sys, "executable", "")
    content = saved.read_bytes()
    for name, (edit, expected) in EDITS.items():
        saved.write_bytes(content)
        with h5py.File(saved, "r+") as file:
            edit(file)
        text = message(saved)
        assert str(saved) in text, name
        assert expected in text, (name, text)


def test_an_edited_file_is_read_in_a_process_of_its_own(saved):
    with h5py.File(saved, "r+") as file:
        file["posterior/alpha"][0, 0] = 0.3125
    assert fit.load(saved).draws["alpha"][0] == 0.3125
    with h5py.File(saved, "r+") as file:
        file["posterior/alpha"][0, 0] = np.nan
    assert "'alpha' has nan in draw 1 of chain 1" in message(saved)


def test_a_changed_byte_is_refused_before_hdf5_opens_the_file(saved, monkeypatch):
    content = saved.read_bytes()

    def opened(*_: object, **__: object) -> None:
        raise AssertionError("HDF5 has opened a damaged file")

    monkeypatch.setattr(h5py, "File", opened)
    monkeypatch.setattr(subprocess, "run", opened)
    for place in random.Random(0).sample(range(8, len(content)), 200):
        damaged = bytearray(content)
        damaged[place] ^= 1 + place % 255
        saved.write_bytes(damaged)
        assert "damaged: its checksum does not agree" in message(saved), place


def test_a_file_on_which_hdf5_hangs_is_refused(old_bytes, tmp_path, monkeypatch):
    """Six bytes of the file of an old version, without a checksum: h5py 3.16 never returns."""
    damaged, numbers = bytearray(old_bytes), random.Random(140)
    for _ in range(numbers.randint(1, 8)):
        damaged[numbers.randrange(3000)] = numbers.randrange(256)
    (tmp_path / "damaged.nc").write_bytes(damaged)
    monkeypatch.setattr(_read, "_SECONDS", 2.0)
    assert "HDF5 hangs or fails on it" in message(tmp_path / "damaged.nc")


def test_draws_outside_their_ranges_are_not_saved(posterior, tmp_path):
    draws = {**posterior.draws, "E": posterior.draws["E"] - 3}
    with pytest.raises(JscaleError, match="variable 'E' has -1"):
        replace(posterior, draws=draws).save(tmp_path / "p.nc")
    assert not list(tmp_path.iterdir())


def test_diagnostics_are_made_from_the_draws_of_the_file(saved):
    """A chain that never moves has not converged, whatever the notes of the file say."""
    with h5py.File(saved, "r+") as file:
        file["posterior/alpha"][()] = 0.3
        file["posterior"].attrs["notes"] = json.dumps([["few-runs", "info", "a note"]])
    stuck = fit.load(saved)
    assert str(stuck.status) == "not_converged"
    assert stuck.notes[0].code == "few-runs"
    assert "high-rhat" in {note.code for note in stuck.notes}
