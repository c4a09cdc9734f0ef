"""Contamination, envelopes and sizes of a reference, against closed forms."""

from types import SimpleNamespace

import numpy as np
import pytest

from jscale import JscaleError, assess, laws

THETA = laws.params(laws.chinchilla, "besiroglu2024")


def test_a_score_without_contaminated_items():
    rng = np.random.default_rng(0)
    seen = rng.random(4000) < 0.3
    scores = (rng.random(4000) < np.where(seen, 0.9, 0.6)).astype(float)
    result = assess.decontaminated(scores, seen)
    assert abs(result.score - 0.6) < 3 * result.stderr
    assert result.stderr == pytest.approx(np.sqrt(0.24 / result.clean), rel=0.02)
    assert abs(result.gain - 0.3 * seen.mean()) < 3 * result.gain_stderr
    assert result.clean + result.contaminated == 4000
    paired = assess.decontaminated(scores, seen, baseline=scores - 0.1)
    assert paired.score == pytest.approx(0.1)
    assert paired.stderr == pytest.approx(0.0, abs=1e-12)
    none = assess.decontaminated(scores, np.zeros(4000, bool))
    assert (none.gain, none.gain_stderr, none.contaminated) == (0.0, 0.0, 0)
    one = assess.decontaminated([1, 0, 1, 0, 1], [False] * 4 + [True])
    assert one.gain == pytest.approx(0.1)
    assert np.isnan(one.gain_stderr), "one item has no spread"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1, 0], [0, 1]), "contaminated: expected 2 booleans"),
        (([1, np.nan], [True, False]), "scores: expected finite numbers"),
        (([1, 0], [True, True]), "only 0 of 2 items are clean"),
    ],
)
def test_scores_that_cannot_be_compared(arguments, message):
    with pytest.raises(JscaleError, match=message):
        assess.decontaminated(*arguments)


def test_an_envelope_has_its_share_of_the_models_below_it():
    rng = np.random.default_rng(1)
    days = rng.uniform(0, 700, 400)
    values = np.exp(-1 + 0.006 * days - rng.exponential(0.4, 400))
    for quantile in (0.5, 0.9, 0.98):
        line = assess.envelope(days, values, quantile=quantile)
        assert line.above <= (1 - quantile) * 400 <= line.above + 2
        assert line.slope == pytest.approx(0.006, abs=6e-4)
    least = np.polyfit(days, np.log(values), 1)
    assert line.intercept > least[1] + 0.2


def test_the_median_line_of_three_points_passes_through_two():
    line = assess.envelope([0.0, 1.0, 2.0], np.exp([0.0, 5.0, 2.0]), quantile=0.5)
    assert (line.slope, line.intercept) == (pytest.approx(1.0), pytest.approx(0.0))
    assert line.doubling == pytest.approx(np.log(2))


def test_an_envelope_of_many_models_takes_no_square_matrix():
    days = np.linspace(0.0, 700.0, 2000)
    line = assess.envelope(days, np.exp(0.006 * days - 0.1 * (np.arange(2000) % 4 > 0)))
    assert line.slope == pytest.approx(0.006, abs=1e-6)


def test_an_envelope_that_is_not_solved_is_an_error(monkeypatch):
    unsolved = SimpleNamespace(status=4, message="numerical difficulties", x=None)
    monkeypatch.setattr("scipy.optimize.linprog", lambda *_, **__: unsolved)
    with pytest.raises(JscaleError, match="no quantile regression was found: numerical"):
        assess.envelope([0, 1, 2], [1, 2, 3])


@pytest.mark.parametrize("bad", [{"quantile": 1.0}, {"values": [1, -1, 2]}, {"time": [1, 1, 1]}])
def test_envelopes_that_cannot_be(bad):
    arguments = {"time": [0, 1, 2], "values": [1, 2, 3], "quantile": 0.9} | bad
    time, values = arguments.pop("time"), arguments.pop("values")
    with pytest.raises(JscaleError):
        assess.envelope(time, values, **arguments)


def test_the_size_of_a_reference_inverts_its_law():
    sizes = np.geomspace(1e7, 1e12, 6)
    loss = np.asarray(laws.chinchilla(sizes, 1e12, **THETA), float)
    inverse = assess.reference_parameters("chinchilla", THETA, loss, D=1e12)
    np.testing.assert_allclose(inverse, sizes, rtol=1e-4)
    along = np.asarray(laws.chinchilla(sizes, 20 * sizes, **THETA), float)
    inverse = assess.reference_parameters(laws.chinchilla, THETA, along, ratio=20.0)
    np.testing.assert_allclose(inverse, sizes, rtol=1e-4)
    ends = assess.reference_parameters("chinchilla", THETA, [1.0, 1e9], D=1e12)
    assert ends.tolist() == [np.inf, 0.0]
    unknown = assess.reference_parameters("chinchilla", THETA, [np.nan, 2.5], D=1e12)
    assert np.isnan(unknown).tolist() == [True, False]
    draws = THETA | {"A": np.array([400.0, 500.0])}
    two = assess.reference_parameters("chinchilla", draws, 2.5, D=1e12)
    assert two.shape == (2,)
    assert two[0] < two[1]


@pytest.mark.parametrize(
    ("law", "inputs", "message"),
    [
        ("power_data", {}, "has no input N"),
        ("chinchilla", {}, "also needs D"),
        ("chinchilla", {"D": 1e12, "ratio": 20.0}, "D or ratio, not both"),
        ("chinchilla", {"D": 1e12, "Q": 1.0}, "no other input 'Q'"),
        ("chinchilla", {"ratio": 20.0, "N": 1e9}, "no other input 'N'"),
        ("power_size", {"ratio": 20.0}, "ratio: law 'power_size' has no input D"),
        ("power_size", {}, "also needs L_inf"),
    ],
)
def test_sizes_that_cannot_be_found(law, inputs, message):
    with pytest.raises(JscaleError, match=message):
        assess.reference_parameters(law, THETA, 2.0, **inputs)
