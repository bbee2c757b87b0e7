"""Finding the records in which two replicas differ, when the digests of their scope do.

The records of a scope fall into 256 buckets by their ids. The device sends the digest of each bucket; the server names
the records of those that differ, with their digests. Two rounds find any difference, and cost little beside records.
"""

from collections.abc import Iterable, Sequence

from apex_sync.digest import DIGEST_MODULUS, digest_bytes
from apex_sync.protocol.messages import BUCKETS, bucket_of

__all__ = ["bucket_digests", "differing_records"]


def bucket_digests(records: Iterable[tuple[bytes, int]]) -> list[bytes]:
    """Give the digest of every bucket, from the ids and digests of all records."""
    totals = [0] * BUCKETS
    for record_id, digest in records:
        totals[bucket_of(record_id)] += digest
    return [digest_bytes(total % DIGEST_MODULUS) for total in totals]


def differing_records(ours: Sequence[tuple[bytes, int]], theirs: Sequence[bytes]) -> list[tuple[bytes, bytes]]:
    """List our records in the buckets where their digest is another one; digests they left out differ."""
    mine = bucket_digests(ours)
    differing = {place for place, digest in enumerate(mine) if list(theirs[place : place + 1]) != [digest]}
    if not differing:
        return []
    return [(record_id, digest_bytes(digest)) for record_id, digest in ours if bucket_of(record_id) in differing]
