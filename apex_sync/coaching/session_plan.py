"""One day of a program as an athlete trains it: supersets and circuits as groups, each with its rounds and its rest.

Exercises with one label are done in alternation. A group is a circuit when its exercises say their place in it
(`circuit_order`), else a superset; exercises that say a place and no label are the one circuit of their day. Nobody
rests within a round: the rest of a group is that of its last exercise.

Read without trusting the program; what it lacks is just not said.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple

from msgspec import Struct

from apex_sync.coaching.leaves import live_entries, number, shown, text, whole
from apex_sync.coaching.sets import DROP, WARMUP
from apex_sync.coaching.weeks import DAYS
from apex_sync.collection import Record

REST_SECONDS_MAX = 3600
CIRCUIT_ORDER_MAX = 100
UNLABELLED_CIRCUIT = "circuit"
"""How the exercises of a circuit without a label are labelled in a log."""


class PlannedSetView(Struct, frozen=True, kw_only=True):
    """One prescribed set; types are those of the model, or whatever a newer app wrote."""

    type: str
    reps_min: int | None
    reps_max: int | None
    load_kg: float | None
    load: float | None
    load_unit: str
    load_percent: float | None
    rpe: float | None
    rir: float | None
    tempo: str | None
    rest_before_seconds: int | None


class PlannedWork(Struct, frozen=True, kw_only=True):
    """One exercise of a day with its sets."""

    key: str
    exercise_id: str | None
    name: str | None
    sets: tuple[PlannedSetView, ...]
    rest_seconds: int | None
    tempo: str | None
    dropset: bool
    notes: str | None
    coaching_cues: tuple[str, ...]

    @property
    def hard_sets(self) -> list[PlannedSetView]:
        """All but the warm-ups."""
        return [planned for planned in self.sets if planned.type != WARMUP]


class PlannedGroup(Struct, frozen=True, kw_only=True):
    """Exercises that are done in alternation, or one by itself (`straight`); `rounds` leaves warm-ups out."""

    kind: Literal["straight", "superset", "circuit"]
    label: str | None
    works: tuple[PlannedWork, ...]

    @property
    def rounds(self) -> int:
        """How often one goes through it."""
        return max((len(work.hard_sets) for work in self.works), default=0)

    @property
    def rest_seconds(self) -> int | None:
        """The rest after each round."""
        return self.works[-1].rest_seconds


class PlannedDay(Struct, frozen=True, kw_only=True):
    """One session of a program, in the order it is trained."""

    key: str
    week_number: int
    day_number: int
    name: str | None
    notes: str | None
    groups: tuple[PlannedGroup, ...]


class Next(NamedTuple):
    """What comes after a set: which exercise, and how long to rest before it, where the plan says so."""

    work: PlannedWork
    rest_seconds: int | None


def planned_days(program: Record) -> list[PlannedDay]:
    """List the sessions of a program, week by week and day by day."""
    weeks = {
        key: week_number
        for key, week in live_entries(getattr(program, "weeks", None))
        if (week_number := whole(getattr(week, "week_number", None), 1, 104))
    }
    works: dict[str, list[tuple[str, Any]]] = {}
    for key, entry in live_entries(getattr(program, "exercises", None)):
        works.setdefault(text(getattr(entry, "day", None)) or "", []).append((key, entry))
    sets: dict[str, list[PlannedSetView]] = {}
    for _, entry in live_entries(getattr(program, "sets", None)):
        sets.setdefault(text(getattr(entry, "exercise", None)) or "", []).append(_set_view(entry))
    days = [
        PlannedDay(
            key=key,
            week_number=weeks[week],
            day_number=day_number,
            name=text(getattr(entry, "name", None)),
            notes=text(getattr(entry, "notes", None), 10_000),
            groups=tuple(_groups(works.get(key, []), sets)),
        )
        for key, entry in live_entries(getattr(program, "days", None))
        if (week := text(getattr(entry, "week", None)) or "") in weeks
        if (day_number := whole(getattr(entry, "day_number", None), 1, DAYS))
    ]
    return sorted(days, key=lambda one: (one.week_number, one.day_number))


def planned_at(program: Record, week_number: int | None, day_number: int | None) -> PlannedDay | None:
    """Give the session that stands at a place of a program."""
    place = (week_number, day_number)
    return next((one for one in planned_days(program) if (one.week_number, one.day_number) == place), None)


def label_in_log(group: PlannedGroup) -> str | None:
    """Give the label that the exercises of a group get in a workout log; None for one by itself.

    >>> label_in_log(PlannedGroup(kind="circuit", label=None, works=()))
    'circuit'
    """
    return None if group.kind == "straight" else group.label or UNLABELLED_CIRCUIT


def next_after(day: PlannedDay, work: PlannedWork, done: Mapping[str, int]) -> Next | None:
    """Say what comes after a set of an exercise, where so many sets of each (warm-ups aside, by its key) are done.

    None when the day is done. Within a round nobody rests, nor before a drop set; a set that names its own rest has it.
    """
    place = next((place for place, group in enumerate(day.groups) if work in group.works), None)
    if place is None:
        return None
    group = day.groups[place]
    current = done.get(work.key, 0)
    for other in group.works:
        if other is not work and done.get(other.key, 0) < min(current, len(other.hard_sets)):
            return _next(other, done, None)
    for other in group.works:
        if done.get(other.key, 0) < len(other.hard_sets):
            drops = other is work and other.hard_sets[done.get(other.key, 0)].type == DROP
            return _next(other, done, None if drops else group.rest_seconds)
    for later in (*day.groups[place + 1 :], *day.groups[:place]):
        for other in later.works:
            if done.get(other.key, 0) < len(other.hard_sets):
                return _next(other, done, group.rest_seconds)
    return None


def _next(work: PlannedWork, done: Mapping[str, int], rest_seconds: int | None) -> Next:
    own = work.hard_sets[done.get(work.key, 0)].rest_before_seconds
    return Next(work, rest_seconds if own is None else own)


def _groups(works: list[tuple[str, Any]], sets: Mapping[str, list[PlannedSetView]]) -> Iterator[PlannedGroup]:
    """Gather the exercises of a day by label; a group stands where its first exercise does."""
    gathered: dict[str, list[tuple[str, Any]]] = {}
    for key, entry in works:
        label = text(getattr(entry, "superset", None), 16)
        alone = f"\0{key}" if _circuit_order(entry) is None else "\0"
        gathered.setdefault(label or alone, []).append((key, entry))
    for named, members in gathered.items():
        is_circuit = any(_circuit_order(entry) is not None for _, entry in members)
        ordered = sorted(members, key=lambda member: _circuit_order(member[1]) or 0) if is_circuit else members
        yield PlannedGroup(
            kind="straight" if len(members) == 1 else "circuit" if is_circuit else "superset",
            label=None if named.startswith("\0") else named,
            works=tuple(_work(key, entry, sets.get(key, [])) for key, entry in ordered),
        )


def _circuit_order(entry: Any) -> int | None:
    return whole(getattr(entry, "circuit_order", None), 0, CIRCUIT_ORDER_MAX)


def _work(key: str, entry: Any, sets: list[PlannedSetView]) -> PlannedWork:
    cues = shown(getattr(entry, "coaching_cues", None))
    return PlannedWork(
        key=key,
        exercise_id=text(getattr(entry, "exercise_id", None)),
        name=text(getattr(entry, "name", None)),
        sets=tuple(sets),
        rest_seconds=whole(getattr(entry, "rest_seconds", None), 0, REST_SECONDS_MAX),
        tempo=text(getattr(entry, "tempo", None)),
        dropset=getattr(entry, "dropset", None) is True,
        notes=text(getattr(entry, "notes", None), 10_000),
        coaching_cues=tuple(cue for cue in cues if isinstance(cue, str)) if isinstance(cues, list) else (),
    )


def _set_view(entry: Any) -> PlannedSetView:
    return PlannedSetView(
        type=text(getattr(entry, "type", None)) or "working",
        reps_min=whole(getattr(entry, "reps_min", None), 0, 1000),
        reps_max=whole(getattr(entry, "reps_max", None), 0, 1000),
        load_kg=number(getattr(entry, "load_kg", None), -500, 2000),
        load=number(getattr(entry, "load", None), -1200, 4500),
        load_unit=text(getattr(entry, "load_unit", None)) or "kg",
        load_percent=number(getattr(entry, "load_percent", None), 0, 150),
        rpe=number(getattr(entry, "rpe", None), 1, 10),
        rir=number(getattr(entry, "rir", None), 0, 30),
        tempo=text(getattr(entry, "tempo", None)),
        rest_before_seconds=whole(getattr(entry, "rest_before_seconds", None), 0, REST_SECONDS_MAX),
    )
