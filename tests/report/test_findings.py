"""What the report says in words."""

import dataclasses

import jax
import numpy as np
import pytest

from jscale import laws, runs
from jscale._core.status import Status
from jscale.report.analysis._forecast import forecast, single_resource
from jscale.report.analysis._study import Study
from jscale.report.page._findings import Finding, beyond, digits_of, findings, separation
from tests.report.stand_ins import certificate, dense_table, posterior_of


def by_lead(found: list[Finding]) -> dict[str, Finding]:
    return {f.lead: f for f in found}


@pytest.fixture(scope="module")
def of_dense(dense: Study, dense_ahead) -> dict[str, Finding]:
    return by_lead(findings(dense, dense_ahead, None, None))


def test_fit_names_the_worst_run(dense: Study, of_dense):
    worst = int(np.argmax(np.abs(dense.point.residuals)))
    assert of_dense["Fit"].text.startswith("The law chinchilla describes 32 runs")
    assert f"row {dense.point.rows[worst] + 1}, lies" in of_dense["Fit"].text
    assert of_dense["Certificate"].tone == "good"


def test_next_decade_speaks_of_the_largest_run(dense_ahead, of_dense):
    text = of_dense["The next decade"].text
    assert "from 1.2×10²² to 1.2×10²³ FLOP" in text
    assert f"{dense_ahead.gain.q50[0]:.3f}" in text
    assert "90%" in text


def test_reach_counts_decades(dense: Study, dense_ahead, of_dense):
    far = beyond(dense, dense_ahead, 1)
    assert far["compute"] == pytest.approx(np.log10(1e24 / dense.compute.max()))
    assert far["size"] == pytest.approx(np.log10(dense_ahead.plans.N.q50[1] / 1e10))
    assert far["tokens per parameter"] == 0.0
    assert "10²⁴ FLOP: 1.9 in compute" in of_dense["Reach"].text
    assert of_dense["Reach"].tone == "doubt"
    inside = dataclasses.replace(dense, budgets=(1e21,))
    assert by_lead(findings(inside, forecast(inside), None, None))["Reach"].tone == "good"


def test_a_plan_far_from_the_design_is_outside_whatever_its_compute(dense: Study, dense_ahead):
    plans = dataclasses.replace(
        dense_ahead.plans, ratio=dense_ahead.plans.ratio._replace(q50=np.array([1e-3, 1e6]))
    )  # tokens per parameter that no run had
    moved = dataclasses.replace(dense_ahead, plans=plans)
    ratio = dense.table["D"] / dense.table["N"]
    assert beyond(dense, moved, 0)["tokens per parameter"] == pytest.approx(
        np.log10(ratio.min() / 1e-3)
    )
    assert beyond(dense, moved, 1)["tokens per parameter"] == pytest.approx(
        np.log10(1e6 / ratio.max())
    )


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (dict(status=Status.collinear_design), "cannot separate"),
        (dict(status=Status.at_bound, at_bound=("E",)), "drives E to the edge"),
        (
            dict(status=Status.not_converged, agreement=0.05),
            "did not converge (3 of 64 starting points agree)",
        ),
        (dict(second_method=False), "although a second method stopped short"),
    ],
)
def test_certificate_says_what_is_wrong(dense: Study, changes: dict, words: str):
    point = dataclasses.replace(dense.point, certificate=certificate(**changes))
    found = by_lead(findings(dataclasses.replace(dense, point=point), None, None, None))[
        "Certificate"
    ]
    assert words in found.text
    assert found.tone == ("good" if changes == dict(second_method=False) else "doubt")


def test_parameters_that_move_together_are_named(dense: Study):
    assert separation(dense) == [
        Finding("Separation", "The runs tell all parameters apart.", "good")
    ]
    tied = dataclasses.replace(dense, posterior=posterior_of(dense.point, dense.table, tied=0.9996))
    (found,) = separation(tied)
    assert "α and β (0.999)" in found.text
    assert "A and" not in found.text
    loose = dataclasses.replace(dense, posterior=posterior_of(dense.point, dense.table, spread=0.5))
    assert "known only within a factor of" in separation(loose)[0].text


def test_covariance_serves_without_a_posterior(dense: Study):
    covariance = dense.point.covariance.copy()
    covariance[1, 3] = covariance[3, 1] = -0.99 * np.sqrt(covariance[1, 1] * covariance[3, 3])
    covariance[0, 0] = np.inf  # a floor at the edge of its range has no standard error
    subject = dataclasses.replace(
        dense, posterior=None, point=dataclasses.replace(dense.point, covariance=covariance)
    )
    assert "A and α (0.99)" in separation(subject)[0].text


def test_an_input_that_never_varies_is_named(without_posterior):
    table = dense_table(P_w=np.full(32, 8.0))
    (found,) = separation(without_posterior(laws.qat, table))
    assert "P_w is 8 in every run" in found.text


def test_unidentified_parameters_are_named(dense: Study):
    point = dataclasses.replace(dense.point, certificate=certificate(unidentified=("A", "B")))
    assert (
        "do not determine A and B separately"
        in separation(dataclasses.replace(dense, point=point))[0].text
    )


def test_precision_and_too_much_data(bits: Study, bits_ahead, bits_found):
    found = by_lead(findings(bits, bits_ahead, None, bits_found))
    assert "best training precision is 7.0" in found["Precision"].text
    assert "tokens in 3 bits" in found["Too much data"].text
    data = bits_ahead.plans.D.q50[0]
    short = bits_found.critical.at_plans[3.0].q50[0] < data
    assert ("better with less data" in found["Too much data"].text) == short


def test_laws_without_a_plan_say_so(without_posterior):
    table = dense_table()
    subject = without_posterior(laws.power_data, table)
    found = by_lead(findings(subject, None, single_resource(subject), None))
    assert (
        "Ten times the largest run's 200B tokens lowers the loss by"
        in found["The next decade"].text
    )
    steps = runs.simulate(
        laws.kaplan_steps,
        laws.params(laws.kaplan_steps),
        {
            "N": np.geomspace(1e7, 1e9, 8),
            "D": np.geomspace(1e9, 1e10, 8),
            "S": np.geomspace(1e3, 1e5, 8),
        },
        noise=0.0,
        key=jax.random.key(0),
    )
    assert "No plan" in by_lead(
        findings(without_posterior(laws.kaplan_steps, steps), None, None, None)
    )


def test_digits_follow_the_interval():
    assert digits_of(100.0, 99.0, 101.0) == 3
    assert digits_of(100.0, 80.0, 120.0) == 2
