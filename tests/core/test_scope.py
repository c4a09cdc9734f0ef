"""The float64 scope computes in double precision and restores the caller's own setting."""

import json
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jscale._core.errors import JscaleError
from jscale._core.scope import float64, in_float64, to_numpy

pytestmark = pytest.mark.smoke


def default_dtype() -> str:
    """The dtype of a Python float in this thread."""
    return jnp.asarray([0.5]).dtype.name


def setting() -> bool:
    return jax.config.read("jax_enable_x64")


@pytest.fixture(params=[False, True], ids=["caller-in-float32", "caller-in-float64"])
def caller(request):
    """The default dtype of a caller, which must be the same after a scope."""
    with jax.enable_x64(request.param):
        yield "float64" if request.param else "float32"


def test_inside_and_after(caller):
    before = setting()
    with float64():
        assert default_dtype() == "float64"
        assert jnp.arange(3).dtype == "int64"
        with float64():
            assert default_dtype() == "float64"
        assert default_dtype() == "float64"
    assert default_dtype() == caller
    assert setting() == before


def test_after_an_exception(caller):
    with pytest.raises(RuntimeError, match="on purpose"), float64():
        raise RuntimeError("on purpose")
    assert default_dtype() == caller

    @in_float64
    def fails():
        assert default_dtype() == "float64"
        raise KeyError("on purpose")

    with pytest.raises(KeyError, match="on purpose"):
        fails()
    assert default_dtype() == caller


def test_the_global_setting_does_not_change():
    assert not setting()
    with float64():
        dtype = ThreadPoolExecutor(1).submit(default_dtype).result(timeout=60)
    assert dtype == "float32"
    assert not setting()


def test_threads_have_separate_settings():
    """One thread works in float64 while the other stays in float32."""
    inside, checked = threading.Event(), threading.Event()
    dtypes = {}

    def worker():
        with float64():
            inside.set()
            checked.wait(60)
            dtypes["worker"] = default_dtype()
        dtypes["after"] = default_dtype()

    thread = threading.Thread(target=worker)
    thread.start()
    assert inside.wait(60)
    dtypes["main"] = default_dtype()
    checked.set()
    thread.join(60)
    assert dtypes == {"worker": "float64", "after": "float32", "main": "float32"}


def test_a_thread_opens_its_own_scope(caller):
    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(in_float64(lambda _: default_dtype()), range(4))) == ["float64"] * 4
    assert default_dtype() == caller


def test_the_wrapper_has_name_arguments_and_value_of_the_function(caller):
    @in_float64
    def third(x: float, *, scale: float = 1.0) -> np.ndarray:
        """A third."""
        return to_numpy(jnp.asarray(x) * scale / 3)

    assert (third.__name__, third.__doc__) == ("third", "A third.")
    assert third(1.0, scale=2.0) == 2.0 / 3
    assert third(1.0).dtype == np.float64
    assert default_dtype() == caller


def test_one_function_in_both_precisions():
    """A compiled function is not reused across precisions."""
    third = jax.jit(lambda x: x / 3)
    single = third(jnp.asarray(1.0))
    with float64():
        double = third(jnp.asarray(1.0))
    repeated = third(jnp.asarray(1.0))
    assert (single.dtype, double.dtype, repeated.dtype) == ("float32", "float64", "float32")
    assert float(double) == 1 / 3
    assert float(single) != 1 / 3


def test_arrays_have_the_same_precision_outside_of_the_scope():
    with float64():
        tree = {"a": jnp.asarray([1 / 3]), "b": (jnp.arange(2), 1.0)}
    out = to_numpy(tree)
    assert out["a"].dtype == np.float64
    assert out["a"][0] == 1 / 3
    assert out["b"][0].dtype == np.int64
    assert isinstance(out["b"][1], np.ndarray)


@pytest.mark.parametrize(
    "setting",
    [
        jax.numpy_rank_promotion("raise"),
        jax.transfer_guard("disallow"),
        jax.debug_nans(True),
        jax.debug_infs(True),
        jax.default_matmul_precision("bfloat16"),
    ],
    ids=["ranks", "transfers", "nans", "infs", "precision"],
)
def test_settings_that_make_a_caller_fail_or_compute_otherwise_do_not_apply(setting):
    matrix = np.linspace(0, 1, 12).reshape(3, 4)

    def compute() -> np.ndarray:
        with float64():
            return np.asarray(jnp.log(jnp.asarray(matrix) @ matrix.T + matrix[:, 0]) / 0.0 + 1)

    usual = compute()
    with setting:
        assert compute().tobytes() == usual.tobytes()


SETTINGS = {
    "jax_enable_x64": True,
    "jax_default_matmul_precision": "bfloat16",
    "jax_numpy_rank_promotion": "raise",
    "jax_numpy_dtype_promotion": "strict",
    "jax_transfer_guard": "disallow",
    "jax_debug_nans": True,
    "jax_debug_infs": True,
    "jax_debug_key_reuse": True,
    "jax_threefry_partitionable": False,
}
HOST = """
import json, sys
import jax
for setting, value in json.loads(sys.argv[1]).items():
    jax.config.update(setting, value)
before = {name: repr(value) for name, value in jax.config.values.items()}
with jax.transfer_guard("allow"), jax.threefry_partitionable(True):
    key = jax.random.key(0)

import numpy as np
from jscale import fit, laws, plan, runs
N = np.geomspace(1e8, 1e10, 12)
theta = laws.params(laws.kaplan_size)
table = runs.simulate(laws.kaplan_size, theta, {"N": N, "D": 20 * N}, noise=0.01, key=key)
point = fit.point(laws.kaplan_size, table, starts=4)
best = plan.optimal(laws.chinchilla, laws.params(laws.chinchilla), 1e21)
result = [table.digest, point.params, point.stderr, f"{float(best.N_opt):.4g}"]
after = {name: repr(value) for name, value in jax.config.values.items()}
print(json.dumps([result, [name for name in before if before[name] != after.get(name)]]))
"""


def test_the_settings_of_another_program_change_nothing():
    """All at once, in a process of its own beside one without them."""
    hosts = [
        subprocess.Popen(
            [sys.executable, "-c", HOST, json.dumps(settings)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for settings in ({}, SETTINGS)
    ]
    printed = [host.communicate(timeout=300) for host in hosts]
    assert [err for _, err in printed] == ["", ""]
    (expected, changed), outcome = (json.loads(out) for out, _ in printed)
    assert changed == []
    assert outcome == [expected, []]


def test_a_call_inside_a_transformation_is_refused():
    @in_float64
    def compute(x=1.0):
        return x

    words = "compute was called inside a function that JAX transforms"
    for transform in (jax.jit, jax.vmap, jax.grad):
        with pytest.raises(JscaleError, match=words):
            transform(compute)(jnp.ones(3) if transform is jax.vmap else 1.0)
    with pytest.raises(JscaleError, match=words):
        jax.jit(lambda x: compute() * x)(1.0)
    assert compute() == 1.0


def test_a_forked_child_is_told_to_be_spawned():
    """JAX's threads do not exist in a forked child, which would wait for them for ever."""
    code = """
import os, sys, warnings
warnings.simplefilter("ignore")
from jscale._core.scope import float64
import jax.numpy as jnp
with float64():
    jnp.zeros(3) + 1
child = os.fork()
if child == 0:
    try:
        with float64():
            jnp.zeros(4) + 1
    except ValueError as error:
        print(error, flush=True)
    os._exit(0)
os.waitpid(child, 0)
with float64():
    print(float(jnp.ones(()) + 1))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    refused, computed = done.stdout.splitlines()
    assert "use multiprocessing.get_context('spawn')" in refused
    assert computed == "2.0"
