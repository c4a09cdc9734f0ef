"""How long the fuzzers run: ``JSCALE_FUZZ_SCALE`` multiplies the number of their cases."""

import os


def cases(count: int) -> int:
    """The number of cases of a fuzzer, from that of a short run."""
    return max(1, round(count * float(os.environ.get("JSCALE_FUZZ_SCALE", "1"))))
