"""Types and helpers shared by the answers."""

from collections.abc import Mapping
from typing import Any

from jscale import laws

Entry = Mapping[str, Any]


def of(law: laws.LawFunction, constants: Mapping[str, Any], **renamed: str) -> dict[str, float]:
    """The constants of a law, some of which an entry may name differently."""
    return {n: constants[renamed.get(n, n)] for n in laws.describe(law).parameter_names}
