"""The command ``jscale``: one file a verb; what the verbs share is in ``jscale.cli.support``.

Nothing heavy is imported before a verb computes.
"""

import signal
import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line of this process."""
    # Until the handlers are installed, Ctrl-C ends the process without a traceback.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    from jscale.cli.process import failures, signals, streams

    signals.install()
    streams.prepare()
    sys.exit(failures.exit_code(_run))


def _run() -> int:
    from jscale.cli._app import app

    return app()  # which ends by SystemExit
