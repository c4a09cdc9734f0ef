"""Forecasts of the ends of runs: exact curves, bands, and what is refused."""

import numpy as np
import pytest

from jscale import fit, runs
from jscale._core.errors import JscaleError

RUNS, POINTS, END, SEEN = 40, 25, 4e10, 0.6
SHARES = np.linspace(0.04, 1, POINTS)


def table(loss: np.ndarray, cut: list[int], **columns):
    """Curves (runs, points) as checkpoints; of the runs in ``cut`` the first part alone."""
    count = len(loss)
    run = np.repeat(np.arange(count), POINTS)
    D = np.tile(END * SHARES, count)
    rows = {"N": 1e8 * (1 + run), "D": D, "loss": loss.ravel(), "run_id": [f"r{i}" for i in run]}
    rows |= {name: np.repeat(values, POINTS) for name, values in columns.items()}
    seen = (D <= SEEN * END * (1 + 1e-9)) | ~np.isin(run, cut)
    return runs.read({name: np.asarray(column)[seen] for name, column in rows.items()})


def curves(noise: float) -> np.ndarray:
    """Losses with a floor that fall faster over the last fifth of the tokens, as rates decay."""
    rng = np.random.default_rng(5)
    floor, scale = rng.uniform(1.8, 2.6, (2, RUNS, 1))
    decayed = np.clip((SHARES - 0.8) / 0.2, 0, 1)
    loss = floor + scale * (END * SHARES / 1e8) ** -0.35 - 0.05 * scale * decayed
    return loss * np.exp(noise * rng.normal(size=loss.shape))


def test_a_power_law_goes_on():
    """Without a floor the forecast is exact, and so are the errors that make the band."""
    loss = np.linspace(3, 4, 12)[:, None] * SHARES**-0.1
    ends = fit.run_ends(table(loss, [4]), horizon=END)
    assert list(ends.run) == ["r4"]
    np.testing.assert_allclose([ends.loss, ends.low, ends.high], loss[4, -1], rtol=1e-12)
    np.testing.assert_allclose([ends.share[0], ends.last[0]], [SEEN, loss[4, 14]])
    assert (ends.errors[0], ends.finished[0], ends.notes) == (11, True, ())


def test_finished_runs_show_the_fall_of_the_last_part():
    """Coverage of 80% over 40 runs within three binomial errors, and less error than before."""
    loss = curves(noise=2e-4)
    ends = [fit.run_ends(table(loss, [i]), horizon=END) for i in range(RUNS)]
    true = loss[[int(end.run[0][1:]) for end in ends], -1]
    low, high, forecast, last = (
        np.array([getattr(end, name)[0] for end in ends])
        for name in ("low", "high", "loss", "last")
    )
    assert abs(np.mean((low <= true) & (true <= high)) - 0.8) < 3 * np.sqrt(0.16 / RUNS)
    assert np.abs(forecast - true).max() < np.abs(last - true).min() / 5


def test_unfinished_runs_learn_from_their_own_past():
    """All runs cut: the bands say that they know nothing of the end, and miss the last fall."""
    loss = curves(noise=2e-4)
    ends = fit.run_ends(table(loss, list(range(RUNS))), horizon=END)
    assert not ends.finished.any()
    assert [note.code for note in ends.notes] == ["no-finished-runs"]
    order = [int(label[1:]) for label in ends.run]
    assert (ends.low > loss[order, -1]).all()


def test_few_runs_have_no_band():
    loss = curves(noise=0.0)[:5]
    ends = fit.run_ends(table(loss[:, :POINTS], [0]), horizon=END, level=0.99)
    assert np.isnan([ends.low[0], ends.high[0]]).all()
    assert np.isfinite(ends.loss[0])
    assert [note.code for note in ends.notes] == ["no-band"]
    assert len(fit.run_ends(table(loss, []), horizon=END).run) == 0


def test_what_is_refused():
    loss = curves(noise=0.0)[:3]
    planned = table(loss, [0], planned=np.full(3, END))
    assert list(fit.run_ends(planned, horizon="planned").run) == ["r0"]
    with pytest.raises(JscaleError, match="no column 'end'"):
        fit.run_ends(planned, horizon="end")
    with pytest.raises(JscaleError, match="no column 'name'"):
        fit.run_ends(planned, horizon="planned", by="name")
    with pytest.raises(JscaleError, match="expected one positive number"):
        fit.run_ends(planned, horizon=-1.0)
    with pytest.raises(JscaleError, match="final losses are not training curves"):
        fit.run_ends(planned.where(planned["D"] == END), horizon=END)
