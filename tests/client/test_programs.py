"""A coach makes programs offline: an athlete's copy has loads of what they lifted, and one id wherever it is made."""

from datetime import date, timedelta
from typing import Any

import pytest

from apex_client import Replica
from apex_client.errors import NoSuchRecord, NotGranted
from apex_client.records import Records
from apex_sync.coaching.assigning import assignment_id
from apex_sync.coaching.program_ends import EndedProgram
from apex_sync.errors import NoSuchVersion, OutOfBounds
from apex_sync.ids import derived_id
from tests.client.conftest import OpenReplica
from tests.client.fleet import Clock
from tests.client.loopback import Account, LoopbackServer

pytestmark = pytest.mark.anyio

ANNA, COACH = "anna@example.com", "coach@example.com"
NOBODY = "00000000-0000-0000-0000-000000000099"


async def coach_of_anna(open_replica: OpenReplica, server: LoopbackServer) -> tuple[Replica, Account]:
    """Give the replica of a coach, who has Anna's leave to write for her, and her account; she has no device yet."""
    coach = await open_replica("coach", COACH, role="coach")
    anna = server.add_user(ANNA)
    server.link(server.accounts[COACH], anna)
    await coach.sync()
    return coach, anna


async def test_an_assigned_program_reaches_the_athlete_with_loads(
    open_replica: OpenReplica, server: LoopbackServer
) -> None:
    athlete = await open_replica("athlete", ANNA)
    coach = await open_replica("coach", COACH, role="coach")
    anna = server.accounts[ANNA]
    server.link(server.accounts[COACH], anna)
    log = await athlete.workouts.start()
    await log.add_set("Bench Press", reps=5, load=100, rpe=10)
    await athlete.sync()
    await coach.sync()

    template = await coach.programs.create(
        name="Base",
        duration_weeks=4,
        exercises={"e": {"name": "bench press"}},
        sets={"s": {"exercise": "e", "load_percent": 75}},
    )
    assigned = await coach.programs.assign(template, anna.id, start_date="2026-03-02")
    again = await coach.programs.assign(template, anna.id, start_date="2026-03-02")
    assert assigned.id == again.id
    assert (assigned["sets"]["s"]["load_kg"], assigned["end_date"]) == (87.5, "2026-03-29")
    await coach.sync()
    await athlete.sync()
    [followed] = await athlete.programs.list()
    assert followed.state == assigned.state and followed["source_id"] == template.id

    await followed.edit(athlete_feedback="hard")
    await athlete.sync()
    await coach.sync()
    clone = await coach.programs.clone(await assigned.refresh(), name="Base II")
    assert (clone["name"], clone["status"], clone.scope) == ("Base II", "draft", template.scope)
    assert clone.get("athlete_feedback") is None and clone.get("start_date") is None


async def test_a_program_is_assigned_to_ones_own_athletes_alone(open_replica: OpenReplica) -> None:
    coach = await open_replica("coach", COACH, role="coach")
    await coach.sync()
    template = await coach.programs.create(name="Base")
    with pytest.raises(NotGranted):
        await coach.programs.assign(template, NOBODY)
    with pytest.raises(NoSuchRecord):
        await coach.athlete(NOBODY).programs.get(derived_id("program", template.id, NOBODY))


async def test_assigning_another_ends_what_is_followed_and_a_deleted_copy_can_come_back(
    open_replica: OpenReplica, server: LoopbackServer
) -> None:
    coach, anna = await coach_of_anna(open_replica, server)
    one, two = [await coach.programs.create(name=name, duration_weeks=4) for name in ("One", "Two")]
    first = await coach.programs.assign(one, anna.id, start_date="2026-02-16")
    second = await coach.programs.assign(two, anna.id, start_date="2026-03-02")
    assert ((await first.refresh())["status"], first["end_date"]) == ("active", "2026-03-01")
    assert second["status"] == "active"
    one_ended = EndedProgram(
        id=first.id, name="One", status="active", start_date=date(2026, 2, 16), end_date=date(2026, 3, 1)
    )
    assert (first.ended, second.ended) == ([], [one_ended])
    assert (await coach.programs.assign(two, anna.id, start_date="2026-03-02")).ended == [], "it ended before"

    await first.delete()
    assert (await coach.programs.assign(one, anna.id, start_date="2026-02-16", keep=True)).ended == []
    assert ((await first.refresh())["status"], first["end_date"], first.deleted) == ("active", "2026-03-15", False)
    assert (await second.refresh())["status"] == "active"
    ended = (await coach.programs.assign(two, anna.id, start_date="2026-02-16")).ended
    assert {(each.name, each.status, str(each.start_date)) for each in ended} == {
        ("One", "archived", "2026-02-16"),
        ("Two", "archived", "2026-03-02"),
    }
    assert (await first.refresh())["status"] == "archived"
    await coach.programs.assign(one, anna.id, start_date="2026-02-16")
    assert (await first.refresh())["status"] == "active"


async def test_a_block_is_run_again_next_season(open_replica: OpenReplica, server: LoopbackServer) -> None:
    coach, anna = await coach_of_anna(open_replica, server)
    template = await coach.programs.create(name="Base", duration_weeks=4)
    spring = await coach.programs.assign(template, anna.id, start_date="2026-03-02")
    autumn = [await coach.programs.assign(template, anna.id, start_date="2026-09-07") for _ in range(2)]
    assert {each.id for each in autumn} == {assignment_id(template.id, anna.id, "2026-09-07", {})}
    assert (autumn[0]["start_date"], autumn[0]["status"]) == ("2026-09-07", "active")
    assert ((await spring.refresh())["status"], spring["end_date"]) == ("active", "2026-03-29")
    assert {each.id for each in await coach.athlete(anna.id).programs.list()} == {spring.id, autumn[0].id}


async def test_a_copy_that_starts_on_the_day_is_what_is_assigned_whatever_its_id(
    open_replica: OpenReplica, server: LoopbackServer
) -> None:
    day: dict[str, Any] = {"start_date": "2026-03-02"}
    coach, anna = await coach_of_anna(open_replica, server)
    template = await coach.programs.create(name="Base", duration_weeks=4)
    old = await coach.athlete(anna.id).programs.create(name="Base", source_id=template.id, status="active", **day)

    assert (await coach.programs.assign(template, anna.id, **day)).id == old.id
    assert [each.id for each in await coach.athlete(anna.id).programs.list()] == [old.id]
    assert (await old.refresh())["status"] == "active"


@pytest.mark.parametrize(("offset", "first"), [("-11:00", "2026-03-02"), ("+14:00", "2026-03-09")])
async def test_without_a_first_day_a_program_begins_on_the_next_monday_by_the_clock_of_the_athlete(
    open_replica: OpenReplica, server: LoopbackServer, clock: Clock, offset: str, first: str
) -> None:
    coach, anna = await coach_of_anna(open_replica, server)
    clock.pass_seconds(24 * 60 * 60)  # A Monday evening here, and Tuesday there where clocks are fourteen hours ahead.
    template = await coach.programs.create(name="Base", duration_weeks=4)
    await coach.athlete(anna.id).workouts.create(date="2026-02-26", start_time=f"2026-02-26T18:00:00{offset}")

    assigned = [await coach.programs.assign(template, anna.id) for _ in range(2)]

    assert assigned[0]["start_date"] == first and assigned[0].id == assigned[1].id
    assert date.fromisoformat(assigned[0]["end_date"]) == date.fromisoformat(first) + timedelta(days=27)


async def test_a_copy_that_was_moved_is_that_of_its_new_day_and_its_old_day_gets_another(
    open_replica: OpenReplica, server: LoopbackServer
) -> None:
    coach, anna = await coach_of_anna(open_replica, server)
    template = await coach.programs.create(name="Base")
    moved = await coach.programs.assign(template, anna.id, start_date="2026-03-02")
    await moved.edit(start_date="2026-03-09")
    assert (await coach.programs.assign(template, anna.id, start_date="2026-03-09")).id == moved.id

    other = [await coach.programs.assign(template, anna.id, start_date="2026-03-02", keep=True) for _ in range(2)]
    held = {moved.id: {"source_id": template.id, "start_date": "2026-03-09"}}
    there = assignment_id(template.id, anna.id, "2026-03-02", held)
    assert {each.id for each in other} == {there} != {moved.id}, "as the server calls it"
    assert (other[0]["start_date"], (await moved.refresh())["start_date"]) == ("2026-03-02", "2026-03-09")
    assert (other[0]["status"], moved["status"]) == ("active", "active")


async def test_a_copy_and_what_ends_with_it_are_saved_together_or_not_at_all(
    open_replica: OpenReplica, server: LoopbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    coach, anna = await coach_of_anna(open_replica, server)
    one, two = [await coach.programs.create(name=name, duration_weeks=4) for name in ("One", "Two")]
    first = await coach.programs.assign(one, anna.id, start_date="2026-02-16")
    with pytest.raises(OutOfBounds, match="2026-03-02 or a day after it"):
        await coach.programs.assign(two, anna.id, start_date="2026-03-02", end_date="2026-03-01")

    with monkeypatch.context() as crash:
        crash.setattr("apex_client.assigning.ends_with", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            await coach.programs.assign(two, anna.id, start_date="2026-03-02")

    assert [each.id for each in await coach.athlete(anna.id).programs.list()] == [first.id]
    assert (await first.refresh())["end_date"] == "2026-03-15"


async def test_a_device_tells_what_a_program_was_and_what_was_changed(open_replica: OpenReplica) -> None:
    coach = await open_replica("coach", COACH, role="coach")
    await coach.sync()
    template = await coach.programs.create(name="Base", weeks={"w": {"week_number": 1}})
    [made] = await coach.programs.versions(template)
    await template.edit(name="Base II")

    latest = (await coach.programs.versions(template))[0]

    assert [change.words for change in latest.changes] == ["made, with 1 week"], "one sitting is one version"
    assert (latest.number, latest.folded, latest.stamp > made.stamp) == (1, False, True)
    assert (await coach.programs.as_of(template, made.stamp)).name == "Base"
    assert (await coach.programs.as_of(template, latest.stamp)).name == "Base II"
    with pytest.raises(NoSuchVersion):
        await coach.programs.as_of(template, 1)


async def test_a_program_that_is_completed_early_ends_on_that_day(open_replica: OpenReplica) -> None:
    coach = await open_replica("coach", COACH, role="coach")
    await coach.sync()
    days = {"start_date": "2026-01-05", "end_date": "2030-12-31"}
    program = await coach.programs.create(name="Base", status="active", **days)
    today = coach._wall_clock(None)[:10]
    assert (await program.edit(status="completed"))["end_date"] == today < days["end_date"]
    [found] = await coach.programs.list()
    await found.edit(status="active", start_date="2030-01-01", end_date="2030-12-31")
    assert (await found.edit(status="completed"))["status"] == "archived", "it never began"


async def test_what_an_athlete_follows_has_a_first_day_unless_an_old_app_wrote_it(
    open_replica: OpenReplica, server: LoopbackServer
) -> None:
    coach, anna = await coach_of_anna(open_replica, server)
    of_anna = coach.athlete(anna.id)
    with pytest.raises(OutOfBounds, match="Expected the first day") as refused:
        await of_anna.programs.create(name="Base", status="active")
    assert refused.value.problem.field == "start_date"
    program = await of_anna.programs.create(name="Base", status="active", start_date="2026-03-02")
    with pytest.raises(OutOfBounds, match="Expected the first day"):
        await program.edit(start_date=None)
    await program.edit(status="archived", start_date=None)
    with pytest.raises(OutOfBounds, match="Expected the first day"):
        await program.edit(status="active")
    await program.edit(status="active", start_date="2026-03-09")
    assert (await coach.programs.create(name="Template", status="active"))["status"] == "active"

    old: Records[Any] = Records(coach, "programs", program.scope)
    undated = await old.create(name="Old", status="active")
    found = await coach.programs.get(undated.id)
    assert (await found.edit(name="Mended"))["name"] == "Mended", "what stands is no hindrance"


async def test_a_draft_for_an_athlete_reaches_them_as_the_copy_that_is_assigned(
    open_replica: OpenReplica, server: LoopbackServer
) -> None:
    athlete = await open_replica("athlete", ANNA)
    coach = await open_replica("coach", COACH, role="coach")
    anna = server.accounts[ANNA]
    server.link(server.accounts[COACH], anna)
    await coach.sync()
    of_anna = coach.athlete(anna.id)
    with pytest.raises(OutOfBounds, match="Expected no draft"):
        await of_anna.programs.create(name="Base", status="draft")

    draft = await of_anna.program_drafts.create(name="Base", status="draft", duration_weeks=4)
    with pytest.raises(OutOfBounds, match="once this is assigned"):
        await draft.edit(status="active")
    await coach.sync()
    await athlete.sync()
    assert await athlete.programs.list() == []

    followed = await coach.programs.assign(draft, anna.id, start_date="2026-03-02")
    with pytest.raises(OutOfBounds, match="Expected no draft"):
        await followed.edit(status="draft")
    await coach.sync()
    await athlete.sync()
    [seen] = await athlete.programs.list()
    assert (seen.id, seen["status"], seen["source_id"]) == (followed.id, "active", draft.id)


async def test_per_cents_of_a_new_athlete_get_their_loads_offline_when_the_coach_says_so(
    open_replica: OpenReplica, server: LoopbackServer
) -> None:
    coach, anna = await coach_of_anna(open_replica, server)
    percents: dict[str, Any] = {
        "exercises": {"e": {"name": "Bench Press"}},
        "sets": {"s": {"exercise": "e", "load_percent": 75}},
    }
    template = await coach.programs.create(name="Base", **percents)
    program = await coach.programs.assign(template, anna.id)
    assert "load_kg" not in (await coach.programs.resolve_loads(program))["sets"]["s"]

    resolved = await coach.programs.resolve_loads(program, maxima_kg={"bench press": 100})
    assert resolved["sets"]["s"]["load_kg"] == 75
    kept = await coach.programs.resolve_loads(program, maxima_kg={"bench press": 120})
    assert kept["sets"]["s"]["load_kg"] == 75
    anew = await coach.programs.resolve_loads(program, maxima_kg={"bench press": 120}, anew=True)
    assert anew["sets"]["s"]["load_kg"] == 90
    with pytest.raises(OutOfBounds, match="Squat"):
        await coach.programs.resolve_loads(program, maxima_kg={"Squat": 120})
    with pytest.raises(OutOfBounds, match="a template is in per cent"):
        await coach.programs.resolve_loads(template)


async def test_templates_are_listed_by_name_without_what_athletes_follow(
    open_replica: OpenReplica, server: LoopbackServer
) -> None:
    coach, anna = await coach_of_anna(open_replica, server)
    strength, base, gone = [await coach.programs.create(name=name) for name in ("Strength", "Base", "Gone")]
    await gone.delete()
    await coach.programs.assign(base, anna.id)
    await coach.athlete(anna.id).program_drafts.create(name="Draft", status="draft")
    assert [each.id for each in await coach.programs.templates()] == [base.id, strength.id]
