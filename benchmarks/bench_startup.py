"""Start-up time of `import jscale` and of the command's help."""

import statistics
import sys
from pathlib import Path

import pytest

from benchmarks.process import ROOT, Run

VERBS = sorted(
    path.stem for path in Path(ROOT, "jscale/cli").glob("*.py") if not path.stem.startswith("_")
)
IMPORT_RATIO = 1.3  # of the time of `import jax`
HELP_SECONDS = 0.6
PAIRS = 9


@pytest.mark.parametrize("module", ["jscale", "jscale.laws, jscale.plan"])
def bench_import(benchmark, run: Run, module: str):
    """Ratio of the median times of `import jscale` and `import jax`, measured alternately."""

    def pair() -> tuple[float, float]:
        jax, package = (
            run([sys.executable, "-c", f"import {name}"]).seconds for name in ("jax", module)
        )
        return jax, package

    pair()
    pairs = [pair() for _ in range(PAIRS)]
    jax, package = (statistics.median(column) for column in zip(*pairs, strict=True))
    benchmark.extra_info.update(jax=jax, ratio=package / jax)
    benchmark.pedantic(run, args=([sys.executable, "-c", f"import {module}"],), rounds=3)
    print(f"\nimport {module}: {package:.3f} s, import jax: {jax:.3f} s, ratio {package / jax:.2f}")
    assert package <= IMPORT_RATIO * jax


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], *([verb, "--help"] for verb in VERBS)], ids=" ".join
)
def bench_help(benchmark, run: Run, command: str, arguments: list[str]):
    """The wall time of the help of the command and of every verb."""
    outcome = benchmark.pedantic(run, args=([command, *arguments],), rounds=7, warmup_rounds=1)
    benchmark.extra_info.update(cpu=outcome.cpu_seconds)
    assert benchmark.stats.stats.median <= HELP_SECONDS
