"""Importing exercises into a coach's own library; what is there already, in whatever words, is not added twice."""

from typing import TYPE_CHECKING

from msgspec import Struct

from apex_client.exercise_searching import names_by_key
from apex_client.garbage import garbage_waits
from apex_client.importers.run import new_leaves
from apex_client.local import LocalReplica
from apex_sync.coaching.names import name_key
from apex_sync.errors import ForbiddenField
from apex_sync.models import EXERCISES

if TYPE_CHECKING:
    from apex_client.importers.exercise_db import ExercisePlan, ReadExercise, SkippedExercise


class KnownExercise(Struct, frozen=True):
    """An entry that was left out, because a name of an exercise that is here means it."""

    name: str
    known_as: str


class ExerciseImport(Struct, kw_only=True):
    """What became of every entry of a file; nothing was saved in a dry run."""

    added: int = 0
    changed: int = 0
    already_there: int = 0
    known: list[KnownExercise] = []
    skipped: "list[SkippedExercise]" = []
    dry_run: bool = False

    @property
    def read(self) -> int:
        """How many entries the file has."""
        return self.added + self.changed + self.already_there + len(self.known) + len(self.skipped)


def write_exercises(local: LocalReplica, plan: "ExercisePlan", library: str, *, dry_run: bool) -> ExerciseImport:
    """Write what is new, an op an exercise, in one transaction. Raises ForbiddenField for who is no coach."""
    role = local.role_in(library)
    forbidden = EXERCISES.forbidden_fields({"name": ""}, role)
    if forbidden:
        raise ForbiddenField(EXERCISES.name, forbidden, role)
    report = ExerciseImport(skipped=plan.skipped, dry_run=dry_run)
    held = local.store.load(library, [exercise.record_id for exercise in plan.exercises])
    names = names_by_key(local)
    unknown: list[ReadExercise] = []
    for exercise in plan.exercises:
        name = exercise.patch["name"]
        known_as = None if exercise.record_id in held else names.get(name_key(name))
        if known_as is None:
            unknown.append(exercise)
        else:
            report.known.append(KnownExercise(name, known_as))
    with garbage_waits(), local.store.transaction():
        changed = []
        for exercise in unknown:
            record = held.get(exercise.record_id)
            patch = new_leaves(record.state if record else {}, exercise.patch)
            report.added += record is None
            report.changed += record is not None and bool(patch)
            report.already_there += record is not None and not patch
            if patch and not dry_run:
                record = record or local.device.new_record(exercise.record_id, library, EXERCISES.name)
                local.stamp(record, patch)
                changed.append(record)
        local.store.save(changed, "local")
    return report
