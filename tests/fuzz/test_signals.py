"""Signals at random moments: the process ends at once, with one line, and leaves no file behind.

A short run sends 6 signals, ``JSCALE_FUZZ_SCALE=17`` 102. A signal may come before Python has begun
to run jscale; then Python itself ends, by the default action of the system or an error.
"""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.cli.tables import chinchilla_rows, write_table
from tests.fuzz.scale import cases

MESSAGES = {
    signal.SIGINT: "jscale: interrupted\n",
    signal.SIGTERM: "jscale: terminated\n",
    signal.SIGHUP: "jscale: hung up\n",
}
COMMANDS = (
    ("data", "runs.csv", "--out", "out"),
    ("laws", "--json", "--out", "out"),
    ("fit", "runs.csv", "--starts", "4", "--out", "out"),
    (
        "sample",
        "runs.csv",
        "--errors",
        "student",
        "--chains",
        "1",
        "--warmup",
        "50",
        "--draws",
        "50",
        "--out",
        "out",
    ),
)
_SECONDS = 20.0
"""A process that takes longer to end hangs."""


START = """
import os, signal, sys
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, signal.SIG_DFL)
os.execv(sys.executable, [sys.executable, "-m", "jscale", *sys.argv[1:]])
"""
"""What a shell in a terminal gives a command; tests may run with interrupts ignored."""
WHOLE = (b"old", b"N,D,", b'{"', b"\x89HDF")
"""How the file begins before and after it is written; it is renamed as a whole."""


def test_signals_at_random_moments(tmp_path: Path):
    write_table(tmp_path / "runs.csv", chinchilla_rows((3, 10, 30, 100, 300)))
    environment = {**os.environ, "JSCALE_CACHE": str(tmp_path / "cache")}
    handled = 0
    for seed in range(cases(6)):
        rng = random.Random(seed)
        (tmp_path / "out").write_text("old")
        words = rng.choice(COMMANDS)
        process = subprocess.Popen(
            [sys.executable, "-c", START, *words],
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        delay, number = rng.choice((0.02, 0.5, 3.0)) * rng.random(), rng.choice(list(MESSAGES))
        time.sleep(delay)
        process.send_signal(number)
        start = time.monotonic()
        _, err = process.communicate(timeout=120)
        case = (seed, words, delay, number, process.returncode, err)

        if process.returncode == 0:  # done before the signal came
            assert err == "", case
        elif process.returncode in (-number, 1):  # Python itself was starting
            assert not err or "KeyboardInterrupt" in err, case
        else:
            assert (process.returncode, err) == (128 + number, MESSAGES[number]), case
            assert time.monotonic() - start < _SECONDS, case
            handled += 1
        assert (tmp_path / "out").read_bytes().startswith(WHOLE), case
        names = {path.name for path in tmp_path.iterdir()} - {"cache"}
        assert names == {"runs.csv", "out"}, case
    assert handled >= cases(1)
