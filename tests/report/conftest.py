"""Analyses that many tests read."""

from collections.abc import Callable

import pytest

from jscale import laws
from jscale._core.scope import float64
from jscale.laws import LawFunction, describe
from jscale.report.analysis import (
    Analysis,
    FittedStudy,
    Forecast,
    PrecisionAnalysis,
    analyse,
    fitted_study,
)
from jscale.runs import Runs
from tests.report.stand_ins import bits_table, dense_table, point_of, posterior_of


@pytest.fixture(scope="session")
def dense() -> Analysis:
    """Chinchilla's law with a posterior and two budgets."""
    table = dense_table()
    point = point_of(laws.chinchilla, table, laws.params(laws.chinchilla, "besiroglu2024"))
    study = fitted_study(
        table, point, posterior_of(point, table), budgets=(1e22, 1e24), post_bits=()
    )
    with float64():
        return analyse(study)


@pytest.fixture(scope="session")
def bits() -> Analysis:
    """The precision law with a posterior and a budget."""
    table = bits_table()
    point = point_of(laws.precision, table, laws.params(laws.precision))
    posterior = posterior_of(point, table, draws=40)
    study = fitted_study(table, point, posterior, budgets=(1e20,), post_bits=(3.0, 4.0))
    with float64():
        return analyse(study)


@pytest.fixture(scope="session")
def dense_forecast(dense: Analysis) -> Forecast:
    """The forecast of ``dense``."""
    assert dense.forecast is not None
    return dense.forecast


@pytest.fixture(scope="session")
def bits_forecast(bits: Analysis) -> Forecast:
    """The forecast of ``bits``."""
    assert bits.forecast is not None
    return bits.forecast


@pytest.fixture(scope="session")
def bits_precision(bits: Analysis) -> PrecisionAnalysis:
    """The results of ``bits`` on precision."""
    assert bits.precision is not None
    return bits.precision


@pytest.fixture(scope="session")
def without_posterior() -> Callable[[LawFunction, Runs], FittedStudy]:
    """A study by the law's first published constants, or with all parameters at 0.5."""

    def make(law: LawFunction, table: Runs) -> FittedStudy:
        record = describe(law)
        if record.published:
            params = laws.params(law)
        else:
            params = dict.fromkeys(record.parameter_names, 0.5)
        point = point_of(law, table, params)
        return fitted_study(table, point, None, budgets=(1e22,), post_bits=())

    return make
