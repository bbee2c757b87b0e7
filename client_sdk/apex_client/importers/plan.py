"""What an export holds, ready to be written: the workouts, and an account of every row that is in none of them.

The invariant of a plan: each row of the file is in exactly one workout, quarantined workout or skipped row.
"""

from typing import Any

from msgspec import Struct

from apex_client.importers.errors import LoadUnit

Patch = dict[str, Any]

REST_TIMER = "rest timer"
SECOND_COPY = "second copy of a doubled workout"
ROUTINE_REASONS = frozenset({REST_TIMER, SECOND_COPY})
"""Reasons that are no loss to anybody; a report lists such rows last."""


class SkippedRow(Struct, frozen=True):
    """A row that is in no workout; `line` counts the file's physical lines from 1."""

    line: int
    reason: str
    text: str


class ImportWarning(Struct, frozen=True):
    """Something the reader should know; the row it speaks of was kept. Without a line it is about the whole file."""

    line: int | None
    reason: str


class ImportedWorkout(Struct, frozen=True):
    """One session; `patch` is within the bounds of `WORKOUT_LOGS`.

    The record id and the keys within the patch depend on source, start, title, exercise and place alone, so the same
    session read again, from this file or a longer one, has the same ids.
    """

    record_id: str
    patch: Patch
    rows: int
    lines: tuple[int, int]

    @property
    def sets(self) -> int:
        """How many sets it holds; rows beyond them were notes."""
        return len(self.patch["sets"])


class QuarantinedWorkout(Struct, frozen=True):
    """One session that is not imported before a person has decided about it."""

    record_id: str
    title: str
    date: str
    lines: tuple[int, int]
    rows: int
    reason: str


class ImportPlan(Struct, frozen=True, kw_only=True):
    """Everything a file holds. `load_unit` is the unit its loads were read in: None when there are none, or several."""

    source: str
    rows_read: int
    workouts: list[ImportedWorkout]
    quarantined: list[QuarantinedWorkout]
    skipped: list[SkippedRow]
    warnings: list[ImportWarning]
    load_unit: LoadUnit | None = None

    def __post_init__(self) -> None:
        """Hold the invariant: a row that is nowhere is a defect of the importer."""
        kept = sum(workout.rows for workout in self.workouts) + sum(workout.rows for workout in self.quarantined)
        assert kept + len(self.skipped) == self.rows_read, f"{self.rows_read} rows in, {kept} kept"  # noqa: S101
