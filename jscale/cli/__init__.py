"""The command ``jscale``: one file a verb; what the verbs share is in ``jscale.cli.support``.

Nothing heavy is imported before a verb computes.
"""

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line of this process."""
    from jscale.cli.process import failures, signals, streams

    signals.install()
    streams.prepare()
    sys.exit(failures.exit_code(_run))


def _run() -> int:
    from jscale.cli._app import app

    return app()  # which ends by SystemExit
