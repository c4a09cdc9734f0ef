"""The text: manuals, a dictionary and source code of Debian packages, split for three uses.

The uses are training, validation and calibration.
"""

import gzip
import hashlib
import io
import json
import os
import re
import subprocess
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.precision_runs.model import CONTEXT

VALIDATION_SEQUENCES = 1024
CALIBRATION_SEQUENCES = 128
_MEBIBYTE = 2**20
_DOCUMENT = range(512, 2**18 + 1)
"""Admissible bytes of a document: longer files are mostly generated and dominate validation."""
_PIECE = 16 * 1024
"""A file that is one long list (the dictionary) is cut into documents of this many bytes."""
_PLAIN = 0.98
"""Fraction of a document's bytes that must be printable ASCII or white space."""
_SPLIT = {"validation": 0.06, "calibration": 0.01}
"""Fractions of the documents; the rest is for training."""


@dataclass(frozen=True)
class Package:
    """Documents taken from one Debian package.

    Attributes:
        name: of the package.
        include: pattern that must match somewhere in a path.
        exclude: pattern that must not.
        cap: at most this many MiB of documents.
        inner: pattern of an archive inside the package to read instead.
    """

    name: str
    include: str
    exclude: str = r"^$"
    cap: int = 1024
    inner: str = ""


PACKAGES = (
    Package("manpages", r"/man/man\d/.*\.gz$"),
    Package("manpages-dev", r"/man/man\d/.*\.gz$"),
    Package("perl-doc", r"\.pod(\.gz)?$"),
    Package("dict-gcide", r"gcide\.dict\.dz$", cap=16),
    Package(
        "gcc-12-source",
        r"/(gcc|libstdc\+\+-v3|libcpp)/.*\.(cc|c|h|texi|tcc)$",
        r"testsuite|/config/.*gen",
        40,
        r"gcc-12.*-dfsg\.tar\.xz$",
    ),
    Package(
        "golang-1.19-src", r"/src/.*\.go$", r"testdata|/zz?_|tables[\d.]*\.go|/ssa/rewrite", 24
    ),
    Package("rust-src", r"/library/.*\.rs$|/compiler/.*\.rs$|\.md$", r"stdarch|/tests?/", 24),
)


@dataclass(frozen=True)
class Corpus:
    """The split text.

    Attributes:
        train: bytes, uint8.
        validation: (1024, 129) uint8; sequences that do not overlap.
        documents: (1024,), the document of each validation sequence.
        calibration: (128, 129) uint8.
        record: packages, versions, hashes and sizes, as in the data card.
    """

    train: np.ndarray
    validation: np.ndarray
    documents: np.ndarray
    calibration: np.ndarray
    record: dict

    @property
    def sha256(self) -> str:
        """Hash of the whole byte stream: validation, calibration, training."""
        return self.record["sha256"]


def load(folder: Path, download: bool = True) -> Corpus:
    """The corpus in ``folder``, built from Debian packages if it is missing.

    Raises:
        OSError: a package could not be fetched or read.
    """
    record = folder / "corpus.json"
    if not record.exists():
        folder.mkdir(parents=True, exist_ok=True)
        _build(folder, download)
    fields = json.loads(record.read_text())
    with np.load(folder / "heldout.npz") as held:
        return Corpus(
            np.memmap(folder / "train.bin", np.uint8, "r"),
            held["validation"],
            held["documents"],
            held["calibration"],
            fields,
        )


def _build(folder: Path, download: bool) -> None:
    debs = folder / "packages"
    debs.mkdir(exist_ok=True)
    packages, documents = [], {}
    for package in PACKAGES:
        if download and not list(debs.glob(f"{package.name}_*.deb")):
            subprocess.run(
                ["apt-get", "download", package.name], cwd=debs, check=True, capture_output=True
            )
        (deb,) = debs.glob(f"{package.name}_*.deb")
        taken = select(_documents(deb, package), package.cap * _MEBIBYTE)
        documents |= taken
        version = subprocess.run(
            ["dpkg-deb", "-f", deb, "Version"], check=True, capture_output=True, text=True
        ).stdout
        packages.append(
            {
                "package": package.name,
                "version": version.strip(),
                "documents": len(taken),
                "bytes": sum(map(len, taken.values())),
                "deb_sha256": hashlib.sha256(deb.read_bytes()).hexdigest(),
            }
        )
    parts = cut([documents[key] for key in sorted(documents)])
    joined = {name: b"\0".join(part) + b"\0" for name, part in parts.items()}
    rng = np.random.default_rng(0)
    validation, owners = sample(parts["validation"], VALIDATION_SEQUENCES, rng)
    calibration, _ = sample(parts["calibration"], CALIBRATION_SEQUENCES, rng)
    held = io.BytesIO()
    np.savez(held, validation=validation, documents=owners, calibration=calibration)
    write(folder / "heldout.npz", held.getvalue())
    write(folder / "train.bin", joined["train"])
    counts = np.bincount(np.frombuffer(joined["train"], np.uint8), minlength=256).astype(float) + 1
    unigram = -np.log(counts / counts.sum())[validation[:, 1:]].mean()
    record = {
        "sha256": hashlib.sha256(
            b"".join(joined[n] for n in ("validation", "calibration", "train"))
        ).hexdigest(),
        "bytes": {name: len(text) for name, text in joined.items()},
        "sha256_parts": {name: hashlib.sha256(text).hexdigest() for name, text in joined.items()},
        "documents": {name: len(part) for name, part in parts.items()},
        "validation_documents_used": len(np.unique(owners)),
        "unigram_loss": float(unigram),
        "packages": packages,
    }
    write(folder / "corpus.json", json.dumps(record, indent=1).encode())


def _documents(deb: Path, package: Package) -> Iterator[bytes]:
    command = ["dpkg-deb", "--fsys-tarfile", deb]
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE) as process,
        tarfile.open(fileobj=process.stdout, mode="r|") as outer,
    ):
        for member in outer:
            if package.inner and member.isfile() and re.search(package.inner, member.name):
                with tarfile.open(
                    fileobj=io.BytesIO(_content(outer, member)), mode="r:xz"
                ) as archive:
                    yield from _files(archive, package, archive)
            elif not package.inner:
                yield from _files(outer, package, [member])


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    """The bytes of a member that is a file."""
    file = archive.extractfile(member)
    assert file is not None
    return file.read()


def _files(
    archive: tarfile.TarFile, package: Package, members: Iterable[tarfile.TarInfo]
) -> Iterator[bytes]:
    for member in members:
        if (
            member.isfile()
            and re.search(package.include, member.name)
            and not re.search(package.exclude, member.name)
        ):
            text = _content(archive, member)
            if text[:2] == b"\x1f\x8b":
                text = gzip.decompress(text)
            if len(text) in _DOCUMENT:
                yield text
            elif ".dict" in member.name:
                yield from (text[i : i + _PIECE] for i in range(0, len(text), _PIECE))


def select(documents: Iterator[bytes], cap: int) -> dict[str, bytes]:
    """Plain documents by their SHA-256, without repeats, in hash order up to ``cap`` bytes."""
    by_hash = {hashlib.sha256(text).hexdigest(): text for text in documents if plain(text)}
    taken, total = {}, 0
    for key in sorted(by_hash):
        if total + len(by_hash[key]) <= cap:
            taken[key] = by_hash[key]
            total += len(by_hash[key])
    return taken


def plain(text: bytes) -> bool:
    """Whether a document is nearly all printable ASCII without zero bytes (the separators)."""
    codes = np.frombuffer(text, np.uint8)
    printable = ((codes >= 32) & (codes < 127)) | (codes == 9) | (codes == 10) | (codes == 13)
    return 0 not in text and bool(printable.mean() >= _PLAIN) if text else False


def cut(documents: list[bytes]) -> dict[str, list[bytes]]:
    """Split documents in hash order (a fixed shuffle) into validation, calibration and training."""
    first = int(_SPLIT["validation"] * len(documents))
    second = first + int(_SPLIT["calibration"] * len(documents))
    return {
        "validation": documents[:first],
        "calibration": documents[first:second],
        "train": documents[second:],
    }


def sample(
    documents: list[bytes], count: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """``count`` sequences (CONTEXT + 1 bytes) without a common target, and the document of each."""
    slots = [(d, s) for d, text in enumerate(documents) for s in range((len(text) - 1) // CONTEXT)]
    chosen = [slots[i] for i in rng.permutation(len(slots))[:count]]
    rows = [documents[d][s * CONTEXT : (s + 1) * CONTEXT + 1] for d, s in chosen]
    return np.array([np.frombuffer(row, np.uint8) for row in rows]), np.array(
        [d for d, _ in chosen]
    )


def write(path: Path, content: bytes) -> None:
    """Atomic write: the file is written under another name and renamed."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
