"""Finding the records in which two replicas differ, when the digests of their scope do.

The records of a scope fall into 256 buckets by their ids. The device sends the digest of each bucket; the server names
the records of those that differ, with their digests. Two rounds find any difference, and cost little beside records.
"""

from collections.abc import Iterable, Sequence

from anyio.lowlevel import checkpoint

from apex_sync.digest import DIGEST_MODULUS, digest_bytes
from apex_sync.protocol.messages import BUCKETS, bucket_of

__all__ = ["bucket_digests", "differing_records"]

SLICE_RECORDS = 1000
"""Sorted into buckets in 1 ms; then whatever else the server has to do gets its turn."""

Digests = list[tuple[bytes, int]]
"""Records by their ids and digests."""


async def differing_records(ours: Sequence[tuple[bytes, int]], theirs: Sequence[bytes]) -> list[tuple[bytes, bytes]]:
    """List our records in the buckets where their digest is another one, bucket by bucket; one left out differs."""
    buckets: list[Digests] = [[] for _ in range(BUCKETS)]
    for start in range(0, len(ours), SLICE_RECORDS):
        sort_into(buckets, ours[start : start + SLICE_RECORDS])
        await checkpoint()
    return [
        (record_id, digest_bytes(digest))
        for place, bucket in enumerate(buckets)
        if list(theirs[place : place + 1]) != [digest_of(bucket)]
        for record_id, digest in bucket
    ]


def bucket_digests(records: Iterable[tuple[bytes, int]]) -> list[bytes]:
    """Give the digest of every bucket, from the ids and digests of all records."""
    buckets: list[Digests] = [[] for _ in range(BUCKETS)]
    sort_into(buckets, records)
    return [digest_of(bucket) for bucket in buckets]


def sort_into(buckets: Sequence[Digests], records: Iterable[tuple[bytes, int]]) -> None:
    """Put records where they belong."""
    for record in records:
        buckets[bucket_of(record[0])].append(record)


def digest_of(bucket: Digests) -> bytes:
    """Sum up a bucket."""
    return digest_bytes(sum(digest for _, digest in bucket) % DIGEST_MODULUS)
