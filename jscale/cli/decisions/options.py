"""Options of ``jscale plan`` beyond a budget: costs, limits, variables, risk."""

from typing import Annotated

import typer

from jscale.cli.support.options import option

TARGET_LOSS = Annotated[
    list[str] | None,
    option(
        "--target-loss",
        help="The cheapest plan that reaches this loss; can be repeated.",
        metavar="LOSS",
    ),
]
COST = Annotated[
    str,
    typer.Option(
        "--cost",
        help="Unit of --budget: flop, dollars, or days of --devices.",
        metavar="flop|dollars|days",
    ),
]
PRICE = Annotated[
    str | None, option("--price-per-hour", help="Dollars per device hour.", metavar="DOLLARS")
]
DEVICES = Annotated[str | None, option("--devices", help="Number of devices.", metavar="COUNT")]
MFU = Annotated[
    str | None,
    option("--mfu", help="Model FLOP utilisation, above 0 and at most 1.", metavar="SHARE"),
]
PEAK = Annotated[
    list[str] | None,
    option(
        "--peak",
        help="Peak FLOP per second of a device: 989T, or by bits 16=989T,8=1979T.",
        metavar="FLOP/S",
    ),
]
SPEEDS = Annotated[
    list[str] | None,
    option(
        "--speeds",
        help="Throughput of training by format, in any unit: bf16=41k,nvfp4=56k; or published "
        "ones: cloverlm2026_low.  [default: in proportion to bits]",
        metavar="FORMAT=SPEED",
    ),
]
SERVE_TOKENS = Annotated[
    str | None,
    option(
        "--serve-tokens",
        help="Tokens served over the life of the model: the cost is 6 N D + 2 N T.",
        metavar="TOKENS",
    ),
]
LATENCY = Annotated[
    str | None,
    option(
        "--latency",
        help="Most seconds between two generated tokens; needs --bandwidth.",
        metavar="SECONDS",
    ),
]
BANDWIDTH = Annotated[
    str | None,
    option("--bandwidth", help="Bytes per second of the memory in use: 3.35TB.", metavar="BYTES/S"),
]
MEMORY = Annotated[
    str | None,
    option("--memory", help="Most bytes of the weights in use: 80GB or 80GiB.", metavar="BYTES"),
]
QAT_BITS = Annotated[
    str | None,
    option(
        "--qat-bits",
        help="Bits of the weights at the end: divide the tokens between full precision and "
        "quantisation-aware training.",
        metavar="BITS",
    ),
]
UNIQUE_TOKENS = Annotated[
    str | None,
    option(
        "--unique-tokens",
        help="Unique training tokens U; more tokens than these are repeated.",
        metavar="TOKENS",
    ),
]
FREE = Annotated[
    list[str] | None,
    option(
        "--free", help="Variables to choose: N,D,P, or inputs of the law (P_post).", metavar="NAMES"
    ),
]
BOUND = Annotated[
    list[str] | None,
    option(
        "--bound", help="Range of a variable: N=1B..20B, D=..5T or P=4..", metavar="NAME=LOW..HIGH"
    ),
]
RISK = Annotated[
    str | None,
    option(
        "--risk",
        help="One plan for all draws: of least expected loss (mean), or least mean loss (cvar) or "
        "regret (regret) in the worst draws.",
        metavar="mean|cvar|regret",
    ),
]
LEVEL = Annotated[
    float | None,
    option(
        "--level",
        help="With --risk, 1 - LEVEL is the share of the worst draws (default 0.9); with "
        "--target-loss, the probability to reach it.",
        metavar="SHARE",
    ),
]
SUBSTITUTE = Annotated[
    bool,
    typer.Option("--substitute", help="Also list other sizes with the loss of the plan."),
]
ENSEMBLE = Annotated[
    bool,
    typer.Option(
        "--ensemble",
        help="One plan for the laws that suit the runs, weighted by their forecasts of held-out "
        "runs (a minute).",
    ),
]
