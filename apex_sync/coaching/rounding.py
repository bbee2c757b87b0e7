"""How many decimals a figure has where it is shown; what is stored and computed with stays exact."""

SHOWN_DECIMALS = 3
"""Grams, and a thousandth of a per cent: sums of pounds in kilograms have noise behind that."""


def as_shown(figure: float) -> float:
    """Give a figure as it is shown.

    >>> as_shown(5 * 102.058283 + 8 * 100)
    1310.291
    """
    return round(figure, SHOWN_DECIMALS)
