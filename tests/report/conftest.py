"""Studies that many tests look at."""

from collections.abc import Callable

import pytest

from jscale import laws
from jscale.laws import LawFunction, describe
from jscale.report.analysis._forecast import Forecast, forecast
from jscale.report.analysis._precision import Precision, precision
from jscale.report.analysis._study import Study, study
from jscale.runs import Runs
from tests.report.stand_ins import bits_table, dense_table, point_of, posterior_of


@pytest.fixture(scope="session")
def dense() -> Study:
    """Chinchilla's law with a posterior and two budgets."""
    table = dense_table()
    point = point_of(laws.chinchilla, table, laws.params(laws.chinchilla, "besiroglu2024"))
    return study(table, point, posterior_of(point, table), budgets=(1e22, 1e24), post_bits=())


@pytest.fixture(scope="session")
def bits() -> Study:
    """The precision law with a posterior and a budget."""
    table = bits_table()
    point = point_of(laws.precision, table, laws.params(laws.precision))
    return study(
        table, point, posterior_of(point, table, draws=40), budgets=(1e20,), post_bits=(3.0, 4.0)
    )


@pytest.fixture(scope="session")
def dense_ahead(dense: Study) -> Forecast:
    """The forecast of ``dense``."""
    found = forecast(dense)
    assert found is not None
    return found


@pytest.fixture(scope="session")
def bits_ahead(bits: Study) -> Forecast:
    """The forecast of ``bits``."""
    found = forecast(bits)
    assert found is not None
    return found


@pytest.fixture(scope="session")
def bits_found(bits: Study, bits_ahead: Forecast) -> Precision:
    """What ``bits`` says of precision."""
    found = precision(bits, bits_ahead)
    assert found is not None
    return found


@pytest.fixture(scope="session")
def without_posterior() -> Callable[[LawFunction, Runs], Study]:
    """A study of a law and a table from the law's first published constants, or all parameters at
    0.5.
    """

    def make(law: LawFunction, table: Runs) -> Study:
        record = describe(law)
        params = (
            laws.params(law) if record.published else dict.fromkeys(record.parameter_names, 0.5)
        )
        return study(table, point_of(law, table, params), None, budgets=(1e22,), post_bits=())

    return make
