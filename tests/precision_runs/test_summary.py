"""Summaries of the table, and its card."""

import csv
import math
from pathlib import Path

import pytest

from benchmarks.precision_runs import summary
from benchmarks.precision_runs.card import card
from benchmarks.precision_runs.table import COLUMNS, POST_COLUMNS, post_path


def row(name: str, loss: str, **others: str) -> dict[str, str]:
    cell = dict(
        purpose="design",
        N="6144",
        D="122880",
        P_w="16",
        P_a="16",
        P_kv="16",
        diverged="0",
        exclude="0",
    )
    return cell | {"run_id": name, "loss": loss, "lr": "0.01"} | others


ROWS = [
    row("a-s0", "2.0"),
    row("a-s1", "2.2", purpose="seed"),
    row("a-s2", "2.4", purpose="seed"),
    row("a-s3", "9.0", purpose="seed", diverged="1", exclude="1"),
    row("b-s0", "3.0", P_w="4"),
    row("b-s1", "3.1", P_w="4", purpose="seed"),
    row("scratch-wsd-a-s0", "2.01", purpose="schedule", exclude="1"),
    row("scratch-cosine-a-s0", "2.02", purpose="schedule", exclude="1"),
    row("scratch-wsd-b-s0", "3.0", purpose="schedule", exclude="1"),
    row("rate-1", "2.5", purpose="rate", exclude="1"),
    row("rate-2", "", purpose="rate", exclude="1", lr="0.02", diverged="1"),
]
RECORD = {
    "sha256": "f" * 64,
    "sha256_parts": {"train": "a" * 64, "validation": "b" * 64},
    "bytes": {"train": 113_000_000},
    "validation_documents_used": 297,
    "unigram_loss": 3.52,
    "packages": [
        {"package": "manpages", "version": "6", "documents": 3, "bytes": 10, "deb_sha256": "c" * 64}
    ],
}


def test_noise_is_the_spread_between_seeds_of_one_cell():
    three, two = summary.noise(ROWS)
    assert (three.bits, three.seeds) == ("16/16/16", 3)
    assert (two.bits, two.seeds) == ("4/16/16", 2)
    assert three.sd == pytest.approx(0.2)
    assert two.sd == pytest.approx(0.1 / math.sqrt(2))
    assert summary.pooled((three, two)) == pytest.approx(math.sqrt((2 * 0.04 + 0.005) / 3))
    assert math.isnan(summary.pooled([]))


def test_a_check_needs_all_three_runs():
    assert summary.checks(ROWS) == [summary.Check(6144, 122880, 2.0, 2.01, 2.02)]


def test_the_card_describes_every_column_and_the_counts(tmp_path: Path):
    out = tmp_path / "runs.csv"
    for path, columns, rows in ((out, COLUMNS, ROWS), (post_path(out), POST_COLUMNS, [])):
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows(rows)
    text = card(out, RECORD)
    missing = [name for name in (*COLUMNS, *POST_COLUMNS) if f"`{name}`" not in text]
    assert missing == []
    assert "11 runs (2 design, 2 rate, 3 schedule, 4 seed)" in " ".join(text.split())
    assert "of which 5 are meant for fits and 2 diverged" in " ".join(text.split())
    assert "{" not in text
