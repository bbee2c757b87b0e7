"""Writes through the server: the same ops as a device's, under the server's own client ids."""

from uuid import UUID, uuid4

import anyio
import pytest

from apex_server.db import Database
from apex_server.errors import InvalidFields, NotFound
from apex_server.sync import begin_epoch
from apex_server.sync.errors import FieldForbidden, VersionUnknown
from tests.server.sync_world import Device, World, assert_consistent, workout

pytestmark = pytest.mark.anyio


@pytest.fixture
async def world(db: Database, database_url: str) -> World:
    return await World(db, database_url).open()


@pytest.fixture
async def phone(world: World) -> Device:
    return await world.device(await world.athlete())


async def test_a_coach_edits_and_the_watch_gets_it(world: World, phone: Device) -> None:
    coach = await world.coach(phone.caller.user_id)
    record_id = phone.write({"date": "2026-03-01"}, collection="check_ins")
    await phone.sync()
    name = str(UUID(bytes=record_id))
    written = await world.committer.write(coach, phone.scope, "check_ins", name, {"coach_feedback": "good"})
    assert written.merged.record.coach_feedback == "good"  # type: ignore[attr-defined]
    assert written.seq == 2
    await phone.sync()
    assert phone.state(record_id).state["coach_feedback"] == "good"
    [row] = await world.sql("SELECT user_id, device_id, client_id FROM audit WHERE seq = 2")
    assert (row["user_id"], row["device_id"]) == (coach, None)
    [bound] = await world.sql("SELECT user_id FROM client_ids WHERE client_id = $1", row["client_id"])
    assert bound["user_id"] == coach
    await assert_consistent(world)


async def test_a_write_can_make_a_record(world: World, phone: Device) -> None:
    name = str(uuid4())
    user = phone.caller.user_id
    first = await world.committer.write(user, phone.scope, "workout_logs", name, workout())
    second = await world.committer.write(user, phone.scope, "workout_logs", name, {"fatigue": 5})
    assert list(second.vector.values()) == [2]
    assert first.vector.keys() == second.vector.keys()
    await phone.sync()
    assert phone.state(UUID(name).bytes).state["fatigue"] == 5
    await assert_consistent(world)


async def test_a_stale_write_shows_as_a_conflict_and_does_not_win_silently(world: World, phone: Device) -> None:
    user = phone.caller.user_id
    coach = await world.coach(user)
    record_id = phone.write({"name": "Block", "status": "draft"}, collection="programs")
    name = str(UUID(bytes=record_id))
    del phone.docs[phone.scope, record_id]
    first = await world.committer.write(coach, phone.scope, "programs", name, {"name": "A", "goals": ["x"]})
    other = await world.coach(user)
    await world.committer.write(other, phone.scope, "programs", name, {"name": "B"})
    stale = await world.committer.write(
        coach, phone.scope, "programs", name, {"name": "C"}, expected_vector=dict(first.vector)
    )
    [conflict] = stale.merged.folded.conflicts
    assert conflict.path == ("name",)
    assert conflict.kept is not None
    assert (conflict.kept.value, [claim.value for claim in conflict.discarded]) == ("C", ["B"])
    fresh = await world.committer.write(
        other, phone.scope, "programs", name, {"name": "D"}, expected_vector=dict(stale.vector)
    )
    assert fresh.merged.folded.conflicts == []
    await assert_consistent(world)


async def test_refusals_come_before_anything_is_stored(world: World, phone: Device) -> None:
    user, name = phone.caller.user_id, str(uuid4())
    write = world.committer.write
    with pytest.raises(InvalidFields) as invalid:
        await write(user, phone.scope, "check_ins", name, {"responses": {"energy": 14}})
    assert [error.field for error in invalid.value.errors] == ["responses.energy"]
    with pytest.raises(FieldForbidden) as forbidden:
        await write(user, phone.scope, "check_ins", name, {"coach_feedback": "x"})
    assert forbidden.value.fields == ["coach_feedback"]
    with pytest.raises(NotFound):
        await write(user, f"athlete:{uuid4()}", "check_ins", name, {"date": "2026-03-01"})
    with pytest.raises(NotFound):
        await write(user, phone.scope, "insights", name, {"status": "draft"})
    with pytest.raises(FieldForbidden):
        await write(user, "global", "exercises", name, {"name": "x"})
    with pytest.raises(VersionUnknown):
        await write(user, phone.scope, "check_ins", name, {"date": "2026-03-01"}, expected_vector={5: 1})
    with pytest.raises(InvalidFields):
        await write(user, phone.scope, "check_ins", name, {"notes": "a\0b"})
    assert not await world.sql("SELECT * FROM records")


async def test_the_system_writes_what_nobody_else_may(world: World, phone: Device) -> None:
    record_id = phone.write({"date": "2026-03-01"}, collection="check_ins")
    await phone.sync()
    before = await world.sql("SELECT * FROM dirty")
    name = str(UUID(bytes=record_id))
    await world.committer.write(None, phone.scope, "check_ins", name, {"ai_summary": "Energy is down."})
    await phone.sync()
    assert phone.state(record_id).state["ai_summary"] == "Energy is down."
    assert await world.sql("SELECT * FROM dirty") == before, "what analysis wrote calls for no analysis"
    [row] = await world.sql("SELECT user_id, device_id FROM audit WHERE seq = 2")
    assert tuple(row) == (None, None)


async def test_writes_at_once_all_count(world: World, phone: Device) -> None:
    """Whoever loses the race for the scope tries again; nothing is overwritten unseen."""
    user, name = phone.caller.user_id, str(uuid4())
    sets = [f"s{number}" for number in range(30)]

    async def add(key: str) -> None:
        await world.committer.write(user, phone.scope, "workout_logs", name, {"sets": {key: {"reps": 5}}})

    async with anyio.create_task_group() as tasks:
        for key in sets:
            tasks.start_soon(add, key)
    await phone.sync()
    assert sorted(phone.state(UUID(name).bytes).state["sets"]) == sorted(sets)
    await assert_consistent(world)


async def test_an_empty_patch_writes_nothing(world: World, phone: Device) -> None:
    user, name = phone.caller.user_id, str(uuid4())
    await world.committer.write(user, phone.scope, "workout_logs", name, workout(fatigue=4))
    same = await world.committer.write(user, phone.scope, "workout_logs", name, {"sets": {}})
    assert same.merged.record.fatigue == 4  # type: ignore[attr-defined]
    assert len(await world.sql("SELECT * FROM audit")) == 1


async def test_the_server_keeps_one_client_id_for_a_user_and_an_epoch(world: World, db: Database) -> None:
    user = await world.athlete()
    names = [str(uuid4()) for _ in range(3)]
    scope = f"athlete:{user}"
    first = await world.committer.write(user, scope, "workout_logs", names[0], workout())
    await world.open()
    second = await world.committer.write(user, scope, "workout_logs", names[1], workout())
    await begin_epoch(db)
    await world.open()
    third = await world.committer.write(user, scope, "workout_logs", names[2], workout())
    assert first.vector.keys() == second.vector.keys()
    assert not first.vector.keys() & third.vector.keys()
