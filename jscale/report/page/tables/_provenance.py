"""Methods and provenance: what was computed from what, how, and with which software."""

import platform
from importlib.metadata import PackageNotFoundError, version

import jscale
from jscale.fit import Posterior
from jscale.report.analysis import Analysis, FittedStudy
from jscale.report.notation import listing, number, plain, plural

_PACKAGES = ("jax", "numpyro", "numpy", "scipy")


def provenance(analysis: Analysis) -> list[tuple[str, str]]:
    """Methods and provenance: label and text."""
    study, point = analysis.study, analysis.study.point
    starts = plural(point.certificate.starts, "start")
    used = f"{point.n_runs:,} of {plural(len(study.table), 'run')} fitted"
    rows = [
        ("Runs", f"{study.table.name}; {used}; SHA-256 of the content {study.table.digest[:16]}…"),
        ("Losses", study.loss_unit),
        ("Law", f"{study.record.name}; {study.record.source}"),
        ("Fit", f"{point.objective_name} = {number(point.objective, 8)}, {starts}"),
    ]
    if study.posterior is not None:
        rows += _sampled(study, study.posterior)
    if analysis.forecast is not None:
        rows.append(("Compute", _cost(study)))
    if study.command:
        rows.append(("Command", study.command))
    return [*rows, ("Made with", software())]


def _sampled(study: FittedStudy, posterior: Posterior) -> list[tuple[str, str]]:
    """How the posterior was sampled, its likelihood and its priors."""
    chains = plural(posterior.chains, "chain")
    divergences = plural(posterior.divergences, "divergence")
    status = str(posterior.status).replace("_", " ")
    sampler = f"NUTS, {chains}, {study.draw_count:,} draws, {divergences}"
    if posterior.sampler == "importance":
        sampler = f"importance sampling, {study.draw_count:,} draws"
    of = "losses" if posterior.errors.additive else "log losses"
    rows = [
        ("Posterior", f"{sampler}; {status}"),
        ("Likelihood", f"{of} scatter about the law with errors {posterior.errors}"),
        ("Priors", _priors(study, posterior)),
    ]
    if posterior.seed:
        seed = " ".join(map(str, posterior.seed))
        rows.append(("Sampled with", f"jscale {posterior.version}, random key {seed}"))
    rows.append(("Intervals", "medians as lines, 50% and 90% credible intervals as bands"))
    return rows


def _priors(study: FittedStudy, posterior: Posterior) -> str:
    """The prior of every parameter, and of which it is one of the term at the runs' centre."""
    given, anchored, texts = posterior.priors, [], []
    for each in study.record.parameters:
        name, own = plain(each.name), given.get(each.name)
        texts.append(f"{name} ~ {own or each.role.prior}")
        if own is None and each.role.anchor is not None:
            anchored.append(name)
    texts += [
        f"{name} ~ {prior}"
        for name, prior in given.items()
        if name not in study.record.parameter_names
    ]
    text = "; ".join(texts)
    if anchored:
        text += f" (of {listing(anchored)}: of the coordinate at the centre of the runs)"
    return text


def _cost(study: FittedStudy) -> str:
    """By which formula compute is counted."""
    if study.record.charged_bits:
        return "C = (6/16)·N·D·P FLOP; a run counts the wider of its weights and activations"
    return "C = 6·N·D FLOP"


def software() -> str:
    """Versions of jscale, Python and the packages that compute."""
    parts = [f"jscale {jscale.__version__}", f"Python {platform.python_version()}"]
    for name in _PACKAGES:
        try:
            parts.append(f"{name} {version(name)}")
        except PackageNotFoundError:  # a package that was not installed by a package manager
            continue
    return ", ".join(parts)
