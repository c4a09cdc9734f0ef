"""Plans on the command line: costs, limits and risks, as JSON objects and as text.

| module | for |
|---|---|
| ``options`` | options of ``jscale plan`` beyond a budget |
| ``hardware`` | devices and their prices |
| ``question`` | what is planned, from the texts of the options |
| ``limits`` | plans with limits and ranges, by the general optimiser |
| ``answers`` | plans and decisions as JSON objects |
| ``text`` | plans as text |
"""

from jscale.cli.decisions import answers, hardware, options, question, text

__all__ = ["answers", "hardware", "options", "question", "text"]
