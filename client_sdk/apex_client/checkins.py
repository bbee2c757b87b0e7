"""Check-ins: the athlete's weekly report as a draft until it is submitted, and the coach's answer.

check_in = await replica.checkins.draft(weight=82.4, responses={"energy": 7, "sleep": 6})
await check_in.submit()
"""

from collections.abc import Mapping
from datetime import date as Date
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

from msgspec import UNSET, UnsetType

from apex_client import checkin_edits as edits
from apex_client import listing
from apex_client.photos import Photo, Photos
from apex_client.records import DatedRecords, Record
from apex_sync.coaching.questionnaires import AnsweredQuestion, answered, library_asked
from apex_sync.coaching.reviewing import is_edited_since_review
from apex_sync.models import QUESTIONNAIRES, Questionnaire
from apex_sync.models import checkin as models
from apex_sync.models.body import LengthUnit, PhotoType

if TYPE_CHECKING:
    from apex_client.replica import Replica


LoadUnit = Literal["kg", "lb"]
Question = str
Answer = float | str | None

PENDING = (
    "submitted_at IS NOT NULL AND coach_reviewed IS NOT 1 AND (athlete_id = ? OR ? IS NULL) ORDER BY ("
    " SELECT min(CASE insight.priority WHEN 'critical' THEN 1 WHEN 'high' THEN 2 WHEN 'medium' THEN 3"
    " WHEN 'low' THEN 4 END) FROM insights AS insight"
    " WHERE insight.about_id = check_ins.id AND insight.status = 'draft') NULLS LAST, submitted_at, id"
)
"""What the server lists as pending, in its order."""


class CheckIns(DatedRecords["CheckIn"]):
    """The check-ins of one athlete, or on a coach's replica of all of them."""

    def __init__(self, replica: "Replica", scope: str | None = None) -> None:
        super().__init__(replica, "check_ins", scope, handle=CheckIn)

    async def draft(
        self,
        *,
        date: Date | str | None = None,
        week_number: int | None = None,
        weight: float | None = None,
        unit: LoadUnit | None = None,
        body_fat_percent: float | None = None,
        measurements: Mapping[str, float | None] | None = None,
        length_unit: LengthUnit = "cm",
        responses: Mapping[str, int | None] | None = None,
        questionnaire_id: str | None = None,
        questionnaire: Mapping[Question, Answer] | None = None,
        notes: str | None = None,
    ) -> "CheckIn":
        """Begin a check-in, for today unless told otherwise.

        `weight` is in `unit` (default: the unit of the replica), `measurements` (`waist`, `chest` …) in `length_unit`;
        `responses` (`energy`, `sleep` …) are 1 to 10; `questionnaire` answers by the keys of the questions of
        `questionnaire_id`, one of `replica.questionnaires`. Raises OutOfBounds, and AthleteNeeded on a coach's replica.
        """
        patch = edits.fields(
            {
                "date": self._replica._day(date) or self._replica._wall_clock(None)[:10],
                "week_number": week_number, "weight": weight, "unit": unit, "body_fat_percent": body_fat_percent,
                "measurements": measurements, "length_unit": length_unit, "responses": responses,
                "questionnaire_id": questionnaire_id, "questionnaire": questionnaire, "notes": notes,
            },
            self._replica.load_unit,
            drop_none=True,
        )  # fmt: skip
        return await self.create(patch)

    async def pending(self, *, limit: int = 100) -> list["CheckIn"]:
        """List what waits for the coach: the most urgent drafted insight first, then whoever has waited longest."""
        athlete_id = None if self._scope is None else self._scope.rpartition(":")[2]
        return await self.query(PENDING, [athlete_id, athlete_id], limit=limit)


class CheckIn(Record[models.CheckIn]):
    """One check-in, as it stood at the last call."""

    @property
    def date(self) -> str | None:
        """The calendar day it reports on."""
        found: str | None = self.snapshot.state.get("date")
        return found

    @property
    def weight_kg(self) -> float | None:
        """Body weight in kilograms."""
        found: float | None = self.snapshot.state.get("weight_kg")
        return found

    @property
    def responses(self) -> dict[str, int]:
        """The answers given, each 1 to 10, by question."""
        return {name: value for name, value in (self.get("responses") or {}).items() if value is not None}

    @property
    def notes(self) -> str | None:
        """The athlete's note."""
        found: str | None = self.snapshot.state.get("notes")
        return found

    @property
    def submitted(self) -> bool:
        """Whether the coach is to read it; False while it is a draft."""
        return self.get("submitted_at") is not None

    @property
    def coach_feedback(self) -> str | None:
        """What the coach answered."""
        found: str | None = self.snapshot.state.get("coach_feedback")
        return found

    @property
    def coach_reviewed(self) -> bool:
        """Whether the coach has reviewed it; `edited_since_review` tells whether as it stands."""
        return self.get("coach_reviewed") is True

    @property
    def edited_since_review(self) -> bool:
        """Whether the athlete has changed an answer since the coach reviewed it."""
        return is_edited_since_review(self.record)

    @property
    def ai_summary(self) -> str | None:
        """The analysis that the coach approved."""
        found: str | None = self.snapshot.state.get("ai_summary")
        return found

    @property
    def ai_recommendations(self) -> list[str]:
        """The recommendations that the coach approved."""
        return list(self.get("ai_recommendations") or [])

    async def edit(  # type: ignore[override]  # Its answers have units, so they are named one by one.
        self,
        *,
        date: Date | str | UnsetType = UNSET,
        week_number: int | UnsetType | None = UNSET,
        weight: float | UnsetType | None = UNSET,
        unit: LoadUnit | None = None,
        body_fat_percent: float | UnsetType | None = UNSET,
        measurements: Mapping[str, float | None] | UnsetType = UNSET,
        length_unit: LengthUnit = "cm",
        responses: Mapping[str, int | None] | UnsetType = UNSET,
        questionnaire_id: str | UnsetType | None = UNSET,
        questionnaire: Mapping[Question, Answer] | UnsetType = UNSET,
        notes: str | UnsetType | None = UNSET,
    ) -> Self:
        """Change answers; what is not given stays, None empties one."""
        patch = edits.fields(
            {
                "date": date if date is UNSET else self._replica._day(date),
                "week_number": week_number, "weight": weight, "unit": unit, "body_fat_percent": body_fat_percent,
                "measurements": measurements, "length_unit": length_unit, "responses": responses,
                "questionnaire_id": questionnaire_id, "questionnaire": questionnaire, "notes": notes,
            },
            self._replica.load_unit,
        )  # fmt: skip
        return await self._edit(lambda state: patch)

    async def asked(self) -> Record[Questionnaire] | None:
        """Read the questionnaire it answers, deleted or not; None until it has come, and once it is no longer shared.

        Of two coaches' with one id it is the one that has questions for the most of the answers; of equals one that is
        not deleted, then one that is active, then that of the latest `created_at`.
        """
        named = self.get("questionnaire_id")
        found = await self._replica._do(listing.by_id, QUESTIONNAIRES.name, None, [named]) if named else []
        alike = {each.scope: Record[Questionnaire](self._replica, each) for each in found}
        library = library_asked({each.scope: each.record for each in alike.values()}, self.get("questionnaire") or {})
        return alike.get(library or "")

    async def questions(self) -> list[AnsweredQuestion]:
        """List the coach's questions with the answers; `problem` says what a question expects instead.

        Without the questionnaire (see `asked`) answers stand under their keys.
        """
        asked = await self.asked()
        return answered(asked.record if asked else None, self.get("questionnaire") or {})

    async def photos(self) -> list[Photo]:
        """List the photos that were taken for it."""
        return await Photos(self._replica, self.scope).query("check_in_id = ? ORDER BY id", [self.id])

    async def add_photo(self, path: str | Path, *, type: PhotoType | None = None, pose: str | None = None) -> Photo:
        """Take a photo in for it; see `Photos.add`."""
        photos = Photos(self._replica, self.scope)
        return await photos.add(path, day=self.date, type=type, pose=pose, check_in_id=self.id)

    async def submit(self) -> Self:
        """Hand it to the coach. It can still be edited."""
        submitted_at = self._replica._wall_clock(None)
        return await self._edit(lambda state: {"submitted_at": submitted_at})

    async def review(self, feedback: str | None = None) -> Self:
        """Answer it as the coach and mark it reviewed. Raises ForbiddenField for the athlete."""
        reviewed_at = self._replica._wall_clock(None)
        return await self._edit(lambda state: edits.review(state, feedback, reviewed_at))
