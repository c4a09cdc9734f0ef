"""Public names whose modules load on first use, so that heavy libraries load only when needed."""

import importlib
from collections.abc import Callable, Mapping
from typing import Any


def lazy_names(package: str, homes: Mapping[str, str]) -> Callable[[str], Any]:
    """The module-level ``__getattr__`` of a package with lazy names.

    Args:
        package: the package's ``__name__``.
        homes: public name → module that defines it, or ``module:attribute`` where the attribute has
            another name; for a subpackage, the subpackage.

    Returns:
        A function that imports the module of a name and returns the attribute.

    Example:
        >>> from jscale._core.lazy import lazy_names
        >>> getattr_of_package = lazy_names("example", {"root": "math:sqrt"})
        >>> getattr_of_package("root")(9.0)
        3.0
    """

    def __getattr__(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module, _, attribute = homes[name].partition(":")
        home = importlib.import_module(module)
        return home if module == f"{package}.{name}" else getattr(home, attribute or name)

    return __getattr__
