"""Ctrl-C, also while the main thread runs compiled code."""

import os
import signal
import socket
import sys
import threading
import time

CODE = 130
"""Exit code that shells expect of an interrupted process."""
_GRACE = 5.0
"""Seconds in which a verb may end by itself, remove its temporary files and restore the cursor."""


def report_interrupt() -> int:
    """Write one line to stderr; return the exit code."""
    sys.stderr.write("jscale: interrupted\n")
    return CODE


def install_sigint_watchdog(grace: float = _GRACE) -> None:
    """End the process after an interrupt that Python does not handle in time.

    Python raises KeyboardInterrupt between two of its own instructions. Compiling or running one
    XLA program can take many seconds, and an exception raised inside a JAX callback is lost. The
    operating system reports the signal at once, through a pair of sockets.

    Args:
        grace: seconds between the interrupt and the end of the process.
    """
    receiver, sender = socket.socketpair()
    sender.setblocking(False)
    signal.set_wakeup_fd(sender.fileno(), warn_on_full_buffer=False)

    def wait() -> None:
        with sender:
            while receiver.recv(1)[0] != signal.SIGINT:
                pass

            time.sleep(grace)
            if sys.stderr.isatty():
                sys.stderr.write("\x1b[?25h")  # a progress bar hides the cursor
            report_interrupt()
            sys.stderr.flush()
            os._exit(CODE)

    threading.Thread(target=wait, daemon=True, name="jscale-interrupt").start()
