"""What a server does not take of what a device brings, over real HTTP: refused alone, named, and never lost."""

import shutil
import time
from uuid import UUID

import pytest

from apex_client import Replica
from apex_client.errors import ServerRefused
from apex_sync.errors import ForbiddenField, OutOfBounds
from tests.e2e.raw_device import RawDevice
from tests.e2e.whole_server import PASSWORD, Athlete, WholeServer, assert_one_digest, athlete_of, sync_until_done

pytestmark = pytest.mark.anyio

TEN_DAYS_US = 10 * 86_400 * 1_000_000


async def test_an_op_for_a_record_of_someone_else_is_refused_and_holds_up_nothing(
    server: WholeServer, athlete: Athlete
) -> None:
    await athlete.device("phone")
    async with athlete_of(server, athlete.folder / "other") as victim:
        victim.folder.mkdir()
        victims_phone = await victim.device("phone")
        theirs = await victims_phone.workouts.start(title="Mine")
        await victims_phone.sync()
        intruder = RawDevice(server, athlete.email)
        foreign = intruder.new_record(victim, {"title": "Not mine"})
        aimed = intruder.new_record(victim, {"title": "Not mine"})
        aimed = type(aimed)(aimed.scope, aimed.collection, UUID(theirs.id).bytes, aimed.update)
        own = intruder.new_record(athlete, {"title": "My own"})
        results = intruder.push(foreign, aimed, own).results
        assert [result.status for result in results] == ["rejected", "rejected", "applied"]
        assert {result.refusals[0].code for result in results[:2]} == {"not_granted"}
        assert (await victims_phone.sync()).pulled == 0
        assert [log.title for log in await victims_phone.workouts.list()] == ["Mine"]


async def test_a_field_of_another_role_is_refused_by_the_sdk_and_by_the_server(
    server: WholeServer, athlete: Athlete
) -> None:
    phone = await athlete.device("phone")
    check_in = await phone.checkins.draft(date="2026-03-01", weight=80, unit="kg")
    with pytest.raises(ForbiddenField):
        await check_in.review("I am my own coach.")
    raw = RawDevice(server, athlete.email)
    patch = {"date": "2026-03-02", "coach_feedback": "I am my own coach."}
    (result,) = raw.push(raw.new_record(athlete, patch, "check_ins")).results
    (refusal,) = result.refusals
    assert (result.next_clock, refusal.code, refusal.field) == (1, "forbidden", "coach_feedback")
    await phone.sync()
    assert all(found.coach_feedback is None for found in await phone.checkins.list())


async def test_what_was_written_under_a_future_clock_is_written_again_and_arrives(
    server: WholeServer, athlete: Athlete
) -> None:
    def ahead_us() -> int:
        return time.time_ns() // 1000 + TEN_DAYS_US

    async with Replica.open(athlete.folder / "phone.db", now_us=ahead_us) as phone:
        log = await phone.workouts.start(title="From the future", start_time="2026-03-01T18:00:00")
        await log.add_set("Bench Press", reps=8, load=100)
        await athlete.register(phone)
        report = await phone.sync()
        assert report.reissued >= 1
        await sync_until_done(phone, seconds=20.0)
        assert (await phone.status()).rejected == 0
        (row,) = await athlete.sets_in_postgres()
        assert (str(row["record_id"]), row["reps"], row["load_kg"]) == (log.id, 8, 100.0)
        await log.note("and from now on by the server's time")
        assert (await phone.sync()).reissued == 0
        await assert_one_digest(server, athlete.scope, phone)


async def test_two_devices_with_one_client_id_part_and_lose_nothing(server: WholeServer, athlete: Athlete) -> None:
    """A phone is cloned with its identity file, which nothing on the device can see."""
    folder = athlete.folder
    async with Replica.open(folder / "phone.db") as phone:
        await athlete.register(phone)
        shared = await phone.workouts.start(title="Before the clone")
        await phone.sync()
    (folder / "clone").mkdir()
    for path in folder.glob("phone.db*"):
        shutil.copy(path, folder / "clone" / path.name)
    async with Replica.open(folder / "phone.db") as phone, Replica.open(folder / "clone" / "phone.db") as clone:
        assert phone.client_id == clone.client_id
        logs = [await replica.workouts.get(shared.id) for replica in (phone, clone)]
        await logs[0].add_set("Squat", reps=5, load=100)
        await logs[1].add_set("Squat", reps=5, load=200)
        await clone.workouts.start(title="Only on the clone")
        for _ in range(3):
            await sync_until_done(phone, seconds=20.0)
            await sync_until_done(clone, seconds=20.0)
        assert phone.client_id != clone.client_id
        assert {row["load_kg"] for row in await athlete.sets_in_postgres()} == {100.0, 200.0}
        await assert_one_digest(server, athlete.scope, phone, clone)
        assert {log.title for log in await phone.workouts.list()} == {"Before the clone", "Only on the clone"}


async def test_energy_14_is_refused_by_sdk_and_rest_and_marked_when_it_comes_by_sync(
    server: WholeServer, athlete: Athlete
) -> None:
    phone = await athlete.device("phone")
    with pytest.raises(OutOfBounds):
        await phone.checkins.draft(date="2026-03-01", responses={"energy": 14})
    assert await phone.checkins.list() == []
    with pytest.raises(ServerRefused) as refused:
        await phone.request("POST", "/api/checkins", {"date": "2026-03-01", "responses": {"energy": 14}})
    assert refused.value.status in (400, 422)
    raw = RawDevice(server, athlete.email)
    patch = {"date": "2026-03-01", "responses": {"energy": 14}}
    (result,) = raw.push(raw.new_record(athlete, patch, "check_ins")).results
    assert (result.status, result.refusals) == ("applied", [])
    await phone.sync()
    (found,) = await phone.checkins.list()
    assert found.responses == {"energy": 14}
    assert [problem.field for problem in found.snapshot.problems] == ["responses.energy"]
    assert (await phone.status()).needs_review == 1
    (row,) = await server.rows("SELECT needs_review FROM records WHERE record_id = $1::text::uuid", found.id)
    assert row["needs_review"] is True
    await found.edit(responses={"energy": 7})
    await phone.sync()
    assert (await phone.status()).needs_review == 0
    (row,) = await server.rows("SELECT needs_review FROM records WHERE record_id = $1::text::uuid", found.id)
    assert row["needs_review"] is False


async def test_a_coach_whose_access_ended_forgets_and_keeps_what_was_never_sent(
    server: WholeServer, athlete: Athlete
) -> None:
    async with Replica.open(athlete.folder / "coach.db", device_kind="desktop") as coach:
        email = server.new_email("ines")
        await coach.register(server.address, email, PASSWORD, name="Ines", role="coach")
        invite = await coach.request("POST", "/api/invites", {})
        async with Replica.open(athlete.folder / "phone.db") as phone:
            await athlete.register(phone, invite=invite["code"])
            check_in = await phone.checkins.draft(date="2026-03-01", weight=80, unit="kg")
            await check_in.submit()
            await phone.sync()
            await coach.sync()
            seen = await coach.athlete(athlete.id).checkins.get(check_in.id)
            await seen.review("Well done.")
            await phone.request("DELETE", f"/api/clients/{athlete.id}/link")
            report = await coach.sync()
            assert (report.forgotten >= 1, report.rejected) == (True, 1)
            assert await coach.query("SELECT 1 FROM check_ins") == []
            (kept,) = await coach.rejected.list()
            assert (kept.code, kept.record_id) == ("not_granted", check_in.id)
            assert "Well done." in str(kept.patches)
            assert (await coach.sync()).pending == 0
            await phone.sync()
            assert (await check_in.refresh()).coach_feedback is None
