"""The sweep: runs the design cheapest first, saves each finished run and resumes after a stop.

``python -m benchmarks.precision_runs.sweep --work FOLDER --out TABLE.csv`` starts one worker per
core.
"""

import argparse
import math
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np

from benchmarks.precision_runs import corpus, table, train
from benchmarks.precision_runs.card import card
from benchmarks.precision_runs.design import Job, ordered
from benchmarks.precision_runs.post import GPTQ, RTN, HeldOut, post_losses

_LEAF_NAME = "leaf{:03d}"
_POLL_SECONDS = 10.0  # seconds until a worker that waits for other_texts looks again


def save(path: Path, state: train.State) -> None:
    """Save a state; the write is atomic."""
    path.parent.mkdir(parents=True, exist_ok=True)
    values = jax.tree.leaves((state.params, state.optimiser))
    temporary = path.with_name(f".{path.name}")
    with temporary.open("wb") as file:
        arrays: dict[str, Any] = {
            _LEAF_NAME.format(i): np.asarray(leaf) for i, leaf in enumerate(values)
        }
        np.savez(file, step=state.step, **arrays)
    temporary.replace(path)


def restore(path: Path, template: train.State) -> train.State:
    """The state in a file, with the structure of ``template``."""
    shape = jax.tree.structure((template.params, template.optimiser))
    with np.load(path) as file:
        values = [jax.numpy.asarray(file[_LEAF_NAME.format(i)]) for i in range(shape.num_leaves)]
        params, optimiser = jax.tree.unflatten(shape, values)
        return train.State(params, optimiser, int(file["step"]))


def _cosine(lr: float, steps: int) -> np.ndarray:
    """Warm-up, then a cosine to a tenth of the peak over the whole run."""
    step = np.arange(steps)
    factor = np.minimum(1.0, (step + 1) / train.WARMUP) * (
        0.55 + 0.45 * np.cos(np.pi * step / steps)
    )
    return (lr * factor).astype(np.float32)


def train_job(
    job: Job, lr: float, text: np.ndarray, trunks: Path
) -> tuple[train.State, np.ndarray]:
    """Train one run, from the nearest stop of its trunk if there is one.

    Returns:
        The final state, and the training losses since the trunk's last stop.
    """
    size, stream = job.size, train.Stream(text, job.seed)
    state = train.start(size, job.seed)
    if job.schedule == "cosine":
        return train.advance(state, size, stream, _cosine(lr, job.steps), job.bits)
    if job.trunk:
        stops = {
            int(path.stem.rsplit("-t", 1)[1]): path
            for path in trunks.glob(f"{job.trunk_id}-t*.npz")
        }
        reached = max((step for step in stops if step <= job.stable), default=0)
        if reached:
            state = restore(stops[reached], state)
    state, stable = train.advance(
        state, size, stream, train.rates(lr, state.step, job.stable, None), job.bits
    )
    if job.trunk:
        save(trunks / f"{job.trunk_id}-t{job.stable}.npz", state)
    rate = train.rates(lr, job.stable, job.steps, job.steps)
    state, decay = train.advance(state, size, stream, rate, job.bits)
    return state, np.concatenate([stable, decay])


def run(job: Job, lr: float, text: corpus.Corpus, work: Path) -> tuple[dict, list[dict]]:
    """One finished run: its row, and the rows of its post-training losses."""
    start = time.process_time()
    state, trace = train_job(job, lr, text.train, work / "trunks")
    values = train.evaluate(state.params, job.size, text.validation, job.bits)
    loss, loss_se = train.mean_and_error(values, text.documents)
    bad = train.diverged(trace, loss, text.record["unigram_loss"])
    reasons = {"rate": "learning-rate search", "schedule": "check of the schedule"}
    reason = "diverged" if bad else reasons.get(job.purpose, "")
    flags = dict(diverged=int(bad), exclude=int(bool(reason)), reason=reason)
    cell = _cell(job) | flags

    post = []
    if math.isfinite(loss) and job.purpose in ("design", "seed"):
        post = [cell | entry for entry in _post_entries(job, state, text)]
    save(work / "models" / f"{job.run_id}.npz", state)

    last = trace[-max(len(trace) // 10, 1) :]
    row = cell | dict(
        loss=_number(loss),
        loss_se=_number(loss_se),
        train_loss=_number(float(last.mean())),
        lr=lr,
        schedule=job.schedule,
        trunk=job.trunk_id if job.trunk else "",
        steps=job.steps,
        batch=job.size.batch,
        layers=job.size.layers,
        width=job.size.width,
        heads=job.size.heads,
        seconds=round(time.process_time() - start, 1),
        corpus=text.sha256[:12],
        jax=jax.__version__,
    )
    return row, post


def _cell(job: Job) -> dict:
    """The columns that identify a run, in both tables."""
    return dict(
        run_id=job.run_id,
        purpose=job.purpose,
        N=job.N,
        n_kind="non-embedding",
        D=job.D,
        C=6 * job.N * job.D,
        P_w=job.bits[0],
        P_a=job.bits[1],
        P_kv=job.bits[2],
        seed=job.seed,
    )


def _post_entries(job: Job, state: train.State, text: corpus.Corpus) -> Iterator[dict]:
    """Method, bits and losses of every quantised copy of a run."""
    held = HeldOut(text.validation, text.documents, text.calibration)
    methods = (RTN, GPTQ) if job.compensated else (RTN,)
    names = ("loss", "loss_se", "delta", "delta_se")
    for quantised in post_losses(state.params, job.size, held, job.bits, methods):
        numbers = {name: _number(getattr(quantised, name)) for name in names}
        yield dict(method=quantised.method, P_post=quantised.P_post) | numbers


def _number(value: float) -> float | str:
    """A number as stored in the tables: seven digits, or empty if it is not finite."""
    return float(f"{value:.7g}") if math.isfinite(value) else ""


def next_run(work: Path, out: Path, text: corpus.Corpus, limit: float) -> str | None:
    """Train the cheapest run that no other worker has locked.

    Returns:
        A line about the result; None if no run of at most ``limit`` seconds remains; an empty
            string if other workers hold all that remain.
    """
    remaining = [
        (job, lr)
        for job, lr in ordered(table.losses(table.finished(work, out)))
        if job.seconds() <= limit
    ]
    for job, lr in remaining:
        with table.locked(
            work / "locks" / (job.trunk_id if job.trunk else job.run_id), wait=False
        ) as free:
            # Another worker may have finished it between reading the list and locking.
            if free and job.run_id not in table.finished(work, out):
                row, post = run(job, lr, text, work)
                table.append(work, row, post)
                table.export(work, out)
                corpus.write(out.with_suffix(".md"), card(out, text.record).encode())
                return (
                    f"{row['run_id']} loss {row['loss']} ± {row['loss_se']} in {row['seconds']} s"
                )
    return "" if remaining else None


def worker(work: Path, out: Path, limit: float) -> None:
    """Train runs until none remains."""
    jax.config.update("jax_compilation_cache_dir", str(work / "compiled"))
    text = corpus.load(work / "corpus")
    other_texts = {row["corpus"] for row, _ in table.finished(work, out).values()} - {
        text.sha256[:12]
    }
    if other_texts:
        raise SystemExit(
            f"the table has runs on another text ({', '.join(other_texts)}); expected only "
            f"{text.sha256[:12]}"
        )
    while (message := next_run(work, out, text, limit)) is not None:
        if message:
            print(time.strftime("%H:%M:%S"), message, flush=True)
        else:
            time.sleep(_POLL_SECONDS)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--work",
        type=Path,
        required=True,
        help="folder for the text, trunks, models and finished rows",
    )
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        help="table of runs; the other table and the card are written next to it",
    )
    parser.add_argument(
        "--workers", type=int, default=os.cpu_count(), help="processes, one core each"
    )
    parser.add_argument(
        "--limit", type=float, default=math.inf, help="skip runs of more CPU seconds than this"
    )
    parser.add_argument("--worker", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker is not None:
        worker(options.work, options.out, options.limit)
        return
    corpus.load(options.work / "corpus")
    # One thread per process: the matrices are too small to share. XLA counts the available cores.
    flags = {
        **os.environ,
        "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }
    cores = sorted(os.sched_getaffinity(0))
    command = [sys.executable, "-m", "benchmarks.precision_runs.sweep", *sys.argv[1:], "--worker"]
    started = [
        subprocess.Popen(["taskset", "-c", str(cores[i % len(cores)]), *command, str(i)], env=flags)
        for i in range(options.workers)
    ]
    sys.exit(max(process.wait() for process in started))


if __name__ == "__main__":
    main()
