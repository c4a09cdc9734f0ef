"""Coverage by simulation: known properties of the kinds, and tables without a usable fit."""

from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jscale import assess, fit, laws, runs
from jscale._core.errors import JscaleError
from jscale._core.jobs import Checkpoint
from jscale.assess.coverage import _simulated
from jscale.assess.coverage._coverage import coverage_of
from jscale.fit.optimum import FitState, Point, resolve_point
from tests.fit.lines import LINE, line
from tests.fit.tables import frontier

pytestmark = pytest.mark.usefixtures("one_optimiser")

KEY = jax.random.key(0)
SETTINGS = {"key": KEY, "objective": "log-squares", "starts": 4, "draws": 100, "simulations": 200}
QUICK = ("fisher", "sandwich", "cluster-sandwich")
INDEPENDENT = tuple(kind for kind in fit.INTERVAL_KINDS if "cluster" not in kind)


def state_of(weights: np.ndarray | None = None) -> tuple[Point, FitState]:
    """The fit of the line to its table."""
    with jax.enable_x64(True):
        point, context = resolve_point(
            LINE, line(), objective="log-squares", starts=4, weights=weights, caller="test"
        )
    return point, context.state


def short_line() -> runs.Runs:
    """Every third run of the line."""
    return runs.read({name: np.asarray(column)[::3] for name, column in line().columns.items()})


def noisy(predicted: np.ndarray, sizes: np.ndarray | float) -> np.ndarray:
    return predicted * np.exp(sizes * np.random.default_rng(0).normal(0, 1, len(predicted)))


def errors_of(noise: _simulated.Noise) -> np.ndarray:
    """4,000 draws, operation by operation: kinds share the programs of the distributions."""
    return np.asarray(jax.vmap(noise.draw)(jax.random.split(KEY, 4000)))


def test_every_kind_covers_where_its_assumptions_hold():
    result = assess.calibrate(LINE, line(), kinds=INDEPENDENT, targets="b", **SETTINGS)
    assert [row.kind for row in result.rows] == list(INDEPENDENT)
    for row in result.rows:
        assert row.simulations == 200
        # Percentiles of few runs, and the sandwich, are too narrow by some per cent; binomial
        # errors are 2%.
        assert 0.9 - 0.05 - 3 * row.stderr < row.coverage < 0.9 + 3 * row.stderr, row

    fisher = result.of("b", "fisher")
    binomial = (fisher.coverage * (1 - fisher.coverage) / 200) ** 0.5
    assert abs(fisher.coverage - 0.9) < 3 * fisher.stderr
    assert fisher.stderr == pytest.approx(binomial, rel=0.1)
    covariance = fit.covariance(LINE, line(), "fisher", objective="log-squares", starts=4)
    assert fisher.truth == covariance.point.params["b"]
    width = 2 * 1.645 * covariance.stderr["b"] * result.scale / 0.02
    assert fisher.width == pytest.approx(width, rel=0.35)


@pytest.mark.parametrize("objective", ["huber", "huber-likelihood"])
def test_parametric_noise_of_an_objective_without_and_with_a_scale(objective):
    """The distributions of all objectives are tested with the bootstrap itself."""
    settings = {**SETTINGS, "objective": objective, "simulations": 40, "draws": 40}
    result = assess.calibrate(LINE, line(), kinds=["bootstrap-parametric"], targets="b", **settings)
    row = result.of("b", "bootstrap-parametric")
    assert row.simulations == 40
    assert row.coverage > 0.6


def test_dropped_refits_have_a_note(monkeypatch):
    refit_batch = _simulated.refit_batch

    def unconverged(*arguments):
        solved = refit_batch(*arguments)
        if len(solved.converged) <= 100:
            return solved
        return solved._replace(converged=solved.converged.at[:2].set(False))

    monkeypatch.setattr(_simulated, "refit_batch", unconverged)
    settings = {**SETTINGS, "simulations": 20, "draws": 50}
    retried = assess.calibrate(LINE, line(), kinds=["bootstrap-rows"], targets="b", **settings)
    assert not [note for note in retried.notes if note.code == "refits-failed"]

    monkeypatch.setattr(_simulated, "retry", lambda *arguments, **_: (arguments[4][0], False))
    result = assess.calibrate(LINE, line(), kinds=["bootstrap-rows"], targets="b", **settings)
    (note,) = [note for note in result.notes if note.code == "refits-failed"]
    assert note.message.endswith(
        "of the refits of bootstrap-rows did not converge and are left out of its intervals"
    )
    assert 0 < note.evidence["share"] < 0.1


def test_only_clustered_intervals_cover_shared_errors():
    columns = {name: np.tile(np.asarray(column), 4) for name, column in line().columns.items()}
    columns["group"] = np.array([f"{g}{i // 30}" for i, g in enumerate(columns["group"])])
    columns["loss"] = noisy(columns["loss"], 0.01)
    settings = {**SETTINGS, "kinds": QUICK, "targets": "b", "noise": "cluster"}
    table = runs.read(columns)
    clustered = assess.calibrate(LINE, table, shared=0.8, **settings)
    assert (clustered.by, clustered.shared) == ("group", 0.8)
    for kind in ("fisher", "sandwich"):
        assert clustered.of("b", kind).coverage < 0.72, kind
    assert clustered.of("b", "cluster-sandwich").coverage > 0.82
    independent = assess.calibrate(LINE, table, shared=0.0, **settings)
    assert independent.of("b", "fisher").coverage > 0.82


def test_fisher_intervals_do_not_cover_with_errors_of_unequal_size():
    N = np.geomspace(1e8, 1e10, 120)
    size = np.where(np.abs(np.log(N / 1e9)) > 1.5, 0.05, 0.002)
    table = runs.read(
        {"N": N, "D": 20 * N, "loss": noisy(np.asarray(LINE(N, a=0.9, b=0.08)), size)}
    )
    kinds = ("fisher", "sandwich")
    result = assess.calibrate(LINE, table, kinds=kinds, targets="b", noise="unequal", **SETTINGS)
    assert result.of("b", "fisher").coverage < result.of("b", "sandwich").coverage - 0.04
    assert result.of("b", "sandwich").coverage > 0.82


@pytest.mark.parametrize("kind", ["normal", "student-t", "residuals", "unequal", "cluster"])
def test_noise_has_the_robust_size_of_the_residuals(kind):
    point, state = state_of()
    labels = np.repeat(np.arange(6), 5)
    with jax.enable_x64(True):
        noise = _simulated.noise_of(state, kind, labels, 0.5)
        errors = errors_of(noise)
    size = np.median(np.abs(errors)) * 1.4826
    tolerance = 0.3 if kind in ("residuals", "unequal") else 0.03
    assert size == pytest.approx(point.scale * (30 / 28) ** 0.5, rel=tolerance)
    same_cluster, other_cluster = (np.corrcoef(errors[:, 0], errors[:, i])[0, 1] for i in (1, 29))
    assert same_cluster == pytest.approx(0.5 if kind == "cluster" else 0.0, abs=0.06)
    assert other_cluster == pytest.approx(0.0, abs=0.06)


def test_weights_are_inverse_variances():
    weights = np.repeat(np.geomspace(1.0, 64.0, 6), 5)  # a Fisher interval looks at each of them
    _, state = state_of(weights)
    with jax.enable_x64(True):
        noise = _simulated.noise_of(state, "normal", None, 0.0)
        errors = errors_of(noise)
    assert errors[:, 0].std() / errors[:, -1].std() == pytest.approx(8.0, rel=0.1)
    settings = {**SETTINGS, "simulations": 400}
    result = assess.calibrate(
        LINE, line(), kinds=["fisher"], weights=weights, targets="b", **settings
    )
    assert result.of("b", "fisher").coverage == pytest.approx(0.9, abs=0.05)
    assert (result.weights, result.objective_name) == ("given", "log-squares")


@pytest.mark.parametrize("objective", ["log-squares", "raw-squares"])
def test_errors_are_simulated_as_the_table_states_them(objective):
    N = np.geomspace(1e6, 1e12, 30)
    true = np.asarray(LINE(N, a=4.0, b=0.3))
    error = np.repeat(np.geomspace(0.002, 0.05, 6), 5)
    loss = true + error * np.random.default_rng(0).normal(size=30)
    table = runs.read({"N": N, "D": 20 * N, "loss": loss, "loss_se": error})
    settings = {**SETTINGS, "objective": objective, "simulations": 400}
    result = assess.calibrate(
        LINE, table, kinds=["fisher"], weights="loss_se", targets="b", **settings
    )
    assert result.of("b", "fisher").coverage == pytest.approx(0.9, abs=0.05)


def test_every_parameter_has_its_own_errors():
    """The parameters of this law are not in alphabetical order, in which JAX sorts dicts."""
    theta = laws.params(laws.chinchilla, "hoffmann2022")
    grid = np.meshgrid(np.geomspace(3e7, 3e9, 12), [3.0, 10.0, 30.0, 100.0])
    N, ratio = (m.ravel() for m in grid)
    loss = noisy(np.asarray(laws.chinchilla(N, ratio * N, **theta)), 0.004)
    table = runs.read({"N": N, "D": ratio * N, "loss": loss})
    settings = {
        "key": KEY,
        "objective": "log-squares",
        "starts": 8,
        "kinds": ["fisher", "sandwich"],
    }
    measured = assess.calibrate(laws.chinchilla, table, simulations=20, **settings)
    stated = fit.intervals(laws.chinchilla, table, **settings)
    for row in stated.rows:
        assert measured.of(row.target, row.kind).width == pytest.approx(row.width, rel=0.5), row


def test_open_profiles_have_a_note():
    settings = {
        **SETTINGS,
        "simulations": 10,
        "kinds": ["profile"],
        "objective": fit.StudentLikelihood(df=7.0),
    }

    def capped(params):
        return jnp.minimum(params["b"], 0.09)

    result = assess.calibrate(LINE, short_line(), targets=capped, **settings)
    assert any(note.code.startswith("calibrate-profile") for note in result.notes)


def test_a_target_without_a_value_has_no_truth():
    with pytest.raises(
        JscaleError, match="nothing has no value at the fit: there is no truth to cover"
    ):
        assess.calibrate(LINE, line(), targets={"nothing": lambda p: p["a"] * jnp.nan}, **SETTINGS)


def test_a_simulated_bootstrap_is_the_bootstrap_of_that_table():
    _, state = state_of()
    with jax.enable_x64(True):
        noise = _simulated.noise_of(state, "normal", None, 0.0)
        keep_nothing = Checkpoint(None, {})
        tables, converged = _simulated.simulate_tables(state, noise, KEY, 3, keep_nothing)
        job = _simulated.NestedBootstrap(state, "rows", None, 40)
        done = ("bootstrap-rows", lambda count: None, keep_nothing)
        params, _ = _simulated.bootstrap_tables(job, tables, *done)
        table = runs.read({**line().columns, "loss": tables.losses[1]})
    assert converged.all()
    key = tables.keys[1]
    expected = fit.bootstrap(LINE, table, draws=40, key=key, objective="log-squares", starts=4)
    np.testing.assert_allclose(params["b"][1], expected.draws["b"], rtol=1e-6)


def test_same_key_same_bytes():
    settings = {**SETTINGS, "simulations": 20, "kinds": ("bootstrap-wild", "profile")}
    one, two = (assess.calibrate(LINE, line(), **settings) for _ in range(2))
    assert one.rows == two.rows
    assert assess.calibrate(LINE, line(), **{**settings, "key": jax.random.key(1)}).rows != one.rows


def test_a_job_that_was_killed_goes_on(tmp_path: Path, monkeypatch):
    """At every stage; its result is that of one that was not interrupted, and no unit is redone."""
    settings = {**SETTINGS, "kinds": ["fisher", "bootstrap-rows", "profile"], "simulations": 6}
    whole = assess.calibrate(LINE, short_line(), **settings)
    add, written = Checkpoint.add, []

    def killed(self, name, result):
        """The process ends after three more units."""
        add(self, name, result)
        written.append(name)
        if len(written) % 3 == 0:
            raise KeyboardInterrupt

    monkeypatch.setattr(Checkpoint, "add", killed)
    for _ in range(20):
        try:
            result = assess.calibrate(LINE, short_line(), resume=tmp_path / "state", **settings)
            break
        except KeyboardInterrupt:
            continue
    assert len(written) == len(set(written)) >= 14
    assert replace(result, seconds={}) == replace(whole, seconds={})
    with pytest.raises(JscaleError, match="another job, whose simulations is 6, not 7"):
        assess.calibrate(
            LINE, short_line(), resume=tmp_path / "state", **{**settings, "simulations": 7}
        )


def test_an_interval_contains_its_ends():
    ends = np.array([[0.0, 1.0], [1.0, 2.0], [1.5, 3.0], [-np.inf, np.inf]])
    row = coverage_of("b", "profile", 1.0, ends)
    assert (row.coverage, row.simulations) == (0.75, 4)
    assert row.stderr == pytest.approx((4 / 6 * 2 / 6 / 4) ** 0.5)
    assert row.width == pytest.approx(1.25)


def test_an_interrupt_ends_it(monkeypatch):
    def interrupted(self, count):
        raise KeyboardInterrupt

    monkeypatch.setattr("jscale._core.jobs.Progress.advance", interrupted)
    with pytest.raises(KeyboardInterrupt):
        assess.calibrate(LINE, line(), kinds=["fisher"], **SETTINGS)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"simulations": 1}, "simulations must be a whole number of at least 2, not 1"),
        ({"draws": 1.5, "kinds": ["fisher"]}, "draws must be a whole number"),
        (
            {"noise": "cauchy"},
            "noise must be one of normal, student-t, residuals, unequal, cluster, not 'cauchy'",
        ),
        ({"noise": "cluster", "shared": 1.5}, "shared must lie between 0 and 1, not 1.5"),
        ({"shared": 0.5}, "shared=0.5 belongs to noise='cluster', not to noise='normal'"),
        ({"key": 3}, "key must be a JAX random key"),
        ({"level": 1.5}, "level must lie between 0 and 1"),
        ({"targets": "c"}, "has no parameter 'c'"),
        ({"by": "one"}, "by: .* has no column 'one'"),
        ({"kinds": ["wald"]}, "kinds: unknown kind 'wald'"),
        ({"objective": "asymmetric-huber"}, "noise 'normal' is symmetric, which asymmetric-huber"),
    ],
    ids=str,
)
def test_bad_input_is_one_line(settings, message):
    with pytest.raises(JscaleError, match=message) as caught:
        assess.calibrate(LINE, line(), **{**SETTINGS, **settings})
    assert "\n" not in str(caught.value)


def test_cluster_noise_needs_clusters():
    columns = {name: values for name, values in line().columns.items() if name != "group"}
    with pytest.raises(JscaleError, match="noise 'cluster' needs clusters"):
        assess.calibrate(LINE, runs.read(columns), noise="cluster", **SETTINGS)
    settings = {**SETTINGS, "simulations": 5}
    result = assess.calibrate(LINE, line(), noise="cluster", kinds=["fisher"], **settings)
    assert result.by == "group"


def test_simulated_tables_without_a_fit_are_an_error(monkeypatch):
    """Of a design at one ratio of tokens to parameters, whose fits are not retried."""
    monkeypatch.setattr(_simulated, "retry", lambda *arguments, **_: (arguments[4][0], False))
    message = (
        "none of 3 simulated tables could be fitted; the fit to the table itself ended as "
        "collinear_design"
    )
    settings = {**SETTINGS, "simulations": 3, "starts": 8}
    with pytest.raises(JscaleError, match=message):
        assess.calibrate(laws.chinchilla, frontier(), kinds=["fisher"], **settings)
