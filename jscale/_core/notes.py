"""Notes: findings and warnings that are part of a result."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Severity = Literal["info", "warning", "error"]


@dataclass(frozen=True)
class Note:
    """A finding or a warning about a table or a result.

    Attributes:
        code: stable kebab-case name, for scripts.
        severity: "info", "warning" or "error".
        message: one sentence.
        evidence: the numbers that support it.
    """

    code: str
    severity: Severity
    message: str
    evidence: Mapping[str, Any] = field(default_factory=dict)
