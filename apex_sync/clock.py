"""The hybrid logical clock that stamps every write.

A stamp is microseconds since the Unix epoch, pushed up wherever that would not exceed what its author had already seen.
So a write made after seeing another always has the larger stamp, and the wall clock only decides between writes that
were really concurrent. It fits a double exactly until the year 2255.

Source: Kulkarni et al., Logical Physical Clocks (2014), with both parts in one integer.
"""

MICROSECONDS = 1_000_000
SKEW_MAX_MICROSECONDS = 10 * 60 * MICROSECONDS
"""How far ahead of the server a stamp may be. Phones keep time to seconds; ten minutes leaves room for a bad one."""


def next_hlc(now_us: int, last: int, seen: int = 0) -> int:
    """Stamp the next write of a device whose last stamp was `last`, of a record whose newest known write is `seen`.

    >>> next_hlc(1000, last=10)
    1000
    >>> next_hlc(1000, last=5000, seen=7000)
    7001
    """
    return max(now_us, last + 1, seen + 1)


def latest_acceptable_hlc(now_us: int, largest_accepted: int, writes: int) -> int:
    """Bound the stamps of an arriving op.

    A record that already holds a far stamp must stay writable, so its own newest stamp plus the writes of the op is
    always allowed.
    """
    return max(now_us + SKEW_MAX_MICROSECONDS, largest_accepted + writes)
