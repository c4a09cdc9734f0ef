"""Laws made from laws: ``fix``, ``tie`` and ``substitute``."""

import inspect
import math
from typing import Annotated

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jscale import laws
from jscale._core.errors import JscaleError
from jscale.laws.roles import Count, Exponent, Flops, Loss, Tokens, adjust
from tests.laws.catalogue_points import cast, centre, from_coordinates, in_dtype, to_coordinates
from tests.tolerances import ROUND_TRIP, VALUE

N, D = 7e9, 1.4e11
THETA = laws.params(laws.chinchilla)
KUMAR = laws.params(laws.low_precision)


@pytest.fixture(autouse=True)
def _double():
    with in_dtype("float64"):
        yield


def without(theta: dict, *names: str) -> dict:
    return {k: v for k, v in theta.items() if k not in names}


@laws.law(
    formula="6 * N * D * (1 + waste)", source="Kaplan et al. 2020 (arXiv 2001.08361), section 2.1"
)
def compute(N: Count, D: Tokens, *, waste: Annotated[Exponent, adjust(unit="1")]) -> Flops:
    """Training compute with a share of waste, FLOP."""
    return 6 * N * D * (1 + waste)


def check_record(law: laws.LawFunction, inputs: dict, theta: dict) -> None:
    """Formula, function, anchors and signature of a combined law agree."""
    record = laws.describe(law)
    value = law(**inputs, **theta)
    np.testing.assert_allclose(record.evaluate({**inputs, **theta}), value, rtol=VALUE["float64"])
    assert law(*(inputs[k] for k in record.input_names), **theta) == value
    assert tuple(theta) == record.parameter_names == tuple(p.name for p in record.parameters)
    assert list(inspect.signature(law).parameters) == [*record.input_names, *record.parameter_names]
    assert law.__name__ == record.name
    assert law.__doc__
    back = from_coordinates(record, to_coordinates(record, theta))
    for name, value in theta.items():
        np.testing.assert_allclose(back[name], value, rtol=ROUND_TRIP["float64"], err_msg=name)
    for constants in record.published.values():
        assert set(constants.values) == set(record.parameter_names)
        assert set(constants.stderr) <= set(constants.values)


class TestFix:
    def test_value_and_record(self):
        fixed = laws.fix(laws.chinchilla, E=THETA["E"], alpha=THETA["alpha"])
        rest = without(THETA, "E", "alpha")
        assert fixed(N, D, **rest) == laws.chinchilla(N, D, **THETA)
        check_record(fixed, {"N": N, "D": D}, rest)
        record = laws.describe(fixed)
        assert record.name == "chinchilla[E=1.6934, alpha=0.3392]"
        assert record.parameter_names == ("A", "B", "beta")
        assert record.decreasing == ("N", "D")
        assert laws.params(fixed, "besiroglu2024") == without(
            laws.params(laws.chinchilla, "besiroglu2024"), "E", "alpha"
        )
        assert set(record.published["besiroglu2024"].stderr) == {"A", "B", "beta"}

    def test_the_law_itself_is_untouched(self):
        before = laws.describe(laws.chinchilla)
        laws.fix(laws.chinchilla, E=1.0)
        assert laws.describe(laws.chinchilla) is before
        assert laws.chinchilla.__name__ == "chinchilla"

    def test_anchors_keep_their_meaning(self):
        """The coordinate of A names alpha; with alpha held it names the number."""
        record = laws.describe(laws.fix(laws.chinchilla, alpha=0.3))
        theta = without(THETA, "alpha")
        expected = to_coordinates(laws.describe(laws.chinchilla), {**THETA, "alpha": 0.3})
        coordinates = to_coordinates(record, theta)
        for name in theta:
            np.testing.assert_allclose(coordinates[name], expected[name], rtol=1e-14)

    def test_fix_twice(self):
        once = laws.fix(laws.fix(laws.chinchilla, E=THETA["E"]), beta=THETA["beta"])
        check_record(once, {"N": N, "D": D}, without(THETA, "E", "beta"))
        assert laws.describe(once).name == "chinchilla[E=1.6934][beta=0.2849]"

    def test_fix_every_parameter(self):
        fixed = laws.fix(laws.kaplan_size, **laws.params(laws.kaplan_size))
        assert fixed(1e9) == laws.kaplan_size(1e9, **laws.params(laws.kaplan_size))
        check_record(fixed, {"N": 1e9}, {})

    def test_fix_without_values(self):
        assert laws.fix(laws.chinchilla) is laws.chinchilla
        assert laws.tie(laws.chinchilla) is laws.chinchilla

    def test_ends_of_a_support_switch_terms_off(self):
        """E = 0, no degradation, weights in full precision."""
        floorless = laws.fix(laws.chinchilla, E=0)
        assert floorless(N, D, **without(THETA, "E")) == laws.chinchilla(
            N, D, **{**THETA, "E": 0.0}
        )
        full = laws.params(laws.precision)
        off = laws.fix(laws.precision, C_T=0, n_w=-math.inf)
        value = off(N, D, 4, 8, 8, 3, **without(full, "C_T", "n_w"))
        assert value == laws.low_precision(N, D, math.inf, 8, 8, **KUMAR)
        check_record(
            off,
            {"N": N, "D": D, "P_w": 4, "P_a": 8, "P_kv": 8, "P_post": 3},
            without(full, "C_T", "n_w"),
        )

    def test_negative_and_tiny_values(self):
        fixed = laws.fix(laws.qat, n_w=-0.25, alpha=1e-05)
        theta = without(laws.params(laws.qat), "n_w", "alpha")
        check_record(fixed, {"N": N, "D": D, "P_w": 4}, theta)

    def test_values_of_any_number_type(self):
        for value in (1, np.float32(1), np.int64(1), jnp.asarray(1.0)):
            fixed = laws.fix(laws.chinchilla, E=value)
            assert laws.describe(fixed).name == "chinchilla[E=1]"
            single = fixed(**cast({"N": N, "D": D, **without(THETA, "E")}, "float32"))
            assert single.dtype == "float32"

    @pytest.mark.parametrize(
        ("values", "message"),
        [
            (
                {"gamma": 1.0},
                "law 'chinchilla' has no parameter gamma (it has: E, A, B, alpha, beta)",
            ),
            ({"N": 1.0}, "no parameter N"),
            ({"E": -0.1}, "E = -0.1 lies outside its support, positive"),
            ({"E": math.nan}, "E = nan lies outside"),
            ({"E": "low"}, "E must be one number, not 'low'"),
            ({"E": None}, "E must be one number, not None"),
            ({"E": np.array([1.0, 2.0])}, "E must be one number"),
        ],
    )
    def test_mistakes(self, values, message):
        with pytest.raises(JscaleError) as caught:
            laws.fix(laws.chinchilla, **values)
        assert message in str(caught.value)
        assert "\n" not in str(caught.value)

    def test_calls_with_the_wrong_arguments(self):
        fixed = laws.fix(laws.chinchilla, E=1.69)
        rest = without(THETA, "E")
        for arguments, named in (
            ({"E": 1.0, **rest}, "'E'"),
            (without(rest, "A"), "'A'"),
            ({**rest, "gamma": 1.0}, "'gamma'"),
        ):
            with pytest.raises(TypeError, match=named):
                fixed(N, D, **arguments)
        with pytest.raises(TypeError, match="'D'"):
            fixed(N, **rest)
        with pytest.raises(TypeError, match="too many positional"):
            fixed(N, D, 3.0, **rest)


class TestTie:
    def test_value_and_record(self):
        tied = laws.tie(laws.chinchilla, beta="alpha")
        rest = without(THETA, "beta")
        assert tied(N, D, **rest) == laws.chinchilla(N, D, **{**THETA, "beta": THETA["alpha"]})
        check_record(tied, {"N": N, "D": D}, rest)
        record = laws.describe(tied)
        assert record.name == "chinchilla[beta=alpha]"
        coordinates = to_coordinates(record, rest)
        at = centre(record)
        np.testing.assert_allclose(
            coordinates["B"], rest["B"] * at["D"] ** -rest["alpha"], rtol=1e-14
        )

    def test_several_at_once(self):
        tied = laws.tie(
            laws.low_precision,
            gamma_a="gamma_w",
            gamma_kv="gamma_w",
            n_a="n_w",
            n_kv="n_w",
            beta="alpha",
        )
        theta = without(KUMAR, "gamma_a", "gamma_kv", "n_a", "n_kv", "beta")
        check_record(tied, {"N": N, "D": D, "P_w": 8, "P_a": 6, "P_kv": 5}, theta)
        f = 1 - np.exp(theta["n_w"] - np.array([8, 6, 5]) / theta["gamma_w"])
        expected = laws.chinchilla(
            N * f.prod(), D, **{**{k: theta[k] for k in "EAB"}, "alpha": 0.4965, "beta": 0.4965}
        )
        np.testing.assert_allclose(tied(N, D, 8, 6, 5, **theta), expected, rtol=VALUE["float64"])

    def test_then_fix(self):
        held = laws.fix(laws.tie(laws.chinchilla, beta="alpha"), alpha=0.3)
        assert held(N, D, **without(THETA, "alpha", "beta")) == laws.chinchilla(
            N, D, **{**THETA, "alpha": 0.3, "beta": 0.3}
        )
        check_record(held, {"N": N, "D": D}, without(THETA, "alpha", "beta"))
        assert laws.describe(held).name == "chinchilla[beta=alpha][alpha=0.3]"

    def test_then_tie(self):
        twice = laws.tie(laws.tie(laws.kaplan, alpha_D="alpha_N"), N_c="D_c")
        check_record(twice, {"N": N, "D": D}, {"D_c": 1e13, "alpha_N": 0.08})

    def test_gradient_adds_up(self):
        tied = laws.tie(laws.chinchilla, beta="alpha")
        both = jax.grad(
            lambda alpha, beta: laws.chinchilla(N, D, **{**THETA, "alpha": alpha, "beta": beta}),
            (0, 1),
        )
        one = jax.jit(
            jax.grad(lambda alpha: tied(N, D, **{**without(THETA, "beta"), "alpha": alpha}))
        )
        np.testing.assert_allclose(one(0.3), sum(both(0.3, 0.3)), rtol=1e-13)

    def test_mistakes(self):
        for names, message in (
            ({"beta": "gamma"}, "has no parameter gamma"),
            ({"gamma": "beta"}, "has no parameter gamma"),
            ({"beta": 0.3}, "has no parameter 0.3"),
            ({"alpha": "beta", "beta": "A"}, "beta cannot be tied and be tied to"),
            ({"beta": "beta"}, "beta cannot be tied and be tied to"),
            ({"alpha": "A"}, "the anchor of 'A' uses A"),
        ):
            with pytest.raises(JscaleError, match=message):
                laws.tie(laws.chinchilla, **names)
        with pytest.raises(JscaleError, match="has no parameter alpha"):
            laws.tie(laws.fix(laws.chinchilla, alpha=0.3), beta="alpha")

    def test_calls_with_the_wrong_arguments(self):
        tied = laws.tie(laws.chinchilla, beta="alpha")
        with pytest.raises(TypeError, match="'alpha'"):
            tied(N, D, **without(THETA, "alpha", "beta"))
        with pytest.raises(TypeError, match="'beta'"):
            tied(N, D, **THETA)


class TestSubstitute:
    low = staticmethod(laws.substitute(laws.chinchilla, N=laws.effective_parameters))

    def test_chinchilla_at_low_precision(self):
        record = laws.describe(self.low)
        assert record.input_names == laws.describe(laws.low_precision).input_names
        assert set(record.parameter_names) == set(laws.describe(laws.low_precision).parameter_names)
        for bits in ((8, 8, 8), (4, 16, math.inf), (math.inf,) * 3, (3, 3, 3)):
            assert self.low(N, D, *bits, **KUMAR) == laws.low_precision(N, D, *bits, **KUMAR)
        assert self.low(N, D, **KUMAR) == laws.low_precision(N, D, **KUMAR)
        assert self.low(D=D, P_a=6, N=N, **KUMAR) == laws.low_precision(N, D, P_a=6, **KUMAR)
        theta = {name: KUMAR[name] for name in record.parameter_names}
        check_record(self.low, {"N": N, "D": D, "P_w": 8, "P_a": 7, "P_kv": 6}, theta)

    def test_record(self):
        record = laws.describe(self.low)
        assert record.name == "chinchilla[N=effective_parameters]"
        assert "2203.15556" in record.source
        assert "2411.04330" in record.source
        assert record.decreasing == ("D",)
        assert record.published == {}
        assert set(record.traps) == {
            *laws.describe(laws.chinchilla).traps,
            *laws.describe(laws.effective_parameters).traps,
        }
        for p in laws.describe(laws.low_precision).parameters:
            assert (
                next(q for q in record.parameters if q.name == p.name).role.anchor == p.role.anchor
            )

    def test_gradients_at_the_edge(self):
        """With too few bits the inner law is 0: infinite, without NaN, for every dense law."""
        for dense in (
            laws.chinchilla,
            laws.kaplan,
            laws.kaplan_steps,
            laws.kaplan_size,
            laws.power_size,
        ):
            law = laws.substitute(dense, N=laws.effective_parameters_weights)
            record = laws.describe(law)
            theta = {p.name: 0.3 for p in record.parameters} | laws.params(
                laws.effective_parameters_weights
            )
            at = {i.name: 1e9 for i in record.inputs} | {"P_w": 0.5}
            value, gradients = jax.value_and_grad(lambda x, law=law: law(**x))(
                cast({**at, **theta}, "float64")
            )
            assert value == jnp.inf
            assert all(np.isfinite(g) for g in gradients.values()), record.name

    def test_published_constants_of_one_source(self):
        low = laws.substitute(
            laws.fix(laws.qat, gamma_w=1e-3, n_w=-1.0), N=laws.effective_parameters_weights
        )
        assert laws.params(low, "kumar2024") == laws.params(laws.qat, "kumar2024")

    def test_an_input_that_the_runs_do_not_have(self):
        """The coordinate of A names C, which the inner formula in N and D replaces."""
        law = laws.substitute(laws.power_compute, C=compute)
        theta = {"L_inf": 1.5, "A": 0.8, "alpha": 0.05, "waste": 0.3}
        assert law(N, D, **theta) == laws.power_compute(6 * N * D * 1.3, **without(theta, "waste"))
        check_record(law, {"N": N, "D": D}, theta)
        at = centre(laws.describe(law))
        coordinates = to_coordinates(laws.describe(law), theta)
        np.testing.assert_allclose(
            coordinates["A"], 0.8 * (6 * at["N"] * at["D"] * 1.3) ** -0.05, rtol=1e-13
        )

    def test_mixed_with_fix_and_tie(self):
        inner = laws.tie(
            laws.fix(laws.effective_parameters, n_w=0.1, n_a=0.2, n_kv=0), gamma_kv="gamma_w"
        )
        law = laws.fix(
            laws.substitute(laws.tie(laws.chinchilla, beta="alpha"), N=inner), gamma_a=2.0
        )
        theta = {**without(THETA, "beta"), "gamma_w": 2.5}
        check_record(law, {"N": N, "D": D, "P_w": 8, "P_a": 7, "P_kv": 6}, theta)
        held = {
            "n_w": 0.1,
            "n_a": 0.2,
            "n_kv": 0.0,
            "gamma_a": 2.0,
            "gamma_kv": 2.5,
            "beta": theta["alpha"],
        }
        expected = laws.low_precision(N, D, 8, 7, 6, **theta, **held)
        np.testing.assert_allclose(law(N, D, 8, 7, 6, **theta), expected, rtol=VALUE["float64"])

    def test_jit_vmap_and_float32(self):
        theta = cast(KUMAR, "float32")
        bits = jnp.asarray([4.0, 8.0, 16.0], "float32")
        value = jax.jit(
            jax.vmap(lambda P: self.low(jnp.float32(N), jnp.float32(D), P, P, P, **theta))
        )(bits)
        assert value.dtype == "float32"
        np.testing.assert_allclose(
            value, laws.low_precision(N, D, *[np.asarray(bits, float)] * 3, **KUMAR), rtol=1e-6
        )

    def test_mistakes(self):
        effective, weights = laws.effective_parameters, laws.effective_parameters_weights
        for outer, inner, message in (
            (laws.chinchilla, {}, "one input=law pair or more"),
            (laws.chinchilla, {"N": effective, "D": effective}, "takes D in tokens"),
            (laws.chinchilla, {"C": effective}, r"has no input 'C' \(it has: N, D\)"),
            (
                laws.chinchilla,
                {"D": effective},
                "takes D in tokens, law 'effective_parameters' gives parameters",
            ),
            (laws.qat, {"N": weights}, r"share the parameter names \['gamma_w', 'n_w'\]"),
            (
                laws.qat,
                {"N": laws.fix(weights, gamma_w=2.0, n_w=0.0)},
                "give gamma_w, n_w different meanings",
            ),
            (laws.chinchilla, {"N": len}, "'len' is not a declared law"),
        ):
            with pytest.raises(JscaleError, match=message):
                laws.substitute(outer, **inner)

    @pytest.mark.parametrize("first", ["N", "D"])
    def test_several_at_once(self, first):
        pairs = {"N": laws.effective_parameters, "D": laws.effective_tokens}
        law = laws.substitute(laws.chinchilla, **{first: pairs[first]}, **without(pairs, first))
        dense = laws.params(laws.chinchilla)
        inner = {name: laws.params(each) for name, each in pairs.items()}
        at = {"N": N, "D": D, "P_w": 8, "P_a": 7, "P_kv": 6, "U": D / 8}
        expected = laws.chinchilla(
            laws.effective_parameters(N, 8, 7, 6, **inner["N"]),
            laws.effective_tokens(D, D / 8, **inner["D"]),
            **dense,
        )
        record = laws.describe(law)
        theta = {
            name: {**dense, **inner["N"], **inner["D"]}[name] for name in record.parameter_names
        }
        np.testing.assert_allclose(law(**at, **theta), expected, rtol=VALUE["float64"])
        check_record(law, at, theta)
        assert record.input_names[:2] == (("N", "D") if first == "N" else ("D", "N"))
        assert set(record.input_names[2:]) == {"P_w", "P_a", "P_kv", "U"}
        second = "D" if first == "N" else "N"
        assert (
            record.name
            == f"chinchilla[{first}={pairs[first].__name__}, {second}={pairs[second].__name__}]"
        )

    def test_an_inner_law_takes_what_the_runs_have(self):
        """An inner law that takes D gets the tokens of the runs, not the law that replaces D."""

        @laws.law(formula="N * (D / 1e9)**rate", source="nowhere")
        def grown(N: Count, D: Tokens, *, rate: Exponent) -> Count:
            """Parameters that are worth more with more data, parameters."""
            return N * (D / 1e9) ** rate

        @laws.law(formula="D * U_share", source="nowhere")
        def fresh(D: Tokens, *, U_share: Exponent) -> Tokens:
            """Tokens that are new, tokens."""
            return D * U_share

        at, theta = {"N": N, "D": D}, {**THETA, "rate": 0.1, "U_share": 0.4}
        expected = laws.chinchilla(N * (D / 1e9) ** 0.1, D * 0.4, **THETA)
        for pairs in ({"N": grown, "D": fresh}, {"D": fresh, "N": grown}):
            law = laws.substitute(laws.chinchilla, **pairs)
            ordered = {name: theta[name] for name in laws.describe(law).parameter_names}
            np.testing.assert_allclose(law(**at, **ordered), expected, rtol=VALUE["float64"])
            check_record(law, at, ordered)

        @laws.law(formula="D + N**rest", source="nowhere")
        def sized(D: Tokens, N: Count, *, rest: Exponent) -> Tokens:
            """Tokens and some for size, tokens."""
            return D + N**rest

        @laws.law(formula="D * rate", source="nowhere")
        def rated(D: Tokens, *, rate: Exponent) -> Tokens:
            """Tokens at a rate, tokens."""
            return D * rate

        for other, message in (
            (sized, "'grown' for N and 'sized' for D each take what another of them computes"),
            (rated, "'grown' for N and 'rated' for D both bring rate; expected names of their own"),
        ):
            with pytest.raises(JscaleError, match=message):
                laws.substitute(laws.chinchilla, N=grown, D=other)

    def test_a_name_with_two_meanings(self):
        @laws.law(formula="N * E", source="nowhere")
        def shrunk(N: Count, E: Flops, *, rate: Exponent) -> Count:
            """Parameters that depend on something called E, parameters."""
            return N * E

        with pytest.raises(JscaleError, match="give E different meanings"):
            laws.substitute(laws.chinchilla, N=shrunk)

    def test_calls_with_the_wrong_arguments(self):
        for arguments, named in (
            (without(KUMAR, "gamma_w"), "'gamma_w'"),
            ({**KUMAR, "gamma": 1.0}, "'gamma'"),
        ):
            with pytest.raises(TypeError, match=named):
                self.low(N, D, **arguments)
        with pytest.raises(TypeError, match="too many positional"):
            self.low(N, D, 8, 8, 8, 8, **KUMAR)
        with pytest.raises(TypeError, match="'D'"):
            self.low(N, **KUMAR)


def test_a_fixed_law_returns_a_loss_as_any_other():
    fixed = laws.fix(laws.chinchilla, E=1.69)
    assert laws.describe(fixed).output == Loss.__metadata__[0]
    assert laws.describe(fixed).summary == laws.describe(laws.chinchilla).summary


def test_published_constants_of_a_changed_law_are_still_published():
    tied = laws.tie(laws.chinchilla, beta="alpha")
    assert set(laws.describe(tied).published) == {"muennighoff2023"}
    with pytest.raises(JscaleError, match="no published constants 'hoffmann2022'"):
        laws.params(tied, "hoffmann2022")
    held = laws.describe(laws.fix(laws.chinchilla, E=1.6934)).published
    assert held["hoffmann2022"].note == ""
    assert "published together with E = 1.8172" in held["besiroglu2024"].note
