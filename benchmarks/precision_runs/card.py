"""The data card of the table, with its numbers taken from the table and from the record of the
text.
"""

import argparse
import json
import platform
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path

from benchmarks.precision_runs import summary, table, train
from benchmarks.precision_runs.corpus import write
from benchmarks.precision_runs.design import RATE_SEARCH, SIZES, jobs

_HEAD = ("column", "unit", "what")
_COLUMNS = (
    (
        "`run_id`",
        "",
        "`n<N>-w<P_w>a<P_a>k<P_kv>-s<seed>-r<D/N>`, with a prefix for searches of rates and for checks",
    ),
    (
        "`purpose`",
        "",
        "`design`; `seed`: a cell of the design with another seed; `rate`: search of the learning rate; "
        "`schedule`: check of the trunks",
    ),
    (
        "`N`, `n_kind`",
        "parameters",
        "12 × layers × width², the matrices of the blocks; embedding and head are not "
        "counted, norms have no parameters",
    ),
    ("`D`", "tokens", "bytes trained on; none is a target twice in a run"),
    ("`C`", "FLOP", "6 N D, whatever the bits"),
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
        "not meant for fits, and why: diverged, search of rates, check of the schedule",
    ),
    ("`lr`, `schedule`", "", "peak learning rate; `wsd` (warm-up, constant, decay) or `cosine`"),
    (
        "`trunk`",
        "",
        "runs with the same entry branched off one run at constant rate; empty: no trunk",
    ),
    ("`steps`, `batch`", "", "training steps; sequences of 128 bytes a step"),
    ("`layers`, `width`, `heads`", "", "of the model"),
    (
        "`seconds`",
        "CPU s",
        "of what this run added to its trunk, its validation and its quantisation after training, "
        "with compilation where a process met a size first",
    ),
    ("`corpus`, `jax`", "", "first 12 digits of the text's SHA-256; version of JAX"),
)
_POST_COLUMNS = (
    ("`P_post`", "bits", "of the weights after training"),
    (
        "`method`",
        "",
        "`rtn`: each weight to the nearest of its channel's values; `gptq`: input by input, errors made "
        "good by those to come (arXiv 2210.17323), damping 0.01, calibrated on 128 held-out sequences",
    ),
    ("`loss`, `loss_se`", "nats per byte", "as above, after quantisation"),
    (
        "`delta`, `delta_se`",
        "nats per byte",
        "loss after minus loss before, and its standard error from the paired "
        "differences over documents",
    ),
)

_MAKING = """\
- **Model**: decoder-only transformer on bytes (vocabulary 256), context 128, pre-norm with RMSNorm without gain, rotary
  positions, GELU, no biases, untied embedding and head; float32.
- **Quantisation in training**: forward pass only, gradients straight through; integer and symmetric, levels −L … L with
  L = 2^(P−1) − 1, the step is the largest magnitude / L. Weights: a step for each output channel; activations: a step
  for each input of a linear layer, over the whole batch; KV cache: a step for K (after rotation) and one for V.
  Embedding and head stay in float32.
- **Quantisation after training** starts from the weights as the network used them (on their P_w-bit grid) and leaves
  activations and cache at their bits of training. So `P_post` = `P_w` adds nothing, and rows with `P_post` > `P_w`
  round a coarser grid once more: the law of the paper speaks of `P_post` ≤ `P_w` only.
- **Optimiser**: AdamW (0.9, 0.95), weight decay {weight_decay}, gradient norm at most 1; {warmup} steps of warm-up,
  constant rate, linear decay to zero over the last {decay:.0%} of the steps.
- **Trunks**: for each (N, bits, seed) one run at constant rate; each D is a decay that branches off it.
- **Learning rate**: found for each N at 16/16/16, seed 0, at the D/N given below, as the best of a grid of factor 2,
  which is extended until the best lies between two worse ones; then kept for all bits, D and seeds of that N.
- **Text**: {train_mb:.0f} MB for training; files of the Debian packages below, plain ASCII, no duplicates, cut by file
  in the order of their hashes. Validation: {sequences} sequences of 128 predicted bytes from {documents} files that are
  in no other part; calibration: 128 sequences from yet other files.
"""

_LIMITS = """\
- **Micro-scale.** The largest model has 0.4 M parameters and sees megabytes of bytes, not trillions of sub-words.
  What may carry over: which parts interact, the shape of degradation in bits, and its growth with D/N. What does
  not: the values of E, A, B, the exponents, the gammas, P* and D_crit in units of tokens.
- Tokens are bytes: losses are nats per byte, and a D/N of 20 is not that of sub-word models.
- Two kinds of shape (2 and 4 layers), width 16 to 128: N is not varied at one aspect ratio.
- The learning rate is tuned at one D/N for each N and at high precision; low bits might prefer another.
- Short runs have few steps ({fewest} at the least), of which warm-up is a good part: D/N ≤ 20 at the two smallest
  sizes is as much about the optimiser as about data.
- Activation steps are taken over the batch, so a loss depends slightly on what else is in the batch, and a step
  sees later positions; batches are the same for all settings of a size.
- Runs with one seed share the order of the text and the first weights: differences between bits at one N, D and
  seed are paired, but training is chaotic and the pairing soon weakens.
- With activations in 2 bits nothing is learnt but the frequencies of bytes, at every length; such a run is flagged as
  diverged only where its loss is above theirs. `jscale` leaves `P_a` = 2 out of fits. Larger sizes do not try it.
- 16 bits stand for float32: no loss from 16-bit floats is in this table.
"""


def _table(head: tuple[str, ...], rows: Iterable[tuple]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines) + "\n"


def _noise(rows: list[summary.Row]) -> str:
    found = summary.noise(rows)
    cells = _table(
        ("N", "D", "P_w/P_a/P_kv", "seeds", "standard deviation"),
        [(one.N, one.D, one.bits, one.seeds, f"{one.sd:.4f}") for one in found],
    )
    return (
        f"Seeds change both the initial weights and the order of the text. Over {len(found)} cells the pooled standard "
        f"deviation of the loss is **{summary.pooled(found):.4f}** nats per byte.\n\n{cells}\n"
        "`loss_se` is larger: it says how far the loss on *all* text of this kind may be from the loss on these\n"
        "validation files. All runs share the files, so that error is common to them and belongs to E; **between\n"
        "runs, the spread above is the noise to weight by**. `delta_se` is paired and small.\n"
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
        ("N", "layers × width", "searched at D/N", "learning rate: loss", "best so far"), entries
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
    """The card of the table at ``out``, in Markdown; ``record`` is that of the text."""
    rows, post = summary.read(out)
    kept = [row for row in rows if row["exclude"] == "0"]
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

Byte-level language models trained with weights, activations and KV cache in few bits each, and quantised once more
after training. {len(rows)} runs ({counted}), of which {len(kept)} are meant for fits and {diverged} diverged;
{len(post)} losses after post-training quantisation. The design has {len(jobs())} runs beside the searches of
learning rates; the table may hold a part of it, and its order keeps every part balanced over the bits.

## Columns of `{out.name}`
{_table(_HEAD, _COLUMNS).format(**fields)}
The second table, `{table.post_path(out).name}`, has a row for each (run, method, `P_post`): the columns up to
`seed`, and

{_table(_HEAD, _POST_COLUMNS)}
## How it was made
{_MAKING.format(**fields)}
`python -m benchmarks.precision_runs.sweep --work FOLDER --out {out.name}` makes it, and goes on from the rows that
exist; `python -m benchmarks.precision_runs.reproduce --work FOLDER --table {out.name} RUN_ID …` makes runs again.

{_rates(rows)}
## Do trunks give what runs from scratch give?
With the same schedule a branch of a trunk and a run from scratch do the same steps, so their losses must be the same; a
cosine to a tenth of the same peak rate is another schedule altogether and shows how much the schedule matters.

{_schedule(rows)}
## Noise
{_noise(rows)}
## Known limits
{_LIMITS.format(**fields)}
## Text and versions
SHA-256 of the text (validation, calibration, training): `{record["sha256"]}`;
training alone: `{record["sha256_parts"]["train"]}`;
validation alone: `{record["sha256_parts"]["validation"]}`.
Loss of a guess by byte frequencies: {record["unigram_loss"]:.4f} nats per byte. The text itself is not distributed.

{_table(("package", "version", "documents", "bytes", "SHA-256 of the .deb"), packages)}
{versions}; one CPU core a run, float32.
"""


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--work", type=Path, required=True, help="folder of the sweep, for the record of its text"
    )
    parser.add_argument(
        "--out", type=Path, required=True, help="table of runs; the card lies beside it, as .md"
    )
    options = parser.parse_args()
    record = json.loads((options.work / "corpus" / "corpus.json").read_text())
    write(options.out.with_suffix(".md"), card(options.out, record).encode())


if __name__ == "__main__":
    main()
