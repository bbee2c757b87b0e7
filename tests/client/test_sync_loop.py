"""Syncing in the background: at once when something is saved, live while connected, patient when nothing answers."""

import random

import anyio
import pytest

from apex_client import sync_loop
from apex_client.errors import (
    BadAnswer,
    NoServer,
    ServerBusy,
    ServerIncompatible,
    ServerUnreachable,
    SignedOut,
)
from apex_client.status import SyncProgress
from apex_sync.protocol import SyncResponse, encode_message
from tests.client.conftest import OpenReplica
from tests.client.fleet import assert_sound
from tests.client.loopback import LoopbackServer
from tests.client.loopback_transport import Faults, LoopbackTransport
from tests.client.waiting_for import SECONDS_MAX, running, synced, transport_of, until, until_no_error, until_state

pytestmark = pytest.mark.anyio

ANNA, BERT = "anna@example.com", "bert@example.com"


# One sync, when asked.


async def test_a_sync_with_nothing_new_is_one_small_round_trip(open_replica: OpenReplica) -> None:
    replica = await open_replica("a", ANNA)
    await replica.workouts.start(title="Push")
    await replica.sync()
    report = await replica.sync()
    assert (report.round_trips, report.pushed, report.pulled) == (1, 0, 0)
    assert report.bytes_up + report.bytes_down <= 400


async def test_a_coach_with_many_scopes_asks_with_a_hash(open_replica: OpenReplica, server: LoopbackServer) -> None:
    coach = await open_replica("coach", "coach@example.com", role="coach")
    for number in range(20):
        server.link(server.accounts["coach@example.com"], server.add_user(f"{number}@example.com"))
    await coach.sync()
    report = await coach.sync()
    assert server.requests[-1].cursors is None and len(server.requests[-1].cursors_hash) == 16
    assert (report.round_trips, report.bytes_up < 150) == (1, True)
    athlete = await open_replica("athlete", "3@example.com")
    await athlete.workouts.start(title="news")
    await athlete.sync()
    report = await coach.sync()
    assert (report.round_trips, report.pulled) == (2, 2), "the workout, and the key of the device"


async def test_progress_is_told_and_the_first_page_is_small(open_replica: OpenReplica, server: LoopbackServer) -> None:
    phone = await open_replica("phone", ANNA)
    for number in range(300):
        await phone.workouts.start(title=f"number {number}", start_time="2026-01-01T10:00:00")
    steps: list[SyncProgress] = []
    await phone.sync(progress=steps.append)
    assert steps[0].push_total == 300 and steps[-1].pushed == 300
    server.page_records = 50
    watch = await open_replica("watch", ANNA)
    steps.clear()
    report = await watch.sync(progress=steps.append)
    assert report.pulled == 300 and report.round_trips == 6
    assert [step.pulled for step in steps] == [0, 50, 100, 150, 200, 250, 300]
    assert {step.pull_total for step in steps[1:]} == {300}


async def test_a_first_sync_that_is_cut_goes_on_where_it_was(open_replica: OpenReplica, server: LoopbackServer) -> None:
    phone = await open_replica("phone", ANNA)
    for number in range(20):
        await phone.workouts.start(title=f"number {number}")
    await phone.sync()
    server.page_records = 3
    watch = await open_replica("watch", ANNA)
    for exchanges in (1, 2, 3):
        transport_of(watch).exchanges = 0
        watch_faults = transport_of(watch).faults = Faults(random.Random(0))

        class Cut(random.Random):
            def random(self) -> float:
                return 0.0 if transport_of(watch).exchanges > exchanges else 1.0  # noqa: B023

        watch_faults.dice, watch_faults.lose_request = Cut(), 0.5
        with pytest.raises(ServerUnreachable):
            await watch.sync()
    before = len(await watch.workouts.list())
    assert before >= 12
    transport_of(watch).faults = Faults()
    report = await watch.sync()
    assert before + report.pulled == 20
    assert_sound(watch._open)


async def test_without_a_server_or_an_account_a_sync_says_so(open_replica: OpenReplica) -> None:
    replica = await open_replica()
    with pytest.raises(NoServer):
        await replica.sync()
    replica._account._server = "https://coach.example"
    with pytest.raises(SignedOut):
        await replica.sync()
    assert (await replica.status()).state == "signed_out"


@pytest.mark.parametrize("answer", [b"", b"<html>", b"\x93\x01\x02\x03", b"\xff" * 100])
async def test_an_answer_of_another_kind_is_refused_and_loses_nothing(
    open_replica: OpenReplica, answer: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    replica = await open_replica("a", ANNA)
    await replica.workouts.start(title="Push")
    monkeypatch.setattr(LoopbackTransport, "exchange_now", lambda *_: answer)
    with pytest.raises(BadAnswer):
        await replica.sync()
    monkeypatch.undo()
    assert (await replica.sync()).acknowledged == 1


async def test_answers_that_lead_nowhere_end(open_replica: OpenReplica, monkeypatch: pytest.MonkeyPatch) -> None:
    replica = await open_replica("a", ANNA)
    nothing = encode_message(SyncResponse(1, replica._now_us(), b"epoch--1", send_cursors=True))
    monkeypatch.setattr(LoopbackTransport, "exchange_now", lambda *_: nothing)
    with pytest.raises(BadAnswer):
        await replica.sync()


async def test_a_server_of_another_version_is_named(open_replica: OpenReplica, server: LoopbackServer) -> None:
    replica = await open_replica("a", ANNA)
    server.version = 7
    with pytest.raises(ServerIncompatible) as caught:
        await replica.sync()
    assert caught.value.server_version == 7


# In the background.


async def test_while_live_a_save_goes_up_and_comes_down_at_once(
    open_replica: OpenReplica, server: LoopbackServer
) -> None:
    phone, watch = await open_replica("phone", ANNA), await open_replica("watch", ANNA)
    transport_of(phone).live = transport_of(watch).live = True
    log = await phone.workouts.start(title="Push")
    async with running(phone, watch):
        await until_state(phone, "live")
        await until_state(watch, "live")
        await synced(watch, 1)
        exchanges = transport_of(phone).exchanges + transport_of(watch).exchanges
        feed = watch.changes("workout_logs")
        await log.add_set("Bench Press", reps=8)
        with anyio.fail_after(SECONDS_MAX):
            change = await feed.get()
        assert change is not None and (change.record_id, change.origin) == (log.id, "pulled")
        theirs = await watch.workouts.get(log.id)
        await theirs.rate(mood=9)

        async def rated() -> bool:
            return bool((await log.refresh()).record.mood == 9)

        await until(rated)
        await synced(phone, 1)
        await synced(watch, 1)
        assert transport_of(phone).exchanges + transport_of(watch).exchanges == exchanges
    scope = server.scopes[log.snapshot.scope]
    for replica in (phone, watch):
        assert replica._open.store.scopes()[log.snapshot.scope].digest == scope.digest
        assert_sound(replica._open)


async def test_a_lost_connection_is_made_again_and_nothing_is_missed(
    open_replica: OpenReplica, server: LoopbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sync_loop, "PAUSE_SECONDS_MIN", 0.01)
    phone, watch = await open_replica("phone", ANNA), await open_replica("watch", ANNA)
    transport_of(phone).live = transport_of(watch).live = True
    async with running(phone, watch):
        for number in range(10):
            await phone.workouts.start(title=f"number {number}")
            for channel in list(server.channels):
                channel.cut()
            await watch.checkins.draft(notes=str(number))
        await synced(phone, 20)
        await synced(watch, 20)
        await until_state(watch, "live")


async def test_a_live_channel_that_fails_is_tried_again_soon_and_then_less_often(
    open_replica: OpenReplica, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bad moment is over in seconds; a proxy that lets no WebSocket through is polled through."""
    monkeypatch.setattr(sync_loop, "PAUSE_SECONDS_MIN", 0.01)
    replica = await open_replica("a", ANNA)
    connect, attempts = LoopbackTransport.connect, 5

    async def failing(transport: LoopbackTransport, server: str, token: str) -> object:
        nonlocal attempts
        attempts -= 1
        if attempts:
            raise ServerUnreachable(server, "no live channel")
        return await connect(transport, server, token)

    monkeypatch.setattr(LoopbackTransport, "connect", failing)
    transport_of(replica).live = True
    async with running(replica):
        await until_state(replica, "live")
    pauses = [replica._loop._pause_seconds(failures, sync_loop.POLL_SECONDS) for failures in range(40)]
    assert max(pauses) <= sync_loop.POLL_SECONDS < sum(pauses)


async def test_without_a_network_it_waits_and_goes_on_when_woken(
    open_replica: OpenReplica, monkeypatch: pytest.MonkeyPatch
) -> None:
    replica = await open_replica("a", ANNA)
    transport_of(replica).faults.offline = True
    monkeypatch.setattr(sync_loop, "PAUSE_SECONDS_MIN", 100.0)
    async with running(replica):
        await until_state(replica, "waiting")
        status = await replica.status()
        assert status.last_error is not None and "offline" in status.last_error
        assert 0 <= status.next_attempt_us - status.last_attempt_us <= 210e6
        await replica.workouts.start(title="Push")
        await anyio.sleep(0.02)
        assert (await replica.status()).state == "waiting"
        transport_of(replica).faults.offline = False
        replica.wake()
        await synced(replica, 1)
        await until_no_error(replica)


async def test_a_busy_server_is_left_alone_as_long_as_it_says(
    open_replica: OpenReplica, server: LoopbackServer
) -> None:
    replica = await open_replica("a", ANNA)
    await replica.sync()
    await replica.workouts.start(title="Push")
    server.retry_after = 40.0
    with pytest.raises(ServerBusy):
        await replica.sync()
    async with running(replica):
        await until_state(replica, "waiting")

        async def planned() -> bool:
            return bool((await replica.status()).next_attempt_us > 0)

        await until(planned)
        status = await replica.status()
        assert 39e6 <= status.next_attempt_us - status.last_attempt_us <= 46e6
        server.retry_after = 0.0
        replica.wake()
        await synced(replica, 1)


async def test_a_lost_session_waits_for_a_sign_in(
    open_replica: OpenReplica, server: LoopbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sync_loop, "POLL_SECONDS", 0.02)
    replica = await open_replica("a", ANNA)
    await replica.sync()
    replica._account._credentials = None
    async with running(replica):
        server.expire_access_tokens()
        server.refresh_tokens.clear()
        await until_state(replica, "signed_out")
        await replica.workouts.start(title="kept")
        await replica.login("https://coach.example", ANNA, "secret")
        await synced(replica, 1)


async def test_a_replica_that_never_saw_a_server_waits_for_one(open_replica: OpenReplica) -> None:
    replica = await open_replica("a")
    async with running(replica):
        await until_state(replica, "no_server")
        await replica.workouts.start(title="offline first")
        await replica.register("https://coach.example", ANNA, "secret", name="Anna")
        await synced(replica, 1)


async def test_a_server_that_moved_on_in_its_epoch_is_offered_everything_over_the_live_channel_too(
    open_replica: OpenReplica, server: LoopbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sync_loop, "PAUSE_SECONDS_MIN", 0.01)
    phone = await open_replica("phone", ANNA)
    transport_of(phone).live = True
    backup = server.backup()
    async with running(phone):
        log = await phone.workouts.start(title="Push")
        await synced(phone, 1)
        await until_state(phone, "live")
        server.restore(backup)
        await log.note("after the restore")

        async def is_back() -> bool:
            return log.snapshot.scope in server.scopes

        await until(is_back)
        await synced(phone, 1)
    assert phone._open.store.scopes()[log.snapshot.scope].digest == server.scopes[log.snapshot.scope].digest


async def test_stop_ends_the_run(open_replica: OpenReplica) -> None:
    replica = await open_replica("a", ANNA)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(replica.run)
        await synced(replica, 0)
        replica.stop()


# Watching.


async def test_changes_of_one_record_fold_into_the_newest(open_replica: OpenReplica) -> None:
    replica = await open_replica("a")
    everything, check_ins = replica.changes(), replica.changes("check_ins")
    log = await replica.workouts.start(title="Push")
    await log.note("1")
    await log.note("2")
    check_in = await replica.checkins.draft()
    seen = [await everything.get(0.1), await everything.get(0.1), await everything.get(0.01)]
    assert [change and change.record_id for change in seen] == [log.id, check_in.id, None]
    first = await check_ins.get(0.1)
    assert first is not None and (first.collection, first.origin) == ("check_ins", "local")
    await replica.aclose()
    assert [change async for change in everything] == []


async def test_an_edit_that_is_refused_changes_nothing_for_a_watcher(open_replica: OpenReplica) -> None:
    replica = await open_replica("a")
    log = await replica.workouts.start(title="Push")
    feed = replica.changes()
    with pytest.raises(Exception, match="mood"):
        await log.rate(mood=99)
    assert await feed.get(0.01) is None


async def test_status_counts_what_waits_and_for_how_long(open_replica: OpenReplica) -> None:
    replica = await open_replica("a", ANNA)
    assert (await replica.status()).oldest_pending_seconds is None
    log = await replica.workouts.start(title="Push")
    replica._now_us.pass_seconds(60)
    status = await replica.status()
    assert (status.pending, status.synced, status.last_success_us) == (1, 0, 0)
    assert status.oldest_pending_seconds is not None and 60 <= status.oldest_pending_seconds < 61
    assert (await replica.status_of(log.id)).state == "pending"
    await replica.sync()
    status = await replica.status()
    assert (status.pending, status.synced, status.last_success_us > 0) == (0, 1, True)
    assert (await replica.status_of(log.id)).state == "synced"


async def test_conflicts_are_listed_and_settled_for_everybody(open_replica: OpenReplica) -> None:
    phone, watch = await open_replica("phone", ANNA), await open_replica("watch", ANNA)
    log = await phone.workouts.start(title="Push")
    await phone.sync()
    await watch.sync()
    theirs = await watch.workouts.get(log.id)
    await log.rate(mood=3)
    await theirs.rate(mood=8)
    await phone.sync()
    await watch.sync()
    assert (await phone.sync()).conflicts == 1
    (conflict,) = await phone.conflicts.list()
    assert (conflict.path, conflict.keys, conflict.record_id) == ("mood", ("mood",), log.id)
    assert conflict.kept is not None and (conflict.kept.value, conflict.kept.mine) == (8, False)
    assert [(claim.value, claim.mine) for claim in conflict.discarded] == [(3, True)]
    assert (await phone.status_of(log.id)).state == "conflicted"
    rows = await phone.query("SELECT path, kept, discarded FROM conflicts")
    assert rows[0]["path"] == "mood"
    await phone.conflicts.restore(conflict, 0)
    for replica in (phone, watch):
        await replica.sync()
        assert await replica.conflicts.list() == []
    assert (await theirs.refresh()).record.mood == 3
