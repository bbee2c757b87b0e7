"""Versions: an ETag is the record's vector, the next clock of each client that wrote to it.

So a version says not only that something changed but what its reader had seen, and a write that builds on an old one
can be judged as concurrent with what came since.
"""

import base64
import binascii
from hashlib import blake2b

import msgspec

from apex_server.errors import InvalidFields
from apex_server.resources.errors import VersionRequired
from apex_sync.op import Vector, flat_vector

__all__ = ["etag_of", "is_named", "no_version", "read_etag", "version_named", "version_required"]

ETAG_LENGTH_MAX = 16_384
"""A thousand clients; no record has a hundred."""

BODY_DIGEST_BYTES = 6
"""Two bodies of one version are told apart but once in 10^14."""

_decoder = msgspec.msgpack.Decoder(list[int])


def etag_of(version: Vector, body: bytes = b"") -> str:
    """Write a version as an ETag, quotes included; with the body that was sent, it stands for that body alone.

    What is derived (a personal record) may change while the record does not, and then the body is another.

    >>> etag_of({7: 1})
    '"kgcB"'
    >>> etag_of({7: 1}, b"{}")
    '"kgcB.b4b8bf78e9ad"'
    """
    text = base64.urlsafe_b64encode(msgspec.msgpack.encode(flat_vector(version))).decode().rstrip("=")
    return f'"{text}.{blake2b(body, digest_size=BODY_DIGEST_BYTES).hexdigest()}"' if body else f'"{text}"'


def read_etag(etag: str, field: str = "If-Match") -> dict[int, int]:
    """Read what `etag_of` wrote. Raises InvalidFields.

    >>> read_etag('"kgcB"')
    {7: 1}
    """
    text = etag.strip().removeprefix("W/").strip('"').partition(".")[0]
    try:
        flat = _decoder.decode(base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, msgspec.DecodeError) as error:
        raise no_version(field) from error
    if len(etag) > ETAG_LENGTH_MAX or len(flat) % 2 or any(number < 0 for number in flat):
        raise no_version(field)
    return dict(zip(flat[::2], flat[1::2], strict=True))


def no_version(field: str = "If-Match") -> InvalidFields:
    """Give the refusal of what names no version."""
    return InvalidFields.one(field, "Expected the ETag of an answer with this record, as it came, or `*`")


def version_named(if_match: str | None) -> dict[int, int] | None:
    """Give the version that If-Match names; None for none, or for `*`. Raises InvalidFields."""
    return None if if_match is None or if_match.strip() == "*" else read_etag(if_match)


def version_required(if_match: str | None) -> dict[int, int] | None:
    """Give the version that If-Match names, None for `*`. Raises VersionRequired, InvalidFields."""
    if if_match is None:
        raise VersionRequired
    return version_named(if_match)


def is_named(if_none_match: str | None, etag: str) -> bool:
    """Tell whether If-None-Match names this ETag, so that the caller has the body already."""
    named = [] if if_none_match is None else if_none_match[:ETAG_LENGTH_MAX].split(",")
    return any(one.strip().removeprefix("W/") == etag for one in named)
