"""Order keys: text that sorts, with room between any two, so that an entry can be put anywhere by one leaf.

A key is a fraction in base 36, written without its "0."; it never ends in the zero digit, because nothing would sort
between "1" and "10". Adding at an end counts in a number that gets wider as it runs out (2, 4, 8 … digits after one,
two, three `z`, or zeros before the beginning), so keys stay short: 6 characters after a million additions. Two devices
that insert at the same place may make the same key; readers then order by entry id.

Source: fractional indexing (Greenspan 2017), with the width of a key told by its leading digits.
"""

DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
BASE = len(DIGITS)
MARKS_MAX = 4
"""16 digits count further than anyone adds; made-up keys must not ask for more."""


def order_between(before: str | None, after: str | None) -> str:
    """Give a key that sorts after `before` and before `after`; None means the very beginning or end.

    >>> order_between(None, None)
    'i'
    >>> "i" < order_between("i", "j") < "j"
    True

    Raises ValueError when there is no key between them: they are equal (two devices made the same), in the wrong order,
    or not order keys. Then give all entries new ones (`order_keys`).
    """
    _check(before, after)
    if before and after:
        return _midpoint(before, after)
    if before:
        return _after(before)
    return _before(after) if after else DIGITS[BASE // 2]


def order_keys(count: int) -> list[str]:
    """Give `count` short ascending keys for entries that are written at once.

    >>> order_keys(3)
    ['1', '2', '3']
    """
    width = 1
    while BASE**width - BASE ** (width - 1) < count:
        width += 1
    keys: list[str] = []
    number = 0
    while len(keys) < count:
        number += 1
        if number % BASE:
            keys.append(_digits(number, width))
    return keys


def _check(before: str | None, after: str | None) -> None:
    for key in (before, after):
        if key is not None and (not key or key.endswith("0") or key.strip(DIGITS)):
            raise ValueError(f"not an order key: {key!r}")
    if before is not None and after is not None and before >= after:
        raise ValueError(f"no key sorts after {before!r} and before {after!r}")


def _after(key: str) -> str:
    """Count up: behind the `z` that tell its width, the number of a key is raised by one."""
    marks, width = _width(key, "z")
    number = int(key[marks : marks + width].ljust(width, "0"), BASE) + 1
    if number == BASE**width:
        return key + "1"
    digits = _digits(number, width)
    if digits[0] == "z" and marks < MARKS_MAX:
        marks += 1
        digits = _digits(1, 2**marks)
    return "z" * marks + digits.rstrip("0")


def _before(key: str) -> str:
    """Count down: behind the zeros that tell its width, the number of a key is lowered, if nothing shorter will do."""
    marks, width = _width(key, "0")
    digits = key[marks : marks + width]
    if digits[0] != "0" and len(key) <= marks + width:
        digits = _digits(int(digits.ljust(width, "0"), BASE) - 1, width)
    if digits[0] == "0":
        if marks == MARKS_MAX:
            return _midpoint("", key)
        marks += 1
        digits = "z" * 2**marks
    return "0" * marks + digits.rstrip("0")


def _width(key: str, mark: str) -> tuple[int, int]:
    """Count the marks that a key begins with, and the digits of the number behind them."""
    marks = min(len(key) - len(key.lstrip(mark)), MARKS_MAX)
    return marks, 2**marks


def _digits(number: int, width: int) -> str:
    text = ""
    for _ in range(width):
        number, digit = divmod(number, BASE)
        text = DIGITS[digit] + text
    return text


def _midpoint(low: str, high: str) -> str:
    place, prefix, bounded = 0, "", True
    while True:
        low_digit = DIGITS.index(low[place]) if place < len(low) else 0
        high_digit = DIGITS.index(high[place]) if bounded else BASE
        if high_digit - low_digit > 1:
            return prefix + DIGITS[(low_digit + high_digit) // 2]
        prefix += DIGITS[low_digit]
        bounded = bounded and high_digit == low_digit
        place += 1
