"""Faults planted in small tables, each found with its code, and none found in clean ones."""

from typing import Any

import numpy as np
import pytest

from jscale import assess, runs
from tests.assess.auditing.simulated_tables import D, N, at_truth, bowl, table_with

SIZES = np.geomspace(3e7, 3e9, 6)
GRID_N = np.repeat(SIZES, 4)
GRID_D = GRID_N * np.tile([5.0, 15.0, 45.0, 135.0], 6)
BUDGETS = np.repeat([1e19, 1e20, 1e21], 7)
NORMAL = np.random.default_rng(1).standard_normal

Columns = dict[str, Any]


def loss_of(n: np.ndarray, d: np.ndarray, noise: float = 0.002) -> np.ndarray:
    """Losses of Chinchilla's law with errors."""
    errors = np.random.default_rng(3).standard_normal(len(n))
    return (1.82 + 482 * n**-0.348 + 2085 * d**-0.366) * np.exp(noise * errors)


def grid(**changes: Any) -> Columns:
    """Clean runs on a grid of six sizes and four ratios, with some columns changed."""
    columns: Columns = {"N": GRID_N, "D": GRID_D, "loss": loss_of(GRID_N, GRID_D)}
    return {**columns, **changes}


def row(values: np.ndarray, at: int, factor: float) -> np.ndarray:
    """Values with one multiplied."""
    return np.where(np.arange(len(values)) == at, values * factor, values)


def ladder(spread: float) -> Columns:
    """Runs at D = 20 N, give or take."""
    n = np.geomspace(3e7, 3e9, 12)
    d = 20 * n * np.exp(spread * np.sin(np.arange(12)))
    return {"N": n, "D": d, "loss": loss_of(n, d)}


def isoflop(offsets: np.ndarray, noise: float = 0.0005) -> Columns:
    """Seven sizes at each of three budgets, ``offsets`` (7,) from the optimum in ln N."""
    n = 0.1 * BUDGETS**0.5 * np.exp(np.tile(offsets, 3))
    d = BUDGETS / (6 * n)
    return {"N": n, "D": d, "loss": loss_of(n, d, noise)}


def slanted(slope: float) -> Columns:
    """Runs at D = 1e6 N**slope."""
    n = np.geomspace(3e7, 3e9, 12)
    return {"N": n, "D": 1e6 * n**slope, "loss": loss_of(n, 1e6 * n**slope)}


def quantised(**changes: Any) -> Columns:
    """Four models in 16 bits and after quantisation."""
    n = np.repeat([1e8, 3e8, 1e9, 3e9], 4)
    d = np.tile([2e9, 1e10, 5e10, 2e11], 4)
    post = np.tile([16.0, 8.0, 4.0, 3.0], 4)
    loss = loss_of(n, d) + 3.0 * np.exp(-post) * (post < 16)
    return {"N": n, "D": d, "P_w": np.full(16, 16.0), "P_post": post, "loss": loss, **changes}


def text(*values: str) -> list[str]:
    """Labels that alternate over the grid."""
    return list(np.resize(values, len(GRID_N)))


OFFSETS = np.linspace(-1.2, 1.2, 7)
STEPS = np.tile([1000.0, 2000.0, 3000.0, 4000.0], 6)
OF_TABLES: dict[str, tuple[str, Columns]] = {
    "D is 20 N": ("ridge", ladder(0.0)),
    "D is about 20 N": ("ridge", ladder(0.05)),
    "two sizes": ("few-levels", grid(N=np.where(GRID_N > 3e8, 1e9, 1e8))),
    "one amount of data": ("one-level", grid(D=np.full(24, 2e10))),
    "embeddings count in C, not in N": (
        "compute-drifts",
        grid(C=6 * GRID_D * (GRID_N + 5e4 * GRID_N**0.4)),
    ),
    "C of forward passes": ("compute-factor", grid(C=2 * GRID_N * GRID_D)),
    "C of something else": ("compute-disagrees", grid(C=row(6 * GRID_N * GRID_D, 3, 5.0))),
    "one budget": ("one-budget", {name: x[7:14] for name, x in isoflop(OFFSETS).items()}),
    "D is 1e6 N^0.5": ("ridge", slanted(0.5)),
    "one size in thousands": ("unit-slip", grid(N=row(GRID_N, 7, 1e-3))),
    "two sizes in thousands": ("unit-slip", grid(N=row(row(GRID_N, 7, 1e-3), 14, 1e-3))),
    "tokens of three runs in billions": (
        "unit-slip",
        grid(D=row(row(row(GRID_D, 2, 1e-9), 11, 1e-9), 20, 1e-9)),
    ),
    "one compute in PFLOP": ("compute-slip", grid(C=row(6 * GRID_N * GRID_D, 3, 1e-15))),
    "sizes in millions": ("suspicious-scale", grid(N=GRID_N / 1e6)),
    "perplexities as losses": ("large-loss", grid(loss=np.exp(loss_of(GRID_N, GRID_D)))),
    "embeddings in small models": (
        "embeddings",
        grid(**{"non-embedding N": GRID_N - 5e4 * GRID_N**0.3, "params": GRID_N, "N": None}),
    ),
    "active beside total parameters": ("active-and-total", grid(**{"total params": 8 * GRID_N})),
    "two kinds of size": ("mixed-n-kind", grid(n_kind=text("total", "non-embedding"))),
    "checkpoints as runs": ("checkpoints", grid(step=STEPS)),
    "a run listed twice": (
        "duplicate-runs",
        {name: [*values, values[5]] for name, values in grid().items()},
    ),
    "forty epochs": ("epochs", grid(**{"unique tokens": np.minimum(GRID_D, 1e10)})),
    "a sweep of learning rates": (
        "untuned-runs",
        {
            "N": np.repeat([1e8, 1e9], 8),
            "D": np.repeat([1e9, 1e10, 1e11, 1e12], 4),
            "lr": np.tile([1e-4, 3e-4, 1e-3, 3e-3], 4),
            "loss": np.tile([3.1, 3.0, 2.9, 2.8], 4) * np.linspace(1.2, 0.9, 16),
        },
    ),
    "the best rate at the edge": (
        "untuned-at-edge",
        {
            "N": np.repeat([1e8, 1e9], 8),
            "D": np.repeat([1e9, 1e10, 1e11, 1e12], 4),
            "lr": np.tile([1e-4, 3e-4, 1e-3, 3e-3], 4),
            "loss": np.tile([3.1, 3.0, 2.9, 2.8], 4) * np.repeat([1.2, 1.0, 0.9, 0.8], 4),
        },
    ),
    "one rate for all sizes": ("one-learning-rate", grid(lr=np.full(24, 3e-4))),
    "a warm-up as long as small runs": (
        "long-warmup",
        grid(warmup_tokens=np.full(24, 1.5e9)),
    ),
    "budgets beside the optimum": ("unbracketed", isoflop(np.linspace(0.5, 3, 7))),
    "budgets off-centre": ("off-centre", isoflop(np.linspace(-2.4, 0.5, 7) - 0.2)),
    "budgets without a valley": ("weak-curvature", isoflop(np.linspace(-0.3, 0.3, 7), 0.02)),
    "one run 25% too high": (
        "outliers",
        {name: values[:12] for name, values in grid(loss=row(grid()["loss"], 6, 1.25)).items()},
    ),
    "bits below one": ("bits-below-domain", quantised(P_w=np.resize([16.0, 0.5], 16))),
    "bytes for bits": ("bits-in-bytes", grid(P_w=np.resize([2.0, 1.0], 24))),
    "more bits after training": ("post-above-train", quantised(P_w=np.full(16, 4.0))),
    "better after quantisation": (
        "quantised-better",
        quantised(N=np.full(16, 1e9), D=np.full(16, 2e10), loss=np.tile([3.0, 2.9, 3.1, 3.2], 4)),
    ),
    "two arms in one table": ("text-splits", grid(variant=text("base", "2x"))),
    "two tokenizers": ("mixed-tokenizers", grid(vocab_size=np.resize([32000.0, 50257.0], 24))),
    "two evaluation contexts": ("mixed-evaluations", grid(eval_ctx=np.resize([512.0, 2048.0], 24))),
    "two corpora, by number": ("mixed-protocols", grid(corpus=np.resize([1.0, 2.0], 24))),
    "exact match at zero": (
        "thresholded-metric",
        grid(exact_match=np.maximum(0.0, np.linspace(-0.3, 0.5, 24))),
    ),
    "test data in training": ("contamination", grid(contaminated=text("no", "yes"))),
    "tokens from characters by another unit": (
        "tokens-per-character",
        grid(n_characters=GRID_D * 4e3),
    ),
    "runs that go on": ("unfinished-runs", grid(state=text("finished", "finished", "running"))),
}
"""What is planted → its code and the table."""


@pytest.mark.parametrize("fault", OF_TABLES)
def test_a_fault_of_a_table_is_found_with_its_code(fault: str):
    code, columns = OF_TABLES[fault]
    table = runs.read({name: values for name, values in columns.items() if values is not None})
    notes = {note.code: note for note in assess.audit(table).notes}
    assert code in notes, sorted(notes)
    assert notes[code].evidence, "a finding has numbers"
    assert notes[code].severity in ("error", "warning") or code == "one-level"
    assert assess.advice(code)


def findings(columns: Columns) -> dict[str, Any]:
    """Code → note of severity "error" or "warning"."""
    return {n.code: n for n in assess.audit(columns).notes if n.severity != "info"}


def test_clean_tables_have_no_finding():
    sweep = quantised(P_post=np.tile([2.0, 4.0], 8), loss=loss_of(GRID_N[:16], GRID_D[:16]))
    clean = (
        *(grid(), isoflop(OFFSETS), quantised(), sweep),
        grid(leaky_relu_slope=np.full(24, 0.01), decontaminated=text("yes")),
    )
    for columns in clean:
        assert findings(columns) == {}
    answers = text("n", "clean", "unknown", "no")
    assert set(findings(grid(contaminated=answers))) == {"text-splits"}


def test_one_fault_is_one_finding():
    assert set(findings(OF_TABLES["C of forward passes"][1])) == {"compute-factor"}
    assert set(findings(ladder(0.0))) == {"ridge"}


def test_a_header_of_bytes_says_so():
    columns = grid(**{"weight bytes": np.resize([2.0, 4.0], 24)})
    table = runs.read(columns, columns={"P_w": "weight bytes"})
    assert "bits-in-bytes" in {note.code for note in assess.audit(table).notes}


def test_all_rows_with_a_slip_are_named():
    slipped = grid(D=row(row(row(GRID_D, 2, 1e-9), 11, 1e-9), 20, 1e-9))
    assert findings(slipped)["unit-slip"].evidence["rows"] == (3, 12, 21)
    # A fifth and more of the runs are another kind of run.
    many = grid(D=np.where(np.arange(24) % 4 == 0, 1e-9, 1.0) * GRID_D)
    assert "unit-slip" not in findings(many)


def test_a_line_is_named_with_its_slope():
    note = findings(slanted(0.5))["ridge"]
    assert "D about 1e6 N^0.5 (within 0.0%)" in note.message
    # A quarter of the way along ln N: 94.9M parameters, 9.74B tokens on the line.
    assert "N 94.9M at D 2.44B and 39B" in note.message
    assert note.evidence["slope"] == pytest.approx(0.5)
    assert "D about 20 N (" in findings(ladder(0.0))["ridge"].message
    assert "about 1e20 FLOP" in findings(OF_TABLES["one budget"][1])["one-budget"].message


# --- faults of a law on a table ---

ERRORS = 0.004 * np.random.default_rng(4).standard_normal(len(N))
TAILS = np.where(np.arange(len(N)) % 7 == 3, 12.0, 1.0)
TOP = np.argsort(-(N * D))[:4]
OF_FITS: dict[str, tuple[str, np.ndarray]] = {
    "a law of another form": ("lack-of-fit", bowl(0.1) + ERRORS),
    "large runs off the law": ("largest-runs-off", ERRORS + 0.06 * np.isin(np.arange(len(N)), TOP)),
    "heavy tails": ("heavy-tails", ERRORS * TAILS),
    "noise that falls with scale": (
        "noise-with-scale",
        np.resize([1, -0.7, 0.8, -1.1], len(N)) * 0.02 * (N * D / 5e16) ** -0.4,
    ),
    "a run that diverged": ("outliers", ERRORS + 0.15 * (np.arange(len(N)) == 9)),
}


@pytest.mark.parametrize("fault", OF_FITS)
def test_a_fault_of_a_fit_is_found_with_its_code(fault: str):
    code, errors = OF_FITS[fault]
    table = table_with(errors)
    notes = {note.code: note for note in assess.audit(table, at_truth(table)).notes}
    assert code in notes, sorted(notes)
    assert code in {note.code for note in assess.doubts(at_truth(table), table)}


def test_outliers_are_named_with_their_leverage():
    table = table_with(
        OF_FITS["a run that diverged"][1], run_id=np.array([f"run-{i}" for i in range(len(N))])
    )
    (note,) = [n for n in assess.audit(table, at_truth(table)).notes if n.code == "outliers"]
    assert "row 10 ('run-9')" in note.message
    assert note.evidence["rows"] == (10,)
    assert 0.1 < note.evidence["gap"][0] < 0.2
    assert 0 < note.evidence["leverage"][0] < 1
