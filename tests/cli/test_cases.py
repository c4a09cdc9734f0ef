"""Small tables from which people plan: what is known is used, what is not is said."""

import dataclasses
import re
from pathlib import Path

import jax
import pytest

from jscale import fit, laws, runs
from jscale._core.errors import JscaleError
from jscale.fit.predictions import input_ranges

CURVE = """step,tokens,val_loss
1000,524288000,4.037
1500,786432000,3.802
2000,1048576000,3.645
2500,1310720000,3.543
3000,1572864000,3.460
3500,1835008000,3.413
4000,2097152000,3.387
4500,2359296000,3.338
5000,2621440000,3.315
5500,2883584000,3.275
6000,3145728000,3.253
"""
FIVE = """n_params,n_tokens,loss
10000000.0,1670000000.0,3.82
30000000.0,556000000.0,3.51
100000000.0,167000000.0,3.20
100000000.0,5000000000.0,2.95
300000000.0,1670000000.0,2.70
"""


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_one_curve_is_forecast_and_told_to_be_one_run(tmp_path: Path):
    table = runs.read(written(tmp_path / "curve.csv", CURVE))
    assert "checkpoints" in {note.code for note in table.notes}
    point = fit.point(laws.power_data, table, starts=16)
    assert point.certificate.converged
    new = point.predict({"D": 1.2e10}, key=jax.random.key(0))
    assert new.quantile(0.5)[0] == pytest.approx(3.006, abs=0.002)
    assert new.decades["D"][0] == pytest.approx(0.581, abs=0.001)


def test_two_sizes_determine_no_law(jscale, tmp_path: Path):
    file = written(tmp_path / "two.csv", "params,loss\n6.0e9,1.8952\n3.4e10,1.6934\n")
    with pytest.raises(JscaleError, match=r"2 runs cannot determine the 3 parameters of law"):
        fit.point(laws.power_size, file)
    result = jscale("fit", file)
    assert result.exit_code == 2
    assert "needs column 'D'" in result.stderr


def test_a_plan_six_decades_beyond_five_runs_says_so(jscale, answer, sampled, tmp_path: Path):
    """The draws are those of another table; the runs are the five."""
    table = runs.read(written(tmp_path / "five.csv", FIVE))
    ranges = input_ranges(laws.chinchilla, {name: table[name] for name in ("N", "D")})
    file = tmp_path / "posterior.nc"
    dataclasses.replace(fit.load(sampled.file), ranges=ranges).save(file)
    plan = ("plan", "--posterior", file, "--budget", "1e24")
    (planned,) = answer(*plan)["plans"]
    assert planned["decades"]["C"] == pytest.approx(5.52, abs=0.01)
    assert planned["decades"]["N"] > 2
    assert planned["decades"]["D"] > 2
    text = jscale(*plan).stdout
    assert re.search(r"N \d\.\d D \d\.\d C 5\.5", text)
    assert "warning: " in text
