"""Bring in a published file: from a local folder, the cache or its source, and only if it is that
very file.
"""

import hashlib
import logging
import os
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from jscale._core.errors import JscaleError
from jscale._core.text import inline

VARIABLE = "JSCALE_DATA"
"""Environment variable that names a folder with ``<folder>/original/<file>`` for each data set, and
``<folder>/<file>`` for each that was gathered."""
_SECONDS = 30


@dataclass(frozen=True)
class Upstream:
    """A file that somebody published, at one commit of a repository.

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
    """Files that come with the package.

    Attributes:
        files: their names in the package's folder of tables.
    """

    files: tuple[str, ...]

    @property
    def url(self) -> str:
        """Where the files are to be found, for people."""
        return f"jscale/runs/tables/{self.files[0]}"


@dataclass(frozen=True)
class Gathered:
    """A table gathered from files of a repository that are no table: notebooks, pickles, hundreds
    of
    records.

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
        """Where the numbers come from, for people."""
        return f"https://github.com/{self.repository}/tree/{self.commit}/{self.path}"


def obtain(source: Upstream | Shipped | Gathered) -> tuple[tuple[bytes, ...], str]:
    """The bytes of a data set's files, and where they came from.

    Raises:
        JscaleError: a published file cannot be had, see :func:`fetch`; or a gathered table is not
            at hand.
    """
    if isinstance(source, Gathered):
        content, origin = _at_hand(source)
        return (content,), origin
    if isinstance(source, Upstream):
        content, origin = fetch(source)
        return (content,), origin
    folder = resources.files("jscale.runs") / "tables"
    return tuple((folder / name).read_bytes() for name in source.files), source.url


def fetch(upstream: Upstream) -> tuple[bytes, str]:
    """The bytes of a published file, checked against its SHA-256, and where they came from.

    ``JSCALE_DATA`` is looked at first, then the user's cache folder, then the source. Nothing but
    the right file ever enters the cache.

    Raises:
        JscaleError: the local file is another one, or the source cannot be reached or sends
            something else.
    """
    local = os.environ.get(VARIABLE)
    if local:
        path = Path(local) / upstream.folder / "original" / upstream.file
        if path.is_file():
            return _checked(path, upstream), str(path)
    import platformdirs

    cache = platformdirs.user_cache_path("jscale", appauthor=False) / "datasets" / upstream.folder
    cached = cache / upstream.file
    try:
        if not _is_right(cached, upstream):
            cached.unlink(missing_ok=True)
            _download(upstream, cache)
        return cached.read_bytes(), upstream.url
    except OSError as error:
        where = inline(str(error.filename or cache))
        raise JscaleError(f"{where}: {error.strerror or error}; {_way_out(upstream)}") from None


def _at_hand(source: Gathered) -> tuple[bytes, str]:
    """The bytes of a gathered table, and its path.

    Raises:
        JscaleError: it is not in the local folder, or is another one.
    """
    local = os.environ.get(VARIABLE)
    path = Path(local or "") / source.folder / source.file
    if local and path.is_file():
        return _checked(path, source), str(path)
    where = f"no {inline(str(path))}" if local else f"{VARIABLE} is not set"
    raise JscaleError(
        f"{where}; set {VARIABLE} to a folder that holds {source.folder}/{source.file}, a table gathered from "
        f"{source.repository} @ {source.commit[:12]}, {source.path}; no loader from there is here yet"
    )


def _checked(path: Path, upstream: Upstream | Gathered) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise JscaleError(f"{inline(str(path))}: cannot be read: {error.strerror}") from None
    found = hashlib.sha256(content).hexdigest()
    if found != upstream.sha256:
        right = (
            "the published file"
            if isinstance(upstream, Upstream)
            else "the table that was gathered"
        )
        raise JscaleError(
            f"{inline(str(path))} is not {right}: its SHA-256 is {found[:12]}…, expected {upstream.sha256[:12]}…; "
            f"replace it with {upstream.url}"
        )
    return content


def _is_right(path: Path, upstream: Upstream) -> bool:
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == upstream.sha256


def _download(upstream: Upstream, cache: Path) -> None:
    import pooch
    from requests.exceptions import RequestException

    downloader: Any = (
        _save  # called with url, path and None; pooch's annotation names other arguments
    )
    logger = pooch.get_logger()
    level = logger.level
    logger.setLevel(logging.ERROR)  # standard output and error belong to the caller
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
        raise JscaleError(
            f"cannot download {upstream.url} ({_reason(error)}); {_way_out(upstream)}"
        ) from None
    except ValueError:
        raise JscaleError(
            f"{upstream.url} sent a file whose SHA-256 is not {upstream.sha256[:12]}…; it was thrown away; "
            f"{_way_out(upstream)}"
        ) from None
    finally:
        logger.setLevel(level)


def _save(url: str, to: str, _: Any) -> None:
    """Pooch's own downloader leaves its connection open when the answer is an error."""
    import requests

    with requests.Session() as session, session.get(url, stream=True, timeout=_SECONDS) as response:
        response.raise_for_status()
        with open(to, "wb") as file:
            for block in response.iter_content(1 << 16):
                file.write(block)


def _reason(error: Exception) -> str:
    response = getattr(error, "response", None)
    if response is not None:
        return f"HTTP status {response.status_code}"
    names = {
        "ConnectionError": "no connection",
        "ConnectTimeout": "no answer",
        "ReadTimeout": "no answer",
        "ChunkedEncodingError": "the download broke off",
    }
    return names.get(type(error).__name__, type(error).__name__)


def _way_out(upstream: Upstream) -> str:
    return f"or set {VARIABLE} to a folder that holds {upstream.folder}/original/{upstream.file}"
