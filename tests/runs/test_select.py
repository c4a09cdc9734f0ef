"""The columns and rows of a table that a law uses."""

import jax
import numpy as np
import pandas as pd
import pytest

from jscale import laws, runs
from jscale._core.errors import JscaleError
from tests.runs.tables import COLUMNS


def test_the_inputs_of_a_law():
    table = runs.read(
        {**COLUMNS, "exclude": [0, 1, 0], "stderr": [0.01, 0.02, 0.03], "group": ["g", "h", "g"]}
    )
    data = runs.select(table, laws.precision)
    assert list(data.inputs) == ["N", "D", "P_w", "P_a", "P_kv", "P_post"]
    assert data.inputs["P_w"].tolist() == [4, 16]
    assert data.inputs["P_post"].tolist() == [16, 16]
    assert data.loss.tolist() == [3.5, 2.75]
    assert data.loss_se is not None
    assert data.loss_se.tolist() == [0.01, 0.03]
    assert data.group is not None
    assert data.group.tolist() == ["g", "g"]
    assert data.rows.tolist() == [0, 2]
    assert len(data) == 2
    assert data.notes == ()


def test_missing_bits_are_sixteen_with_a_note():
    data = runs.select(runs.read({"N": [1e8, 2e8], "D": [1e9, 9e9], "loss": [3.0, 2.5]}), laws.qat)
    assert data.inputs["P_w"].tolist() == [16, 16]
    assert [n.code for n in data.notes] == ["bits-off"]
    assert (data.loss_se, data.group) == (None, None)


def test_messages_about_missing_and_invalid_columns():
    table = runs.read(
        {"N": [1e8, 2e8], "E experts": ["8", ""], "router": ["a", "b"], "loss": [3.0, 2.5]},
        name="moe.csv",
    )

    @laws.law(formula="a + 0 * E_experts", source="test")
    def routed(E_experts: laws.roles.Count, *, a: laws.roles.Irreducible) -> laws.roles.Loss:
        """Loss, nats per token."""
        return a + 0 * E_experts

    @laws.law(formula="a + 0 * router", source="test")
    def by_router(router: laws.roles.Count, *, a: laws.roles.Irreducible) -> laws.roles.Loss:
        """Loss, nats per token."""
        return a + 0 * router

    with pytest.raises(
        JscaleError,
        match=r"law 'chinchilla' needs column 'D', which the table 'moe\.csv' does not have",
    ):
        runs.select(table, laws.chinchilla)
    with pytest.raises(
        JscaleError,
        match="column 'E experts', row 2: the cell is empty; expected a finite number of par",
    ):
        runs.select(table, routed)
    with pytest.raises(JscaleError, match="column 'router' holds text"):
        runs.select(table, by_router)
    assert runs.select(table.where(np.array([True, False])), routed).inputs[
        "E_experts"
    ].tolist() == [8.0]
    with pytest.raises(JscaleError, match="all 2 rows are excluded"):
        runs.select(
            runs.read({"N": [1e8, 2e8], "loss": [3.0, 2.5], "exclude": [True, True]}),
            laws.power_size,
        )


def test_an_input_without_a_column_has_its_default():
    @laws.law(formula="a + 0 * N * epochs", source="test")
    def repeated(
        N: laws.roles.Count, epochs: laws.roles.Steps = 1.0, *, a: laws.roles.Irreducible
    ) -> laws.roles.Loss:
        """Loss, nats per token."""
        return a + 0 * N * epochs

    data = runs.select(runs.read({"N": [1e8, 2e8], "loss": [3.0, 2.5]}), repeated)
    assert data.inputs["epochs"].tolist() == [1.0, 1.0]
    assert data.notes == ()


def test_a_column_is_found_by_its_name_in_the_source():
    @laws.law(formula="a + 0 * tokens", source="test")
    def of_tokens(tokens: laws.roles.Tokens, *, a: laws.roles.Irreducible) -> laws.roles.Loss:
        """Loss, nats per token."""
        return a + 0 * tokens

    table = runs.read({"Tokens": [1e9, 2e9], "loss": [3.0, 2.5]}, name="t.csv")
    with pytest.raises(
        JscaleError,
        match=r"needs column 'tokens', .* \(it has: 'D' \(read from 'Tokens'\), 'loss'\)",
    ):
        runs.select(table, of_tokens)
    assert (
        runs.select(runs.read({"tokens": [1e9, 2e9], "loss": [3.0, 2.5]}), of_tokens).inputs[
            "tokens"
        ][1]
        == 2e9
    )


def test_a_column_has_precedence_over_the_header_of_another():
    """Compute was read from a column ``c``; the law's context is in the column of that name."""
    table = runs.read(
        {"c": [1e18, 1e19, 1e20], "context": [64.0, 512.0, 1e4], "loss": [3.0, 2.5, 2.0]}
    )
    assert table["C"].tolist() == [1e18, 1e19, 1e20]
    assert runs.select(table, laws.power_context).inputs["c"].tolist() == [64.0, 512.0, 1e4]


@pytest.mark.parametrize("name", ["c", "context"])
def test_context_is_not_compute(name):
    c, theta = np.geomspace(64, 1e5, 12), laws.params(laws.power_context)
    table = runs.simulate(laws.power_context, theta, {name: c}, noise=0.0, key=jax.random.key(0))
    assert runs.select(table, laws.power_context).inputs["c"].tolist() == c.tolist()
    np.testing.assert_allclose(table["loss"], laws.power_context(c, **theta), rtol=1e-6)
    repeated = runs.simulate(laws.power_context, theta, table, noise=0.0, key=jax.random.key(0))
    assert repeated["loss"].tolist() == table["loss"].tolist()


def test_the_column_of_a_quantity_serves_its_only_input():
    table = runs.read({"N": [1e8, 2e8], "steps": [1e4, 2e4], "loss": [3.0, 2.5]})
    assert runs.select(table, laws.kaplan_steps).inputs["S"].tolist() == [1e4, 2e4]
    with pytest.raises(JscaleError, match="needs column 'S' or 'steps'"):
        runs.select(runs.read({"N": [1e8], "loss": [3.0]}), laws.kaplan_steps)

    @laws.law(formula="a + 0 * first * last", source="test")
    def two_rates(
        first: laws.roles.LearningRate, last: laws.roles.LearningRate, *, a: laws.roles.Irreducible
    ) -> laws.roles.Loss:
        """Loss, nats per token."""
        return a + 0 * first * last

    with pytest.raises(JscaleError, match="needs column 'first', which"):
        runs.select(runs.read({"lr": [1e-3], "loss": [3.0]}), two_rates)
    # Active parameters are another number than all of them.
    active = laws.substitute(laws.power_size, N=_active)
    with pytest.raises(JscaleError, match="needs column 'N_active', which"):
        runs.select(runs.read({"N": [1e8], "loss": [3.0]}), active)


@laws.law(formula="N_active * share", source="test")
def _active(N_active: laws.roles.Count, *, share: laws.roles.Exponent) -> laws.roles.Count:
    """Parameters, parameters."""
    return N_active * share


@pytest.mark.parametrize(
    ("law", "columns", "message"),
    [
        (
            laws.routed,
            {"E_experts": [8, 0.5]},
            "column 'E_experts', row 2: 0.5 is out of range; "
            "expected a finite number of experts, 1 or more",
        ),
        (
            laws.sparse_moe,
            {"sparsity": [0.5, 1.2]},
            "column 'sparsity', row 2: 1.2 is out of range; expected a number from 0 to 1",
        ),
        (
            laws.mixture_additive(2),
            {"mix_1": [0.4, 0.9], "mix 2": [0.6, 0.9]},
            r"columns mix_1 \+ mix_2, row 2: they sum to 1.8; "
            "expected parts of one whole, together 1",
        ),
        (
            laws.mixture_additive(2),
            {"mix_1": [0.4, 0.3], "mix_2": [0.6, 0.3]},
            "row 2: they sum to 0.6",
        ),
        (
            laws.data_mixing_total(3),
            {"mix_1": [0.4, 0.9], "mix_2": [0.1, 0.9]},
            "1.8; .* together at most 1",
        ),
    ],
    ids=["experts", "sparsity", "more than the whole", "less than the whole", "more than a part"],
)
def test_values_outside_of_a_laws_domain_name_column_and_row(law, columns, message):
    table = runs.read({"N": [1e8, 2e8], "D": [1e9, 2e9], "loss": [3.0, 2.5], **columns})
    with pytest.raises(JscaleError, match=message):
        runs.select(table, law)
    valid = table.where(np.array([True, False]))
    assert len(runs.select(valid, law)) == 1


def test_shares_may_be_rounded():
    thirds = {f"mix_{i}": [0.33] for i in (1, 2, 3)}
    table = runs.read({"N": [1e8], "D": [1e9], "loss": [3.0], **thirds})
    assert runs.select(table, laws.mixture_additive(3)).inputs["mix_3"].tolist() == [0.33]


def test_a_table_of_inputs_needs_no_losses():
    points = {"params": ["70B", "7B", "1B"], "flops": [5.88e23, 8.4e22, 6e20], "exclude": [0, 0, 1]}
    table = runs.read(points, losses=False)
    assert "loss" not in table
    assert [note.code for note in table.notes] == ["derived-D", "rows-excluded"]
    inputs = runs.inputs(table, laws.precision)
    assert inputs["N"].tolist() == [7e10, 7e9]
    assert inputs["D"] == pytest.approx([1.4e12, 2e12])
    assert inputs["P_w"].tolist() == [16, 16]
    with pytest.raises(JscaleError, match="no column for 'loss'"):
        runs.read(points)
    # Losses that some points already have may be in the table, and incomplete.
    partly = runs.read({**points, "loss": [1.9, None, 2.4]}, losses=False)
    assert runs.inputs(partly, laws.chinchilla)["N"].tolist() == [7e10, 7e9]
    # One point, or points on one ray, are no reason for a note.
    ray = runs.read({"N": [1e9, 1e10], "D": [2e10, 2e11]}, losses=False)
    assert [note.code for note in ray.notes] == ["derived-C"]


def test_a_table_of_inputs_without_rows_or_columns():
    with pytest.raises(JscaleError, match="all 1 rows are excluded"):
        runs.inputs(runs.read({"N": [1], "D": [1], "exclude": [1]}, losses=False), laws.chinchilla)
    with pytest.raises(JscaleError, match="needs column 'D'"):
        runs.inputs(runs.read({"N": [1e9]}, losses=False), laws.chinchilla)
    with pytest.raises(JscaleError, match="no column for N, D or C"):
        runs.read({"name": ["a"]}, losses=False)


BITS = {"N": [1e9] * 3, "D": [1e11] * 3, "P_post": [16, 4, 3]}


def test_a_law_of_loss_changes_takes_its_own_column_and_refuses_losses():
    both = runs.read({**BITS, "loss": [3.1, 3.15, 3.3], "delta": [1e-4, 0.05, 0.2]})
    assert runs.select(both, laws.ptq_degradation).loss.tolist() == [1e-4, 0.05, 0.2]
    assert runs.select(both, laws.chinchilla).loss.tolist() == [3.1, 3.15, 3.3]
    named = runs.read({**BITS, "degradation": [1e-4, 0.05, 0.2]})
    assert runs.select(named, laws.ptq_degradation).loss.tolist() == [1e-4, 0.05, 0.2]
    changes = runs.read({**BITS, "loss": [1e-4, 0.05, 0.2]})
    assert runs.select(changes, laws.ptq_degradation).loss.tolist() == [1e-4, 0.05, 0.2]

    absolute = runs.read({**BITS, "loss": [3.1, 3.15, 3.3]})
    with pytest.raises(JscaleError, match=r"runs in 16 bits have 3.1 .* absolute losses"):
        runs.select(absolute, laws.ptq_degradation)
    quantised = absolute.where(absolute["P_post"] < 16)
    notes = runs.select(quantised, laws.ptq_degradation).notes
    assert "absolute-losses" in {note.code for note in notes}


def test_outcomes_by_other_names():
    table = runs.read({"loss": [3.0, 2.5], "N": [1e8, 2e8], "accuracy": [0.3, 0.4]})
    assert runs.select(table, laws.score_from_loss).loss.tolist() == [0.3, 0.4]
    other = runs.read({"N": [1e8], "D": [1e9], "lr": [1e-3], "macro_loss": [3.0]})
    with pytest.raises(JscaleError, match=r"needs column 'loss', .* 'macro_loss': a loss\?"):
        runs.select(other, laws.chinchilla)


def test_anything_that_is_a_table_is_read(tmp_path):
    columns = {"N": [1e8, 1e9], "D": [2e9, 2e10], "loss": [3.5, 2.75]}
    path = tmp_path / "runs.csv"
    pd.DataFrame(columns).to_csv(path, index=False)
    for table in (columns, str(path), path, pd.DataFrame(columns)):
        assert runs.select(table, laws.chinchilla).loss.tolist() == [3.5, 2.75]
    with pytest.raises(JscaleError, match=r"expected a table of runs, .* not a int"):
        runs.select(3, laws.chinchilla)
