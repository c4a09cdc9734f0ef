"""Laws made from laws and members of families are one object for the same arguments."""

import functools
import gc
import weakref

import numpy as np
import pytest

from jscale import laws
from jscale._core.errors import JscaleError
from jscale.laws.declaration import held_form
from jscale.laws.roles import Count, Exponent, Irreducible, Loss, SizeCoefficient


def declared():
    """A law of the user's own."""

    @laws.law(formula="E + A * N**-alpha", source="this test")
    def own(N: Count, *, E: Irreducible, A: SizeCoefficient, alpha: Exponent) -> Loss:
        """Loss of a model, nats per token."""
        return E + A * N**-alpha

    return own


def effective():
    """An effective size of the user's own."""

    @laws.law(formula="N * s", source="this test")
    def size(N: Count, *, s: Exponent) -> Count:
        """Effective parameters."""
        return N * s

    return size


def test_same_arguments_give_the_same_law():
    c = laws.chinchilla
    assert laws.fix(c, E=1.69) is laws.fix(c, E=np.float64(1.69))
    assert laws.fix(c, E=1, alpha=0.3) is laws.fix(c, alpha=0.3, E=1.0)
    assert laws.fix(c, E=0.0) is laws.fix(c, E=-0.0)
    assert laws.fix(c, E=1.69) is not laws.fix(c, E=1.7)
    assert laws.tie(c, beta="alpha") is laws.tie(c, beta="alpha")
    combined = laws.substitute(c, N=laws.effective_parameters)
    assert combined is laws.substitute(c, N=laws.effective_parameters)
    assert laws.fix(combined, E=1.69) is laws.fix(combined, E=1.69)


@pytest.mark.parametrize(
    "family", [laws.bnsl, laws.mixture_additive, laws.data_mixing, laws.compressed_methods]
)
def test_a_family_has_one_law_for_its_arguments(family):
    (name,) = (n for n in ("n", "sources") if n in family.__wrapped__.__annotations__)
    assert family(2) is family(**{name: 2}) is family(np.int64(2))
    assert family(2) is not family(3)
    for wrong in (True, [2], "2"):
        with pytest.raises(JscaleError):
            family(wrong)


def test_schedules_of_equal_rates_give_one_law():
    rates = np.linspace(1e-3, 1e-4, 50)
    assert laws.multi_power(rates) is laws.multi_power(rates.tolist())
    assert laws.momentum_law() is laws.momentum_law(None)


def test_laws_of_the_user_can_be_collected():
    own, size = declared(), effective()
    parts = [own, size, laws.fix(own, E=1.0), laws.tie(laws.fix(own, E=1.0), A="alpha")]
    parts.append(laws.substitute(laws.chinchilla, N=size))
    references = [weakref.ref(part) for part in parts]
    del own, size, parts
    gc.collect()
    assert [reference() for reference in references] == [None] * 5


def test_a_wrapped_law_has_derived_laws_of_its_own():
    own = declared()
    fixed = laws.fix(own, E=1.0)

    @functools.wraps(fixed)
    def doubled(*args, **kwargs):
        return 2 * fixed(*args, **kwargs)

    assert held_form(doubled).law is doubled
    refixed = laws.fix(doubled, A=3.0)
    assert refixed is not laws.fix(fixed, A=3.0)
    assert refixed(4.0, alpha=0.5) == 2 * (1.0 + 3.0 / 2.0)
    held = held_form(refixed)
    assert held.law(N=4.0, alpha=0.5, **held.values) == refixed(4.0, alpha=0.5)


def test_the_held_form_takes_the_constants_as_arguments():
    inner = laws.fix(laws.chinchilla, E=1.7)
    law = laws.fix(inner, alpha=0.3)
    held = held_form(law)
    assert held.values == {"E": 1.7, "alpha": 0.3}
    assert laws.describe(held.law).parameter_names == laws.describe(law).parameter_names
    rest = {"A": 400.0, "B": 410.0, "beta": 0.28}
    assert held.law(N=1e9, D=1e11, **held.values, **rest) == law(1e9, 1e11, **rest)
    # One form for all values, so that they share compiled programs.
    assert held_form(laws.fix(laws.fix(laws.chinchilla, E=1.8), alpha=0.2)).law is held.law
