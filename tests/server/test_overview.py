"""The coach's page says how athletes stand as the API does, and what waits for the coach beside it."""

import datetime
from typing import Any
from uuid import UUID, uuid4

from apex_server.standing import ClientSummary
from apex_server.web.overview import athletes_by_need
from apex_sync.coaching.client_standing import ClientAdherence, Reason, Status

TODAY = datetime.date(2026, 3, 16)


def client(
    name: str, status: Status = "active", *reasons: Reason, archived: bool = False, **more: Any
) -> ClientSummary:
    known: dict[str, Any] = {
        "last_workout": TODAY,
        "last_check_in": None,
        "next_check_in_due": TODAY,
        "adherence": ClientAdherence(workouts=40.0, nutrition=None, check_ins=None, overall=40.0),
    }
    return ClientSummary(
        id=uuid4(),
        name=name,
        coach_id=uuid4(),
        since=datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC),
        status=status,
        reasons=list(reasons),
        archived=archived,
        tags=[],
        subscription_tier=None,
        check_ins_to_review=0,
        critical_insights=0,
        average_session_minutes=None,
        current_program_id=None,
        **(known | more),
    )


def row(of: ClientSummary, **waiting: Any) -> dict[str, Any]:
    nothing = dict.fromkeys(
        ("critical", "high", "medium", "low", "pending_check_ins", "reviews", "conflicts", "unread"), 0
    )
    return {
        "id": of.id,
        "name": of.name,
        "devices": [],
        "pending_since": None,
        "workout_date": of.last_workout,
        "workout_time": None,
        "workout_exercises": None,
        "workout_sets": None,
        **nothing,
        **waiting,
    }


def shown(*clients: ClientSummary, **waiting: Any) -> dict[str, tuple[str, list[str]]]:
    known: dict[UUID, ClientSummary] = {each.id: each for each in clients}
    rows = [row(each, **waiting) for each in clients]
    return {
        athlete.name: (athlete.level, [reason.text for reason in athlete.reasons])
        for athlete in athletes_by_need(rows, known, TODAY)
    }


def test_every_reason_of_a_status_is_told_and_the_most_urgent_athlete_stands_first() -> None:
    due = TODAY - datetime.timedelta(days=4)
    overdue = client("Zoe", "needs-attention", "check_in_overdue", "low_adherence", next_check_in_due=due)
    late = client("Ada", "overdue", "check_in_late", next_check_in_due=TODAY - datetime.timedelta(days=2))
    silent = client("Bo", "inactive", "silent", last_workout=TODAY - datetime.timedelta(days=30))
    told = client("Cy", "overdue", "set_by_coach")
    assert list(shown(overdue, late, silent, told, client("Di")).items()) == [
        ("Zoe", ("warning", ["Check-in 4 days overdue", "40 % of the sessions of two weeks"])),
        ("Bo", ("warning", ["No session for 30 days"])),
        ("Ada", ("note", ["Check-in 2 days late"])),
        ("Cy", ("note", ["You set: overdue"])),
        ("Di", ("calm", [])),
    ]


def test_who_is_archived_is_not_shown() -> None:
    assert shown(client("Ada", archived=True), client("Bo")).keys() == {"Bo"}


def test_what_waits_for_the_coach_stands_beside_it() -> None:
    late = client("Ada", "overdue", "check_in_late", next_check_in_due=TODAY - datetime.timedelta(days=1))
    level, reasons = shown(late, critical=1, pending_check_ins=2)["Ada"]
    assert (level, reasons) == ("critical", ["1 critical insight", "2 check-ins to answer", "Check-in 1 day late"])
