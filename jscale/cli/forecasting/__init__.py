"""Forecasts on the command line: what forecasts, as JSON objects and as text.

| module | for |
|---|---|
| ``points`` | the points of a forecast, from ``--at`` and ``--from`` |
| ``forecasts`` | what forecasts: one law or several, and its rows as JSON objects |
| ``ensembles`` | ensembles of laws, and corrections of bands, as JSON objects and as text |
| ``text`` | a forecast as text |
"""

from jscale.cli.forecasting import ensembles, forecasts, points, text

__all__ = ["ensembles", "forecasts", "points", "text"]
