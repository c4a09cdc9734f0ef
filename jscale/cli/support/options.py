"""Options that several verbs take, each described once; a verb's own options are in its file."""

from typing import Annotated

import typer

from jscale._core.errors import JscaleError
from jscale._core.text import shown

OUTPUT, POSTERIOR_PANEL, READING = "Output", "Posterior", "Reading the table"
"""Panels of the help text."""
_SEEDS = 2**63
"""Seeds are below this, as JAX takes them."""


def option(*names: str, help: str, metavar: str, **more: object) -> typer.models.OptionInfo:
    """An option without a default in its help text.

    Args:
        names: the flags.
        help: one line on what it does.
        metavar: the value's placeholder in the help text.
        more: of ``typer.Option``.
    """
    settings = {"show_default": False, **more}
    return typer.Option(*names, help=help, metavar=metavar, **settings)  # pyright: ignore


def _checked_seed(seed: int) -> int:
    """The seed, if JAX takes it.

    Raises:
        JscaleError: it is out of range.
    """
    if not 0 <= seed < _SEEDS:
        raise JscaleError(f"--seed: expected a whole number from 0 to 2**63 - 1, not {shown(seed)}")
    return seed


# --- table and law ---
RUNS = Annotated[
    str,
    typer.Argument(
        help="A table of runs (.csv .tsv .json .jsonl .xlsx .parquet), or a data set by name.",
        metavar="RUNS",
        show_default=False,
    ),
]
LAW = Annotated[
    str, typer.Option("--law", help="A law of the catalogue: see 'jscale laws'.", metavar="NAME")
]
LAWS = Annotated[
    list[str] | None,
    option("--law", help="A law of the catalogue: see 'jscale laws'.", metavar="NAME"),
]
FIX = Annotated[
    list[str] | None,
    option("--fix", help="Fix parameters at values: E=1.69.", metavar="NAME=VALUE"),
]
TIE = Annotated[
    list[str] | None,
    option("--tie", help="Set parameters equal: beta=alpha.", metavar="NAME=NAME"),
]
INCLUDE_EXCLUDED = Annotated[
    bool,
    typer.Option(
        "--include-excluded",
        help="Also use the rows marked 'exclude'.",
        rich_help_panel=READING,
    ),
]
PARAMS = Annotated[
    str | None,
    option(
        "--params",
        help="A published source, a JSON result of 'jscale fit', or E=1.69,A=406.4,…",
        metavar="SOURCE",
    ),
]
POSTERIOR = Annotated[
    str | None,
    option("--posterior", help="Draws written by 'jscale sample --out'.", metavar="FILE.nc"),
]

# --- fits ---
OBJECTIVE_NAMES = (
    "huber (huber:0.01 sets its delta), asymmetric-huber (for under-tuned runs above the law), "
    "huber-likelihood, student-likelihood, log-squares or raw-squares"
)
OBJECTIVE = Annotated[str, typer.Option("--objective", help=f"{OBJECTIVE_NAMES}.", metavar="NAME")]
WEIGHTS = Annotated[
    str | None,
    option(
        "--weights",
        help="Column with the weight of each run; loss_se divides the residuals.",
        metavar="COLUMN",
    ),
]
STARTS = Annotated[int, typer.Option("--starts", help="Number of starting points.", metavar="INT")]

# --- intervals ---
TARGET_HELP = (
    "A parameter, a (exponent of the optimal size), N_opt@1e24, D_opt@1e24, P_opt@1e21, "
    "loss@1e24, loss@N=70B,D=1.4T or D_crit@N=8B,P_post=4"
)
TARGETS = Annotated[
    list[str] | None,
    option(
        "--target",
        help=f"{TARGET_HELP}; can be repeated (default: all parameters).",
        metavar="TARGET",
    ),
]
KINDS = Annotated[
    list[str] | None,
    option(
        "--kinds",
        help="Kinds of intervals (default: all that apply): fisher, sandwich, cluster-sandwich, "
        "bootstrap-rows, bootstrap-cluster, bootstrap-wild, bootstrap-wild-cluster, "
        "bootstrap-parametric, profile, cluster-profile.",
        metavar="NAME",
    ),
]
BY = Annotated[
    str | None,
    option(
        "--by",
        help="Column whose equal values form a cluster (default: trunk, run_id, trained model, "
        "group or N).",
        metavar="COLUMN",
    ),
]

# --- the posterior ---
ERRORS = Annotated[
    str | None,
    option(
        "--errors",
        help="Error model: a family (normal, student, student(free), outliers, one-sided) and "
        "terms, such as 'normal + scale(C) + effects(group) + discrepancy'; by default 'normal + "
        "scale(C, D/N) + discrepancy' where the runs allow it, else student.",
        metavar="MODEL",
        rich_help_panel=POSTERIOR_PANEL,
    ),
]
CHAINS = Annotated[
    int,
    typer.Option(
        "--chains", help="Number of chains.", metavar="INT", rich_help_panel=POSTERIOR_PANEL
    ),
]
WARMUP = Annotated[
    int,
    typer.Option(
        "--warmup",
        help="Warm-up steps of each chain.",
        metavar="INT",
        rich_help_panel=POSTERIOR_PANEL,
    ),
]
DRAWS = Annotated[
    int,
    typer.Option(
        "--draws",
        help="Draws kept from each chain.",
        metavar="INT",
        rich_help_panel=POSTERIOR_PANEL,
    ),
]

SAMPLER = Annotated[
    str,
    option(
        "--sampler",
        help="auto (importance, and nuts where its weights are too rough), nuts or importance.",
        metavar="NAME",
        rich_help_panel=POSTERIOR_PANEL,
    ),
]
PRIOR = Annotated[
    list[str] | None,
    option(
        "--prior",
        help="Prior of a parameter of the law or of the errors, such as 'alpha=lognormal(0.2, 1)' "
        "(median and sd of the log), normal, uniform, beta, halfnormal or gamma; or 'published'. "
        "Can be repeated.",
        metavar="NAME=PRIOR",
        rich_help_panel=POSTERIOR_PANEL,
    ),
]

# --- plans ---
BUDGET = Annotated[
    list[str] | None,
    option("--budget", help="Compute in FLOP, such as 1e21; can be repeated.", metavar="FLOP"),
]
POST_BITS = Annotated[
    list[str] | None,
    option(
        "--post-bits",
        help="Bits after training, for the critical number of tokens: 3,4.",
        metavar="BITS",
    ),
]

# --- output ---
RESUME = Annotated[
    str | None,
    option(
        "--resume",
        help="Keep the progress in FILE, and go on from there after an interruption.",
        metavar="FILE",
        rich_help_panel=OUTPUT,
    ),
]
AS_JSON = Annotated[
    bool,
    typer.Option(
        "--json", help="Print one JSON object on stdout and nothing else.", rich_help_panel=OUTPUT
    ),
]
SEED = Annotated[
    int,
    typer.Option(
        "--seed",
        help="Seed of all random numbers.",
        metavar="INT",
        callback=_checked_seed,
        rich_help_panel=OUTPUT,
    ),
]
BOOTSTRAP_SEED = Annotated[
    int,
    typer.Option(
        "--seed",
        help="Seed of the bootstrap.",
        metavar="INT",
        callback=_checked_seed,
        rich_help_panel=OUTPUT,
    ),
]
NO_SEED = Annotated[
    int,
    option(
        "--seed",
        help="Accepted by every verb; this one uses no random numbers.",
        metavar="INT",
        callback=_checked_seed,
        rich_help_panel=OUTPUT,
    ),
]
OUT_JSON = Annotated[
    str | None,
    option(
        "--out", help="Also write the JSON result to FILE.", metavar="FILE", rich_help_panel=OUTPUT
    ),
]
