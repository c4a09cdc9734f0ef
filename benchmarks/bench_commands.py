"""Whole commands: the second fit of a table, and the demo."""

from benchmarks.process import Run

SECOND_FIT_SECONDS = 4.0
DEMO_SECONDS = 90.0
DEMO_MIB = 1536.0


def bench_second_fit(benchmark, run: Run, command: str):
    """`jscale fit` with the compiled code cached by an earlier fit of a table of the same size."""
    fit = [command, "fit", "chinchilla", "--law", "chinchilla", "--json"]
    first = run(fit)
    second = benchmark.pedantic(run, args=(fit,), rounds=3)
    later = benchmark.stats.stats.median
    print(
        f"\nfirst fit {first.seconds:.2f} s, later fits {later:.2f} s "
        f"({second.cpu_seconds:.2f} s of CPU)"
    )
    benchmark.extra_info.update(
        first=first.seconds, cpu=second.cpu_seconds, peak_mib=second.peak_mib
    )
    assert first.stdout == second.stdout
    assert later <= SECOND_FIT_SECONDS


def bench_demo(benchmark, run: Run):
    """`make demo` after installation, with empty caches: wall time and peak memory."""
    demo = ["make", "--no-print-directory", "demo"]
    outcome = benchmark.pedantic(run, args=(demo,), rounds=1)
    benchmark.extra_info.update(cpu=outcome.cpu_seconds, peak_mib=outcome.peak_mib)
    print(
        f"\nmake demo: {outcome.seconds:.1f} s ({outcome.cpu_seconds:.1f} s of CPU), "
        f"peak {outcome.peak_mib:.0f} MiB"
    )
    assert outcome.seconds <= DEMO_SECONDS
    assert outcome.peak_mib <= DEMO_MIB
