"""What the newer models refuse, what they mark for review, and ids that every device derives alike."""

from typing import Any

import pytest

from apex_sync.errors import FieldProblem, OutOfBounds
from apex_sync.models import COLLECTIONS, PROGRAMS
from apex_sync.models.client_file import client_file_id
from apex_sync.models.days import impossible_days, missing_day
from apex_sync.models.nutrition import nutrition_log_id, nutrition_targets_id

GOOD: dict[str, dict[str, Any]] = {
    "profiles": {
        "phone": "+49 170 1234567",
        "injuries": {"k1": {"area": "knee", "side": "left", "since": "2026-01-10", "severity": "mild"}},
        "target_weight_kg": 81.64662660000001,
        "target_weight": 180,
        "target_weight_unit": "lb",
    },
    "client_files": {"status": "needs-attention", "tags": ["prep"], "program_notes": {"p" * 36: {"notes": "push"}}},
    "body_metrics": {"date": "2026-03-01", "weight_kg": 80.5, "measurements": {"waist_cm": 81.0}, "source": "scale"},
    "progress_photos": {"media_id": "a" * 64, "type": "side-left", "size_bytes": 1, "width_px": 3000},
    "nutrition_logs": {
        "date": "2026-03-01",
        "meals": {"b": {"name": "Breakfast", "time": "2026-03-01T07:30:00+01:00"}},
        "foods": {"1": {"meal": "b", "name": "Oats", "quantity": 80, "unit": "g", "grams": 80, "energy_kcal": 311}},
    },
    "nutrition_targets": {"start_date": "2026-03-01", "energy_kcal": 2500, "protein_g": 180},
    "meal_plans": {
        "start_date": "2026-03-01",
        "end_date": "2026-03-01",
        "days": {"d": {"name": "Rest day"}},
        "meals": {"m": {"day": "d", "time_of_day": "07:30"}},
        "foods": {"f": {"meal": "m", "food_id": "x"}},
    },
    "foods": {"name": "Oats", "per_100g": {"energy_kcal": 389}, "servings": {"s": {"name": "cup", "grams": 81}}},
    "questionnaires": {"questions": {"q": {"text": "How is your knee?", "type": "scale", "minimum": 0, "maximum": 10}}},
    "programs": {"sets": {"s": {"load_kg": 102.0, "load": 225, "load_unit": "lb"}}},
    "check_ins": {"date": "2026-03-01", "questionnaire_id": "q", "questionnaire": {"k1": 7, "k2": "fine"}},
    "messages": {
        "coach": {"type": "text", "text": "Well done", "sent_at": "2026-03-01T18:05:00.000Z"},
        "athlete": {"read_at": "2026-03-01T18:06:00.000Z", "reactions": {"💪🏽": True}},
    },
    "insights": {"suggested_actions": [{"label": "Deload", "action": "schedule_deload", "params": {"week": 5}}]},
}

REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("profiles", {"injuries": {"k1": {"severity": "fatal"}}}, "injuries.k1.severity"),
    ("profiles", {"check_in_day_number": 8}, "check_in_day_number"),
    ("client_files", {"status": "gone"}, "status"),
    ("body_metrics", {"weight_kg": 0}, "weight_kg"),
    ("body_metrics", {"measurements": {"waist_cm": 401}}, "measurements.waist_cm"),
    ("body_metrics", {"date": "1 March"}, "date"),
    ("progress_photos", {"size_bytes": 10**9}, "size_bytes"),
    ("nutrition_logs", {"foods": {"1": {"energy_kcal": -1}}}, "foods.1.energy_kcal"),
    ("nutrition_logs", {"notes": "x" * 10_001}, "notes"),
    ("nutrition_targets", {"protein_g": 20_000}, "protein_g"),
    ("foods", {"barcode": "12"}, "barcode"),
    ("foods", {"per_100g": {"salt_g": 1}}, "per_100g"),
    ("questionnaires", {"questions": {"q": {"type": "riddle"}}}, "questions.q.type"),
    ("messages", {"coach": {"text": ""}}, "coach.text"),
    ("messages", {"coach": {"text": "x" * 2**20}}, "coach.text"),
    ("messages", {"athlete": {"type": "hologram"}}, "athlete.type"),
    ("messages", {"athlete": {"sent_at": "2026-03-01T18:05:00+01:00"}}, "athlete.sent_at"),
    ("messages", {"athlete": {"reactions": {"x" * 17: True}}}, "athlete.reactions"),
    ("messages", {"athlete": {"reactions": {chr(0x1F600 + n): True for n in range(21)}}}, "athlete.reactions"),
]

TO_REVIEW: list[tuple[str, dict[str, Any], str]] = [
    ("profiles", {"injuries": {"k1": {"since": "2026-02-31"}}}, "injuries.k1.since"),
    ("profiles", {"date_of_birth": "2026-02-31"}, "date_of_birth"),
    ("body_metrics", {"date": "2026-02-31"}, "date"),
    ("progress_photos", {"taken_at": "2026-02-31T10:00:00"}, "taken_at"),
    ("nutrition_logs", {"foods": {"1": {"meal": "nowhere"}}}, "foods.1.meal"),
    ("nutrition_targets", {"start_date": "2026-13-01"}, "start_date"),
    ("meal_plans", {"start_date": "2026-03-02", "end_date": "2026-03-01"}, "end_date"),
    ("meal_plans", {"meals": {"m": {"day": "nowhere"}}}, "meals.m.day"),
    ("meal_plans", {"foods": {"f": {"meal": "nowhere"}}}, "foods.f.meal"),
    ("questionnaires", {"questions": {"q": {"minimum": 5, "maximum": 0}}}, "questions.q.maximum"),
    ("messages", {"coach": {"type": "text", "sent_at": "2026-03-01T18:05:00.000Z"}}, "coach.text"),
    (
        "messages",
        {"coach": {"type": "voice", "text": "Listen", "sent_at": "2026-03-01T18:05:00.000Z"}},
        "coach.media_id",
    ),
    ("messages", {"coach": {"type": "text", "text": "Hello"}}, "coach.sent_at"),
    ("messages", {"coach": {"text": "Hello", "sent_at": "2026-03-01T18:05:00.000Z"}}, "coach.type"),
    (
        "messages",
        {"coach": {"type": "text", "text": "Hello", "sent_at": "2026-02-31T18:05:00.000Z"}},
        "coach.sent_at",
    ),
    (
        "messages",
        {side: {"type": "text", "text": "Hi", "sent_at": "2026-03-01T18:05:00.000Z"} for side in ("coach", "athlete")},
        "",
    ),
]


@pytest.mark.parametrize("name", GOOD)
def test_what_people_usually_write_is_sound(name: str) -> None:
    COLLECTIONS[name].check_bounds(GOOD[name])
    assert COLLECTIONS[name].read(GOOD[name])[1] == []


@pytest.mark.parametrize(("name", "patch", "field"), REFUSED)
def test_a_value_out_of_bounds_is_refused_by_its_path(name: str, patch: dict[str, Any], field: str) -> None:
    with pytest.raises(OutOfBounds) as refused:
        COLLECTIONS[name].check_bounds(patch)
    assert refused.value.problem.field == field


@pytest.mark.parametrize(("name", "state", "field"), TO_REVIEW)
def test_what_does_not_fit_together_is_marked_for_review(name: str, state: dict[str, Any], field: str) -> None:
    assert [problem.field for problem in COLLECTIONS[name].read(state)[1]] == [field]


def test_records_of_which_there_is_one_have_the_same_id_everywhere() -> None:
    assert nutrition_log_id("a", "2026-03-01") == nutrition_log_id("a", "2026-03-01")
    ids = {
        nutrition_log_id("a", "2026-03-01"),
        nutrition_log_id("a", "2026-03-02"),
        nutrition_log_id("b", "2026-03-01"),
        nutrition_targets_id("a", "2026-03-01"),
        client_file_id("a", "b"),
        client_file_id("b", "a"),
    }
    assert len(ids) == 6


@pytest.mark.parametrize(
    ("name", "patch", "field"),
    [
        ("workout_logs", {"end_time": "2026-03-01T25:00:00"}, "end_time"),
        ("check_ins", {"photos": {"p": {"date": "2026-02-30"}}}, "photos.p.date"),
        ("body_metrics", {"measurements": {"recorded_at": "2026-02-30T10:00:00"}}, "measurements.recorded_at"),
        ("nutrition_logs", {"meals": {"m": {"time": "2026-02-30T10:00:00"}}}, "meals.m.time"),
        ("programs", {"start_date": "2026-02-30", "name": "2026-02-30"}, "start_date"),
        ("profiles", {"injuries": {"i": {"since": "2026-02-30"}}}, "injuries.i.since"),
    ],
)
def test_a_day_that_is_in_no_calendar_is_found_wherever_it_stands(name: str, patch: dict[str, Any], field: str) -> None:
    assert impossible_days(COLLECTIONS[name].model, patch) == [FieldProblem(field, "is not in the calendar")]
    assert impossible_days(COLLECTIONS[name].model, GOOD.get(name, {})) == []


def test_a_new_record_needs_its_day_and_an_older_one_without_may_stay_so() -> None:
    assert missing_day("workout_logs", {"title": "Push"}, None) is not None
    assert missing_day("workout_logs", {"start_time": "2026-03-01T18:00:00"}, None) is None
    assert missing_day("workout_logs", {"date": None}, {"date": "2026-03-01"}) is not None
    assert missing_day("workout_logs", {"title": "Push"}, {"title": "Pull"}) is None
    assert missing_day("programs", {"name": "Base"}, None) is None


def test_a_program_that_makes_no_sense_as_a_whole_is_marked_and_kept() -> None:
    program = {
        "start_date": "2026-03-02",
        "end_date": "2026-03-01",
        "exercises": {
            "a": {"day": "d", "superset": "A"},
            "b": {"day": "d", "superset": "A", "deleted": True},
            "c": {"day": "d", "superset": "B"},
            "e": {"day": "d", "superset": "B"},
        },
        "sets": {"s": {"exercise": "a", "reps_min": 10, "reps_max": 8, "type": "cluster"}},
    }
    record, problems = PROGRAMS.read(program)
    assert {problem.field for problem in problems} == {
        "end_date", "exercises.a.superset", "sets.s.reps_max", "sets.s.type",
    }  # fmt: skip
    assert record.sets["s"].type == "cluster", "what a newer app wrote is kept"  # type: ignore[attr-defined]
