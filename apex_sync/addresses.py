"""E-mail addresses, made fit to compare: server and devices have to agree on which two spellings are one."""

import unicodedata

__all__ = ["email_key"]


def email_key(typed: str) -> str:
    r"""Give the form in which two spellings of one address are equal.

    Full-width and other compatibility forms of a letter are the letter itself; an address is never merged with one
    that merely looks alike in another script.

    >>> email_key(" Anna@Example.COM ") == email_key("anna@example\uff0ecom")
    True
    """
    key = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", typed).strip().lower())
    return key.replace("\0", "\ufffd")  # Postgres takes no NUL, and no address has one.
