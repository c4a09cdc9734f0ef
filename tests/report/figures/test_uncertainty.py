"""Figures of profiles and of coverage: the numbers that they draw."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from jscale import report
from jscale._core.errors import JscaleError
from jscale._core.status import Status
from jscale.assess import Calibration, Coverage
from jscale.fit import Profile
from jscale.report import plots


def a_profile(log: bool = False) -> Profile:
    levels = np.linspace(0.4, 0.8, 9)
    estimate, stderr = 0.6, 0.1
    deviance = ((np.log(levels / 0.6) * 0.6 if log else levels - 0.6) / stderr) ** 2
    half = 0.16449
    return Profile(
        target="a",
        estimate=estimate,
        level=0.9,
        low=0.6 - half,
        high=0.6 + half,
        levels=levels,
        deviance=deviance,
        params={},
        threshold=2.7055,
        scaling="sandwich",
        scale=1.0,
        stderr=stderr / 0.6 if log else stderr,
        log=log,
        status=Status.converged,
        notes=(),
    )


@pytest.mark.parametrize("log", [False, True])
def test_a_profile_crosses_its_threshold_at_the_ends(log):
    (axes,) = report.profile_figure(a_profile(log)).axes
    lines = {line.get_label(): line for line in axes.lines}
    assert {"profile", "threshold, 90%", "by the standard error"} <= set(lines)
    visible = a_profile(log).deviance <= 1.6 * 2.7055
    np.testing.assert_allclose(lines["profile"].get_xdata(), a_profile(log).levels[visible])
    np.testing.assert_allclose(lines["profile"].get_ydata(), a_profile(log).deviance[visible])
    assert set(lines["threshold, 90%"].get_ydata()) == {2.7055}
    parabola = lines["by the standard error"]
    at = np.interp(0.7, parabola.get_xdata(), parabola.get_ydata())
    assert at == pytest.approx((np.log(0.7 / 0.6) * 6) ** 2 if log else 1.0, rel=0.01)
    ends = [line.get_xdata()[0] for line in axes.lines if line.get_label() == "_end"]
    assert ends == pytest.approx([0.6 - 0.16449, 0.6 + 0.16449])


def test_an_infinite_end_is_not_drawn():
    (axes,) = report.profile_figure(replace(a_profile(), low=-np.inf, stderr=np.inf)).axes
    assert [line.get_label() for line in axes.lines].count("_end") == 1
    assert "by the standard error" not in {line.get_label() for line in axes.lines}


def a_calibration() -> Calibration:
    rows = [
        Coverage(target, kind, 0.5, share, 0.02, 0.1, 200)
        for target, shares in {"a": (0.80, 0.89), "E": (0.99, 0.9)}.items()
        for kind, share in zip(("fisher", "sandwich"), shares, strict=True)
    ]
    return Calibration(
        rows=tuple(rows),
        law="chinchilla",
        level=0.9,
        noise="normal",
        scale=0.005,
        objective_name="log-squares",
        weights=None,
        shared=0.0,
        by=None,
        simulations=200,
        draws=100,
        seconds={},
        notes=(),
        table_digest="",
    )


def test_coverage_has_a_row_for_each_kind():
    left, right = report.coverage_figure(a_calibration()).axes
    drawn = {c.get_label(): c.lines[0].get_xydata().tolist() for c in left.containers}
    assert drawn == {"too short": [[0.8, 0.0]], "covers": [[0.89, 1.0]]}
    assert [c.get_label() for c in right.containers] == ["covers"]
    assert [tick.get_text() for tick in left.get_yticklabels()] == ["fisher", "sandwich"]
    assert tuple(axes.get_title(loc="left") for axes in (left, right)) == ("a", "E")
    assert left.lines[0].get_xdata()[0] == 0.9
    (bars,) = right.containers[0].lines[2]
    assert max(x for segment in bars.get_segments() for x, _ in segment) <= 1.0


@pytest.mark.parametrize(
    ("kind", "start"), [(".png", b"\x89PNG"), (".pdf", b"%PDF"), (".svg", b"<?xml")]
)
def test_figures_are_written(tmp_path: Path, kind: str, start: bytes):
    for write, result in (
        (report.write_profile, a_profile()),
        (report.write_coverage, a_calibration()),
    ):
        write(tmp_path / f"figure{kind}", result)
        assert (tmp_path / f"figure{kind}").read_bytes().startswith(start)


def test_figures_that_cannot_be_drawn_or_written(tmp_path: Path):
    with pytest.raises(JscaleError, match=r"expected a file that ends in \.pdf, \.png, \.svg"):
        report.write_coverage(tmp_path / "figure.gif", a_calibration())
    with pytest.raises(JscaleError, match="there is nothing to draw"):
        report.write_profile(
            tmp_path / "figure.png", replace(a_profile(), levels=np.zeros(0), deviance=np.zeros(0))
        )
    assert list(tmp_path.iterdir()) == []


def test_the_same_on_given_axes():
    ax = plots.axes(dark=True)
    assert plots.profile(a_profile(), ax=ax) is ax
    lines = {line.get_label(): line for line in ax.lines}
    assert lines["profile"].get_color() == "#56b4e9"
    assert set(lines["threshold, 90%"].get_ydata()) == {2.7055}

    ax = plots.coverage(a_calibration(), of="E")
    (covers,) = ax.containers
    assert covers.lines[0].get_xydata().tolist() == [[0.99, 0.0], [0.9, 1.0]]
    assert ax.get_title(loc="left") == "E"
    with pytest.raises(JscaleError, match="of must be one of a, E, not 'A'"):
        plots.coverage(a_calibration(), of="A")
