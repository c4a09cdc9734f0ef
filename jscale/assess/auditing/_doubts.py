"""``doubts``: what the residuals of a fit give reason to doubt, as notes."""

from jscale._core.notes import Note
from jscale.assess.auditing._largest import largest_runs
from jscale.assess.auditing._trends import lack_of_fit
from jscale.fit import Point, Posterior
from jscale.runs import Runs


def doubts(fitted: Point | Posterior, table: Runs, *, by: str | None = None) -> tuple[Note, ...]:
    """The notes of :func:`largest_runs` and :func:`lack_of_fit`, in this order.

    Runs with the largest compute that lie off the law change a forecast the most.

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
    return (*largest_runs(fitted, table, by=by).notes, *lack_of_fit(fitted, table, by=by).notes)
