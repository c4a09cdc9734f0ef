"""Ctrl-C, also while the main thread is deep in compiled code."""

import os
import signal
import socket
import sys
import threading
import time

CODE = 130
"""What shells expect of a process that was interrupted."""
_GRACE = 5.0
"""Seconds in which a verb may end by itself, put away its files and give back the cursor."""


def report_interrupt() -> int:
    """One line on stderr, and the exit code."""
    sys.stderr.write("jscale: interrupted\n")
    return CODE


def install_sigint_watchdog(grace: float = _GRACE) -> None:
    """End the process some seconds after an interrupt, should Python not get to see it.

    Python raises KeyboardInterrupt between two of its own instructions, and the compilation or the
    run of one XLA program can last many seconds; raised inside one of JAX's callbacks, it is even
    lost. The operating system tells of the signal at once, by way of a pair of sockets.
    """
    heard, told = socket.socketpair()
    told.setblocking(False)
    signal.set_wakeup_fd(told.fileno(), warn_on_full_buffer=False)

    def wait() -> None:
        with told:
            while heard.recv(1)[0] != signal.SIGINT:
                pass
            time.sleep(grace)
            if sys.stderr.isatty():
                sys.stderr.write("\x1b[?25h")  # a progress bar hides the cursor
            report_interrupt()
            sys.stderr.flush()
            os._exit(CODE)

    threading.Thread(target=wait, daemon=True, name="jscale-interrupt").start()
