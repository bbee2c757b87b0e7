"""Workouts: logging a session set by set, and finding the sessions of before.

    log = await replica.workouts.start(title="Push")
    await log.add_set("Bench Press", reps=8, load=225, unit="lb", rpe=8)
    await log.finish()

Every call is durable when it returns, whether or not there is a network.
"""

from datetime import date as Date
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, Self

from msgspec import UNSET, UnsetType

from apex_client import searching
from apex_client import workout_edits as edits
from apex_client.errors import NoSuchEntry
from apex_client.records import LIST_MAX, DatedRecords, Record
from apex_client.views import ExerciseEntry, SetEntry, Snapshot, exercise_entries
from apex_sync.models import workout as models

if TYPE_CHECKING:
    from apex_client.following import Followed, SessionPlan
    from apex_client.replica import Replica


LoadUnit = Literal["kg", "lb"]
SetType = models.SetType
FailureReason = models.FailureReason


class Workouts(DatedRecords["WorkoutLog"]):
    """The workouts of one athlete, or on a coach's replica of all of them."""

    def __init__(self, replica: "Replica", scope: str | None = None) -> None:
        super().__init__(replica, "workout_logs", scope, handle=WorkoutLog)

    async def start(
        self,
        *,
        title: str | None = None,
        program_id: str | None = None,
        week_number: int | None = None,
        day_number: int | None = None,
        start_time: datetime | str | None = None,
        date: Date | str | None = None,
    ) -> "WorkoutLog":
        """Begin a session, now unless told otherwise.

        `day_number` is 1 (Monday) to 7. Raises OutOfBounds, and AthleteNeeded on a coach's replica.
        """
        started = self._replica._wall_clock(start_time)
        patch = edits.start(
            start_time=started,
            date=self._replica._day(date) if date else started[:10],
            title=title,
            program_id=program_id,
            week_number=week_number,
            day_number=day_number,
        )
        return await self.create(patch)

    async def planned(
        self, on: Date | str | None = None, *, week_number: int | None = None, day_number: int | None = None
    ) -> "Followed | None":
        """Give what the program that is followed on a day, today unless told otherwise, has for it or another place.

        None where no program is followed; `start` with its `program_id`, `week_number` and `day_number` begins it.
        Raises AthleteNeeded.
        """
        from apex_client import following

        day = Date.fromisoformat(self._replica._day(on) or self._replica._wall_clock(None)[:10])
        return await self._replica._do(following.followed, self._scope, day, week_number, day_number)

    async def search(self, text: str, *, limit: int = 50) -> list["WorkoutLog"]:
        """Find workouts by words of their title, notes or exercises; the best match first."""
        return self._handles(
            await self._replica._do(searching.matching, self.collection, self._scope, text, limit=min(limit, LIST_MAX))
        )


class WorkoutLog(Record[models.WorkoutLog]):
    """One session, as it stood at the last call; `refresh` reads what a sync has brought since.

    Where an exercise is asked for, its name, its key or its entry will do.
    """

    @property
    def title(self) -> str | None:
        """What the session is called."""
        found: str | None = self.snapshot.state.get("title")
        return found

    @property
    def date(self) -> str | None:
        """The calendar day, `2026-03-01`."""
        found: str | None = self.snapshot.state.get("date")
        return found

    @property
    def start_time(self) -> str | None:
        """The athlete's wall clock when it began."""
        found: str | None = self.snapshot.state.get("start_time")
        return found

    @property
    def end_time(self) -> str | None:
        """The athlete's wall clock when it ended; None while it goes on."""
        found: str | None = self.snapshot.state.get("end_time")
        return found

    @property
    def notes(self) -> str | None:
        """The athlete's note on the session."""
        found: str | None = self.snapshot.state.get("notes")
        return found

    @property
    def completed(self) -> bool:
        """Whether it was finished."""
        return self.get("completed") is True

    @property
    def exercises(self) -> "list[ExerciseEntry]":
        """The exercises in order, each with its sets; deleted ones are hidden."""
        return list(self._entries)

    @property
    def sets(self) -> list[SetEntry]:
        """All sets in the order they were done."""
        return [logged for exercise in self._entries for logged in exercise.sets]

    @property
    def volume_load_kg(self) -> float:
        """Reps times load of the hard sets, as the analysis counts them."""
        return edits.totals(self.snapshot.state)[0]

    @property
    def average_rpe(self) -> float | None:
        """Mean effort of the hard sets, as the analysis counts them."""
        return edits.totals(self.snapshot.state)[1]

    async def note(self, text: str | None) -> Self:
        """Set the note on the session."""
        return await self._edit(lambda state: edits.set_fields({"notes": text}))

    async def rate(
        self,
        *,
        fatigue: int | UnsetType | None = UNSET,
        pump: int | UnsetType | None = UNSET,
        mood: int | UnsetType | None = UNSET,
    ) -> Self:
        """Say how it felt, each 1 to 10."""
        return await self._edit(lambda state: edits.set_fields({"fatigue": fatigue, "pump": pump, "mood": mood}))

    async def finish(self, *, end_time: datetime | str | None = None, notes: str | None = None) -> Self:
        """End the session, now unless told otherwise; its duration follows where both times are known."""
        ended = self._replica._wall_clock(end_time)
        return await self._edit(lambda state: edits.finish(state, ended, notes))

    async def plan(self) -> "SessionPlan | None":
        """Tell what its day of the program asks for, what is done of it, and what is next.

        None where it names no day of a program that is on this replica.
        """
        from apex_client import following

        return await self._replica._do(following.session_plan, self.snapshot)

    async def follow(self, exercise: str) -> ExerciseEntry:
        """Give the entry that an exercise of its day is logged in, by name or place in a group (`A2`).

        One that is not begun is added, with the id of the exercise and the label of its group. Raises NoSuchEntry.
        """
        from apex_client.following import entry_for

        plan = await self.plan()
        found = plan.placed(exercise) if plan else None
        if found is None:
            raise NoSuchEntry("the plan of this workout", "exercise", exercise)
        entry = entry_for(self._entries, found)
        if entry is not None:
            return entry
        name, exercise_id = found.work.name or "?", found.work.exercise_id
        if exercise_id is None:
            known = await self._replica.exercises.named(name)
            exercise_id = known[0].id if len(known) == 1 else None
        return await self.add_exercise(name, exercise_id=exercise_id, superset=found.label)

    async def add_exercise(
        self,
        name: str,
        *,
        exercise_id: str | None = None,
        notes: str | None = None,
        superset: str | None = None,
        before: "str | ExerciseEntry | None" = None,
        after: "str | ExerciseEntry | None" = None,
    ) -> ExerciseEntry:
        """Add an exercise at the end, or before or after another."""
        key = self._replica._new_key()
        fields = {"name": name, "exercise_id": exercise_id, "notes": notes, "superset": superset}
        await self._edit(lambda state: edits.add_exercise(state, key, fields, _key(before), _key(after)))
        return self.exercise(key)

    async def edit_exercise(
        self,
        exercise: "str | ExerciseEntry",
        *,
        name: str | UnsetType = UNSET,
        exercise_id: str | UnsetType | None = UNSET,
        notes: str | UnsetType | None = UNSET,
        superset: str | UnsetType | None = UNSET,
    ) -> ExerciseEntry:
        """Set fields of an exercise entry."""
        fields = {"name": name, "exercise_id": exercise_id, "notes": notes, "superset": superset}
        key = self._exercise_key(exercise)
        await self._edit(lambda state: edits.edit_exercise(key, fields))
        return self.exercise(key)

    async def skip_exercise(self, exercise: "str | ExerciseEntry", *, skipped: bool = True) -> ExerciseEntry:
        """Mark an exercise as not done."""
        key = self._exercise_key(exercise)
        await self._edit(lambda state: edits.edit_exercise(key, {"skipped": skipped}))
        return self.exercise(key)

    async def move_exercise(
        self,
        exercise: "str | ExerciseEntry",
        *,
        before: "str | ExerciseEntry | None" = None,
        after: "str | ExerciseEntry | None" = None,
    ) -> ExerciseEntry:
        """Move an exercise before or after another; to the end when neither is given."""
        key = self._exercise_key(exercise)
        await self._edit(lambda state: edits.move_exercise(state, key, _key(before), _key(after)))
        return self.exercise(key)

    async def remove_exercise(self, exercise: "str | ExerciseEntry") -> None:
        """Remove an exercise with its sets; `restore_exercise` with its key brings both back."""
        key = self._exercise_key(exercise)
        await self._edit(lambda state: edits.remove_exercise(key, True))

    async def restore_exercise(self, key: str) -> ExerciseEntry:
        """Bring a removed exercise back."""
        await self._edit(lambda state: edits.remove_exercise(key, False))
        return self.exercise(key)

    async def add_set(
        self,
        exercise: "str | ExerciseEntry",
        *,
        reps: int | None = None,
        load: float | None = None,
        unit: LoadUnit | None = None,
        rpe: float | None = None,
        rir: float | None = None,
        type: SetType | None = None,
        completed: bool | None = None,
        failure_reason: FailureReason | None = None,
        distance_m: float | None = None,
        duration_seconds: float | None = None,
        notes: str | None = None,
    ) -> SetEntry:
        """Log a set at the end of an exercise, which is added where the workout does not have it yet.

        `load` is in `unit`, by default in the unit of the replica; negative is assistance. Raises OutOfBounds.
        """
        fields = {
            "reps": reps, "load": load, "unit": unit, "rpe": rpe, "rir": rir, "type": type, "completed": completed,
            "failure_reason": failure_reason, "distance_m": distance_m, "duration_seconds": duration_seconds,
            "notes": notes,
        }  # fmt: skip
        given = {name: value for name, value in fields.items() if value is not None}
        key, exercise_key = self._replica._new_key(), self._replica._new_key()
        await self._edit(
            lambda state: edits.add_set(state, key, _key(exercise), exercise_key, given, self._replica.load_unit)
        )
        return self.set(key)

    async def edit_set(
        self,
        set: "str | SetEntry",
        *,
        reps: int | UnsetType | None = UNSET,
        load: float | UnsetType | None = UNSET,
        unit: LoadUnit | UnsetType = UNSET,
        rpe: float | UnsetType | None = UNSET,
        rir: float | UnsetType | None = UNSET,
        type: SetType | UnsetType | None = UNSET,
        completed: bool | UnsetType = UNSET,
        failure_reason: FailureReason | UnsetType | None = UNSET,
        distance_m: float | UnsetType | None = UNSET,
        duration_seconds: float | UnsetType | None = UNSET,
        notes: str | UnsetType | None = UNSET,
    ) -> SetEntry:
        """Correct a set; what is not given stays, None empties a field."""
        fields = {
            "reps": reps, "load": load, "unit": unit, "rpe": rpe, "rir": rir, "type": type, "completed": completed,
            "failure_reason": failure_reason, "distance_m": distance_m, "duration_seconds": duration_seconds,
            "notes": notes,
        }  # fmt: skip
        key = _key(set)
        await self._edit(lambda state: edits.edit_set(state, key, fields, self._replica.load_unit))
        return self.set(key)

    async def move_set(
        self,
        set: "str | SetEntry",
        *,
        exercise: "str | ExerciseEntry | None" = None,
        before: "str | SetEntry | None" = None,
        after: "str | SetEntry | None" = None,
    ) -> SetEntry:
        """Move a set before or after another, or to the end of an exercise."""
        key = _key(set)
        to_exercise = None if exercise is None else self._exercise_key(exercise)
        await self._edit(lambda state: edits.move_set(state, key, to_exercise, _key(before), _key(after)))
        return self.set(key)

    async def remove_set(self, set: "str | SetEntry") -> None:
        """Remove a set; `restore_set` with its key brings it back."""
        await self._edit(lambda state: edits.remove_set(_key(set), True))

    async def restore_set(self, key: str) -> SetEntry:
        """Bring a removed set back."""
        await self._edit(lambda state: edits.remove_set(key, False))
        return self.set(key)

    def exercise(self, exercise: "str | ExerciseEntry") -> ExerciseEntry:
        """Give the entry of an exercise by key or name. Raises NoSuchEntry."""
        return edits.find_exercise(self._entries, _key(exercise))

    def set(self, key: str) -> SetEntry:
        """Give a set by its key. Raises NoSuchEntry."""
        return edits.find_set(self.snapshot.state, key)

    @cached_property
    def _entries(self) -> list[ExerciseEntry]:
        return exercise_entries(self.snapshot.state)

    def _exercise_key(self, exercise: "str | ExerciseEntry") -> str:
        return self.exercise(exercise).key

    def _take(self, snapshot: Snapshot) -> Self:
        self.__dict__.pop("_entries", None)
        return super()._take(snapshot)


def _key(entry: "str | ExerciseEntry | SetEntry | None") -> Any:
    return entry if entry is None or isinstance(entry, str) else entry.key
