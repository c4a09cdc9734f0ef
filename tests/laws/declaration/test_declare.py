"""``@law`` reads a signature once, returns the same function, and refuses invalid declarations."""

import importlib
import inspect
import math
from pathlib import Path
from typing import Annotated

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jscale import laws
from jscale._core.errors import JscaleError
from jscale._core.scope import float64
from jscale._core.supports import real
from jscale.fit.objective._coordinates import centred_coordinates
from jscale.laws._catalogue import CHAPTERS
from jscale.laws.roles import (
    Anchor,
    Bits,
    Count,
    DataCoefficient,
    Exponent,
    Irreducible,
    Loss,
    Prior,
    Role,
    SizeCoefficient,
    Tokens,
    adjust,
)

MODULES = [importlib.import_module(f"jscale.laws.{chapter}") for chapter in CHAPTERS]
THETA = {"E": 1.5, "A": 400.0, "alpha": 0.3}


def shrinking(
    N: Count, P_w: Bits = 16, *, E: Irreducible, A: SizeCoefficient, alpha: Exponent
) -> Loss:
    """A law of one's own, nats per token."""
    return E + A * N**-alpha / P_w


def declare(function=shrinking, **changes):
    return laws.law(**{"formula": "E + A * N**-alpha / P_w", "source": "nowhere", **changes})(
        function
    )


def fresh():
    """``shrinking`` again: a declaration marks the function itself."""

    def shrinking(
        N: Count, P_w: Bits = 16, *, E: Irreducible, A: SizeCoefficient, alpha: Exponent
    ) -> Loss:
        """A law of one's own, nats per token."""
        return E + A * N**-alpha / P_w

    return shrinking


def refused(function, **changes) -> str:
    """The message with which a declaration is refused: one line that names the law."""
    with pytest.raises(JscaleError) as caught:
        declare(function, **changes)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_the_same_function_comes_back():
    function = fresh()
    assert declare(function) is function
    assert function(1e9, 16, **THETA) == 1.5 + 400 * 1e9**-0.3 / 16


def test_record_of_a_user_law():
    record = laws.describe(declare(fresh(), decreasing=("N",), traps=["Beware."]))
    assert record.name == "shrinking"
    assert record.summary == "A law of one's own, nats per token."
    assert record.subject == "test_declare"
    assert record.input_names == ("N", "P_w")
    assert [i.default for i in record.inputs] == [None, 16.0]
    assert [i.unit for i in record.inputs] == ["parameters", "bits"]
    assert record.bit_inputs == ("P_w",)
    assert record.parameter_names == ("E", "A", "alpha")
    assert [p.unit for p in record.parameters] == ["nats/token", "nats/token at resource 1", "1"]
    assert record.output.unit == "nats/token"
    assert record.decreasing == ("N",)
    assert record.traps == ("Beware.",)
    assert record.published == {}
    assert record.evaluate({"N": 1e9, **THETA}) == pytest.approx(1.5 + 400 * 1e9**-0.3 / 16)


def test_a_user_law_works_without_registration():
    law = declare(fresh())
    assert "shrinking" not in {laws.describe(f).name for f in laws.catalogue}
    fixed = laws.fix(law, alpha=0.3)
    assert fixed(1e9, E=1.5, A=400.0) == law(1e9, **THETA)
    assert float(jax.grad(lambda N: law(N, **THETA))(1e9)) < 0
    assert laws.describe(jax.jit(law)) is laws.describe(law)


def test_python_numbers_stay_python_numbers():
    value = laws.chinchilla(70e9, 1.4e12, **laws.params(laws.chinchilla, "hoffmann2022_rounded"))
    assert type(value) is float
    array = laws.chinchilla(np.array([70e9]), 1.4e12, **laws.params(laws.chinchilla))
    assert type(array) is np.ndarray


def test_a_role_is_missing():
    def unmarked(N: Count, *, E: Irreducible, A: float) -> Loss:
        """Nothing."""

    def unreturned(N: Count, *, E: Irreducible):
        """Nothing."""

    assert "law 'unmarked': 'A' has no role" in refused(unmarked)
    assert "'return' has no role" in refused(unreturned)

    def starless(N: Count, E: Irreducible) -> Loss:
        """Nothing."""

    assert (
        "'E' has the role of a parameter (irreducible loss); parameters stand behind the *"
        in refused(starless)
    )


def test_a_parameter_needs_a_prior():
    def bare(
        N: Count, *, E: Irreducible, depth: Annotated[float, Role("depth", "layers", "no prior")]
    ) -> Loss:
        """Nothing."""

    def hollow(
        N: Count, *, A: Annotated[SizeCoefficient, adjust(prior=None, anchor=Anchor("1 / N"))]
    ) -> Loss:
        """Nothing."""

    assert "'depth' needs a role with a prior and a start range" in refused(bare, formula="E")
    assert "'A' needs a role with a prior and a start range" in refused(hollow, formula="A")


def test_arguments_that_cannot_be_named():
    def many(*N: Count, E: Irreducible) -> Loss:
        """Nothing."""

    def any_name(N: Count, **E: Irreducible) -> Loss:
        """Nothing."""

    def position(N: Count, /, *, E: Irreducible) -> Loss:
        """Nothing."""

    for function in (many, any_name, position):
        assert "must be an argument that can be given by name" in refused(function, formula="1")


def test_a_default_must_be_a_number():
    def open_ended(N: Count, P_w: Bits = None, *, E: Irreducible) -> Loss:
        """Nothing."""

    assert "the default of 'P_w' must be a number, not None" in refused(open_ended, formula="E")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"formula": "E + A * N**-beta"}, "formula uses beta, not in the signature"),
        (
            {"formula": "E + A * f", "where": {"f": "N**-gamma"}},
            "f uses gamma, not in the signature",
        ),
        ({"formula": "E + g", "where": {"g": "f", "f": "A"}}, "g uses f, not in the signature"),
        ({"formula": "E + A", "where": {"E": "A"}}, "where gives E a second meaning"),
        ({"formula": "E + A *"}, "'E + A *' is not a formula"),
        ({"formula": "E.real"}, "'E.real' is not a formula"),
        ({"formula": "__import__('os')"}, "is not a formula"),
        ({"decreasing": ("D",)}, "decreasing names ['D'], not inputs"),
        ({"published": {"x": {"E": 1.0, "A": 1.0, "alpha": 1.0}}}, "make the constants 'x' with"),
    ],
)
def test_invalid_declarations(changes, message):
    assert message in refused(fresh(), **changes)


def test_invalid_constants():
    def published(**values):
        return {"published": {"somebody2020": laws.constants("Table 1", "S1", **values)}}

    assert "constants 'somebody2020' name ['A', 'E']" in refused(fresh(), **published(E=1.0, A=1.0))
    assert "['A', 'E', 'alpha', 'beta']" in refused(fresh(), **published(**THETA, beta=0.3))
    assert "['A', 'E', 'alpha', 'gamma']" in refused(
        fresh(), **published(**THETA, stderr={"gamma": 0.1})
    )
    with pytest.raises(JscaleError, match="confidence must be one of P, R, S2, S1, D, not 'good'"):
        laws.constants("Table 1", "good", E=1.0)


def test_invalid_anchors():
    def unknown(N: Count, *, A: Annotated[SizeCoefficient, adjust(anchor=Anchor("D**-2"))]) -> Loss:
        """Nothing."""

    def circular(
        N: Count,
        *,
        A: Annotated[SizeCoefficient, adjust(anchor=Anchor("B"))],
        B: Annotated[DataCoefficient, adjust(anchor=Anchor("A / N_low"))],
    ) -> Loss:
        """Nothing."""

    assert "the anchor of 'A' uses D, not in the signature: use that name, or give" in refused(
        unknown, formula="A"
    )
    assert "the anchor of 'A' uses B, in a circle" in refused(circular, formula="A + B")


def test_an_anchor_may_name_a_parameter_that_comes_later():
    def later(
        N: Count,
        *,
        A: Annotated[SizeCoefficient, adjust(anchor=Anchor("B"))],
        B: Annotated[DataCoefficient, adjust(anchor=Anchor("1 / N_low"))],
    ) -> Loss:
        """Nothing."""
        return A + B

    record = laws.describe(laws.law(formula="A + B", source="nobody")(later))
    assert [p.name for p in record.in_order_of_anchors] == ["B", "A"]
    with float64():
        coordinates = centred_coordinates(record, {"N": np.array([2.0, 8.0])}, np.array([3.0]))
        params = coordinates.from_coordinates({"A": 6.0, "B": 0.5})
        assert params == {"A": 6.0, "B": 1.0}
        np.testing.assert_allclose(coordinates.to_free(params), np.log([6.0, 0.5]), rtol=1e-15)


def test_adjust_changes_one_role_in_place():
    def steep(
        N: Count,
        *,
        alpha: Annotated[Exponent, adjust(start=(0.5, 2.0), prior=Prior("lognormal", (0.0, 0.2)))],
        shift: Annotated[Exponent, adjust(support=real, unit="nats/token")],
        beta: Exponent,
    ) -> Loss:
        """Nothing."""
        return N**-alpha + shift + beta

    alpha, shift, beta = laws.describe(
        declare(steep, formula="N**-alpha + shift + beta")
    ).parameters
    assert alpha.role.start == (0.5, 2.0)
    assert alpha.role.prior == Prior("lognormal", (0.0, 0.2))
    assert (alpha.role.name, alpha.unit) == (beta.role.name, beta.unit) == ("exponent", "1")
    assert beta.role.start != alpha.role.start
    assert shift.support is real
    assert shift.unit == "nats/token"
    with pytest.raises(JscaleError, match="adjust: a role has no strat"):
        adjust(strat=(0.5, 2.0))


def test_support_of_an_anchored_parameter():
    """The coordinate of a bit bias is negative, that of a floor below 1; parameters are free."""
    support = {p.name: p.support.name for p in laws.describe(laws.qat).parameters}
    assert support["n_w"] == "real"
    assert support["E"] == support["A"] == support["gamma_w"] == "positive"


def test_evaluate_names_missing_values():
    record = laws.describe(laws.chinchilla)
    with pytest.raises(JscaleError, match="law 'chinchilla': no value given for D, alpha, beta"):
        record.evaluate({"N": 1e9, "E": 1.0, "A": 1.0, "B": 1.0})
    theta = laws.params(laws.precision)
    assert laws.describe(laws.precision).evaluate(
        {"N": 10**10, "D": 10**12, **theta}
    ) == pytest.approx(float(laws.precision(1e10, 1e12, **theta)))


def test_describe_needs_a_law():
    for value in (math.exp, lambda N: N, 3):
        with pytest.raises(JscaleError, match="is not a declared law"):
            laws.describe(value)
    with pytest.raises(JscaleError, match=r"a name, not a law; expected laws.get\('chinchilla'\)"):
        laws.describe("chinchilla")


def test_get():
    assert all(laws.get(laws.describe(f).name) is f for f in laws.catalogue)
    with pytest.raises(JscaleError, match=r"no law named 'chinchila'; did you mean 'chinchilla'\?"):
        laws.get("chinchila")
    with pytest.raises(JscaleError, match=r"no law named 'zzz' \(known: power_size, .*\)"):
        laws.get("zzz")
    assert laws.describe(laws.get("bnsl(2)")).name == "bnsl(2)"
    assert laws.get("bnsl") is laws.get("bnsl(1)")
    for name in ("bnsl(0)", "bnsl(x)", "bnsl(-1)", "bnsl(2.5)", "bnsl(100000)", "bnsl(3"):
        with pytest.raises(
            JscaleError, match=r"write bnsl\(2\), with a whole number from 1 to 100"
        ):
            laws.get(name)
    with pytest.raises(JscaleError, match="the name of a law is text, not 3"):
        laws.get(3)


def test_params():
    assert laws.params("chinchilla") == laws.params(laws.chinchilla)
    first = laws.params(laws.chinchilla)
    assert first == laws.params(laws.chinchilla, "hoffmann2022")
    first["E"] = 0.0
    assert laws.params(laws.chinchilla)["E"] == 1.6934
    with pytest.raises(
        JscaleError, match=r"no published constants 'kumar'.*did you mean 'kumar2024'\?"
    ) as caught:
        laws.params(laws.precision, "kumar")
    assert "it has: kumar2024, kumar2024_bias" in str(caught.value)
    with pytest.raises(
        JscaleError, match="'precision_robust' has no published constants; fit it to runs"
    ):
        laws.params(laws.precision_robust)
    with pytest.raises(
        JscaleError,
        match=r"'power_size' has no published constants 'henighan2020' \(it has: none\)",
    ):
        laws.params(laws.power_size, "henighan2020")


def test_the_catalogue_is_complete():
    """Every declared law is listed, every listed law is declared, and names are unique."""
    declared = [
        member
        for module in MODULES
        for member in vars(module).values()
        if inspect.isfunction(member)
        and member.__module__ == module.__name__
        and hasattr(member, "__jscale_record__")
    ]
    members = [family() for family in laws.families.values()]
    assert set(laws.families) == {
        name for module in MODULES for name in getattr(module, "FAMILIES", {})
    }
    assert {*declared, *members} == set(laws.catalogue)
    assert len(declared) + len(members) == len({laws.describe(f).name for f in laws.catalogue})
    for function in declared:
        name = laws.describe(function).name
        assert name in laws.__all__
        assert getattr(laws, name) is function
    for name, family in laws.families.items():
        assert name in laws.__all__
        assert getattr(laws, name) is family


def test_every_module_of_laws_is_listed():
    """A file of laws that is not in the list of chapters would hide its laws from the catalogue."""
    root = Path(laws.__path__[0])
    for path in root.rglob("*.py"):
        chapter = ".".join(path.relative_to(root).with_suffix("").parts)
        if chapter not in CHAPTERS and path.stem != "__init__":
            module = importlib.import_module(f"jscale.laws.{chapter}")
            own = (
                f for f in vars(module).values() if getattr(f, "__module__", "") == module.__name__
            )
            assert not any(hasattr(f, "__jscale_record__") for f in own), path.stem
            # ``laws.schedule`` shows the families of a chapter that is listed.
            families = getattr(module, "FAMILIES", {})
            assert all(laws.families.get(name) is each for name, each in families.items()), chapter


def test_every_public_name_exists_and_is_documented():
    assert all(hasattr(laws, name) for name in laws.__all__)
    assert sorted(laws.__all__) == sorted(set(laws.__all__))
    for name in laws.__all__:
        value = getattr(laws, name)
        if callable(value) and name != "LawFunction":
            assert value.__doc__, name
    assert all(hasattr(laws.roles, name) for name in laws.roles.__all__)


def test_tokens_and_sizes_are_not_mixed_up():
    """Two inputs of the same kind of law keep their own roles."""
    roles = {i.name: i.role for i in laws.describe(laws.chinchilla).inputs}
    assert roles["N"] == Count.__metadata__[0]
    assert roles["D"] == Tokens.__metadata__[0]
    assert jnp.isfinite(laws.chinchilla(1e9, 2e10, **laws.params(laws.chinchilla)))


@pytest.mark.parametrize(
    ("law", "name", "valid", "invalid", "expected"),
    [
        (
            laws.chinchilla,
            "N",
            (1e-3, 1e30),
            (0.0, -1.0, math.inf, math.nan),
            "a finite number of parameters, above 0",
        ),
        (laws.qat, "P_w", (0.1, math.inf), (0.0, -math.inf), "bits, above 0"),
        (
            laws.routed,
            "E_experts",
            (1.0, 512.0),
            (0.5, math.inf),
            "a finite number of experts, 1 or more",
        ),
        (laws.compressed, "compressed", (0.0, 1.0), (-1e-9, 1.1), "a number from 0 to 1"),
        (
            laws.density_trend,
            "t_days",
            (-5.0, 0.0),
            (math.inf, -math.inf),
            "a finite number of days",
        ),
    ],
    ids=["count", "bits", "experts", "indicator", "days"],
)
def test_possible_values_of_a_quantity(law, name, valid, invalid, expected):
    (role,) = [i.role for i in laws.describe(law).inputs if i.name == name]
    assert role.expected == expected
    assert all(role.allows(value) for value in valid)
    assert not any(role.allows(value) for value in invalid)
    assert role.allows(np.array([*valid, *invalid])).tolist() == [True] * len(valid) + [
        False
    ] * len(invalid)
