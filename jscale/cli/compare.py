"""``jscale compare``: several laws on the same runs, or their posteriors."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jscale._core.errors import JscaleError
from jscale._core.text import shown
from jscale.cli import pooling
from jscale.cli.support import flags, inputs, options, output, parsing
from jscale.cli.support.session import session, working

if TYPE_CHECKING:
    from jscale.assess import Comparison, LeaveOneOut, Stacking
    from jscale.laws import LawFunction
    from jscale.runs import Runs

_CHANGED = re.compile(r"(?P<name>[^\[\]]+)\[(?P<changes>[^\[\]]*)\]")
_DEFAULT_SHARE = 0.2

LAWS = Annotated[
    list[str] | None,
    options.option(
        "--law",
        help="A law, also 'chinchilla\\[beta=alpha,E=1.7]'; give two or more.",
        metavar="NAME",
    ),
]
HOLDOUT = Annotated[
    float,
    typer.Option(
        "--holdout",
        help="Share of the runs to hold out, those of most compute; 0 for none.",
        metavar="X",
    ),
]
NESTED = Annotated[
    list[str] | None,
    options.option(
        "--nested", help="Also test SMALL as a special case of LARGE.", metavar="SMALL<LARGE"
    ),
]
POSTERIORS = Annotated[
    list[str] | None,
    options.option(
        "--posterior",
        help="Instead of laws: draws written by 'jscale sample --out'; can be repeated.",
        metavar="FILE.nc",
    ),
]
CLUSTER = Annotated[
    str | None,
    options.option(
        "--cluster",
        help="Of posteriors: runs of equal values are left out together (default: trunk, run_id, "
        "trained model, group or N).",
        metavar="COL",
    ),
]
REFIT = Annotated[
    bool,
    typer.Option("--refit", help="Of posteriors: sample again without clusters of Pareto k > 0.7."),
]


def compare(
    source: options.RUNS,
    *,
    law: LAWS = None,
    holdout: HOLDOUT = _DEFAULT_SHARE,
    objective: options.OBJECTIVE = "huber",
    nested: NESTED = None,
    starts: options.STARTS = 64,
    posterior: POSTERIORS = None,
    cluster: CLUSTER = None,
    refit: REFIT = False,
    effective_compute: pooling.EFFECTIVE_COMPUTE = None,
    reference: pooling.REFERENCE = None,
    floor: pooling.FLOOR = "shared",
    along: pooling.ALONG = "frontier",
    budget: options.BUDGET = None,
    errors: options.ERRORS = None,
    include_excluded: options.INCLUDE_EXCLUDED = False,
    as_json: options.AS_JSON = False,
    seed: options.SEED = 0,
    out: options.OUT_JSON = None,
) -> None:
    """Compare laws on the same runs: held-out error, AICc, BIC and tests of special cases.

    Or posteriors: runs left out by cluster (PSIS-LOO), and weights by stacking. Or training recipes
    under one law: the compute that each saves.
    """
    if out is not None:
        output.target(out, inputs=[source, *(posterior or ())])
    if effective_compute is not None:
        chosen = pooling.RecipeOptions(effective_compute, reference, floor, along, budget, errors)
        _compare_recipes(source, law, chosen, seed, include_excluded, as_json=as_json, out=out)
        return
    recipes = ("reference", "floor", "along", "budget", "errors")
    flags.refuse(*recipes, reason="without --effective-compute")
    if posterior:
        points = ("law", "holdout", "objective", "nested", "starts")
        flags.refuse(*points, reason="with --posterior, which holds law and error model")
    else:
        flags.refuse("cluster", "refit", reason="without --posterior")

    if posterior:
        with session():
            table = inputs.table_of(source, include_excluded)
            with working(f"leaving out runs under {len(posterior)} posteriors …", as_json):
                payload = _left_out(posterior, table, cluster, seed if refit else None)
        output.deliver(payload, as_json, out)
        if not as_json:
            _show_left_out(payload)
            output.show_notes(payload["notes"])
        return

    with session():
        table = inputs.table_of(source, include_excluded)
        chosen = {text: law_from(text) for text in law or ()}
        pairs = [_pair(text, chosen) for text in nested or ()]

        from jscale import assess

        with working(f"fitting {len(chosen)} laws to {table.kept.sum():,} runs …", as_json):
            result = assess.compare(
                [chosen[text] for text in law or ()],
                table,
                holdout="largest-compute" if holdout else None,
                share=holdout or _DEFAULT_SHARE,
                objective=inputs.objective_of(objective),
                nested=pairs,
                starts=starts,
            )

    payload = summary(result, table)
    output.deliver(payload, as_json, out)
    if not as_json:
        _show(result, table)
        output.show_notes(payload["notes"])


def _compare_recipes(
    source: str,
    laws: Sequence[str] | None,
    chosen: pooling.RecipeOptions,
    seed: int,
    include_excluded: bool,
    *,
    as_json: bool,
    out: str | None,
) -> None:
    """Print how much compute recipes save."""
    others = ("holdout", "objective", "nested", "starts", "posterior", "cluster", "refit")
    flags.refuse(*others, reason="with --effective-compute")
    with session():
        law = law_from(_one_law(laws))
        table = inputs.table_of(source, include_excluded)
        payload = pooling.compare_recipes(law, table, chosen, seed, as_json=as_json)
    output.deliver(payload, as_json, out)
    if not as_json:
        pooling.show_recipes(payload)
        output.show_notes(payload["notes"])


def _one_law(texts: Sequence[str] | None) -> str:
    """The one law of a comparison of recipes; Chinchilla's where none is named."""
    if texts and len(texts) > 1:
        raise JscaleError("--effective-compute takes one --law for all recipes")
    return texts[0] if texts else "chinchilla"


def law_from(text: str) -> "LawFunction":
    """The law of this name, changed by the brackets behind it: ``chinchilla[beta=alpha,E=1.7]``.

    Raises:
        JscaleError: there is no such law or parameter.
    """
    matched = _CHANGED.fullmatch(text.strip())
    if matched is None:
        return inputs.law_of(text.strip())

    where = f"law {shown(text)}"
    changes = parsing.pairs([matched["changes"]], where, "beta=alpha")
    tied = [f"{name}={other}" for name, other in changes.items() if other.isidentifier()]
    fixed = [f"{name}={value}" for name, value in changes.items() if not value.isidentifier()]
    return inputs.law_of(matched["name"].strip(), fixed, tied, where)


def _pair(text: str, chosen: "dict[str, LawFunction]") -> "tuple[LawFunction, LawFunction]":
    names = [part.strip() for part in text.split("<")]
    if len(names) != 2:
        raise JscaleError(
            f"--nested: expected SMALL<LARGE such as 'power_size<chinchilla', not {shown(text)}"
        )
    if absent := [name for name in names if name not in chosen]:
        raise JscaleError(f"--nested: {shown(absent[0])} is not one of the laws given with --law")
    return chosen[names[0]], chosen[names[1]]


def summary(result: "Comparison", table: "Runs") -> dict[str, Any]:
    """A comparison as a JSON object."""
    from dataclasses import asdict

    rows = [
        {
            **asdict(row),
            "status": str(row.status),
            "parameters": len(row.params),
            "converged": row.rank is not None,
        }
        for row in result.rows
    ]
    return {
        "n_runs": result.n_runs,
        "objective_name": result.objective_name,
        "held_out": {"runs": len(result.held_out), "C_from": result.compute_from},
        "rows": rows,
        "nested": [asdict(test) for test in result.nested],
        "table": {"name": table.name, "digest": result.table_digest},
        "notes": output.notes((*table.notes, *result.notes)),
    }


def _show(result: "Comparison", table: "Runs") -> None:
    """Print a comparison."""
    from jscale.report.notation import fixed, plural, power_of_ten

    output.show(f"{table.name}: {plural(result.n_runs, 'run')}, {result.objective_name}")
    if result.compute_from is not None:
        held_out = plural(len(result.held_out), "run")
        output.show(
            f"held out: the {held_out} of {power_of_ten(result.compute_from)} FLOP and more"
        )

    least_aicc = min(row.aicc for row in result.rows)
    least_bic = min(row.bic for row in result.rows)
    rows = [
        (
            row.law if row.rank is None else f"{row.rank} {row.law}",
            str(len(row.params)),
            *(_held_out(value) for value in (row.rmse, row.relative_error, row.bias)),
            fixed(row.aicc - least_aicc, 1),
            fixed(row.bic - least_bic, 1),
            str(row.status),
        )
        for row in result.rows
    ]
    held_out_headers = ("held-out rmse", "relative error", "bias")
    headers = ("law", "free", *held_out_headers, "ΔAICc", "ΔBIC", "fit")
    output.show(output.table(headers, rows, right="lrrrrrrl", unbroken=headers))

    tests = [
        (
            test.small,
            test.large,
            str(test.df),
            output.figures(test.statistic, 4),
            f"{test.p_value:.2g}",
            "fixed at the edge: p is too large" if test.at_edge else "",
        )
        for test in result.nested
    ]
    if tests:
        headers = ("special case", "of", "df", "likelihood ratio", "p", "")
        output.show(output.table(headers, tests, right="llrrr"))


def _held_out(value: float | None) -> str:
    """An error on the held-out runs in per cent."""
    from jscale.report.notation import MISSING, percent

    return MISSING if value is None else percent(value, 3)


def _left_out(
    files: Sequence[str], table: "Runs", cluster: str | None, seed: int | None
) -> dict[str, Any]:
    """Posteriors compared by leaving out clusters, as a JSON object.

    Args:
        files: of the posteriors.
        table: the runs that all were sampled given.
        cluster: column of the clusters, or None.
        seed: of refits, or None for none.
    """
    import jax

    from jscale import assess, fit

    results: list[LeaveOneOut] = []
    for i, file in enumerate(files):
        posterior = fit.load(file)
        with flags.renamed(by="cluster"):
            key = None if seed is None else jax.random.fold_in(inputs.key_of(seed), i)
            results.append(
                assess.loo(posterior, table, by=cluster, refit=seed is not None, key=key)
            )
    with flags.renamed(evidence="posterior"):
        stacked = assess.stacking(results) if len(results) > 1 else None
    rows = [_row(file, each, stacked) for file, each in zip(files, results, strict=True)]
    rows = sorted(rows, key=lambda row: -row["elpd"])
    first = results[0]
    notes = stacked.notes if stacked else first.notes
    return {
        "n_runs": int(first.runs.sum()),
        "how": "leave-one-out",
        "cluster": first.by,
        "scores_of": "log losses" if first.on_log else "losses",
        "rows": rows,
        "clusters": [
            {"cluster": name, "runs": count}
            for name, count in zip(first.clusters, first.runs.tolist(), strict=True)
        ],
        "table": {"name": table.name, "digest": table.digest},
        "notes": output.notes((*table.notes, *notes)),
    }


def _row(file: str, result: "LeaveOneOut", stacked: "Stacking | None") -> dict[str, Any]:
    """One posterior as a JSON object; the scores of clusters are in the order of ``clusters``."""
    best = next((m for m in stacked.models if m.name == result.name), None) if stacked else None
    return {
        "posterior": file,
        "law": result.law,
        "errors": result.errors,
        "elpd": result.elpd,
        "se": result.se,
        "p_loo": result.parameters,
        "difference": 0.0 if best is None else best.difference,
        "difference_se": 0.0 if best is None else best.difference_se,
        "weight": 1.0 if best is None else best.weight,
        "unreliable": int(result.unreliable.sum()),
        "refitted": int(result.refitted.sum()),
        "log_scores": result.log_scores.tolist(),
        "pareto_k": result.pareto_k.tolist(),
    }


def _show_left_out(payload: dict[str, Any]) -> None:
    """Print posteriors compared by leaving out clusters."""
    from jscale.report.notation import plural

    runs, by = payload["n_runs"], payload["cluster"]
    unit = plural(runs, "run")
    if by is not None:
        unit = f"{plural(len(payload['clusters']), 'cluster')} of {by} ({unit})"
    output.show(f"{payload['table']['name']}: {unit}, each left out in turn")
    rows = [
        (
            row["law"],
            row["errors"],
            f"{row['elpd']:.1f}",
            f"{row['se']:.1f}",
            f"{row['difference']:.1f}",
            f"{row['difference_se']:.1f}",
            f"{row['weight']:.0%}",
            f"{max(row['pareto_k']):.2f}",
        )
        for row in payload["rows"]
    ]
    headers = ("law", "errors", "elpd", "se", "Δ", "se of Δ", "weight", "Pareto k")
    output.show(output.table(headers, rows, right="llrrrrrr", narrow=True))
    output.show("elpd: log density of what is left out, nats (higher is better); weight: stacking")
