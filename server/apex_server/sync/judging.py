"""What a commit does to one record, decided without I/O: the answer, and the change to store.

It may run twice for one push: on what was read before the lock, and again where the record had changed by then. So it
decides from its arguments alone.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec
from msgspec import Struct

from apex_server.errors import InvalidFields, NotFound
from apex_server.sync.errors import FieldForbidden, RecordDamaged, RecordFull, VersionUnknown
from apex_server.sync.projections import project
from apex_server.sync.receipts import ReceiptBook
from apex_server.sync.store import Access, ClockSpan, DeadClock, RecordChange, RecordState, StoredRecord
from apex_sync.acceptance import Acceptance, Author, Refusal, RefusalCode, RefusedOp, accept
from apex_sync.clock import next_hlc
from apex_sync.collection import Collection, Record, Role
from apex_sync.compaction import COMPACTION_BYTES, COMPACTION_OPS, compact, needs_compaction
from apex_sync.deaths import Taken, lost_ops, with_offered
from apex_sync.digest import extend_digest, record_digest
from apex_sync.document import Document
from apex_sync.errors import MalformedOp, MalformedUpdate, OutOfBounds
from apex_sync.fold import Fold, fold
from apex_sync.models import COLLECTIONS
from apex_sync.op import (
    CLOCK_MAX,
    OP_BYTES_MAX,
    Patch,
    StampedWrite,
    Vector,
    Write,
    decode_op,
    encode_op,
    flat_vector,
    split_patch,
    without_empty_maps,
)
from apex_sync.protocol.messages import PushedRecord, PushResult
from apex_sync.wire import encode_document, encode_refusals, parse_document, parse_push

__all__ = [
    "RETRY",
    "Hearing",
    "Merged",
    "Verdict",
    "first_clock_of",
    "judge_compaction",
    "judge_push",
    "judge_write",
    "rejected",
]

RETRY = PushResult("retry")

HEAD_NUMBERS = 4
"""An update of a push begins with the numbers of clients and structs, the client id and the first clock."""

HEAD_BYTES_MAX = 24

READ_ONLY: frozenset[Access] = frozenset({"reader", "support"})
"""Who writes nothing of their own. A reader may still bring back what others wrote; support is granted no scope."""


class Hearing(Struct, frozen=True):
    """Who proposes changes to a scope, when, and what they may do there.

    `client_id` is the author's, `system_client_id` the one under which the server writes summaries.
    """

    scope_kind: str
    scope_id: bytes
    access: Access
    client_id: int
    system_client_id: int
    now_us: int
    receipts: ReceiptBook


class Merged(NamedTuple):
    """A record after a change: its ops, what they fold to, and the typed record of that."""

    document: Document
    folded: Fold
    record: Record


class Verdict(NamedTuple):
    """The answer to a proposal, and the change to be stored before it is given; None: there is nothing to store."""

    result: PushResult
    change: RecordChange | None = None
    merged: Merged | None = None


class _Case(NamedTuple):
    """One record on trial: as it is stored, the same read, and the whole record that came along with a good receipt."""

    hearing: Hearing
    collection: Collection
    record_id: bytes
    stored: StoredRecord | None
    before: Document
    base: Document | None


def rejected(code: RefusalCode, message: str) -> Verdict:
    """Answer that nothing of a pushed record can be taken."""
    return Verdict(PushResult("rejected", refusals=[Refusal(0, code, "", message)]))


def judge_push(hearing: Hearing, pushed: PushedRecord, state: RecordState) -> Verdict:
    """Judge what a device pushed for one record."""
    collection = COLLECTIONS.get(pushed.collection)
    if collection is None:
        return rejected("unknown_collection", f"this server does not know {pushed.collection[:100]!r}")
    if hearing.scope_kind not in collection.scope_kinds:
        return rejected("forbidden", f"a scope of kind {hearing.scope_kind} holds no {collection.name}")
    if state.record is not None and state.record.collection != collection.name:
        return rejected("malformed", f"the record is one of {state.record.collection}")
    if hearing.access in READ_ONLY and pushed.update:
        return rejected("not_granted", "this scope can only be read")
    if state.record is not None and state.record.is_damaged:
        return _judge_mending(hearing, pushed, state, state.record)
    before = _document(state)
    try:
        first_clock, ops = parse_push(pushed.update, hearing.client_id, before) if pushed.update else (0, [])
        base = parse_document(pushed.base) if pushed.base else None
    except MalformedUpdate as error:
        return rejected("malformed", str(error))
    (current, strange), epoch = _with_base(hearing, pushed, before, base)
    if base is not None and (epoch is None or lost_ops(base, current)):
        # What the device names as seen is not proven, or others stand in its place: those it has to see first.
        return Verdict(PushResult("gap", before.next_clocks.get(hearing.client_id, 0)))
    if not ops and base is None:
        return rejected("malformed", "neither ops of the device nor a record")
    if _have_seen(ops, first_clock, hearing.client_id, strange):
        # They name as seen what is dead in their record and something else here. That alone is taken, and the answer
        # says that they are not.
        ops = []
    if not ops:
        first_clock = current.next_clocks.get(hearing.client_id, 0)
    acceptance = accept(
        current,
        first_clock,
        ops,
        author=Author(hearing.client_id, _role(hearing.access)),
        collection=collection,
        refused=state.dead,
        now_us=hearing.now_us,
        bury_unknown=epoch is not None and epoch != hearing.receipts.epoch,
        compacting_as=hearing.system_client_id,
    )
    case = _Case(hearing, collection, pushed.record_id, state.record, before, None if epoch is None else base)
    # A batch waits to be stored as packed rows; what they were made from is let go, and its memory used for the next.
    return _verdict(case, acceptance)._replace(merged=None)


def judge_write(
    hearing: Hearing,
    collection: Collection,
    record_id: bytes,
    patch: Patch,
    expected: Vector | None,
    state: RecordState,
) -> Verdict:
    """Make the ops of a write through the server, nearly always one, and judge them like any others.

    `expected` is the version that its author had before them; None is the newest. Raises VersionUnknown for clocks that
    are not here, InvalidFields, FieldForbidden, RecordFull, RecordDamaged, or NotFound where there can be no such
    record.
    """
    role = _role(hearing.access)
    _check_write(hearing, collection, role, patch, state)
    if state.record is not None and state.record.is_damaged:
        raise RecordDamaged
    before = _document(state)
    if expected is not None and not before.covers(expected):
        raise VersionUnknown
    case = _Case(hearing, collection, record_id, state.record, before, None)
    if not without_empty_maps(patch):
        return Verdict(PushResult("duplicate"), None, _merged(collection, before, before.writes())[0])
    others = before.others(hearing.client_id)
    seen = others if expected is None else {client: expected[client] for client in others if client in expected}
    newest = max((write.hlc for write in before.writes()), default=0)
    acceptance = accept(
        before,
        before.next_clocks.get(hearing.client_id, 0),
        _ops_of(patch, next_hlc(hearing.now_us, 0, newest), flat_vector(seen)),
        author=Author(hearing.client_id, role),
        collection=collection,
        refused={},
        now_us=hearing.now_us,
        compacting_as=hearing.system_client_id,
    )
    for refusal in acceptance.refusals:
        raise RecordFull if refusal.code == "record_full" else InvalidFields.one(refusal.field, refusal.message)
    return _verdict(case, acceptance)


def judge_compaction(record_id: bytes, hearing: Hearing, state: RecordState) -> Verdict:
    """Shorten the history of a record, where that pays; what it holds stays the same for everyone."""
    if state.record is None or state.record.is_damaged:
        return Verdict(PushResult("duplicate"))
    before = _document(state)
    if not needs_compaction(before):
        return Verdict(PushResult("duplicate"))
    compacted = compact(before, hearing.client_id)
    document = compacted.document
    collection = COLLECTIONS[state.record.collection]
    case = _Case(hearing, collection, record_id, state.record, before, None)
    dead = _compacted_clocks(compacted.hashes)
    merged, is_sound = _merged(collection, document, document.writes())
    doc = encode_document(document)
    change = _change(case, merged, doc, record_digest(record_id, document), dead, is_sound=is_sound)
    return Verdict(PushResult("applied"), change, merged)


def first_clock_of(update: bytes) -> int:
    """Read from the head of a pushed update where its ops begin; 0 where it has no such head."""
    numbers: list[int] = []
    number = shift = 0
    for byte in update[:HEAD_BYTES_MAX]:
        number |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            numbers.append(number)
            number = shift = 0
        if len(numbers) == HEAD_NUMBERS:
            return min(numbers[-1], CLOCK_MAX)
    return 0


def _check_write(hearing: Hearing, collection: Collection, role: Role, patch: Patch, state: RecordState) -> None:
    if hearing.access in READ_ONLY:
        raise FieldForbidden(sorted(patch), hearing.access)
    is_other = state.record is not None and state.record.collection != collection.name
    if is_other or hearing.scope_kind not in collection.scope_kinds:
        raise NotFound("record")
    forbidden = collection.forbidden_fields(patch, role)
    if forbidden:
        raise FieldForbidden(forbidden, role)
    try:
        collection.check_bounds(patch)
    except OutOfBounds as error:
        raise InvalidFields.one(error.problem.field, error.problem.message) from error


def _role(access: Access) -> Role:
    """Give the writer's role; a reader, who may write nothing, can only bring back what others wrote."""
    return "athlete" if access == "reader" or access == "support" else access


def _ops_of(patch: Patch, hlc: int, seen: list[int]) -> list[bytes]:
    """Give the ops that a patch takes: a year of planned sessions fits no single one."""
    op = encode_op([Write(hlc, seen, patch)])
    pieces = split_patch(patch) if len(op) > OP_BYTES_MAX else None
    if pieces is None:
        return [op]
    return [encode_op([Write(hlc + place, seen, piece)]) for place, piece in enumerate(pieces)]


def _document(state: RecordState) -> Document:
    return Document() if state.record is None else parse_document(state.record.doc)


def _judge_mending(hearing: Hearing, pushed: PushedRecord, state: RecordState, damaged: StoredRecord) -> Verdict:
    """Judge a push to a record that can be read no more: whoever brings exactly what it was mends it.

    Anything else would leave gaps under clocks that are taken, the server's own among them; so it waits for somebody
    who has more. An app that sends only what is new is asked for the whole record.
    """
    mended = _mended(hearing, pushed, damaged)
    if mended is None:
        return Verdict(PushResult("gap") if _is_part_of_more(hearing, pushed) else RETRY)
    verdict = judge_push(hearing, pushed, state._replace(record=mended))
    if verdict.change is not None:
        return verdict
    document = parse_document(mended.doc)
    case = _Case(hearing, COLLECTIONS[mended.collection], pushed.record_id, mended, document, None)
    merged, is_sound = _merged(case.collection, document, document.writes())
    return verdict._replace(change=_change(case, merged, mended.doc, mended.digest, [], is_sound=is_sound))


def _is_part_of_more(hearing: Hearing, pushed: PushedRecord) -> bool:
    """Tell whether a device holds more of a record than the new ops that it has sent."""
    if pushed.base:
        return False
    try:
        first_clock, ops = parse_push(pushed.update, hearing.client_id)
        writes = decode_op(ops[0], client_id=hearing.client_id, clock=first_clock) if ops else []
    except (MalformedUpdate, MalformedOp):
        return False
    return first_clock > 0 or any(write.seen for write in writes)


def _mended(hearing: Hearing, pushed: PushedRecord, damaged: StoredRecord) -> StoredRecord | None:
    """Give a damaged record as it was, if a device brought that and no more than own ops on top: the digest tells."""
    try:
        document = parse_document(pushed.base) if pushed.base else Document()
        first_clock, ops = parse_push(pushed.update, hearing.client_id, document) if pushed.update else (0, [])
    except MalformedUpdate:
        return None
    receipt = hearing.receipts.issued_in(pushed.receipt, hearing.scope_id, pushed.record_id, encode_document(document))
    known = document.next_clocks.get(hearing.client_id, 0)
    if (pushed.base and receipt is None) or first_clock > known:
        return None
    digest = record_digest(pushed.record_id, document)
    for op in ops[known - first_clock :]:
        if digest == damaged.digest:
            break
        clock = document.append(hearing.client_id, op)
        digest = extend_digest(digest, pushed.record_id, hearing.client_id, clock, {clock: op}, clock + 1)
    if digest != damaged.digest:
        return None
    return StoredRecord(damaged.collection, damaged.seq, encode_document(document), digest)


def _with_base(
    hearing: Hearing, pushed: PushedRecord, before: Document, base: Document | None
) -> tuple[Taken, bytes | None]:
    """Take in the whole record that came along, if its receipt is good; also gives the epoch of that receipt."""
    if base is None:
        return Taken(before, []), None
    doc = encode_document(base)
    epoch = hearing.receipts.issued_in(pushed.receipt, hearing.scope_id, pushed.record_id, doc)
    if epoch is None:
        return Taken(before, []), None
    return with_offered(before, base), epoch


def _have_seen(ops: Sequence[bytes], first_clock: int, client_id: int, strange: Sequence[StampedWrite]) -> bool:
    """Tell whether an author of these ops claims to have seen any of those writes."""
    if not strange:
        return False
    for clock, op in enumerate(ops, first_clock):
        try:
            writes = decode_op(op, client_id=client_id, clock=clock)
        except MalformedOp:
            continue
        if any(write.saw(other) for write in writes for other in strange):
            return True
    return False


def _verdict(case: _Case, acceptance: Acceptance) -> Verdict:
    document, client_id = acceptance.document, case.hearing.client_id
    if acceptance.status not in ("applied", "duplicate"):
        known = case.before.next_clocks.get(client_id, 0)
        return Verdict(PushResult(acceptance.status, known, refusals=acceptance.refusals))
    if case.stored is not None and document is case.before:
        return Verdict(_result(case, acceptance, case.stored.doc))
    digest, doc = _digest(case, acceptance), encode_document(document)
    result = _result(case, acceptance, doc)
    if case.stored is not None and digest == case.stored.digest:
        return Verdict(result)
    merged, is_sound = _merged(case.collection, document, acceptance.writes or document.writes())
    dead = [DeadClock(client_id, clock, op) for clock, op in acceptance.newly_refused.items()]
    dead += _compacted_clocks(acceptance.compacted)
    change = _change(case, merged, doc, digest, dead, is_sound=is_sound)
    return Verdict(msgspec.structs.replace(result, status="applied"), change, merged)


def _change(
    case: _Case, merged: Merged, doc: bytes, digest: int, dead: list[DeadClock], *, is_sound: bool
) -> RecordChange:
    document = merged.document
    return RecordChange(
        record_id=case.record_id,
        collection=case.collection.name,
        before=case.stored,
        doc=doc,
        digest=digest,
        needs_review=not is_sound,
        has_conflicts=bool(merged.folded.conflicts),
        deleted=merged.record.deleted is True,
        is_long=_is_long(document, len(doc)),
        spans=_spans(case.before.next_clocks, document.next_clocks),
        dead=dead,
        rows=project(case.collection.name, merged.record),
    )


def _is_long(document: Document, size: int) -> bool:
    """Tell whether a compaction would pay; nearly every record is far from it."""
    return (size >= COMPACTION_BYTES or document.op_count >= COMPACTION_OPS) and needs_compaction(document)


def _compacted_clocks(hashes: Mapping[int, Mapping[int, bytes]]) -> list[DeadClock]:
    return [
        DeadClock(client_id, clock, RefusedOp(op_hash))
        for client_id, hash_by_clock in hashes.items()
        for clock, op_hash in hash_by_clock.items()
    ]


def _digest(case: _Case, acceptance: Acceptance) -> int:
    """Give the digest of a record after the push: carried over where ops were only added, else summed up anew."""
    document = acceptance.document
    if case.stored is None or case.base is not None or acceptance.compacted:
        return record_digest(case.record_id, document)
    digest = case.stored.digest
    for client_id, first, next_clock in _spans(case.before.next_clocks, document.next_clocks):
        new = {clock: op for clock, op in document.ops[client_id].items() if clock >= first}
        digest = extend_digest(digest, case.record_id, client_id, first, new, next_clock)
    return digest


def _result(case: _Case, acceptance: Acceptance, doc: bytes) -> PushResult:
    hearing, refusals = case.hearing, acceptance.refusals
    has_all = _author_has(hearing.client_id, acceptance.document, case.base)
    return PushResult(
        acceptance.status,
        acceptance.next_clock,
        hearing.receipts.issue(hearing.scope_id, case.record_id, doc) if has_all else b"",
        refusals,
        encode_refusals(hearing.client_id, [refusal.clock for refusal in refusals]) if refusals else b"",
    )


def _author_has(client_id: int, document: Document, base: Document | None) -> bool:
    """Tell whether the author surely holds all that others wrote to the record.

    Only then is it told the receipt of this state: with one that runs ahead of its content it could prove nothing.
    """
    others = document.others(client_id)
    if not others:
        return True
    known = {} if base is None else dict(base.next_clocks)
    own = document.ops.get(client_id, {})
    if own:
        clock = max(own)
        seen = decode_op(own[clock], client_id=client_id, clock=clock)[-1].seen
        known.update((other, max(next_clock, known.get(other, 0))) for other, next_clock in seen.items())
    return all(known.get(other, 0) >= next_clock for other, next_clock in others.items())


def _spans(before: Mapping[int, int], after: Mapping[int, int]) -> list[ClockSpan]:
    return [
        ClockSpan(client_id, before.get(client_id, 0), next_clock)
        for client_id, next_clock in after.items()
        if next_clock > before.get(client_id, 0)
    ]


def _merged(collection: Collection, document: Document, writes: list[StampedWrite]) -> tuple[Merged, bool]:
    """Fold a record and read it; also tells whether it is sound. One that no longer fits its types reads as empty."""
    folded = fold(writes)
    try:
        record, problems = collection.read(folded.state)
    except msgspec.ValidationError:
        return Merged(document, folded, collection.model()), False
    return Merged(document, folded, record), not problems
