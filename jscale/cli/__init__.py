"""The command ``jscale``: one file a verb, and nothing heavy imported before a verb computes."""

import io
import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line of this process."""
    from jscale.cli import _interrupt

    _interrupt.install_sigint_watchdog()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(
            errors="backslashreplace"
        )  # a terminal without a letter is no reason to fail
    try:
        from jscale.cli._app import app
    except KeyboardInterrupt:
        sys.exit(_interrupt.report_interrupt())
    app()
