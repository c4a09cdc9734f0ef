"""The options of the verbs, each described once."""

from typing import Annotated

import typer


def _option(*names: str, help: str, metavar: str, **more: object) -> typer.models.OptionInfo:
    return typer.Option(*names, help=help, metavar=metavar, **{"show_default": False, **more})  # pyright: ignore


# --- what to work on ---
RUNS = Annotated[
    str,
    typer.Argument(
        help="A table of runs (.csv .tsv .jsonl .parquet), or a data set by name.",
        metavar="RUNS",
        show_default=False,
    ),
]
SOME_RUNS = Annotated[
    str | None,
    typer.Argument(
        help="A table of runs, or a data set by name.", metavar="RUNS", show_default=False
    ),
]
LAW = Annotated[
    str, typer.Option("--law", help="A law of the catalogue: see 'jscale laws'.", metavar="NAME")
]
FIX = Annotated[
    list[str] | None,
    _option("--fix", help="Hold parameters at values: E=1.69.", metavar="NAME=VALUE"),
]
TIE = Annotated[
    list[str] | None,
    _option("--tie", help="Make parameters equal: beta=alpha.", metavar="NAME=NAME"),
]
INCLUDE_EXCLUDED = Annotated[
    bool, typer.Option("--include-excluded", help="Use the rows marked 'exclude' as well.")
]
PARAMS = Annotated[
    str | None,
    _option(
        "--params",
        help="A published source, a JSON result of 'jscale fit', or E=1.69,A=406.4,…",
        metavar="SOURCE",
    ),
]
POSTERIOR = Annotated[
    str | None,
    _option(
        "--posterior", help="Use the draws that 'jscale sample --out' wrote.", metavar="FILE.nc"
    ),
]

# --- the point ---
_OBJECTIVE_NAMES = (
    "huber (huber:0.01 with a delta), asymmetric-huber (runs above the law may be under-tuned), huber-likelihood, "
    "student-likelihood, log-squares or raw-squares"
)
OBJECTIVE = Annotated[str, typer.Option("--objective", help=f"{_OBJECTIVE_NAMES}.", metavar="NAME")]
WEIGHTS = Annotated[
    str | None,
    _option(
        "--weights",
        help="Column that weighs the runs; loss_se divides residuals by it.",
        metavar="COLUMN",
    ),
]
DELTA = Annotated[
    float | None,
    _option("--delta", help="Where the Huber loss turns linear (0.001 unless given).", metavar="X"),
]
STARTS = Annotated[int, typer.Option("--starts", help="Number of starting points.", metavar="INT")]
BOOTSTRAP = Annotated[
    int | None,
    _option(
        "--bootstrap",
        help="Also refit this many resampled tables, for standard errors.",
        metavar="R",
    ),
]
BOOTSTRAP_KIND = Annotated[
    str | None,
    _option(
        "--bootstrap-kind",
        help="What is drawn again: rows (unless given), cluster (whole groups), wild or parametric.",
        metavar="NAME",
    ),
]
FIT_CONVERGED = Annotated[
    bool,
    typer.Option("--require-converged", help="Exit 1 unless the certificate says 'converged'."),
]

# --- intervals ---
INTERVALS = Annotated[
    bool, typer.Option("--intervals", help="Also give intervals of every kind, side by side.")
]
_TARGET_HELP = (
    "A parameter, a (exponent of the best size), N_opt@1e24, D_opt@1e24, P_opt@1e21, loss@1e24, "
    "loss@N=70B,D=1.4T or D_crit@N=8B,P_post=4"
)
TARGETS = Annotated[
    list[str] | None,
    _option(
        "--target",
        help=f"{_TARGET_HELP}; several times (all parameters unless given).",
        metavar="TARGET",
    ),
]
KINDS = Annotated[
    list[str] | None,
    _option(
        "--kinds",
        help="Only these kinds of intervals: fisher, sandwich, cluster-sandwich, bootstrap-rows, bootstrap-cluster, "
        "bootstrap-wild, bootstrap-wild-cluster, bootstrap-parametric, profile, cluster-profile.",
        metavar="NAME",
    ),
]
LEVEL = Annotated[
    float, typer.Option("--level", help="Coverage that the intervals are made for.", metavar="X")
]
FIT_LEVEL = Annotated[
    float | None,
    _option(
        "--level", help="Coverage that the intervals are made for (0.9 unless given).", metavar="X"
    ),
]
BY = Annotated[
    str | None,
    _option(
        "--by",
        help="Column whose equal values make a cluster (unless given group, or N).",
        metavar="COLUMN",
    ),
]
REFITS = Annotated[int, typer.Option("--draws", help="Refits of each bootstrap.", metavar="INT")]
FIT_REFITS = Annotated[
    int | None,
    _option(
        "--draws",
        help="Refits of each bootstrap among the intervals (1000 unless given).",
        metavar="INT",
    ),
]
SIMULATIONS = Annotated[
    int, typer.Option("--simulations", help="Number of simulated tables.", metavar="INT")
]
NOISE = Annotated[
    str,
    typer.Option(
        "--noise",
        help="Errors: normal, student-t, residuals, unequal (sizes) or cluster.",
        metavar="NAME",
    ),
]
SHARED = Annotated[
    float | None,
    _option(
        "--shared",
        help="Share of the variance within a cluster, for cluster noise (0.5 unless given).",
        metavar="X",
    ),
]
COVERAGE_FIGURE = Annotated[
    str | None,
    _option("--figure", help="Also draw the coverage to FILE: .png, .pdf or .svg.", metavar="FILE"),
]

# --- the posterior ---
CHAINS = Annotated[int, typer.Option("--chains", help="Chains of the sampler.", metavar="INT")]
WARMUP = Annotated[
    int, typer.Option("--warmup", help="Warm-up steps of each chain.", metavar="INT")
]
DRAWS = Annotated[int, typer.Option("--draws", help="Draws kept of each chain.", metavar="INT")]
MIXED = Annotated[
    bool,
    typer.Option(
        "--require-converged", help="Exit 1 unless R-hat, ESS and divergences are all in order."
    ),
]

# --- plans ---
BUDGET = Annotated[
    list[str] | None,
    _option(
        "--budget",
        help="Compute in FLOP, such as 1e21; may be given several times.",
        metavar="FLOP",
    ),
]
BITS = Annotated[
    str,
    _option(
        "--bits",
        "--precision",
        "--P",
        help="Training precision: 'free' to choose it (where the law has bits), or a number.",
        metavar="free|BITS",
        show_default=True,
    ),
]
SIZE = Annotated[
    str | None,
    _option(
        "--N", help="Fix the size; with --post-bits, no budget is needed.", metavar="PARAMETERS"
    ),
]
POST_BITS = Annotated[
    list[str] | None,
    _option(
        "--post-bits",
        help="Bits after training, for the critical number of tokens: 3,4.",
        metavar="BITS",
    ),
]

# --- comparisons ---
LAWS = Annotated[
    list[str] | None,
    _option(
        "--law",
        help="A law, also 'chinchilla[beta=alpha,E=1.7]'; give two or more.",
        metavar="NAME",
    ),
]
HOLDOUT = Annotated[
    float,
    typer.Option(
        "--holdout",
        help="Share of the runs, those of most compute, to predict; 0 for none.",
        metavar="X",
    ),
]
NESTED = Annotated[
    list[str] | None,
    _option("--nested", help="Also test SMALL as a special case of LARGE.", metavar="SMALL<LARGE"),
]
TARGET = Annotated[list[str], _option("--target", help=f"{_TARGET_HELP}.", metavar="TARGET")]
OBJECTIVES = Annotated[
    list[str] | None,
    _option(
        "--objective",
        help=f"Only these objectives: {_OBJECTIVE_NAMES}; several times.",
        metavar="NAME",
    ),
]
EXCLUSIONS = Annotated[
    list[str] | None,
    _option(
        "--vary",
        help="Only these choices of runs: excluded, ratio, compute, groups.",
        metavar="NAME",
    ),
]
VARIANTS = Annotated[
    list[str] | None,
    _option("--variant", help="Another law with the same target; several times.", metavar="NAME"),
]
COLUMNS = Annotated[
    list[str] | None,
    _option(
        "--column",
        help="A column that may stand for an input: N=N_total; several times.",
        metavar="NAME=COLUMN",
    ),
]
TURNS_AT = Annotated[
    float | None,
    _option("--turns-at", help="Where your conclusion turns (for a: 0.5).", metavar="X"),
]
FIGURE = Annotated[
    str | None,
    _option("--figure", help="Also draw the curve to FILE: .png, .pdf or .svg.", metavar="FILE"),
]

# --- laws and data ---
LAW_NAME = Annotated[
    str | None,
    typer.Argument(help="Show the card of this law.", metavar="NAME", show_default=False),
]
AT = Annotated[
    list[str] | None,
    _option(
        "--at", help="Print value and gradient at these inputs: N=70B,D=1.4T.", metavar="NAME=VALUE"
    ),
]
LATEX = Annotated[bool, typer.Option("--latex", help="Print the formula as LaTeX (needs SymPy).")]
TABLE = Annotated[
    str | None,
    typer.Argument(
        help="A data set by name, or a file of runs.", metavar="NAME_OR_FILE", show_default=False
    ),
]

# --- of every verb ---
AS_JSON = Annotated[
    bool, typer.Option("--json", help="Print one JSON object on stdout, and nothing else there.")
]
SEED = Annotated[
    int, typer.Option("--seed", help="Seed of everything random in this verb.", metavar="INT")
]
BOOTSTRAP_SEED = Annotated[
    int, typer.Option("--seed", help="Seed of the bootstrap.", metavar="INT")
]
NO_SEED = Annotated[
    int,
    _option("--seed", help="Every verb takes one; nothing is random in this one.", metavar="INT"),
]
OUT_JSON = Annotated[
    str | None, _option("--out", help="Also write the JSON result to FILE.", metavar="FILE")
]
OUT_CSV = Annotated[
    str | None, _option("--out", help="Write the validated table to FILE, as CSV.", metavar="FILE")
]
OUT_DRAWS = Annotated[
    str | None,
    _option("--out", help="Write the draws to FILE, as netCDF for ArviZ.", metavar="FILE.nc"),
]
OUT_PAGE = Annotated[str, typer.Option("--out", help="The page to write.", metavar="FILE.html")]
TITLE = Annotated[str | None, _option("--title", help="Title of the page.", metavar="TEXT")]
