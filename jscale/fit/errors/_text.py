"""The text of an error model: terms joined by ``+``."""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from jscale._core.errors import JscaleError
from jscale._core.text import did_you_mean, enumerated, plain_number, shown

if TYPE_CHECKING:
    from jscale.fit.errors._error_model import ErrorModel

FAMILIES = ("normal", "student", "outliers", "one-sided")
DEFAULT_NU = 4.0
FREE = "free"
Model = TypeVar("Model")

_FLAGS = ("additive", "known")
_TERMS = ("scale", "scale-by", "effects", "discrepancy")
_MAX_LENGTH = 2000
"""Characters of a text; a longer one is no error model."""
_TERM = re.compile(r"\s*([^()\"\s]+)\s*(?:\((.*)\))?\s*", re.DOTALL)


def parsed(kind: Callable[..., Model], text: Any) -> Model:
    """The error model of a text; see :meth:`ErrorModel.parse`."""
    if not isinstance(text, str):
        raise JscaleError(f"must be a text such as 'normal', not {shown(text)}", argument="errors")
    if len(text) > _MAX_LENGTH:
        raise _wrong(text, f"has {len(text):,} characters; expected at most {_MAX_LENGTH:,}")

    # 1. Names and arguments of the terms; the first one is the family.
    terms = [_term(text, part) for part in _split(text, text, "+")]
    name, arguments = terms[0]
    if name not in FAMILIES:
        hint = did_you_mean(name, FAMILIES)
        raise _wrong(text, f"begins with {shown(name)}; expected {_FAMILY_LIST} first{hint}")

    # 2. The other terms, each at most once.
    settings: dict[str, Any] = {"family": name, **_family_settings(text, name, arguments)}
    for name, arguments in terms[1:]:
        field = name.replace("-", "_")
        if name in FAMILIES:
            raise _wrong(text, f"has two families, {settings['family']} and {name}; expected one")
        if name not in (*_FLAGS, *_TERMS):
            known = (*_FLAGS, *_TERMS)
            hint = did_you_mean(name, known)
            raise _wrong(text, f"has the unknown term {shown(name)}; {_known_terms()}{hint}")
        if field in settings:
            raise _wrong(text, f"has the term {shown(name)} twice; expected it once")
        settings[field] = _setting(text, name, arguments)
    return kind(**settings)


def written(errors: "ErrorModel") -> str:
    """The text from which :func:`parsed` makes the same error model."""
    family = errors.family
    if family == "student" and errors.nu != DEFAULT_NU:
        family += f"({_number(errors.nu)})"

    terms = [family, *(name for name in _FLAGS if getattr(errors, name))]
    if errors.scale:
        terms.append(_call("scale", errors.scale))
    if errors.scale_by is not None:
        terms.append(_call("scale-by", (errors.scale_by,)))
    if errors.effects is not None:
        terms.append(_call("effects", errors.effects))
    if errors.discrepancy is not None:
        terms.append(_call("discrepancy", errors.discrepancy))
    return " + ".join(terms)


_FAMILY_LIST = enumerated(FAMILIES[:-1]) + f" or {FAMILIES[-1]}"


def _known_terms() -> str:
    return f"expected {enumerated((*_FLAGS, *_TERMS))}"


def _number(nu: Any) -> str:
    return str(nu) if nu == FREE else repr(nu).removesuffix(".0")


def _call(name: str, arguments: tuple[str, ...]) -> str:
    """``scale(C, D/N)``; the name alone without arguments."""
    if not arguments:
        return name
    quoted = [f'"{each}"' if re.search(r"[()+,]", each) else each for each in arguments]
    return f"{name}({', '.join(quoted)})"


def _split(text: str, part: str, separator: str) -> list[str]:
    """The pieces between separators that are neither in parentheses nor in quotes."""
    pieces, depth, is_quoted = [""], 0, False
    for char in part:
        if char == '"':
            is_quoted = not is_quoted
        elif not is_quoted:
            depth += (char == "(") - (char == ")")
            if depth < 0 or depth > 1:
                raise _wrong(text, "has parentheses that do not match")
        if char == separator and depth == 0 and not is_quoted:
            pieces.append("")
        else:
            pieces[-1] += char
    if depth or is_quoted:
        raise _wrong(text, "has an open parenthesis or quote")
    return pieces


def _term(text: str, part: str) -> tuple[str, tuple[str, ...] | None]:
    """Name and arguments of a term; None without parentheses."""
    match = _TERM.fullmatch(part)
    if match is None:
        term = f"{shown(part.strip())}" if part.strip() else "an empty term"
        raise _wrong(text, f"has {term}; expected terms such as normal or scale(C), joined by +")
    name, inside = match.groups()
    if inside is None:
        return name, None
    arguments = tuple(_unquoted(each) for each in _split(text, inside, ","))
    if not all(arguments):
        raise _wrong(text, f"has {name}() with an empty argument; expected names between commas")
    return name, arguments


def _unquoted(argument: str) -> str:
    argument = argument.strip()
    if len(argument) >= 2 and argument[0] == argument[-1] == '"':
        return argument[1:-1]
    return argument


def _family_settings(text: str, name: str, arguments: tuple[str, ...] | None) -> dict[str, Any]:
    if arguments is None:
        return {}
    if name != "student":
        raise _wrong(text, f"gives {name} an argument; only student takes one")
    nu = plain_number(arguments[0])
    if len(arguments) == 1 and (nu is not None or arguments[0] == FREE):
        return {"nu": FREE if nu is None else nu}
    raise _wrong(text, "gives student another argument than its degrees of freedom or 'free'")


def _setting(text: str, name: str, arguments: tuple[str, ...] | None) -> Any:
    """The value of the field that a term sets."""
    settings: dict[str, Callable[[], Any]] = {
        **dict.fromkeys(_FLAGS, lambda: _no_arguments(text, name, arguments)),
        "scale": lambda: _some_columns(text, name, arguments),
        "scale-by": lambda: _one_column(text, name, arguments),
        "effects": lambda: arguments or (),
        "discrepancy": lambda: arguments or (),
    }
    return settings[name]()


def _no_arguments(text: str, name: str, arguments: tuple[str, ...] | None) -> bool:
    if arguments is not None:
        raise _wrong(text, f"gives {name} an argument; it takes none")
    return True


def _some_columns(text: str, name: str, arguments: tuple[str, ...] | None) -> tuple[str, ...]:
    if arguments is None:
        raise _wrong(text, f"has {name} without columns; expected {name}(C) or {name}(C, D/N)")
    return arguments


def _one_column(text: str, name: str, arguments: tuple[str, ...] | None) -> str:
    if arguments is None or len(arguments) != 1:
        raise _wrong(text, f"has {name} without one column; expected {name}(group)")
    return arguments[0]


def _wrong(text: str, problem: str) -> JscaleError:
    return JscaleError(f": {shown(text)} {problem}", argument="errors")
