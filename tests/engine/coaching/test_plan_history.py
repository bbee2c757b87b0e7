"""An edit to a program says nothing about the days before it."""

import datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from apex_sync.coaching.adherence import DoneSession, weekly_adherence
from apex_sync.coaching.completion import program_analytics
from apex_sync.coaching.plan import ScheduledSession, scheduled_sessions
from apex_sync.coaching.plan_history import asked_for, plan_history, sessions_due, sessions_of
from apex_sync.compaction import compact
from apex_sync.document import Document
from apex_sync.fold import fold
from apex_sync.models import PROGRAMS
from apex_sync.op import Patch, Write, encode_op
from tests.engine.coaching.logs import MONDAY, day

COACH, TABLET, SERVER = 7, 9, 11
HOUR_US = 3_600_000_000
FOUR_WEEKS: Patch = {
    "status": "active",
    "start_date": MONDAY.isoformat(),
    "weeks": {f"w{n}": {"week_number": n} for n in (1, 2, 3, 4)},
    "days": {f"d{n}{d}": {"week": f"w{n}", "day_number": d} for n in (1, 2, 3, 4) for d in (1, 3)},
    "exercises": {f"e{n}{d}": {"day": f"d{n}{d}", "name": "Row"} for n in (1, 2, 3, 4) for d in (1, 3)},
    "sets": {f"s{n}{d}": {"exercise": f"e{n}{d}"} for n in (1, 2, 3, 4) for d in (1, 3)},
}
ALL_EIGHT = [0, 2, 7, 9, 14, 16, 21, 23]


def at(offset: int, hour: int = 12) -> int:
    """Give the stamp of an hour, in UTC, of the day so many days after `MONDAY`."""
    since = day(offset).toordinal() - datetime.date(1970, 1, 1).toordinal()
    return (24 * since + hour) * HOUR_US


def written(*writes: tuple[int, Patch], client_id: int = COACH) -> Document:
    document = Document()
    for hlc, patch in writes:
        document.append(client_id, encode_op([Write(hlc, [], patch)]))
    return document


def due(document: Document) -> list[int]:
    """Tell when sessions were due, in days after `MONDAY`."""
    return [(session.date - MONDAY).days for session in sessions_of(plan_history("p", document))]


def test_a_day_that_is_deleted_in_the_middle_of_a_week_was_due_in_the_weeks_before() -> None:
    gone = {"days": {f"d{n}3": {"deleted": True} for n in (1, 2, 3, 4)}}
    assert due(written((at(-3), FOUR_WEEKS), (at(8), gone))) == [0, 2, 7, 14, 21]


def test_what_is_written_on_a_day_counts_for_that_day_and_the_day_ends_at_midnight_in_utc() -> None:
    gone = {"days": {"d23": {"deleted": True}}}
    assert due(written((at(-3), FOUR_WEEKS), (at(9, 23), gone))) == [0, 2, 7, 14, 16, 21, 23]
    assert due(written((at(-3), FOUR_WEEKS), (at(10, 0) - 1, gone))) == [0, 2, 7, 14, 16, 21, 23]
    assert due(written((at(-3), FOUR_WEEKS), (at(10, 0), gone))) == ALL_EIGHT


def test_sets_that_are_added_later_make_no_session_of_before_half_done() -> None:
    more = {"sets": {f"t{n}{d}": {"exercise": f"e{n}{d}"} for n in (1, 2, 3, 4) for d in (1, 3)}}
    history = plan_history("p", written((at(-3), FOUR_WEEKS), (at(8), more)))
    done = [DoneSession(workout_id=str(n), date=day(n), completed_sets=1) for n in (0, 2, 7, 9)]
    weeks = weekly_adherence(asked_for([history], MONDAY, day(14)), done, as_of=day(14))
    assert [week.adherence.percent for week in weeks] == [100.0, 75.0]
    assert program_analytics(history, done, [], as_of=day(13)).completion_percent == 87.5


def test_a_start_that_is_moved_leaves_the_days_that_were() -> None:
    assert due(written((at(-3), FOUR_WEEKS), (at(3), {"start_date": day(7).isoformat()}))) == [
        0, 2, 7, 9, 14, 16, 21, 23, 28, 30,
    ]  # fmt: skip
    assert due(written((at(-3), FOUR_WEEKS), (at(-1), {"start_date": day(7).isoformat()})))[0] == 7


def test_a_program_that_was_archived_or_deleted_for_a_while_asked_until_then() -> None:
    assert due(written((at(-3), FOUR_WEEKS), (at(8), {"status": "archived"}))) == [0, 2, 7]
    back = ((at(8), {"deleted": True}), (at(15), {"deleted": False}))
    assert due(written((at(-3), FOUR_WEEKS), *back)) == [0, 2, 7, 16, 21, 23]


def test_who_enters_a_program_that_runs_already_means_its_first_weeks_too() -> None:
    named = {leaf: value for leaf, value in FOUR_WEEKS.items() if leaf != "days"}
    rest = {"days": FOUR_WEEKS["days"]}
    assert due(written((at(10, 9), named), (at(10, 15), rest))) == ALL_EIGHT
    assert due(written((at(10, 9), {**FOUR_WEEKS, "status": "draft"}), (at(15), {"status": "active"}))) == [16, 21, 23]


def test_an_edit_by_a_clock_that_is_behind_counts_from_what_it_saw() -> None:
    gone = {"days": {"d13": {"deleted": True}, "d33": {"deleted": True}}}
    assert due(written((at(-3), FOUR_WEEKS), (at(-3) + 1, gone))) == [0, 7, 9, 14, 21, 23]


def test_a_late_edit_takes_its_place_by_its_own_time_however_it_arrives() -> None:
    early, late = (at(8), {"days": {"d33": {"deleted": True}}}), (at(15), {"days": {"d33": {"deleted": False}}})
    document = written((at(-3), FOUR_WEEKS), late)
    assert due(document) == ALL_EIGHT
    document.merge(written(early, client_id=TABLET))
    assert due(document) == ALL_EIGHT
    document = written((at(-3), FOUR_WEEKS), (at(17), late[1]))
    document.merge(written(early, client_id=TABLET))
    assert due(document) == [0, 2, 7, 9, 14, 21, 23], "it was not due on its day"


def test_a_program_takes_the_place_of_another_on_the_days_on_which_it_stood_there() -> None:
    old = plan_history("a", written((at(-3), FOUR_WEEKS)))
    new = {**FOUR_WEEKS, "start_date": day(7).isoformat(), "days": {"x": {"week": "w1", "day_number": 5}}}
    both = [old, plan_history("b", written((at(5), new), (at(15), {"status": "archived"})))]
    assert [(session.date - MONDAY).days for session in sessions_due(both)] == [0, 2, 11, 16, 21, 23]


def test_what_a_compaction_folded_away_counts_as_it_was_then() -> None:
    gone = {"days": {"d13": {"deleted": True}}}
    document = written((at(-3), FOUR_WEEKS), (at(8), gone), (at(15), {"days": {"d33": {"deleted": True}}}))
    assert due(document) == [0, 2, 7, 9, 14, 21, 23]
    assert due(compact(document, SERVER).document) == [0, 7, 9, 14, 21, 23]


DAYS_OF_WRITES = st.integers(-10, 35)
ENTRY = st.fixed_dictionaries({}, optional={"deleted": st.booleans(), "day_number": st.integers(1, 7)})
EDITS = st.fixed_dictionaries(
    {},
    optional={
        "status": st.sampled_from(["active", "completed", "draft", "archived", "of a newer app"]),
        "start_date": st.integers(-10, 10).map(lambda offset: day(offset).isoformat()),
        "end_date": st.none() | st.integers(-3, 30).map(lambda offset: day(offset).isoformat()),
        "days": st.dictionaries(st.sampled_from(["d11", "d23", "new"]), ENTRY.filter(bool), min_size=1)
        | st.just({"new": {"week": "w2", "day_number": 6}}),
        "sets": st.dictionaries(st.sampled_from(["s11", "more"]), st.just({"exercise": "e11", "deleted": True})),
        "athlete_feedback": st.just("hard"),
    },
).map(lambda edit: {leaf: value for leaf, value in edit.items() if value != {}})


@given(st.lists(st.tuples(DAYS_OF_WRITES, st.integers(0, 23), EDITS.filter(bool), st.booleans()), max_size=6))
def test_every_day_is_asked_of_as_the_program_stood_at_its_end(
    edits: list[tuple[int, int, Patch, bool]],
) -> None:
    """The fold of what was written by then is the judge, for each day on its own."""
    stamps: dict[int, Any] = {}
    for offset, hour, patch, by_tablet in edits:
        stamps.setdefault(max(at(offset, hour), at(-10) + HOUR_US), (patch, by_tablet))
    document = written((at(-10), FOUR_WEEKS))
    for client_id in (COACH, TABLET):
        for stamp, (patch, by_tablet) in sorted(stamps.items()):
            if by_tablet == (client_id == TABLET):
                document.append(client_id, encode_op([Write(stamp, [], patch)]))
    writes = list(document.writes())
    expected: list[ScheduledSession] = []
    for offset in range(-25, 60):
        known = [write for write in writes if write.hlc < at(max(offset, -10) + 1, 0)]
        asked = scheduled_sessions(PROGRAMS.read(fold(known).state)[0])
        expected += [session for session in asked if session.date == day(offset)]
    found = sessions_of(plan_history("p", document))
    assert list(found) == expected
    assert sessions_of(plan_history("p", written(*[(write.hlc, write.patch) for write in writes[:1]]))) == (
        scheduled_sessions(PROGRAMS.read(FOUR_WEEKS)[0])
    ), "what was never edited is what it is"
