"""Neural scaling laws in JAX: declare laws, fit them with credible intervals, plan training.

Subpackages load on first use: ``import jscale`` is fast and changes no setting.
"""

__version__ = "0.2.0"

_PACKAGES = ("laws", "runs", "fit", "plan", "assess", "report", "cli")

TYPE_CHECKING = False  # as typing's, which takes longer to import than this file
if TYPE_CHECKING:
    from jscale import assess, cli, fit, laws, plan, report, runs  # noqa: F401  (re-exported lazily below)
    from jscale._core.errors import JscaleError

__all__ = ["JscaleError", "__version__", "clear_caches", *_PACKAGES]  # pyright: ignore[reportUnsupportedDunderAll]


def clear_caches() -> None:
    """Drop the compiled programs of this package, and return their memory to the system.

    Fits, intervals and plans keep the last 64 programs, some 10 MB each; the next call of each
    compiles again (a fit some 4 s of CPU). Laws stay the objects that they are, and programs of the
    caller's own stay compiled.

    Example:
        >>> import jscale
        >>> jscale.clear_caches()
    """
    from jscale._core.programs import clear_programs

    clear_programs()


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
