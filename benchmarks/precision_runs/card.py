"""The data card of the table, with numbers from the table and from the record of the text."""

import argparse
import json
import platform
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path

from benchmarks.precision_runs import summary, table, train
from benchmarks.precision_runs.corpus import write
from benchmarks.precision_runs.design import RATE_SEARCH, SIZES, jobs

_HEAD = ("column", "unit", "meaning")
_COLUMNS = (
    (
        "`run_id`",
        "",
        "`n<N>-w<P_w>a<P_a>k<P_kv>-s<seed>-r<D/N>`, with a prefix for learning-rate searches "
        "and checks",
    ),
    (
        "`purpose`",
        "",
        "`design`; `seed`: a cell of the design with another seed; `rate`: search of the "
        "learning rate; `schedule`: check of the trunks",
    ),
    (
        "`N`, `n_kind`",
        "parameters",
        "12 × layers × width², the matrices of the blocks; embedding and head are not "
        "counted, norms have no parameters",
    ),
    ("`D`", "tokens", "bytes trained on; none is a target more than once in a run"),
    ("`C`", "FLOP", "6 N D, independent of the bits"),
    (
        "`P_w`, `P_a`, `P_kv`",
        "bits",
        "of weights, activations and KV cache in training and in validation; 16: off",
    ),
    ("`seed`", "", "of the initial weights and of the order of the text"),
    ("`loss`", "nats per byte", "on validation text; empty where it is not finite"),
    ("`loss_se`", "nats per byte", "standard error over validation documents: see *Noise*"),
    (
        "`train_loss`",
        "nats per byte",
        "mean over the last tenth of the steps since the trunk's last stop",
    ),
    (
        "`diverged`",
        "0 or 1",
        "not finite, or above the loss of byte frequencies alone ({unigram:.3f}), or training "
        "loss at the end {drift} above its lowest tenth",
    ),
    (
        "`exclude`, `reason`",
        "0 or 1",
        "excluded from fits, and the reason: diverged, learning-rate search, check of the schedule",
    ),
    ("`lr`, `schedule`", "", "peak learning rate; `wsd` (warm-up, constant, decay) or `cosine`"),
    (
        "`trunk`",
        "",
        "runs with the same entry start from one constant-rate run; empty: no trunk",
    ),
    ("`steps`, `batch`", "", "training steps; sequences of 128 bytes per step"),
    ("`layers`, `width`, `heads`", "", "of the model"),
    (
        "`seconds`",
        "CPU s",
        "of training beyond the trunk, validation and quantisation after training, including "
        "compilation for the first run of a size in a process",
    ),
    ("`corpus`, `jax`", "", "first 12 digits of the text's SHA-256; version of JAX"),
)
_POST_COLUMNS = (
    ("`P_post`", "bits", "of the weights after training"),
    (
        "`method`",
        "",
        "`rtn`: rounding of each weight to nearest in its channel; `gptq`: input by input, with "
        "errors compensated by later inputs (arXiv 2210.17323), damping 0.01, calibrated on 128 "
        "held-out sequences",
    ),
    ("`loss`, `loss_se`", "nats per byte", "as above, after quantisation"),
    (
        "`delta`, `delta_se`",
        "nats per byte",
        "loss after minus loss before, and its standard error from paired "
        "differences over documents",
    ),
)

_MAKING = """\
- **Model**: decoder-only transformer on bytes (vocabulary 256), context 128, pre-norm with
  RMSNorm without gain, rotary positions, GELU, no biases, untied embedding and head; float32.
- **Quantisation in training**: forward pass only, with straight-through gradients; symmetric
  integers, levels −L … L with L = 2^(P−1) − 1, and a step of the largest magnitude / L. Weights:
  one step per output channel; activations: one step per input of a linear layer, over the whole
  batch; KV cache: one step for K (after rotation) and one for V. Embedding and head stay in
  float32.
- **Quantisation after training** starts from the weights as the network used them (on their
  P_w-bit grid) and leaves activations and cache at their training bits. So `P_post` = `P_w` adds
  nothing, and rows with `P_post` > `P_w` round a coarser grid again: the law of the paper is for
  `P_post` ≤ `P_w` only.
- **Optimiser**: AdamW (0.9, 0.95), weight decay {weight_decay}, gradient norm at most 1; {warmup}
  steps of warm-up, constant rate, linear decay to zero over the last {decay:.0%} of the steps.
- **Trunks**: for each (N, bits, seed) one run at constant rate; each D is a decay that starts
  from it.
- **Learning rate**: searched for each N at 16/16/16, seed 0, at the D/N given below, as the best
  of a grid of factor 2, extended until the best lies between two worse ones; then used for all
  bits, D and seeds of that N.
- **Text**: {train_mb:.0f} MB for training; files of the Debian packages below, plain ASCII, no
  duplicates, split by file in the order of their hashes. Validation: {sequences} sequences of 128
  predicted bytes from {documents} files that are in no other part; calibration: 128 sequences
  from other files again.
"""

_LIMITS = """\
- **Micro-scale.** The largest model has 0.4 M parameters and is trained on megabytes of bytes,
  not trillions of sub-words. What may carry over: which parts interact, the shape of degradation
  in bits, and its growth with D/N. What does not: the values of E, A, B, the exponents, the
  gammas, P* and D_crit in units of tokens.
- Tokens are bytes: losses are in nats per byte, and a D/N of 20 is not that of sub-word models.
- Two depths (2 and 4 layers), width 16 to 128: N does not vary at a fixed aspect ratio.
- The learning rate is tuned at one D/N for each N and at high precision; low precision may need
  another.
- Short runs have few steps (at least {fewest}), of which warm-up is a large part: D/N ≤ 20 at the
  two smallest sizes measures the optimiser as much as the data.
- Activation steps are computed over the batch, so a loss depends slightly on the other sequences
  in the batch, and a step depends on later positions; batches are the same for all settings of a
  size.
- Runs with the same seed share the order of the text and the initial weights: differences between
  bits at one N, D and seed are paired, but training is chaotic and the pairing soon weakens.
- With activations in 2 bits the models learn only the frequencies of bytes, at every length; such
  a run is flagged as diverged only if its loss is above theirs. `jscale` excludes `P_a` = 2 from
  fits. Larger sizes were not trained with it.
- 16 bits mean float32: the table has no losses with 16-bit floats.
"""


def _table(head: tuple[str, ...], rows: Iterable[tuple]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines) + "\n"


def _noise(rows: list[summary.Row]) -> str:
    cells_noise = summary.noise(rows)
    cells = _table(
        ("N", "D", "P_w/P_a/P_kv", "seeds", "standard deviation"),
        [(one.N, one.D, one.bits, one.seeds, f"{one.sd:.4f}") for one in cells_noise],
    )
    return (
        "Seeds change both the initial weights and the order of the text. Over "
        f"{len(cells_noise)} cells the pooled standard deviation of the loss is "
        f"**{summary.pooled(cells_noise):.4f}** nats per byte.\n\n"
        f"{cells}\n`loss_se` is larger: it is the uncertainty of the loss on *all* text of this "
        "kind from these\nvalidation files. All runs share the files, so this error is common to "
        "them and part of E; **for weights\nbetween runs, use the standard deviation above**. "
        "`delta_se` is paired and small.\n"
    )


def _rates(rows: list[summary.Row]) -> str:
    entries = []
    for N, losses in summary.rates(rows).items():
        tried = ", ".join(f"{lr:g}: {loss:.4f}" for lr, loss in losses.items())
        size = SIZES[N]
        shape = f"{size.layers} × {size.width}, {size.heads} heads, batch {size.batch}"
        entries.append(
            (N, shape, RATE_SEARCH[N], tried, f"{min(losses, key=lambda lr: losses[lr]):g}")
        )
    return _table(
        ("N", "layers × width", "searched at D/N", "learning rate: loss", "best"), entries
    )


def _schedule(rows: list[summary.Row]) -> str:
    entries = [
        (c.N, c.D, f"{c.trunk:.4f}", f"{c.scratch:.4f}", f"{c.cosine:.4f}")
        for c in summary.checks(rows)
    ]
    return _table(
        ("N", "D", "from its trunk", "from scratch, same schedule", "from scratch, cosine"), entries
    )


def card(out: Path, record: dict) -> str:
    """The card of the table at ``out``, in Markdown.

    Args:
        out: the table of runs.
        record: the record of the text, from ``corpus.json``.
    """
    rows, post = summary.read(out)
    fitted = [row for row in rows if row["exclude"] == "0"]
    counted = ", ".join(
        f"{number} {purpose}" for purpose, number in sorted(summary.counts(rows).items())
    )
    packages = [
        (p["package"], p["version"], p["documents"], f"{p['bytes']:,}", f"`{p['deb_sha256']}`")
        for p in record["packages"]
    ]
    versions = f"Python {platform.python_version()}, " + ", ".join(
        f"{name} {version(name)}" for name in ("jax", "jaxlib", "optax", "numpy")
    )
    fields = dict(
        unigram=record["unigram_loss"],
        drift=train.DRIFT,
        weight_decay=train.WEIGHT_DECAY,
        warmup=train.WARMUP,
        decay=train.DECAY,
        fewest=min(job.steps for job in jobs()),
        train_mb=record["bytes"]["train"] / 1e6,
        documents=record["validation_documents_used"],
        sequences=1024,
    )
    diverged = sum(row["diverged"] == "1" for row in rows)
    return f"""# Precision runs

Byte-level language models trained with weights, activations and KV cache at low precision, and
quantised again after training. {len(rows)} runs ({counted}), of which {len(fitted)} are meant for
fits and {diverged} diverged; {len(post)} losses after post-training quantisation. The design has
{len(jobs())} runs in addition to the learning-rate searches; the table may contain a part of it,
and its order keeps every part balanced over the bits.

## Columns of `{out.name}`
{_table(_HEAD, _COLUMNS).format(**fields)}
The second table, `{table.post_path(out).name}`, has a row for each (run, method, `P_post`):
the columns up to `seed`, and

{_table(_HEAD, _POST_COLUMNS)}
## Methods
{_MAKING.format(**fields)}
`python -m benchmarks.precision_runs.sweep --work FOLDER --out {out.name}` creates the table, and
resumes from its rows; `python -m benchmarks.precision_runs.reproduce --work FOLDER
--table {out.name} RUN_ID …` trains runs again.

{_rates(rows)}
## Do runs from trunks equal runs from scratch?
With the same schedule, a run from a trunk and a run from scratch take the same steps, so their
losses must be equal; a cosine to a tenth of the same peak rate is a different schedule and shows
how much the schedule matters.

{_schedule(rows)}
## Noise
{_noise(rows)}
## Known limits
{_LIMITS.format(**fields)}
## Text and versions
SHA-256 of the text (validation, calibration, training): `{record["sha256"]}`;
training alone: `{record["sha256_parts"]["train"]}`;
validation alone: `{record["sha256_parts"]["validation"]}`.
Loss of predicting byte frequencies: {record["unigram_loss"]:.4f} nats per byte. The text itself
is not distributed.

{_table(("package", "version", "documents", "bytes", "SHA-256 of the .deb"), packages)}
{versions}; one CPU core per run, float32.
"""


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--work", type=Path, required=True, help="folder of the sweep, for the record of its text"
    )
    parser.add_argument(
        "--out", type=Path, required=True, help="table of runs; the card is next to it, as .md"
    )
    options = parser.parse_args()
    record = json.loads((options.work / "corpus" / "corpus.json").read_text())
    write(options.out.with_suffix(".md"), card(options.out, record).encode())


if __name__ == "__main__":
    main()
