"""What a law gets of a table."""

import numpy as np
import pytest

from jscale import laws, runs
from jscale._core.errors import JscaleError
from tests.runs.tables import COLUMNS


def test_select_gives_the_inputs_of_a_law():
    table = runs.read({**COLUMNS, "exclude": [0, 1, 0], "stderr": [0.01, 0.02, 0.03], "group": ["g", "h", "g"]})
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


def test_select_counts_missing_bits_as_sixteen_with_a_note():
    data = runs.select(runs.read({"N": [1e8, 2e8], "D": [1e9, 9e9], "loss": [3.0, 2.5]}), laws.qat)
    assert data.inputs["P_w"].tolist() == [16, 16]
    assert [n.code for n in data.notes] == ["bits-off"]
    assert (data.loss_se, data.group) == (None, None)


def test_select_names_what_a_law_misses():
    table = runs.read(
        {"N": [1e8, 2e8], "E experts": ["8", ""], "router": ["a", "b"], "loss": [3.0, 2.5]}, name="moe.csv"
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
        JscaleError, match=r"law 'chinchilla' needs column 'D', which the table 'moe\.csv' does not have"
    ):
        runs.select(table, laws.chinchilla)
    with pytest.raises(JscaleError, match="column 'E experts', row 2: the cell is empty; expected parameters, above 0"):
        runs.select(table, routed)
    with pytest.raises(JscaleError, match="column 'router' holds text"):
        runs.select(table, by_router)
    assert runs.select(table.where(np.array([True, False])), routed).inputs["E_experts"].tolist() == [8.0]
    with pytest.raises(JscaleError, match="all 2 rows are excluded"):
        runs.select(runs.read({"N": [1e8, 2e8], "loss": [3.0, 2.5], "exclude": [True, True]}), laws.power_size)


def test_select_uses_the_default_of_an_input():
    @laws.law(formula="a + 0 * N * epochs", source="test")
    def repeated(N: laws.roles.Count, epochs: laws.roles.Steps = 1.0, *, a: laws.roles.Irreducible) -> laws.roles.Loss:
        """Loss, nats per token."""
        return a + 0 * N * epochs

    data = runs.select(runs.read({"N": [1e8, 2e8], "loss": [3.0, 2.5]}), repeated)
    assert data.inputs["epochs"].tolist() == [1.0, 1.0]
    assert data.notes == ()
