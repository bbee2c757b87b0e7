"""Finding and mending silent divergence: digests narrow it down to records, which then come, or go, whole.

    scope digests differ -> 256 bucket digests go up -> the server lists the records of differing buckets
    -> what differs or is missing here comes whole; what the server lacks goes up whole

One round of this in a sync, whatever comes of it: a lasting difference is shown in the status and never a loop.
"""

from collections.abc import Iterable, Sequence
from uuid import UUID

from msgspec.structs import replace

from apex_sync.digest import DIGEST_MODULUS, digest_bytes
from apex_sync.document import Document
from apex_sync.protocol.messages import BUCKETS, PULL_RECORDS_MAX, ScopePage, SyncResponse, bucket_of
from apex_sync.session.device import Device
from apex_sync.session.held import HeldRecord, Offer
from apex_sync.session.pull import PulledPages, record_id_text
from apex_sync.session.tally import Tally

Key = tuple[str, str]
"""Scope and record id."""


class Repair:
    """What is known to differ in one sync, and what was done about it."""

    def __init__(self, device: Device, tally: Tally) -> None:
        self.device = device
        self.tally = tally
        self.missing: set[Key] = set()
        """Records to ask for whole."""
        self._suspects: dict[str, int] = {}
        self._asked: dict[str, int] = {}
        self._answered: set[str] = set()
        self._expected: dict[Key, int] = {}

    @property
    def wanted(self) -> bool:
        """Whether there is something to ask the server."""
        return bool(self.missing or self._suspects)

    def compare(self, page: ScopePage) -> None:
        """Hold the digest of a scope that was read to its end against the server's."""
        store = self.device.store
        asked = page.scope in self._asked or page.scope in self._answered
        if page.remaining or not page.digest or asked or store.in_flight(page.scope):
            return
        theirs = int.from_bytes(page.digest, "big")
        if store.scopes()[page.scope].digest == theirs:
            self._suspects.pop(page.scope, None)
        else:
            self._suspects[page.scope] = theirs

    def resend(self) -> list[tuple[str, bytes]]:
        """Give the records to ask for whole."""
        asked = sorted(self.missing)[:PULL_RECORDS_MAX]
        self.missing.difference_update(asked)
        return [(scope, UUID(record_id).bytes) for scope, record_id in asked]

    def bucket_digests(self) -> list[tuple[str, list[bytes]]]:
        """Give the bucket digests of every scope in doubt."""
        self._asked, self._suspects = self._suspects, {}
        return [(scope, [digest_bytes(digest) for digest in self._buckets(scope)]) for scope in sorted(self._asked)]

    def absorb(self, listed: Sequence[tuple[str, bytes, bytes]]) -> None:
        """Take in the server's list of records in differing buckets."""
        asked, self._asked = self._asked, {}
        if not asked:
            return
        self._answered.update(asked)
        theirs: dict[str, dict[str, int]] = {scope: {} for scope in asked}
        for scope, key, digest in listed:
            theirs.setdefault(scope, {})[record_id_text(key)] = int.from_bytes(digest, "big")
        for scope, scope_digest in asked.items():
            self._narrow(scope, scope_digest, theirs[scope])
        identity = self.device.identity
        self.device.save_identity(replace(identity, repairs=identity.repairs + len(asked)))

    def settle(self, asked: Sequence[tuple[str, bytes]], response: SyncResponse, pages: PulledPages) -> bool:
        """After the answer to what was asked for whole, see to what the server has less of than is here.

        Tell whether a new client id is needed.
        """
        known, answered = self.device.store.scopes(), {page.scope for page in response.pages}
        awaited = {(scope, record_id_text(key)) for scope, key in asked if scope in known}
        arrived, pages.arrived = pages.arrived, set()
        # An answer holds what fits it, and nothing at all where the server could take in but not read just then. Only
        # one with a page of the scope, and no record on any page, says that the server does not have it.
        absent = set() if arrived else {key for key in awaited if key[0] in answered}
        settled = awaited & arrived | absent
        self.missing |= awaited - settled
        self.tally.repaired += len(settled)
        forked = False
        for scope in sorted({scope for scope, _ in settled}):
            held = self.device.store.load(scope, [record_id for of, record_id in settled if of == scope])
            forked |= self._rescue_absent([record for key, record in held.items() if (scope, key) in absent], pages)
            differing = [
                record_id
                for record_id, record in held.items()
                if self._expected.get((scope, record_id), record.digest) != record.digest
            ]
            self._offer(scope, differing)
        return forked

    def _rescue_absent(self, held: list[HeldRecord], pages: PulledPages) -> bool:
        """Rescue records that were asked for and that the server does not have at all."""
        absent = [record for record in held if record.offer is Offer.RESCUE]
        forked = [pages.rescue(record, Document(), b"") for record in absent]
        self.device.store.save(absent, "pulled")
        return any(forked)

    def _narrow(self, scope: str, scope_digest: int, theirs: dict[str, int]) -> None:
        ours = dict(self.device.store.digests(scope))
        differing = {record_id for record_id, digest in theirs.items() if ours.get(record_id) != digest}
        self.missing |= {(scope, record_id) for record_id in differing}
        self._expected |= {(scope, record_id): theirs[record_id] for record_id in differing}
        listed = {_bucket(record_id) for record_id in theirs}
        lacking = [record_id for record_id in ours if record_id not in theirs and _bucket(record_id) in listed]
        # A bucket that is empty there is not listed at all; whether there is one shows in what is left of the digests.
        rest = {record_id: digest for record_id, digest in ours.items() if _bucket(record_id) not in listed}
        if (scope_digest - sum(theirs.values()) - sum(rest.values())) % DIGEST_MODULUS:
            lacking += rest
        self._offer(scope, lacking)

    def _offer(self, scope: str, record_ids: Iterable[str]) -> None:
        """Let records go up whole, or at least every own op of them."""
        held = list(self.device.store.load(scope, list(record_ids)).values())
        for record in held:
            record.offer = max(record.offer, Offer.WHOLE)
        self.device.store.save_progress(held)

    def _buckets(self, scope: str) -> list[int]:
        buckets = [0] * BUCKETS
        for record_id, digest in self.device.store.digests(scope):
            place = _bucket(record_id)
            buckets[place] = (buckets[place] + digest) % DIGEST_MODULUS
        return buckets


def _bucket(record_id: str) -> int:
    return bucket_of(UUID(record_id).bytes)
