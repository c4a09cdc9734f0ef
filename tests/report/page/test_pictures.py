"""Pictures as data addresses."""

from urllib.parse import unquote
from xml.etree import ElementTree

import numpy as np
from matplotlib.figure import Figure

from jscale.report.figures import svg
from jscale.report.page._pictures import _path, compact, data_uri


def test_paths_have_relative_coordinates_in_hundredths():
    assert _path("M 10 20.004 \nL 12.5 20.004 \nL 12.5 19 \nL 13 18.251 \nz\n") == (
        "M10,20h2.5v-1l.5-.75z"
    )
    assert _path("M 0 1 Q 1 2 3 4 Q 5 6 7 8 C 1 1 2 2 3 3") == ("M0,1q1,1,3,3,2,2,4,4c-6-7-5-6-4-5")
    # A line would follow a second "M" without a letter.
    assert _path("M 1 1 M 2 2 L 3 3 z M 4 4 L 5 4") == "M1,1M2,2l1,1zM4,4h1"
    assert _path("M 1 2 L 1 2 L 1e-05 2") == "M1,2h0-1"


def test_rounding_does_not_add_up():
    steps = np.linspace(0, 10, 1001) + 0.004
    path = "M 0.004 0 " + " ".join(f"L {x:.6f} {x:.6f}" for x in steps[1:])
    numbers = [float(step) for step in _path(path).split("l")[1].split(",")]
    assert abs(sum(numbers[::2]) - 10) < 0.011


def test_a_compact_picture_has_the_same_parts_in_half_the_characters():
    figure = Figure(figsize=(4, 3))
    axes = figure.subplots()
    axes.plot(np.geomspace(1, 100, 200), np.linspace(2, 1, 200), label="a curve")
    axes.scatter([1, 10, 100], [1.5, 1.2, 1.1])
    axes.legend()
    picture = svg(figure)
    text = compact(picture)
    assert len(text) < 0.6 * len(picture)
    whole, small = ElementTree.fromstring(picture), ElementTree.fromstring(text)
    for tag in ("path", "use"):
        found = [list(root.iter(f"{{http://www.w3.org/2000/svg}}{tag}")) for root in (whole, small)]
        assert len(found[0]) == len(found[1]) > 0
    identifiers = {each.get("id") for each in small.iter()} - {None}
    used = {each.get("{http://www.w3.org/1999/xlink}href", "#")[1:] for each in small.iter()} - {""}
    assert used <= identifiers
    # Dark colours match the styles of the shapes.
    assert "fill: #" not in text
    assert "fill:#" in text

    address = data_uri(picture)
    assert set(address).isdisjoint(' "<>#&\n')
    assert unquote(address.partition(",")[2]).replace("'", '"') == text
