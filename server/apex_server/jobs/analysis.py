"""The job: read an athlete's records, run the rules, word what is new, and put it before the coaches as drafts.

Facts that have not changed cost nothing: the id of an insight follows from them, so where it exists there is nothing to
word or write. What a draft said and later data no longer bears out is marked as superseded. A job may run twice, or two
at once, and leaves the same records; and what it found is dropped when the records have changed meanwhile, because then
another job is due.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from msgspec import Struct

from apex_server.ai.template import TemplateWording
from apex_server.ai.wording import InsightKind, WordedInsight, Wording, WordingContext
from apex_server.db import Database, load_queries
from apex_server.jobs.drafts import draft_of
from apex_server.jobs.reading import AthleteRecords, read_athlete
from apex_server.jobs.subjects import Subject, subjects_of
from apex_server.sync.commit import Committer
from apex_sync.ids import Scope, private_scope

__all__ = ["Analyst"]

_log = structlog.get_logger(__name__)
_queries = load_queries(__package__)


class Known(Struct, frozen=True):
    """An insight that is there already."""

    about_id: str | None
    type: str | None
    status: str | None

    def is_about(self, subject: Subject) -> bool:
        """Tell whether it speaks of the same."""
        if subject.about_id is not None:
            return self.about_id == subject.about_id
        return self.type == subject.key


KnownById = Mapping[str, Known]


class Analyst:
    """Analyses athletes; `now` is the wall clock, with a zone."""

    def __init__(
        self, database: Database, committer: Committer, wording: Wording, *, now: Callable[[], datetime]
    ) -> None:
        self._database = database
        self._committer = committer
        self._wording = wording
        self._now = now

    async def analyse(self, athlete_id: UUID, kind: InsightKind) -> None:
        """Do what is due for an athlete. Raises DatabaseUnavailable, ServerBusy: then it is still due."""
        if not await self._fetchval(_queries.is_due, athlete_id, kind):
            return
        now = self._now()
        records = await read_athlete(self._database, athlete_id, now)
        subjects = subjects_of(kind, records, records.today(now))
        known = {coach_id: await self._known(coach_id, athlete_id, kind, subjects) for coach_id in records.coach_ids}
        texts = await self._word(records, subjects, known)
        if await self._fetchval(_queries.is_stale, athlete_id, kind, records.seq):
            _log.info("analysis_stale", athlete_id=str(athlete_id), kind=kind)
        else:
            for coach_id, insights in known.items():
                await self._write(coach_id, records, kind, subjects, texts, insights)
        async with self._database.commit_connection() as connection:
            await connection.execute(_queries.finish_due, athlete_id, kind, records.seq)

    async def _known(
        self, coach_id: UUID, athlete_id: UUID, kind: InsightKind, subjects: Sequence[Subject]
    ) -> KnownById:
        scope_id = Scope.parse(private_scope(str(coach_id), str(athlete_id))).id
        ids = [UUID(subject.insight_id(coach_id, athlete_id)) for subject in subjects if subject.findings]
        async with self._database.commit_connection() as connection:
            rows = await connection.fetch(_queries.list_insights, scope_id, kind, ids)
        return {str(row["record_id"]): Known(row["about_id"], row["type"], row["status"]) for row in rows}

    async def _word(
        self, records: AthleteRecords, subjects: Sequence[Subject], known: Mapping[UUID, KnownById]
    ) -> Mapping[str, WordedInsight]:
        """Word what some coach has not seen, once for all of them; without consent no model hears of anything."""
        consented = await self._fetchval(_queries.has_consented, records.athlete_id)
        wording = self._wording if consented else TemplateWording()
        texts = {}
        for subject in subjects:
            lacking = [
                coach_id
                for coach_id, insights in known.items()
                if subject.insight_id(coach_id, records.athlete_id) not in insights
            ]
            if subject.findings and lacking:
                texts[subject.key] = await wording.word(subject.findings, context_of(subject, records, lacking[0]))
        return texts

    async def _write(
        self,
        coach_id: UUID,
        records: AthleteRecords,
        kind: InsightKind,
        subjects: Sequence[Subject],
        texts: Mapping[str, WordedInsight],
        known: KnownById,
    ) -> None:
        scope = private_scope(str(coach_id), str(records.athlete_id))
        for subject in subjects:
            if not subject.findings:
                continue
            insight_id = subject.insight_id(coach_id, records.athlete_id)
            if insight_id not in known:
                patch = draft_of(subject, texts[subject.key], records.athlete_id, self._now())
                await self._save(scope, insight_id, patch)
            elif known[insight_id].status == "superseded":
                await self._save(scope, insight_id, {"status": "draft", "superseded_by": None})
        for insight_id, successor in superseded(known, subjects, coach_id, records, kind):
            await self._save(scope, insight_id, {"status": "superseded", "superseded_by": successor})

    async def _save(self, scope: str, insight_id: str, patch: dict[str, Any]) -> None:
        await self._committer.write(None, scope, "insights", insight_id, patch)
        _log.info("insight_written", insight_id=insight_id, status=patch["status"])

    async def _fetchval(self, query: str, *arguments: Any) -> Any:
        async with self._database.commit_connection() as connection:
            return await connection.fetchval(query, *arguments)


def superseded(
    known: KnownById, subjects: Sequence[Subject], coach_id: UUID, records: AthleteRecords, kind: InsightKind
) -> list[tuple[str, str | None]]:
    """List the open drafts that no longer say what is, each with the insight that does, if there is one.

    A draft about a check-in that was not looked at stands, unless the check-in is gone.
    """
    current = {subject.insight_id(coach_id, records.athlete_id): subject for subject in subjects if subject.findings}
    check_in_ids = {id_ for id_, _ in records.check_ins}
    gone: list[tuple[str, str | None]] = []
    for insight_id, insight in known.items():
        if insight.status != "draft" or insight_id in current:
            continue
        successor = next((id_ for id_, subject in current.items() if insight.is_about(subject)), None)
        looked_at = kind == "training" or any(insight.is_about(subject) for subject in subjects)
        if looked_at or insight.about_id not in check_in_ids:
            gone.append((insight_id, successor))
    return gone


def context_of(subject: Subject, records: AthleteRecords, coach_id: UUID) -> WordingContext:
    """Give what a wording may know of the athlete."""
    profile, plan = records.profile, records.plan
    return WordingContext(
        kind=subject.kind,
        athlete_id=records.athlete_id,
        coach_id=coach_id,
        training_age_years=profile.training_age_years,
        volume_tolerance=profile.volume_tolerance,
        program_week=plan.week_number(max(found.window.to for found in subject.findings)) if plan else None,
        goals=profile.goals,
    )
