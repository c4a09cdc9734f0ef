"""Plans on the command line: costs, limits and risks, as JSON objects and as text.

| module | for |
|---|---|
| ``options`` | options of ``jscale plan`` beyond a budget |
| ``hardware`` | devices and their prices |
| ``question`` | what is planned, from the texts of the options |
| ``limits`` | plans with limits and ranges, by the general optimiser |
| ``answers`` | plans with bands as JSON objects |
| ``averaged`` | plans averaged over the laws of an ensemble |
| ``choice`` | the one plan to carry out, and other sizes that are as good |
| ``batches`` | the next runs as a JSON object |
| ``text`` | plans as sentences and short tables |
| ``tables`` | all plans of a result side by side |
"""

from jscale.cli.decisions import (
    answers,
    averaged,
    batches,
    hardware,
    options,
    question,
    tables,
    text,
)

__all__ = ["answers", "averaged", "batches", "hardware", "options", "question", "tables", "text"]
