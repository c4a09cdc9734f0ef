"""Several processes that work together, on one machine or on many."""

import atexit
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from jscale._core import temporaries
from jscale._core.errors import JscaleError
from jscale._core.text import quote, shown
from jscale.cli.process.failures import BAD_INPUT


@contextmanager
def joined(hosts: str | None) -> Iterator[int]:
    """Join the other processes; yields the number of this one.

    Raises:
        JscaleError: not a place among processes, or they cannot be reached.
    """
    if hosts is None:
        yield 0
        return

    import jax

    settings: dict[str, Any] = {}
    if hosts != "auto":
        address, _, place = hosts.partition(",")
        index, _, count = place.partition("/")
        if not (":" in address and index.isdigit() and count.isdigit() and int(index) < int(count)):
            raise JscaleError(
                f"--hosts: expected 'auto' or HOST:PORT,I/N such as 10.0.0.1:1234,0/4, "
                f"not {shown(hosts)}"
            )
        settings = {
            "coordinator_address": address,
            "num_processes": int(count),
            "process_id": int(index),
        }
    with _stdout_to_stderr():  # Gloo writes a line to stdout
        try:
            jax.distributed.initialize(**settings)
        except (RuntimeError, ValueError) as error:
            reason = str(error).partition("\n")[0]
            raise JscaleError(f"--hosts {quote(hosts)}: cannot join: {reason}") from None
        try:
            yield jax.process_index()
        except JscaleError as error:
            from jscale.plan.gridsearch import LostProcessError

            if isinstance(error, LostProcessError):
                atexit.register(_leave)  # the last one registered is the first one called
            raise


def _leave() -> None:
    """End the process at once: the end of JAX waits for processes that are lost."""
    temporaries.remove_all()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(BAD_INPUT)


@contextmanager
def _stdout_to_stderr() -> Iterator[None]:
    """Let what compiled code writes to stdout go to stderr."""
    sys.stdout.flush()
    kept = os.dup(1)
    try:
        os.dup2(2, 1)
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
