"""Forecasts of the ends of runs: exact curves, bands, and what is refused."""

import numpy as np
import pytest

from jscale import fit, runs
from jscale._core.errors import JscaleError
from jscale.fit.curves._extrapolate import errors_needed, quantiles

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
    """Coverage of 80% over 40 runs, and less error than the last loss has.

    A band leaves out four of the 39 other errors at each end. So the true losses inside are those
    of the runs whose own error is one of the middle 32 of the 40.
    """
    loss = curves(noise=2e-4)
    ends = [fit.run_ends(table(loss, [i]), horizon=END) for i in range(RUNS)]
    true = loss[[int(end.run[0][1:]) for end in ends], -1]
    low, high, forecast, last = (
        np.array([getattr(end, name)[0] for end in ends])
        for name in ("low", "high", "loss", "last")
    )
    assert np.sum((low <= true) & (true <= high)) == 32
    assert np.abs(forecast - true).max() < np.abs(last - true).min() / 5


@pytest.mark.parametrize(
    ("level", "count", "tail"),
    [(0.8, 9, 1), (0.9, 19, 1), (0.95, 39, 1), (0.8, 19, 2), (0.8, 38, 3), (0.8, 39, 4)],
)
def test_order_statistics_of_a_band(level, count, tail):
    """The tail is ``floor((count + 1) * (1 - level) / 2)`` without rounding errors."""
    errors = np.arange(1.0, count + 1)
    assert quantiles(errors, level) == (tail, (count + 1) / 2, count + 1 - tail)
    if tail == 1:
        assert errors_needed(level) == count
        assert np.isnan(quantiles(errors[1:], level)[0])


def test_the_least_number_of_finished_runs():
    """9 other runs are enough at 80%; 8 are not, and the errors inside the runs take over."""
    loss = np.linspace(3, 4, 10)[:, None] * SHARES**-0.1
    enough = fit.run_ends(table(loss, [4]), horizon=END)
    assert (enough.errors[0], enough.finished[0], enough.notes) == (9, True, ())
    too_few = fit.run_ends(table(loss[1:], [4]), horizon=END)
    assert not too_few.finished[0]
    assert [note.code for note in too_few.notes] == ["no-finished-runs"]


def test_bands_of_unfinished_runs_are_of_their_past():
    """All runs cut: a note says that the end is not in the bands, which miss the last fall."""
    loss = curves(noise=2e-4)
    ends = fit.run_ends(table(loss, list(range(RUNS))), horizon=END)
    assert not ends.finished.any()
    assert [note.code for note in ends.notes] == ["no-finished-runs"]
    order = [int(label[1:]) for label in ends.run]
    assert (ends.low > loss[order, -1]).all()


def test_few_runs_have_no_band():
    loss = curves(noise=0.0)[:5]
    ends = fit.run_ends(table(loss, [0]), horizon=END, level=0.99)
    assert np.isnan([ends.low[0], ends.high[0]]).all()
    assert np.isfinite(ends.loss[0])
    assert [note.code for note in ends.notes] == ["no-band"]
    assert ends.notes[0].message.endswith(
        "at 99% it takes 199 errors of finished runs, or inside runs"
    )
    assert len(fit.run_ends(table(loss, []), horizon=END).run) == 0


def test_doubtful_forecasts_are_named():
    falling = np.linspace(3, 4, 4)[:, None] * SHARES**-0.1
    done = fit.run_ends(table(falling, []), horizon=END)
    assert [note.code for note in done.notes] == ["no-open-runs"]
    assert len(done.loss) == 0

    far = fit.run_ends(table(falling, []), horizon=1000 * END)
    assert [note.code for note in far.notes] == ["no-band", "far-horizon"]
    assert "4 runs end at up to 1k times the tokens" in far.notes[-1].message

    falling[2] = 3 * SHARES**0.5
    rising = fit.run_ends(table(falling, [1, 2]), horizon=END).notes[-1]
    assert (rising.code, rising.evidence) == ("rising-loss", {"runs": ["r2"]})


def test_what_is_refused():
    loss = curves(noise=0.0)[:3]
    planned = table(loss, [0], planned=np.full(3, END))
    assert list(fit.run_ends(planned, horizon="planned").run) == ["r0"]
    with pytest.raises(JscaleError, match="final losses are not training curves"):
        fit.run_ends(planned.where(planned["D"] == END), horizon=END)
    differing = table(loss, [0], planned=np.array([END, -END, END]))
    with pytest.raises(JscaleError, match=r"run 'r1' has the horizons -4e\+10; expected one pos"):
        fit.run_ends(differing, horizon="planned")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"horizon": "end"}, "horizon: table has no column 'end'; it has {columns}"),
        ({"horizon": END, "by": "name"}, "by: table has no column 'name'; it has {columns}"),
        ({"horizon": END, "by": None}, "by: table has no column None; it has {columns}"),
        (
            {"horizon": "run_id"},
            "horizon: column 'run_id' of table is not numeric; expected tokens",
        ),
        ({"horizon": -1.0}, "horizon must be a finite number above 0, not -1"),
        ({"horizon": None}, "horizon must be a number, not None"),
        (
            {"horizon": [END, END]},
            "horizon must be one number of tokens or the name of a column, not "
            "[40000000000.0, 40000000000.0]",
        ),
    ],
)
def test_arguments_that_are_refused(options, message):
    few = table(curves(noise=0.0)[:2], [0])
    with pytest.raises(JscaleError) as error:
        fit.run_ends(few, **options)
    assert str(error.value) == message.format(columns=", ".join(few))
