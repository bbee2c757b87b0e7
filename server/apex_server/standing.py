"""A coach's athletes with how each stands: one statement reads the facts of all, `apex_sync.coaching` judges them.

An owner reads the same beside their coaches, one or all, and support that of the one person whom they look at, without
a coach. Row-level security decides what may be read, and `coaches_read_by` only which coach's it is.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any, NamedTuple, TypeVar
from uuid import UUID

import msgspec
from anyio.lowlevel import checkpoint
from litestar.params import QueryParameter
from msgspec import UNSET, Struct

from apex_server.caller import Caller, require_role
from apex_server.db import Connection, load_queries
from apex_server.edited_programs import edited_programs
from apex_server.errors import TooManyClients
from apex_server.people import USER_NAME
from apex_server.sync.sealing import DocumentSeal
from apex_server.sync.store import DAMAGED
from apex_server.vault import UserKey, Vault
from apex_sync.coaching.adherence import DoneSession
from apex_sync.coaching.adherence_findings import usual_schedule
from apex_sync.coaching.client_standing import (
    ClientAdherence,
    ClientFacts,
    ClientStanding,
    Reason,
    Status,
    client_standing,
    first_day_needed,
)
from apex_sync.coaching.nutrition import DayTotals, Macros, nutrition_adherence
from apex_sync.coaching.plan import ScheduledSession
from apex_sync.coaching.plan_history import PlanHistory, asked_for
from apex_sync.fold import fold
from apex_sync.models import CLIENT_FILES, ClientFile
from apex_sync.wire import parse_document

__all__ = ["CLIENTS_MAX", "ClientSummary", "ReadCoach", "Standing", "clients_of", "coaches_read_by", "standings_of"]

CLIENTS_MAX = 10_000
"""Of one coach; nobody coaches half as many alone."""

CLIENTS_OF_SEVERAL_MAX = 1_000
"""Of several coaches at once: 0.2 s, a third of it CPU time of a web process, and two years of adherence are 6 MB."""

ReadCoach = Annotated[
    UUID | None, QueryParameter(description="For owners: with which of your coaches to read along; all, if none.")
]

_queries = load_queries(__package__)

T = TypeVar("T")


class ClientSummary(Struct, kw_only=True):
    """One of a coach's athletes, and how they stand: derived anew each time, but for what the coach has set.

    `reasons` say what made the status so. Adherence is per cent of what was due in the last two weeks. An athlete of
    several coaches of an organisation is shown with the one who has worked with them longest and has not archived them;
    archived only where every one of them did.
    """

    id: UUID
    name: str
    coach_id: UUID | None
    since: datetime
    status: Status
    reasons: list[Reason]
    archived: bool
    tags: list[str]
    subscription_tier: str | None
    last_workout: date | None
    last_check_in: date | None
    next_check_in_due: date
    check_ins_to_review: int
    critical_insights: int
    adherence: ClientAdherence
    average_session_minutes: float | None
    current_program_id: UUID | None


class _Due(ScheduledSession, frozen=True, kw_only=True, array_like=True, gc=False):
    """A session that was due, as Postgres writes it."""


class _Session(DoneSession, frozen=True, kw_only=True, array_like=True, gc=False):
    """A session that was trained, as Postgres writes it."""


class _Eaten(Struct, array_like=True):
    date: date
    meals: int
    foods: int
    energy_kcal: float | None
    protein_g: float | None
    carbs_g: float | None
    fat_g: float | None


class _Asked(Struct, array_like=True):
    start: date
    energy_kcal: float | None
    protein_g: float | None
    carbs_g: float | None
    fat_g: float | None


class Standing(NamedTuple):
    """How one athlete stands, and the facts it follows from."""

    client: ClientSummary
    facts: ClientFacts


async def coaches_read_by(connection: Connection, caller: Caller, coach_id: UUID | None) -> list[UUID] | None:
    """Give the coaches whose athletes somebody reads; None for support, who reads without one.

    An owner reads with all of their coaches, or with the one they name. Whoever names a coach whom they do not read
    reads with none. Raises RoleRequired.
    """
    require_role(caller, "coach", "owner", "support")
    if caller.role == "support":
        return None
    if caller.role == "coach":
        return [caller.user_id] if coach_id in (None, caller.user_id) else []
    rows = await connection.fetch(_queries.list_coaches_read, caller.user_id, coach_id)
    return [row["coach_id"] for row in rows]


async def clients_of(
    connection: Connection, vault: Vault, coaches: Sequence[UUID] | None, athlete_id: UUID | None = None
) -> list[ClientSummary]:
    """Read the athletes of coaches, or one of them, in no particular order. Raises TooManyClients."""
    return [standing.client for standing in await standings_of(connection, vault, coaches, athlete_id)]


async def standings_of(
    connection: Connection,
    vault: Vault,
    coaches: Sequence[UUID] | None,
    athlete_id: UUID | None = None,
    *,
    first_day: date | None = None,
) -> list[Standing]:
    """Read the same with the facts; sessions done and due reach back to `first_day`, if it is earlier than needed.

    Whatever else the server has to do gets its turn between two athletes. Raises TooManyClients.
    """
    several = coaches is not None and len(coaches) > 1
    now = datetime.now(UTC)
    needed = first_day_needed(now.date() - timedelta(days=1))
    rows = await connection.fetch(
        _queries.list_standings,
        coaches,
        athlete_id,
        min(first_day or needed, needed),
        now.date() + timedelta(days=1),
        needed,
        CLIENTS_OF_SEVERAL_MAX + 1 if several else CLIENTS_MAX,
        now.replace(tzinfo=None),
    )
    if several and len(rows) > CLIENTS_OF_SEVERAL_MAX:
        raise TooManyClients(CLIENTS_OF_SEVERAL_MAX)
    keys = await vault.user_keys(connection, [row["id"] for row in rows])
    first, last = min(first_day or needed, needed), now.date() + timedelta(days=1)
    edited = await edited_programs(connection, keys, first, last)
    standings = []
    for row in rows:
        if row["id"] in keys:
            histories = edited.get(row["id"])
            asked = _asked(row) if histories is None else _asked_then(histories, first, row["today"], last)
            standings.append(_standing(row, keys[row["id"]], first_day, asked))
            await checkpoint()
    return standings


def _standing(row: Any, key: UserKey, first_day: date | None, asked: Sequence[ScheduledSession] | None) -> Standing:
    file = _file(row, key)
    facts = _facts(row, file, first_day, asked)
    standing: ClientStanding = client_standing(facts)
    client = ClientSummary(
        id=row["id"],
        name=key.open_text(row["name"], what=USER_NAME),
        coach_id=row["coach_id"],
        since=row["since"],
        status=standing.status,
        reasons=list(standing.reasons),
        archived=file.archived is True,
        tags=list(file.tags or []) if file.tags is not UNSET else [],
        subscription_tier=file.subscription_tier or None,
        last_workout=row["last_workout"],
        last_check_in=max(facts.check_ins, default=None),
        next_check_in_due=standing.next_check_in_due,
        check_ins_to_review=row["check_ins_to_review"],
        critical_insights=row["critical_insights"],
        adherence=standing.adherence,
        average_session_minutes=row["average_session_minutes"],
        current_program_id=row["current_program_id"],
    )
    return Standing(client, facts)


def _file(row: Any, key: UserKey) -> ClientFile:
    """Open what the coach keeps; a file that is damaged, or no longer fits its types, reads as empty."""
    if row["doc"] is None:
        return ClientFile()
    doc = DocumentSeal(row["private_scope"], key).open(row["record_id"].bytes, row["digest"], row["doc"])
    if doc == DAMAGED:
        return ClientFile()
    try:
        record, _ = CLIENT_FILES.read(fold(parse_document(doc).writes()).state)
    except msgspec.ValidationError:
        return ClientFile()
    return record if isinstance(record, ClientFile) else ClientFile()


def _asked(row: Any) -> Sequence[ScheduledSession] | None:
    """List what programs ask for as they are; None where training days a week count."""
    scheduled = _read(row["scheduled"], _Due)
    counts = row["has_schedule"] or any(session.date <= row["today"] for session in scheduled)
    return scheduled if counts else None


def _asked_then(
    histories: Sequence[PlanHistory], first: date, today: date, last: date
) -> Sequence[ScheduledSession] | None:
    """List the same as the programs were on each day."""
    due = asked_for(histories, first, today)
    return [session for session in due if first <= session.date <= last] if due else None


def _facts(row: Any, file: ClientFile, first_day: date | None, asked: Sequence[ScheduledSession] | None) -> ClientFacts:
    today: date = row["today"]
    check_ins = [on for on in _read(row["check_ins"], date) if on <= today]
    return ClientFacts(
        as_of=today,
        since=row["since"].date(),
        scheduled=usual_schedule(
            row["training_days_per_week"], row["first_workout"], today, first_day, coached_since=row["since"].date()
        )
        if asked is None
        else asked,
        done=_read(row["sessions"], _Session),
        check_ins=check_ins,
        check_in_day_number=row["check_in_day_number"],
        last_workout=row["last_workout"],
        nutrition_percent=_nutrition_percent(row, today),
        critical_insights=row["critical_insights"],
        status_set=file.status or None,
    )


def _nutrition_percent(row: Any, today: date) -> float | None:
    eaten = [
        (
            day.date,
            DayTotals(
                meals=day.meals,
                foods=day.foods,
                macros=Macros(
                    energy_kcal=day.energy_kcal, protein_g=day.protein_g, carbs_g=day.carbs_g, fat_g=day.fat_g
                ),
            ),
        )
        for day in _read(row["eaten"], _Eaten)
    ]
    asked = [
        (
            each.start,
            Macros(energy_kcal=each.energy_kcal, protein_g=each.protein_g, carbs_g=each.carbs_g, fat_g=each.fat_g),
        )
        for each in _read(row["asked"], _Asked)
    ]
    return nutrition_adherence(eaten, asked, as_of=today).percent


def _read(text: str | None, row: type[T]) -> Sequence[T]:
    """Read an aggregate of Postgres; none is no rows."""
    return [] if text is None else msgspec.json.decode(text, type=list[row])  # type: ignore[valid-type]
