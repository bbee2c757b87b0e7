"""How programs end: one that is assigned takes the place of others in its days, and one that is completed ends."""

import datetime
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from apex_sync.coaching.leaves import day, text
from apex_sync.coaching.weeks import days_before
from apex_sync.collection import Record
from apex_sync.op import Patch


class EndedProgram(Struct, frozen=True, kw_only=True):
    """A program that gave way to one that was assigned, as it stands now.

    `active` is one that began before: it is followed until its `end_date`. One that did not is `archived`.
    """

    id: str
    name: str | None
    status: str | None
    start_date: datetime.date | None
    end_date: datetime.date | None


def ended_program(record_id: str, program: Record) -> EndedProgram:
    """Tell of a program that was ended, without trusting what it holds."""
    return EndedProgram(
        id=record_id,
        name=text(getattr(program, "name", None)),
        status=text(getattr(program, "status", None)),
        start_date=day(getattr(program, "start_date", None)),
        end_date=day(getattr(program, "end_date", None)),
    )


def ends_with(assigned_id: str, assigned: Mapping[str, Any], held: Mapping[str, Mapping[str, Any]]) -> dict[str, Patch]:
    """Give what ends the other programs of an athlete, by id, when one is assigned; also when it is assigned again.

    `held` are the athlete's programs by id; those that stay as they are, are left out.

    >>> held = {"old": {"status": "active", "start_date": "2026-01-05"}, "over": {"status": "completed"}}
    >>> ends_with("new", {"status": "active", "start_date": "2026-03-02"}, held)
    {'old': {'end_date': '2026-03-01'}}
    """
    ends = {other: replaced_program(program, assigned) for other, program in held.items() if other != assigned_id}
    return {other: patch for other, patch in ends.items() if patch}


def replaced_program(held: Mapping[str, Any], by: Mapping[str, Any]) -> Patch:
    """Give what ends a program when another is assigned; nothing where not both are followed, in the same days.

    One that began earlier is followed until the day before, so that it asks for nothing from that day on, and one that
    did not is archived. A program without a first day asks for nothing: it ends no other, and gives way to any.

    >>> followed = {"status": "active", "start_date": "2026-03-02"}
    >>> replaced_program({"status": "active", "start_date": "2026-01-05", "end_date": "2026-03-29"}, followed)
    {'end_date': '2026-03-01'}
    >>> replaced_program({"status": "active", "start_date": "2026-01-05", "end_date": "2026-03-01"}, followed)
    {}
    """
    first = day(by.get("start_date"))
    if held.get("status") != "active" or by.get("status") != "active" or first is None:
        return {}
    start, end, last = day(held.get("start_date")), day(held.get("end_date")), day(by.get("end_date"))
    if start is not None and ((end and end < first) or (last and last < start)):
        return {}
    if start is None or start >= first:
        return {"status": "archived"}
    return {"end_date": days_before(first, 1).isoformat()}


def completed_program(changes: Patch, held: Record, today: str) -> Patch:
    """Complete changes of a program: one that is followed and set to completed ends today, unless they say when.

    What was due after that day is due no more. One that has not begun was never followed, and is archived.

    >>> from apex_sync.models import Program
    >>> held = Program(status="active", start_date="2026-01-05", end_date="2026-03-29")
    >>> completed_program({"status": "completed"}, held, "2026-02-10")
    {'status': 'completed', 'end_date': '2026-02-10'}
    >>> completed_program({"status": "completed"}, held, "2026-01-01")
    {'status': 'archived'}
    """
    is_completed = changes.get("status") == "completed" and getattr(held, "status", None) == "active"
    if not is_completed or "end_date" in changes:
        return changes
    start, end = changes.get("start_date", getattr(held, "start_date", None)), getattr(held, "end_date", None)
    if isinstance(start, str) and start > today:
        return {**changes, "status": "archived"}
    return changes if isinstance(end, str) and end <= today else {**changes, "end_date": today}
