"""Outcomes are integers that pass through JAX; ``check`` raises an error of one line."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jscale._core.errors import JscaleError
from jscale._core.notes import Note
from jscale._core.status import Status, check, is_optimum


def test_success_is_zero():
    """So that ``any(status)`` means a failure."""
    assert int(Status.converged) == 0
    assert sorted(Status) == list(range(len(Status)))


def test_names():
    assert str(Status.no_interior_optimum) == "no_interior_optimum"
    assert f"{Status(1)}" == "not_converged"
    assert {s.name for s in Status} == {
        "converged",
        "not_converged",
        "no_interior_optimum",
        "at_bound",
        "collinear_design",
        "kink",
        "infeasible",
        "unbounded_below",
        "flat",
    }


def test_outcomes_with_a_value_are_optima():
    codes = np.array([Status.converged, Status.at_bound, Status.kink, Status.flat, 1, 2, 6, 7])
    assert is_optimum(codes).tolist() == [True] * 4 + [False] * 4
    assert check(codes[:4], "optimum") is None


def test_passes_through_jax():
    def outcome(x):
        return jnp.where(x > 0, int(Status.converged), int(Status.at_bound))

    codes = jax.jit(jax.vmap(outcome))(jnp.array([1.0, -1.0]))
    assert [Status(int(c)) for c in codes] == [Status.converged, Status.at_bound]


@pytest.mark.parametrize(
    "status", [0, Status.converged, np.zeros(3, int), jnp.zeros((2, 2), "int32"), np.zeros(0, int)]
)
def test_check_accepts_converged_solves(status):
    assert check(status, "optimum") is None


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (Status.infeasible, "optimum: infeasible (1 of 1 solves)"),
        (np.array([0, 2, 1, 0]), "optimum: no_interior_optimum (2 of 4 solves)"),
        (jnp.array([[0, 0], [0, 4]]), "optimum: collinear_design (1 of 4 solves)"),
    ],
)
def test_check_names_the_first_failure(status, message):
    with pytest.raises(JscaleError) as caught:
        check(status, "optimum")
    assert str(caught.value) == message


def test_jscale_error_is_a_value_error():
    assert issubclass(JscaleError, ValueError)


def test_notes_do_not_share_their_evidence():
    first, second = (Note("few-runs", "warning", "Too few.") for _ in range(2))
    assert first == second
    assert first.evidence == {}
    assert first.evidence is not second.evidence
