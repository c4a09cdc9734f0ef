"""The numbers of the page as one JSON object, for programs that read it."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jscale.report.analysis import Analysis, Band, OptimalPath
from jscale.report.page import tables
from jscale.report.page.findings import Finding

_QUANTILES = ("q05", "q25", "q50", "q75", "q95")


def data(analysis: Analysis, sentence: str, findings: Sequence[Finding]) -> dict[str, Any]:
    """What the page shows, in JSON's own types; a number that JSON lacks is null.

    Args:
        analysis: of the study.
        sentence: the decision.
        findings: all of them.
    """
    study, point = analysis.study, analysis.study.point
    certificate = point.certificate
    values: dict[str, Any] = {
        "title": study.title,
        "decision": sentence,
        "law": study.record.name,
        "table": {"name": study.table.name, "digest": study.table.digest},
        "n_runs": point.n_runs,
        "loss_unit": study.loss_unit,
        "params": point.params,
        "stderr": point.stderr,
        "certificate": {
            "status": str(certificate.status),
            "agreement": certificate.agreement,
            "starts": certificate.starts,
            "gradient_norm": certificate.gradient_norm,
            "condition": certificate.condition,
        },
        "findings": [each.__dict__ for each in findings],
        "law_weights": {} if analysis.held_out is None else analysis.held_out.law_weights,
        "methods": dict(tables.provenance(analysis)),
    }
    if study.posterior is not None:
        values["posterior"] = study.posterior.summary
    return _plain(values | _forecast(analysis))


def _forecast(analysis: Analysis) -> dict[str, Any]:
    """Plans at the budgets and at the stops, and critical tokens; empty without a forecast."""
    forecast, precision = analysis.forecast, analysis.precision
    if forecast is None:
        return {}
    plans = _plans(forecast.plans, forecast.decades_outside)
    if (new := forecast.new_run_at_plans) is not None:
        for i, each in enumerate(plans):
            each["new_run"] = _quantiles(new, i)
    values = {"plans": plans, "stops": _plans(forecast.stops, forecast.stop_decades)}
    if precision is not None and precision.critical is not None:
        critical = precision.critical
        for i, each in enumerate(plans):
            each["D_crit"] = {f"{P:g}": _quantiles(b, i) for P, b in critical.at_plans.items()}
            best = {f"{P:g}": _quantiles(b, i) for P, b in critical.at_best.items()}
            each |= {"D_crit_at_P_opt": best} if best else {}
    return values


def _plans(path: OptimalPath, decades: Sequence[Mapping[str, float]]) -> list[dict[str, Any]]:
    bands = {"N_opt": path.N, "D_opt": path.D, "D_over_N": path.ratio, "loss": path.loss}
    bands |= {} if path.P is None else {"P_opt": path.P}
    return [
        {"C": C, **{name: _quantiles(band, i) for name, band in bands.items()}}
        | {"point": {name: band.point[i] for name, band in bands.items()}}
        | {"decades": decades[i], "solved": path.solved[i]}
        for i, C in enumerate(path.compute)
    ]


def _quantiles(band: Band, i: int) -> dict[str, Any]:
    return {name: getattr(band, name)[i] for name in _QUANTILES}


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, str | bool | int) or value is None:
        return value
    number = float(value)
    return number if np.isfinite(number) else None
