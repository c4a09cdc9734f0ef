"""Parts of verbs that take several groups of runs at once: corpora, families, recipes."""

from jscale.cli.pooling.pooled import (
    POOL,
    POOL_BY,
    POOL_GROUP,
    PoolOptions,
    checked_options,
    pooled_of,
    table_notes,
)
from jscale.cli.pooling.recipes import (
    ALONG,
    EFFECTIVE_COMPUTE,
    FLOOR,
    REFERENCE,
    RecipeOptions,
    compare_recipes,
    show_recipes,
)

__all__ = [
    "ALONG",
    "EFFECTIVE_COMPUTE",
    "FLOOR",
    "POOL",
    "POOL_BY",
    "POOL_GROUP",
    "REFERENCE",
    "PoolOptions",
    "RecipeOptions",
    "checked_options",
    "compare_recipes",
    "pooled_of",
    "show_recipes",
    "table_notes",
]
