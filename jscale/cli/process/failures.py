"""Every failure becomes one line on stderr and an exit code; no traceback is shown.

| code | meaning |
|---|---|
| 0 | success |
| 1 | a check requested with a ``--require-`` flag failed |
| 2 | bad input, or an output that cannot be written |
| 70 | an error inside jscale, or not enough memory |
| 129, 130, 143 | ended by SIGHUP, SIGINT (Ctrl-C), SIGTERM |
| 141 | the reader of stdout has gone, as in ``jscale laws | head -1`` |
"""

import errno
import os
import sys
from collections.abc import Callable

from jscale.cli.process import signals, streams

OK, CHECK_FAILED, BAD_INPUT, INTERNAL_ERROR, CLOSED_PIPE = 0, 1, 2, 70, 141
DEBUG_VARIABLE = "JSCALE_DEBUG"
"""Environment variable that shows the traceback of an internal error, if it is not empty or 0."""
_OUT_OF_MEMORY = "RESOURCE_EXHAUSTED"
"""How XLA begins the message when it cannot allocate memory."""
_SIGINT = 2


def exit_code(run: Callable[[], int]) -> int:
    """Run a command and flush stdout; report a failure.

    Args:
        run: returns an exit code.

    Returns:
        The exit code.
    """
    from jscale._core.errors import JscaleError

    try:
        code = run()
        sys.stdout.flush()  # the disk may be full
        return code
    except JscaleError as error:
        return _report(str(error))
    except KeyboardInterrupt:
        sys.stderr.write(signals.message_of(_SIGINT))
        return signals.exit_code(_SIGINT)
    except BrokenPipeError:
        streams.discard_unwritten(sys.stdout)
        return CLOSED_PIPE
    except OSError as error:
        return _report(_system_error(error))
    # The last resort.
    except Exception as error:  # noqa: BLE001
        return _internal_error(error)


def _report(message: str, code: int = BAD_INPUT) -> int:
    """Write a message to stderr as one line, and discard output that cannot be written."""
    from jscale._core.text import one_line

    streams.discard_unwritten(sys.stdout)
    streams.print_error(_for_screen(f"jscale: error: {one_line(message)}"))
    return code


def _for_screen(line: str) -> str:
    """A line for stderr: broken between words where it is a terminal, else as it is."""
    if not sys.stderr.isatty():
        return line
    import shutil
    import textwrap

    width = shutil.get_terminal_size().columns
    return textwrap.fill(line, max(width, 40), break_long_words=False, break_on_hyphens=False)


def _system_error(error: OSError) -> str:
    """What the operating system refused, such as writing to a full disk."""
    if error.errno == errno.EBADF and error.filename is None:
        return "stdout is closed; expected a stream to print to; use '> /dev/null' to print nothing"
    file = f": {error.filename!r}" if error.filename else ""
    return f"{error.strerror or error}{file}"


def _internal_error(error: Exception) -> int:
    """Report an error that is not the user's mistake."""
    if os.environ.get(DEBUG_VARIABLE, "0") not in ("", "0"):
        import traceback

        streams.print_error("".join(traceback.format_exception(error)).rstrip())

    text = str(error)
    if isinstance(error, MemoryError) or _OUT_OF_MEMORY in text:
        detail = f" ({text})" if text else ""
        return _report(
            f"out of memory{detail}; expected a smaller problem or a larger machine; "
            "use fewer runs, starts or draws",
            INTERNAL_ERROR,
        )
    return _report(
        f"internal error: {type(error).__name__}: {text}; this is a fault of jscale; please report "
        f"this line and the command, with the traceback that {DEBUG_VARIABLE}=1 shows",
        INTERNAL_ERROR,
    )
