"""Who needs attention, and why: the reasons of each athlete, and the order they put a coach's list in.

How an athlete stands is what the API says, too (`apex_server.standing`); beside it stands what waits for the coach.
"""

import base64
import datetime
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from msgspec import Struct

from apex_server.db import Connection
from apex_server.people import DEVICE_NAME, USER_NAME
from apex_server.standing import ClientSummary
from apex_server.sync.sealing import EXERCISE_NAME, DocumentSeal
from apex_server.vault import UserKey, Vault
from apex_server.web.rendering import read_json
from apex_server.web.wording import as_count, as_number
from apex_sync.ids import athlete_scope

__all__ = ["AthleteRow", "Device", "Reason", "athletes_by_need", "opened_overview"]

QUIET_DAYS = 7
"""A week without a session is worth a word in most programmes, which plan at least two."""
WAITING_DAYS_URGENT = 3
"""A check-in that waits longer answers a week that is half over."""

_URGENCY = {"critical": 3, "warning": 2, "note": 1}


class Reason(Struct, frozen=True):
    """Why an athlete needs attention; `level` is `critical`, `warning` or `note`."""

    level: str
    text: str
    weight: int


class Device(Struct, frozen=True, kw_only=True):
    """A device and when it last synced."""

    name: str
    kind: str
    synced_at: datetime.datetime


class AthleteRow(Struct, frozen=True, kw_only=True):
    """One athlete of the list."""

    id: UUID
    name: str
    reasons: Sequence[Reason]
    level: str
    devices: Sequence[Device]
    workout_date: datetime.date | None
    workout_time: datetime.datetime | None
    workout_exercises: str | None
    workout_sets: int | None


async def opened_overview(connection: Connection, vault: Vault, rows: Sequence[Any]) -> list[dict[str, Any]]:
    """Open the names in rows of `list_overview`."""
    keys = await vault.user_keys(connection, [row["id"] for row in rows])
    return [{**dict(row), **_opened(row, keys[row["id"]])} for row in rows if row["id"] in keys]


def _opened(row: Any, key: UserKey) -> dict[str, Any]:
    devices = read_json(row["devices"])
    for device in devices:
        device["name"] = key.open_text(base64.b64decode(device["name"]), what=DEVICE_NAME)
    seal = DocumentSeal(athlete_scope(str(row["id"])), key)
    names = [seal.open_name(name, EXERCISE_NAME) for name in row["workout_exercises"] or ()]
    return {
        "name": key.open_text(row["name"], what=USER_NAME),
        "devices": devices,
        "workout_exercises": ", ".join(filter(None, names)),
    }


def athletes_by_need(
    rows: Iterable[Any], clients: Mapping[UUID, ClientSummary], today: datetime.date
) -> list[AthleteRow]:
    """List athletes who are not archived: the most urgent reasons first, then by name."""
    standing = ((row, clients.get(row["id"])) for row in rows)
    athletes = [_athlete(row, client, today) for row, client in standing if client and not client.archived]
    return sorted(athletes, key=lambda athlete: (-_need(athlete), athlete.name.casefold(), athlete.id))


def _athlete(row: Any, client: ClientSummary, today: datetime.date) -> AthleteRow:
    reasons = sorted([*_reasons(row, today), *_standing(client, today)], key=lambda reason: -reason.weight)
    return AthleteRow(
        id=row["id"],
        name=row["name"],
        reasons=reasons,
        level=reasons[0].level if reasons else "calm",
        devices=[
            Device(
                name=device["name"],
                kind=device["kind"],
                synced_at=datetime.datetime.fromisoformat(device["synced_at"]),
            )
            for device in row["devices"]
        ],
        workout_date=row["workout_date"],
        workout_time=row["workout_time"],
        workout_exercises=row["workout_exercises"],
        workout_sets=row["workout_sets"],
    )


def _need(athlete: AthleteRow) -> int:
    return sum(reason.weight for reason in athlete.reasons)


def _reasons(row: Any, today: datetime.date) -> Iterable[Reason]:
    """Weights keep the levels apart: any critical reason goes before all warnings, any of those before all notes."""
    if row["critical"]:
        yield _reason("critical", as_count(row["critical"], "critical insight"), 9)
    if row["high"]:
        yield _reason("warning", as_count(row["high"], "urgent insight"), 8)
    if row["pending_check_ins"]:
        waited = (today - row["pending_since"]).days if row["pending_since"] else 0
        text = as_count(row["pending_check_ins"], "check-in to answer", "check-ins to answer")
        yield _reason("warning", text, 6 + (waited >= WAITING_DAYS_URGENT))
    if row["unread"]:
        yield _reason("warning", as_count(row["unread"], "new message"), 5)
    if row["reviews"]:
        yield _reason("warning", as_count(row["reviews"], "value to check", "values to check"), 5)
    if row["conflicts"]:
        text = as_count(row["conflicts"], "record with a conflict", "records with conflicts")
        yield _reason("note", text, 4)
    if row["medium"] or row["low"]:
        yield _reason("note", as_count(row["medium"] + row["low"], "insight"), 3)


def _standing(client: ClientSummary, today: datetime.date) -> Iterable[Reason]:
    """Put into words why a status is what it is; a critical insight counts among the insights."""
    late = (today - client.next_check_in_due).days
    if "check_in_overdue" in client.reasons:
        yield _reason("warning", f"Check-in {as_count(late, 'day')} overdue", 5)
    if "check_in_late" in client.reasons:
        yield _reason("note", f"Check-in {as_count(late, 'day')} late", 3)
    if "low_adherence" in client.reasons:
        done = as_number(client.adherence.workouts or 0, 0)
        yield _reason("warning", f"{done} % of the sessions of two weeks", 4)
    if "set_by_coach" in client.reasons:
        yield _reason("note", f"You set: {client.status.replace('-', ' ')}", 1)
    if client.last_workout is None:
        yield _reason("note", "Nothing logged yet", 2)
    elif (quiet := (today - client.last_workout).days) >= QUIET_DAYS:
        yield _reason(
            "warning" if "silent" in client.reasons else "note", f"No session for {as_count(quiet, 'day')}", 2
        )


def _reason(level: str, text: str, weight: int) -> Reason:
    return Reason(level, text, 100 ** _URGENCY[level] * weight)
