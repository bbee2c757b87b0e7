"""Phone numbers fit to send a code to: one spelling each, and none that costs its caller extra."""

import phonenumbers
from phonenumbers import PhoneNumberFormat, PhoneNumberType

from apex_server.errors import InvalidFields

__all__ = ["NUMBER_LENGTH_MAX", "hint_of", "normalise_number"]

NUMBER_LENGTH_MAX = 32
"""Characters as typed. E.164 has 16 at most; the rest is room for blanks and brackets."""

_COSTLY = frozenset({PhoneNumberType.PREMIUM_RATE, PhoneNumberType.SHARED_COST, PhoneNumberType.UAN})
"""Numbers whose owner is paid for every message: the usual way to turn a form like this into money."""


def normalise_number(typed: str, *, field: str = "number") -> str:
    """Give a number with its country in the one spelling of E.164.

    >>> normalise_number("+44 7400 123456")
    '+447400123456'

    Raises InvalidFields.
    """
    try:
        number = phonenumbers.parse(typed[:NUMBER_LENGTH_MAX])
    except phonenumbers.NumberParseException:
        number = None
    if number is None or not phonenumbers.is_valid_number(number) or number.extension:
        raise InvalidFields.one(field, "Expected a phone number with its country, such as +44 7400 123456")
    if phonenumbers.number_type(number) in _COSTLY:
        raise InvalidFields.one(field, "Expected an ordinary phone number, not one that costs extra")
    return str(phonenumbers.format_number(number, PhoneNumberFormat.E164))


def hint_of(number: str) -> str:
    """Give what tells somebody which of their phones is meant, and nobody else the number.

    >>> hint_of("+447400123456")
    '…56'
    """
    return f"…{number[-2:]}"
