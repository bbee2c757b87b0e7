"""Personal records of one exercise, found anew from the merged history each time.

A record is strictly better than everything earlier *by event time*, so a set that was logged offline and arrives late
can cancel a record that was announced meanwhile: it does so by itself, because nothing here is stored. Ties are no
records. The first session of an exercise is what later ones are measured against and holds none [D]; a session holds
at most one record of each kind, its best. Records rest on load and reps alone: effort is the athlete's estimate, and
reporting an easy set must not make a record, so estimated maxima are Epley's here throughout (`formula` says so).
Lifts in which the body moves (`body_weight_lifts`) hold records of load and of repetitions alone, by what hangs on the
body: nobody sets one on the scale.

A set added after the first session can cancel later records, or turn a load record into a repetition record at that
load; it never gives one to a later session that held none.
"""

import datetime
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from math import fsum
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from apex_sync.coaching.body_weight_lifts import body_weight_lift, hung_kg
from apex_sync.coaching.exposures import Exposure, exposures
from apex_sync.coaching.rounding import as_shown
from apex_sync.coaching.sets import PerformedSet
from apex_sync.coaching.strength import Formula, estimate_of

RecordKind = Literal["load_pr", "rep_pr", "e1rm_pr", "volume_pr", "set_volume_pr"]

HUNG_KINDS = ("load_pr", "rep_pr")
"""The records of a lift in which the body moves."""

LOAD_TOLERANCE_KG = 0.05
"""Loads closer than this are one load: exports round pounds to one or two decimals of a kilogram, and the smallest
plates sold differ by more [D]."""

E1RM_MARGIN = 0.01
"""An estimated maximum must beat all earlier ones by more than this share to be announced [D]."""

E1RM_FORMULA: Formula = "epley"
"""An estimated maximum that is a record is by this formula, whichever one the line is drawn by: by the RPE table a set
called easy would be a record, and a late set without effort would give records to others [D]."""

E1RM_REPS_MAX = 10
"""Estimates from more reps make no record [V, easy1rm.com: accuracy falls off above ten]."""


class PersonalRecord(Struct, frozen=True, kw_only=True):
    """One record: `value` beats `previous`, both in `unit`; `load_kg` and `reps` are those of the set.

    `set_key` is None for `volume_pr`, which a whole session holds. `previous` of a `rep_pr` is the most reps done
    before at that load or heavier. `formula` is that of an `e1rm_pr`, None for what was measured.
    """

    kind: RecordKind
    exercise_name: str | None
    workout_id: str
    set_key: str | None
    date: datetime.date
    performed_at: str
    value: float
    previous: float
    unit: Literal["kg", "reps"]
    load_kg: float | None = None
    reps: int | None = None
    formula: Formula | None = None


def personal_records(sets: Iterable[PerformedSet]) -> list[PersonalRecord]:
    """List the records in the history of one exercise, in event order; the sets may come in any order.

    Sets that do not count, and sets without a day, take no part. O(n log n).
    """
    return records_in(exposures(sets))


def record_as_shown(record: PersonalRecord) -> PersonalRecord:
    """Give a record with its figures as they are shown."""
    return replace(
        record,
        value=as_shown(record.value),
        previous=as_shown(record.previous),
        load_kg=None if record.load_kg is None else as_shown(record.load_kg),
    )


def records_in(line: Sequence[Exposure]) -> list[PersonalRecord]:
    """List the records in the exposures of one exercise, which come oldest first."""
    marks = _Marks()
    records: list[PersonalRecord] = []
    body_moves = any(body_weight_lift(s.exercise_id, s.exercise_name) for exposure in line for s in exposure.sets)
    for logged in line:
        exposure = _as_hung(logged) if body_moves else logged
        if marks.sessions:
            found = _records_of(exposure, marks)
            records.extend(record for record in found if not body_moves or record.kind in HUNG_KINDS)
        marks.add(exposure)
    return records


class _Marks:
    """What has been reached so far: the best of each kind, and the most reps for every load."""

    def __init__(self) -> None:
        self.sessions = 0
        self.load_kg: float | None = None
        self.e1rm_kg: float | None = None
        self.volume_kg: float | None = None
        self.set_volume_kg: float | None = None
        self._loads: list[float] = []
        self._reps: list[int] = []
        """A staircase: as the load rises, the most reps done with it or more fall."""

    def reps_at(self, load_kg: float) -> int | None:
        """Give the most reps done with this load or a heavier one; None where there was none."""
        step = bisect_left(self._loads, load_kg - LOAD_TOLERANCE_KG)
        return self._reps[step] if step < len(self._loads) else None

    def add(self, exposure: Exposure) -> None:
        self.sessions += 1
        self.volume_kg = _higher(self.volume_kg, _session_volume_kg(exposure))
        for performed in exposure.sets:
            self.load_kg = _higher(self.load_kg, performed.load_kg)
            self.e1rm_kg = _higher(self.e1rm_kg, _e1rm_kg(performed))
            self.set_volume_kg = _higher(self.set_volume_kg, _set_volume_kg(performed))
            self._climb(performed.load_kg or 0.0, performed.reps or 0)

    def _climb(self, load_kg: float, reps: int) -> None:
        step = bisect_left(self._loads, load_kg)
        if step < len(self._loads) and self._reps[step] >= reps:
            return
        if step < len(self._loads) and self._loads[step] == load_kg:
            self._reps[step] = reps
        else:
            self._loads.insert(step, load_kg)
            self._reps.insert(step, reps)
        covered = step
        while covered and self._reps[covered - 1] <= reps:
            covered -= 1
        del self._loads[covered:step], self._reps[covered:step]


def _as_hung(exposure: Exposure) -> Exposure:
    """Tell assistance as a negative load, however it was logged: less of it is heavier."""
    hung = (
        replace(s, load_kg=hung_kg(body_weight_lift(s.exercise_id, s.exercise_name), s.load_kg)) for s in exposure.sets
    )
    return replace(exposure, sets=tuple(hung))


def _records_of(exposure: Exposure, marks: _Marks) -> Iterable[PersonalRecord]:
    """Give the records of one session against everything before it."""
    heaviest = _best(exposure, lambda s: s.load_kg)
    if heaviest and marks.load_kg is not None and heaviest[0] > marks.load_kg + LOAD_TOLERANCE_KG:
        yield _record("load_pr", exposure, heaviest[1], heaviest[0], marks.load_kg)
    most = max(
        (
            s
            for s in exposure.sets
            if (before := marks.reps_at(s.load_kg or 0.0)) is not None and (s.reps or 0) > before
        ),
        key=lambda s: (s.load_kg or 0.0, s.reps or 0, -s.position),
        default=None,
    )
    if most is not None:
        yield _record("rep_pr", exposure, most, most.reps or 0, marks.reps_at(most.load_kg or 0.0) or 0, unit="reps")
    strongest = _best(exposure, _e1rm_kg)
    if strongest and marks.e1rm_kg is not None and strongest[0] > marks.e1rm_kg * (1 + E1RM_MARGIN):
        yield _record("e1rm_pr", exposure, strongest[1], strongest[0], marks.e1rm_kg)
    yield from _volume_records(exposure, marks)


def _volume_records(exposure: Exposure, marks: _Marks) -> Iterable[PersonalRecord]:
    volume = _session_volume_kg(exposure)
    slack = LOAD_TOLERANCE_KG * sum(s.reps or 0 for s in exposure.sets)
    if volume is not None and marks.volume_kg is not None and volume > marks.volume_kg + slack:
        yield _record("volume_pr", exposure, None, volume, marks.volume_kg)
    biggest = _best(exposure, _set_volume_kg)
    if biggest and marks.set_volume_kg is not None:
        volume, performed = biggest
        if volume > marks.set_volume_kg + LOAD_TOLERANCE_KG * (performed.reps or 0):
            yield _record("set_volume_pr", exposure, performed, volume, marks.set_volume_kg)


def _record(
    kind: RecordKind,
    exposure: Exposure,
    performed: PerformedSet | None,
    value: float,
    previous: float,
    unit: Literal["kg", "reps"] = "kg",
) -> PersonalRecord:
    return PersonalRecord(
        kind=kind,
        exercise_name=exposure.sets[0].exercise_name,
        workout_id=exposure.workout_id,
        set_key=performed.set_key if performed else None,
        date=exposure.date,
        performed_at=exposure.performed_at,
        value=float(value),
        previous=float(previous),
        unit=unit,
        load_kg=performed.load_kg if performed else None,
        reps=performed.reps if performed else None,
        formula=E1RM_FORMULA if kind == "e1rm_pr" else None,
    )


def _best(exposure: Exposure, measure: Callable[[PerformedSet], float | None]) -> tuple[float, PerformedSet] | None:
    """Give the highest measure of a session and the first set that reached it."""
    measured = [(value, performed) for performed in exposure.sets if (value := measure(performed)) is not None]
    return max(measured, key=lambda pair: (pair[0], -pair[1].position), default=None)


def _e1rm_kg(performed: PerformedSet) -> float | None:
    if (performed.reps or 0) > E1RM_REPS_MAX:
        return None
    estimate = estimate_of(performed.load_kg, performed.reps, None, E1RM_FORMULA)
    return estimate.e1rm_kg if estimate else None


def _set_volume_kg(performed: PerformedSet) -> float | None:
    return performed.load_kg * (performed.reps or 0) if performed.load_kg and performed.load_kg > 0 else None


def _session_volume_kg(exposure: Exposure) -> float | None:
    volumes = [volume for performed in exposure.sets if (volume := _set_volume_kg(performed)) is not None]
    return fsum(volumes) if volumes else None


def _higher(mark: float | None, value: float | None) -> float | None:
    if mark is None or value is None:
        return value if mark is None else mark
    return max(mark, value)
