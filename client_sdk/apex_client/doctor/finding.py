"""What a look at a replica found."""

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

__all__ = ["START_ANEW", "Finding", "counted", "some_of"]

NAMED_MAX = 5
"""How many of a kind are named; the rest is counted."""

START_ANEW = (
    "keep a copy of the file; apex doctor --export FILE.zip gets out what can be read, and a new replica "
    "(another --db) fetches everything the server has"
)


class Finding(Struct, frozen=True):
    """What one look found; `advice` is what to do about it, empty where there is nothing to do.

    `note` is worth knowing, `hand` needs a person's decision or act, `wrong` is what must never be.
    """

    look: str
    state: Literal["good", "note", "hand", "wrong"]
    words: str
    advice: str = ""


def counted(number: int, noun: str) -> str:
    """Write a number with its noun.

    >>> counted(1, "edit"), counted(1200, "edit")
    ('1 edit', '1,200 edits')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def some_of(problems: Sequence[str]) -> str:
    """Name the first few.

    >>> some_of(["a", "b"]), some_of(list("abcdefg"))
    ('a; b', 'a; b; c; d; e; and 2 more')
    """
    more = len(problems) - NAMED_MAX
    return "; ".join(problems[:NAMED_MAX]) + (f"; and {more} more" if more > 0 else "")
