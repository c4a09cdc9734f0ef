"""What the residuals of the fit give reason to doubt."""

from dataclasses import dataclass

from jscale._core.notes import Note
from jscale.assess import LackOfFit, LargestRuns, lack_of_fit, largest_runs
from jscale.report.analysis._study import FittedStudy


@dataclass(frozen=True, eq=False)
class ResidualDoubts:
    """Tests of the residuals of the fit.

    Attributes:
        largest_runs: the runs with the largest compute against the law fitted to the others.
        lack_of_fit: trends of the residuals.
    """

    largest_runs: LargestRuns
    lack_of_fit: LackOfFit

    @property
    def notes(self) -> tuple[Note, ...]:
        """The notes of both."""
        return (*self.largest_runs.notes, *self.lack_of_fit.notes)


def residual_doubts(study: FittedStudy) -> ResidualDoubts:
    """The tests of the residuals of a study's fit."""
    return ResidualDoubts(
        largest_runs=largest_runs(study.point, study.table),
        lack_of_fit=lack_of_fit(study.point, study.table),
    )
