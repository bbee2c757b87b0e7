"""Bodies of sync requests and answers: zstd when they are worth it, and never more memory than the bound.

What is read is bounded twice, as it arrives and as it unfolds: 4 kB of zstd can hold 100 MB.
"""

import io
from collections.abc import AsyncIterator

import anyio.to_thread
import zstandard

from apex_server.errors import BodyTooLarge, UnsupportedMediaType
from apex_server.sync.errors import NotZstd
from apex_sync.protocol.messages import REQUEST_BYTES_MAX
from apex_sync.protocol.zstd_frame import is_one_frame

__all__ = ["ENCODING", "packed", "read_body"]

ENCODING = "zstd"
UNPACKED_BYTES_MAX = 512
"""Shorter answers are sent as they are; zstd would save nothing."""

WINDOW_BYTES_MAX = 8 * 1024 * 1024
"""What a compressor at any usual level asks for; it bounds what a hostile frame can make us allocate."""

INLINE_BYTES_MAX = 64 * 1024
"""A body of this size is unpacked in well under a millisecond; larger ones go to a thread."""

LEVEL = 3


async def read_body(chunks: AsyncIterator[bytes], encoding: str) -> bytes:
    """Read a body to its end and unpack it.

    Raises BodyTooLarge when it is or unfolds to more than REQUEST_BYTES_MAX, NotZstd, or UnsupportedMediaType for
    another encoding.
    """
    if encoding not in ("", "identity", ENCODING):
        raise UnsupportedMediaType
    body = bytearray()
    async for chunk in chunks:
        body += chunk
        if len(body) > REQUEST_BYTES_MAX:
            raise BodyTooLarge(REQUEST_BYTES_MAX)
    if encoding != ENCODING:
        return bytes(body)
    if len(body) <= INLINE_BYTES_MAX:
        return unpack(body)
    return await anyio.to_thread.run_sync(unpack, body)


def unpack(body: bytes | bytearray) -> bytes:
    """Unpack one whole zstd frame, no further than the bound. Raises NotZstd or BodyTooLarge."""
    if not is_one_frame(body):
        raise NotZstd
    decompressor = zstandard.ZstdDecompressor(max_window_size=WINDOW_BYTES_MAX)
    try:
        with decompressor.stream_reader(io.BytesIO(body)) as reader:
            unpacked = reader.read(REQUEST_BYTES_MAX + 1)
    except zstandard.ZstdError as error:
        raise NotZstd from error
    if len(unpacked) > REQUEST_BYTES_MAX:
        raise BodyTooLarge(REQUEST_BYTES_MAX)
    return unpacked


async def packed(message: bytes) -> tuple[bytes, str]:
    """Pack an answer if it is worth it; also gives the encoding, empty for none."""
    if len(message) < UNPACKED_BYTES_MAX:
        return message, ""
    if len(message) <= INLINE_BYTES_MAX:
        return pack(message), ENCODING
    return await anyio.to_thread.run_sync(pack, message), ENCODING


def pack(message: bytes) -> bytes:
    """Pack into one zstd frame."""
    return zstandard.ZstdCompressor(level=LEVEL).compress(message)
