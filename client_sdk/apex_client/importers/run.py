"""Bring a plan into a replica: what is new of each workout, and the account of what became of every row.

A second import never overrides an edit: a leaf, exercise or set that the record already has, in whatever state, is left
alone, and a workout that somebody has removed stays removed.
"""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from apex_client.importers.plan import (
    ImportedWorkout,
    ImportPlan,
    ImportWarning,
    Patch,
    QuarantinedWorkout,
    SkippedRow,
)
from apex_sync.order import order_between

ENTRY_MAPS = ("exercises", "sets")


def new_leaves(existing_state: Mapping[str, Any], patch: Patch) -> Patch:
    """Give the part of an imported workout that a record does not have yet, `{}` when it has everything.

    `existing_state` is the folded state of the record, empty when there is none. New entries are put where they stand
    in the file relative to the entries that are already there, wherever those have been moved to since.
    """
    if existing_state.get("deleted"):
        return {}
    new: Patch = {field: value for field, value in patch.items() if field not in existing_state}
    for field in ENTRY_MAPS:
        existing = existing_state.get(field)
        if existing and (entries := _new_entries(existing, patch.get(field, {}))):
            new[field] = entries
    return new


def _new_entries(existing: Mapping[str, Any], imported: Mapping[str, Patch]) -> dict[str, Patch]:
    """Give the entries whose keys are new, each ordered directly after the one before it in the file."""
    orders = sorted({entry["order"] for entry in existing.values() if entry.get("order")})
    new: dict[str, Patch] = {}
    before: str | None = None
    for key, entry in sorted(imported.items(), key=lambda item: item[1]["order"]):
        if key in existing:
            before = existing[key].get("order") or before
            continue
        after = next((order for order in orders if before is None or order > before), None)
        before = _order_between(before, after) or entry["order"]
        new[key] = {**entry, "order": before}
    return new


def _order_between(before: str | None, after: str | None) -> str | None:
    """Give a key between two, or None where another program's keys leave no room."""
    try:
        return order_between(before, after)
    except ValueError:
        return None


class ImportReport(Struct, frozen=True, kw_only=True):
    """What became of a file's rows and workouts; every row that was read is in exactly one of the counts."""

    source: str
    rows_read: int
    workouts_imported: int
    workouts_extended: int
    """Workouts that were there and got rows a longer export has added."""
    workouts_already_there: int
    rows_imported: int
    rows_already_there: int
    quarantined: list[QuarantinedWorkout]
    skipped: list[SkippedRow]
    warnings: list[ImportWarning]

    def __post_init__(self) -> None:
        """Hold the invariant that makes the report worth reading."""
        assert self.rows_accounted == self.rows_read, f"{self.rows_read} rows in, {self.rows_accounted} out"  # noqa: S101

    @property
    def workouts_read(self) -> int:
        """Workouts of the file, the quarantined ones among them."""
        done = self.workouts_imported + self.workouts_extended + self.workouts_already_there
        return done + len(self.quarantined)

    @property
    def rows_quarantined(self) -> int:
        """Rows of the quarantined workouts."""
        return sum(workout.rows for workout in self.quarantined)

    @property
    def rows_accounted(self) -> int:
        """Rows whose fate is told."""
        return self.rows_imported + self.rows_already_there + self.rows_quarantined + len(self.skipped)


class ImportTally:
    """Counts while a plan is written; `report` is its result and may be called once every workout was counted."""

    def __init__(self, plan: ImportPlan) -> None:
        self.plan = plan
        self.workouts_imported = 0
        self.workouts_extended = 0
        self.workouts_already_there = 0
        self.rows_imported = 0
        self.rows_already_there = 0

    def count(self, workout: ImportedWorkout, written: Patch, *, existed: bool) -> None:
        """Count one workout of the plan by what `new_leaves` gave for it."""
        if not existed:
            new_rows = workout.rows
            self.workouts_imported += 1
        else:
            new_rows = min(len(written.get("sets", {})), workout.rows)
            self.workouts_extended += bool(written)
            self.workouts_already_there += not written
        self.rows_imported += new_rows
        self.rows_already_there += workout.rows - new_rows

    def report(self) -> ImportReport:
        """Give the account of the whole file."""
        return ImportReport(
            source=self.plan.source,
            rows_read=self.plan.rows_read,
            workouts_imported=self.workouts_imported,
            workouts_extended=self.workouts_extended,
            workouts_already_there=self.workouts_already_there,
            rows_imported=self.rows_imported,
            rows_already_there=self.rows_already_there,
            quarantined=self.plan.quarantined,
            skipped=self.plan.skipped,
            warnings=self.plan.warnings,
        )
