"""Atomic writes keep permissions and links; inputs are not overwritten; reading has a limit."""

import contextlib
import os
import stat
import subprocess
import sys
import threading

import pytest

from jscale._core.errors import JscaleError
from jscale._core.files import check_regular, read_settings, refuse_input, replacing


def save(path, text="new"):
    with replacing(path) as temporary:
        temporary.write_text(text)


def refused(path, function=save) -> str:
    with pytest.raises(JscaleError) as caught:
        function(path)
    message = str(caught.value)
    assert message.isprintable()
    assert len(message) < 400
    return message


def mode_of(path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def umask():
    """The umask of a group that shares its files."""
    before = os.umask(0o027)
    yield 0o027
    os.umask(before)


def test_a_new_file_has_the_permissions_of_the_umask(tmp_path, umask):
    save(tmp_path / "new")
    assert mode_of(tmp_path / "new") == 0o666 & ~umask


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o666, 0o755])
def test_a_replaced_file_keeps_its_permissions(tmp_path, mode):
    path = tmp_path / "kept"
    path.write_text("old")
    path.chmod(mode)
    with replacing(path) as temporary:
        assert mode_of(temporary) == 0o600
        temporary.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert mode_of(path) == mode


def test_a_read_only_file_is_not_replaced(tmp_path):
    path = tmp_path / "kept"
    path.write_text("old")
    path.chmod(0o444)
    assert "the file is read-only; remove it, or choose another name" in refused(path)
    assert path.read_text() == "old"
    assert [each.name for each in tmp_path.iterdir()] == ["kept"]


def test_the_umask_is_never_set(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "umask", lambda _: pytest.fail("the umask belongs to all threads"))
    save(tmp_path / "new")
    save(tmp_path / "new")


def test_links_are_followed(tmp_path):
    """Relative, absolute, in steps, and to a file that does not exist yet."""
    (tmp_path / "folder").mkdir()
    file = tmp_path / "folder" / "file"
    (tmp_path / "first").symlink_to("folder/second")
    (tmp_path / "folder" / "second").symlink_to(file)
    for text in ("new", "newer"):
        save(tmp_path / "first", text)
        assert (tmp_path / "first").is_symlink()
        assert (tmp_path / "folder" / "second").is_symlink()
        assert file.read_text() == text
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    assert "loop" in refused(tmp_path / "loop")
    (tmp_path / "gone").symlink_to(tmp_path / "no" / "file")
    assert "there is no folder" in refused(tmp_path / "gone")


def test_paths_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("old")
    os.mkfifo(tmp_path / "pipe")
    for path, words in (
        (tmp_path, "this is a folder"),
        (tmp_path / "pipe", "this is a device or pipe"),
        ("/dev/null", "this is a device or pipe"),
        ("/dev/zero", "this is a device or pipe"),
        (tmp_path / "no" / "file", "there is no folder"),
        (tmp_path / "file" / "x", "there is no folder"),
        (f"{tmp_path}/a\0b", "null"),
        (f"{tmp_path}/\ud800", "surrogates not allowed"),
        (f"{tmp_path}/" + "x" * 300, "name too long"),
        ("x" * 10**6, "name too long"),
        ("/proc/out", "cannot write '/proc/out'"),
        ("", "this is a folder"),
        (None, "expected a path, not 'None'"),
        (3, "expected a path"),
        (b"bytes", "expected a path"),
        ("/dev/fd/987", "Bad file descriptor"),
        ("/dev/fd/999999999999", "cannot write"),
    ):
        assert words in refused(path), path
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "pipe"]


def test_long_names_in_any_script(tmp_path):
    for name in ("x" * 255, "é" * 127, "𝟙" * 63, "x." + "y" * 253, ".hidden", "a b\n"):
        save(tmp_path / name)
        assert (tmp_path / name).read_text() == "new"
    assert len(list(tmp_path.iterdir())) == 6


def test_an_error_leaves_the_old_file_and_no_other(tmp_path):
    save(tmp_path / "file", "old")

    def interrupted(error):
        with replacing(tmp_path / "file") as temporary:
            temporary.write_text("half")
            raise error

    for error in (RuntimeError, KeyboardInterrupt, SystemExit):
        with pytest.raises(error):
            interrupted(error)
    assert (tmp_path / "file").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_many_threads_write_one_file(tmp_path):
    threads = [
        threading.Thread(target=save, args=(tmp_path / "file", str(i) * 10**5)) for i in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    text = (tmp_path / "file").read_text()
    assert len(text) == 10**5
    assert len(set(text)) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


STREAMS = """
import sys
from jscale._core.files import replacing
print("printed")
for path in sys.argv[1:]:
    with replacing(path) as temporary:
        temporary.write_text(path + "\\n")
print("last")
"""


def test_standard_streams_are_written_where_they_are(tmp_path):
    """``>> log`` keeps what the log holds, and the order of what is printed and written."""
    log, link = tmp_path / "log", tmp_path / "link"
    log.write_text("old\n")
    link.symlink_to("/dev/stdout")
    paths = ["/dev/stdout", "/dev/stderr", "/dev/fd/1", "/proc/self/fd/1", str(link)]
    with log.open("ab") as file:
        done = subprocess.run(
            [sys.executable, "-c", STREAMS, *paths],
            stdout=file,
            stderr=subprocess.PIPE,
            check=True,
            text=True,
        )
    expected = ["old", "printed", *(path for path in paths if path != "/dev/stderr"), "last"]
    assert log.read_text().split() == expected
    assert done.stderr == "/dev/stderr\n"
    assert link.is_symlink()


def test_an_output_that_is_an_input(tmp_path, monkeypatch):
    table = tmp_path / "runs.csv"
    table.write_text("N,loss\n")
    (tmp_path / "other.csv").write_text("N,loss\n")
    (tmp_path / "link.csv").symlink_to(table)
    os.link(table, tmp_path / "hard.csv")
    monkeypatch.chdir(tmp_path)
    names = ["runs.csv", table, "./runs.csv", f"../{tmp_path.name}/runs.csv"]
    names += [tmp_path / "link.csv", "hard.csv"]
    with table.open("ab") as file:
        names.append(f"/dev/fd/{file.fileno()}")
        for name in names:
            message = refused(name, lambda name: refuse_input(name, [None, "chinchilla", table]))
            assert "this is the input" in message
            assert "expected another file" in message
    for name in ("other.csv", "new.csv", "no/file.csv", "a\0b", "\ud800", "x" * 999):
        refuse_input(name, [table, "link.csv", "a\0b", "no/file.csv", "", "x" * 9999])


def test_only_regular_files_are_read(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path, words in (
        (tmp_path / "pipe", "not a regular file: save its content to a file"),
        ("/dev/zero", "not a regular file"),
        ("/dev/null", "not a regular file"),
        (tmp_path, "this is a folder"),
        (tmp_path / "gone", "no such file"),
        ("a\0b", "no such file"),
        ("\ud800", "no such file"),
        ("x" * 5000, "name too long"),
    ):
        assert words in refused(path, check_regular)
        assert words in refused(path, read_settings)


def test_settings_are_small_texts(tmp_path):
    path = tmp_path / "settings.json"
    path.write_bytes(b"\xef\xbb\xbf{}")
    assert read_settings(path) == "{}"
    path.write_bytes(b"\xff\xfe")
    assert "UTF-8" in refused(path, read_settings)
    with path.open("wb") as file, contextlib.suppress(OSError):
        file.truncate(2**40)  # a hole: no byte of it is on the disk
    assert "16,777,216 bytes" in refused(path, read_settings)
