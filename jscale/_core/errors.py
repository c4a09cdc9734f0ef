"""The exception for a wrong argument or table, and the arguments that its message names."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from jscale._core.text import one_line, shown

_MISSING: Any = object()


class Argument:
    """An argument that a message quotes or recommends: ``by=``, or ``by='N'`` with a value.

    Args:
        name: the argument in Python.
        value: what it is set to, shown by its ``repr``; leave it out to name the argument alone.

    Attributes:
        name: as given.
        shown: the ``repr`` of the value, shortened; None without a value.

    Example:
        >>> print(Argument("by"), Argument("by", "N"))
        by= by='N'
    """

    def __init__(self, name: str, value: Any = _MISSING) -> None:
        self.name = name
        self.shown = None if value is _MISSING else shown(value)

    def __str__(self) -> str:
        return f"{self.name}={self.shown or ''}"

    def render(self, flags: Mapping[str, str]) -> str:
        """The argument as a flag (``--by 'N'``) where ``flags`` has one, else as in Python.

        A flag that is set to True stands alone.
        """
        if self.name not in flags:
            return str(self)
        flag = flags[self.name]
        return flag if self.shown in (None, "True") else f"{flag} {self.shown}"

    def renamed(self, names: Mapping[str, str]) -> "Argument":
        """The same value under the name that ``names`` has for the argument, if any."""
        other = Argument(names.get(self.name, self.name))
        other.shown = self.shown
        return other


class JscaleError(ValueError):
    """A mistake in what the caller passed: one line with its place and what was expected.

    The message is one sentence, or several parts that are joined without a separator, on one line
    of at most 1,000 characters. Parts that are an :class:`Argument` and the keyword ``argument``
    are kept apart from the text, so that the command line can print its own flags for them and
    never takes a user's text for an argument.

    Args:
        parts: the message: text, and an :class:`Argument` wherever another argument is quoted or
            recommended.
        argument: the argument that is wrong. It heads the message, with a space behind it unless
            the message begins with ``:`` or ``[``. A message that begins with an
            :class:`Argument` needs no ``argument``.

    Attributes:
        argument: name of the wrong argument in Python; None where the mistake is elsewhere.

    Example:
        >>> error = JscaleError("must be a whole number of at least 1, not 0", argument="draws")
        >>> print(error)
        draws must be a whole number of at least 1, not 0
        >>> print(error.argument, "->", error.render({"draws": "--bootstrap"}))
        draws -> --bootstrap must be a whole number of at least 1, not 0

        >>> print(JscaleError(": 'x' is none of fisher, profile", argument="kinds"))
        kinds: 'x' is none of fisher, profile

        >>> error = JscaleError("runs.csv: no shared sizes; give ", Argument("by"), " a column")
        >>> print(error)
        runs.csv: no shared sizes; give by= a column
        >>> print(error.render({"by": "--by"}))
        runs.csv: no shared sizes; give --by a column

        >>> error = JscaleError(Argument("by", "N"), " belongs to ", Argument("kind", "cluster"))
        >>> print(error)
        by='N' belongs to kind='cluster'
        >>> print(error.render({"by": "--by", "kind": "--bootstrap-kind"}))
        --by 'N' belongs to --bootstrap-kind 'cluster'
    """

    argument: str | None

    def __init__(self, *parts: str | Argument, argument: str | None = None) -> None:
        first = parts[0] if parts else ""
        self._parts = parts
        self._head = argument
        self.argument = first.name if isinstance(first, Argument) else argument
        super().__init__(self.render({}))

    def render(self, flags: Mapping[str, str]) -> str:
        """The message with flags in place of arguments.

        Args:
            flags: argument → flag; other arguments stay as in Python.
        """
        text = "".join(
            part.render(flags) if isinstance(part, Argument) else str(part) for part in self._parts
        )
        if self._head is None:
            return one_line(text)

        separator = "" if text.startswith((":", "[")) else " "
        return one_line(f"{flags.get(self._head, self._head)}{separator}{text}")

    def renamed(self, names: Mapping[str, str]) -> "JscaleError":
        """The same error for a caller whose arguments have other names.

        Args:
            names: argument → its name at the caller; other arguments keep theirs.
        """
        parts = [
            part.renamed(names) if isinstance(part, Argument) else part for part in self._parts
        ]
        head = None if self._head is None else names.get(self._head, self._head)
        return JscaleError(*parts, argument=head)

    def __reduce__(self) -> tuple[Any, ...]:
        return partial(type(self), argument=self._head), self._parts, self.__dict__
