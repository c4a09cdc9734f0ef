"""The documentation's pages: their code runs, and the site leaves none of them out."""

import re
from pathlib import Path

import pytest

import jscale
from jscale.laws import roles
from jscale.report import plots

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"


def test_what_extends_jscale_runs_as_printed():
    text = (DOCS / "extending.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert len(blocks) == 4
    scope: dict = {}
    for block in blocks:
        exec(compile(block, "extending.md", "exec"), scope)
    assert float(scope["our_law"](1e9, 2e10, E=1.7, A=400.0, B=400.0, alpha=0.3, beta=0.3)) > 1.7


def test_the_gallery_has_every_figure():
    text = (DOCS / "gallery.md").read_text(encoding="utf-8")
    drawn = set(plots.__all__) - {"axes", "save"}
    assert set(re.findall(r"gallery/(\w+)\.png#only-light", text)) == drawn
    assert set(re.findall(r"gallery/(\w+)-dark\.png#only-dark", text)) == drawn


def test_what_the_page_of_topics_names_exists():
    """Functions that are public, sections that the notebooks have, figures that are drawn."""
    text = (DOCS / "where.md").read_text(encoding="utf-8")
    names = re.findall(r"`((?:laws|fit|plan|assess|plots)\.[\w.]+)`", text)
    assert len(names) > 30
    for name in names:
        root, *parts = name.split(".")
        found = plots if root == "plots" else getattr(jscale, root)
        for part in parts:
            found = getattr(found, part)

    course, paper = text.split("## The figures of the paper")
    rows = [[cell.strip() for cell in row.split("|")[1:-1]] for row in course.splitlines()]
    theory = {row[1] for row in rows if len(row) == 5}
    exercises = {number for row in rows if len(row) == 5 for number in row[2].split(", ")}
    assert {str(i) for i in range(1, 12)} <= theory
    assert {str(i) for i in range(1, 11)} <= exercises
    assert set(re.findall(r"`plots\.(\w+)`", paper)) <= set(plots.__all__)


def test_the_site_has_every_page_and_notebook():
    listed = set(re.findall(r"(\S+\.md)$", (ROOT / "mkdocs.yml").read_text("utf-8"), re.MULTILINE))
    pages = {path.name for path in DOCS.glob("*.md")}
    notebooks = {f"notebooks/{path.stem}.md" for path in (ROOT / "notebooks").glob("*.ipynb")}
    assert sorted((pages | notebooks) - listed) == [], "list them under nav in mkdocs.yml"


def test_the_priors_on_the_page_are_those_of_the_roles():
    text = " ".join((DOCS / "likelihoods.md").read_text(encoding="utf-8").split())
    priors = {
        name: str(role.__metadata__[0].prior)
        for name, role in vars(roles).items()
        if name in ("Exponent", "SlowExponent", "SizeCoefficient", "DataCoefficient")
    }
    assert priors == {
        "Exponent": "lognormal(0.25, 1)",
        "SlowExponent": "lognormal(0.08, 1)",
        "SizeCoefficient": "lognormal(0.5, 1.5)",
        "DataCoefficient": "lognormal(0.5, 1.5)",
    }
    assert "median 0.25 and standard deviation 1 of the logarithm (median 0.08" in text
    assert "median 0.5 and standard deviation 1.5" in text


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md"])
def test_links_to_files_exist(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    targets = re.findall(r"\]\(([^)\s#]+)[^)]*\)", text)
    local = [target for target in targets if "://" not in target]
    assert [target for target in local if not (ROOT / target).exists()] == []


def test_the_places_where_to_add_exist():
    text = (DOCS / "architecture.md").read_text(encoding="utf-8")
    table = text[text.index("Where to add") : text.index("Errors are `JscaleError")]
    places = re.findall(r"`(\w+/[\w/]*(?:/|\.py|\.md))`", table)
    assert len(places) > 20
    missing = [p for p in places if not any((ROOT / base / p).exists() for base in ("jscale", "."))]
    assert [place for place in missing if "VERB" not in place] == []


def test_the_site_is_read_from_a_folder_with_its_own_scripts():
    """The plugin for this would fetch a script, unless one with this word in its name is there."""
    settings = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    assert "  - offline" in settings
    (script,) = re.findall(r"polyfills: \[(\S*iframe-worker\S*)\]", settings)
    assert (ROOT / "docs" / script).is_file()
