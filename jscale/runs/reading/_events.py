"""Event files of TensorBoard: their scalars, one row a step, without TensorBoard itself.

A file is a sequence of records (length, checksum, content, checksum); each content is a protocol
buffer ``Event`` with a step and the values of some tags. Only scalars and the hyperparameters of
the ``hparams`` plugin are decoded. TensorBoard's own reader, which would bring gRPC along, ends at
a damaged record without a word; here it is an error.
"""

import os
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from jscale._core.errors import JscaleError
from jscale._core.notes import Note
from jscale._core.text import inline, plural, quoted_names
from jscale.runs.reading._records import from_records
from jscale.runs.tables import RawTable, check_size

MARK = ".tfevents."
"""Part of the name of every event file."""
_PHASES = frozenset({"train", "training", "validation", "val", "eval", "test"})
"""Folders that Keras and others make for the parts of one run."""
_MAX_BYTES = 2**30
_HEADER = struct.Struct("<QI")
"""Length of a record, and its checksum; another checksum follows the content."""
_CHECKSUM = struct.Struct("<I")
_MAX_RECORD = 2**16
"""Bytes of a record that is looked at: those of images and histograms have more, scalars less."""
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
"""Kinds of fields on the wire."""
_MOST_VARINT_BYTES = 10
_TENSORS = {1: ("<f", 5), 2: ("<d", 6), 3: ("<i", 7), 9: ("<q", 10)}
"""Type of a tensor (float32, float64, int32, int64) → its layout, and the field of its values."""
_INTEGERS = (3, 9)


def is_log_folder(path: Path) -> bool:
    """Whether a path is a folder with event files in it or below it."""
    return path.is_dir() and next(_files(path), None) is not None


def read_events(path: Path) -> RawTable:
    """The scalars of event files: a row a step, a column a tag, and the hyperparameters.

    Args:
        path: of a file; or of a folder, where each folder with event files is one run. Folders
            ``train``, ``validation`` and the like beside one another are parts of the run above
            them: their tags begin with the name of the folder.

    Raises:
        JscaleError: a file is damaged or too large, or there are no scalars.
        OSError: a file cannot be opened.
    """
    files = sorted(_files(path)) if path.is_dir() else [path]
    runs: dict[str, _Run] = {}
    for file in files:
        label, prefix = _place(file, path)
        try:
            runs.setdefault(label, _Run()).add(file, prefix)
        except JscaleError as error:
            where = "" if path == file else f"{inline(file.relative_to(path).as_posix())}: "
            raise JscaleError(f"{where}{error}") from None
    tags = dict.fromkeys(tag for run in runs.values() for tag in run.tags())
    if not tags:
        raise JscaleError("an event file without scalars")

    own = {} if len(runs) == 1 else {label: {"run_id": label} for label in runs}
    records = [
        {**record, **own.get(label, {})} for label, run in runs.items() for record in run.records()
    ]
    check_size(len(records), len(records[0]))
    where = "an event file" if path.is_file() else plural(len(files), "event file")
    message = f"{plural(len(records), 'step')} of {quoted_names(tags, 6)} read from {where}"
    notes = [Note("event-files", "info", f"{message} of TensorBoard")]
    if cut := sum(run.is_cut for run in runs.values()):
        message = (
            f"{plural(cut, 'run')} with an event file that ends within a record, as while a run "
            "goes on: read up to there"
        )
        notes.append(Note("event-file-cut", "warning", message))
    return from_records(records, notes=notes)


def _place(file: Path, path: Path) -> tuple[str, str]:
    """The run of an event file, and what its tags begin with."""
    if path == file:
        return "", ""
    folder, prefix = file.parent, ""
    beside = {each.name.casefold() for each in folder.parent.iterdir() if each.is_dir()}
    if folder != path and folder.name.casefold() in _PHASES and len(beside & _PHASES) > 1:
        folder, prefix = folder.parent, f"{folder.name}/"
    return path.name if folder == path else folder.relative_to(path).as_posix(), prefix


def _files(folder: Path) -> Iterator[Path]:
    return (file for file in folder.rglob(f"*{MARK}*") if file.is_file())


class _Run:
    """What the event files of one run hold.

    Attributes:
        steps: step → tag → value.
        settings: hyperparameters.
        is_cut: whether a file ends within a record.
    """

    def __init__(self) -> None:
        self.steps: dict[int, dict[str, float]] = {}
        self.settings: dict[str, Any] = {}
        self.is_cut = False

    def add(self, path: Path, prefix: str) -> None:
        """Add the events of a file; a later value of a tag at a step replaces an earlier one.

        Args:
            path: of the file.
            prefix: of its tags.

        Raises:
            JscaleError: the file is damaged or too large.
            OSError: it cannot be opened.
        """
        for content in _records(path):
            if content is None:
                self.is_cut = True
                return
            try:
                step, values, stated = _event(content)
            except (ValueError, LookupError, TypeError, AttributeError, struct.error):
                raise JscaleError("an event file with a damaged record") from None
            self.settings.update(stated)
            if values:
                named = {prefix + tag: value for tag, value in values.items()}
                self.steps.setdefault(step, {}).update(named)
                check_size(len(self.steps), len(values))

    def tags(self) -> dict[str, None]:
        """The tags of all scalars, in their order."""
        return dict.fromkeys(tag for values in self.steps.values() for tag in values)

    def records(self) -> list[dict[str, Any]]:
        """One record a step, with the hyperparameters of the run."""
        return [
            {**self.settings, **values, "step": step} for step, values in sorted(self.steps.items())
        ]


def _records(path: Path) -> Iterator[bytes | None]:
    """The contents of the small records; None at the end where the last one is incomplete.

    Raises:
        JscaleError: the file is too large, or damaged.
    """
    if (size := path.stat().st_size) > _MAX_BYTES:
        raise JscaleError(f"too large an event file: {size:,} bytes; at most {_MAX_BYTES:,}")
    with path.open("rb") as file:
        while header := file.read(_HEADER.size):
            if len(header) < _HEADER.size:
                yield None
                return
            length, checksum = _HEADER.unpack(header)
            if checksum != _masked_checksum(header[:8]):
                raise JscaleError("not an event file of TensorBoard, or a damaged one")
            if file.tell() + length + _CHECKSUM.size > size:
                yield None
                return
            if length > _MAX_RECORD:
                file.seek(length + _CHECKSUM.size, os.SEEK_CUR)
                continue
            content = file.read(length)
            if _CHECKSUM.unpack(file.read(_CHECKSUM.size)) != (_masked_checksum(content),):
                raise JscaleError("an event file with a damaged record")
            yield content


def _event(content: bytes) -> tuple[int, dict[str, float], dict[str, Any]]:
    """The step of an event, its scalars and the hyperparameters that it states."""
    step, values, stated = 0, {}, {}
    for field, value in _fields(content):
        if field == 2:
            step = _signed(value)
        elif field == 5:
            for number, part in _fields(value):
                if number == 1:
                    _add_value(part, values, stated)
    return step, values, stated


def _add_value(content: bytes, values: dict[str, float], stated: dict[str, Any]) -> None:
    """One value of a summary: its tag and scalar, or the hyperparameters of a run."""
    tag, scalar = "", None
    for field, value in _fields(content):
        if field == 1:
            tag = value.decode()
        elif field == 2:
            scalar = _float32(value)
        elif field == 8:
            scalar = _scalar_of(value)
        elif field == 9:
            stated.update(_hyperparameters(value))
    if tag and scalar is not None and not tag.startswith("_"):
        values[tag] = scalar


def _float32(content: bytes) -> float:
    """The shortest decimal number with these 32 bits: 3.1, not 3.0999999046."""
    (value,) = struct.unpack("<f", content)
    shorter = (float(f"{value:.{digits}g}") for digits in range(6, 9))
    return next((each for each in shorter if struct.pack("<f", each) == content), value)


def _scalar_of(content: bytes) -> float | None:
    """The value of a tensor with one number, else None."""
    fields = dict(_fields(content))
    kind = fields.get(1, 0)
    if kind not in _TENSORS:
        return None
    layout, field = _TENSORS[kind]
    raw, value = fields.get(4, b""), fields.get(field, b"")
    if isinstance(value, int):
        return float(_signed(value))
    if kind in _INTEGERS and value:
        number, end = _varint(value, 0)
        return float(_signed(number)) if end == len(value) else None
    packed = raw or value
    if len(packed) != struct.calcsize(layout):
        return None
    return _float32(packed) if layout == "<f" else float(*struct.unpack(layout, packed))


def _hyperparameters(metadata: bytes) -> Mapping[str, Any]:
    """The hyperparameters in the metadata of a value of the plugin ``hparams``."""
    stated: dict[str, Any] = {}
    for plugin in _parts(metadata, 1):
        if b"hparams" not in _parts(plugin, 1):
            continue
        for start in (s for data in _parts(plugin, 2) for s in _parts(data, 3)):
            for entry in _parts(start, 1):
                fields = dict(_fields(entry))
                value = _setting(fields.get(2, b""))
                if value is not None:
                    stated[fields[1].decode()] = value
    return stated


def _setting(content: bytes) -> float | bool | str | None:
    for field, value in _fields(content):
        if field == 2:
            return float(struct.unpack("<d", value)[0])
        if field == 3:
            return value.decode()
        if field == 4:
            return bool(value)
    return None


def _parts(content: bytes, wanted: int) -> list[bytes]:
    return [value for field, value in _fields(content) if field == wanted]


def _fields(content: bytes) -> Iterator[tuple[int, Any]]:
    """Number and value of each field of a message: an integer, or bytes.

    Raises:
        ValueError: a field is damaged.
    """
    at = 0
    while at < len(content):
        key, at = _varint(content, at)
        field, kind = key >> 3, key & 7
        if kind == _VARINT:
            value, at = _varint(content, at)
            yield field, value
            continue
        if kind == _BYTES:
            size, at = _varint(content, at)
        elif kind in (_FIXED64, _FIXED32):
            size = 8 if kind == _FIXED64 else 4
        else:
            raise ValueError(kind)
        if at + size > len(content):
            raise ValueError(size)
        yield field, content[at : at + size]
        at += size


def _varint(content: bytes, at: int) -> tuple[int, int]:
    """An integer of seven bits a byte, and where it ends."""
    value = 0
    for i in range(_MOST_VARINT_BYTES):
        byte = content[at + i]
        value |= (byte & 127) << (7 * i)
        if byte < 128:
            return value, at + i + 1
    raise ValueError(at)


def _signed(value: int) -> int:
    return value - 2**64 if value >= 2**63 else value


def _table() -> tuple[int, ...]:
    """Remainders of the Castagnoli polynomial for every byte."""
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    return tuple(table)


_REMAINDERS = _table()


def _masked_checksum(data: bytes) -> int:
    """The checksum of the record format: CRC-32C, rotated and shifted."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ _REMAINDERS[(crc ^ byte) & 255]
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
