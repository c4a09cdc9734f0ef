"""A progress bar on stderr that several threads may advance."""

import threading
from types import TracebackType

from jscale._core.text import human


class Progress:
    """A progress bar on stderr, drawn only when ``visible``; a context manager.

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

    def __enter__(self) -> "Progress":
        if self._visible:
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
            from rich.progress import Progress as Bar

            columns = [
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeRemainingColumn(),
            ]
            if self._unit is not None:
                columns[2] = TextColumn("{task.fields[rate]}")
            self._bar = Bar(*columns, console=Console(stderr=True))
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
        if self._bar is not None:
            with self._lock:
                self._bar.advance(self._task, count)
                speed = self._bar.tasks[0].speed
                if self._unit is not None and speed is not None:
                    rate = f"{human(speed)} {self._unit}/s"
                    self._bar.update(self._task, rate=rate)

    def extend(self, count: int) -> None:
        """Record that ``count`` more units of work are to be done."""
        self._total += count
        if self._bar is not None:
            with self._lock:
                self._bar.update(self._task, total=self._total)
