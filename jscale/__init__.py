"""Neural scaling laws in JAX: declare, fit with credible intervals, plan.

The rooms of the package load on first use, so that ``import jscale`` costs nothing and changes no
setting.
"""

import importlib
from typing import TYPE_CHECKING

__version__ = "0.1.0"

_ROOMS = ("laws", "runs", "fit", "plan", "assess", "report", "cli")

if TYPE_CHECKING:
    from jscale import assess, cli, fit, laws, plan, report, runs  # noqa: F401  (re-exported lazily below)

__all__ = ["__version__", *_ROOMS]  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str):
    if name in _ROOMS:
        return importlib.import_module(f"jscale.{name}")
    raise AttributeError(f"module 'jscale' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
