"""Which addresses end in one mailbox, as far as they show it: letters are bounded by it, and nobody is known by it."""

from apex_sync.addresses import email_key

__all__ = ["mailbox_key"]


def mailbox_key(address: str) -> str:
    """Give the key of an address without its tag (RFC 5233), which most posts put into the mailbox before it.

    Where a post tells the two apart, they share a bound, and no more.

    >>> mailbox_key("Anna+Gym@example.com"), mailbox_key("+1@example.com")
    ('anna@example.com', '+1@example.com')
    """
    local, at, domain = email_key(address).rpartition("@")
    return f"{local.partition('+')[0] or local}{at}{domain}"
