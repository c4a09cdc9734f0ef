"""The application and its verbs."""

from typing import Annotated

import typer

from jscale import __version__
from jscale.cli import (
    audit,
    backtest,
    calibrate,
    compare,
    data,
    fit,
    grid,
    isoflop,
    laws,
    plan,
    predict,
    report,
    reproduce,
    sample,
    sensitivity,
)
from jscale.cli.next import next_runs
from jscale.cli.support.flags import Verb
from jscale.cli.support.group import Verbs
from jscale.cli.support.table_options import with_table_options

_FIRST_COMMANDS = """\
jscale: neural scaling laws. Three commands to begin with, on a table of runs:

  jscale audit runs.csv                     what may go wrong, and what to do
  jscale fit runs.csv --law chinchilla      a law, with a certificate
  jscale report runs.csv --out report.html  fit, forecasts and plans on one page

'jscale --help' lists all verbs, 'jscale VERB --help' the options of one."""

app = typer.Typer(
    cls=Verbs,
    name="jscale",
    invoke_without_command=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(requested: bool) -> None:
    if requested:
        typer.echo(f"jscale {__version__}")
        raise typer.Exit


@app.callback()
def _jscale(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Neural scaling laws: which one fits your runs, how certain that is, and what to train next.

    Every verb takes --json, --seed and --out.

    Exit codes: 0 success, 1 a requested check failed, 2 bad input, 70 an error inside jscale or
    not enough memory, 141 a closed pipe, 130, 143 and 129 after Ctrl-C, SIGTERM and SIGHUP.
    """
    if context.invoked_subcommand is None:
        typer.echo(_FIRST_COMMANDS)


for _verb in (
    laws.laws,
    data.data,
    audit.audit,
    fit.fit,
    isoflop.isoflop,
    sample.sample,
    predict.predict,
    plan.plan,
    grid.grid,
    compare.compare,
    backtest.backtest,
    calibrate.calibrate,
    sensitivity.sensitivity,
    reproduce.reproduce,
    report.report,
):
    app.command(cls=Verb)(with_table_options(_verb))
app.command(name="next", cls=Verb)(with_table_options(next_runs))
