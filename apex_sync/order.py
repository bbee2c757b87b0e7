"""Order keys: text that sorts, with room between any two, so that an entry can be put anywhere by one leaf.

Two devices that insert at the same place may make the same key; readers then order by entry id.
Source: fractional indexing (Greenspan 2017), over the digits 0-9a-z.
"""

DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
BASE = len(DIGITS)


def order_between(before: str | None, after: str | None) -> str:
    """Give a key that sorts after `before` and before `after`; None means the very beginning or end.

    >>> order_between(None, None)
    'i'
    >>> "i" < order_between("i", "j") < "j"
    True

    Raises ValueError when `before` does not sort before `after`.
    """
    low, high = before or "", after
    if high is not None and low >= high:
        raise ValueError(f"no key sorts after {low!r} and before {high!r}")
    if high is None and low:
        return _next_after(low)
    return _midpoint(low, high)


def order_keys(count: int) -> list[str]:
    """Give `count` short ascending keys for entries that are written at once.

    >>> order_keys(3)
    ['1', '2', '3']
    """
    width = 1
    while BASE**width - BASE ** (width - 1) <= count:
        width += 1
    # A key never ends in zero: nothing would sort between "1" and "10".
    keys: list[str] = []
    number = 0
    while len(keys) < count:
        number += 1
        if number % BASE:
            keys.append(_digits(number, width))
    return keys


def _digits(number: int, width: int) -> str:
    text = ""
    for _ in range(width):
        number, digit = divmod(number, BASE)
        text = DIGITS[digit] + text
    return text


def _next_after(low: str) -> str:
    """Append cheaply: raise the first digit that can be raised, so a growing list keeps short keys."""
    for place, digit in enumerate(low):
        if digit < "z":
            head = low[:place] + DIGITS[DIGITS.index(digit) + 1]
            if head > low:
                return head
    return low + "1"


def _midpoint(low: str, high: str | None) -> str:
    place, prefix = 0, ""
    while True:
        low_digit = DIGITS.index(low[place]) if place < len(low) else 0
        high_digit = DIGITS.index(high[place]) if high is not None and place < len(high) else BASE
        if high_digit - low_digit > 1:
            return prefix + DIGITS[(low_digit + high_digit) // 2]
        prefix += DIGITS[low_digit]
        if high_digit > low_digit:
            high = None
        place += 1
