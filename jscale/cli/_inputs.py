"""What a verb works on: a table of runs, a law, parameters, each from the text of an argument."""

import difflib
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jscale._core.errors import JscaleError
from jscale.cli import _output, _parse
from jscale.cli._session import shows_progress

if TYPE_CHECKING:
    from jscale.fit import Objective, Posterior
    from jscale.laws import LawFunction
    from jscale.runs import Runs


def table_of(source: str, include_excluded: bool = False, *, out: str | None = None) -> "Runs":
    """The data set of this name, or the table in this file, which ``--out`` may not name.

    Raises:
        JscaleError: neither is there, the table is not valid, or the result would be written over
            it.
    """
    from jscale import runs

    names = [entry.name for entry in runs.datasets()]
    path = Path(source)
    if source in names:
        table = runs.dataset(source)
    elif not path.suffix and not _exists(path):
        close = difflib.get_close_matches(source, names, 1)
        hint = f"; did you mean {close[0]!r}?" if close else f" (data sets: {', '.join(names)})"
        raise JscaleError(f"no data set and no file named {source!r}{hint}")
    else:
        if out is not None and _exists(path) and path.resolve() == _output.target(out):
            raise JscaleError(f"--out {out!r}: this is the table of runs; expected another file")
        table = runs.read(path)
    if include_excluded and "exclude" in table:
        columns = {name: values for name, values in table.columns.items() if name != "exclude"}
        kept = tuple(note for note in table.notes if note.code != "rows-excluded")
        table = replace(table, columns=columns, notes=kept)
    return table


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def law_of(
    name: str, fixed: list[str] | None = None, tied: list[str] | None = None
) -> "LawFunction":
    """The law of this name, with parameters held or tied.

    Raises:
        JscaleError: there is no such law or no such parameter.
    """
    from jscale import laws

    law = laws.get(name)
    ties = _parse.pairs(tied, "--tie", "beta=alpha")
    if ties:
        law = laws.tie(law, **ties)
    values = _parse.values(fixed, "--fix", "E=1.69")
    return laws.fix(law, **values) if values else law


def params_of(law: "LawFunction", text: str | None) -> dict[str, float]:
    """The parameters that ``--params`` means: a published source, a JSON result of ``jscale fit``,
    or
        ``name=value,…``.

    Raises:
        JscaleError: there is no such source or file, it is of another law, or a parameter is
            missing or impossible.
    """
    from jscale import laws

    record = laws.describe(law)
    if text is None or text in record.published:
        return laws.params(law, text)
    if "=" in text:
        return checked(law, _parse.values([text], "--params", "E=1.69,A=406.4"), "--params")
    if Path(text).suffix == ".json" or _exists(Path(text)):
        return checked(law, _from_file(record.name, text), f"--params {text!r}")
    return laws.params(law, text)  # raises, and says which sources there are


def checked(law: "LawFunction", values: Mapping[str, Any], what: str) -> dict[str, float]:
    """Parameters by name, all of them, each where it may lie; ``what`` names their origin in
    messages.

    Raises:
        JscaleError: one is missing, unknown, no number or outside its support.
    """
    from jscale import laws

    record = laws.describe(law)
    if missing := [name for name in record.parameter_names if name not in values]:
        raise JscaleError(f"{what}: law {record.name!r} also needs {', '.join(missing)}")
    if unknown := [name for name in values if name not in record.parameter_names]:
        known = ", ".join(record.parameter_names)
        raise JscaleError(
            f"{what}: law {record.name!r} has no parameter {', '.join(unknown)} (it has: {known})"
        )
    for parameter in record.parameters:
        value, support = values[parameter.name], parameter.support
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or abs(value) > sys.float_info.max
        ):
            raise JscaleError(
                f"{what}: {parameter.name}: expected a finite number, not {value!r:.60}"
            )
        if not support.lower <= value <= support.upper:
            raise JscaleError(
                f"{what}: {parameter.name} = {value:g} lies outside its support, {support}"
            )
    return {name: float(values[name]) for name in record.parameter_names}


def _from_file(law_name: str, file: str) -> dict[str, Any]:
    try:
        content = json.loads(Path(file).read_text(encoding="utf-8"))
    except OSError as error:
        raise JscaleError(f"--params {file!r}: cannot be read: {error.strerror or error}") from None
    except (ValueError, RecursionError):
        raise JscaleError(f"--params {file!r}: not a JSON file") from None
    params = content.get("params", content) if isinstance(content, dict) else None
    if not isinstance(params, dict):
        raise JscaleError(
            f"--params {file!r}: expected an object with 'params', as 'jscale fit --json' prints it"
        )
    if any(isinstance(value, dict) for value in params.values()):
        raise JscaleError(
            f"--params {file!r}: this summarises a posterior; pass the draws with --posterior FILE.nc"
        )
    law = content.get("law", law_name)
    if law != law_name:
        raise JscaleError(
            f"--params {file!r}: fitted for law {law!r}, not {law_name!r}; give the same --law, --fix and --tie here"
        )
    return params


def key_of(seed: int) -> Any:
    """The random key of a seed.

    Raises:
        JscaleError: the seed is out of range.
    """
    if not 0 <= seed < 2**63:
        raise JscaleError(f"--seed: expected a whole number from 0 to 2**63 - 1, not {seed}")
    import jax

    return jax.random.key(seed)


@dataclass(frozen=True)
class Sampling:
    """How to sample: chains, steps of each chain, seed."""

    chains: int
    warmup: int
    draws: int
    seed: int


def posterior_of(
    law: "LawFunction", table: "Runs", settings: Sampling, as_json: bool
) -> "Posterior":
    """The posterior, with a progress bar on stderr where somebody looks.

    Raises:
        JscaleError: the runs cannot determine the law, or a seed out of range.
    """
    key = key_of(settings.seed)
    from jscale import fit

    return fit.posterior(
        law,
        table,
        key=key,
        chains=settings.chains,
        warmup=settings.warmup,
        draws=settings.draws,
        progress=shows_progress(as_json),
    )


def objective_of(text: str, delta: float | None = None) -> "str | Objective":
    """An objective by name, a Huber loss also with its delta: ``huber:0.01``, or ``delta`` apart.

    Raises:
        JscaleError: the delta is no number above 0, or belongs to no Huber loss.
    """
    name, colon, said = text.partition(":")
    if colon and delta is not None:
        raise JscaleError(f"--delta: the objective {text!r} has a delta already")
    if colon:
        delta = _parse.above_zero(said, "--objective", "huber:0.01")
    if delta is None:
        return name
    from jscale.fit import AsymmetricHuber, Huber, HuberLikelihood

    kinds = {
        "huber": Huber,
        "asymmetric-huber": AsymmetricHuber,
        "huber-likelihood": HuberLikelihood,
    }
    if name not in kinds:
        raise JscaleError(f"--objective: a delta belongs to {', '.join(kinds)}, not to {name!r}")
    return kinds[name](delta=delta)
