"""Grid searches against brute force, on small random problems with ties, NaN and infinities."""

import jax.numpy as jnp
import numpy as np
import pytest

from jscale import plan
from jscale.plan import reductions
from tests.plan.grid import problems

PROBLEMS = 200
REDUCE = (
    reductions.Best(),
    reductions.Top(9),
    reductions.Count(),
    reductions.Marginal(("b",)),
    reductions.Moments(("a", "c")),
    reductions.Front(("value", "cost")),
    reductions.ProbabilityBest("c"),
    reductions.Quantiles((0.0, 0.3, 1.0), "b"),
    reductions.Histogram((0.0, 1.0, 3.0, 9.0)),
)
QUANTITIES = {"value": problems.value, "cost": problems.cost}


def solve(table, **options):
    settings = {"where": problems.allowed, "reduce": REDUCE, **options}
    return plan.grid(QUANTITIES, problems.axes(table), **settings)


@pytest.fixture(scope="module", params=[None, 13], ids=["one tile", "tiles of 13"])
def solved(request):
    """Every problem with its values (points, 2), infinite where infeasible, and its result.

    Tiles of 13 points leave rests on every axis; there, one problem in four is enough.
    """
    step = 1 if request.param is None else 4
    cases = []
    for seed in range(0, PROBLEMS, step):
        table = problems.tables(seed)
        cases.append((problems.flat(table, 2), solve(table, tile=request.param)))
    return cases


def test_the_best_point(solved):
    for values, result in solved:
        first, second = np.sort(values[:, 0])[:2]
        assert problems.index(result["best"]) == np.argmin(values[:, 0])
        assert result["best"]["value"] == first
        assert result["best"].attrs["tied"] == (first == second)


def test_the_best_points(solved):
    for values, result in solved:
        expected = problems.best(values[:, 0], 9)
        np.testing.assert_array_equal(problems.index(result["top"]), expected)
        np.testing.assert_array_equal(result["top"]["value"], values[expected, 0])


def test_the_front_of_two(solved):
    for values, result in solved:
        expected = problems.front(values)
        np.testing.assert_array_equal(problems.index(result["front"]), expected)
        np.testing.assert_array_equal(result["front"]["cost"], values[expected, 1])


def test_counts(solved):
    for values, result in solved:
        feasible = values[:, 0][values[:, 0] < np.inf]
        assert result["feasible"]["count"] == len(feasible)
        below, *expected, above = [
            np.sum((feasible >= low) & (feasible < high))
            for low, high in ((-np.inf, 0), (0, 1), (1, 3), (3, 9), (9, np.inf))
        ]
        expected[-1] += np.sum(feasible == 9)
        np.testing.assert_array_equal(result["histogram"]["count"], expected)
        assert result["histogram"].attrs == {"below": below, "above": above - np.sum(feasible == 9)}


def test_the_valley(solved):
    for values, result in solved:
        cells = values[:, 0].reshape(problems.SHAPE).transpose(1, 0, 2).reshape(7, -1)
        lowest = cells.min(axis=1)
        some = lowest < np.inf
        valley = result["marginal"]
        np.testing.assert_array_equal(valley["value"], np.where(some, lowest, np.nan))
        place = valley["a"] * problems.SHAPE[2] + valley["c"]
        np.testing.assert_array_equal(place[some], cells.argmin(axis=1)[some])


def test_moments(solved):
    for values, result in solved:
        cells = values[:, 0].reshape(problems.SHAPE).transpose(1, 0, 2).reshape(7, -1)
        moments = result["moments"]
        for cell, mean, sd in zip(cells, moments["mean"], moments["sd"], strict=True):
            points = cell[cell < np.inf]
            expected = (points.mean(), points.std()) if len(points) else (np.nan, np.nan)
            np.testing.assert_allclose((mean, sd), expected, rtol=1e-12, atol=1e-6)


def test_quantiles(solved):
    for values, result in solved:
        cells = values[:, 0].reshape(problems.SHAPE)
        for a, c in np.ndindex(6, 5):
            points = cells[a, :, c][cells[a, :, c] < np.inf]
            expected = np.quantile(points, (0, 0.3, 1)) if len(points) else np.full(3, np.nan)
            np.testing.assert_allclose(result["quantiles"]["value"][:, a, c], expected, rtol=1e-14)


def test_how_often_a_candidate_is_the_best(solved):
    for values, result in solved:
        draws = values[:, 0].reshape(-1, problems.SHAPE[2])
        some = draws.min(axis=0) < np.inf
        winners, counts = np.unique(draws.argmin(axis=0)[some], return_counts=True)
        order = np.lexsort((winners, -counts))
        best = result["probability_best"]
        np.testing.assert_array_equal(best["a"] * 7 + best["b"], winners[order])
        np.testing.assert_allclose(best["probability"], counts[order] / some.sum(), rtol=1e-15)
        assert best.attrs["lost"] == np.sum(~some)


def test_nan_is_counted_and_noted(solved):
    seen = 0
    for _, result in solved:
        codes = {note.code: note for note in result.notes}
        assert (result.nan > 0) == ("objective-nan" in codes)
        seen += result.nan > 0
    assert seen > len(solved) / 2


def test_the_front_of_three():
    quantities = {**QUANTITIES, "third": problems.third}
    reduce = (reductions.Front(("cost", "value", "third")),)
    for seed in range(60):
        table = problems.tables(seed)
        result = plan.grid(
            quantities, problems.axes(table), where=problems.allowed, reduce=reduce, tile=70
        )
        values = problems.flat(table, 3)[:, [1, 0, 2]]
        expected = problems.front(values)
        np.testing.assert_array_equal(problems.index(result["front"]), expected)


def test_values_that_are_reduced_without_being_stored():
    """Without constraints the minima of rows come from one fused pass; NaN costs a second one."""
    reduce = (reductions.Best(), reductions.Top(9))
    for seed in range(60):
        table = problems.tables(seed)
        if seed % 2:
            table = np.nan_to_num(table, nan=3.0)
        result = plan.grid(problems.value, problems.axes(table), reduce=reduce, tile=40)
        values = table[:, 0].ravel()
        values = np.where(values < np.inf, values, np.inf)
        expected = problems.best(values, 9)
        assert problems.index(result["best"]) == expected[0]
        np.testing.assert_array_equal(problems.index(result["top"]), expected)
        # Only tiles with NaN are looked at again.
        assert result.nan == np.isnan(table[:, 0]).sum()


@pytest.mark.parametrize("more", [(), (reductions.Count(), reductions.Moments())])
def test_nan_and_minus_infinity_in_long_rows(more):
    """XLA's minimum of many numbers loses NaN on CPUs, and with it the numbers beside it."""
    reduce = (reductions.Best(), reductions.Top(3), *more)
    result = plan.grid(lambda x: jnp.log(2000 - x), {"x": np.arange(4096.0)}, reduce=reduce)
    assert result["best"]["value"] == 0
    assert result["top"]["x"].tolist() == [1999, 1998, 1997]
    assert result.nan == 4096 - 2001
    if more:
        assert result["feasible"]["count"] == 2000
        mean = np.log(np.arange(1, 2001)).mean()
        np.testing.assert_allclose(result["moments"]["mean"], mean, rtol=1e-13)


@pytest.mark.parametrize("limit", [np.inf, np.nan])
def test_a_second_quantity_makes_points_infeasible(limit):
    """The same points, whether collected alone or beside a reduction that needs the mask."""
    quantities = {"value": lambda x: x, "cost": lambda x: jnp.where(x < 2e4, limit, x)}
    for more in ((), (reductions.Count(),)):
        reduce = (reductions.Best(), reductions.Top(2), *more)
        result = plan.grid(quantities, {"x": np.arange(25000.0)}, reduce=reduce)
        assert result["best"]["x"] == 20000
        assert result["top"]["x"].tolist() == [20000, 20001]
    assert result["feasible"]["count"] == 5000


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_deviations_where_few_points_are_feasible(dtype):
    """One point in a hundred is: cells of equal values, and of close ones in float32."""
    axes = {"x": np.linspace(0, 1, 50), "draw": np.linspace(0, 1, 1000)}
    for slope in (0, 1e-3):
        result = plan.grid(
            lambda x, draw, slope=slope: 2.1 + 1e-4 * x + slope * draw,
            axes,
            where="draw < 0.01",
            reduce=[reductions.Moments(("draw",))],
            dtype=dtype,
        )
        expected = slope * np.std(axes["draw"][:10])
        # Two rounding errors of a number from 2 to 4.
        error = 2 * float(np.finfo(dtype).eps)
        np.testing.assert_allclose(result["moments"]["sd"], expected, rtol=0, atol=error)


def long_rows(x, y):
    """Falls along x, so that the entries that fill the last tile up repeat the best one."""
    return jnp.where(y == 100, 0, 1e4) + 9 - x


def test_the_best_points_beside_rows_that_fill_the_last_tile_up():
    """Tiles of four rows on ten: the last one has the last row three times."""
    axes = {"x": np.arange(10.0), "y": np.arange(3000.0)}
    reduce = (reductions.Best(), reductions.Top(3), reductions.Top(9, "nine"))
    result = plan.grid(long_rows, axes, reduce=reduce, tile=4 * 3000)
    assert result["top"]["value"].tolist() == [0, 1, 2]
    assert result["nine"]["x"].tolist() == [9, 8, 7, 6, 5, 4, 3, 2, 1]
    assert (result["best"]["x"], result["best"].attrs["tied"]) == (9, 0)


@pytest.mark.parametrize("bins", [5, 400])
def test_histograms_of_few_and_of_many_bins(bins):
    """Both ways to count, in float32, whose edges are not those of float64."""
    x = np.geomspace(0.5, 4, 1001)
    edges = tuple(np.linspace(1.0, 3.0, bins + 1))
    reduce = [reductions.Histogram(edges)]
    result = plan.grid(lambda x: x, {"x": x}, where="x != 2", reduce=reduce, dtype="float32")
    expected, _ = np.histogram(x.astype(np.float32), np.asarray(edges, np.float32))
    np.testing.assert_array_equal(result["histogram"]["count"], expected)
    attrs = result["histogram"].attrs
    assert (attrs["below"], attrs["above"]) == (np.sum(x < 1), np.sum(x > 3))
