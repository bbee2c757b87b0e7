"""What may stand in a log: never a password, a token or a code, and nothing that a person wrote.

Three walls, so that no single mistake is enough. Values whose name says what they are, are hidden. In every text what
looks like a token, an address or a secret is hidden, too. And an exception of somebody else's code keeps its type and
its frames but not its words: `could not parse 'hunter2'` is how most secrets reach logs.
"""

import re
import traceback
from collections.abc import Iterator, MutableMapping
from itertools import islice
from typing import Any

import asyncpg

__all__ = ["hidden", "hide_secrets", "safe_traceback"]

HIDDEN = "***"

SECRET_NAMES = re.compile(
    r"password|passphrase|secret|token|authorization|cookie|credential|api_?key|master_?key|otp|totp|recovery|csrf|"
    r"e_?mail$|phone|^code$|^body$|^headers$|^address$",
    re.IGNORECASE,
)
HARMLESS_NAMES = frozenset({"mail", "mail_from", "token_kind"})

SECRET_TEXTS = (
    (re.compile(r"eyJ[\w-]{6,}\.[\w-]+(\.[\w-]*)?"), HIDDEN),
    (re.compile(r"\b(bearer|basic)\s+[^\s,;]+", re.IGNORECASE), rf"\1 {HIDDEN}"),
    (re.compile(r"://[^/\s@]+@"), f"://{HIDDEN}@"),
    (re.compile(r"\bsk-[\w-]{8,}"), HIDDEN),
    # Every token of ours is 256 bits in base64.
    (re.compile(r"(?<![\w-])[\w-]{43}(?![\w-])"), HIDDEN),
    (re.compile(r"[^\s@<>\"'(=]+@[^\s@<>\"')]+\.\w+"), HIDDEN),
    (
        re.compile(
            r"(?<![a-z])(password|secret|token|code|api_?key)(['\"]?\s*[=:]\s*)['\"]?[^\s'\",}]+", re.IGNORECASE
        ),
        rf"\1\2{HIDDEN}",
    ),
    # Postgres repeats the row there.
    (re.compile(r"(DETAIL|CONTEXT|PARAMETERS):.*", re.DOTALL), rf"\1: {HIDDEN}"),
)

ABOUT_CODE = (AttributeError, ImportError, NameError, TypeError)
"""Exceptions whose words name what the code calls, and no value that went through it."""

TEXT_CHARACTERS_MAX = 8_000
DEPTH_MAX = 4
ITEMS_MAX = 100
CHAIN_MAX = 10
FRAMES_MAX = 60

ExceptionInfo = tuple[type[BaseException], BaseException, Any]


def hide_secrets(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Hide what is secret in a line, as a processor of structlog; `exception` has been made safe before."""
    return {name: value if name == "exception" else _hidden_value(name, value, 0) for name, value in event.items()}


def hidden(text: str) -> str:
    """Hide what looks secret in a text.

    >>> hidden("smtp://me:hunter2@mail refused mara@example.com, Authorization: Bearer abc")
    'smtp://***@mail refused ***, Authorization: Bearer ***'
    """
    text = text[:TEXT_CHARACTERS_MAX]
    for pattern, instead in SECRET_TEXTS:
        text = pattern.sub(instead, text)
    return text


def safe_traceback(exc_info: ExceptionInfo) -> str:
    """Give frames, types and causes of an exception, and words only where they are about code."""
    return "\n".join(_lines(exc_info[1], 0))


def _hidden_value(name: str, value: Any, depth: int) -> Any:
    if value is not None and SECRET_NAMES.search(name) and name not in HARMLESS_NAMES and not isinstance(value, bool):
        return HIDDEN
    if isinstance(value, str):
        return hidden(value)
    if isinstance(value, bytes):
        return f"<{len(value)} bytes>"
    if isinstance(value, BaseException):
        return _words(value)
    if isinstance(value, int | float | bool | None):
        return value
    if depth >= DEPTH_MAX:
        return HIDDEN
    if isinstance(value, dict):
        return {key: _hidden_value(str(key), inner, depth + 1) for key, inner in islice(value.items(), ITEMS_MAX)}
    if isinstance(value, list | tuple | set | frozenset):
        return [_hidden_value(name, inner, depth + 1) for inner in islice(value, ITEMS_MAX)]
    return hidden(str(value))


def _lines(error: BaseException, depth: int) -> Iterator[str]:
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None and depth < CHAIN_MAX:
        yield from _lines(cause, depth + 1)
        yield "then:"
    frames = traceback.extract_tb(error.__traceback__)[-FRAMES_MAX:]
    yield from (line.rstrip("\n") for line in traceback.format_list(frames))
    yield _words(error)
    if isinstance(error, BaseExceptionGroup) and depth < CHAIN_MAX:
        for number, inner in enumerate(error.exceptions[:ITEMS_MAX]):
            yield f"of these, number {number}:"
            yield from _lines(inner, depth + 1)


def _words(error: BaseException) -> str:
    kind = type(error)
    name = f"{kind.__module__}.{kind.__qualname__}".removeprefix("builtins.")
    if kind.__module__.startswith(("apex_server", "apex_sync")) or isinstance(error, ABOUT_CODE):
        return f"{name}: {hidden(str(error))}"
    if isinstance(error, asyncpg.PostgresError):
        return f"{name}: {error.sqlstate} {getattr(error, 'constraint_name', None) or ''}".rstrip()
    if isinstance(error, OSError):
        return f"{name}: {error.errno} {error.strerror or ''}".rstrip()
    return name
