"""The published isoFLOP result that depends on one budget; others are in ``assess.reproduce``."""

import pytest

from jscale import fit, runs

pytestmark = pytest.mark.data


def test_llama_3():
    """D* = 0.299 C**0.537 (section 3.2.1 of the paper) depends on the highest budget."""
    result = fit.isoflop(runs.dataset("llama3-isoflop"), law=None)
    D = result.fits["all"].D
    assert D is not None
    assert len(result.budgets) == D.points == 10
    assert D.exponent == pytest.approx(0.537, abs=5e-4)
    (note,) = [n for n in result.notes if n.code == "one-budget-matters"]
    assert note.evidence["budget"] == pytest.approx(1e22, rel=1e-6)
    assert 1 - note.evidence["without"] == pytest.approx(0.511, abs=1e-3)
