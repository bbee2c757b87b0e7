"""Read free-exercise-db (a public JSON list of exercises) as exercises of a coach's own library.

Its words become those of the built-in library. It does not tell heads of the deltoid apart, nor squats and hinges from
other compound movements: shoulders stay `shoulders`, which the analysis splits by name, and the pattern of compound
work for the legs follows from its primary muscle. Its stretches and its cardio are no exercises whose sets add up, and
are left out unless they are asked for. A bad entry stands in the plan with its number and reason.
"""

from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from apex_client.importers.errors import FileTooLarge, FileUnreadable, NotAnExport
from apex_sync.errors import OutOfBounds
from apex_sync.ids import derived_id
from apex_sync.models import EXERCISES
from apex_sync.op import Patch

FILE_BYTES_MAX = 20_000_000
"""Twenty times the whole of free-exercise-db."""

EXPECTED = "the JSON list of free-exercise-db"

SOURCE = "free-exercise-db"

MUSCLES = {
    "abdominals": "abs",
    "lower back": "lower_back",
    "middle back": "upper_back",
    "quadriceps": "quads",
}
EQUIPMENT = {
    "bands": "band",
    "body only": "bodyweight",
    "e-z curl bar": "ez_bar",
    "exercise ball": "stability_ball",
    "foam roll": "foam_roll",
    "kettlebells": "kettlebell",
    "medicine ball": "medicine_ball",
}
"""What is called otherwise in the built-in library; `other` says nothing."""

LEFT_OUT_CATEGORIES = frozenset({"stretching", "cardio"})
"""The others are strength, powerlifting, olympic weightlifting, strongman and plyometrics; an entry without one is
taken."""

LEG_PATTERNS = {"quads": "squat", "glutes": "hinge", "hamstrings": "hinge", "lower_back": "hinge"}


class ReadExercise(Struct, frozen=True):
    """One entry that can be imported, under an id that follows from the library and its id in the file."""

    record_id: str
    patch: Patch


class SkippedExercise(Struct, frozen=True):
    """One entry that can't be imported; `number` counts from 1."""

    number: int
    name: str
    reason: str


class ExercisePlan(Struct, frozen=True):
    """Every entry of a file, read or skipped; bad entries come before what is left out for its category."""

    exercises: list[ReadExercise]
    skipped: list[SkippedExercise]


class _Entry(Struct, rename="camel"):
    """An entry, as far as it is read."""

    name: Annotated[str, Meta(min_length=1)]
    primary_muscles: list[str]
    id: str | None = None
    secondary_muscles: list[str] = []
    category: str | None = None
    equipment: str | None = None
    force: str | None = None
    mechanic: Literal["compound", "isolation"] | None = None
    instructions: list[str] = []


def read_exercise_db(path_or_bytes: str | Path | bytes, *, library: str, every_category: bool = False) -> ExercisePlan:
    """Read a file for a library, which is named by its scope; `every_category` takes stretches and cardio, too.

    Raises FileUnreadable, FileTooLarge, NotAnExport.
    """
    read: dict[str, ReadExercise] = {}
    skipped: list[SkippedExercise] = []
    left_out: list[SkippedExercise] = []
    for number, raw in enumerate(_entries(_content(path_or_bytes)), 1):
        try:
            entry = msgspec.convert(raw, _Entry)
            record_id = derived_id(SOURCE, library, entry.id or entry.name)
            patch = _patch(entry)
            EXERCISES.check_bounds(patch)
        except msgspec.ValidationError as error:
            skipped.append(SkippedExercise(number, _name(raw), str(error)))
        except OutOfBounds as error:
            skipped.append(SkippedExercise(number, _name(raw), f"{error.problem.field} {error.problem.message}"))
        else:
            if entry.category in LEFT_OUT_CATEGORIES and not every_category:
                left_out.append(SkippedExercise(number, entry.name, left_out_because(entry.category)))
            elif record_id in read:
                skipped.append(SkippedExercise(number, entry.name, "stands in the file twice"))
            else:
                read[record_id] = ReadExercise(record_id, patch)
    return ExercisePlan(list(read.values()), [*skipped, *left_out])


def left_out_because(category: str) -> str:
    """Give the reason of an entry that is left out for its category."""
    return f"{category}, not asked for"


def _content(path_or_bytes: str | Path | bytes) -> bytes:
    if isinstance(path_or_bytes, bytes):
        content = path_or_bytes
    else:
        path = Path(path_or_bytes)
        try:
            with path.open("rb") as file:
                content = file.read(FILE_BYTES_MAX + 1)
        except OSError as error:
            raise FileUnreadable(path, error.strerror or str(error)) from error
    if len(content) > FILE_BYTES_MAX:
        raise FileTooLarge(FILE_BYTES_MAX)
    return content


def _entries(content: bytes) -> list[Any]:
    try:
        entries = msgspec.json.decode(content)
    except (msgspec.DecodeError, RecursionError) as error:
        raise NotAnExport([], str(error), wanted=EXPECTED) from error
    if not isinstance(entries, list):
        raise NotAnExport([], "it is no list", wanted=EXPECTED)
    return entries


def _patch(entry: _Entry) -> Patch:
    muscles = [MUSCLES.get(muscle, muscle) for muscle in entry.primary_muscles]
    also = [*muscles[1:], *(MUSCLES.get(muscle, muscle) for muscle in entry.secondary_muscles)]
    leaves: dict[str, Any] = {
        "name": entry.name.strip(),
        "muscle_group": muscles[0] if muscles else None,
        "secondary_muscles": [muscle for muscle in dict.fromkeys(also) if muscle != muscles[0]] if muscles else also,
        "movement_pattern": _pattern(entry, muscles[0] if muscles else ""),
        "equipment": _equipment(entry.equipment),
        "instructions": "\n".join(entry.instructions),
    }
    return {name: value for name, value in leaves.items() if value}


def _pattern(entry: _Entry, muscle: str) -> str | None:
    if entry.mechanic != "compound":
        return entry.mechanic
    return LEG_PATTERNS.get(muscle) or (entry.force if entry.force in ("push", "pull") else None)


def _equipment(name: str | None) -> list[str]:
    return [] if name is None or name == "other" else [EQUIPMENT.get(name, name)]


def _name(raw: Any) -> str:
    name = raw.get("name") if isinstance(raw, dict) else None
    return name[:200] if isinstance(name, str) else "?"
