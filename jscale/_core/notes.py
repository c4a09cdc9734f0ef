"""Doubts and remarks that travel with a result."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Severity = Literal["info", "warning", "error"]


@dataclass(frozen=True)
class Note:
    """A remark about a table or a result.

    Attributes:
        code: stable kebab-case name, for scripts that look for it.
        severity: "info", "warning" or "error".
        message: one plain sentence.
        evidence: the figures behind it.
    """

    code: str
    severity: Severity
    message: str
    evidence: Mapping[str, Any] = field(default_factory=dict)
