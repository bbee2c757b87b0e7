"""What training says as a whole, from whole records to findings."""

from typing import Any

import pytest

from apex_sync.coaching.finding import Finding
from apex_sync.coaching.insight import analyse_training
from apex_sync.coaching.plan import Plan, ScheduledSession, Target, plan_from_program
from apex_sync.coaching.profile import ExerciseTraits, TrainingProfile
from apex_sync.collection import Record
from tests.engine.coaching.logs import MONDAY, check_in, day, program, sets, workout

Log = tuple[str, Record]

CHEST = {"name:bench": ExerciseTraits(muscles={"chest": 1.0}, equipment="barbell")}


def log(offset: int, loads: dict[str, float], *, count: int = 3, reps: int = 5, **leaves: Any) -> Log:
    exercises = {name: sets(*[(load, reps)] * count, **leaves) for name, load in loads.items()}
    return f"w{offset:03}", workout(day(offset), exercises)


def analysed(workouts: list[Log], as_of: int, **options: Any) -> dict[str, Finding]:
    return {f.rule_id: f for f in analyse_training(workouts, as_of=day(as_of), **options)}


def test_progress_is_recommended_with_the_sets_it_rests_on() -> None:
    found = analysed([log(0, {"Bench": 100.0}, rpe=7)], 2)["rpe.below_target"]
    assert (found.action, found.about, found.subject) == ("raise_load", "Bench", "name:bench")
    assert found.recommendation == "Progress: next time 102.5 kg for 5 reps."
    assert {fact.record_id for fact in found.inputs} == {"w000"}
    assert found.confidence == 0.5


def test_the_step_of_the_equipment_is_used() -> None:
    squat = {"name:squat": ExerciseTraits(muscles={"quads": 1.0}, equipment="barbell")}
    found = analysed([log(0, {"Squat": 100.0}, rpe=7)], 2, library=squat)["rpe.below_target"]
    assert found.recommendation == "Progress: next time 105 kg for 5 reps."


def test_a_program_gives_the_target_of_the_session_it_names() -> None:
    plan = Plan(
        program_id="p",
        targets={
            ("name:bench", 1, 1): Target(reps_low=8, reps_high=12),
            ("name:bench", 1, 3): Target(reps_low=3, reps_high=5),
        },
    )
    placed = {"program_id": "p", "week_number": 1}
    heavy = workout(day(2), {"Bench": sets((110, 5))}, day_number=3, **placed)
    light = workout(day(0), {"Bench": sets((80, 5))}, day_number=1, **placed)
    found = analysed([("light", light), ("heavy", heavy)], 3, program=plan)
    assert found["double_progression.range_topped"].inputs[0].record_id == "heavy"
    of_light = analysed([("light", light)], 3, program=plan)
    assert "double_progression.below_range_once" in of_light
    foreign = analysed([("heavy", workout(day(2), {"Bench": sets((110, 5))}, day_number=3))], 3, program=plan)
    assert "double_progression.range_topped" in foreign, "the latest session of the program that has the exercise"


@pytest.mark.parametrize(
    ("logged", "rule", "action"),
    [
        (sets((100, 10), rpe=8), "in_range", "keep_load"),
        (sets((100, 12), rpe=9), "effort_high", "check_effort"),
        (sets((100, 12), rpe=8), "range_topped", "raise_load"),
        (sets((None, 12), rpe=8), "range_topped", "add_reps"),
    ],
)
def test_what_may_be_done_follows_from_the_rule(logged: list[Any], rule: str, action: str) -> None:
    plan = Plan(targets={("name:bench", 1, 1): Target(reps_low=8, reps_high=12, rpe=8.0)})
    found = analysed([("w", workout(day(0), {"Bench": logged}))], 2, program=plan)[f"double_progression.{rule}"]
    assert found.action == action


def test_exercises_without_basis_make_no_finding() -> None:
    assert analysed([log(0, {"Bench": 100.0})], 2) == {}


def test_a_plateau_names_the_sets_of_its_line() -> None:
    found = analysed([log(7 * n, {"Bench": 100.0}) for n in range(6)], 35)["plateau.no_gain"]
    assert (found.n, found.confidence, found.about) == (6, 1.0, "Bench")
    assert found.window.to == day(35)


def test_deload_weeks_are_no_part_of_a_trend() -> None:
    plan = plan_from_program(
        "p",
        program(
            start_date=MONDAY.isoformat(),
            status="active",
            weeks={"a": {"week_number": 1}, "b": {"week_number": 4, "deload": True}, "c": {"week_number": 6}},
        ),
    )
    loads = [100.0, 100.0, 100.0, 60.0, 100.0, 100.0]
    logs = [log(7 * n, {"Bench": load}) for n, load in enumerate(loads)]
    assert "plateau.no_gain" not in analysed(logs, 35, program=plan)
    logs.append(log(42, {"Bench": 100.0}))
    assert analysed(logs, 42, program=plan)["plateau.no_gain"].n == 6


def test_new_records_are_reported_per_session_and_late_logs_withdraw_them() -> None:
    logs = [log(0, {"Bench": 100.0}), log(10, {"Bench": 105.0})]
    found = analysed(logs, 12)["records.new"]
    assert found.subject == "name:bench:w010"
    assert found.flag == "positive"
    assert "records.new" not in analysed(logs, 30)
    late = log(5, {"Bench": 110.0})
    assert analysed([*logs, late], 12)["records.new"].subject == "name:bench:w005"
    assert analysed(logs, 30, records_since=day(0))["records.new"].window.to == day(10)


def efforts(*values: float) -> list[Log]:
    return [log(3 * n, {"Bench": 100.0}, rpe=value) for n, value in enumerate(values)]


def test_rising_effort_at_the_same_work_is_a_concern() -> None:
    found = analysed(efforts(8, 8, 8, 9, 9), 14)["recovery.rpe_drift"]
    assert found.computed[2].value == 1.0
    assert len({fact.record_id for fact in found.inputs}) == 5


def test_two_signs_of_different_records_are_a_risk_and_one_is_none() -> None:
    drift = efforts(8, 8, 8, 9, 9)
    strained = check_in(day(12), energy=2, sleep=2, stress=9, soreness=9)
    assert "recovery.overtraining_risk" not in analysed(drift, 14)
    assert "recovery.overtraining_risk" not in analysed([], 14, check_ins=[("c", strained)])
    both = analysed(drift, 14, check_ins=[("c", strained)])
    found = both["recovery.overtraining_risk"]
    assert (found.priority, found.flag, found.action) == ("critical", "warning", "consider_deload")
    assert {"c", "w012"} <= {fact.record_id for fact in found.inputs}
    assert both["recovery.deload_due"].priority == "high"
    assert "recovery.overtraining_risk" not in analysed(drift, 27, check_ins=[("c", strained)])


def test_a_draft_check_in_is_no_sign() -> None:
    draft = check_in(day(12), submitted=False, energy=2, sleep=2, stress=9, soreness=9)
    assert "recovery.overtraining_risk" not in analysed(efforts(8, 8, 8, 9, 9), 14, check_ins=[("c", draft)])


def test_two_lifts_below_their_best_are_a_drop() -> None:
    both = {"Bench": 100.0, "Squat": 140.0}
    logs = [log(0, both), log(7, both), log(14, both), log(21, {"Bench": 90.0, "Squat": 125.0})]
    found = analysed(logs, 22)["recovery.performance_drop"]
    assert set(found.about.split(", ")) == {"Bench", "Squat"}
    assert found.threshold == {"percent": 95.0}


def test_six_hard_weeks_call_for_a_deload_unless_one_is_planned() -> None:
    logs = [log(7 * week + at, {"Bench": 100.0 + week}) for week in range(6) for at in (0, 3)]
    found = analysed(logs, 42)["recovery.deload_due"]
    assert (found.statement, found.priority) == ("6 hard weeks running", "medium")
    assert [fact.value for fact in found.computed] == [6, 0, 7, 50.0, 60.0, 90.0, 2]
    assert "recovery.deload_due" not in analysed(logs[2:], 42)
    planned = plan_from_program(
        "p",
        program(start_date=MONDAY.isoformat(), status="active", weeks={"a": {"week_number": 8, "deload": True}}),
    )
    assert "recovery.deload_due" not in analysed(logs, 42, program=planned)


def test_two_weeks_above_mrv_are_a_sign() -> None:
    logs = [log(7 * week + at, {"Bench": 100.0}, count=12) for week in range(2) for at in (0, 3)]
    found = analysed(logs, 14, library=CHEST)["volume.above_mrv"]
    assert (found.about, found.threshold["mrv"], found.action) == ("chest", 22, "review_volume")
    assert {fact.record_id for fact in found.inputs} == {"w000", "w003", "w007", "w010"}
    assert "volume.above_mrv" not in analysed(logs, 14)
    tolerant = TrainingProfile(volume_tolerance="high")
    assert "volume.above_mrv" not in analysed(logs, 14, library=CHEST, profile=tolerant)


def test_a_jump_of_weekly_sets_is_a_note() -> None:
    logs = [log(0, {"Bench": 100.0}, count=6), log(7, {"Bench": 100.0}, count=9)]
    assert analysed(logs, 14, library=CHEST)["volume.jump"].priority == "low"


def test_a_weak_point_below_its_effective_volume_is_an_opportunity() -> None:
    profile = TrainingProfile(weak_points=("Chest", "aura"))
    found = analysed([log(0, {"Bench": 100.0}, count=9)], 7, library=CHEST, profile=profile)["volume.weak_point_low"]
    assert (found.type, found.threshold) == ("opportunity", {"mev": 10})
    assert "volume.weak_point_low" not in analysed(
        [log(0, {"Bench": 100.0}, count=10)], 7, library=CHEST, profile=profile
    )


def test_notes_and_injuries_of_the_last_two_weeks_are_passed_on() -> None:
    hurt = workout(day(0), {"Bench": sets((100, 5), failure_reason="injury")}, notes="felt a tweak")
    found = analysed([("w", hurt)], 13)
    assert found["notes.mention"].inputs[0].value == "felt a tweak"
    assert found["notes.set_ended_by_injury"].inputs[0].field == "sets.s0-0.failure_reason"
    assert "notes.mention" not in analysed([("w", hurt)], 14)


def test_two_weeks_of_few_sessions_are_a_concern_and_a_late_log_withdraws_it() -> None:
    scheduled = tuple(ScheduledSession(date=day(7 * week + at)) for week in range(2) for at in (0, 2, 4))
    plan = Plan(scheduled=scheduled)
    few = [log(0, {"Bench": 100.0}), log(7, {"Bench": 100.0})]
    found = analysed(few, 14, program=plan)["adherence.workouts_low"]
    assert found.statement.endswith("33 % and 33 %")
    assert {fact.record_id for fact in found.inputs} == {"w000", "w007"}
    late = [log(8, {"Bench": 100.0}), log(9, {"Bench": 100.0})]
    assert "adherence.workouts_low" not in analysed([*few, *late], 14, program=plan)


def test_without_a_program_training_days_a_week_make_the_schedule() -> None:
    few = [log(7 * week, {"Bench": 100.0}) for week in range(4)]
    profile = TrainingProfile(training_days_per_week=3)
    assert "adherence.workouts_low" in analysed(few, 28, profile=profile)
    assert "adherence.workouts_low" not in analysed(few, 28)


def test_sessions_of_before_there_was_a_coach_fall_short_of_nothing() -> None:
    """Who links today brings imported sessions, and the coach sets the training days: no week was due yet."""
    imported = [log(7 * week, {"Bench": 100.0}) for week in range(4)]

    def found(coached_since: int) -> dict[str, Finding]:
        profile = TrainingProfile(training_days_per_week=3, coached_since=day(coached_since))
        return analysed(imported, 28, profile=profile)

    assert "adherence.workouts_low" not in found(28)
    assert "adherence.workouts_low" not in found(15), "one week alone was due since"
    assert "adherence.workouts_low" in found(14)


def test_an_overdue_check_in_names_the_last_one() -> None:
    plan = Plan(program_id="p", due_check_ins=(day(0), day(7)))
    last = [("c", check_in(day(0), energy=7))]
    found = analysed([], 10, check_ins=last, program=plan)["adherence.check_in_overdue"]
    assert (found.inputs[0].record_id, found.inputs[0].value) == ("c", "2026-03-02")
    assert "adherence.check_in_overdue" not in analysed([], 9, check_ins=last, program=plan)
    never = analysed([], 10, program=plan)["adherence.check_in_overdue"]
    assert never.inputs[0].record_id == "p"


def test_logs_of_the_future_and_deleted_logs_are_not_read() -> None:
    future = log(5, {"Bench": 200.0}, rpe=6)
    deleted = ("x", workout(day(0), {"Bench": sets((300, 5), rpe=6)}, deleted=True))
    assert analysed([future, deleted], 4) == {}
