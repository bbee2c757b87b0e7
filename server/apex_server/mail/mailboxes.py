"""Which addresses end in one mailbox, as far as they show it: letters are bounded by it, and nobody is known by it."""

from apex_sync.addresses import email_key

__all__ = ["mailbox_key"]


DOTLESS_DOMAIN_BY_DOMAIN = {"gmail.com": "gmail.com", "googlemail.com": "gmail.com"}
"""The posts that are known to skip dots, and the one of their domains that stands for all."""


def mailbox_key(address: str) -> str:
    """Give the key of an address without its tag (RFC 5233), which most posts put into the mailbox before it.

    Nor has it the dots that its post skips. Where a post tells such addresses apart, they share a bound, and no more.

    >>> mailbox_key("Anna+Gym@example.com"), mailbox_key("+1@example.com"), mailbox_key("an.na+x@googlemail.com")
    ('anna@example.com', '+1@example.com', 'anna@gmail.com')
    """
    local, at, domain = email_key(address).rpartition("@")
    mailbox = local.partition("+")[0] or local
    if domain in DOTLESS_DOMAIN_BY_DOMAIN:
        mailbox, domain = mailbox.replace(".", "") or mailbox, DOTLESS_DOMAIN_BY_DOMAIN[domain]
    return f"{mailbox}{at}{domain}"
