"""Grid searches over laws, draws, real models and a user's functions; bad input."""

import errno

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jscale import laws, plan
from jscale._core.errors import JscaleError
from jscale._core.jobs import Checkpoint
from jscale.plan import reductions
from tests.plan.cases import KUMAR

N, P = np.geomspace(1e9, 1e11, 401), np.linspace(3, 16, 261)
SQUARE = {"x": np.arange(-3.0, 5.0), "y": np.arange(2.0)}


def square(x, y):
    return x**2 + y


def loss_on_a_budget(N, P, **theta):
    return laws.precision(N, 1e21 / (6 / 16 * N * P), P_w=P, P_a=P, P_kv=P, **theta)


def test_kumars_optimum_by_grid_then_polished():
    """The optimum at 1e21 FLOP, whose cell of the grid holds the exact one."""
    cells = plan.grid(lambda N, P: loss_on_a_budget(N, P, **KUMAR), {"N": N, "P": P})
    best = cells["best"]
    assert abs(np.log(best["N"] / 5.34335e9)) <= np.log(N[1] / N[0])
    assert abs(best["P"] - 7.00211) <= P[1] - P[0]

    polished = plan.optimal(
        laws.precision,
        KUMAR,
        budget=1e21,
        free=("N", "D", "P"),
        cost=plan.costs.precision_scaled_flops,
    )
    expected = {"N": 5.34335e9, "D": 7.12732e10, "P": 7.00211}
    found = {"N": polished.N_opt, "D": polished.D_opt, "P": polished.P_opt}
    for name, value in expected.items():
        assert float(found[name]) == pytest.approx(value, rel=1e-6)
    # Nothing on the grid is better, and the best of it is close.
    assert 0 <= float(best["value"]) - float(polished.loss) < 2e-5


def test_draws_are_a_last_axis():
    """Quantiles and P(best) of the sizes for one budget, against NumPy."""
    theta = laws.params(laws.chinchilla)
    draws = {**theta, "alpha": theta["alpha"] * np.linspace(0.9, 1.1, 5)}
    sizes = np.array([1e9, 3e9, 1e10])

    def loss(N, **theta):
        return laws.chinchilla(N, 1e21 / (6 * N), **theta)

    result = plan.grid(
        loss,
        {"N": sizes},
        params=draws,
        reduce=[reductions.Quantiles((0.25, 0.5)), reductions.ProbabilityBest()],
    )
    values = loss(sizes[:, None], **draws)
    quantiles = np.quantile(values, (0.25, 0.5), axis=1)
    np.testing.assert_allclose(result["quantiles"]["value"], quantiles, rtol=1e-14)
    winners, counts = np.unique(values.argmin(axis=0), return_counts=True)
    best = result["probability_best"]
    assert sorted(best["N"]) == sorted(sizes[winners])
    assert sorted(best["probability"]) == sorted(counts / 5)


def test_models_that_carry_several_values():
    """Bits for real shapes under a memory cap: entries of an axis keep their values together."""
    models = [
        {"name": "1B", "N": 1.2e9, "layers": 16},
        {"name": "8B", "N": 8e9, "layers": 32},
        {"name": "70B", "N": 7e10, "layers": 80},
    ]
    result = plan.grid(
        {"loss": lambda N, bits: N**-0.1 + bits**-3.0, "gigabytes": "N * bits / 8e9"},
        {"model": models, "bits": [4, 8, 16]},
        where=["gigabytes <= 16", "layers <= 80"],
        reduce=[reductions.Best(), reductions.Marginal(("model",))],
    )
    best, valley = result["best"], result["marginal"]
    assert (best["name"], best["bits"], best["layers"]) == ("8B", 16, 32)
    assert valley["bits"].tolist()[:2] == [16, 16]
    assert np.isnan(valley["value"][2])
    assert valley.to_xarray()["model"].values.tolist() == ["1B", "8B", "70B"]
    assert valley.to_pandas()["N"].tolist() == [1.2e9, 8e9, 7e10]


def test_a_reduction_of_ones_own():
    largest = reductions.Custom(
        init=lambda: {"value": -np.inf},
        update=lambda state, values, feasible: {
            "value": jnp.max(jnp.where(feasible, values["value"], state["value"]))
        },
        merge=lambda a, b: {"value": np.maximum(a["value"], b["value"])},
        name="largest",
    )
    result = plan.grid(square, SQUARE, reduce=[largest], tile=3)
    assert result["largest"]["value"] == 17


def test_float32_and_the_callers_settings():
    """The precision is that of ``dtype``, whatever the caller's is."""
    theta = laws.params(laws.chinchilla)
    axes = {"N": np.geomspace(1e9, 1e11, 30), "D": np.geomspace(1e10, 1e12, 30)}
    results = {}
    for dtype in ("float32", "float64"):
        assert not jax.config.jax_enable_x64
        result = plan.grid(laws.chinchilla, axes, params=theta, dtype=dtype)
        results[dtype] = float(result["best"]["value"])
    exact = float(laws.chinchilla(1e11, 1e12, **theta))
    assert results["float64"] == pytest.approx(exact, rel=1e-14)
    assert 1e-12 < abs(results["float32"] / exact - 1) < 1e-6


def test_memory_follows_the_function():
    """A function with large intermediate results gets small tiles."""
    from jscale.plan.gridsearch._design import Design
    from jscale.plan.gridsearch._grid import _divided, size_of_a_point
    from jscale.plan.gridsearch._quantities import read_objective
    from jscale.plan.reductions import divide

    def wide(x):
        return jnp.sum(jnp.sin(x * jnp.arange(1000.0)))

    axis = plan.gridsearch._axes.Axis("x", {"x": np.arange(1e6)})
    space = divide({"x": 10**6}, (), 1, 1)
    design = Design(space, read_objective(wide, ["x"], ()), (), (reductions.Best(),), "float64")
    numbers, length = size_of_a_point(design, [axis], {})
    assert numbers == 1000
    assert length == 48  # a product and a sine of arrays, and their sum
    tile = _divided({"x": 10**6}, design.reductions, None, numbers).tile[0]
    assert 500 < tile * 1000 / 1e3 <= 2**20 / 1e3


def test_ties_are_noted():
    result = plan.grid(lambda x, y: x**2 + 0 * y, SQUARE)
    assert (result["best"]["x"], result["best"]["y"]) == (0, 0)
    assert [note.code for note in result.notes] == ["tied-optimum"]


BAD = {
    "an empty axis": (dict(axes={"x": []}), "axes: 'x' is empty"),
    "NaN on an axis": (dict(axes={"x": [1.0, np.nan]}), "axes: 'x'[1] is NaN"),
    "text on an axis": (dict(axes={"x": [1, "two"]}), "expected numbers"),
    "no axis": (dict(axes={}), "axes must map"),
    "columns of two lengths": (
        dict(axes={"m": {"x": [1, 2], "y": [1, 2, 3]}}),
        "expected lists of one length, not x 2, y 3",
    ),
    "rows of other names": (dict(axes={"m": [{"x": 1}, {"y": 2}]}), "'m'[1]: expected x"),
    "a name twice": (dict(axes={**SQUARE, "m": {"x": [1]}}), "'x' is given twice"),
    "an axis that nothing takes": (dict(axes={**SQUARE, "z": [1]}), "nothing takes 'z'"),
    "a missing axis": (dict(axes={"x": [1]}), "takes y, which neither an axis nor params give"),
    "an array at a point": (
        dict(objective=lambda x, y: jnp.stack([x, y])),
        "'value' has shape (2,) at a point; expected one number",
    ),
    "a decision in Python": (
        dict(objective=lambda x, y: x if x > 0 else y),
        "decides by a value of an axis",
    ),
    "a function that fails": (dict(objective=lambda x, y: {}["k"]), "failed: KeyError: 'k'"),
    "no function": (dict(objective=3), "expected a law, a cost, a formula"),
    "no feasible point": (dict(where="x > 9"), "none of the 16 points is feasible"),
    "no parameters": (dict(objective=laws.chinchilla), "E, A, B, alpha, beta"),
    "no reduction": (dict(reduce=[]), "reduce must be a list"),
    "one name twice": (dict(reduce=[reductions.Best()] * 2), "'best' is the name of two results"),
    "an unknown quantity": (
        dict(reduce=[reductions.Front(("value", "cost"))]),
        "needs the quantity cost",
    ),
    "an unknown axis": (dict(reduce=[reductions.Marginal(("z",))]), "no axis 'z'"),
    "another dtype": (dict(dtype="float16"), "dtype must be one of float32, float64"),
    "a huge grid": (
        dict(axes={"x": np.arange(1e7), "y": np.arange(1e7)}),
        "100,000,000,000,000 points would take about",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input(case):
    arguments, words = BAD[case]
    arguments = {"objective": square, "axes": SQUARE, **arguments}
    with pytest.raises(JscaleError) as error:
        plan.grid(arguments.pop("objective"), arguments.pop("axes"), **arguments)
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_a_file_of_another_job(tmp_path):
    plan.grid(square, SQUARE, resume=tmp_path / "progress")
    with pytest.raises(JscaleError, match="holds the progress of another job, whose grid is"):
        plan.grid(square, {**SQUARE, "x": np.arange(8.0)}, resume=tmp_path / "progress")
    top = [reductions.Top(2)]
    with pytest.raises(JscaleError, match="holds the progress of another job, whose reductions"):
        plan.grid(square, SQUARE, reduce=top, resume=tmp_path / "progress")


def test_a_file_of_another_reduction_of_ones_own(tmp_path):
    """The code of ``init`` and ``merge`` and the values they refer to are part of the job."""

    def custom(scale, merge=np.maximum):
        return reductions.Custom(
            init=lambda: {"value": -np.inf},
            update=lambda state, values, feasible: {"value": jnp.max(values["value"])},
            merge=lambda a, b: {"value": merge(a["value"], scale * b["value"])},
        )

    file = tmp_path / "progress"
    first = plan.grid(square, SQUARE, reduce=[custom(1.0)], resume=file)
    again = plan.grid(square, SQUARE, reduce=[custom(1.0)], resume=file)
    assert first["custom"]["value"] == again["custom"]["value"] == 17
    for other in (custom(2.0), custom(1.0, np.minimum)):
        with pytest.raises(JscaleError, match="holds the progress of another job, whose reductio"):
            plan.grid(square, SQUARE, reduce=[other], resume=file)


def test_a_full_disk(tmp_path, monkeypatch):
    def add(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Checkpoint, "add", add)
    with pytest.raises(JscaleError, match="cannot be written: No space left on device"):
        plan.grid(square, SQUARE, resume=tmp_path / "progress")


def test_an_interrupt_keeps_finished_groups(tmp_path, monkeypatch):
    """Ctrl-C ends the job at once, and what was finished is in the file."""
    file, axes = tmp_path / "progress", {"x": np.arange(64.0), "y": np.arange(2.0)}
    whole = plan.grid(square, axes, tile=2)
    add = Checkpoint.add

    def interrupted(self, name, result):
        add(self, name, result)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Checkpoint, "add", interrupted)
        with pytest.raises(KeyboardInterrupt):
            plan.grid(square, axes, tile=2, resume=file)
    assert file.read_bytes().count(b'{"unit": "group') == 1
    resumed = plan.grid(square, axes, tile=2, resume=file)
    assert resumed["best"]["value"] == whole["best"]["value"]
    assert file.read_bytes().count(b'{"unit": "group') == 4
