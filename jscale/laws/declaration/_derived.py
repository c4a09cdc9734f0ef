"""Laws made from laws, of which there is one for each law and change.

Compiled programs belong to a law's identity: a law that was made again would be compiled again.
"""

import functools
import inspect
import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from typing import Any, NamedTuple, ParamSpec

from jscale.laws.declaration._declare import LawFunction

P = ParamSpec("P")

_DERIVED, _HELD = "__jscale_derived__", "__jscale_held__"
_MAX_DERIVED = 256
"""Laws derived from one law that are remembered."""
_MAX_MEMBERS = 64
"""Members of a family that are remembered; schedules may be megabytes each."""
_LOCK = threading.RLock()


def derived(law: LawFunction, change: Hashable, make: Callable[[], LawFunction]) -> LawFunction:
    """The law that ``make`` makes of a law, the same object for the same change.

    It is remembered on the law itself, so that both can be collected together.
    """
    with _LOCK:
        known = _derived_from(law)
        if change not in known:
            known[change] = make()
        known.move_to_end(change)
        if len(known) > _MAX_DERIVED:
            known.popitem(last=False)
        return known[change]


def derived_with(
    law: LawFunction, others: Mapping[str, LawFunction], make: Callable[[], LawFunction]
) -> LawFunction:
    """The law that ``make`` makes of a law and of ``others``, by name and in order.

    The same object for the same laws, as long as somebody holds it: none of the laws keeps
    another one alive.
    """
    # A derived law holds its parts, so that their ids are theirs as long as it lives.
    change = ("with", *((name, id(other)) for name, other in others.items()))
    with _LOCK:
        known = _derived_from(law)
        reference = known.get(change)
        combined = None if reference is None else reference()
        if combined is None:
            combined = make()
            known[change] = weakref.ref(combined)
        known.move_to_end(change)
        if len(known) > _MAX_DERIVED:
            known.popitem(last=False)
        return combined


class Held(NamedTuple):
    """A law with constants held, as a law that takes them as arguments.

    Attributes:
        law: takes the constants by keyword, besides its inputs and parameters; their names stand
            in the anchors of its record.
        values: parameter → value.
    """

    law: LawFunction
    values: Mapping[str, float]


def held_form(law: LawFunction) -> Held:
    """The law with its held constants as arguments, so that one program serves all their values."""
    return _own(law, _HELD) or Held(law, {})


def set_held(law: LawFunction, held: Held) -> LawFunction:
    """``law`` with what :func:`held_form` returns for it."""
    setattr(law, _HELD, (weakref.ref(law), held))
    return law


def _derived_from(law: LawFunction) -> OrderedDict[Hashable, Any]:
    """The laws that were made of a law, by change, the last used last."""
    known = _own(law, _DERIVED)
    if known is None:
        known = OrderedDict()
        setattr(law, _DERIVED, (weakref.ref(law), known))
    return known


def _own(law: LawFunction, attribute: str) -> Any:
    """What was remembered on a law, not copied from another one by ``functools.wraps``."""
    owner, value = getattr(law, attribute, (None, None))
    return value if owner is not None and owner() is law else None


def family(function: Callable[P, LawFunction]) -> Callable[P, LawFunction]:
    """A family of laws that makes one law for the same arguments, however they are written."""
    signature = inspect.signature(function)
    known: OrderedDict[Hashable, LawFunction] = OrderedDict()

    @functools.wraps(function)
    def member_of(*args: P.args, **kwargs: P.kwargs) -> LawFunction:
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        members = tuple(bound.arguments.values())
        try:
            hash(members)
        except TypeError:  # an argument that the family refuses
            return function(*args, **kwargs)
        if any(isinstance(value, bool) for value in members):  # True is no number, but equals 1
            return function(*args, **kwargs)

        with _LOCK:
            if members not in known:
                known[members] = function(*args, **kwargs)
            known.move_to_end(members)
            if len(known) > _MAX_MEMBERS:
                known.popitem(last=False)
            return known[members]

    return member_of
