"""The sweep: runs the design cheapest first, keeps each finished run at once, and goes on where it
was
    stopped.

``python -m benchmarks.precision_runs.sweep --work FOLDER --out TABLE.csv`` starts one worker a
core.
"""

import argparse
import math
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import jax
import numpy as np

from benchmarks.precision_runs import corpus, table, train
from benchmarks.precision_runs.card import card
from benchmarks.precision_runs.design import Job, ordered
from benchmarks.precision_runs.post import GPTQ, RTN, HeldOut, post_losses

_LEAVES = "leaf{:03d}"
_PATIENCE = 10.0  # seconds until a worker that waits for others looks again


def save(path: Path, state: train.State) -> None:
    """Keep a state; the file appears whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    leaves = jax.tree.leaves((state.params, state.optimiser))
    temporary = path.with_name(f".{path.name}")
    with temporary.open("wb") as file:
        arrays: dict[str, Any] = {
            _LEAVES.format(i): np.asarray(leaf) for i, leaf in enumerate(leaves)
        }
        np.savez(file, step=state.step, **arrays)
    temporary.replace(path)


def restore(path: Path, like: train.State) -> train.State:
    """The state in a file, with the structure of ``like``."""
    shape = jax.tree.structure((like.params, like.optimiser))
    with np.load(path) as file:
        leaves = [jax.numpy.asarray(file[_LEAVES.format(i)]) for i in range(shape.num_leaves)]
        params, optimiser = jax.tree.unflatten(shape, leaves)
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
    """Train one run, from the nearest point of its trunk if there is one; returns its end and its
    training losses.

    The losses are those since the trunk's last stop.
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
    begun = time.process_time()
    state, trace = train_job(job, lr, text.train, work / "trunks")
    values = train.evaluate(state.params, job.size, text.validation, job.bits)
    loss, loss_se = train.mean_and_error(values, text.documents)
    bad = train.diverged(trace, loss, text.record["unigram_loss"])
    reasons = {"rate": "learning-rate search", "schedule": "check of the schedule"}
    reason = "diverged" if bad else reasons.get(job.purpose, "")
    cell = dict(
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
    flags = dict(diverged=int(bad), exclude=int(bool(reason)), reason=reason)
    post = []
    if math.isfinite(loss) and job.purpose in ("design", "seed"):
        held = HeldOut(text.validation, text.documents, text.calibration)
        methods = (RTN, GPTQ) if job.compensated else (RTN,)
        for found in post_losses(state.params, job.size, held, job.bits, methods):
            numbers = {
                name: _number(getattr(found, name))
                for name in ("loss", "loss_se", "delta", "delta_se")
            }
            post.append(cell | flags | dict(method=found.method, P_post=found.P_post) | numbers)
    save(work / "models" / f"{job.run_id}.npz", state)
    last = trace[-max(len(trace) // 10, 1) :]
    row = (
        cell
        | flags
        | dict(
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
            seconds=round(time.process_time() - begun, 1),
            corpus=text.sha256[:12],
            jax=jax.__version__,
        )
    )
    return row, post


def _number(value: float) -> float | str:
    """A number as the tables keep it: seven digits; empty where it is not finite."""
    return float(f"{value:.7g}") if math.isfinite(value) else ""


def next_run(work: Path, out: Path, text: corpus.Corpus, most: float) -> str | None:
    """Make the cheapest run that no other worker is at, and say what came out.

    None: no run is left that costs at most ``most`` seconds; an empty text: those left are under
        way elsewhere.
    """
    left = [
        (job, lr)
        for job, lr in ordered(table.losses(table.finished(work, out)))
        if job.seconds() <= most
    ]
    for job, lr in left:
        with table.locked(
            work / "locks" / (job.trunk_id if job.trunk else job.run_id), wait=False
        ) as free:
            # Another worker may have ended it between the reading of the list and the lock.
            if free and job.run_id not in table.finished(work, out):
                row, post = run(job, lr, text, work)
                table.append(work, row, post)
                table.export(work, out)
                corpus.write(out.with_suffix(".md"), card(out, text.record).encode())
                return (
                    f"{row['run_id']} loss {row['loss']} ± {row['loss_se']} in {row['seconds']} s"
                )
    return "" if left else None


def worker(work: Path, out: Path, most: float) -> None:
    """Make runs until none is left."""
    jax.config.update("jax_compilation_cache_dir", str(work / "compiled"))
    text = corpus.load(work / "corpus")
    others = {row["corpus"] for row, _ in table.finished(work, out).values()} - {text.sha256[:12]}
    if others:
        raise SystemExit(
            f"the table holds runs on another text ({', '.join(others)}), not on {text.sha256[:12]}"
        )
    while (done := next_run(work, out, text, most)) is not None:
        if done:
            print(time.strftime("%H:%M:%S"), done, flush=True)
        else:
            time.sleep(_PATIENCE)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--work",
        type=Path,
        required=True,
        help="folder for the text, trunks, models and finished lines",
    )
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        help="table of runs; the other table and the card lie beside it",
    )
    parser.add_argument(
        "--workers", type=int, default=os.cpu_count(), help="processes, one core each"
    )
    parser.add_argument(
        "--most", type=float, default=math.inf, help="leave out runs of more CPU seconds than this"
    )
    parser.add_argument("--worker", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker is not None:
        worker(options.work, options.out, options.most)
        return
    corpus.load(options.work / "corpus")
    # One thread a process: the matrices are too small to share. XLA counts the cores that a process
    # may use.
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
