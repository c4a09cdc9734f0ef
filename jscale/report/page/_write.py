"""``write``: a report in one HTML file."""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from jscale._core.files import replacing
from jscale._core.scope import in_float64
from jscale.report.analysis import analyse, fitted_study
from jscale.runs import Runs

if TYPE_CHECKING:
    from jscale.fit import Point, Posterior
    from jscale.plan import GridResult
    from jscale.plan.reductions import Reduced


@in_float64
def write(
    path: str | os.PathLike[str],
    table: Runs,
    point: "Point",
    posterior: "Posterior | None" = None,
    *,
    budgets: Sequence[float],
    P_post: Sequence[float] = (),
    title: str | None = None,
    backtest: bool = True,
    correct: bool = True,
    ensemble: bool = False,
    grid: "GridResult | Sequence[Reduced] | None" = None,
    command: str = "",
) -> None:
    """Write a report on a fitted law to one HTML file, or to Markdown.

    The page is self-contained: figures, style and text are in it, without scripts that run and
    without requests to a network. First comes the decision, a sentence and a table with the plans
    for the budgets, then plans at any other budget, computed in advance; then the findings, the
    forecast along the compute-optimal path with bands of the law and of a new run, the cost of bits
    for laws that have them, forecasts of held-out runs, the runs, the fit with its certificate and
    residuals, and the posterior; then the caveats; then methods. The numbers are in the page as
    JSON, in the element ``report-data``. The same input gives the same bytes. The write is atomic.

    Args:
        path: path of the file: .md for Markdown without figures, any other name for HTML.
        table: the runs.
        point: a fit of a law to them.
        posterior: draws of the same law given the same runs; without them there are no bands.
        budgets: compute to plan for, FLOP, above 0.
        P_post: bits after training for which to show the critical tokens, where the law has them;
            3, 4 and 6 by default.
        title: title of the page.
        backtest: whether to forecast the larger runs from the smaller ones, at 60 and 80% of the
            runs by compute, by the law with the errors of the posterior, and to compare laws by
            such forecasts; about half a minute for 240 runs.
        ensemble: whether to forecast the largest fifth of the runs by an ensemble of laws too, as
            ``assess.ensemble`` does; of a law with bits, the runs in 16 bits.
        correct: whether these forecasts widen the bands of the losses, by a factor by distance that
            the page states.
        grid: a grid search, or results of it (``Front``, ``Marginal``), whose figures the page has.
        command: the command line that makes the report, for its methods.

    Raises:
        JscaleError: the path cannot be written, a number is not positive, fit and posterior are of
            other runs, or nothing of the grid has a figure.

    Example:
        >>> from pathlib import Path
        >>> import jax
        >>> from jscale import fit, laws, report, runs
        >>> N, D = [1e8, 3e8, 1e9, 3e9] * 4, [1e10] * 4 + [4e10] * 4 + [2e11] * 4 + [1e12] * 4
        >>> theta = laws.params(laws.chinchilla)
        >>> table = runs.simulate(
        ...     laws.chinchilla, theta, {"N": N, "D": D}, noise=0.005, key=jax.random.key(0)
        ... )
        >>> point = fit.point(laws.chinchilla, table, starts=8)
        >>> report.write("report.html", table, point, budgets=[1e22, 1e23], backtest=False)
        >>> page = Path("report.html").read_text(encoding="utf-8")
        >>> "Scaling-law report" in page, "Loss against compute" in page, "What to train" in page
        (True, True, True)
    """
    study = fitted_study(
        table,
        point,
        posterior,
        budgets=tuple(budgets),
        post_bits=tuple(P_post),
        title=title,
        backtest=backtest,
        correct=correct,
        ensemble=ensemble,
        command=command,
    )
    # The path is checked before the work.
    with replacing(path) as temporary:
        from jscale.report.page._page import markdown, page

        analysis = analyse(study)
        is_markdown = str(path).lower().endswith(".md")
        text = markdown(analysis) if is_markdown else page(analysis, grid)
        temporary.write_text(text, encoding="utf-8")
