"""The document of all laws."""

import re
from pathlib import Path

from jscale.laws import CONFIDENCE, catalogue, describe
from jscale.report.notation import cards

DOCS = Path(__file__).parents[3] / "docs" / "laws.md"


def test_every_law_has_a_card_and_every_card_a_law():
    text = cards.document()
    headings = re.findall(r"^### (.+)$", text, re.MULTILINE)
    assert headings == [describe(law).name for law in catalogue]


def test_a_card_has_everything_in_the_record():
    for law in catalogue:
        record = describe(law)
        text = cards.markdown(law)
        for part in (record.summary, record.formula, record.source, *record.ridges, *record.traps):
            assert part in text
        for name in (*record.input_names, *record.parameter_names, *record.published):
            assert f"`{name}`" in text
        for constants in record.published.values():
            assert f"{constants.source} [{constants.confidence}]" in text
            assert constants.confidence in CONFIDENCE
        # Every row of a table has as many cells as its head.
        for table in re.findall(r"(?:^\|.*\|\n)+", text, re.MULTILINE):
            assert len({len(re.findall(r"(?<!\\)\|", row)) for row in table.splitlines()}) == 1, (
                table
            )


def test_the_document_in_the_repository_is_current():
    assert DOCS.read_text(encoding="utf-8") == cards.document(), "run: make laws"
