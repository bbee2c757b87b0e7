"""What people type about themselves, made fit to store and to compare: addresses, names; how long passwords are."""

import re
import unicodedata

from apex_server.errors import InvalidFields
from apex_sync.addresses import email_key

__all__ = [
    "DEVICE_NAME",
    "ORGANISATION_NAME",
    "PASSKEY_NAME",
    "PASSWORD_LENGTH_ADVISED",
    "PASSWORD_LENGTH_MAX",
    "PASSWORD_LENGTH_MIN",
    "PHONE_NUMBER",
    "TOTP_SEED",
    "USER_EMAIL",
    "USER_NAME",
    "clean_name",
    "normalise_email",
]

USER_NAME = "users.name"
USER_EMAIL = "users.email"
DEVICE_NAME = "devices.name"
PASSKEY_NAME = "passkeys.name"
PHONE_NUMBER = "phones.number"
TOTP_SEED = "totp.seed"
ORGANISATION_NAME = "organisations.name"
"""The places that names, addresses, numbers and seeds are sealed for."""

PASSWORD_LENGTH_MIN = 8
PASSWORD_LENGTH_ADVISED = 15
"""Characters; OWASP ASVS 5.0 asks for the first and recommends the second."""

PASSWORD_LENGTH_MAX = 1000
"""Characters. Room for any passphrase, and no free work for us."""

_EMAIL = re.compile(r"[^\s@]{1,64}@[^\s@.]+(\.[^\s@.]+)+")
_UNPRINTABLE = frozenset({"Cc", "Cs", "Cn", "Zl", "Zp"})


def normalise_email(typed: str, *, field: str = "email") -> str:
    """Give the key of an address that could exist: the one rule for addresses that are newly given, at every door.

    A host without a dot is a typing error far more often than a machine of an intranet, and its person would wait for a
    mail for ever; whoever runs an intranet has names such as `gym.internal`. Whether the address exists, only a mail to
    it can tell. Raises InvalidFields.
    """
    key = email_key(typed)
    if not _EMAIL.fullmatch(key) or _unprintable(typed.strip()):
        raise InvalidFields.one(field, "Expected an e-mail address such as anna@example.com, with a dot behind its @")
    return key


def clean_name(typed: str, *, field: str) -> str:
    """Give a name on one line, without blanks around it.

    Raises InvalidFields when nothing is left, or there is something in it that cannot be shown.
    """
    name = unicodedata.normalize("NFC", typed).strip()
    if not name or _unprintable(name):
        raise InvalidFields.one(field, "Expected a name that can be shown on one line")
    return name


def _unprintable(text: str) -> bool:
    return any(unicodedata.category(character) in _UNPRINTABLE for character in text)
