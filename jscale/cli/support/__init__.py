"""What the verbs share, one module a concern; none of them imports JAX before it computes.

| module | for |
|---|---|
| ``group`` | a command line becomes an exit code |
| ``flags`` | error messages name the flags of the verb |
| ``session`` | JAX set up for a verb: compilation cache, float64, quiet logs, progress |
| ``options`` | options that several verbs take, each described once |
| ``parsing`` | numbers and ``name=value`` pairs as text |
| ``inputs`` | tables, laws, parameters, keys and objectives from the text of an argument |
| ``grid_axes`` | the axes of a grid from text and files |
| ``planning`` | plans with bands as JSON objects |
| ``interval_tables`` | intervals and coverage as JSON objects and as tables |
| ``output`` | strict JSON, tables for people, atomic files |
"""

from jscale.cli.support import (
    flags,
    grid_axes,
    group,
    inputs,
    interval_tables,
    options,
    output,
    parsing,
    planning,
    session,
)

__all__ = [
    "flags",
    "grid_axes",
    "group",
    "inputs",
    "interval_tables",
    "options",
    "output",
    "parsing",
    "planning",
    "session",
]
