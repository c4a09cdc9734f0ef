"""Forecasts on the command line: what forecasts, as JSON objects and as text.

| module | for |
|---|---|
| ``points`` | the points of a forecast, from ``--at`` and ``--from`` |
| ``forecasts`` | what forecasts: one law or several, and its rows as JSON objects |
| ``ensembles`` | ensembles of laws, and corrections of bands, as JSON objects and as text |
| ``text`` | a forecast as text |
| ``draws_files`` | posterior draws as netCDF or as a table |
"""

from jscale.cli.forecasting import draws_files, ensembles, forecasts, points, text

__all__ = ["draws_files", "ensembles", "forecasts", "points", "text"]
