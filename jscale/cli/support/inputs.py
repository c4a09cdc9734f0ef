"""What a verb works on, from the text of its arguments: table, law, parameters, key, objective."""

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from jscale._core.errors import JscaleError
from jscale._core.files import read_settings
from jscale._core.text import did_you_mean, enumerated, quoted_path, shown
from jscale.cli.support import flags, parsing, tables
from jscale.cli.support.session import shows_progress

if TYPE_CHECKING:
    from jscale.fit import Objective, Posterior
    from jscale.laws import LawFunction
    from jscale.runs import Runs


def table_of(source: str, include_excluded: bool = False) -> "Runs":
    """The data set of this name, or the table in this file.

    Args:
        source: name of a data set, or a path.
        include_excluded: keep the rows that the column ``exclude`` marks.

    Raises:
        JscaleError: neither exists, or the table is not valid.
    """
    from jscale import runs

    names = [entry.name for entry in runs.datasets()]
    path = Path(source)
    if source in names:
        tables.refuse(reason="on a data set by name, whose columns are known", rows=False)
        table = runs.dataset(source)
    elif source != tables.STDIN and not path.suffix and not _exists(path):
        hint = did_you_mean(source, names, f" (data sets: {enumerated(names)})")
        raise JscaleError(f"no data set and no file named {shown(source)}{hint}")
    else:
        table = tables.read(path)
    if include_excluded:
        table = table.including_excluded()
    return tables.rows_of(table)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def law_of(
    name: str,
    fixed: list[str] | None = None,
    tied: list[str] | None = None,
    where: str | None = None,
) -> "LawFunction":
    """The law of this name, with parameters fixed or tied.

    Args:
        name: of a law of the catalogue.
        fixed: texts of ``--fix``, such as ``E=1.69``.
        tied: texts of ``--tie``, such as ``beta=alpha``.
        where: what the texts come from, for messages; by default ``--fix`` and ``--tie``.

    Raises:
        JscaleError: there is no such law or no such parameter.
    """
    from jscale import laws

    law = laws.get(name)
    flag = where or "--tie"
    if ties := parsing.pairs(tied, flag, "beta=alpha"):
        with _headed(flag):
            law = laws.tie(law, **ties)

    flag = where or "--fix"
    if values := parsing.values(fixed, flag, "E=1.69"):
        with _headed(flag):
            law = laws.fix(law, **values)
    return law


@contextmanager
def _headed(where: str) -> Iterator[None]:
    """Begin the errors raised inside with the option that they are about."""
    try:
        yield
    except JscaleError as error:
        raise JscaleError(f"{where}: {error}") from None


def params_of(law: "LawFunction", text: str | None) -> dict[str, float]:
    """The parameters that ``--params`` names.

    Args:
        law: whose parameters.
        text: a published source, a JSON result of ``jscale fit``, or ``name=value,…``; None for
            the first published source.

    Raises:
        JscaleError: there is no such source or file, it is of another law, or a parameter is
            missing or out of range.
    """
    from jscale import laws

    record = laws.describe(law)
    if text is None or text in record.published:
        return laws.params(law, text)
    if "=" in text:
        return checked(law, parsing.values([text], "--params", "E=1.69,A=406.4"), "--params")
    if Path(text).suffix == ".json" or _exists(Path(text)):
        return checked(law, _from_file(record.name, text), f"--params {quoted_path(text)}")
    return laws.params(law, text)  # raises, and lists the sources


def checked(law: "LawFunction", values: Mapping[str, Any], where: str) -> dict[str, float]:
    """All parameters of a law by name, each inside its support.

    Args:
        law: whose parameters.
        values: parameter → value.
        where: the option that they come from, for messages.

    Raises:
        JscaleError: one is missing, unknown, not a number or outside its support.
    """
    from jscale import laws

    record = laws.describe(law)
    if missing := [name for name in record.parameter_names if name not in values]:
        raise JscaleError(f"{where}: law {record.name!r} also needs {enumerated(missing)}")
    if unknown := [name for name in values if name not in record.parameter_names]:
        known = enumerated(record.parameter_names)
        raise JscaleError(
            f"{where}: law {record.name!r} has no parameter {enumerated(unknown)} (it has: {known})"
        )

    for parameter in record.parameters:
        value, support = values[parameter.name], parameter.support
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or abs(value) > sys.float_info.max:
            raise JscaleError(
                f"{where}: {parameter.name}: expected a finite number, not {shown(value)}"
            )
        if not support.lower <= value <= support.upper:
            raise JscaleError(
                f"{where}: {parameter.name} = {value:g} lies outside its support, {support}"
            )
    return {name: float(values[name]) for name in record.parameter_names}


def _from_file(law_name: str, file: str) -> dict[str, Any]:
    """The parameters in a JSON result of ``jscale fit``."""
    where = f"--params {quoted_path(file)}"
    try:
        content = json.loads(read_settings(file))
    except JscaleError as error:
        raise JscaleError(f"{where}: {error}") from None
    except (ValueError, RecursionError):
        raise JscaleError(f"{where}: not a JSON file") from None

    params = content.get("params", content) if isinstance(content, dict) else None
    if not isinstance(params, dict):
        raise JscaleError(
            f"{where}: expected an object with 'params', as 'jscale fit --json' prints it"
        )
    if any(isinstance(value, dict) for value in params.values()):
        raise JscaleError(
            f"{where}: this summarises a posterior; pass the draws with --posterior FILE.nc"
        )
    law = content.get("law", law_name)
    if law != law_name:
        raise JscaleError(
            f"{where}: fitted for law {law!r}, not {law_name!r}; "
            "give the same --law, --fix and --tie here"
        )
    return params


def check_one_source(
    subject: str, source: str | None, params: str | None, posterior: str | None
) -> None:
    """Check that a verb has one of a table, parameters and draws.

    Args:
        subject: what the verb makes, for the message.
        source: a table of runs.
        params: text of ``--params``.
        posterior: file of ``--posterior``.

    Raises:
        JscaleError: there is none, or more than one.
    """
    sources = {"RUNS": source, "--params": params, "--posterior": posterior}
    present = [name for name, value in sources.items() if value is not None]
    if len(present) != 1:
        problem = f"not {' and '.join(present)}" if present else "none was given"
        raise JscaleError(
            f"{subject} needs one of RUNS, --params SOURCE (see 'jscale laws NAME') and "
            f"--posterior FILE; {problem}"
        )


def key_of(seed: int) -> Any:
    """The JAX random key of a seed."""
    import jax

    return jax.random.key(seed)


@dataclass(frozen=True)
class Sampling:
    """Settings of the sampler: chains, steps of each chain, seed, and which sampler."""

    chains: int
    warmup: int
    draws: int
    seed: int
    sampler: str = "auto"


def posterior_of(
    law: "LawFunction",
    table: "Runs",
    settings: Sampling,
    as_json: bool,
    resume: Path | None = None,
    *,
    errors: str | None = None,
    priors: list[str] | None = None,
) -> "Posterior":
    """The posterior, with a progress bar on stderr in a terminal.

    Args:
        law: the law.
        table: the runs.
        settings: of the sampler.
        as_json: whether progress is left out.
        resume: file with the state of the chains, or None.
        errors: the error model as text; None for the default.
        priors: texts of ``--prior``; None for the default priors.

    Raises:
        JscaleError: fewer runs than parameters, or a prior that is none.
    """
    key = key_of(settings.seed)
    from jscale import fit

    model: dict[str, Any] = {} if errors is None else {"errors": errors}
    if settings.sampler == "importance":
        reason = "with --sampler importance, which has no warm-up and nothing to resume"
        flags.refuse("warmup", "resume", reason=reason)
    if (given := priors_of(priors)) is not None:
        model["priors"] = given
    return fit.posterior(
        law,
        table,
        key=key,
        chains=settings.chains,
        warmup=settings.warmup,
        draws=settings.draws,
        progress=shows_progress(as_json),
        resume=resume,
        sampler=cast(Any, settings.sampler),
        **model,
    )


def priors_of(texts: list[str] | None) -> Any:
    """The priors of ``--prior``; None for the default ones.

    Raises:
        JscaleError: a text that is no prior.
    """
    from jscale.fit.bayes import parsed_priors

    return parsed_priors(texts, "--prior")


def objective_of(text: str, delta: float | None = None) -> "str | Objective":
    """An objective by name, a Huber loss with its delta as ``huber:0.01`` or in ``delta``.

    Raises:
        JscaleError: the delta is not a number above 0, or the objective takes none.
    """
    name, colon, suffix = text.partition(":")
    if colon and delta is not None:
        raise JscaleError(f"--delta: the objective {shown(text)} has a delta already")
    if colon:
        delta = parsing.above_zero(suffix, "--objective", "huber:0.01")
    if delta is None:
        return name

    from jscale.fit import AsymmetricHuber, Huber, HuberLikelihood

    classes = {
        "huber": Huber,
        "asymmetric-huber": AsymmetricHuber,
        "huber-likelihood": HuberLikelihood,
    }
    if name not in classes:
        raise JscaleError(
            f"--objective: a delta belongs to {enumerated(classes)}, not to {shown(name)}"
        )
    return classes[name](delta=delta)
