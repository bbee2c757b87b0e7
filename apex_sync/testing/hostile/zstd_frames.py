"""zstd bodies put together by hand (RFC 8878), so that they can unfold to far more than they are.

A block of four bytes may stand for 128 KB of one letter, so a bomb needs no compressor, and any header can lie.
"""

import struct

MAGIC = b"\x28\xb5\x2f\xfd"
BLOCK_BYTES_MAX = 128 * 1024
WINDOW_LOG_MIN = 10

RAW, REPEATED, COMPRESSED, RESERVED = range(4)


def block(kind: int, size: int, content: bytes, *, last: bool = False) -> bytes:
    """Write a block; of a REPEATED one `content` is the one letter that `size` of are meant."""
    return struct.pack("<I", size << 3 | kind << 1 | last)[:3] + content


def frame(*blocks: bytes, window_log: int = 17, content_size: int | None = None) -> bytes:
    """Write a frame that asks for a window of 2**window_log bytes and may claim a size of its content."""
    window = bytes([(window_log - WINDOW_LOG_MIN) << 3])
    if content_size is None:
        return MAGIC + b"\x00" + window + b"".join(blocks)
    return MAGIC + b"\xc0" + window + struct.pack("<Q", content_size) + b"".join(blocks)


def skippable(content: bytes, *, size: int | None = None) -> bytes:
    """Write a frame that a reader passes over."""
    return b"\x50\x2a\x4d\x18" + struct.pack("<I", len(content) if size is None else size) + content


def repeated(size_bytes: int, letter: bytes = b"\x00", **header: int) -> bytes:
    """Write a frame that unfolds to one letter, again and again: 32,000 bytes for each of its own."""
    full, rest = divmod(size_bytes, BLOCK_BYTES_MAX)
    blocks = [block(REPEATED, BLOCK_BYTES_MAX, letter)] * full
    return frame(*blocks, block(REPEATED, rest, letter, last=True), **header)


def stored(content: bytes) -> bytes:
    """Write a frame that holds content as it is."""
    pieces = [content[at : at + BLOCK_BYTES_MAX] for at in range(0, len(content), BLOCK_BYTES_MAX)] or [b""]
    return frame(*(block(RAW, len(piece), piece, last=piece is pieces[-1]) for piece in pieces))


BOMBS: dict[str, bytes] = {
    "half a gigabyte of zeros": repeated(2**29),
    "sixteen gigabytes of zeros": repeated(2**34),
    "half a gigabyte that claims to be a byte": repeated(2**29, content_size=1),
    "half a gigabyte that says so": repeated(2**29, content_size=2**29),
    "half a gigabyte behind a gap": skippable(bytes(100)) + repeated(2**29),
    "half a gigabyte of numbers": repeated(2**29, b"\x01"),
    "half a gigabyte of lists": repeated(2**29, b"\x91"),
}
"""Frames that unfold to more than anyone may send."""

NO_FRAMES: dict[str, bytes] = {
    "a size of 2**64 - 1 and nothing in it": frame(block(RAW, 0, b"", last=True), content_size=2**64 - 1),
    "a size of a gigabyte and little in it": frame(block(RAW, 3, b"\x93\x01\x09", last=True), content_size=2**30),
    "a window of two terabytes": frame(block(RAW, 3, b"\x93\x01\x09", last=True), window_log=41),
    "a window of 128 MB": frame(block(RAW, 3, b"\x93\x01\x09", last=True), window_log=27),
    "a block larger than any": frame(block(REPEATED, 2**21 - 1, b"\x00", last=True), window_log=22),
    "a block of no kind": frame(block(RESERVED, 3, b"\x00\x00\x00", last=True)),
    "a compressed block of noise": frame(block(COMPRESSED, 100, bytes(range(100)), last=True)),
    "a frame within a frame within a frame": stored(stored(stored(b"\x93\x01\x09\x01"))),
    "a hundred thousand empty frames": stored(b"") * 100_000,
    "a hundred thousand gaps": skippable(b"") * 100_000,
    "a gap of four gigabytes that are not there": skippable(b"", size=2**32 - 1),
    "a gap and nothing else": skippable(b"\x93\x01\x09\x01"),
    "two frames of one message": stored(b"\x93\x01") + stored(b"\x09\x01"),
    "a message and a gigabyte behind it": stored(b"\x93\x01\x09\x01") + repeated(2**30),
    "a message and noise behind it": stored(b"\x93\x01\x09\x01") + b"noise",
    "a frame that is cut off": stored(bytes(2000))[:1000],
    "a frame without its last block": frame(block(RAW, 4, b"\x93\x01\x09\x01")),
    "a magic number and nothing else": MAGIC,
    "a frame that asks for a dictionary": MAGIC
    + b"\x03\x38"
    + struct.pack("<I", 7)
    + block(RAW, 4, b"\x93\x01\x09\x01", last=True),
    "a checksum that is none": MAGIC + b"\x04\x38" + block(RAW, 4, b"\x93\x01\x09\x01", last=True) + bytes(4),
    "a frame of an older zstd": b"\x25\xb5\x2f\xfd" + bytes(20),
    "gzip": bytes.fromhex("1f8b08000000000000ff63600000"),
    "a bzip2 bomb": b"BZh91AY&SY" + bytes(30),
}
"""Bodies that are no frame around one message; in those that hold one, it stands beside something else."""
