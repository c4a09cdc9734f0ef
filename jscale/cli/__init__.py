"""The command ``jscale``: one file a verb; what the verbs share is in ``jscale.cli.support``.

Nothing heavy is imported before a verb computes.
"""

import io
import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line of this process."""
    from jscale.cli.support import interrupt

    interrupt.install_sigint_watchdog()

    # A terminal that cannot show a letter is no reason to fail.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")

    try:
        from jscale.cli._app import app
    except KeyboardInterrupt:
        sys.exit(interrupt.report_interrupt())
    app()
