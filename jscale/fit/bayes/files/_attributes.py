"""Attributes of a posterior's file, each checked as it is read."""

import json
import math
import re
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from jscale._core.errors import JscaleError
from jscale._core.notes import Note
from jscale._core.text import shown
from jscale.fit.bayes._diagnostics import DRAWS_CODES
from jscale.fit.bayes._pool import OF_OTHER_GROUPS, PARTIAL, SEPARATE, Pool
from jscale.fit.errors import FittedRows
from jscale.laws import LawFunction, Record, describe, get

_LONGEST_UNIT = 60
_DIGEST = re.compile("[0-9a-f]{64}")


class Attributes(NamedTuple):
    """Attributes of the group ``posterior``; every method raises a JscaleError on a wrong one.

    Attributes:
        where: head of messages.
        values: name → value.
    """

    where: str
    values: Mapping[str, Any]

    def law(self, law: LawFunction | None) -> LawFunction:
        """The law that the file names; one of the catalogue where none is expected."""
        name = self._text("law")
        if law is None:
            try:
                return get(name)
            except JscaleError:
                raise JscaleError(
                    f"{self.where}: attribute 'law' is {shown(name)}, which is not in the "
                    "catalogue; expected a law of the catalogue, or the law as the second argument "
                    "of fit.load"
                ) from None
        expected = describe(law).name
        if expected != name:
            raise JscaleError(
                f"{self.where} holds draws of law {shown(name)}, not of {shown(expected)}"
            )
        return law

    def are_runs_of_others(self) -> bool:
        """Whether the runs are those of other groups than the posterior's."""
        if "runs" not in self.values:
            return False
        if self._text("runs") != OF_OTHER_GROUPS:
            raise self.invalid("runs", f"expected {OF_OTHER_GROUPS!r}")
        return True

    def noise_names(self, expected: Collection[str]) -> list[str]:
        """Parameters of the error model, those expected, in the order of the file."""
        names = self._json("noise")
        is_list = isinstance(names, list) and all(isinstance(name, str) for name in names)
        if not is_list or sorted(names) != sorted(expected):
            raise self.invalid("noise", f"expected {json.dumps(list(expected))}")
        return names

    def loss_min(self, *, may_be_negative: bool) -> float:
        """Smallest loss of the runs."""
        value = self._value("loss_min")
        is_number = isinstance(value, float) and math.isfinite(value)
        if not is_number or not (value > 0 or may_be_negative):
            raise self.invalid("loss_min", "expected a finite number above 0")
        return value

    def loss_unit(self) -> str | None:
        """Unit of the losses; earlier versions did not store it."""
        if "loss_unit" not in self.values:
            return None
        unit = self._text("loss_unit")
        if not unit.isprintable() or not 0 < len(unit) <= _LONGEST_UNIT:
            raise self.invalid("loss_unit", "expected the name of a unit, such as nats per byte")
        return unit

    def digest(self) -> str:
        """Hash of the table."""
        digest = self._text("table_digest")
        if not _DIGEST.fullmatch(digest):
            raise self.invalid("table_digest", "expected 64 hexadecimal digits")
        return digest

    def pool(self, record: Record, rows: FittedRows | None) -> Pool | None:
        """The groups of a pooled posterior; None for an ordinary one."""
        if "pool" not in self.values:
            return None
        entry = self._json("pool")
        match entry:
            case {"by": str(by), "modes": dict(modes)} if rows is not None and by in rows.columns:
                is_known = set(modes) <= set(record.parameter_names)
                if is_known and set(map(str, modes.values())) <= {PARTIAL, SEPARATE}:
                    return Pool(by, tuple(modes.items()))
        raise self.invalid("pool", "expected a column of the runs and the modes of parameters")

    def notes(self) -> tuple[Note, ...]:
        """Notes on the data; those on the draws are left out."""
        entries = self._json("notes")
        notes = []
        for entry in entries if isinstance(entries, list) else [None]:
            match entry:
                case [str(code), "info" | "warning" | "error" as severity, str(message)]:
                    notes.append(Note(code, severity, message))
                case _:
                    raise self.invalid(
                        "notes", "expected a list of [code, info or warning or error, message]"
                    )
        return tuple(note for note in notes if note.code not in DRAWS_CODES)

    def ranges(self) -> dict[str, tuple[float, float]]:
        """The ranges of the runs; earlier versions did not store any."""
        if "ranges" not in self.values:
            return {}
        entries = self._json("ranges")
        ranges = {}
        for name, ends in entries.items() if isinstance(entries, dict) else [("", None)]:
            match ends:
                case [float(low), float(high)] if low <= high:
                    ranges[name] = (low, high)
                case _:
                    raise self.invalid("ranges", "expected quantities with [smallest, largest]")
        return ranges

    def prior_overlaps(self) -> dict[str, float]:
        """The overlaps of prior and posterior; earlier versions did not store any."""
        if "prior_overlap" not in self.values:
            return {}
        entries = self._json("prior_overlap")
        values = list(entries.values()) if isinstance(entries, dict) else [None]
        if not all(isinstance(value, float) and 0 <= value <= 1.001 for value in values):
            raise self.invalid("prior_overlap", "expected parameters with numbers from 0 to 1")
        return entries

    def priors(self) -> dict[str, str]:
        """Priors of the caller, as texts; earlier versions did not store any."""
        priors = self._json("priors") if "priors" in self.values else {}
        if not isinstance(priors, dict) or not all(isinstance(x, str) for x in priors.values()):
            raise self.invalid("priors", "expected parameters with the text of a prior")
        return priors

    def seed(self) -> tuple[int, ...]:
        """Data of the random key; earlier versions did not store it."""
        seed = self._json("seed") if "seed" in self.values else []
        if not isinstance(seed, list) or not all(type(x) is int for x in seed):
            raise self.invalid("seed", "expected a list of whole numbers")
        return tuple(seed)

    def version(self) -> str:
        """Version of jscale that sampled; "" where it is not known."""
        return self._text("jscale") if "jscale" in self.values else ""

    def sampler(self) -> str:
        """What drew; earlier versions had NUTS only."""
        sampler = self._text("sampler") if "sampler" in self.values else "nuts"
        if sampler not in ("nuts", "importance"):
            raise self.invalid("sampler", "expected nuts or importance")
        return sampler

    def effective(self) -> float | None:
        """Effective draws of importance sampling; None for NUTS and in older files."""
        value = self._json("effective_draws") if "effective_draws" in self.values else None
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if value is None or (is_number and 0 < value < math.inf):
            return value
        raise self.invalid("effective_draws", "expected a number above 0 or null")

    def invalid(self, name: str, expected: str) -> JscaleError:
        """The error that an attribute is wrong."""
        return JscaleError(f"{self.where}: attribute {name!r} is wrong; {expected}")

    def _value(self, name: str) -> Any:
        if name not in self.values:
            raise JscaleError(
                f"{self.where}: attribute {name!r} is missing; use an unedited copy, or sample "
                "again"
            )
        return self.values[name]

    def _text(self, name: str) -> str:
        value = self._value(name)
        if not isinstance(value, str):
            raise self.invalid(name, "expected text")
        return value

    def _json(self, name: str) -> Any:
        text = self._text(name)
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            raise self.invalid(name, "expected JSON") from None
