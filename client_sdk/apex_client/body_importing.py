"""Importing body weights; a second time adds nothing, and what was edited or deleted here stays so."""

from typing import TYPE_CHECKING

from msgspec import Struct

from apex_client.garbage import garbage_waits
from apex_client.local import LocalReplica
from apex_sync.coaching.weights import with_kilograms
from apex_sync.errors import OutOfBounds
from apex_sync.models import BODY_METRICS

if TYPE_CHECKING:
    from apex_client.importers.body import BodyPlan, SkippedMeasuring

AT_ONCE = 500
"""Records in one transaction, so others get their turn."""


class BodyImport(Struct, kw_only=True):
    """What became of every measuring of a file; nothing was saved in a dry run."""

    source: str
    added: int = 0
    already_there: int = 0
    skipped: "list[SkippedMeasuring]" = []
    dry_run: bool = False


def write_measurings(local: LocalReplica, plan: "BodyPlan", scope: str | None, *, dry_run: bool) -> BodyImport:
    """Write what is new, a record a measuring. Raises AthleteNeeded on a coach's replica without a scope."""
    home = scope or local.own_scope(BODY_METRICS.name)
    report = BodyImport(source=plan.source, skipped=list(plan.skipped), dry_run=dry_run)
    for start in range(0, len(plan.measurings), AT_ONCE):
        some = plan.measurings[start : start + AT_ONCE]
        with garbage_waits(), local.store.transaction():
            held = local.store.load(home, [each.record_id for each in some])
            new = []
            for each in some:
                if each.record_id in held:
                    report.already_there += 1
                    continue
                record = local.device.new_record(each.record_id, home, BODY_METRICS.name)
                try:
                    local.stamp(record, with_kilograms(BODY_METRICS.name, each.patch, {}))
                except OutOfBounds as error:
                    plan.skip(each.where, f"{error.problem.field}: {error.problem.message}")
                    continue
                report.added += 1
                new.append(record)
            if not dry_run:
                local.store.save(new, "local")
    report.skipped = list(plan.skipped)
    return report
