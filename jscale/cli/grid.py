"""``jscale grid``: the best points, the trade-off and the valley of a law or formula on a grid."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jscale._core.errors import JscaleError
from jscale._core.text import enumerated, plural, shown
from jscale.cli.process import processes
from jscale.cli.support import flags, grid_axes, inputs, options, output, parsing
from jscale.cli.support.session import session, shows_progress

if TYPE_CHECKING:
    from jscale.plan import GridResult
    from jscale.plan.reductions import Reduced, Reduction

LAW = Annotated[
    str | None,
    options.option(
        "--law", help="A law of the catalogue, whose loss is minimised.", metavar="NAME"
    ),
]
AXIS = Annotated[
    list[str] | None,
    options.option(
        "--axis",
        help="N=1e8:1e11:400 (equal ratios), N=1:9:5:linear (equal steps) or P=4,8,16; repeated, "
        "the last one varies fastest.",
        metavar="NAME=VALUES",
    ),
]
MODELS = Annotated[
    str | None,
    options.option(
        "--models",
        help="An axis whose entries carry several values: a CSV file with a column for each.",
        metavar="FILE.csv",
    ),
]
QUANTITY = Annotated[
    list[str] | None,
    options.option(
        "--quantity",
        help="A named formula of axes and earlier quantities: 'flops=6*N*D'; can be repeated.",
        metavar="NAME=FORMULA",
    ),
]
MINIMISE = Annotated[
    str | None,
    options.option(
        "--minimise", help="The quantity to minimise (default: the first).", metavar="NAME"
    ),
]
WHERE = Annotated[
    list[str] | None,
    options.option(
        "--where",
        help="A constraint, such as 'flops <= 1e21'; can be repeated.",
        metavar="FORMULA",
    ),
]
TOP = Annotated[int, typer.Option("--top", help="Number of best points to list.", metavar="INT")]
FRONT = Annotated[
    str | None,
    options.option(
        "--front",
        help="Pareto front of two or three quantities: flops,loss.",
        metavar="NAME,NAME",
    ),
]
KEEP = Annotated[
    str | None,
    options.option(
        "--keep", help="Smallest value at every entry of these axes: N,P.", metavar="NAME,…"
    ),
]
DTYPE = Annotated[
    str, typer.Option("--dtype", help="float64 or float32, of the computation.", metavar="NAME")
]
POLISH = Annotated[
    bool,
    typer.Option(
        "--polish", help="Also find the optimum between the points, near the best one, in float64."
    ),
]
YES = Annotated[bool, typer.Option("--yes", help="Confirm a grid of 1e13 points or more.")]
HOSTS = Annotated[
    str | None,
    options.option(
        "--hosts",
        help="Work with other processes: 'auto' (SLURM, Kubernetes, MPI), or the address of "
        "process 0 and the number of this one: 10.0.0.1:1234,0/4.",
        metavar="auto|HOST:PORT,I/N",
    ),
]


def grid(
    *,
    law: LAW = None,
    axis: AXIS = None,
    models: MODELS = None,
    params: options.PARAMS = None,
    posterior: options.POSTERIOR = None,
    quantity: QUANTITY = None,
    minimise: MINIMISE = None,
    where: WHERE = None,
    top: TOP = 10,
    front: FRONT = None,
    keep: KEEP = None,
    dtype: DTYPE = "float64",
    polish: POLISH = False,
    fix: options.FIX = None,
    tie: options.TIE = None,
    yes: YES = False,
    hosts: HOSTS = None,
    resume: options.RESUME = None,
    as_json: options.AS_JSON = False,
    seed: options.NO_SEED = 0,
    out: options.OUT_JSON = None,
) -> None:
    """Search a grid of sizes, tokens, bits, models and draws: the best points, front and valley.

    With --posterior the best points are those that are the best in most draws.
    """
    del seed
    if out is not None:
        output.target(out, inputs=[models, posterior])
    axes = {**grid_axes.models(models), **dict(grid_axes.axis(text) for text in axis or ())}
    if axis is not None and len(axis) + (models is not None) > len(axes):
        raise JscaleError("--axis: an axis is given twice")
    if not axes:
        raise JscaleError("--axis: there is no axis; expected one such as N=1e8:1e11:400")
    if params is not None and posterior is not None:
        raise JscaleError("--params and --posterior: expected one of both")
    if posterior is not None:
        flags.refuse("polish", reason="with --posterior, whose draws each have an optimum")

    with output.resuming(resume, inputs=[models, posterior], outputs=[out]) as progress_file:
        with session(), processes.joined(hosts) as rank:
            from jscale import plan

            objective, values = _objective(law, params, posterior, (fix, tie))
            objective |= _formulas(quantity, objective)
            result = plan.grid(
                _ordered(objective, minimise),
                axes,
                params=values,
                where=where,
                reduce=_reductions(posterior is not None, top, front, keep),
                dtype=dtype,  # pyright: ignore[reportArgumentType] (checked there)
                yes=yes,
                resume=progress_file,
                progress=shows_progress(as_json),
            )
            _remove_own(progress_file)
            polished = _polished(result) if polish and rank == 0 else {}
        if rank > 0:
            return
        payload = summary(result, law, posterior is not None, top)
        payload["notes"] += polished.pop("notes", [])
        if polished:
            payload["polished"] = polished
        output.deliver(payload, as_json, out)

    if not as_json:
        _show(payload)


def _objective(
    name: str | None,
    params: str | None,
    posterior: str | None,
    changes: tuple[list[str] | None, list[str] | None],
) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """The loss by the law, and its parameters or draws.

    Raises:
        JscaleError: parameters without a law.
    """
    if name is None:
        flags.refuse("fix", "tie", reason="without --law")
        for flag, value in (("--params", params), ("--posterior", posterior)):
            if value is not None:
                raise JscaleError(f"{flag}: the parameters of which law? expected --law, too")
        return {}, None
    law = inputs.law_of(name, *changes)
    if posterior is None:
        return {"loss": law}, inputs.params_of(law, params)

    from jscale import fit

    return {"loss": law}, dict(fit.load(posterior, law).draws)


def _formulas(texts: list[str] | None, objective: dict[str, Any]) -> dict[str, str]:
    """The quantities of ``--quantity``.

    Raises:
        JscaleError: not ``NAME=FORMULA``, or there is nothing to minimise.
    """
    formulas: dict[str, str] = {}
    for text in texts or ():
        name, equals, formula = (part.strip() for part in text.partition("="))
        if not (name.isidentifier() and equals and formula):
            raise JscaleError(
                f"--quantity: expected NAME=FORMULA such as flops=6*N*D, not {shown(text)}"
            )
        if name in {**formulas, **objective}:
            raise JscaleError(f"--quantity: {shown(name)} is given twice")
        formulas[name] = formula
    if not (formulas or objective):
        raise JscaleError("nothing to minimise: give --law NAME or --quantity NAME=FORMULA")
    return formulas


def _ordered(objective: dict[str, Any], minimise: str | None) -> dict[str, Any]:
    """The quantities, that to minimise first where the others do not need it later.

    Raises:
        JscaleError: there is no such quantity.
    """
    if minimise is None or minimise == next(iter(objective)):
        return objective
    if minimise not in objective:
        known = enumerated(objective)
        raise JscaleError(f"--minimise: there is no quantity {shown(minimise)} (there is: {known})")
    return {minimise: objective[minimise], **objective}


def _reductions(draws: bool, top: int, front: str | None, keep: str | None) -> "list[Reduction]":
    """What to collect.

    Raises:
        JscaleError: no points to list, or not two or three quantities of a front.
    """
    from jscale.plan import reductions

    best = reductions.Top(top)
    found: list[Reduction] = [reductions.Count()]
    found += [reductions.ProbabilityBest()] if draws else [reductions.Best(), best]
    if front is not None:
        with flags.renamed(quantities="front"):
            found.append(reductions.Front(tuple(parsing.many([front]))))
    if keep is not None:
        found.append(reductions.Marginal(tuple(parsing.many([keep]))))
    return found


def _remove_own(file: Path | None) -> None:
    """Remove the file of this process's groups, once there is a result."""
    import jax

    if file is not None and jax.process_count() > 1:
        own = f"{file}.{jax.process_index() + 1}-of-{jax.process_count()}"
        Path(own).unlink(missing_ok=True)


def summary(result: "GridResult", law: str | None, draws: bool, top: int) -> dict[str, Any]:
    """A grid search as a JSON object."""
    points = rows(result["probability_best" if draws else "top"])[:top]
    payload: dict[str, Any] = {
        "law": law,
        "best": points[0],
        "top": points,
        "points": result.points,
        "feasible": int(result["feasible"]["count"]),
        "nan": result.nan,
        "seconds": result.seconds,
    }
    if draws:
        payload["lost"] = result["probability_best"].attrs["lost"]
    payload |= {
        name: rows(result[name]) for name in ("front", "marginal") if name in result.results
    }
    if "marginal" in payload:
        payload["keep"] = list(result["marginal"].dims)
    return {**payload, "notes": output.notes(result.notes)}


def _polished(result: "GridResult") -> dict[str, Any]:
    """The optimum between the points as a JSON object, NaN where there is none.

    Where it cannot be looked for, only ``notes``: the search is not to be lost.
    """
    from jscale import plan
    from jscale._core.notes import Note
    from jscale._core.status import Status

    try:
        solution = plan.polish(result)
    except JscaleError as error:
        message = f"The best point is not polished: {error}"
        return {"notes": output.notes([Note("not-polished", "warning", message, {})])}
    values = {name: float(solution.values[name]) for name in result.axes if name in solution.values}
    status = str(Status(int(solution.status)))
    found = {"value": float(solution.objective), "status": status, "at": solution.at_bounds()}
    return {**values, **found}


def rows(result: "Reduced") -> list[dict[str, Any]]:
    """The entries of a result, each with its coordinates, as JSON objects."""
    import numpy as np

    shape = tuple(np.shape(next(iter(result.values.values()))))
    columns: dict[str, Any] = {}
    for name, (dim, labels) in result.coords.items():
        place = result.dims.index(dim)
        columns[name] = np.expand_dims(labels, [a for a in range(len(shape)) if a != place])
    columns |= result.values
    flat = {name: np.broadcast_to(column, shape).ravel() for name, column in columns.items()}
    flat.pop("rank", None)
    return [dict(zip(flat, entry, strict=True)) for entry in zip(*flat.values(), strict=True)]


def saved_results(file: str) -> "list[Reduced]":
    """The front and the smallest values of a file that ``--out`` wrote, as results of a grid.

    Raises:
        JscaleError: it cannot be read, or it holds neither.
    """
    import numpy as np

    from jscale.plan.reductions import Reduced

    where = f"--grid {shown(file)}"
    try:
        payload = json.loads(Path(file).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        problem = getattr(error, "strerror", None) or "it is no JSON"
        raise JscaleError(f"{where} cannot be read: {problem}") from None
    results = []
    try:
        if front := payload.get("front"):
            columns = {name: _column(front, name) for name in front[0]}
            results.append(Reduced("front", ("point",), columns))
        if entries := payload.get("marginal"):
            kept = tuple(payload["keep"])
            labels = [list(dict.fromkeys(entry[name] for entry in entries)) for name in kept]
            coords = {
                name: (name, np.asarray(column)) for name, column in zip(kept, labels, strict=True)
            }
            shape = tuple(map(len, labels))
            values = {"value": _column(entries, "value").reshape(shape)}
            results.append(Reduced("marginal", kept, values, coords))
    except (AttributeError, KeyError, TypeError, ValueError):
        raise JscaleError(f"{where} is not a file of jscale grid --out") from None
    if not results:
        raise JscaleError(f"{where} has nothing to draw; expected a search with --front or --keep")
    return results


def _column(entries: Sequence[dict[str, Any]], name: str) -> Any:
    """A column of entries, NaN for null."""
    import numpy as np

    values = [entry[name] for entry in entries]
    if any(isinstance(value, str) for value in values):
        return np.asarray(values)
    return np.asarray([math.nan if value is None else value for value in values], float)


def _show(payload: dict[str, Any]) -> None:
    """Print a grid search."""
    from jscale.report.notation import human

    rate = human(payload["points"] / payload["seconds"])
    output.show(
        f"{plural(payload['points'], 'point')}, {payload['feasible']:,} feasible, in "
        f"{payload['seconds']:.1f} s ({rate} points a second)"
    )
    titles = {"top": "best points", "front": "Pareto front", "marginal": "smallest values"}
    for name, title in titles.items():
        if payload.get(name):
            output.show(_table(title, payload[name]))
    if polished := payload.get("polished"):
        numbers = {name: value for name, value in polished.items() if name not in ("status", "at")}
        held = "".join(f", {each}" for each in polished["at"])
        title = f"between the points: {polished['status'].replace('_', ' ')}{held}"
        output.show(_table(title, [numbers]))
    output.show_notes(payload["notes"])


def _table(title: str, entries: Sequence[dict[str, Any]]) -> Any:
    """Entries as a table of text."""
    from jscale.report.notation import human

    def cell(value: Any) -> str:
        if isinstance(value, str):
            return value
        number = float(value)
        return human(number, 5) if math.isfinite(number) else "—"

    names = list(entries[0])
    cells = [[cell(entry[name]) for name in names] for entry in entries]
    return output.table(names, cells, title=title, right="r" * len(names))
