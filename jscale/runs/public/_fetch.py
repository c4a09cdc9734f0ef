"""Obtain a published file from a local folder, the cache or its source, checked by its hash."""

import hashlib
import logging
import os
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from jscale._core.errors import JscaleError
from jscale._core.temporaries import registered
from jscale._core.text import inline

VARIABLE = "JSCALE_DATA"
"""Environment variable that names a folder with ``<folder>/original/<file>`` for each data set, and
``<folder>/<file>`` for each that was gathered."""
_TIMEOUT_SECONDS = 30
_DOWNLOAD_FAILURES = {
    "ConnectionError": "no connection",
    "ConnectTimeout": "no answer",
    "ReadTimeout": "no answer",
    "ChunkedEncodingError": "the download was interrupted",
}
"""Class of an error of requests → reason for the message."""


@dataclass(frozen=True)
class Upstream:
    """A published file, at one commit of a repository.

    Attributes:
        url: of the raw file.
        sha256: of its bytes.
        folder: name of the folder that holds it below ``JSCALE_DATA``.
        file: its name.
    """

    url: str
    sha256: str
    folder: str

    @property
    def file(self) -> str:
        return self.url.rsplit("/", 1)[-1]


@dataclass(frozen=True)
class Shipped:
    """Files that are part of the package.

    Attributes:
        files: their names in the package's folder of tables.
    """

    files: tuple[str, ...]

    @property
    def url(self) -> str:
        """Path of the first file in the project, for messages."""
        return f"jscale/runs/tables/{self.files[0]}"


@dataclass(frozen=True)
class Gathered:
    """A table gathered from notebooks, pickles or many small files of a repository.

    There is nothing to download: it is read from the folder that ``JSCALE_DATA`` names, or not at
    all.

    Attributes:
        folder: name of the folder that holds it below ``JSCALE_DATA``.
        file: its name.
        sha256: of its bytes.
        repository: owner and name of the source on GitHub.
        commit: of the source.
        path: of the files in the source.
    """

    folder: str
    file: str
    sha256: str
    repository: str
    commit: str
    path: str

    @property
    def url(self) -> str:
        """Page of the files that the numbers come from, for messages."""
        return f"https://github.com/{self.repository}/tree/{self.commit}/{self.path}"


def obtain(source: Upstream | Shipped | Gathered) -> tuple[tuple[bytes, ...], str]:
    """The bytes of a data set's files, and where they came from.

    Raises:
        JscaleError: a published file is not available, see :func:`fetch`; or a gathered table is
            not in the local folder.
    """
    if isinstance(source, Gathered):
        content, origin = _local_table(source)
        return (content,), origin
    if isinstance(source, Upstream):
        content, origin = fetch(source)
        return (content,), origin
    folder = resources.files("jscale.runs") / "tables"
    return tuple((folder / name).read_bytes() for name in source.files), source.url


def fetch(upstream: Upstream) -> tuple[bytes, str]:
    """The bytes of a published file, checked against its SHA-256, and where they came from.

    The file is looked for in the folder that ``JSCALE_DATA`` names, then in the user's cache, then
    at its source. Only a file with the right hash enters the cache.

    Raises:
        JscaleError: the local file has another hash, or the source cannot be reached or sends
            something else.
    """
    folder = os.environ.get(VARIABLE)
    if folder:
        path = Path(folder) / upstream.folder / "original" / upstream.file
        if path.is_file():
            return _read_checked(path, upstream), str(path)

    import platformdirs

    cache = platformdirs.user_cache_path("jscale", appauthor=False) / "datasets" / upstream.folder
    cached = cache / upstream.file
    try:
        if not _has_hash(cached, upstream):
            cached.unlink(missing_ok=True)
            _download(upstream, cache)
        return cached.read_bytes(), upstream.url
    except OSError as error:
        where = inline(str(error.filename or cache))
        raise JscaleError(f"{where}: {error.strerror or error}; {_alternative(upstream)}") from None


def _local_table(source: Gathered) -> tuple[bytes, str]:
    """The bytes of a gathered table, and its path.

    Raises:
        JscaleError: it is not in the local folder, or has another hash.
    """
    folder = os.environ.get(VARIABLE)
    path = Path(folder or "") / source.folder / source.file
    if folder and path.is_file():
        return _read_checked(path, source), str(path)
    problem = f"no {inline(str(path))}" if folder else f"{VARIABLE} is not set"
    raise JscaleError(
        f"{problem}; set {VARIABLE} to a folder that holds {source.folder}/{source.file}, a table "
        f"gathered from {source.repository} @ {source.commit[:12]}, {source.path}; "
        "it cannot be downloaded from there"
    )


def _read_checked(path: Path, source: Upstream | Gathered) -> bytes:
    """The bytes of a local file.

    Raises:
        JscaleError: it cannot be read, or has another hash.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise JscaleError(f"{inline(str(path))}: cannot be read: {error.strerror}") from None
    digest = hashlib.sha256(content).hexdigest()
    if digest != source.sha256:
        published = isinstance(source, Upstream)
        expected = "the published file" if published else "the table that was gathered"
        raise JscaleError(
            f"{inline(str(path))} is not {expected}: its SHA-256 is {digest[:12]}…, "
            f"expected {source.sha256[:12]}…; replace it with {source.url}"
        )
    return content


def _has_hash(path: Path, upstream: Upstream) -> bool:
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == upstream.sha256


def _download(upstream: Upstream, cache: Path) -> None:
    """Download a published file into the cache folder.

    Raises:
        JscaleError: the source cannot be reached or sends something else.
    """
    import pooch
    from requests.exceptions import RequestException

    # Pooch calls it with url, path and None; its annotation names other arguments.
    downloader: Any = _save
    # Standard output and error belong to the caller.
    logger = pooch.get_logger()
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        # Pooch downloads to a temporary name and renames the file only when the hash is right.
        pooch.retrieve(
            upstream.url,
            f"sha256:{upstream.sha256}",
            fname=upstream.file,
            path=cache,
            downloader=downloader,
        )
    except RequestException as error:
        reason = _failure_reason(error)
        raise JscaleError(
            f"cannot download {upstream.url} ({reason}); {_alternative(upstream)}"
        ) from None
    except ValueError:
        raise JscaleError(
            f"{upstream.url} sent a file whose SHA-256 is not {upstream.sha256[:12]}…, "
            f"which was discarded; {_alternative(upstream)}"
        ) from None
    finally:
        logger.setLevel(level)


def _save(url: str, to: str, _: Any) -> None:
    """Download to a file; Pooch's own downloader leaves its connection open after an error."""
    import requests

    with (
        registered(to, keep=True),  # Pooch removes it after an error, or renames it
        requests.Session() as session,
        session.get(url, stream=True, timeout=_TIMEOUT_SECONDS) as response,
    ):
        response.raise_for_status()
        with open(to, "wb") as file:
            for block in response.iter_content(1 << 16):
                file.write(block)


def _failure_reason(error: Exception) -> str:
    response = getattr(error, "response", None)
    if response is not None:
        return f"HTTP status {response.status_code}"
    kind = type(error).__name__
    return _DOWNLOAD_FAILURES.get(kind, kind)


def _alternative(upstream: Upstream) -> str:
    return f"or set {VARIABLE} to a folder that holds {upstream.folder}/original/{upstream.file}"
