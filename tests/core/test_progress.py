"""Progress where stderr is no terminal: a line after every ten seconds, none of a short job."""

import itertools

import pytest

from jscale._core.jobs import Progress, _progress


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four seconds pass between two looks at the clock."""
    seconds = itertools.count(0.0, 4.0)
    monkeypatch.setattr(_progress.time, "monotonic", lambda: next(seconds))
    monkeypatch.setattr(_progress, "LINE_SECONDS", 10.0)


def test_a_long_job_writes_lines(clock, capsys: pytest.CaptureFixture[str]):
    with Progress(6000, "sampling chinchilla", visible=True) as bar:
        for _ in range(5):
            bar.advance(1000)
    lines = capsys.readouterr().err.splitlines()
    assert lines == ["sampling chinchilla: 3,000 of 6,000"]


def test_short_and_silent_jobs_write_none(clock, capsys: pytest.CaptureFixture[str]):
    with Progress(10, "refitting", visible=True) as bar:
        bar.advance(10)
    with Progress(10, "refitting", visible=False) as bar:
        for _ in range(9):
            bar.advance(1)
    assert capsys.readouterr().err == ""
