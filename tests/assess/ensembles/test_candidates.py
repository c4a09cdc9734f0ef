"""Which laws and error models a table is given."""

import numpy as np
import pytest

from jscale import laws, runs
from jscale._core.errors import JscaleError
from jscale.assess.ensembles._candidates import candidates_of
from jscale.laws import describe

SIZE = np.geomspace(1e8, 1e10, 24)
OTHER = SIZE[np.random.default_rng(0).permutation(24)]
LOSS = 2.0 + (1e8 / SIZE) ** 0.3
BITS = np.tile([4.0, 6.0, 8.0], 8)


def table(**columns) -> runs.Runs:
    return runs.read({**columns, "loss": LOSS})


DENSE = {"N": SIZE, "D": 30 * OTHER}
# Each: columns of the table, laws.
BY_COLUMNS = {
    "sizes and tokens": (DENSE, ["chinchilla", "coupled"]),
    "repeated tokens": (
        DENSE | {"U": 3 * OTHER**0.99},
        ["data_constrained", "overfitting_penalty"],
    ),
    "bits after training": (DENSE | {"P_post": BITS}, ["precision"]),
    "bits of weights": (DENSE | {"P_w": BITS}, ["qat"]),
    "granular experts": (DENSE | {"G_granularity": BITS}, ["granular"]),
    "sparse experts": (DENSE | {"sparsity": BITS / 20}, ["sparse_moe"]),
    "experts": (DENSE | {"E_experts": BITS}, ["joint_moe"]),
    "routed experts": ({"N": SIZE, "E_experts": BITS}, ["routed", "routed_floor"]),
    "constant bits": (DENSE | {"P_w": np.full(24, 8.0)}, ["chinchilla", "coupled"]),
    "compute": ({"C": SIZE * 1e9}, ["power_compute"]),
    "sizes": ({"N": SIZE}, ["power_size"]),
    "tokens": ({"D": SIZE}, ["power_data"]),
    "tokens of one size": ({"D": SIZE, "N": np.full(24, 1e9)}, ["power_compute"]),
}


@pytest.mark.parametrize("name", BY_COLUMNS)
def test_laws_suit_the_columns(name):
    columns, expected = BY_COLUMNS[name]
    found = candidates_of(None, table(**columns), "student")
    assert [describe(each.law).name for each in found] == expected


def test_each_law_has_independent_errors_and_a_discrepancy():
    names = [each.name for each in candidates_of(None, table(**DENSE), None)]
    smooth = "normal + scale(C, D/N) + discrepancy"
    assert names == [
        f"{law}, {errors}" for law in ("chinchilla", "coupled") for errors in ("student", smooth)
    ]


def test_the_scale_depends_on_what_varies():
    ladder = candidates_of(laws.power_size, table(N=SIZE), None)
    assert [str(each.errors) for each in ladder] == ["student", "normal + discrepancy"]
    frontier = candidates_of(laws.chinchilla, table(N=SIZE, D=20 * SIZE), None)
    assert str(frontier[1].errors) == "normal + scale(C) + discrepancy"


def test_few_different_runs_have_no_discrepancy():
    repeated = table(N=np.tile(SIZE[:4], 6), D=np.tile(30 * SIZE[:4], 6))
    assert [str(each.errors) for each in candidates_of(laws.chinchilla, repeated, None)] == [
        "student"
    ]


def test_laws_and_error_models_are_crossed():
    found = candidates_of(
        [laws.power_size, laws.chinchilla], table(**DENSE), ["student", "normal + effects"]
    )
    assert [each.name for each in found] == [
        "power_size, student",
        "power_size, normal + effects",
        "chinchilla, student",
        "chinchilla, normal + effects",
    ]


CONSTANT = {"N": np.full(24, 1e9), "D": np.full(24, 1e10)}
# Each: laws, columns of the table, error models, words of the sentence.
BAD = {
    "no law": ([], DENSE, None, "laws: expected at least one law"),
    "a law twice": ([laws.coupled] * 2, DENSE, None, "'coupled' is given twice"),
    "a name": (["couple"], DENSE, None, r"no law named 'couple'"),
    "a number": (3, DENSE, None, "3 is not a declared law"),
    "nothing varies": (
        None,
        CONSTANT,
        None,
        "none of N, D and C varies .*expected a law",
    ),
    "no error model": (laws.coupled, DENSE, [], "errors: expected at least one error model"),
    "an error model twice": (laws.coupled, DENSE, ["student", "student(4)"], "given twice"),
    "no such family": (laws.coupled, DENSE, "gauss", "begins with 'gauss'; expected normal"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_sentence(name):
    chosen, columns, errors, words = BAD[name]
    with pytest.raises(JscaleError, match=words):
        candidates_of(chosen, table(**columns), errors)


@pytest.mark.parametrize("value", [5, None, {"N": [1e8]}, "runs.csv"])
def test_a_table_is_a_table(value):
    with pytest.raises(JscaleError, match=r"table: expected a table of runs, .*not a "):
        candidates_of(laws.chinchilla, value, None)
