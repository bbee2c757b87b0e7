"""Sessions of other days than today: they are written down when there is time, and nobody knows when they were."""

from datetime import datetime, timedelta

from tests.client.apex_command import Terminal

TODAY = datetime.now().astimezone().date()
YESTERDAY = TODAY - timedelta(days=1)


def sessions(apex: Terminal) -> list[tuple[object, ...]]:
    rows = apex.rows("SELECT date, title, set_count, completed, start_time, end_time FROM workout_logs ORDER BY date")
    return [tuple(row.values()) for row in rows]


def test_a_session_of_yesterday_is_logged_set_by_set_without_a_time(apex: Terminal) -> None:
    apex("log", "start", "Push A", "--date", "yesterday").ok()
    apex("log", "set", "Squat", "5x140kg").ok()
    assert "Push A" in apex("log", "start").err
    apex("log", "finish").ok()
    assert sessions(apex) == [(YESTERDAY.isoformat(), "Push A", 1, 1, None, None)]

    apex("log", "set", "Squat", "5x145kg", "--on", "yesterday").ok()
    apex("log", "set", "Squat", "5x100kg").ok()
    assert [(on, count) for on, _, count, *_ in sessions(apex)] == [
        (YESTERDAY.isoformat(), 2),
        (TODAY.isoformat(), 1),
    ]
    assert "Push A" in apex("log", "show", "yesterday").ok().err


def test_a_session_in_which_nothing_was_logged_is_taken_back(apex: Terminal) -> None:
    apex("log", "start", "Push A").ok()
    assert "took back Push A" in apex("log", "finish").ok().err
    assert sessions(apex) == []


def test_a_day_that_is_still_to_come_or_holds_nothing_is_refused(apex: Terminal) -> None:
    refused = apex("log", "start", "--date", "tomorrow")
    assert refused.code == 2 and "is still to come; today is" in refused.err
    empty = apex("log", "set", "Squat", "5x140kg", "--on", "yesterday").err
    assert f"nothing is logged on {YESTERDAY}; to log it now: apex log start --date {YESTERDAY}" in empty
    assert not apex.db.exists()


def test_a_session_of_another_day_is_written_down_while_one_is_going_on(apex: Terminal) -> None:
    apex("log", "start", "Push A").ok()
    began = apex("log", "start", "Pull A", "--date", "yesterday").ok().err
    assert f"Push A of {TODAY} goes on once this one is ended" in began
    assert "Pull A" in apex("log", "start", "--date", "yesterday").err
    apex("log", "set", "Squat", "5x140kg").ok()
    assert "finished Pull A" in apex("log", "finish").ok().err
    apex("log", "set", "Squat", "5x145kg").ok()
    assert "finished Push A" in apex("log", "finish").ok().err
    assert [(title, count) for _, title, count, *_ in sessions(apex)] == [("Pull A", 1), ("Push A", 1)]
