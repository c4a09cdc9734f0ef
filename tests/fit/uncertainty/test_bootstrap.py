import jax
import numpy as np
import pytest
import scipy.stats

from jscale import fit, laws, runs
from jscale._core.errors import JscaleError
from jscale.fit.uncertainty import _refits, _resampling
from tests.fit.lines import LINE, line
from tests.fit.tables import HOFFMANN, frontier, isoflop

PUBLISHED = {"E": 0.0257, "alpha": 0.0154, "beta": 0.0206}
"""Besiroglu et al. 2024: standard deviations of 4,000 bootstrap refits of the summed Huber loss, by
runs."""


@pytest.fixture(scope="module")
def rows() -> fit.Bootstrap:
    return fit.bootstrap(laws.chinchilla, isoflop(), draws=40, key=jax.random.key(1))


@pytest.mark.data
@pytest.mark.smoke
def test_published_standard_errors():
    table = runs.dataset("chinchilla")
    by_rows = fit.bootstrap(laws.chinchilla, table, draws=4000, key=jax.random.key(0))
    assert by_rows.failures == 0
    for name, published in PUBLISHED.items():
        assert by_rows.stderr[name] == pytest.approx(published, rel=0.1), name
    # Whole model sizes drawn together: the errors that the runs of a size share come to light.
    by_size = fit.bootstrap(
        laws.chinchilla, table, draws=4000, key=jax.random.key(0), kind="cluster", by="N"
    )
    for name in PUBLISHED:
        assert by_size.stderr[name] > 1.05 * by_rows.stderr[name], name
    assert "rows-resampled" in {note.code for note in by_rows.notes}
    assert "rows-resampled" not in {note.code for note in by_size.notes}


def test_a_refit_is_the_fit_of_the_resampled_table(rows):
    """The draws are worth what a full fit to the same resampled runs is worth."""
    table = isoflop()
    with jax.enable_x64(True):
        chosen = jax.random.randint(jax.random.fold_in(jax.random.key(1), 7), (40,), 0, 40, "int32")
    copies = runs.read({name: column[np.asarray(chosen)] for name, column in table.columns.items()})
    point = fit.point(laws.chinchilla, copies)
    for name, value in point.params.items():
        assert rows.draws[name][7] == pytest.approx(value, rel=1e-5), name


def test_same_key_same_bytes(rows):
    again = fit.bootstrap(laws.chinchilla, isoflop(), draws=40, key=jax.random.key(1))
    other = fit.bootstrap(laws.chinchilla, isoflop(), draws=40, key=jax.random.key(2))
    for name in rows.draws:
        assert rows.draws[name].tobytes() == again.draws[name].tobytes()
        assert rows.draws[name].tobytes() != other.draws[name].tobytes()
        assert rows.draws[name].dtype == np.float64


def test_more_draws_begin_with_the_same_ones(rows):
    more = fit.bootstrap(laws.chinchilla, isoflop(), draws=600, key=jax.random.key(1))
    for name in rows.draws:
        np.testing.assert_allclose(more.draws[name][:40], rows.draws[name], rtol=1e-8)


def test_summaries(rows):
    assert rows.failures == 0
    assert rows.seconds > 0
    assert rows.point.params == fit.point(laws.chinchilla, isoflop()).params
    np.testing.assert_allclose(
        np.sqrt(np.diag(rows.covariance)), list(rows.stderr.values()), rtol=1e-12
    )
    for name, (low, high) in rows.interval(0.8).items():
        inside = (rows.draws[name] >= low) & (rows.draws[name] <= high)
        assert inside.mean() == pytest.approx(0.8, abs=0.03)
    wide, narrow = rows.interval(0.95), rows.interval(0.5)
    assert all(wide[n][0] < narrow[n][0] < narrow[n][1] < wide[n][1] for n in wide)


@pytest.mark.parametrize("level", [0.0, 1.0, -1, 90])
def test_bad_level(rows, level):
    with pytest.raises(JscaleError, match="level must lie between 0 and 1"):
        rows.interval(level)


@pytest.mark.parametrize(
    "settings", [{}, {"multipliers": "mammen"}, {"kind": "parametric"}, {"kind": "rows"}], ids=str
)
def test_kinds_agree_where_noise_is_plain(settings):
    """Independent normal noise of one size, least squares: every kind estimates the same spread."""
    table = isoflop(sizes=24)
    settings = {"kind": "wild", **settings}
    made = fit.bootstrap(
        laws.chinchilla,
        table,
        draws=400,
        key=jax.random.key(3),
        objective="log-squares",
        starts=8,
        **settings,
    )
    assert made.kind == settings["kind"]
    # What errors of one size make, and what the residuals themselves tell.
    kind = "fisher" if made.kind == "parametric" else "sandwich"
    expected = fit.covariance(
        laws.chinchilla, table, kind, objective="log-squares", starts=8
    ).stderr
    for name in ("E", "alpha", "beta"):
        assert made.stderr[name] == pytest.approx(expected[name], rel=0.25), name


@pytest.mark.parametrize(
    ("goal", "size"),
    [
        (fit.Squares(), lambda r: np.sqrt(np.sum(r**2) / 7)),
        (fit.Squares("raw"), lambda r: np.sqrt(np.sum(r**2) / 7)),
        (
            fit.Huber(),
            lambda r: np.median(np.abs(r)) * (10 / 7) ** 0.5 / scipy.stats.t.ppf(0.75, 4),
        ),
        (
            fit.StudentLikelihood(9.0),
            lambda r: np.median(np.abs(r)) * (10 / 7) ** 0.5 / scipy.stats.t.ppf(0.75, 9),
        ),
    ],
    ids=["log-squares", "raw-squares", "huber", "student"],
)
def test_parametric_noise_suits_the_objective(goal, size):
    loss = 2 + np.random.default_rng(0).normal(0, 0.1, 10)
    with jax.enable_x64(True):
        draw = _resampling.drawing(
            "parametric",
            loss,
            np.full(10, 2.0),
            goal=goal,
            parameters=3,
            labels=None,
            multipliers="rademacher",
        )
        losses = np.asarray(
            jax.vmap(lambda key: draw(key)[1])(jax.random.split(jax.random.key(0), 4000))
        )
    change = (lambda x: x) if goal.on == "raw" else np.log
    errors = (losses - change(2.0)) / size(change(loss) - change(2.0))
    df = {"Squares": np.inf, "Huber": 4.0, "StudentLikelihood": 9.0}[type(goal).__name__]
    assert scipy.stats.kstest(errors.ravel(), scipy.stats.t(df).cdf).statistic < 1.63 / 200


def test_an_interval_along_a_ridge_is_the_whole_range():
    made = fit.bootstrap(
        laws.chinchilla,
        frontier(),
        draws=8,
        key=jax.random.key(0),
        objective="log-squares",
        starts=8,
    )
    blind = made.point.certificate.unidentified
    assert blind
    told = made.interval(0.9)
    for at, name in enumerate(made.draws):
        assert (told[name] == (0.0, np.inf)) == (name in blind), name
        assert (
            np.isinf(made.stderr[name]) == np.isinf(made.covariance[at, at]) == (name in blind)
        ), name
    assert "unidentified" in {note.code for note in made.notes}


@pytest.mark.parametrize(
    ("multipliers", "said"), [("rademacher", "80% to 86%"), ("mammen", "30% to 40% too short")]
)
def test_wild_multipliers_and_absolute_losses_do_not_go_together(multipliers, said):
    settings = {
        "draws": 4,
        "key": jax.random.key(0),
        "kind": "wild",
        "multipliers": multipliers,
        "starts": 4,
    }
    (note,) = [
        note for note in fit.bootstrap(LINE, line(), **settings).notes if note.code == "wild-short"
    ]
    assert said in note.message


def test_raw_losses_are_simulated_too():
    made = fit.bootstrap(
        laws.chinchilla,
        isoflop(),
        draws=60,
        key=jax.random.key(3),
        kind="parametric",
        objective="raw-squares",
        starts=8,
    )
    assert made.failures == 0
    assert made.interval(0.99)["E"][0] < HOFFMANN["E"] < made.interval(0.99)["E"][1]


@pytest.fixture(scope="module")
def grouped() -> runs.Runs:
    """Runs in twelve groups, one a model size, each of which shares an error."""
    table = isoflop(sizes=12, noise=0.001)
    group = np.arange(60) % 12
    shift = np.random.default_rng(1).normal(0, 0.01, 12)[group]
    columns = dict(table.columns) | {
        "loss": table["loss"] * np.exp(shift),
        "group": [f"run {g}" for g in group],
    }
    return runs.read(columns)


@pytest.mark.parametrize("kind", ["cluster", "wild"])
def test_clusters_show_what_runs_share(grouped, kind):
    settings = {"draws": 200, "key": jax.random.key(0), "objective": "log-squares", "starts": 8}
    by = {"by": "group"} if kind == "wild" else {}
    together = fit.bootstrap(laws.chinchilla, grouped, kind=kind, **by, **settings)
    alone = fit.bootstrap(laws.chinchilla, grouped, **settings)
    assert together.stderr["E"] > 1.2 * alone.stderr["E"]
    assert "few-clusters" in {note.code for note in together.notes}
    assert "rows-resampled" in {note.code for note in alone.notes}


def test_a_refit_that_does_not_settle_is_tried_again(monkeypatch, rows):
    refit_batch, tried = _refits.refit_batch, []

    def unsettled(*arguments):
        solved = refit_batch(*arguments)
        return solved._replace(
            converged=solved.converged.at[:3].set(False), value=solved.value.at[:3].set(np.inf)
        )

    again = _refits.Refits._again
    monkeypatch.setattr(_refits, "refit", unsettled)
    monkeypatch.setattr(
        _refits.Refits, "_again", lambda self, *a: tried.append(a[1]) or again(self, *a)
    )
    made = fit.bootstrap(laws.chinchilla, isoflop(), draws=40, key=jax.random.key(1))
    assert tried == [0, 1, 2]
    assert made.failures == 0
    for name in rows.draws:
        np.testing.assert_allclose(made.draws[name], rows.draws[name], rtol=1e-5)


def test_failures_are_counted_and_left_out(monkeypatch, rows):
    refit_batch = _refits.refit_batch

    def wild(*arguments):
        solved = refit_batch(*arguments)
        return solved._replace(
            converged=solved.converged.at[:3].set(False), free=solved.free.at[:3].add(5.0)
        )

    monkeypatch.setattr(_refits, "refit", wild)
    monkeypatch.setattr(
        _refits.Refits, "_again", lambda self, key, index, free, value: (free, False)
    )
    made = fit.bootstrap(laws.chinchilla, isoflop(), draws=40, key=jax.random.key(1))
    assert made.failures == 3
    assert len(made.draws["alpha"]) == 40
    assert made.stderr["alpha"] == pytest.approx(rows.draws["alpha"][3:].std(ddof=1), rel=1e-12)
    (note,) = [note for note in made.notes if note.code == "bootstrap-failures"]
    assert note.message.startswith("3 of 40 bootstrap refits did not settle")


def test_an_interrupt_ends_it(monkeypatch):
    def interrupted(self, count):
        raise KeyboardInterrupt

    monkeypatch.setattr(_refits.Progress, "advance", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fit.bootstrap(laws.chinchilla, isoflop(), draws=2000, key=jax.random.key(1))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"draws": 0}, "draws must be a whole number of at least 2, not 0"),
        ({"draws": 2.5}, "draws must be a whole number"),
        (
            {"kind": "jackknife"},
            "kind must be one of rows, cluster, wild, parametric, not 'jackknife'",
        ),
        ({"kind": "cluster", "by": "group"}, "table has no column 'group'"),
        (
            {"multipliers": "mammen"},
            "multipliers='mammen' belongs to the kind 'wild', not to 'rows'",
        ),
        ({"key": jax.random.split(jax.random.key(0), 3)}, "key must be one JAX random key"),
        ({"kind": "cluster", "by": "seed"}, "no column 'seed'"),
        ({"kind": "cluster", "by": "one"}, "column 'one' has one value in all runs"),
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
        ({"starts": 0}, "starts must be a whole number of at least 1"),
    ],
    ids=str,
)
def test_bad_input_is_one_line(settings, message):
    gap, text = np.arange(40) % 8.0, ["a", "", *"ab" * 19]
    gap[3] = np.nan
    extra = {"one": np.ones(40), "own": np.arange(40.0), "gap": gap, "text": text}
    table = runs.read({**isoflop().columns, **extra})
    with pytest.raises(JscaleError, match=message) as caught:
        fit.bootstrap(laws.chinchilla, table, **{"draws": 10, "key": jax.random.key(0), **settings})
    assert "\n" not in str(caught.value)


def test_wild_is_short_by_the_scale_that_the_objective_sees():
    table = isoflop()
    error = np.where(np.arange(len(table)) % 2, 0.0003, 0.03)
    told = runs.read(
        {**{n: table[n] for n in ("N", "D", "loss")}, "loss_se": error * table["loss"]}
    )
    settings = {"draws": 20, "key": jax.random.key(0), "kind": "wild", "starts": 8}
    point = fit.point(laws.chinchilla, table, objective=fit.Huber(0.01, on="raw"))
    spread = 1.4826 * np.median(np.abs(table["loss"] - point.predicted))
    assert point.scale < 0.7 * spread  # of the logarithm, which is not what the objective sees
    for delta, short in ((np.sqrt(point.scale * spread), True), (2 * spread, False)):
        made = fit.bootstrap(
            laws.chinchilla, table, objective=fit.Huber(float(delta), on="raw"), **settings
        )
        assert ("wild-short" in {note.code for note in made.notes}) is short
    tiny = fit.bootstrap(
        laws.chinchilla, told, weights="loss_se", objective=fit.Huber(1e-7), **settings
    )
    assert "wild-short" in {note.code for note in tiny.notes}
