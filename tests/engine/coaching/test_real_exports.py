"""The rules on the four public exports: nothing raises, and what is found agrees with a naive reading of the file."""

from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from apex_client.importers import read_export
from apex_sync.coaching.insight import analyse_training
from apex_sync.coaching.leaves import day
from apex_sync.coaching.profile import TrainingProfile
from apex_sync.coaching.records import personal_records
from apex_sync.coaching.session import session_totals
from apex_sync.coaching.sets import performed_sets, sets_by_exercise
from apex_sync.models import WORKOUT_LOGS

EXPORTS = pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("strong_en_kg_breinsp.csv", "kg"),
        ("strong_zh_lbs_dericmei.csv", "lb"),
        ("hevy_kg_small_mouadja02.csv", None),
        ("fitnotes_kgs_lukaszebedin.csv", None),
    ],
)


def logs_of(data_dir: Path, name: str, unit: Any) -> list[tuple[str, Any]]:
    plan = read_export(data_dir / name, unit=unit, accept_doubled="once")
    return [(workout.record_id, WORKOUT_LOGS.read(workout.patch)[0]) for workout in plan.workouts]


@EXPORTS
def test_volume_load_agrees_with_a_naive_sum(data_dir: Path, name: str, unit: Any) -> None:
    for workout_id, record in logs_of(data_dir, name, unit):
        naive = sum(
            (entry.load_kg or 0) * (entry.reps or 0)
            for entry in record.sets.values()
            if entry.type != "warmup" and (entry.load_kg or 0) > 0
        )
        totals = session_totals(performed_sets(workout_id, record))
        assert totals.volume_load_kg == pytest.approx(naive)
        assert totals.sets_logged == len(record.sets)


@EXPORTS
def test_load_records_agree_with_a_running_maximum(data_dir: Path, name: str, unit: Any) -> None:
    logs = logs_of(data_dir, name, unit)
    grouped = sets_by_exercise(s for workout_id, record in logs for s in performed_sets(workout_id, record))
    records = 0
    for sets in grouped.values():
        heaviest: dict[tuple[str, str], float] = defaultdict(lambda: float("-inf"))
        for performed in sets:
            if performed.reps and performed.load_kg is not None and performed.type != "warmup":
                session = (performed.performed_at, performed.workout_id)
                heaviest[session] = max(heaviest[session], performed.load_kg)
        expected, best = [], None
        for session, load in sorted(heaviest.items()):
            if best is not None and load > best + 0.05:
                expected.append(session[1])
            best = load if best is None else max(best, load)
        found = [record.workout_id for record in personal_records(sets) if record.kind == "load_pr"]
        first = min(((s.performed_at, s.workout_id) for s in sets if s.reps), default=None)
        assert found == [workout_id for workout_id in expected if first is None or workout_id != first[1]]
        records += len(found)
    assert records > 10


@EXPORTS
def test_the_analysis_of_every_month_of_a_real_history_holds(data_dir: Path, name: str, unit: Any) -> None:
    logs = logs_of(data_dir, name, unit)
    dates = sorted({on for _, record in logs if (on := day(getattr(record, "date", None)))})
    profile = TrainingProfile(training_days_per_week=3)
    rules = {
        found.rule_id
        for as_of in [*dates[::15], dates[-1]]
        for found in analyse_training(logs, as_of=as_of, profile=profile)
    }
    assert "records.new" in rules
