"""Specification curves: one number under every way of fitting it."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.optimize

from jscale import assess, fit, laws, plan, runs
from jscale._core.errors import JscaleError
from jscale._core.status import Status
from jscale.assess.robustness._sensitivity import Sensitivity, Specification
from jscale.assess.targets._estimate import estimator
from tests.assess.tables import FIXED, FREE, simulated

pytestmark = pytest.mark.usefixtures("one_optimiser")

SQUARES = {"objectives": ["log-squares", "huber"], "starts": 8}


@pytest.fixture(scope="module")
def table() -> runs.Runs:
    """Forty runs of three groups; three are excluded, with losses 10% too high."""
    base = simulated(n_total=1.3 * np.geomspace(1e7, 1e10, 40))
    columns = {name: np.array(values) for name, values in base.columns.items()}
    columns["exclude"] = np.arange(40) < 3
    columns["loss"][:3] *= 1.1
    columns["group"] = np.resize(["a", "b", "c"], 40)
    return runs.read(columns)


@pytest.fixture(scope="module")
def curve(table) -> Sensitivity:
    return assess.sensitivity(FREE, table, target="alpha", **SQUARES)


def test_every_combination_is_fitted_once(curve, table):
    labels = [
        "as marked",
        "with the 3 excluded",
        "without the 5 smallest D/N",
        "without the 10% lowest-compute runs",
    ]
    labels += [f"without group {name}" for name in "abc"]
    assert [(row.runs, row.objective) for row in curve.rows] == [
        (label, objective)
        for label in labels
        for objective in ("log-squares", "huber(delta=0.001)")
    ]
    sizes = {row.runs: row.n_runs for row in curve.rows}
    groups = [int((table["group"][table.kept] != name).sum()) for name in "abc"]
    assert list(sizes.values()) == [37, 40, 32, 33, *groups]


def test_rows_are_fits_to_the_runs_in_their_label(curve, table):
    def exponent(rows: np.ndarray) -> float:
        def residuals(x: np.ndarray) -> np.ndarray:
            return np.log(table["loss"][rows]) - np.log(
                x[0] + np.exp(x[1] - x[2] * np.log(table["N"][rows] / 3e8))
            )

        return scipy.optimize.least_squares(
            residuals, [1.5, 0.0, 0.2], xtol=1e-15, ftol=1e-15, gtol=1e-15
        ).x[2]

    def without_least(values: np.ndarray, count: int) -> np.ndarray:
        kept = np.flatnonzero(table.kept)
        return kept[np.argsort(values[kept], kind="stable")[count:]]

    expected = [
        exponent(table.kept),
        exponent(np.ones(40, dtype=bool)),
        exponent(without_least(table["D"] / table["N"], 5)),
        exponent(without_least(table["C"], 4)),
        *(exponent(table.kept & (table["group"] != name)) for name in "abc"),
    ]
    assert [row.value for row in curve.rows[::2]] == pytest.approx(expected, rel=1e-5)


def test_the_excluded_runs_change_the_result(curve):
    values = [row.value for row in curve.rows if row.objective == "log-squares"]
    assert abs(values[1] - values[0]) > 5 * curve.rows[0].stderr
    assert curve.span == (
        min(row.value for row in curve.rows),
        max(row.value for row in curve.rows),
    )
    assert curve.outside is not None
    assert 1 / 14 <= curve.outside < 0.5
    low, high = curve.span
    assert curve.headline.startswith(
        f"alpha ranges from {low:.4g} to {high:.4g} over 14 certified fits of 14"
    )
    assert f"{curve.rows[0].value:.4g} ± " in curve.headline


def test_variants_and_columns(curve, table):
    variants = assess.sensitivity(
        FREE,
        table,
        target="A",
        variants=[FIXED],
        columns={"N": ["n_total"]},
        exclusions=["excluded"],
        **SQUARES,
    )
    assert [(row.law, row.inputs) for row in variants.rows[::4]] == [
        (name, inputs)
        for name in ("power_size", "power_size[L_inf=1.8]")
        for inputs in ("as given", "N = n_total")
    ]
    # A size that counts 30% more has A larger by 1.3**alpha, with the same alpha.
    assert variants.rows[4].value / variants.rows[0].value == pytest.approx(
        1.3 ** curve.rows[0].value, rel=1e-6
    )


def test_derived_targets_have_the_errors_of_the_delta_method():
    theta = laws.params(laws.chinchilla, "hoffmann2022")
    covariance = np.diag([1e-4, 1.0, 1.0, 4e-4, 9e-4])  # E, A, B, alpha, beta

    def estimate(law, text, params, covariance):
        return estimator(assess.quantity(law, text))(params, covariance)

    value, stderr, status = estimate(laws.chinchilla, "a", theta, covariance)
    alpha, beta = theta["alpha"], theta["beta"]
    total = (alpha + beta) ** 2
    assert value == pytest.approx(beta / (alpha + beta), rel=1e-6)
    assert stderr == pytest.approx(np.hypot(beta * 0.02, alpha * 0.03) / total, rel=1e-5)
    assert status == Status.converged
    value, stderr, status = estimate(laws.chinchilla, "N_opt@1e24", theta, covariance)
    assert value == pytest.approx(float(plan.optimal(laws.chinchilla, theta, 1e24).N_opt), rel=1e-6)
    assert 0 < stderr < 10 * value
    tied = laws.tie(laws.chinchilla, beta="alpha")
    params = {name: theta[name] for name in ("E", "A", "B", "alpha")}
    assert estimate(tied, "a", params, covariance[:4, :4])[:2] == pytest.approx((0.5, 0.0))
    assert estimate(tied, "beta", params, covariance[:4, :4])[:2] == pytest.approx((alpha, 0.02))


def test_objectives_on_the_raw_scale_are_fitted_on_it(table):
    for objective in (fit.Huber(0.01, on="raw"), fit.HuberLikelihood(on="raw")):
        curve = assess.sensitivity(
            FREE, table, target="alpha", objectives=[objective], exclusions=["excluded"], starts=8
        )
        assert curve.rows[0].value == pytest.approx(
            fit.point(FREE, table, objective=objective).params["alpha"], rel=1e-6
        )
        assert curve.rows[0].objective.endswith("on=raw)")


def test_as_many_runs_as_parameters_have_no_standard_error():
    table = runs.read({"N": [1e7, 1e8, 1e9], "loss": [4.0, 3.2, 2.7]})
    curve = assess.sensitivity(
        FREE, table, target="alpha", objectives=["log-squares"], exclusions=[], starts=8
    )
    assert curve.rows[0].stderr == np.inf


def test_a_fixed_exponent_is_part_of_the_best_size():
    held = laws.fix(laws.chinchilla, alpha=0.3)
    theta = {name: value for name, value in laws.params(laws.chinchilla).items() if name != "alpha"}
    assert assess.quantity(held, "a")(theta) == pytest.approx(theta["beta"] / (0.3 + theta["beta"]))
    tied = laws.tie(laws.chinchilla, beta="alpha")
    assert assess.quantity(tied, "beta").positive


def row(value: float, stderr: float = 0.01, status: Status = Status.converged) -> Specification:
    return Specification(
        "chinchilla", "huber(delta=0.001)", "all runs", "as given", 30, value, stderr, status
    )


def test_the_headline_counts_only_certified_rows():
    rows = (row(0.51), row(0.48), row(0.52), row(0.9, status=Status.not_converged), row(np.nan))
    curve = Sensitivity("a", rows, 0.5, (), "")
    assert curve.span == (0.48, 0.52)
    assert curve.turned == pytest.approx(1 / 3)
    assert curve.outside == pytest.approx(1 / 3)
    assert curve.headline == (
        "a ranges from 0.48 to 0.52 over 3 certified fits of 5; "
        "the reference is 0.51 ± 0.01 (huber(delta=0.001), all runs); "
        "33% of the fits lie outside the reference's 95% interval; 33% of the fits are below 0.5"
    )
    one_side = Sensitivity("a", (row(0.48), row(0.46)), 0.5, (), "")
    assert one_side.headline.endswith("; no fit exceeds 0.5")
    failed = Sensitivity("a", (row(np.nan, status=Status.collinear_design),), 0.5, (), "")
    assert failed.headline == "a: none of 1 specifications gives a certified fit"
    assert (failed.span, failed.turned, failed.outside) == (None, None, None)
    uncertified = Sensitivity("a", (row(0.9, status=Status.not_converged), row(0.5)), None, (), "")
    assert "the reference has no certified value (not_converged)" in uncertified.headline


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"target": "gamma"},
            "law 'power_size' has no target 'gamma' (it has: loss, L_inf, A, alpha)",
        ),
        ({"target": "a"}, "has no target 'a'"),
        ({"target": "loss"}, "target 'loss': needs inputs (such as loss@N=7e10)"),
        ({"target": "N_opt@1e21"}, "target 'N_opt@1e21': law 'power_size' has no input D"),
        ({"target": "alpha@1e21"}, "target 'alpha@1e21': alpha takes neither a budget nor inputs"),
        ({"target": "alpha", "objectives": []}, "objectives is empty"),
        (
            {"target": "alpha", "turns_at": float("nan")},
            "turns_at must be a finite number, not nan",
        ),
        ({"target": "alpha", "objectives": ["hubert"]}, "objective must be one of"),
        (
            {"target": "alpha", "exclusions": ["rows"]},
            "no choice of runs 'rows' (known: excluded, ratio, compute, groups)",
        ),
        ({"target": "alpha", "drop": 0}, "drop must be at least 1 run, not 0"),
        ({"target": "alpha", "share": 1.0}, "share must be above 0 and below 1, not 1"),
        ({"target": "alpha", "starts": 0}, "starts must be a whole number of at least 1, not 0"),
        ({"target": "alpha", "columns": {"D": ["n_total"]}}, "law 'power_size' has no input 'D'"),
        ({"target": "alpha", "columns": {"N": ["size"]}}, "has no column 'size'"),
        ({"target": "L_inf", "variants": [FIXED]}, "has no target 'L_inf'"),
    ],
)
def test_invalid_arguments(table, options, message):
    with pytest.raises(JscaleError) as caught:
        assess.sensitivity(FREE, table, **{**SQUARES, **options})
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_choices_that_the_table_does_not_allow(table):
    two_columns = replace(table, columns={name: table[name] for name in ("N", "loss")}, extras=())
    for name, needed in (
        ("ratio", "column 'D'"),
        ("compute", "column 'C'"),
        ("groups", "column 'group'"),
    ):
        with pytest.raises(JscaleError, match=f"the choice '{name}' needs {needed}"):
            assess.sensitivity(FREE, two_columns, target="alpha", exclusions=[name], **SQUARES)
    with pytest.raises(JscaleError, match="the choice 'excluded' needs rows that are marked"):
        assess.sensitivity(FREE, two_columns, target="alpha", exclusions=["excluded"], **SQUARES)


def test_choices_that_leave_too_few_runs_have_a_note(table):
    curve = assess.sensitivity(
        FREE,
        table,
        target="alpha",
        exclusions=["excluded", "ratio"],
        objectives=["log-squares"],
        starts=8,
        drop=35,
    )
    assert [row.runs for row in curve.rows] == ["as marked", "with the 3 excluded"]
    assert [note.code for note in curve.notes] == ["too-few-runs"]


@pytest.mark.data
def test_the_chinchilla_exponents():
    table = runs.dataset("chinchilla")
    options = {"exclusions": ["excluded"], "starts": 16}
    beta = assess.sensitivity(
        laws.chinchilla, table, target="beta", objectives=["huber", fit.Huber(1e-2)], **options
    )
    values = {(row.runs, row.objective): row.value for row in beta.rows}
    assert values["as marked", "huber(delta=0.001)"] == pytest.approx(0.36717, abs=5e-5)
    # Epoch's 245 points with the five outliers, refitted; Besiroglu et al. 2024, Table 3, print
    # 0.452.
    assert values["with the 5 excluded", "huber(delta=0.001)"] == pytest.approx(0.4531, abs=1e-4)
    assert all(row.certified for row in beta.rows)
    alpha = assess.sensitivity(
        laws.chinchilla, table, target="alpha", objectives=["huber"], **options
    )
    assert alpha.rows[0].value == pytest.approx(0.34731, abs=5e-5)
    assert alpha.span is not None
    assert alpha.span[0] <= alpha.rows[0].value <= alpha.span[1]
