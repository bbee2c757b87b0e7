"""Media: what may be handed in, and how it is told by its first bytes. Device and server go by the same table."""

from collections.abc import Callable, Mapping
from typing import Literal

__all__ = [
    "CONTENT_TYPES", "HEAD_BYTES", "SEALED_HEAD", "SIZE_MAX", "ContentType", "Kind", "is_picture", "looks_like",
    "type_of",
]  # fmt: skip

Kind = Literal["photo", "image", "voice", "video", "file", "sealed"]
"""What it is for: a progress photo; a picture, recording, film or document of a message; any of these, encrypted on the
device that sends it: nobody else can tell what it is, so nobody looks at it or draws it smaller."""

ContentType = Literal[
    "image/jpeg", "image/png", "image/webp", "image/heic",
    "audio/mp4", "audio/mpeg", "audio/ogg", "audio/wav", "audio/webm",
    "video/mp4", "video/quicktime", "video/webm",
    "application/pdf",
    "application/octet-stream",
]  # fmt: skip

SEALED_HEAD = b"apex-sync sealed 1\n"
"""What a file begins with that was encrypted on a device."""

MIB = 1024 * 1024
SIZE_MAX: Mapping[Kind, int] = {
    "photo": 40 * MIB,  # The largest JPEG or HEIC that a telephone makes, twice over; it is in memory while looked at.
    "image": 40 * MIB,
    "voice": 40 * MIB,  # An hour as telephones record speech.
    "video": 512 * MIB,  # A set filmed in 4K, of five minutes.
    "file": 40 * MIB,
    "sealed": 513 * MIB,  # The longest film with its seals.
}
"""What one may weigh; the limits of a tier say how much there may be altogether."""

HEAD_BYTES = 64
"""Enough to tell every format."""

_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"mif1", b"msf1")


def _begins(*magic: bytes) -> Callable[[bytes], bool]:
    return lambda head: head.startswith(magic)


def _riff(form: bytes) -> Callable[[bytes], bool]:
    return lambda head: head[:4] == b"RIFF" and head[8:12] == form


def _is_heif(head: bytes) -> bool:
    return head[4:8] == b"ftyp" and head[8:12] in _HEIF_BRANDS


def _is_mp4(head: bytes) -> bool:
    return head[4:8] == b"ftyp" and head[8:12] not in _HEIF_BRANDS


def _is_mpeg_audio(head: bytes) -> bool:
    return head.startswith(b"ID3") or (head[:1] == b"\xff" and head[1:2] >= b"\xe0")


_LOOKS: Mapping[ContentType, Callable[[bytes], bool]] = {
    "image/jpeg": _begins(b"\xff\xd8\xff"),
    "image/png": _begins(b"\x89PNG\r\n\x1a\n"),
    "image/webp": _riff(b"WEBP"),
    "image/heic": _is_heif,
    "audio/mp4": _is_mp4,
    "audio/mpeg": _is_mpeg_audio,
    "audio/ogg": _begins(b"OggS"),
    "audio/wav": _riff(b"WAVE"),
    "audio/webm": _begins(b"\x1aE\xdf\xa3"),
    "video/mp4": _is_mp4,
    "video/quicktime": _is_mp4,
    "video/webm": _begins(b"\x1aE\xdf\xa3"),
    "application/pdf": _begins(b"%PDF-"),
    "application/octet-stream": _begins(SEALED_HEAD),
}

CONTENT_TYPES: Mapping[Kind, tuple[ContentType, ...]] = {
    "photo": ("image/jpeg", "image/png", "image/webp", "image/heic"),
    "image": ("image/jpeg", "image/png", "image/webp", "image/heic"),
    "voice": ("audio/mp4", "audio/mpeg", "audio/ogg", "audio/wav", "audio/webm"),
    "video": ("video/mp4", "video/quicktime", "video/webm"),
    "file": ("application/pdf",),
    "sealed": ("application/octet-stream",),
}
"""What each kind may be."""


def looks_like(head: bytes, content_type: ContentType) -> bool:
    """Tell whether the first HEAD_BYTES are those of such a file.

    >>> looks_like(b"%PDF-1.7", "application/pdf"), looks_like(b"PK...", "image/png")
    (True, False)
    """
    return _LOOKS[content_type](head)


def type_of(head: bytes, kind: Kind) -> ContentType | None:
    r"""Give what a file is by its first HEAD_BYTES; None for what its kind may not be.

    >>> type_of(b"\x89PNG\r\n\x1a\n", "photo"), type_of(b"\x89PNG\r\n\x1a\n", "voice")
    ('image/png', None)
    """
    return next((each for each in CONTENT_TYPES[kind] if looks_like(head, each)), None)


def is_picture(kind: Kind) -> bool:
    """Tell whether it is drawn anew and has a thumbnail."""
    return kind in ("photo", "image")
