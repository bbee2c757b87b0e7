"""The endpoints of check-ins, `/api/checkins`: the athlete reports, the coach answers, the analysis helps.

Who may write a field is declared with the model: answers are the athlete's, feedback is the coach's, and the analysis
is carried in by the server alone, once the coach has approved it.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromQuery, JSONBody

from apex_server.caller import Caller, require_role
from apex_server.checkins.examples import CHECK_IN, CHECK_IN_PATCH
from apex_server.checkins.payloads import (
    AnalysisAsked,
    CheckInResource,
    CheckInsPage,
    NewCheckIn,
    PendingCheckIn,
    PendingCheckIns,
    Review,
)
from apex_server.checkins.questionnaires import QuestionnairesController
from apex_server.db import Connection, Database, load_queries
from apex_server.errors import FieldError, InvalidFields, RoleRequired
from apex_server.people import USER_NAME
from apex_server.problems import problem_responses
from apex_server.resources import (
    AthleteRecordController,
    FirstDay,
    KnownRecord,
    LastDay,
    Made,
    PageMark,
    RecordKind,
    RecordWriter,
    WeighingWriter,
    answered_questions,
    check_in_views,
    placed,
    questionnaires_named,
    read_records,
)
from apex_server.resources.controller import RecordId
from apex_server.resources.pages import PAGE_LENGTH_DEFAULT
from apex_server.resources.requests import READ_REFUSALS, WRITE_REFUSALS, IfMatch, Limit, now
from apex_server.resources.versions import version_named
from apex_server.vault import Vault
from apex_sync.coaching.checkin_view import CheckInDraft, checkin_patch
from apex_sync.coaching.drafts import DraftPatch
from apex_sync.coaching.reviewing import answers_digest
from apex_sync.ids import Scope
from apex_sync.models import CHECK_INS
from apex_sync.models.fields import parse_date
from apex_sync.op import Patch, Vector

__all__ = ["checkin_routes"]

_queries = load_queries(__package__)


@dataclass(frozen=True)
class CheckInFilters:
    """Which check-ins are listed."""

    athlete_id: FromQuery[UUID | None] = None
    first_day: FirstDay = None
    last_day: LastDay = None


class CheckInWriter(WeighingWriter):
    """A writer whose reviews name the answers that the coach had before them."""

    async def _apply(
        self, known: KnownRecord, difference: DraftPatch, version: Vector | None, own: Sequence[int]
    ) -> Made:
        if difference.patch.get("coach_reviewed") is True:
            seen = answers_digest(known.record if version is None else known.at(version))
            difference = DraftPatch({"reviewed_answers": seen, **difference.patch}, difference.places)
        return await super()._apply(known, difference, version, own)

    async def _admit(self, scope: str, patch: Patch, state: Mapping[str, Any]) -> None:
        """Refuse what the questionnaire forbids: handing it in with it, or writing it into what was handed in.

        A draft may hold anything, and so may what devices bring: there it is shown with its problem.
        """
        after = {**state, **patch}
        is_handed_in = not {"submitted_at", "questionnaire_id"}.isdisjoint(patch)
        written = patch.get("questionnaire") or {}
        name = after.get("questionnaire_id")
        if not isinstance(after.get("submitted_at"), str) or not name or not (is_handed_in or written):
            return
        async with self.reading() as connection:
            named = await questionnaires_named(connection, self.database.vault, [name])
        answers = {**(state.get("questionnaire") or {}), **written}
        refused = [
            FieldError(f"questionnaire.{one.key}", f"{one.problem}: {one.text}")
            for one in answered_questions(named, name, answers)
            if one.problem and (is_handed_in or one.key in written)
        ]
        if refused:
            raise InvalidFields(refused)


class CheckInsController(AthleteRecordController):
    """Check-ins of an athlete, or of all athletes of a coach."""

    path = "/api/checkins"
    tags = ("checkins",)
    request_max_body_size = 256 * 1024  # Notes and answers of 10,000 characters each, several times over.
    kind = RecordKind(CHECK_INS, "check-in", partial(checkin_patch, known=frozenset(CheckInResource.__struct_fields__)))
    view, page, new, draft = CheckInResource, CheckInsPage, NewCheckIn, CheckInDraft
    examples = (CHECK_IN, CHECK_IN, CHECK_IN_PATCH)
    entries = ("photos",)
    filters = CheckInFilters
    list_query, sorted_by, mark = _queries.list_check_ins, "-date", PageMark
    made_by = ("athlete",)
    writer = CheckInWriter

    def added(self, draft: Mapping[str, Any]) -> Patch:
        """Hand it in with being made, unless it says that it is a draft."""
        made_at = now()
        return {"created_at": made_at} | ({} if "submitted_at" in draft else {"submitted_at": made_at})

    async def show(
        self, connection: Connection, vault: Vault, found: Sequence[KnownRecord], include: Collection[str]
    ) -> list[CheckInResource]:
        """Show check-ins."""
        views = await check_in_views(connection, vault, found)
        shown = [
            CheckInResource(**msgspec.structs.asdict(view), **placed(known))
            for known, view in zip(found, views, strict=True)
        ]
        places = [
            (UUID(known.athlete_id or ""), parse_date(view.date)) for known, view in zip(found, shown, strict=True)
        ]
        days = {place for place in places if place[1] is not None}
        rows = await connection.fetch(_queries.list_days, *map(list, zip(*days, strict=True))) if days else []
        for view, place in zip(shown, places, strict=True):
            of_day = [row["record_id"] for row in rows if (row["scope_id"], row["date"]) == place]
            view.same_day = [other for other in of_day if str(other) != view.id]
        return shown

    @get("/pending", responses=problem_responses(*READ_REFUSALS, RoleRequired))
    async def list_pending(
        self, caller: NamedDependency[Caller], database: NamedDependency[Database], limit: Limit = PAGE_LENGTH_DEFAULT
    ) -> PendingCheckIns:
        """List what was submitted and not yet reviewed: the most urgent first, then whoever has waited longest."""
        require_role(caller, "coach")
        async with database.request(caller.user_id) as connection:
            rows = await connection.fetch(_queries.list_pending, limit + 1)
            found = await read_records(
                connection, database.vault, CHECK_INS, [(row["scope_id"], row["record_id"]) for row in rows]
            )
            views = await self.show(connection, database.vault, found, ())
            shown = {
                (Scope.parse(known.scope).id, UUID(known.id)): view for known, view in zip(found, views, strict=True)
            }
            names = await database.vault.texts(
                connection, USER_NAME, [(row["scope_id"], row["athlete_name"]) for row in rows]
            )
        pending = [
            PendingCheckIn(name, row["priority"], shown[place])
            for row, name in list(zip(rows, names, strict=True))[:limit]
            if (place := (row["scope_id"], row["record_id"])) in shown
        ]
        return PendingCheckIns(pending, more=len(rows) > limit)

    @post("/{record_id:uuid}/review", status_code=200, responses=problem_responses(*WRITE_REFUSALS, RoleRequired))
    async def review_record(
        self,
        record_id: "RecordId",
        data: JSONBody[Review],
        records: NamedDependency[RecordWriter],
        if_match: IfMatch = None,
    ) -> Response[CheckInResource]:
        """Answer a check-in as its coach; the athlete's devices show it with their next sync.

        An answer that the athlete changes afterwards makes it wait for the coach again.
        """
        require_role(records.caller, "coach")
        reviewed = {"coach_feedback": data.coach_feedback, "coach_reviewed": True, "reviewed_at": now()}
        return await self.made(records, await records.apply_patch(record_id, reviewed, version_named(if_match)))

    @post("/{record_id:uuid}/ai-analyze", status_code=202, responses=problem_responses(*READ_REFUSALS, RoleRequired))
    async def analyze_record(self, record_id: "RecordId", records: NamedDependency[RecordWriter]) -> AnalysisAsked:
        """Ask for the analysis now instead of after a quiet minute; its result is a draft insight for the coach."""
        require_role(records.caller, "coach")
        async with records.reading() as connection:
            known = await records.known(connection, record_id)
        async with records.database.commit_connection() as connection:
            await connection.execute(_queries.ask_for_analysis, UUID(known.athlete_id or ""), records.caller.user_id)
        return AnalysisAsked()


checkin_routes = (CheckInsController, QuestionnairesController)
