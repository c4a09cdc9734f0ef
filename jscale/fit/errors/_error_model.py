"""``ErrorModel``: how the losses of runs are distributed about a law."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any

from jscale._core.errors import JscaleError
from jscale._core.text import did_you_mean, enumerated, shown
from jscale.fit.errors._text import DEFAULT_NU, FAMILIES, FREE, parsed, written

_MAX_NU = 1e6
_LISTS = ("scale", "effects", "discrepancy")


@dataclass(frozen=True)
class ErrorModel:
    """The distribution of losses about a law: a family, its scale, and errors that runs share.

    The error of a run is ``log loss - log law`` (``loss - law`` with ``additive``). It is the sum
    of an independent error of the family, a random effect for each cluster the run is in, and the
    value of a smooth discrepancy of the law at the run's inputs.

    The scale of the independent errors is ``sigma`` at the typical run. It may be a power of
    columns or of their ratios, and may differ by group.

    An error model is written as terms joined by ``+``, the family first:

    ===================== =====================================================================
    ``normal``            normal errors
    ``student``           Student-t errors with 4 degrees of freedom; ``student(7)`` with 7,
                          ``student(free)`` with a number that is estimated
    ``outliers``          normal errors, of which a share has a scale several times as wide
    ``one-sided``         normal errors plus an exponential excess, for runs that are under-tuned
    ``additive``          errors of the loss itself, which may then be zero or negative
    ``known``             the column ``loss_se`` gives a known part of every scale
    ``scale(C, D/N)``     the scale is a power of each of these columns or ratios of columns
    ``scale-by(group)``   a scale for each value of a column
    ``effects(trunk)``    a random effect for each value of a column, or of each of several columns;
                          ``effects`` alone takes ``trunk``, ``group`` or ``N``, whichever is the
                          first that runs share; ``effects(configuration)`` groups runs with equal
                          inputs
    ``discrepancy``       a smooth deviation from the law (Gaussian process) over all inputs of the
                          law that vary; ``discrepancy(N, D)`` over these
    ===================== =====================================================================

    Args:
        family: "normal", "student", "outliers" or "one-sided".
        nu: degrees of freedom of "student", or "free"; 4 where it is left out.
        additive: whether errors add to the loss, not to its logarithm.
        known: whether the column ``loss_se`` is a known part of the scale. With "student" it is
            a part of the scale parameter, so a standard error counts as 1.4 times its size at
            four degrees of freedom.
        scale: columns, or ratios of two such as "D/N", that the scale is a power of.
        scale_by: column whose values have a scale each.
        effects: columns whose values have a random effect each; () for the default column, None for
            no effects.
        discrepancy: inputs of the law that a discrepancy depends on; () for all that vary, None
            for no discrepancy.

    Raises:
        JscaleError: a value that no error model has.

    Example:
        >>> from jscale import fit
        >>> errors = fit.ErrorModel.parse("normal + scale(C, D/N) + effects(group) + discrepancy")
        >>> errors.family, errors.scale, errors.effects, errors.discrepancy
        ('normal', ('C', 'D/N'), ('group',), ())
        >>> print(fit.ErrorModel("student", nu=7, known=True))
        student(7) + known
    """

    family: str = "student"
    nu: float | str | None = None
    additive: bool = False
    known: bool = False
    scale: tuple[str, ...] = ()
    scale_by: str | None = None
    effects: tuple[str, ...] | None = None
    discrepancy: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        _check_family(self.family)
        object.__setattr__(self, "nu", _checked_nu(self.family, self.nu))
        for name in ("additive", "known"):
            if not isinstance(getattr(self, name), bool):
                value = shown(getattr(self, name))
                raise _wrong(f"{name} must be True or False, not {value}")
        if self.scale_by is not None:
            _check_column("scale_by", self.scale_by)
        for name in _LISTS:
            object.__setattr__(self, name, _columns(name, getattr(self, name)))
        if self.scale is None:
            object.__setattr__(self, "scale", ())

    @classmethod
    def parse(cls, text: str) -> "ErrorModel":
        """The error model that a text describes.

        Args:
            text: terms joined by ``+``, the family first. A column whose name contains ``+``,
                ``,``, ``(`` or ``)`` is put in double quotes.

        Raises:
            JscaleError: an unknown or repeated term, or one with wrong arguments.

        Example:
            >>> from jscale import fit
            >>> fit.ErrorModel.parse("outliers + effects").effects
            ()
        """
        return parsed(cls, text)

    def __str__(self) -> str:
        return written(self)

    def __repr__(self) -> str:
        defaults = {each.name: each.default for each in fields(self)}
        defaults["nu"] = DEFAULT_NU if self.family == "student" else None
        changed = [
            f"{name}={getattr(self, name)!r}"
            for name, default in defaults.items()
            if name != "family" and getattr(self, name) != default
        ]
        return f"ErrorModel({', '.join([repr(self.family), *changed])})"

    @property
    def site(self) -> str:
        """Name of the observed site of the model: "log_loss", or "loss" for additive errors."""
        return "loss" if self.additive else "log_loss"

    @property
    def is_joint(self) -> bool:
        """Whether the losses are jointly normal, with errors that runs share integrated out."""
        return self.family == "normal" and self.has_shared_errors

    @property
    def has_shared_errors(self) -> bool:
        """Whether runs share errors: random effects or a discrepancy."""
        return self.effects is not None or self.discrepancy is not None


def as_error_model(errors: Any) -> ErrorModel:
    """An error model from what a caller passes: one, its text, or None for the default.

    Raises:
        JscaleError: neither, or a text that describes none.
    """
    if errors is None:
        return DEFAULT_ERRORS
    if isinstance(errors, ErrorModel):
        return errors
    if isinstance(errors, str):
        return ErrorModel.parse(errors)
    message = f"must be a fit.ErrorModel or its text such as 'normal', not {shown(errors)}"
    raise JscaleError(message, argument="errors")


def _check_family(family: Any) -> None:
    if not isinstance(family, str) or family not in FAMILIES:
        hint = did_you_mean(str(family), FAMILIES)
        raise _wrong(f"{shown(family)} is not a family (there are: {enumerated(FAMILIES)}){hint}")


def _checked_nu(family: str, nu: Any) -> float | str | None:
    """Degrees of freedom as a float; 4 where they are left out, None for another family."""
    if family != "student":
        if nu is not None:
            raise _wrong(f"nu={shown(nu)} belongs to the family 'student', not to {shown(family)}")
        return None
    if nu is None:
        return DEFAULT_NU
    if nu == FREE and isinstance(nu, str):
        return FREE
    is_number = isinstance(nu, int | float) and not isinstance(nu, bool)
    if not is_number or not 0 < nu <= _MAX_NU or math.isnan(nu):
        raise _wrong(
            f"student takes its degrees of freedom, a number above 0 and at most {_MAX_NU:g}, or "
            f"'free'; got {shown(nu)}"
        )
    return float(nu)


def _columns(name: str, value: Any) -> tuple[str, ...] | None:
    """A list of columns as a tuple."""
    if value is None:
        return None
    values = (value,) if isinstance(value, str) else value
    if not isinstance(values, Iterable) or isinstance(values, dict):
        raise _wrong(f"{name} must be names of columns, not {shown(value)}")
    values = tuple(values)
    for each in values:
        _check_column(name, each)
    if repeated := [each for i, each in enumerate(values) if each in values[:i]]:
        raise _wrong(f"{name} names {shown(repeated[0])} twice")
    return values


def _check_column(name: str, column: Any) -> None:
    if not isinstance(column, str) or not column.strip():
        raise _wrong(f"{name} must be a name of a column, not {shown(column)}")
    if column != column.strip() or '"' in column or not column.isprintable():
        raise _wrong(
            f"{name}: {shown(column)} has a double quote, a space at an end or a character that "
            "cannot be printed; expected a plain name of a column"
        )


def _wrong(message: str) -> JscaleError:
    return JscaleError(f": {message}", argument="errors")


DEFAULT_ERRORS = ErrorModel("student")
"""The error model where the caller names none."""
