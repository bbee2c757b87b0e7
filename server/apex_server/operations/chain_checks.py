"""Whether the audit is what was written: both kinds of chain, followed from their beginning to their head."""

from collections.abc import AsyncIterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from apex_server.audit.chain import AuditChain, link_of
from apex_server.audit.events import event_chain_name, event_row
from apex_server.sync.chaining import audit_row, scope_chain_name
from apex_server.sync.store import ClockSpan

__all__ = ["problem_of_event_chain", "problem_of_scope_chain"]

UNIX_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
CUT_OFF = "its last rows were cut off, or its head was altered"


async def problem_of_scope_chain(
    chain: AuditChain, scope_id: UUID, head: bytes, rows: AsyncIterable[Any], *, chained_since: datetime
) -> str | None:
    """Follow the audit of a scope, its rows in the order of seq and client id, and name the first that is not right.

    Rows from before there were chains have no link; none may follow one that has.
    """
    state, after_seq = b"", 0
    async for row in rows:
        if not state:
            if row["link"] is None and row["committed_at"] < chained_since:
                after_seq = row["seq"]
                continue
            state = chain.beginning(scope_chain_name(scope_id, after_seq))
        state = chain.after(state, scope_row(row))
        if link_of(state) != row["link"]:
            return (
                f"at seq {row['seq']}, client {row['client_id']}, the chain breaks: rows were altered, added or taken"
            )
    return None if state == head else f"the chain does not end where the scope says: {CUT_OFF}"


async def problem_of_event_chain(
    chain: AuditChain, subject_id: UUID, head: Sequence[Any], rows: AsyncIterable[Any]
) -> str | None:
    """Follow the events of a person, in the order of seq; `head` is the seq and state that the chain says it has."""
    state, seq = b"", 0
    async for row in rows:
        seq += 1
        state = chain.after(state or chain.beginning(event_chain_name(subject_id)), row_of_event(row))
        if row["seq"] != seq or link_of(state) != row["link"]:
            return f"at event {seq} of {subject_id} the chain breaks: events were altered, added or taken"
    return None if (seq, state) == tuple(head) else f"the events of {subject_id} do not end where they did: {CUT_OFF}"


def scope_row(row: Any) -> bytes:
    """Write a row of the audit as its chain was made."""
    span = ClockSpan(row["client_id"], row["first_clock"], row["next_clock"])
    at_us = (row["committed_at"] - UNIX_EPOCH) // timedelta(microseconds=1)
    return audit_row(
        row["seq"], row["record_id"].bytes, row["previous_seq"], span, row["user_id"], row["device_id"], at_us
    )


def row_of_event(row: Any) -> bytes:
    """Write an event as its chain was made."""
    return event_row(
        row["seq"], row["at"], row["action"], row["actor_id"], row["actor_role"], row["device_id"], row["sealed"]
    )
