"""How tables are written: names of columns, units in headers, numbers and formats in cells."""

from jscale.runs.tables._cells import (
    EMPTY,
    BadCell,
    TooLarge,
    flag,
    is_empty,
    label,
    number,
    overflows,
    undecorated,
    with_error,
)
from jscale.runs.tables._columns import (
    BIT_COLUMNS,
    COLUMNS,
    KNOWN,
    MAX_BITS,
    OFF_BITS,
    TIED_BITS,
    TRAINING_BITS,
    Column,
    Kind,
    accepted,
    fold,
    missing_column,
)
from jscale.runs.tables._decimal import with_decimal_points
from jscale.runs.tables._formats import Format, bits_of
from jscale.runs.tables._headers import Match, match, meaning
from jscale.runs.tables._layout import (
    LINES_OF_TITLES,
    header_row,
    is_comment_row,
    is_footer,
    is_rule,
    known_names,
    markdown_row,
    separator_line,
)
from jscale.runs.tables._measures import NATS_PER_TOKEN, PERPLEXITY, in_unit, like_losses
from jscale.runs.tables._outcomes import OUTCOMES, outcome_names
from jscale.runs.tables._raw import Cells, RawTable, check_size, column_names
from jscale.runs.tables._units import Unit, scaled
from jscale.runs.tables._wide import to_long, wide_hint

__all__ = [
    "BIT_COLUMNS",
    "COLUMNS",
    "EMPTY",
    "KNOWN",
    "LINES_OF_TITLES",
    "MAX_BITS",
    "NATS_PER_TOKEN",
    "OFF_BITS",
    "OUTCOMES",
    "PERPLEXITY",
    "TIED_BITS",
    "TRAINING_BITS",
    "BadCell",
    "Cells",
    "Column",
    "Format",
    "Kind",
    "Match",
    "RawTable",
    "TooLarge",
    "Unit",
    "accepted",
    "bits_of",
    "check_size",
    "column_names",
    "flag",
    "fold",
    "header_row",
    "in_unit",
    "is_comment_row",
    "is_empty",
    "is_footer",
    "is_rule",
    "known_names",
    "label",
    "like_losses",
    "markdown_row",
    "match",
    "meaning",
    "missing_column",
    "number",
    "outcome_names",
    "overflows",
    "scaled",
    "separator_line",
    "to_long",
    "undecorated",
    "wide_hint",
    "with_decimal_points",
    "with_error",
]
