"""What the table of precision runs shows, fitted by jscale and laid beside *Scaling Laws for
Precision*.

``python -m benchmarks.precision_runs.findings [--table TABLE.csv] [--json] [--out FILE]`` writes a
Markdown document, or the numbers behind it as one JSON object.
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
        path: table of runs; the table of quantised copies lies beside it.
    """
    began = time.monotonic()
    rows = load(path)
    points = fits(findings_training.jobs(rows) | findings_post.jobs(rows))
    found: dict[str, Any] = {name: section(rows, points) for name, section in SECTIONS.items()}
    found["rows"] = {
        "trained": len(rows.trained),
        "post": len(rows.post),
        "left_out": dict(rows.left_out),
    }
    found["statuses"] = {
        name: [str(p.certificate.status) for p in several] for name, several in points.items()
    }
    found["seconds"] = time.monotonic() - began
    return found


def plain(value: Any) -> Any:
    """The same with numbers that JSON knows: what is not finite becomes null."""
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
    found = findings(options.table)
    text = (
        json.dumps(plain(found), indent=1) + "\n" if options.json else findings_text.document(found)
    )
    if options.out:
        options.out.write_text(text, encoding="utf-8")
    else:
        sys.stdout.write(text)


if __name__ == "__main__":
    main()
