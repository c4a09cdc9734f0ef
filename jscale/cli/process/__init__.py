"""The process of the command line: signals, standard streams, failures and exit codes.

| module | for |
|---|---|
| ``signals`` | Ctrl-C, TERM and HUP, also inside compiled code and before anything is loaded |
| ``streams`` | standard streams that are closed, full or a closed pipe |
| ``failures`` | every failure becomes one line on stderr and an exit code |
| ``processes`` | other processes that work on the same job |

Nothing heavy is imported here: signals are handled before anything is loaded.
"""

from jscale.cli.process import failures, processes, signals, streams

__all__ = ["failures", "processes", "signals", "streams"]
