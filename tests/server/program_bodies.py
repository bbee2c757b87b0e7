"""Programs as a coach sends them over REST, and logs of who follows them."""

from datetime import date
from typing import Any

from tests.server.rest_app import Person

PLAN: dict[str, Any] = {
    "name": "Hypertrophy",
    "type": "hypertrophy",
    "status": "draft",
    "weeks": {"w1": {"week_number": 1}},
    "days": {"d1": {"week": "w1", "day_number": 1, "name": "Push"}},
    "exercises": {"e1": {"day": "d1", "name": "Bench Press"}},
    "sets": {"s1": {"exercise": "e1", "reps_min": 8, "reps_max": 10, "rpe": 8}},
}

PERCENT: dict[str, Any] = PLAN | {
    "duration_weeks": 2,
    "weeks": {"w1": {"week_number": 1}, "w2": {"week_number": 2}},
    "days": {"d1": {"week": "w1", "day_number": 1}, "d2": {"week": "w2", "day_number": 1}},
    "exercises": {"e1": {"day": "d1", "name": "bench press"}, "e2": {"day": "d2", "name": "Rack Pull"}},
    "sets": {
        "s1": {"exercise": "e1", "load_percent": 75},
        "s2": {"exercise": "e1", "load_percent": 80, "load_kg": 60},
        "s3": {"exercise": "e2", "load_percent": 90},
    },
}


async def make(coach: Person, **changes: Any) -> tuple[dict[str, Any], str]:
    answer = await coach("POST", "/api/programs", PLAN | changes)
    assert answer.status_code == 201, answer.text
    return answer.json(), answer.headers["etag"]


def bench(day: date, load: float, **more: Any) -> dict[str, Any]:
    exercise = {"name": "Bench Press", "sets": [{"reps": 5, "load": load, "rpe": 10}]}
    return {"date": day.isoformat(), "exercises": [exercise], **more}
