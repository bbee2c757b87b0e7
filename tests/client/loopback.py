"""A sync server in memory, built of the real engine: it judges with `accept`, keeps a feed and speaks the protocol.

It stands in for the database, never for the merge; the way to it is in `loopback_transport.py`.
"""

import copy
import hmac
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

import msgspec

from apex_client.accounts import Role
from apex_client.times import utc_text
from apex_sync.acceptance import Author, Refusal, RefusedOp, accept
from apex_sync.compaction import compact
from apex_sync.deaths import lost_ops, with_offered
from apex_sync.digest import add_digests, digest_bytes, record_digest
from apex_sync.document import Document
from apex_sync.errors import MalformedUpdate
from apex_sync.models import COLLECTIONS
from apex_sync.protocol import (
    PROTOCOL_VERSION,
    PULL_RECORDS_MAX,
    PulledRecord,
    PushedRecord,
    PushResult,
    ScopeCursor,
    ScopePage,
    SyncRequest,
    SyncResponse,
)
from apex_sync.wire import encode_delta, encode_document, encode_refusals, parse_document, parse_push

if TYPE_CHECKING:
    from tests.client.loopback_transport import LoopbackChannel

SECRET = b"survives restores"

COMPACTING_CLIENT_ID = 4711
"""Each epoch's summaries stand under one of their own, counted from here."""


@dataclass
class Span:
    seq: int
    client_id: int
    first_clock: int


@dataclass
class StoredRecord:
    collection: str
    document: Document = field(default_factory=Document)
    refused: dict[int, dict[int, RefusedOp]] = field(default_factory=dict)
    seq: int = 0
    digest: int = 0
    seqs: list[int] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)


@dataclass
class StoredScope:
    seq: int = 0
    digest: int = 0
    records: dict[bytes, StoredRecord] = field(default_factory=dict)


@dataclass
class Account:
    id: str
    email: str
    password: str
    name: str
    role: Role
    email_verified: bool = True


class LoopbackServer:
    """Scopes, accounts and grants, and one method that answers a sync."""

    def __init__(self, now_us: Callable[[], int], *, page_records: int = PULL_RECORDS_MAX) -> None:
        self.now_us = now_us
        self.page_records = page_records
        self.epoch = b"epoch--1"
        self.scopes: dict[str, StoredScope] = {}
        self.accounts: dict[str, Account] = {}
        self.grants: dict[str, dict[str, str]] = {}
        self.linked_at_us: dict[str, int] = {}
        self.bindings: dict[int, str] = {}
        self.tokens: dict[str, str] = {}
        self.refresh_tokens: dict[str, str] = {}
        self.erased_tokens: set[str] = set()
        self.retry_after = 0.0
        self.throttled_seconds = 0.0
        self.refusals = 0
        self.version = PROTOCOL_VERSION
        self.requests: list[SyncRequest] = []
        self.channels: list[LoopbackChannel] = []
        self._tokens_made = 0

    # Accounts.

    def erase(self, email: str) -> None:
        """Erase an account with all that is its, and remember the secrets of its devices."""
        erased = self.accounts.pop(email)
        self.erased_tokens |= {token for token, user_id in self.refresh_tokens.items() if user_id == erased.id}
        self.tokens = {token: user_id for token, user_id in self.tokens.items() if user_id != erased.id}
        self.scopes = {name: scope for name, scope in self.scopes.items() if erased.id not in name}
        del self.grants[erased.id]

    def add_user(self, email: str, role: Role = "athlete", password: str = "secret") -> Account:
        number = len(self.accounts) + 1
        account = Account(str(UUID(int=number)), email, password, email.partition("@")[0], role)
        self.accounts[email] = account
        self.grants[account.id] = {f"athlete:{account.id}": "athlete"} if role == "athlete" else {}
        return account

    def link(self, coach: Account, athlete: Account) -> None:
        self.grants[coach.id][f"athlete:{athlete.id}"] = "coach"
        self.grants[coach.id][f"private:{coach.id}:{athlete.id}"] = "coach"
        thread = f"thread:{coach.id}:{athlete.id}"
        self.grants[coach.id][thread], self.grants[athlete.id][thread] = "coach", "athlete"
        self.linked_at_us[thread] = self.now_us()

    def share_library(self, coach: Account, athlete: Account) -> None:
        library = f"library:{coach.id}"
        self.grants[coach.id][library], self.grants[athlete.id][library] = "coach", "athlete"

    def unlink(self, coach: Account, athlete: Account) -> None:
        del self.grants[coach.id][f"athlete:{athlete.id}"]
        del self.grants[coach.id][f"private:{coach.id}:{athlete.id}"]
        for person in (coach, athlete):
            del self.grants[person.id][f"thread:{coach.id}:{athlete.id}"]

    def threads_of(self, user_id: str) -> list[dict[str, str]]:
        """List with whom somebody writes; as the REST API does, each with the name of the other person's account."""
        pairs = [name.split(":")[1:] for name in self.grants[user_id] if name.startswith("thread:")]
        names = {account.id: account.name for account in self.accounts.values()}
        return [
            {
                "coach_id": coach,
                "athlete_id": athlete,
                "name": names[athlete if coach == user_id else coach],
                **self._since(coach, athlete),
            }
            for coach, athlete in pairs
        ]

    def _since(self, coach_id: str, athlete_id: str) -> dict[str, str]:
        at_us = self.linked_at_us.get(f"thread:{coach_id}:{athlete_id}")
        return {} if at_us is None else {"created_at": utc_text(at_us)}

    def issue(self, account: Account) -> dict[str, Any]:
        self._tokens_made += 1
        access, refresh = f"access-{self._tokens_made}", f"refresh-{self._tokens_made}"
        self.tokens[access] = self.refresh_tokens[refresh] = account.id
        return {"expires_in": 900, "access_token": access, "refresh_token": refresh}

    def expire_access_tokens(self) -> None:
        self.tokens.clear()

    # Backups.

    def backup(self) -> "dict[str, StoredScope]":
        return copy.deepcopy(self.scopes)

    def restore(self, scopes: "dict[str, StoredScope]") -> None:
        self.scopes = copy.deepcopy(scopes)
        self.epoch = b"epoch--" + str(int(self.epoch[7:]) + 1).encode()

    @property
    def system_client_id(self) -> int:
        """Under which this epoch's summaries stand."""
        return COMPACTING_CLIENT_ID + int(self.epoch[7:])

    def compact(self) -> None:
        """Shorten the history of every record, as a real server does with long ones."""
        client_id = self.system_client_id
        for scope in self.scopes.values():
            for key, record in scope.records.items():
                if not record.document.op_count:
                    continue
                span = Span(0, client_id, record.document.next_clocks.get(client_id, 0))
                compacted = compact(record.document, client_id)
                for author_id, hashes in compacted.hashes.items():
                    kept = record.refused.setdefault(author_id, {})
                    kept.update((clock, RefusedOp(op_hash)) for clock, op_hash in hashes.items())
                self._commit(scope, key, record, compacted.document, [span])

    def replay(self, scope: str, record_id: str) -> Document:
        return self.scopes[scope].records[UUID(record_id).bytes].document

    # Sync.

    def sync(self, user_id: str, request: SyncRequest) -> SyncResponse:
        self.requests.append(request)
        grants = self.grants[user_id]
        if self.retry_after:
            results = [PushResult("retry") for _ in request.push]
            return SyncResponse(self.version, self.now_us(), self.epoch, results, retry_after=self.retry_after)
        results = [self._push(grants, request, pushed) for pushed in request.push]
        response = SyncResponse(self.version, self.now_us(), self.epoch, results)
        if request.cursors is None:
            if request.cursors_hash:
                return msgspec.structs.replace(response, send_cursors=request.cursors_hash != self._hash(grants))
            return response
        known = {cursor.scope: cursor for cursor in request.cursors}
        resend = {scope: {key for of, key in request.resend if of == scope} for scope, _ in request.resend}
        pages = [
            page
            for scope in sorted(grants)
            if (page := self._page(scope, grants[scope], known.get(scope), request, resend.get(scope, set())))
        ]
        return msgspec.structs.replace(
            response,
            pages=pages,
            forget=[scope for scope in known if scope not in grants],
            repair=self._repair(request, grants),
        )

    def _push(self, grants: dict[str, str], request: SyncRequest, pushed: PushedRecord) -> PushResult:
        client_id = request.client_id
        role = grants.get(pushed.scope)
        if role not in ("athlete", "coach"):
            return PushResult("rejected", refusals=[Refusal(0, "not_granted", "", "not yours")])
        collection = COLLECTIONS.get(pushed.collection)
        if collection is None or pushed.scope.partition(":")[0] not in collection.scope_kinds:
            return PushResult("rejected", refusals=[Refusal(0, "unknown_collection", "", "unknown")])
        scope = self.scopes.setdefault(pushed.scope, StoredScope())
        stored = scope.records.get(pushed.record_id)
        record = stored or StoredRecord(pushed.collection)
        document, spans = record.document, []
        foreign = False
        if pushed.base:
            base = parse_document(pushed.base)
            if not self._proves(pushed, base):
                return PushResult("gap")
            foreign = pushed.receipt[:8] != self.epoch
            merged = with_offered(document, base).document
            if lost_ops(base, merged):
                return PushResult("gap")
            spans = [
                Span(0, client, document.next_clocks.get(client, 0))
                for client, clock in merged.next_clocks.items()
                if clock > document.next_clocks.get(client, 0)
            ]
            document = merged
        try:
            first, ops = parse_push(pushed.update, client_id) if pushed.update else (0, [])
        except MalformedUpdate as error:
            return PushResult("rejected", refusals=[Refusal(0, "malformed", "", str(error))])
        if first and not pushed.base and request.epoch not in (b"", self.epoch):
            return PushResult("gap")
        refused = record.refused.get(client_id, {})
        judged = accept(
            document, first, ops, author=Author(client_id, cast(Any, role)), collection=collection, refused=refused,
            now_us=self.now_us(), bury_unknown=foreign, compacting_as=self.system_client_id,
        )  # fmt: skip
        if judged.status in ("gap", "forked", "retry", "rejected"):
            return PushResult(judged.status, refusals=judged.refusals)
        if judged.status == "applied" or spans:
            if judged.status == "applied":
                spans.append(Span(0, client_id, judged.first_clock))
            if judged.compacted:
                spans.append(Span(0, self.system_client_id, document.next_clocks.get(self.system_client_id, 0)))
            self._commit(scope, pushed.record_id, record, judged.document, spans)
            record.refused.setdefault(client_id, {}).update(judged.newly_refused)
            for author, hashes in judged.compacted.items():
                kept = {clock: RefusedOp(op_hash) for clock, op_hash in hashes.items()}
                record.refused.setdefault(author, {}).update(kept)
        dead = encode_refusals(client_id, [refusal.clock for refusal in judged.refusals]) if judged.refusals else b""
        next_clock = record.document.next_clocks.get(client_id, 0)
        receipt = self._receipt(pushed.record_id, record.digest)
        return PushResult(judged.status, next_clock, receipt, judged.refusals, dead)

    def _commit(
        self, scope: StoredScope, key: bytes, record: StoredRecord, document: Document, spans: list[Span]
    ) -> None:
        scope.seq += 1
        before = record.digest if key in scope.records else 0
        record.document, record.digest, record.seq = document, record_digest(key, document), scope.seq
        record.seqs.append(scope.seq)
        record.spans += [Span(scope.seq, span.client_id, span.first_clock) for span in spans]
        scope.digest = add_digests(scope.digest, (before, record.digest))
        scope.records[key] = record
        for channel in list(self.channels):
            channel.hint()

    def _page(
        self, name: str, role: str, known: ScopeCursor | None, request: SyncRequest, resend: set[bytes]
    ) -> ScopePage | None:
        scope = self.scopes.get(name, StoredScope())
        epoch, head, tail = self._read_cursor(known.cursor if known else b"")
        reset = bool(known and known.cursor) and epoch != self.epoch
        if reset or not (known and known.cursor):
            head, tail = scope.seq, scope.seq + 1
        above = sorted((r.seq, key, r) for key, r in scope.records.items() if r.seq > head)
        below = sorted(((r.seq, key, r) for key, r in scope.records.items() if r.seq < tail), reverse=True)
        quiet = not (reset or above or below or resend)
        if known and known.cursor and quiet and known.digest == digest_bytes(scope.digest):
            return None
        records: list[PulledRecord] = []
        size = 0
        for seq, key, record in above:
            if len(records) >= self.page_records or size > request.pull_bytes:
                break
            head = seq
            pulled = self._pulled(key, record, self._read_cursor(known.cursor)[1:] if known else (0, 0), request)
            if pulled is not None:
                records.append(pulled)
                size += len(pulled.update)
        else:
            head = scope.seq
        for seq, key, record in below:
            if len(records) >= self.page_records or size > request.pull_bytes:
                break
            tail = seq
            records.append(self._whole(key, record))
            size += len(records[-1].update)
        else:
            tail = 0
        records += [self._whole(key, scope.records[key]) for key in sorted(resend) if key in scope.records]
        remaining = sum(r.seq > head or r.seq < tail for r in scope.records.values())
        return ScopePage(
            scope=name,
            role=role,
            cursor=self._write_cursor(head, tail),
            records=records,
            remaining=remaining,
            total=len(scope.records),
            digest=b"" if remaining else digest_bytes(scope.digest),
            reset=reset,
        )

    def _pulled(
        self, key: bytes, record: StoredRecord, place: tuple[int, int], request: SyncRequest
    ) -> PulledRecord | None:
        head, tail = place
        known = any(tail <= seq <= head for seq in record.seqs)
        since = [span for span in record.spans if span.seq > head]
        created = record.seqs[0] > head
        if (known or created) and since and all(span.client_id == request.client_id for span in since):
            return None
        if not known or not since:
            return self._whole(key, record)
        vector = dict(record.document.next_clocks)
        for span in since:
            vector[span.client_id] = min(vector[span.client_id], span.first_clock)
        if not any(vector.values()):
            return self._whole(key, record)
        update = encode_delta(record.document.since(vector))
        return PulledRecord(record.collection, key, update, self._receipt(key, record.digest), delta=True)

    def _whole(self, key: bytes, record: StoredRecord) -> PulledRecord:
        return PulledRecord(record.collection, key, encode_document(record.document), self._receipt(key, record.digest))

    def _repair(self, request: SyncRequest, grants: dict[str, str]) -> list[tuple[str, bytes, bytes]]:
        listed = []
        for name, theirs in request.bucket_digests:
            records = self.scopes.get(name, StoredScope()).records if name in grants else {}
            buckets: dict[int, int] = {}
            for key, record in records.items():
                place = blake2b(key, digest_size=16).digest()[0]
                buckets[place] = add_digests(buckets.get(place, 0), (0, record.digest))
            for key, record in sorted(records.items()):
                place = blake2b(key, digest_size=16).digest()[0]
                if digest_bytes(buckets[place]) != theirs[place]:
                    listed.append((name, key, digest_bytes(record.digest)))
        return listed

    def _hash(self, grants: dict[str, str]) -> bytes:
        cursors = []
        for name in sorted(grants):
            scope = self.scopes.get(name, StoredScope())
            cursors.append(ScopeCursor(name, self._write_cursor(scope.seq, 0), digest_bytes(scope.digest)))
        return blake2b(msgspec.msgpack.encode(cursors), digest_size=16).digest()

    def _read_cursor(self, cursor: bytes) -> tuple[bytes, int, int]:
        if not cursor:
            return b"", 0, 0
        return cursor[:8], int.from_bytes(cursor[8:16], "big"), int.from_bytes(cursor[16:24], "big")

    def _write_cursor(self, head: int, tail: int) -> bytes:
        return self.epoch + head.to_bytes(8, "big") + tail.to_bytes(8, "big")

    def _receipt(self, key: bytes, digest: int, epoch: bytes | None = None) -> bytes:
        epoch = epoch or self.epoch
        return epoch + blake2b(epoch + key + digest_bytes(digest), key=SECRET, digest_size=16).digest()

    def _proves(self, pushed: PushedRecord, base: Document) -> bool:
        digest = record_digest(pushed.record_id, base)
        return hmac.compare_digest(pushed.receipt, self._receipt(pushed.record_id, digest, pushed.receipt[:8]))
