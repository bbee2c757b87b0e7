"""A workout as the page shows it: exercises and sets as logged, each value with its mark, each set with its devices."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from apex_server.resources import KnownRecord, Origin
from apex_server.resources.provenance import UNKNOWN
from apex_server.web.contested import Mark, label_of, marks_of
from apex_server.web.origins import Origins
from apex_server.web.wording import as_duration, as_number, as_problem, as_weight
from apex_sync.coaching.checkin_view import CheckInView
from apex_sync.coaching.contributions import entry_contributors, leaf_claims
from apex_sync.coaching.records import PersonalRecord
from apex_sync.coaching.strength import FORMULA_NAMES
from apex_sync.coaching.workout_view import ExerciseView, RecordMark, SetView, WorkoutView, workout_view

__all__ = ["ExerciseShown", "SetShown", "ValueShown", "WorkoutCard", "workout_card"]

_RECORD_NAMES = {
    "load_pr": "Heaviest load",
    "rep_pr": "Most reps at this load",
    "e1rm_pr": "Best estimated 1RM",
    "set_volume_pr": "Most volume in one set",
    "volume_pr": "Most volume in one session",
}
_SET_TYPES = {"warmup": "Warm-up", "dropset": "Drop set", "amrap": "AMRAP", "backoff": "Back-off", "failure": "Failure"}
METRES_PER_KM = 1000
SECONDS_PER_MINUTE = 60


class ValueShown(Struct, frozen=True, kw_only=True):
    """A value and, where it is contested, its mark."""

    name: str
    text: str
    mark: Mark | None = None


class SetShown(Struct, frozen=True, kw_only=True):
    """One set; `records` says in words which personal records it holds."""

    key: str
    number: int
    type: str | None
    values: Sequence[ValueShown]
    rpe: ValueShown | None
    completed: bool
    notes: str | None
    by: Sequence[Origin]
    records: Sequence[str]
    needs_review: Sequence[str]


class ExerciseShown(Struct, frozen=True, kw_only=True):
    """One exercise with its sets."""

    key: str
    name: ValueShown
    skipped: bool
    superset: str | None
    notes: str | None
    sets: Sequence[SetShown]
    records: Sequence[str]


class WorkoutCard(Struct, frozen=True, kw_only=True):
    """Everything a card shows; `loose_marks` are contested values that the card has no place for."""

    id: str
    view: WorkoutView
    title: str
    facts: Sequence[ValueShown]
    scores: Sequence[ValueShown]
    exercises: Sequence[ExerciseShown]
    records: Sequence[str]
    devices: Sequence[Origin]
    marks: Sequence[Mark]
    loose_marks: Sequence[Mark]
    problems: Sequence[tuple[str, str]]
    synced_at: Any


def workout_card(known: KnownRecord, origins: Origins, records: Sequence[PersonalRecord] | None) -> WorkoutCard:
    """Lay out a workout."""
    view = workout_view(known.id, known.record, problems=known.problems, records=records)
    places = places_of(view)
    marks = marks_of(known, origins, places)
    builder = _Builder(view, marks, set_authors(known, origins))
    exercises = [builder.exercise(exercise) for exercise in view.exercises]
    facts, scores = builder.facts(), builder.scores()
    return WorkoutCard(
        id=known.id,
        view=view,
        title=view.title or "Workout",
        facts=facts,
        scores=scores,
        exercises=exercises,
        records=[
            f"{mark.exercise_name or 'Exercise'} · {builder.record(mark)}" for mark in view.personal_records or ()
        ],
        devices=devices_of(known, origins),
        marks=list(marks.values()),
        loose_marks=[mark for path, mark in marks.items() if path not in builder.placed],
        problems=problems_of(view, places),
        synced_at=known.synced_at,
    )


def places_of(view: WorkoutView) -> dict[str, str]:
    """Name exercises and sets for people."""
    places: dict[str, str] = {}
    for exercise in view.exercises:
        name = exercise.name or "Exercise"
        places[f"exercises.{exercise.id}"] = name
        places |= {f"sets.{performed.id}": f"{name}, set {performed.set_number}" for performed in exercise.sets}
    return places


def problems_of(view: WorkoutView | CheckInView, places: Mapping[str, str]) -> list[tuple[str, str]]:
    """Say which values break a bound, and which."""
    return [
        (label_of(tuple(problem.field.split(".")), places), as_problem(problem.message)) for problem in view.problems
    ]


def set_authors(known: KnownRecord, origins: Origins) -> dict[str, list[Origin]]:
    """Give for every set the devices whose values stand in it, without repeating one."""
    found = entry_contributors(leaf_claims(known.fold), "sets")
    return {
        key: list(dict.fromkeys(origins.get(client_id, UNKNOWN) for client_id in clients))
        for key, clients in found.items()
    }


def devices_of(known: KnownRecord, origins: Origins) -> list[Origin]:
    """List the devices that wrote to a record at all, in the order they came to it."""
    first: dict[Origin, int] = {}
    for write in known.document.writes():
        origin = origins.get(write.client_id, UNKNOWN)
        first[origin] = min(write.hlc, first.get(origin, write.hlc))
    return sorted(first, key=lambda origin: first[origin])


def unit_of(view: WorkoutView) -> str:
    """Tell in which unit the athlete thinks: the one most loads were typed in."""
    units = Counter(performed.load_unit for exercise in view.exercises for performed in exercise.sets if performed.load)
    return units.most_common(1)[0][0] if units else "kg"


class _Builder:
    """Puts values and marks together, and remembers which marks have found their place."""

    def __init__(self, view: WorkoutView, marks: Mapping[str, Mark], authors: Mapping[str, Sequence[Origin]]) -> None:
        self.placed: set[str] = set()
        self._view = view
        self._marks = marks
        self._authors = authors
        self._unit = unit_of(view)
        self._problems = {problem.field: problem.message for problem in view.problems}

    def value(self, path: str, name: str, text: str | None) -> ValueShown | None:
        """Show a value; one that is absent is shown only where it is contested."""
        mark = self._marks.get(path)
        if mark is not None:
            self.placed.add(path)
        return None if text is None and mark is None else ValueShown(name=name, text=text or "–", mark=mark)

    def facts(self) -> list[ValueShown]:
        view = self._view
        volume = view.total_volume_load_kg
        done = sum(performed.completed for exercise in view.exercises for performed in exercise.sets)
        minutes = view.duration_minutes
        shown = [
            self.value("duration_minutes", "Duration", None if minutes is None else as_duration(minutes)),
            ValueShown(name="Sets", text=as_number(done)),
            ValueShown(name="Volume", text=as_weight(volume, self._unit, 0)) if volume else None,
            ValueShown(name="Avg RPE", text=as_number(view.average_rpe, 1)) if view.average_rpe else None,
        ]
        return [value for value in shown if value is not None]

    def scores(self) -> list[ValueShown]:
        named = ((name, getattr(self._view, name)) for name in ("fatigue", "pump", "mood"))
        shown = [self.value(name, name.title(), None if score is None else as_number(score)) for name, score in named]
        return [value for value in shown if value is not None]

    def exercise(self, exercise: ExerciseView) -> ExerciseShown:
        path = f"exercises.{exercise.id}"
        held = [mark for mark in self._view.personal_records or () if mark.set_id is None]
        name = self.value(f"{path}.name", "Exercise", exercise.name or "Exercise without a name")
        return ExerciseShown(
            key=exercise.id or "stray",
            name=name or ValueShown(name="Exercise", text=""),
            skipped=exercise.skipped,
            superset=exercise.superset,
            notes=exercise.notes,
            sets=[self.performed(performed) for performed in exercise.sets],
            records=[self.record(mark) for mark in held if mark.exercise_name == exercise.name],
        )

    def performed(self, performed: SetView) -> SetShown:
        path = f"sets.{performed.id}"
        rpe = None if performed.rpe is None else as_number(performed.rpe, 1)
        rir = None if performed.rir is None else f"{as_number(performed.rir, 1)} RIR"
        effort = self.value(f"{path}.rpe", "RPE", rpe) or self.value(f"{path}.rir", "", rir)
        records = [mark for mark in self._view.personal_records or () if mark.set_id == performed.id]
        return SetShown(
            key=performed.id or "",
            number=performed.set_number,
            type=_SET_TYPES.get(performed.type),
            values=[value for value in self._values(path, performed) if value is not None],
            rpe=effort,
            completed=performed.completed,
            notes=performed.notes,
            by=self._authors.get(performed.id or "", ()),
            records=[self.record(mark) for mark in records],
            needs_review=[
                f"{label_of((field.rpartition('.')[2],), {})} {as_problem(message)}"
                for field, message in self._problems.items()
                if field.startswith(f"{path}.")
            ],
        )

    def _values(self, path: str, performed: SetView) -> Iterable[ValueShown | None]:
        load = None if performed.load is None else f"{as_number(performed.load)} {performed.load_unit}"
        yield self.value(f"{path}.load_kg", "load", load)
        reps = None if performed.reps is None else as_number(performed.reps)
        yield self.value(f"{path}.reps", "reps", reps)
        yield self.value(f"{path}.distance_m", "distance", _distance(performed.distance_m))
        yield self.value(f"{path}.duration_seconds", "duration", _clock(performed.duration_seconds))

    def record(self, mark: RecordMark) -> str:
        """Say what a personal record beats."""
        if mark.unit == "kg":
            values = [as_weight(value, self._unit) for value in (mark.value, mark.previous)]
        else:
            values = [f"{as_number(mark.value)} {mark.unit}", as_number(mark.previous)]
        by = f" by {FORMULA_NAMES[mark.formula]}" if mark.formula else ""
        return f"{_RECORD_NAMES.get(mark.kind, mark.kind)}{by}: {values[0]}, before {values[1]}"


def _distance(metres: float | None) -> str | None:
    if metres is None:
        return None
    return f"{as_number(metres / METRES_PER_KM)} km" if metres >= METRES_PER_KM else f"{as_number(metres)} m"


def _clock(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    minutes, left = divmod(round(seconds), SECONDS_PER_MINUTE)
    return f"{minutes}:{left:02d} min" if minutes else f"{left} s"
