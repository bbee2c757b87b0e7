"""Which passwords a guesser tries first: the commonest of those that became public, and what is known of the person.

The list is the 30,000 most frequent passwords of public breaches, as `zxcvbn` ships it; about 12,000 of them are long
enough to be taken otherwise (OWASP ASVS 5.0, 6.2.4, asks for the first 3,000). A digit or two behind one of them, other
case and blanks do not make another password of it. Whatever else somebody likes is theirs to choose: there are no rules
about digits and signs (6.2.5).
"""

import re
from functools import cache
from itertools import pairwise

from zxcvbn.frequency_lists import FREQUENCY_LISTS

__all__ = ["guessable_because"]

_CONTEXT_LENGTH_MIN = 4
"""Characters. Shorter names stand in ordinary words."""
_DIFFERENT_MIN = 3
"""Characters that differ; `aaaaaaaa` and `abababab` are not passwords."""
_RUNS = ("0123456789", "abcdefghijklmnopqrstuvwxyz", "qwertyuiopasdfghjklzxcvbnm", "qwertzuiopasdfghjklyxcvbnm")
_RUN_SHARE = 0.8
_CONTEXT_SHARE = 0.5
"""How much of a password may be made of a name, an address or a run."""


def guessable_because(password: str, *, known: tuple[str, ...] = ()) -> str | None:
    """Say why a password is guessed soon, or None.

    `known` is what anybody knows of the person: name, address.

    >>> guessable_because("Password1")
    'It is one of the passwords that are tried first'
    >>> guessable_because("annasmith1990", known=("Anna Smith",))
    'It is made of your name or your address'
    >>> guessable_because("kettle under the orange bridge", known=("Anna Smith",)) is None
    True
    """
    plain = re.sub(r"\s", "", password).casefold()
    if plain in _common() or plain.rstrip("0123456789!.?") in _common():
        return "It is one of the passwords that are tried first"
    if len(set(plain)) < _DIFFERENT_MIN or _made_of_runs(plain):
        return "It is a pattern that is tried first"
    if any(_length_in(plain, part) > _CONTEXT_SHARE * len(plain) for part in _parts(known)):
        return "It is made of your name or your address"
    return None


@cache
def _common() -> frozenset[str]:
    return frozenset(FREQUENCY_LISTS["passwords"])


def _parts(known: tuple[str, ...]) -> set[str]:
    """Words of a name, a name run together, the front of an address and its domain."""
    whole = {re.sub(r"\s", "", text).casefold() for text in known}
    words = {word for text in known for word in re.split(r"[\s@._+-]+", text.casefold())}
    fronts = {text.partition("@")[0] for text in whole}
    return {part for part in whole | words | fronts if len(part) >= _CONTEXT_LENGTH_MIN}


def _length_in(password: str, part: str) -> int:
    return password.count(part) * len(part)


def _made_of_runs(password: str) -> bool:
    """Tell whether nearly every character is the neighbour of the one before it on some keyboard or alphabet."""
    steps = list(pairwise(password))
    near = sum(any(first + second in run or second + first in run for run in _RUNS) for first, second in steps)
    same = sum(first == second for first, second in steps)
    return near + same >= _RUN_SHARE * max(1, len(steps))
