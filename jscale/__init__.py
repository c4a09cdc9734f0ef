"""Neural scaling laws in JAX: declare laws, fit them with credible intervals, plan training.

Subpackages load on first use: ``import jscale`` is fast and changes no setting.
"""

__version__ = "0.1.0"

_PACKAGES = ("laws", "runs", "fit", "plan", "assess", "report", "cli")

TYPE_CHECKING = False  # as typing's, which takes longer to import than this file
if TYPE_CHECKING:
    from jscale import assess, cli, fit, laws, plan, report, runs  # noqa: F401  (re-exported lazily below)
    from jscale._core.errors import JscaleError

__all__ = ["JscaleError", "__version__", *_PACKAGES]  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str):
    if name in _PACKAGES:
        import importlib

        return importlib.import_module(f"jscale.{name}")
    if name == "JscaleError":
        from jscale._core.errors import JscaleError

        return JscaleError
    raise AttributeError(f"module 'jscale' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
