"""``doubts``: what a table and the residuals of a fit give reason to doubt, as notes."""

from jscale._core.notes import Note
from jscale.assess.auditing.checks import CHECKS, Subject
from jscale.fit import Point, Posterior
from jscale.runs import Runs

_FIRST = ("largest", "trends")
"""Checks whose notes come first."""


def doubts(fitted: Point | Posterior, table: Runs, *, by: str | None = None) -> tuple[Note, ...]:
    """The warnings of every check of :func:`audit` that is about fits.

    First :func:`largest_runs` and :func:`lack_of_fit`, then the others. Runs with the largest
    compute that lie off the law change a forecast the most.

    Args:
        fitted: a fit, or posterior draws, of the runs.
        table: the runs.
        by: column whose equal values make a cluster; as for :func:`lack_of_fit`.

    Raises:
        JscaleError: fitted to other runs, or ``by`` is not a column that forms clusters.

    Example:
        Runs that follow Chinchilla's law give no reason to doubt it.

        >>> import jax
        >>> from jscale import assess, fit, laws, runs
        >>> N, D = [1e8, 3e8, 1e9, 3e9] * 4, [1e10] * 4 + [4e10] * 4 + [2e11] * 4 + [1e12] * 4
        >>> theta = laws.params(laws.chinchilla)
        >>> table = runs.simulate(
        ...     laws.chinchilla, theta, {"N": N, "D": D}, noise=0.005, key=jax.random.key(0)
        ... )
        >>> point = fit.point(laws.chinchilla, table, starts=8)
        >>> assess.doubts(point, table)
        ()
    """
    first = [each for name in _FIRST for each in CHECKS if each.name == name]
    subject = Subject(table, getattr(fitted, "law", None), fitted, by=by)
    notes = [note for each in first for note in each.run(subject)]
    return (*notes, *further_doubts(fitted, table, by=by))


def further_doubts(
    fitted: Point | Posterior, table: Runs, *, by: str | None = None
) -> tuple[Note, ...]:
    """The notes of :func:`doubts` without those of the two functions that it begins with.

    Args:
        fitted: a fit, or posterior draws, of the runs.
        table: the runs.
        by: column whose equal values make a cluster.
    """
    subject = Subject(table, fitted.law, fitted, by=by)
    checks = [each for each in CHECKS if each.of_fits and each.name not in _FIRST]
    notes = [note for each in checks for note in each.run(subject)]
    return tuple(note for note in notes if note.severity != "info")
