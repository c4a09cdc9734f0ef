"""Coverage by simulation: it finds what is known of the kinds, and says nothing about tables that
cannot be.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jscale import assess, fit, laws, plan, runs
from jscale._core.errors import JscaleError
from jscale.assess.coverage import _simulated as draws
from jscale.assess.coverage._calibrate import _row
from jscale.fit.optimum._state import fit_once
from tests.fit.lines import LINE, line
from tests.fit.tables import frontier

KEY = jax.random.key(0)
SETTINGS = {"key": KEY, "objective": "log-squares", "starts": 4, "draws": 100, "simulations": 200}
QUICK = ("fisher", "sandwich", "cluster-sandwich")
INDEPENDENT = tuple(kind for kind in fit.INTERVAL_KINDS if "cluster" not in kind)


def test_where_the_beliefs_hold_every_kind_covers():
    found = assess.calibrate(LINE, line(), kinds=INDEPENDENT, targets="b", **SETTINGS)
    assert [row.kind for row in found.rows] == list(INDEPENDENT)
    for row in found.rows:
        assert row.simulations == 200
        # Percentiles of few runs, and the sandwich, are short by some points; binomial errors are
        # 2.
        assert 0.9 - 0.05 - 3 * row.stderr < row.coverage < 0.9 + 3 * row.stderr, row
    fisher = found.of("b", "fisher")
    assert abs(fisher.coverage - 0.9) < 3 * fisher.stderr
    assert fisher.stderr == pytest.approx(
        (fisher.coverage * (1 - fisher.coverage) / 200) ** 0.5, rel=0.1
    )
    covariance = fit.covariance(LINE, line(), "fisher", objective="log-squares", starts=4)
    assert fisher.truth == covariance.point.params["b"]
    assert fisher.width == pytest.approx(
        2 * 1.645 * covariance.stderr["b"] * found.scale / 0.02, rel=0.35
    )


@pytest.mark.parametrize(
    "objective", ["huber", "huber-likelihood", fit.StudentLikelihood(df=7.0)], ids=str
)
def test_noise_of_every_objective_is_drawn(objective):
    settings = {**SETTINGS, "objective": objective, "simulations": 40, "draws": 40}
    found = assess.calibrate(LINE, line(), kinds=["bootstrap-parametric"], targets="b", **settings)
    row = found.of("b", "bootstrap-parametric")
    assert row.simulations == 40
    assert row.coverage > 0.6


def test_refits_that_are_dropped_are_told(monkeypatch):
    refit = draws.refit

    def unsettled(*arguments):
        solved = refit(*arguments)
        return (
            solved._replace(settled=solved.settled.at[:2].set(False))
            if len(solved.settled) > 100
            else solved
        )

    monkeypatch.setattr(draws, "refit", unsettled)
    settings = {**SETTINGS, "simulations": 20, "draws": 50}
    rescued = assess.calibrate(LINE, line(), kinds=["bootstrap-rows"], targets="b", **settings)
    assert not [note for note in rescued.notes if note.code == "refits-failed"]
    monkeypatch.setattr(draws, "again", lambda *arguments, **options: (arguments[4][0], False))
    found = assess.calibrate(LINE, line(), kinds=["bootstrap-rows"], targets="b", **settings)
    (note,) = [note for note in found.notes if note.code == "refits-failed"]
    assert note.message.endswith(
        "of the refits of bootstrap-rows did not settle and are left out of its intervals"
    )
    assert 0 < note.evidence["share"] < 0.1


def test_shared_errors_show_in_clusters_alone():
    many = {name: np.tile(np.asarray(column), 4) for name, column in line().columns.items()}
    many["group"] = np.array([f"{g}{i // 30}" for i, g in enumerate(many["group"])])
    many["loss"] = many["loss"] * np.exp(np.random.default_rng(0).normal(0, 0.01, 120))
    table = runs.read(many)
    found = assess.calibrate(
        LINE, table, kinds=QUICK, targets="b", noise="cluster", shared=0.8, **SETTINGS
    )
    assert (found.by, found.shared) == ("group", 0.8)
    for kind in ("fisher", "sandwich"):
        assert found.of("b", kind).coverage < 0.72, kind
    assert found.of("b", "cluster-sandwich").coverage > 0.82
    plain = assess.calibrate(
        LINE, table, kinds=QUICK, targets="b", noise="cluster", shared=0.0, **SETTINGS
    )
    assert plain.of("b", "fisher").coverage > 0.82


def test_errors_of_unequal_size_show_in_fisher_alone():
    N = np.geomspace(1e8, 1e10, 120)
    size = np.where(np.abs(np.log(N / 1e9)) > 1.5, 0.05, 0.002)
    loss = np.asarray(LINE(N, a=0.9, b=0.08)) * np.exp(
        size * np.random.default_rng(0).normal(0, 1, 120)
    )
    table = runs.read({"N": N, "D": 20 * N, "loss": loss})
    found = assess.calibrate(
        LINE, table, kinds=("fisher", "sandwich"), targets="b", noise="unequal", **SETTINGS
    )
    assert found.of("b", "fisher").coverage < found.of("b", "sandwich").coverage - 0.04
    assert found.of("b", "sandwich").coverage > 0.82


@pytest.mark.parametrize("noise", ["normal", "student-t", "residuals", "unequal", "cluster"])
def test_noise_is_of_the_runs_own_robust_size(noise):
    table = line()
    with jax.enable_x64(True):
        best, state, _ = fit_once(LINE, table, "log-squares", 4, None)
        labels = np.repeat(np.arange(6), 5)
        made = draws.noise_of(state, noise, labels, 0.5)
        errors = np.asarray(jax.vmap(made.draw)(jax.random.split(KEY, 4000)))
    size = np.median(np.abs(errors)) * 1.4826
    assert size == pytest.approx(
        best.scale * (30 / 28) ** 0.5, rel=0.3 if noise in ("residuals", "unequal") else 0.03
    )
    together, apart = (np.corrcoef(errors[:, 0], errors[:, i])[0, 1] for i in (1, 29))
    assert together == pytest.approx(0.5 if noise == "cluster" else 0.0, abs=0.06)
    assert apart == pytest.approx(0.0, abs=0.06)


def test_weights_are_inverse_variances():
    weights = np.geomspace(1.0, 64.0, 30)
    with jax.enable_x64(True):
        _, state, _ = fit_once(LINE, line(), "log-squares", 4, weights)
        made = draws.noise_of(state, "normal", None, 0.0)
        errors = np.asarray(jax.vmap(made.draw)(jax.random.split(KEY, 2000)))
    assert errors[:, 0].std() / errors[:, -1].std() == pytest.approx(8.0, rel=0.1)
    settings = {**SETTINGS, "simulations": 400}
    found = assess.calibrate(
        LINE, line(), kinds=["fisher"], weights=weights, targets="b", **settings
    )
    assert found.of("b", "fisher").coverage == pytest.approx(0.9, abs=0.05)
    assert (found.weights, found.objective_name) == ("given", "log-squares")


@pytest.mark.parametrize("objective", ["log-squares", "raw-squares"])
def test_errors_are_simulated_as_the_table_states_them(objective):
    N = np.geomspace(1e6, 1e12, 40)
    true = np.asarray(LINE(N, a=4.0, b=0.3))
    error = np.geomspace(0.05, 0.002, 40)[::-1]
    noisy = true + error * np.random.default_rng(0).normal(size=40)
    table = runs.read({"N": N, "D": 20 * N, "loss": noisy, "loss_se": error})
    settings = {**SETTINGS, "objective": objective, "simulations": 400}
    found = assess.calibrate(
        LINE, table, kinds=["fisher"], weights="loss_se", targets="b", **settings
    )
    assert found.of("b", "fisher").coverage == pytest.approx(0.9, abs=0.05)


def test_parameters_meet_their_own_errors():
    """Names out of the order of the alphabet, as JAX sorts them."""
    theta, rng = laws.params(laws.chinchilla, "hoffmann2022"), np.random.default_rng(0)
    N, ratio = (
        m.ravel() for m in np.meshgrid(np.geomspace(3e7, 3e9, 12), [3.0, 10.0, 30.0, 100.0])
    )
    loss = np.asarray(laws.chinchilla(N, ratio * N, **theta)) * np.exp(0.004 * rng.normal(size=48))
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


def test_open_profiles_and_missing_intervals_are_told():
    few = runs.read({name: np.asarray(column)[::3] for name, column in line().columns.items()})
    settings = {
        **SETTINGS,
        "simulations": 10,
        "kinds": ["profile"],
        "objective": "student-likelihood",
    }

    def capped(params):
        return jnp.minimum(params["b"], 0.09)

    found = assess.calibrate(LINE, few, targets=capped, **settings)
    assert any(note.code.startswith("calibrate-profile") for note in found.notes)


def test_a_target_without_a_value_has_no_truth():
    with pytest.raises(
        JscaleError, match="nothing has no value at the fit: there is no truth to cover"
    ):
        assess.calibrate(LINE, line(), targets={"nothing": lambda p: p["a"] * jnp.nan}, **SETTINGS)


def test_what_is_calibrated_is_what_is_reported():
    """The bootstrap of one simulated table is the bootstrap of that table."""
    with jax.enable_x64(True):
        _, state, _ = fit_once(LINE, line(), "log-squares", 4, None)
        keys = jax.vmap(lambda i: jax.random.fold_in(KEY, i))(np.arange(3))
        losses = draws.simulated(state, draws.noise_of(state, "normal", None, 0.0), keys)
        free, settled = draws.refitted(state, losses)
        again, _ = draws.nested(
            draws.Nested(state, "rows", None, 40), keys, losses, free, lambda count: None
        )
        table = runs.read({**line().columns, "loss": losses[1]})
    assert settled.all()
    alone = fit.bootstrap(LINE, table, draws=40, key=keys[1], objective="log-squares", starts=4)
    np.testing.assert_allclose(again["b"][1], alone.draws["b"], rtol=1e-6)


def test_same_key_same_bytes():
    settings = {**SETTINGS, "simulations": 20, "kinds": ("bootstrap-wild", "profile")}
    one, two = (assess.calibrate(LINE, line(), **settings) for _ in range(2))
    assert one.rows == two.rows
    assert assess.calibrate(LINE, line(), **{**settings, "key": jax.random.key(1)}).rows != one.rows


def test_a_row_counts_the_ends_too():
    ends = np.array([[0.0, 1.0], [1.0, 2.0], [1.5, 3.0], [-np.inf, np.inf]])
    found = _row("b", "profile", 1.0, ends)
    assert (found.coverage, found.simulations) == (0.75, 4)
    assert found.stderr == pytest.approx((4 / 6 * 2 / 6 / 4) ** 0.5)
    assert found.width == pytest.approx(1.25)


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
        ({"draws": 1.5}, "draws must be a whole number"),
        (
            {"noise": "cauchy"},
            "noise must be one of normal, student-t, residuals, unequal, cluster, not 'cauchy'",
        ),
        ({"noise": "cluster", "shared": 1.5}, "shared must lie between 0 and 1, not 1.5"),
        ({"shared": 0.5}, "shared=0.5 belongs to noise='cluster', not to noise='normal'"),
        ({"key": 3}, "key must be a JAX random key"),
        ({"level": 1.5}, "level must lie between 0 and 1"),
        ({"targets": "c"}, "has no parameter 'c'"),
        ({"by": "one"}, "no column 'one'"),
        ({"kinds": ["wald"]}, "kinds: 'wald' is none of"),
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
    found = assess.calibrate(
        LINE, line(), noise="cluster", kinds=["fisher"], **{**SETTINGS, "simulations": 5}
    )
    assert found.by == "group"


def test_runs_that_cannot_tell(monkeypatch):
    monkeypatch.setattr(draws, "again", lambda *arguments, **options: (arguments[4][0], False))
    with pytest.raises(
        JscaleError,
        match="none of 3 simulated tables could be fitted; the fit to the table itself ended",
    ):
        assess.calibrate(
            laws.chinchilla,
            frontier(),
            **{**SETTINGS, "simulations": 3, "starts": 8},
            kinds=["fisher"],
        )


def test_quantities_are_the_plans():
    law, theta = laws.chinchilla, laws.params(laws.chinchilla)
    best = plan.optimal(law, theta, 1e24)
    expected = {
        "a": theta["beta"] / (theta["alpha"] + theta["beta"]),
        "N_opt@1e24": best.N_opt,
        "D_opt@C=1e24": best.D_opt,
        "loss@1e24": best.loss,
        "loss@N=7e10,D=1.4e12": law(7e10, 1.4e12, **theta),
        "beta": theta["beta"],
    }
    for text, value in expected.items():
        asked = assess.quantity(law, text)
        assert (asked.__name__, asked.positive) == (text, True)
        assert float(asked(theta)) == pytest.approx(float(value), rel=1e-6), text
        assert asked == assess.quantity(law, text)
        assert hash(asked) == hash(assess.quantity(law, text))
    theta = laws.params(laws.precision)
    crit = assess.quantity(laws.precision, "D_crit@N=8e9,P_post=4")(theta)
    known = plan.critical_tokens(laws.precision, theta, N=8e9, P_post=4).D_crit
    assert float(crit) == pytest.approx(float(known), rel=1e-6)
    bits = assess.quantity(laws.precision, "P_opt@1e21")(theta)
    assert float(bits) == pytest.approx(
        float(plan.optimal_precision(laws.precision, theta, budget=1e21).P_opt), rel=1e-4
    )
    tied = laws.tie(laws.chinchilla, beta="alpha")
    assert float(
        assess.quantity(tied, "a")({"E": 1.7, "A": 400.0, "B": 400.0, "alpha": 0.3})
    ) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("gamma", "has no target 'gamma'"),
        ("alpha@1e24", "alpha takes neither a budget nor inputs"),
        ("N_opt", "target 'N_opt': needs a budget, in FLOP .such as N_opt@1e24"),
        ("N_opt@-1", "the budget must be a finite number above 0"),
        ("N_opt@many", "expected a number such as 1e24 or N=8e9, not 'many'"),
        ("N_opt@1e24,C=1e23", "C is given twice"),
        ("N_opt@1e24,P_w=4", "has no input P_w"),
        ("P_opt@1e21", "has no training precision"),
        ("loss@N=7e10", "also needs D"),
        ("D_crit@1e24", "takes no budget"),
        ("D_crit@P_post=4", "needs N"),
        ("D_crit@N=8e9,P_post=4", "has no input P_post"),
        ("loss@", "expected a number"),
    ],
    ids=str,
)
def test_quantities_that_are_not(text, message):
    with pytest.raises(JscaleError, match=message) as caught:
        assess.quantity(laws.chinchilla, text)
    assert "\n" not in str(caught.value)
