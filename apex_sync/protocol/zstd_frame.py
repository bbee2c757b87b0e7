"""Where a zstd frame ends (RFC 8878), without unpacking it.

Libraries that unpack into a bounded buffer stop at the first frame and say nothing of what stands behind it, nor that
the last block is missing: half a message then looks whole. A body is exactly one frame, or none of ours.
"""

MAGIC = b"\x28\xb5\x2f\xfd"

BLOCKS_MAX = 8192
"""One for each 512 bytes of the longest message, from an encoder that flushes as often; walking them takes 2 ms."""

_DICTIONARY_ID_BYTES = (0, 1, 2, 4)
_CONTENT_SIZE_BYTES = (0, 2, 4, 8)
_REPEATED = 1


def is_one_frame(body: bytes | bytearray) -> bool:
    """Tell whether a body is one zstd frame from its first to its last byte, with all its blocks.

    What stands in the blocks is for the decompressor to judge.
    """
    if not body.startswith(MAGIC) or len(body) < len(MAGIC) + 1:
        return False
    descriptor = body[len(MAGIC)]
    is_single_segment, has_checksum = descriptor & 0x20, descriptor & 0x04
    at = len(MAGIC) + 1 + _DICTIONARY_ID_BYTES[descriptor & 3] + _CONTENT_SIZE_BYTES[descriptor >> 6]
    at += descriptor < 0x40 if is_single_segment else 1
    for _ in range(BLOCKS_MAX):
        header = int.from_bytes(body[at : at + 3], "little")
        kind, size = header >> 1 & 3, header >> 3
        at += 3 + (1 if kind == _REPEATED else size)
        if at > len(body):
            return False
        if header & 1:
            return at + (4 if has_checksum else 0) == len(body)
    return False
