"""No option is ignored: one without effect among the others is refused with a sentence."""

from pathlib import Path

import pytest
import typer.main

from jscale.cli._app import app
from tests.cli.test_bad_input import rejected

PARAMS = ("--params", "hoffmann2022", "--budget", "1e21")
DRAWS = ("--posterior", "draws.nc", "--budget", "1e21")
POINT = ("--params", "hoffmann2022", "--at", "N=1e9,D=1e10")
FISHER = ("--kinds", "fisher,sandwich")
SAMPLER = (("--chains", 2), ("--warmup", 50), ("--draws", 50), ("--seed", 1), ("--sampler", "nuts"))
EXCLUDED = (("--include-excluded",),)

# Verb and options that leave others without effect, those others, and why.
CASES = (
    (("laws",), (("--at", "N=1"), ("--params", "x"), ("--params", ""), ("--latex",)), "NAME"),
    (("laws", "chinchilla"), (("--params", "hoffmann2022"),), "without --at"),
    (("laws", "chinchilla", "--at", "N=1e9,D=1e9"), (("--latex",),), "with --at"),
    (("fit", "runs.csv"), (FISHER, ("--level", 0.9)), "without --intervals"),
    (("fit", "runs.csv"), (("--draws", 10),), "without --intervals"),
    (("fit", "runs.csv"), (("--bootstrap-kind", "rows"),), "without --bootstrap"),
    (("fit", "runs.csv"), (("--by", "N"), ("--seed", 1)), "without --bootstrap R or --intervals"),
    (("fit", "runs.csv", "--intervals", *FISHER), (("--draws", 10), ("--seed", 1)), "--kinds"),
    (("fit", "runs.csv", "--intervals", *FISHER), (("--by", "N"),), "--by 'N' applies only to"),
    (("fit", "runs.csv", "--bootstrap", 10), (("--by", "N"),), "--by 'N' belongs to"),
    (("fit", "runs.csv", "--delta", 1), (("--objective", "log-squares"),), "a delta belongs to"),
    (("fit", "runs.csv", "--objective", "huber:0.1"), (("--delta", 1),), "has a delta already"),
    (("isoflop", "runs.csv"), (("--resample", "rows"), ("--seed", 1)), "without --bootstrap"),
    (("isoflop", "runs.csv", "--by", "C"), (("--tolerance", 0.1),), "with --by"),
    (("plan", *PARAMS), (*SAMPLER, *EXCLUDED), "nothing is sampled"),
    (("plan", *DRAWS), (*SAMPLER, *EXCLUDED), "nothing is sampled"),
    (("plan", *PARAMS), (("--bits", "free"),), "no training precision"),
    (("plan", *PARAMS), (("--errors", "normal"), ("--prior", "E=lognormal(1,1)")), "is sampled"),
    (("predict", *POINT), (*SAMPLER[:3], SAMPLER[4], *EXCLUDED), "nothing is sampled"),
    (("predict", *POINT), (("--errors", "normal"), ("--prior", "E=lognormal(1,1)")), "is sampled"),
    (("predict", *POINT), (("--seed", 1), ("--level", 0.5)), "no band"),
    (("predict", *POINT), (("--resume", "x.jscale"),), "is sampled"),
    (("predict", *POINT), (("--no-correction",),), "no band"),
    (
        ("predict", "runs.csv"),
        (*SAMPLER[:2], SAMPLER[4], ("--prior", "E=lognormal(1,1)")),
        "several laws",
    ),
    (("sample", "runs.csv", "--sampler", "importance"), (("--warmup", 50),), "has no warm-up"),
    (("report", "runs.csv", "--posterior", "draws.nc"), SAMPLER, "nothing is sampled"),
    (
        ("grid", "--law", "chinchilla", "--axis", "N=1e9,2e9", "--posterior", "draws.nc"),
        (("--polish",),),
        "with --posterior, whose draws each have an optimum",
    ),
    (("calibrate", "runs.csv", *FISHER), (("--draws", 10),), "--kinds that are no bootstrap"),
    (("calibrate", "runs.csv", *FISHER), (("--by", "N"),), "--by 'N' applies only to"),
    (("calibrate", "runs.csv"), (("--shared", 0.5),), "--shared 0.5 belongs to --noise"),
    (("compare", "runs.csv"), (("--refit",), ("--cluster", "N")), "without --posterior"),
    (("data",), (("--out", "x.csv"),), "say which table to write"),
    (("plan", *PARAMS), (("--where", "N > 1e8"), ("--strict",)), "without a table of runs"),
    (
        ("data", "precision-runs"),
        (("--column", "loss=x"), ("--loss", "x"), ("--strict",), ("--long",)),
        "on a data set by name",
    ),
    (("plan", *PARAMS), (("--group-by", "seed"), ("--each",)), "without a table of runs"),
    (("audit", "runs.csv"), (("--setup", "x.toml"),), "without --checklist"),
    (("laws", "chinchilla"), (("--for", "runs.csv"),), "with the NAME of a law"),
    (("plan", *PARAMS), (("--bandwidth", "1e12"),), "without --latency"),
    (("plan", *PARAMS), (("--risk", "mean"),), "with one set of parameters"),
    (("plan", *PARAMS), (("--mfu", "0.4"), ("--devices", "8")), "the time of a FLOP also needs"),
    (("plan", *PARAMS, "--mfu", "0.4"), (("--peak", "1e15"),), "without --price-per-hour or"),
    (
        ("compare", "runs.csv"),
        (("--reference", "a"), ("--floor", "free"), ("--along", "ratio")),
        "without --effective-compute",
    ),
    (
        ("plan", "--ensemble", "--budget", "1e21"),
        (("--params", "hoffmann2022"), ("--posterior", "draws.nc")),
        "fitted to RUNS",
    ),
    (
        ("plan", "runs.csv", "--budget", "1e21", "--ensemble"),
        (("--law", "coupled"), ("--risk", "mean"), ("--target-loss", "2"), ("--chains", 2)),
        "with --ensemble",
    ),
    (("sample", "runs.csv"), (("--pool", "E=separate"), ("--group", "a")), "without --by COLUMN"),
    (
        ("next", "runs.csv", "--target", "parameters", "--budget", "1e21"),
        (("--spend-all",),),
        "without --target plan",
    ),
)
EFFECTIVE = (
    "law fix tie weights starts include_excluded out as_json params posterior budget",
    "bootstrap intervals require_converged curve by size post_bits title holdout nested noise",
    "simulations figure target kinds level variant vary column turns_at require_agreement resume",
    "train_below leave_out folds cluster cuts baseline require_coverage sampler",
    "from_file no_backtest ensemble",
    "column loss where strict bytes_per_token long group_by each table remarks checklist",
    "axis models quantity minimise where top front keep dtype yes hosts grid",
    "target_loss cost price_per_hour serve_tokens latency memory unique_tokens free bound",
    "substitute effective_compute plan_budget candidates count speeds qat_bits",
)
"""Options of a verb that change its result in every combination, apart from those in ``CASES``;
``--seed`` of a verb without random numbers says so in its help text."""


@pytest.mark.parametrize(
    ("command", "option", "words"),
    [(command, option, words) for command, options, words in CASES for option in options],
    ids=lambda part: " ".join(map(str, part)) if isinstance(part, tuple) else "",
)
def test_an_option_without_effect(jscale, table: Path, command, option, words: str):
    arguments = [table if part == "runs.csv" else part for part in command]
    rejected(jscale(*arguments, *option), option[0], words)


def test_every_option_is_in_the_table():
    refused = {option[0].strip("-").replace("-", "_") for _, group, _ in CASES for option in group}
    known = refused | set(" ".join(EFFECTIVE).split())
    group = typer.main.get_command(app)
    options = {
        parameter.name
        for verb in group.commands.values()  # pyright: ignore[reportAttributeAccessIssue]
        for parameter in verb.params
        if parameter.param_type_name == "option"
    }
    assert options - known == {"help"} & options


@pytest.mark.parametrize("seed", [-1, 2**63, 2**64, 10**400, -(10**40)])
@pytest.mark.parametrize("verb", ["laws", "data", "compare", "reproduce", "sample", "fit"])
def test_seeds_out_of_range(jscale, verb: str, seed: int):
    source = () if verb in ("laws", "data", "reproduce") else ("runs.csv",)
    result = jscale(verb, *source, "--seed", seed)
    rejected(result, "--seed: expected a whole number from 0 to 2**63 - 1")
    assert len(result.stderr) < 200


@pytest.mark.parametrize("budget", ["5.99", "1e-300", "0.001k"])
def test_budgets_below_one_token(jscale, budget: str):
    rejected(jscale("plan", "--params", "hoffmann2022", "--budget", budget), "at least 6 FLOP")
