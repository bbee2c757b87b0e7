"""What a push does: each record judged alone, durable before it is answered, in rows, and never twice."""

import threading
from typing import Any
from uuid import UUID

import pytest

from apex_server.db import Database
from apex_server.sync.judging import judge_push
from apex_sync.clock import SKEW_MAX_MICROSECONDS
from apex_sync.op import Write, encode_op
from apex_sync.protocol.messages import PushedRecord
from apex_sync.wire import encode_push, parse_delta
from tests.server.sync_world import Device, World, assert_consistent, workout

pytestmark = pytest.mark.anyio


@pytest.fixture
async def world(db: Database, database_url: str) -> World:
    return await World(db, database_url).open()


@pytest.fixture
async def phone(world: World) -> Device:
    return await world.device(await world.athlete())


async def test_a_pushed_workout_is_durable_and_in_rows(world: World, phone: Device) -> None:
    phone.write(workout(sets=3))
    response = await phone.sync()
    [audit] = await world.sql("SELECT seq, previous_seq, first_clock, next_clock, device_id FROM audit")
    sets = await world.sql("SELECT set_key, position, reps, load_kg FROM logged_sets ORDER BY position")
    assert response.results[0].status == "applied"
    assert tuple(audit) == (1, 0, 0, 1, phone.caller.device_id)
    assert [tuple(row) for row in sets] == [(f"s{place}", place + 1, 8, 100.0) for place in range(3)]
    assert world.hints[-1] == (phone.scope, 1)
    await assert_consistent(world)


async def test_a_batch_and_single_ops_leave_the_same_rows(world: World) -> None:
    """The short way of one op and the batch must not differ in anything but speed."""
    contents = []
    for one_by_one in (False, True):
        device = await world.device(await world.athlete())
        for step in range(6):
            record_id = device.write(workout(sets=3, fatigue=5))
            if one_by_one:
                await device.sync()
            device.write(
                {"sets": {"s1": {"deleted": True}, "s9": {"exercise": "e1", "order": "9", "reps": step}}}, record_id
            )
            if step == 3:
                device.write({"deleted": True}, record_id)
            if one_by_one:
                await device.sync()
        await device.sync()
        columns = "set_key, position, reps, load_kg, completed"
        rows = await world.sql(
            f"SELECT {columns} FROM logged_sets WHERE scope_id = $1 ORDER BY record_id, position", device.caller.user_id
        )
        contents.append([tuple(row) for row in rows])
    assert contents[0] == contents[1]
    assert len(contents[0]) == 15
    await assert_consistent(world)


async def test_a_push_that_comes_again_changes_nothing(world: World, phone: Device) -> None:
    for _ in range(20):
        phone.write(workout())
    keys = phone.outbox()
    request = phone.request(keys)
    first = await phone.send(request)
    before = await world.sql("SELECT * FROM scopes")
    again = await phone.send(request)
    assert {result.status for result in first.results} == {"applied"}
    assert {result.status for result in again.results} == {"duplicate"}
    assert [result.next_clock for result in again.results] == [result.next_clock for result in first.results]
    assert [result.receipt for result in again.results] == [result.receipt for result in first.results]
    assert await world.sql("SELECT * FROM scopes") == before


async def test_more_of_a_record_continues_it(world: World, phone: Device) -> None:
    record_id = phone.write(workout())
    await phone.sync()
    phone.write({"fatigue": 7}, record_id)
    phone.write({"fatigue": 8}, record_id)
    await phone.sync()
    [row] = await world.sql("SELECT fatigue FROM workout_logs")
    assert row["fatigue"] == 8
    await assert_consistent(world)


async def test_ops_after_a_gap_ask_for_the_whole_record(world: World, phone: Device) -> None:
    record_id = phone.write(workout())
    key = phone.scope, record_id
    phone.acked[key] = 1
    phone.write({"fatigue": 7}, record_id)
    response = await phone.send(phone.request())
    assert (response.results[0].status, response.results[0].next_clock) == ("gap", 0)
    assert not await world.sql("SELECT * FROM records")


async def test_a_record_that_takes_long_is_judged_beside_the_event_loop(
    world: World, phone: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[threading.Thread] = []

    def watched(*arguments: Any) -> Any:
        threads.append(threading.current_thread())
        return judge_push(*arguments)

    monkeypatch.setattr("apex_server.sync.commit.judge_push", watched)
    phone.write(workout())
    await phone.sync()
    large = phone.write(workout())
    for place in range(3):
        phone.write({"sets": {f"t{place}": {"notes": "x" * 60_000}}}, large)
    await phone.sync()
    assert [thread is threading.main_thread() for thread in threads] == [True, False]
    await assert_consistent(world)


async def test_other_bytes_under_a_known_clock_are_a_fork(world: World, phone: Device) -> None:
    record_id = phone.write(workout())
    await phone.sync()
    op = encode_op([Write(world.now_us(), [], {"fatigue": 1})])
    pushed = PushedRecord(phone.scope, "workout_logs", record_id, encode_push(phone.client_id, 0, [op]))
    user, device = phone.caller.user_id, phone.caller.device_id
    answer = await world.committer.push(user, device, phone.client_id, [pushed])
    assert [result.status for result in answer.results] == ["forked"]
    await assert_consistent(world)


async def test_a_client_id_belongs_to_the_device_that_used_it_first(world: World, phone: Device) -> None:
    phone.write(workout())
    await phone.sync()
    clone = await world.device(phone.caller.user_id, client_id=phone.client_id)
    clone.write(workout())
    answer = await clone.send(clone.request())
    await world.open()
    again = await clone.send(clone.request())
    assert [result.status for result in (*answer.results, *again.results)] == ["forked", "forked"]
    assert len(await world.sql("SELECT * FROM records")) == 1


async def test_a_device_cannot_take_the_client_id_of_the_server(world: World, phone: Device) -> None:
    record_id = phone.write({"date": "2026-03-01"}, collection="check_ins")
    await phone.sync()
    written = await world.committer.write(
        None, phone.scope, "check_ins", str(UUID(bytes=record_id)), {"ai_summary": "fine"}
    )
    [server_id] = written.vector.keys() - {phone.client_id}
    impostor = await world.device(phone.caller.user_id, client_id=server_id)
    impostor.write({"ai_summary": "splendid"}, collection="check_ins")
    response = await impostor.send(impostor.request())
    assert [result.status for result in response.results] == ["forked"]


async def test_a_forbidden_op_dies_alone_and_gets_the_same_answer_again(world: World, phone: Device) -> None:
    record_id = phone.write({"date": "2026-03-01"}, collection="check_ins")
    phone.write({"coach_feedback": "well done me"}, record_id, collection="check_ins")
    phone.write({"weight_kg": 80.5}, record_id, collection="check_ins")
    request = phone.request()
    first = await phone.send(request)
    again = await phone.send(request)
    [refusal] = first.results[0].refusals
    assert (first.results[0].status, first.results[0].next_clock) == ("applied", 3)
    assert (refusal.clock, refusal.code, refusal.field) == (1, "forbidden", "coach_feedback")
    assert (again.results[0].status, again.results[0].refusals) == ("duplicate", [refusal])
    known = phone.docs[phone.scope, record_id].next_clocks
    assert parse_delta(first.results[0].dead, known).dead == {phone.client_id: [(1, 2)]}
    [row] = await world.sql("SELECT weight_kg FROM check_ins")
    assert row["weight_kg"] == 80.5
    await assert_consistent(world)


async def test_a_single_refused_op_is_remembered_as_well(world: World, phone: Device) -> None:
    record_id = phone.write({"date": "2026-03-01"}, collection="check_ins")
    await phone.sync()
    phone.write({"coach_feedback": "well done me"}, record_id, collection="check_ins")
    request = phone.request()
    first, again = await phone.send(request), await phone.send(request)
    assert [result.status for result in (*first.results, *again.results)] == ["applied", "duplicate"]
    assert first.results[0].refusals == again.results[0].refusals
    await assert_consistent(world)


async def test_other_bytes_for_a_refused_op_are_a_fork(world: World, phone: Device) -> None:
    record_id = phone.write({"coach_feedback": "x"}, collection="check_ins")
    await phone.sync()
    op = encode_op([Write(world.now_us(), [], {"weight_kg": 80.0})])
    pushed = PushedRecord(phone.scope, "check_ins", record_id, encode_push(phone.client_id, 0, [op]))
    user, device = phone.caller.user_id, phone.caller.device_id
    answer = await world.committer.push(user, device, phone.client_id, [pushed])
    assert [result.status for result in answer.results] == ["forked"]


async def test_a_receipt_is_given_only_to_who_has_what_it_stands_for(world: World, phone: Device) -> None:
    """With a receipt that runs ahead of its content a device could prove nothing after a restore."""
    watch = await world.device(phone.caller.user_id)
    record_id = phone.write(workout())
    first = await phone.send(phone.request(pull=False))
    await phone.sync()
    await watch.sync()
    watch.write({"mood": 5}, record_id)
    await watch.sync()
    phone.write({"fatigue": 5}, record_id)
    keys = phone.outbox()
    unaware = await phone.send(phone.request(keys, pull=False))
    phone.take(keys, unaware)
    await phone.sync()
    phone.write({"fatigue": 6}, record_id)
    aware = await phone.send(phone.request(pull=False))
    receipts = [bool(response.results[0].receipt) for response in (first, unaware, aware)]
    assert receipts == [True, False, True]


async def test_a_stamp_too_far_ahead_is_refused_alone(world: World, phone: Device) -> None:
    phone.last_hlc = world.now + 2 * SKEW_MAX_MICROSECONDS
    phone.write(workout())
    phone.last_hlc = 0
    phone.write(workout())
    response = await phone.send(phone.request())
    codes = [[refusal.code for refusal in result.refusals] for result in response.results]
    assert codes == [["clock_skew"], []]
    assert response.now_us >= world.now - 1_000_000
    await assert_consistent(world)


async def test_a_value_out_of_bounds_is_taken_and_marked(world: World, phone: Device) -> None:
    phone.write({"date": "2026-03-01", "responses": {"energy": 14}}, collection="check_ins")
    await phone.sync()
    [row] = await world.sql("SELECT needs_review, energy FROM records JOIN check_ins USING (scope_id, record_id)")
    assert tuple(row) == (True, 14)
    await assert_consistent(world)


async def test_what_is_no_record_of_ours_is_rejected_and_blocks_nothing(world: World, phone: Device) -> None:
    good = phone.write(workout())
    other = await world.athlete()
    update = phone.pushed((phone.scope, good)).update
    foreign = await world.device(other)
    foreign_id = foreign.write(workout())
    await foreign.sync()
    pushed = [
        PushedRecord(f"athlete:{other}", "workout_logs", foreign_id, update),
        PushedRecord(f"athlete:{UUID(int=7)}", "workout_logs", good, update),
        PushedRecord("global", "exercises", good, update),
        PushedRecord(phone.scope, "horoscopes", good, update),
        PushedRecord(phone.scope, "insights", good, update),
        PushedRecord(phone.scope, "workout_logs", good[:15], update),
        PushedRecord("nowhere:at:all", "workout_logs", good, update),
        PushedRecord(phone.scope, "workout_logs", world.record_id(), update[:-3]),
        PushedRecord(phone.scope, "workout_logs", world.record_id(), b""),
        PushedRecord(phone.scope, "workout_logs", world.record_id(), encode_push(foreign.client_id, 0, [b"x"])),
        PushedRecord(phone.scope, "workout_logs", good, update),
        PushedRecord(phone.scope, "check_ins", good, update),
    ]
    user, device = phone.caller.user_id, phone.caller.device_id
    answer = await world.committer.push(user, device, phone.client_id, pushed)
    codes = [result.refusals[0].code if result.refusals else result.status for result in answer.results]
    assert codes == [
        "not_granted",
        "not_granted",
        "not_granted",
        "unknown_collection",
        "forbidden",
        "malformed",
        "malformed",
        "malformed",
        "malformed",
        "malformed",
        "applied",
        "malformed",
    ]
    assert {row["scope_id"] for row in await world.sql("SELECT scope_id FROM scopes")} == {user, other}
    await assert_consistent(world)


async def test_a_record_may_occur_twice_in_one_push(world: World, phone: Device) -> None:
    record_id = phone.write(workout())
    first = phone.pushed((phone.scope, record_id))
    phone.acked[phone.scope, record_id] = 1
    phone.write({"fatigue": 3}, record_id)
    second = phone.pushed((phone.scope, record_id))
    user, device = phone.caller.user_id, phone.caller.device_id
    answer = await world.committer.push(user, device, phone.client_id, [first, second, second])
    assert [result.status for result in answer.results] == ["applied", "applied", "duplicate"]
    await assert_consistent(world)


async def test_one_push_may_go_to_many_scopes(world: World, phone: Device) -> None:
    athletes = [await world.athlete() for _ in range(3)]
    coach_id = await world.coach(*athletes)
    tablet = await world.device(coach_id)
    for athlete_id in athletes:
        tablet.write({"name": "Block 1"}, collection="programs", scope=f"athlete:{athlete_id}")
        tablet.write({"name": "Draft"}, collection="programs", scope=f"private:{coach_id}:{athlete_id}")
    tablet.write({"name": "Template"}, collection="programs", scope=f"coach:{coach_id}")
    tablet.write({"name": "Log Press"}, collection="exercises", scope=f"library:{coach_id}")
    response = await tablet.sync()
    assert {result.status for result in response.results} == {"applied"}
    assert len(await world.sql("SELECT * FROM scopes")) == 8
    await assert_consistent(world)


async def test_a_commit_marks_what_is_to_be_analysed(world: World, phone: Device) -> None:
    phone.write(workout())
    phone.write({"date": "2026-03-01"}, collection="check_ins")
    await phone.sync()
    first = await world.sql("SELECT kind, watermark, first_marked_at FROM dirty ORDER BY kind")
    phone.write(workout())
    await phone.sync()
    second = await world.sql("SELECT kind, watermark, first_marked_at FROM dirty ORDER BY kind")
    assert [(row["kind"], row["watermark"]) for row in first] == [("check_in", 2), ("training", 2)]
    assert [(row["kind"], row["watermark"]) for row in second] == [("check_in", 2), ("training", 3)]
    assert second[1]["first_marked_at"] == first[1]["first_marked_at"]


async def test_a_history_longer_than_a_record_is_taken_without_waiting_for_anybody(world: World, phone: Device) -> None:
    record_id = phone.write(workout())
    await phone.sync()
    for _ in range(4):
        for _ in range(10):
            phone.write({"notes": "x" * 60_000}, record_id)
        assert {result.status for result in (await phone.sync()).results} == {"applied"}
    await assert_consistent(world)


async def test_content_that_no_record_holds_is_refused_and_named(world: World, phone: Device) -> None:
    """Nothing waits for ever for room that never comes."""
    record_id = phone.write(workout())
    await phone.sync()
    for part in range(20):
        phone.write({"sets": {f"long{part}": {"notes": "x" * 60_000}}}, record_id)
        await phone.sync()
    assert {refusal.code for _, refusal in phone.refusals} == {"record_full"}
    sets = phone.state(record_id).state["sets"]
    assert 14 <= sum(key.startswith("long") for key in sets) < 20
    await assert_consistent(world)


async def test_the_words_of_a_refusal_are_sealed_and_come_again(world: World) -> None:
    """They may quote how somebody named a thing."""
    phone = await world.device(await world.athlete())
    phone.write({**workout(), "sets": {"canary": {"reps": "many"}}})
    await phone.sync()
    [row] = await world.sql("SELECT field, message FROM dead_ops WHERE code IS NOT NULL")
    assert not [value for value in row if b"canary" in value]
    async with world.db.commit_connection() as connection:
        key = await world.db.vault.user_key(connection, phone.caller.user_id)
    assert "canary" in key.open_alike(row["field"], what="dead_ops.field")
    [(_, refusal)] = phone.refusals
    assert "canary" in refusal.field
