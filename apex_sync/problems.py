"""Finds everything that is wrong with a value of a model; msgspec alone names the first thing, and no keys of maps.

Fields that the model does not have are passed over: they are a newer app's, and no problem.
"""

import types
from collections.abc import Iterator
from functools import lru_cache
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Struct

from apex_sync.errors import FieldProblem

PROBLEMS_MAX = 100
"""A record with more is broken as a whole; nobody reads on."""


def find_problems(value: Any, model: type[Struct], limit: int = PROBLEMS_MAX) -> list[FieldProblem]:
    """List what keeps a value from being one of a model, by dotted path: `sets.k3f9.reps`, `goals[2]`.

    Nothing is looked at beyond the first `limit` problems: a value that is wrong everywhere costs no more than others.
    """
    problems: list[FieldProblem] = []
    _examine(value, model, "", problems, limit)
    return problems


_words_by_pattern: dict[str, str] = {}


def patterned(pattern: str, words: str) -> str:
    """Give a pattern for `Meta`, and remember what it asks for in words: people are shown those."""
    _words_by_pattern[repr(pattern)] = words
    return pattern


def in_words(message: str) -> str:
    """Word what msgspec says of a value; nobody is shown a regular expression.

    >>> in_words(f"Expected `str` matching regex {patterned('^[0-9]{4}$', 'a year')!r}")
    'Expected a year'
    """
    _, found, pattern = message.partition("matching regex ")
    return f"Expected {_words_by_pattern.get(pattern, 'text of another form')}" if found else message


def problem_of(error: msgspec.ValidationError) -> FieldProblem:
    """Split what msgspec says of a value into the path and the message."""
    message, _, path = str(error).partition(" - at `")
    if path.startswith("key` in `"):
        message, path = f"a key of it: {message}", path.removeprefix("key` in `")
    return FieldProblem(path.rstrip("`").removeprefix("$").removeprefix("."), in_words(message))


def choices_of(annotation: Any) -> list[str]:
    """List the words that a type lets one choose from.

    >>> choices_of(Literal["kg", "lb"] | None)
    ['kg', 'lb']
    """
    if get_origin(annotation) is Literal:
        return [word for word in get_args(annotation) if isinstance(word, str)]
    return [word for part in get_args(annotation) for word in choices_of(part)]


def _examine(value: Any, annotation: Any, path: str, problems: list[FieldProblem], limit: int) -> Any:
    """Collect the problems of a value and all within it, and give it back without unknown fields."""
    if len(problems) >= limit:
        return value
    problem = _problem(value, annotation)
    if problem is None:
        return value
    arm = _arm(annotation, type(value))
    if arm is not None:
        found = len(problems)
        known = [
            (key, _examine(part, hint, where, problems, limit)) for key, part, hint, where in _parts(value, arm, path)
        ]
        value = dict(known) if isinstance(value, dict) else [part for _, part in known]
        # What is wrong with a part is no second problem of the whole.
        problem = _problem(value, annotation) if len(problems) == found else None
    if problem is not None:
        inner_path, message = problem
        problems.append(FieldProblem(".".join(filter(None, (path, inner_path))), message))
    return value


def _problem(value: Any, annotation: Any) -> FieldProblem | None:
    try:
        msgspec.convert(value, annotation)
    except msgspec.ValidationError as error:
        path, message = problem_of(error)
        choices = choices_of(annotation) if message.startswith("Invalid enum value") and not path else []
        return FieldProblem(path, f"Expected one of {', '.join(choices)}" if choices else message)
    return None


def _parts(value: Any, arm: Any, path: str) -> Iterator[tuple[Any, Any, Any, str]]:
    """Take a map or list apart: key, value, type and path of each part that the type knows."""
    prefix = f"{path}." if path else ""
    if isinstance(value, list):
        item_hint = get_args(arm)[0]
        yield from ((place, item, item_hint, f"{path}[{place}]") for place, item in enumerate(value))
    elif get_origin(arm) is dict:
        value_hint = get_args(arm)[1]
        yield from ((key, inner, value_hint, f"{prefix}{key}") for key, inner in value.items())
    else:
        hints = _hints(arm)
        yield from ((key, inner, hints[key], f"{prefix}{key}") for key, inner in value.items() if key in hints)


def _arm(annotation: Any, kind: type) -> Any:
    """Find what of a type describes a map or a list: a model, `dict[...]`, `list[...]`; None where nothing does."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return _arm(get_args(annotation)[0], kind)
    if origin in (Union, types.UnionType):
        return next((arm for part in get_args(annotation) if (arm := _arm(part, kind)) is not None), None)
    if kind is dict and isinstance(annotation, type) and issubclass(annotation, Struct):
        return annotation
    return annotation if origin is kind and kind in (dict, list) else None


@lru_cache(maxsize=256)
def _hints(model: type[Struct]) -> dict[str, Any]:
    return get_type_hints(model, include_extras=True)
