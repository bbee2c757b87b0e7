"""The chain of a scope: every row of its audit, in the order of seq and client id, under one keyed hash.

What a chain is: audit/chain.py. It is made where a commit is, so every store keeps the same, and costs a few
microseconds a row.
"""

import struct
from collections.abc import Iterator, Sequence
from typing import NamedTuple
from uuid import UUID

from apex_server.audit.chain import AuditChain, link_of
from apex_server.sync.store import ClockSpan, RecordChange, ScopeState, Writer
from apex_sync.ids import Scope

__all__ = ["Chained", "audit_row", "chained", "scope_chain_name", "spans_in_order"]

NOBODY = bytes(16)
_pack_row = struct.Struct(">qq16sqqq?16s?16sq").pack


class Chained(NamedTuple):
    """The chain after a commit: where it stands, and the links of the commit's audit rows in their order."""

    state: bytes
    links: Sequence[bytes]


def chained(
    chain: AuditChain, scope: str, before: ScopeState, writer: Writer, at_us: int, changes: Sequence[RecordChange]
) -> Chained:
    """Take the chain of a scope on by a commit.

    A scope that was written to before there were chains begins with what comes now.
    """
    state = before.chain or chain.beginning(scope_chain_name(Scope.parse(scope).id, before.seq))
    links = []
    for seq, change in enumerate(changes, before.seq + 1):
        previous_seq = change.before.seq if change.before is not None else 0
        for span in spans_in_order(change):
            row = audit_row(seq, change.record_id, previous_seq, span, writer.user_id, writer.device_id, at_us)
            state = chain.after(state, row)
            links.append(link_of(state))
    return Chained(state, links)


def scope_chain_name(scope_id: UUID, after_seq: int) -> bytes:
    """Name the chain of a scope that begins after a seq."""
    return b"audit of " + scope_id.bytes + struct.pack(">q", after_seq)


def spans_in_order(change: RecordChange) -> Iterator[ClockSpan]:
    """Give the authors of a change in the order in which their rows are chained."""
    yield from sorted(change.spans)


def audit_row(
    seq: int,
    record_id: bytes,
    previous_seq: int,
    span: ClockSpan,
    user_id: UUID | None,
    device_id: UUID | None,
    at_us: int,
) -> bytes:
    """Write a row of the audit in the one form that the chain is made over."""
    return _pack_row(
        seq,
        span.client_id,
        record_id,
        previous_seq,
        span.first_clock,
        span.next_clock,
        user_id is not None,
        NOBODY if user_id is None else user_id.bytes,
        device_id is not None,
        NOBODY if device_id is None else device_id.bytes,
        at_us,
    )
