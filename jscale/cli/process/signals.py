"""Signals that end the process at once: SIGINT (Ctrl-C), SIGTERM and SIGHUP.

The process leaves by ``os._exit``. Finalising Python while other threads compile or run XLA
programs ends in a segmentation fault, and waiting for them takes up to minutes.
"""

import contextlib
import os
import signal
import sys
import threading
import time
from types import FrameType

from jscale._core import temporaries

_MESSAGES = {"SIGINT": "interrupted", "SIGTERM": "terminated", "SIGHUP": "hung up"}
_FLUSH_SECONDS = 0.5
"""For the last output: a stream whose reader has stopped would block for ever."""
_SHOW_CURSOR = "\x1b[?25h"
"""A progress bar hides the cursor of the terminal."""
_ending = threading.Lock()


def exit_code(number: int) -> int:
    """The exit code that shells give a process that a signal ends."""
    return 128 + number


def install() -> None:
    """Handle the signals that end the process, from now on.

    Python handles a signal in the main thread between two of its instructions, and compiling or
    running one XLA program can take minutes. So a thread is told by the operating system too;
    whichever comes first ends the process. Signals that are ignored, as under ``nohup`` and in
    background jobs, stay ignored.
    """
    for name in _MESSAGES:
        number = getattr(signal, name, None)  # Windows has no SIGHUP
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _handle)

    receiver, sender = os.pipe()
    os.set_blocking(sender, False)
    signal.set_wakeup_fd(sender, warn_on_full_buffer=False)
    threading.Thread(target=_watch, args=(receiver,), daemon=True, name="jscale-signals").start()


def _watch(receiver: int) -> None:
    """Wait for a signal that ends the process."""
    handled = {getattr(signal, name, None) for name in _MESSAGES}
    while True:
        (number,) = os.read(receiver, 1)
        if number in handled:
            end(number)
            return


def _handle(number: int, frame: FrameType | None) -> None:
    del frame
    end(number)
    # The other thread is about to end the process: the main thread does nothing more.
    while True:
        time.sleep(1)


def end(number: int) -> None:
    """Remove temporary files, write one line to stderr and end the process.

    Returns:
        Only in a second call, while the first one is ending the process.
    """
    if not _ending.acquire(blocking=False):
        return
    temporaries.remove_all()

    # In a thread: a write to a full pipe blocks, and the main thread may hold the lock of stdout.
    writer = threading.Thread(target=_last_output, args=(number,), daemon=True)
    with contextlib.suppress(RuntimeError):  # the interpreter is shutting down
        writer.start()
        writer.join(_FLUSH_SECONDS)
    os._exit(exit_code(number))


def _last_output(number: int) -> None:
    message = message_of(number)
    if os.isatty(2):
        message = _SHOW_CURSOR + message
    with contextlib.suppress(OSError):
        os.write(2, message.encode())
    with contextlib.suppress(OSError, ValueError, AttributeError):
        sys.stdout.flush()


def message_of(number: int) -> str:
    """The line that is written to stderr before a signal ends the process."""
    return f"jscale: {_MESSAGES[signal.Signals(number).name]}\n"
