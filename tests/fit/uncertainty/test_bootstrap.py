"""Bootstraps against published errors, full refits, other estimates and forced failures."""

from dataclasses import replace

import jax
import numpy as np
import pytest
import scipy.stats

from jscale import fit, laws, runs
from jscale._core.errors import JscaleError
from jscale.fit.optimum import resolve_point
from jscale.fit.uncertainty import _bootstrap, _refits, _resampling
from tests.fit.lines import LINE, TRUE, line
from tests.fit.tables import frontier, isoflop

pytestmark = pytest.mark.usefixtures("one_optimiser")

KEY = jax.random.key(1)
SQUARES = {"objective": "log-squares", "starts": 8}


@pytest.fixture(scope="module")
def point() -> fit.Point:
    return fit.point(laws.chinchilla, isoflop(), starts=16)


@pytest.fixture(scope="module")
def rows(point) -> fit.Bootstrap:
    return fit.bootstrap(point, draws=40, key=KEY)


def test_a_refit_equals_a_full_fit_to_the_resampled_table(rows):
    table = isoflop()
    with jax.enable_x64(True):
        chosen = jax.random.randint(jax.random.fold_in(KEY, 7), (40,), 0, 40, "int32")
    copies = runs.read({name: column[np.asarray(chosen)] for name, column in table.columns.items()})
    refit = fit.point(laws.chinchilla, copies, starts=16)
    for name, value in refit.params.items():
        assert rows.draws[name][7] == pytest.approx(value, rel=1e-5), name


def test_the_same_key_gives_the_same_bytes(point, rows):
    same = fit.bootstrap(laws.chinchilla, isoflop(), draws=40, key=KEY, starts=16)
    other = fit.bootstrap(point, draws=40, key=jax.random.key(2))
    for name in rows.draws:
        assert rows.draws[name].tobytes() == same.draws[name].tobytes()
        assert rows.draws[name].tobytes() != other.draws[name].tobytes()
        assert rows.draws[name].dtype == np.float64


def test_more_draws_start_with_the_same_ones(point, rows):
    more = fit.bootstrap(point, draws=600, key=KEY)
    for name in rows.draws:
        np.testing.assert_allclose(more.draws[name][:40], rows.draws[name], rtol=1e-8)


def test_summaries(rows):
    assert rows.failures == 0
    assert rows.seconds > 0
    errors = np.sqrt(np.diag(rows.covariance))
    np.testing.assert_allclose(errors, list(rows.stderr.values()), rtol=1e-12)
    for name, (low, high) in rows.interval(0.8).items():
        inside = (rows.draws[name] >= low) & (rows.draws[name] <= high)
        assert inside.mean() == pytest.approx(0.8, abs=0.03)
    wide, narrow = rows.interval(0.95), rows.interval(0.5)
    assert all(wide[n][0] < narrow[n][0] < narrow[n][1] < wide[n][1] for n in wide)


@pytest.mark.parametrize("level", [0.0, 1.0, -1, 90])
def test_a_level_outside_0_to_1_is_refused(rows, level):
    with pytest.raises(JscaleError, match="level must lie between 0 and 1"):
        rows.interval(level)


def test_kinds_agree_for_independent_normal_errors_of_one_size():
    """Least squares: every kind of resampling estimates the same spread."""
    point = fit.point(laws.chinchilla, isoflop(sizes=24), **SQUARES)
    errors = {kind: fit.covariance(point, kind=kind).stderr for kind in ("fisher", "sandwich")}
    for options in (
        {"kind": "wild"},
        {"kind": "wild", "multipliers": "mammen"},
        {"kind": "parametric"},
        {"kind": "rows"},
    ):
        resampled = fit.bootstrap(point, draws=400, key=jax.random.key(3), **options)
        assert resampled.kind == options["kind"]
        # Parametric noise has one size; the other kinds use each run's own residual.
        expected = errors["fisher" if options["kind"] == "parametric" else "sandwich"]
        for name in ("E", "alpha", "beta"):
            assert resampled.stderr[name] == pytest.approx(expected[name], rel=0.25), (
                options,
                name,
            )


def test_unidentified_parameters_have_their_whole_range():
    # As many runs as the test before, so that both share their compiled programs.
    resampled = fit.bootstrap(laws.chinchilla, frontier(120), draws=8, key=KEY, **SQUARES)
    names = resampled.point.certificate.unidentified
    assert names
    intervals, covariance = resampled.interval(0.9), resampled.covariance
    for at, name in enumerate(resampled.draws):
        unidentified = name in names
        assert (intervals[name] == (0.0, np.inf)) == unidentified, name
        assert np.isinf(resampled.stderr[name]) == unidentified, name
        assert np.isinf(covariance[at, at]) == unidentified, name
    assert "unidentified" in {note.code for note in resampled.notes}


def root_mean_square(r: np.ndarray) -> float:
    return np.sqrt(np.sum(r**2) / 7)


def median_size(r: np.ndarray, df: float) -> float:
    return np.median(np.abs(r)) * (10 / 7) ** 0.5 / scipy.stats.t.ppf(0.75, df)


@pytest.mark.parametrize(
    ("objective", "size", "df"),
    [
        (fit.Squares(), root_mean_square, np.inf),
        (fit.Squares("raw"), root_mean_square, np.inf),
        (fit.Huber(), lambda r: median_size(r, 4), 4.0),
        (fit.StudentLikelihood(9.0), lambda r: median_size(r, 9), 9.0),
    ],
    ids=["log-squares", "raw-squares", "huber", "student"],
)
def test_parametric_noise_has_the_distribution_of_the_objective(objective, size, df):
    loss = 2 + np.random.default_rng(0).normal(0, 0.1, 10)
    with jax.enable_x64(True):
        draw = _resampling.resampler(
            "parametric",
            loss,
            np.full(10, 2.0),
            objective=objective,
            parameters=3,
            labels=None,
            multipliers="rademacher",
        )
        keys = jax.random.split(jax.random.key(0), 4000)
        losses = np.asarray(jax.vmap(lambda key: draw(key)[1])(keys))
    change = (lambda x: x) if objective.on == "raw" else np.log
    errors = (losses - change(2.0)) / size(change(loss) - change(2.0))
    distribution = scipy.stats.t(df).cdf
    assert scipy.stats.kstest(errors.ravel(), distribution).statistic < 1.63 / 200


def test_wild_bootstraps_of_absolute_losses_warn_of_short_intervals():
    point = fit.point(LINE, line(), starts=4)
    for multipliers, message in (
        ("rademacher", "80% to 86%"),
        ("mammen", "30% to 40% too short"),
    ):
        resampled = fit.bootstrap(point, draws=4, key=KEY, kind="wild", multipliers=multipliers)
        (note,) = [note for note in resampled.notes if note.code == "wild-short"]
        assert message in note.message


def test_the_wild_warning_compares_delta_with_residuals_as_the_objective_sees_them():
    """Raw residuals for an objective of the losses; residuals in units of the stated errors."""
    raw = fit.point(LINE, line(), objective=fit.Huber(0.01, on="raw"), starts=4)
    spread = 1.4826 * np.median(np.abs(line()["loss"] - raw.predicted))
    assert raw.scale < 0.7 * spread  # the scale of the logarithm is not what the objective sees

    error = np.where(np.arange(30) % 2, 0.0003, 0.03)
    stated = runs.read(
        {**{n: line()[n] for n in ("N", "D", "loss")}, "loss_se": error * line()["loss"]}
    )
    in_errors = fit.point(LINE, stated, weights="loss_se", objective=fit.Huber(1e-4), starts=4)

    def warns(point: fit.Point, objective: fit.Huber) -> bool:
        _, context = resolve_point(point, None, caller="test")
        context = replace(context, state=replace(context.state, objective=objective))
        request = _bootstrap.Resampling("wild", None, 4, KEY, "rademacher", False)
        return bool(_bootstrap.wild_bias_note(point, context, request))

    assert warns(raw, fit.Huber(float(np.sqrt(raw.scale * spread)), on="raw"))
    assert not warns(raw, fit.Huber(float(2 * spread), on="raw"))
    assert warns(in_errors, fit.Huber(1e-4))
    resampled = fit.bootstrap(in_errors, draws=4, key=KEY, kind="wild")
    assert "wild-short" in {note.code for note in resampled.notes}


def test_raw_losses_are_simulated():
    point = fit.point(LINE, line(), objective="raw-squares", starts=4)
    resampled = fit.bootstrap(point, draws=60, key=jax.random.key(3), kind="parametric")
    assert resampled.failures == 0
    low, high = resampled.interval(0.99)["b"]
    assert low < TRUE["b"] < high


def test_cluster_kinds_include_the_errors_that_runs_share():
    """Thirty runs in six groups, each of which shares an error ten times a run's own."""
    table = line(noise=0.001)
    shift = np.random.default_rng(1).normal(0, 0.01, 6)[np.arange(30) // 5]
    table = runs.read({**table.columns, "loss": table["loss"] * np.exp(shift)})
    point = fit.point(LINE, table, objective="log-squares", starts=4)
    by_rows = fit.bootstrap(point, draws=200, key=KEY)
    assert "rows-resampled" in {note.code for note in by_rows.notes}
    for options in ({"kind": "cluster"}, {"kind": "wild", "by": "group"}):
        by_group = fit.bootstrap(point, draws=200, key=KEY, **options)
        assert by_group.stderr["b"] > 1.2 * by_rows.stderr["b"], options
        assert "few-clusters" in {note.code for note in by_group.notes}


def test_a_refit_that_does_not_converge_is_repeated(monkeypatch, point, rows):
    refit_batch, retried = _refits.refit_batch, []

    def unconverged(*arguments):
        solved = refit_batch(*arguments)
        return solved._replace(
            converged=solved.converged.at[:3].set(False), value=solved.value.at[:3].set(np.inf)
        )

    retry = _refits.BootstrapRefits._retry

    def recorded(self, *arguments):
        retried.append(arguments[1])
        return retry(self, *arguments)

    monkeypatch.setattr(_refits, "refit_batch", unconverged)
    monkeypatch.setattr(_refits.BootstrapRefits, "_retry", recorded)
    resampled = fit.bootstrap(point, draws=40, key=KEY)
    assert retried == [0, 1, 2]
    assert resampled.failures == 0
    for name in rows.draws:
        np.testing.assert_allclose(resampled.draws[name], rows.draws[name], rtol=1e-5)


def test_failed_refits_are_counted_and_left_out(monkeypatch, point, rows):
    refit_batch = _refits.refit_batch

    def displaced(*arguments):
        solved = refit_batch(*arguments)
        return solved._replace(
            converged=solved.converged.at[:3].set(False), free=solved.free.at[:3].add(5.0)
        )

    def fail(self, key, index, free, value):
        return free, False

    monkeypatch.setattr(_refits, "refit_batch", displaced)
    monkeypatch.setattr(_refits.BootstrapRefits, "_retry", fail)
    resampled = fit.bootstrap(point, draws=40, key=KEY)
    assert resampled.failures == 3
    assert len(resampled.draws["alpha"]) == 40
    expected = rows.draws["alpha"][3:].std(ddof=1)
    assert resampled.stderr["alpha"] == pytest.approx(expected, rel=1e-12)
    (note,) = [note for note in resampled.notes if note.code == "bootstrap-failures"]
    assert note.message.startswith("3 of 40 bootstrap refits did not converge")


def test_an_interrupt_ends_it(monkeypatch, point):
    def interrupted(self, count):
        raise KeyboardInterrupt

    monkeypatch.setattr(_refits.Progress, "advance", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fit.bootstrap(point, draws=2000, key=KEY)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"draws": 0}, "draws must be a whole number of at least 2, not 0"),
        ({"draws": 2.5}, "draws must be a whole number"),
        (
            {"kind": "jackknife"},
            "kind must be one of rows, cluster, wild, parametric, not 'jackknife'",
        ),
        ({"kind": "cluster", "by": "group"}, "by: table has no column 'group'"),
        ({"kind": "cluster", "by": "onee"}, "by: table has no column .*; did you mean 'one'"),
        ({"kind": "cluster", "by": ""}, "by: table has no column ''"),
        (
            {"multipliers": "mammen"},
            "multipliers='mammen' belongs to the kind 'wild', not to 'rows'",
        ),
        ({"key": jax.random.split(jax.random.key(0), 3)}, "key must be one JAX random key"),
        ({"kind": "cluster", "by": "seed"}, "no column 'seed'"),
        ({"kind": "cluster", "by": "one"}, "by: table: column 'one' has one value in all runs"),
        (
            {"kind": "cluster", "by": "own"},
            "no two runs share a value of 'own'; clusters need some that do",
        ),
        (
            {"kind": "wild", "by": "gap"},
            "column 'gap', row 4: the cell is empty; clusters need a value in every row",
        ),
        ({"kind": "wild", "by": "text"}, "column 'text', row 2: the cell is empty"),
        (
            {"by": "N"},
            "by='N' belongs to kind='cluster' and kind='wild', not to 'rows'",
        ),
        ({"multipliers": "normal"}, "multipliers must be one of rademacher, mammen"),
        ({"key": 3}, "key must be a JAX random key"),
        ({"objective": "huberr"}, "objective must be one of"),
        (
            {"objective": "asymmetric-huber", "kind": "wild"},
            "the wild bootstrap draws symmetric noise",
        ),
        ({"starts": 0}, "starts must be a whole number of at least 1"),
    ],
    ids=str,
)
def test_a_mistake_is_one_line(options, message):
    gap, text = np.arange(40) % 8.0, ["a", "", *"ab" * 19]
    gap[3] = np.nan
    extra = {"one": np.ones(40), "own": np.arange(40.0), "gap": gap, "text": text}
    table = runs.read({**isoflop().columns, **extra})
    settings = {"draws": 10, "key": KEY, "starts": 16, **options}
    with pytest.raises(JscaleError, match=message) as caught:
        fit.bootstrap(laws.chinchilla, table, **settings)
    assert "\n" not in str(caught.value)
