"""Programs as coaches write them down, in lines that a person types and a mail can hold.

    Upper and lower
    type: hypertrophy
    weeks: 4
    deload: 4

    week 1-3
    day 1: Upper A (chest, back)
      Bench Press: 1x8 50% warmup, 3x6-8 75% @8; rest 150s; tempo 3010
      A1 Incline Press: 3x10 @8
      A2 Cable Row: 3x10-12 @2rir; rest 90s
      circuit C: 3 rounds
      C1 Push-up: amrap
      C2 Kettlebell Swing: 15 24kg; rest 60s

    week 4
    day 1: Upper, easy
      Bench Press: 2x6 60%

The first line is the name; a day stands in each week of the range above it, and without a `week` line in all of them.
Exercises with one letter (A1, A2) are a superset; under a `circuit` line, a circuit, whose rounds are how many sets
each has. `#` begins a comment.
"""

import re
from collections.abc import Iterator
from typing import Any, get_args

from apex_sync.coaching.weights import kilograms
from apex_sync.errors import ApexError
from apex_sync.models.program import PlannedSetType
from apex_sync.op import Patch
from apex_sync.order import order_keys

TEXT_LENGTH_MAX = 200_000
"""A year of programs, week by week, is 100 kB."""

WEEKS_MAX = 104
SETS_MAX = 30
"""Of one exercise in one word: more than `30x` is a slip of the finger."""

HEADINGS = {
    "type": "type", "difficulty": "difficulty", "description": "description", "notes": "notes",
    "volume": "weekly_volume", "intensity": "intensity_zone",
}  # fmt: skip
"""Lines of the head that are fields of the program as they stand."""

SETS_IN_PROGRAM_MAX = 20_000
"""Two years of six days with thirty sets; what is more would not fit a record."""

SET_TYPES = frozenset(get_args(PlannedSetType))

_HEADING = re.compile(r"([a-z]+):\s*(.+)")
_WEEK = re.compile(r"week\s+(\d+)(?:\s*-\s*(\d+))?", re.I)
_DAY = re.compile(r"day\s+(\d+)\s*(?::\s*([^()]*?)\s*(?:\(([^()]*)\))?)?", re.I)
_CIRCUIT = re.compile(r"circuit\s+([A-Z])\s*:\s*(\d+)\s+rounds?", re.I)
_LABELLED = re.compile(r"([A-Z])(\d{1,2})\s+(.+)")
_COUNT = re.compile(r"(\d+)\s*[x×]\s*(.+)", re.I)
_REPS = re.compile(r"(\d+)(?:-(\d+))?")
_LOAD = re.compile(r"([+-]?\d+(?:[.,]\d+)?)(kg|lb|%)", re.I)
_EFFORT = re.compile(r"@(\d+(?:[.,]\d+)?)(rir|rpe)?", re.I)
_SECONDS = re.compile(r"(\d+)\s*s")


class UnreadableProgram(ApexError):
    """A text that is no program; `line` counts from 1, and `reason` says what to write instead."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(f"line {line}: {reason}")
        self.line = line
        self.reason = reason


def read_program(text: str) -> Patch:
    r"""Give the program that a text describes, as a draft's fields. Raises UnreadableProgram.

    >>> sorted(read_program("Base\nday 1: Push\n  Dip: 3x8")["sets"])
    ['w1d1e1s1', 'w1d1e1s2', 'w1d1e1s3']
    """
    if len(text) > TEXT_LENGTH_MAX:
        raise UnreadableProgram(1, f"longer than {TEXT_LENGTH_MAX} characters; make it two programs")
    reader = _Reader()
    for number, line in enumerate(text.splitlines(), 1):
        if content := line.partition("#")[0].strip():
            reader.take(number, content)
    return reader.program()


class _Exercise:
    """An exercise as it is written once, whatever the weeks it stands in."""

    def __init__(self, line: int, fields: Patch, sets: list[Patch], label: str | None) -> None:
        self.line, self.fields, self.sets, self.label = line, fields, sets, label


class _Day:
    """A day as it is written once."""

    def __init__(self, line: int, weeks: range | None, fields: Patch) -> None:
        self.line, self.weeks, self.fields = line, weeks, fields
        self.exercises: list[_Exercise] = []
        self.circuits: dict[str, int] = {}


class _Reader:
    """Takes the lines of a text one by one."""

    def __init__(self) -> None:
        self._fields: Patch = {}
        self._deloads: list[int] = []
        self._weeks: range | None = None
        self._days: list[_Day] = []
        self._last = 1

    def take(self, number: int, line: str) -> None:
        """Take a line. Raises UnreadableProgram."""
        self._last = number
        if "name" not in self._fields:
            self._fields["name"] = line
        elif found := _WEEK.fullmatch(line):
            self._weeks = _weeks(number, int(found[1]), int(found[2] or found[1]))
        elif found := _DAY.fullmatch(line):
            self._days.append(_Day(number, self._weeks, _day_fields(number, found)))
        elif self._days:
            _take_exercise(self._days[-1], number, line)
        elif self._weeks is None and (found := _HEADING.fullmatch(line)):
            self._take_heading(number, found[1], found[2])
        else:
            raise UnreadableProgram(number, f"{line!r} stands in no day; begin one with: day 1: Upper A")

    def program(self) -> Patch:
        """Put together what was read. Raises UnreadableProgram."""
        if "name" not in self._fields:
            raise UnreadableProgram(1, "the first line is the program's name, and there is none")
        if not self._days:
            raise UnreadableProgram(self._last, "there is no day; begin one with: day 1: Upper A")
        for day in self._days:
            _refuse_lone(day)
        named = [week for day in self._days for week in day.weeks or ()]
        count = self._fields.setdefault("duration_weeks", max([*named, *self._deloads, 1]))
        for week in (*named, *self._deloads):
            if week > count:
                raise UnreadableProgram(self._last, f"week {week} is after the last of the {count} weeks")
        written = sum(
            (len(day.weeks) if day.weeks else count) * sum(len(exercise.sets) for exercise in day.exercises)
            for day in self._days
        )
        if written > SETS_IN_PROGRAM_MAX:
            raise UnreadableProgram(self._last, f"these are {written} sets; a program holds {SETS_IN_PROGRAM_MAX}")
        return {**self._fields, "status": "draft", **self._maps(count)}

    def _take_heading(self, number: int, name: str, value: str) -> None:
        if name in HEADINGS:
            self._fields[HEADINGS[name]] = value
        elif name == "goals":
            self._fields["goals"] = _listed(value)
        elif name == "weeks" and value.isdigit() and 1 <= int(value) <= WEEKS_MAX:
            self._fields["duration_weeks"] = int(value)
        elif name == "deload" and all(each.isdigit() and int(each) for each in _listed(value)):
            self._deloads = [int(each) for each in _listed(value)]
        elif name in ("weeks", "deload"):
            raise UnreadableProgram(number, f"{name} takes numbers from 1 to {WEEKS_MAX}, as in: {name}: 4")
        else:
            known = ", ".join(sorted([*HEADINGS, "deload", "goals", "weeks"]))
            raise UnreadableProgram(number, f"nobody knows {name!r} here; the lines above the first day are {known}")

    def _maps(self, count: int) -> Patch:
        weeks, days, exercises, sets = {}, {}, {}, {}
        for week, week_order in zip(range(1, count + 1), order_keys(count), strict=True):
            held = [day for day in self._days if day.weeks is None or week in day.weeks]
            deload = {"deload": True} if week in self._deloads else {}
            weeks[f"w{week}"] = {"week_number": week, "order": week_order, **deload}
            for place, (day, day_order) in enumerate(zip(held, order_keys(len(held)), strict=True), 1):
                day_key = f"w{week}d{place}"
                days[day_key] = {"week": f"w{week}", "order": day_order, **day.fields}
                for key, order, exercise in _numbered(f"{day_key}e", day.exercises):
                    exercises[key] = {"day": day_key, "order": order, **exercise.fields}
                    for set_key, set_order, planned in _numbered(f"{key}s", exercise.sets):
                        sets[set_key] = {"exercise": key, "order": set_order, **planned}
        return {"weeks": weeks, "days": days, "exercises": exercises, "sets": sets}


def _numbered(prefix: str, entries: list[Any]) -> Iterator[tuple[str, str, Any]]:
    for number, (entry, order) in enumerate(zip(entries, order_keys(len(entries)), strict=True), 1):
        yield f"{prefix}{number}", order, entry


def _weeks(number: int, first: int, last: int) -> range:
    if not 1 <= first <= last <= WEEKS_MAX:
        raise UnreadableProgram(number, f"weeks are numbered from 1 to {WEEKS_MAX}, as in: week 1-3")
    return range(first, last + 1)


def _day_fields(number: int, found: re.Match[str]) -> Patch:
    if not 1 <= int(found[1]) <= 7:
        raise UnreadableProgram(number, "days are numbered from 1 (Monday) to 7")
    fields: Patch = {"day_number": int(found[1])}
    if found[2]:
        fields["name"] = found[2]
    if found[3]:
        fields["focus"] = _listed(found[3])
    return fields


def _take_exercise(day: _Day, number: int, line: str) -> None:
    if found := _CIRCUIT.fullmatch(line):
        rounds = int(found[2])
        if not 1 <= rounds <= SETS_MAX:
            raise UnreadableProgram(number, f"a circuit has 1 to {SETS_MAX} rounds, not {rounds}")
        day.circuits[found[1].upper()] = rounds
        return
    name, colon, rest = line.partition(":")
    if not colon or not name.strip():
        raise UnreadableProgram(number, f"{line!r} is no exercise; write its sets behind a colon: Dip: 3x8 @8")
    labelled = _LABELLED.fullmatch(name.strip())
    label = labelled[1] if labelled else None
    fields: Patch = {"name": labelled[3] if labelled else name.strip()}
    if labelled:
        fields["superset"] = label
        if label in day.circuits:
            fields["circuit_order"] = int(labelled[2])
    sets_text, *options = [part.strip() for part in rest.split(";")]
    for option in options:
        fields |= _option(number, option)
    rounds = day.circuits.get(label or "", 1)
    sets = [planned for word in sets_text.split(",") for planned in _sets(number, word.strip(), rounds)]
    if any(planned["type"] == "dropset" for planned in sets):
        fields["dropset"] = True
    day.exercises.append(_Exercise(number, fields, sets, label))


def _refuse_lone(day: _Day) -> None:
    """Refuse a group of one, which is alternated with nothing."""
    labels = [exercise.label for exercise in day.exercises]
    for exercise in day.exercises:
        if exercise.label is not None and labels.count(exercise.label) == 1:
            kind = "circuit" if exercise.label in day.circuits else "superset"
            raise UnreadableProgram(
                exercise.line, f"{kind} {exercise.label} has one exercise: give it a partner, or take the label away"
            )
    for label in day.circuits:
        if label not in labels:
            raise UnreadableProgram(day.line, f"circuit {label} has no exercise: label them {label}1, {label}2 …")


def _option(number: int, option: str) -> Patch:
    word, _, value = option.partition(" ")
    if word == "rest" and (found := _SECONDS.fullmatch(value)):
        return {"rest_seconds": int(found[1])}
    if word == "tempo" and value:
        return {"tempo": value}
    if word == "note" and value:
        return {"notes": value}
    if word == "cue" and value:
        return {"coaching_cues": [value]}
    raise UnreadableProgram(number, f"{option!r} means nothing; write rest 90s, tempo 3010, note … or cue …")


def _sets(number: int, text: str, rounds: int) -> list[Patch]:
    """Read `3x6-8 75% @8 backoff`: how often, how many, with what, how hard, and what kind of set."""
    found = _COUNT.fullmatch(text)
    count = int(found[1]) if found else rounds
    if not 1 <= count <= SETS_MAX:
        raise UnreadableProgram(number, f"{text!r} means {count} sets; one word holds 1 to {SETS_MAX}")
    words = (found[2] if found else text).split()
    planned: Patch = {"type": "working"}
    for place, word in enumerate(words):
        if place == 0 and (reps := _REPS.fullmatch(word)):
            planned |= _reps(number, reps)
        elif place == 0 and word.lower() == "amrap":
            planned["type"] = "amrap"
        elif load := _LOAD.fullmatch(word):
            planned |= _load(_number(load[1]), load[2].lower())
        elif effort := _EFFORT.fullmatch(word):
            planned[(effort[2] or "rpe").lower()] = _number(effort[1])
        elif word.lower() in SET_TYPES and place:
            planned["type"] = word.lower()
        else:
            raise UnreadableProgram(number, f"{word!r} in {text!r} means nothing; write 3x6-8 75% @8, 1x8 20kg warmup")
    if not words:
        raise UnreadableProgram(number, "sets are missing; write how many: 3x8")
    return [dict(planned) for _ in range(count)]


def _reps(number: int, found: re.Match[str]) -> Patch:
    low, high = int(found[1]), int(found[2] or found[1])
    if low > high:
        raise UnreadableProgram(number, f"{found[0]!r} counts down; write {high}-{low}")
    return {"reps_min": low, **({"reps_max": high} if found[2] else {})}


def _load(value: float, unit: str) -> Patch:
    if unit == "%":
        return {"load_percent": value}
    if unit == "kg":
        return {"load_kg": value}
    return {"load_kg": kilograms(value, unit), "load": value, "load_unit": unit}


def _number(text: str) -> float:
    return float(text.replace(",", "."))


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]
