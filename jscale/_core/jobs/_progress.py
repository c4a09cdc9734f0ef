"""Progress on stderr that several threads may advance: a bar, or lines where it is no terminal."""

import math
import sys
import threading
import time
from types import TracebackType

from jscale._core.text import human

LINE_SECONDS = 10.0
"""Seconds between two lines of progress in a log."""


class Progress:
    """Progress on stderr, shown only when ``visible``; a context manager.

    A terminal has a bar. A file or a pipe has a line after every ten seconds: a short job none.

    Args:
        total: units of work.
        label: text beside the bar.
        visible: whether to draw it.
        unit: what is counted; with it, the bar shows how many a second are done.
    """

    def __init__(self, total: int, label: str, visible: bool, unit: str | None = None) -> None:
        self._total, self._label, self._visible, self._unit = total, label, visible, unit
        self._lock = threading.Lock()
        self._bar = None
        self._done, self._next_line = 0, math.inf

    def __enter__(self) -> "Progress":
        if not self._visible:
            return self
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar

        console = Console(stderr=True)
        if not (console.is_terminal or console.is_jupyter):
            self._next_line = time.monotonic() + LINE_SECONDS
            return self
        columns = [
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
        ]
        if self._unit is not None:
            columns[2] = TextColumn("{task.fields[rate]}")
        self._bar = Bar(*columns, console=console)
        self._bar.start()
        self._task = self._bar.add_task(self._label, total=self._total, rate="")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def advance(self, count: int) -> None:
        """Record ``count`` more units of work."""
        if self._next_line < math.inf:
            self._write_line(count)
        if self._bar is not None:
            with self._lock:
                self._bar.advance(self._task, count)
                speed = self._bar.tasks[0].speed
                if self._unit is not None and speed is not None:
                    rate = f"{human(speed)} {self._unit}/s"
                    self._bar.update(self._task, rate=rate)

    def _write_line(self, count: int) -> None:
        with self._lock:
            self._done += count
            if time.monotonic() >= self._next_line:
                self._next_line = time.monotonic() + LINE_SECONDS
                done = f"{self._label}: {self._done:,} of {self._total:,}"
                sys.stderr.write(f"{done}\n")
                sys.stderr.flush()

    def extend(self, count: int) -> None:
        """Record that ``count`` more units of work are to be done."""
        self._total += count
        if self._bar is not None:
            with self._lock:
                self._bar.update(self._task, total=self._total)
