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


def test_the_session_that_was_begun_last_is_shown_also_one_of_another_day(apex: Terminal) -> None:
    apex("log", "start", "Push A").ok()
    apex("log", "set", "Squat", "5x140kg").ok()
    apex("log", "start", "Pull A", "--date", "yesterday").ok()
    assert "Pull A" in apex("log", "show").ok().err
    apex("log", "set", "Squat", "5x100kg").ok()
    apex("log", "finish").ok()
    assert "Push A" in apex("log", "show").ok().err
    apex("log", "finish").ok()
    apex("log", "start", "Legs", "--date", "yesterday").ok()
    apex("log", "set", "Squat", "5x120kg").ok()
    apex("log", "finish").ok()
    assert "Legs" in apex("log", "show").ok().err


def test_several_sessions_of_a_day_have_short_names(apex: Terminal) -> None:
    for title, reps in (("Push A", "5"), ("Pull A", "6")):
        apex("log", "start", title).ok()
        apex("log", "set", "Squat", reps).ok()
        apex("log", "finish").ok()
    shown = apex("log", "show", "today").ok().err
    assert f"--on {TODAY}/1" in shown and f"--on {TODAY}/2" in shown
    refused = apex("log", "remove", "--on", "today").err
    assert f"{TODAY}/1 (Push A, " in refused and f"{TODAY}/2 (Pull A, " in refused
    assert "Pull A" in apex("log", "show", "today/2").ok().err
    assert "there is no session" in apex("log", "show", "today/3").err
    apex("log", "remove", "--on", "today/1").ok()
    assert [title for _, title, *_ in sessions(apex)] == ["Pull A"]
