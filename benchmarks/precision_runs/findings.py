"""Fits of the table of precision runs by jscale, compared with *Scaling Laws for Precision*.

``python -m benchmarks.precision_runs.findings [--table TABLE.csv] [--json] [--out FILE]`` writes a
Markdown document, or the numbers of the document as one JSON object.
"""

import argparse
import json
import math
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.precision_runs import findings_post, findings_text, findings_training
from benchmarks.precision_runs.rows import TABLE, fits, load

SECTIONS = {
    "effective": findings_training.effective,
    "independence": findings_training.independence,
    "after_training": findings_post.after_training,
    "unified": findings_post.unified,
    "decisions": findings_post.decisions,
    "forms": findings_training.forms,
}


def findings(path: Path) -> dict[str, Any]:
    """Every number of the document, by section.

    Args:
        path: table of runs; the table of quantised copies is in the same folder.
    """
    start = time.monotonic()
    rows = load(path)
    points = fits(findings_training.jobs(rows) | findings_post.jobs(rows))
    results: dict[str, Any] = {name: section(rows, points) for name, section in SECTIONS.items()}
    results["rows"] = {
        "trained": len(rows.trained),
        "post": len(rows.post),
        "left_out": dict(rows.left_out),
    }
    results["statuses"] = {
        name: [str(p.certificate.status) for p in several] for name, several in points.items()
    }
    results["seconds"] = time.monotonic() - start
    return results


def plain(value: Any) -> Any:
    """The same value with non-finite numbers replaced by null, for JSON."""
    if isinstance(value, dict):
        return {name: plain(entry) for name, entry in value.items()}
    if isinstance(value, list):
        return [plain(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--table", type=Path, default=TABLE, help="table of runs (default: the package's own)"
    )
    parser.add_argument("--json", action="store_true", help="the numbers as JSON")
    parser.add_argument("--out", type=Path, help="write there instead of to standard output")
    options = parser.parse_args()
    if not options.table.exists():
        parser.error(f"{options.table}: no such table")
    results = findings(options.table)
    text = (
        json.dumps(plain(results), indent=1) + "\n"
        if options.json
        else findings_text.document(results)
    )
    if options.out:
        options.out.write_text(text, encoding="utf-8")
    else:
        sys.stdout.write(text)


if __name__ == "__main__":
    main()
