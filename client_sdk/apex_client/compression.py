"""zstd, bounded: what a server sends is never unpacked into more than a sync answer can be."""

from apex_client.errors import BadAnswer
from apex_sync.protocol.zstd_frame import is_one_frame

MESSAGE_BYTES_MAX = 16 * 1024 * 1024
"""Of an unpacked answer: 1 MiB is aimed at, one record beyond it may be another, and a list of resent records a few."""

WINDOW_BYTES_MAX = 8 * 1024 * 1024
LEVEL = 3


def compress(message: bytes) -> bytes:
    """Pack a message."""
    import zstandard

    return zstandard.ZstdCompressor(level=LEVEL).compress(message)


def decompress(packed: bytes) -> bytes:
    """Unpack a message. Raises BadAnswer for what is no zstd, is cut off, or grows beyond all measure."""
    import zstandard

    if not is_one_frame(packed):
        raise BadAnswer("not one whole zstd frame")
    try:
        unpacker = zstandard.ZstdDecompressor(max_window_size=WINDOW_BYTES_MAX)
        with unpacker.stream_reader(packed) as reader:
            message = reader.read(MESSAGE_BYTES_MAX + 1)
    except zstandard.ZstdError as error:
        raise BadAnswer(f"not zstd: {error}") from error
    if len(message) > MESSAGE_BYTES_MAX:
        raise BadAnswer(f"more than {MESSAGE_BYTES_MAX} bytes when unpacked")
    return message
