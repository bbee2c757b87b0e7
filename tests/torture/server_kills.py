"""The server process killed at every place of a push of 1,000 ops: awaits, and all bytes to and from Postgres.

After each kill a new process gets the same push again, at once or when Postgres has buried the dead one's connections.
Then every op is there once, feed and audit have no gap, and the second answer says truly what the first push had done.
"""

import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple
from uuid import UUID, uuid4

import anyio
import zstandard
from msgspec.structs import replace

from apex_server.caller import Role
from apex_server.db import Database
from apex_server.settings import Settings
from apex_sync.op import Patch
from apex_sync.protocol.messages import PushResult, decode_response, encode_message
from tests.server.sealed_rows import MASTER_KEY
from tests.server.sync_world import SECRET, Device, Key, World, workout
from tests.torture.postgres_cluster import Cluster, own_cluster
from tests.torture.postgres_truth import OpsByRecord, Truth
from tests.torture.report import Outcome, Scale
from tests.torture.server_kills_process import Errand, run

KILLS = {Scale.CI: {"phone": 8, "tablet": 8, "watch": 4}, Scale.FULL: {"phone": 250, "tablet": 250, "watch": 60}}
"""By the device whose push it is; where there are fewer places, each is taken once."""

AT_ONCE = 4
"""Kills have nothing to do with each other, and each mostly waits."""

BURIED_SECONDS_MAX = 10.0
"""A dead client is noticed when its statement ends, or two seconds later (client_connection_check_interval)."""


BACKENDS_OF_SERVERS = """
    SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND usename IN ('apex_app', 'apex_commit')
"""

ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"


class Push(NamedTuple):
    """A push that is about to happen, and what it must do."""

    template: str
    errand: Errand
    keys: list[Key]
    next_clocks: list[int]
    refused: dict[Key, set[int]]
    before: OpsByRecord
    after: OpsByRecord

    def after_scopes(self, scopes: set[str]) -> OpsByRecord:
        """Give what is there when the push has reached these scopes."""
        changed = {key: ops for key, ops in self.after.items() if key[0] in scopes}
        return {key: ops for key, ops in self.before.items() if key[0] not in scopes} | changed


def torture(scale: Scale) -> Iterator[Outcome]:
    """Kill the server in the pushes of three devices."""
    with own_cluster() as cluster:
        for device, kills in KILLS[scale].items():
            outcome = Outcome(part="server process", fault=f"kill -9 in a push of a {device}")
            sweep(cluster, prepared(cluster, device), kills, outcome)
            yield outcome


def sweep(cluster: Cluster, push: Push, kills: int, outcome: Outcome, planted: str = "") -> None:
    """Kill the process at places that lie evenly over the push."""
    total = places_of(cluster, push)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        killed = {
            place: pool.submit(kill_at, cluster, push, place, planted=planted, at_once=place % 2 == 0)
            for place in evenly(total, kills)
        }
        for place, end in killed.items():
            with outcome.run(f"place {place} of {total}"):
                end.result()
            print(f"{outcome.fault}: place {place} of {total}", file=sys.stderr)


def evenly(total: int, wanted: int) -> list[int]:
    """Choose places from 1 to `total`, the first and the last among them."""
    if wanted >= total:
        return list(range(1, total + 1))
    return sorted({1 + round(number * (total - 1) / (wanted - 1)) for number in range(wanted)})


def places_of(cluster: Cluster, push: Push) -> int:
    """Count the places of an undisturbed push, which must be right."""
    with cluster.database(push.template) as url:
        told = run(replace(push.errand, database_url=url))
        check_answer(push, told.status, told.body, committed=set())
        cluster.portal.call(check_end, Truth(url), push)
        return told.places


def kill_at(cluster: Cluster, push: Push, place: int, *, planted: str = "", at_once: bool = False) -> None:
    """Kill one process, send the push to the next, and hold everything to what it must be."""
    with cluster.database(push.template) as url:
        truth = Truth(url)
        errand = replace(push.errand, database_url=url)
        first = run(replace(errand, die_at=place, planted=planted))
        assert first.was_killed
        committed = None if at_once else cluster.portal.call(check_in_between, truth, push)
        if first.status:
            check_answer(push, first.status, first.body, committed=set())
            assert committed is None or committed == {scope for scope, _ in push.keys}, "acknowledged, and not there"
        second = run(errand)
        check_answer(push, second.status, second.body, committed)
        cluster.portal.call(check_end, truth, push)


async def check_in_between(truth: Truth, push: Push) -> set[str]:
    """Wait until the dead process is buried; give the scopes that its push has reached, each wholly or not at all."""
    with anyio.fail_after(BURIED_SECONDS_MAX):
        while await truth.sql(BACKENDS_OF_SERVERS):  # noqa: ASYNC110 - backends give no event.
            await anyio.sleep(0.02)
    scopes = {scope for scope, _ in push.after}
    found = await truth.ops(sorted(scopes))
    committed = {scope for scope in scopes if any(found.get(key) != push.before.get(key) for key in of(push, scope))}
    await truth.assert_holds(push.after_scopes(committed))
    await truth.assert_sound()
    return committed


def of(push: Push, scope: str) -> list[Key]:
    """List the records of the push in one scope."""
    return [key for key in push.keys if key[0] == scope]


async def check_end(truth: Truth, push: Push) -> None:
    """Hold the database to what a push does that nothing happened to."""
    await truth.assert_holds(push.after)
    await truth.assert_sound()
    await truth.assert_marked()


def check_answer(push: Push, status: int, body: bytes, committed: set[str] | None) -> None:
    """Hold an answer to what had been done before: `duplicate` in the scopes that were reached, `applied` in others."""
    assert status == 200, f"HTTP {status}: {body[:200]!r}"
    response = decode_response(zstandard.ZstdDecompressor().decompress(body) if body[:4] == ZSTD_MAGIC else body)
    assert response.retry_after == 0
    assert len(response.results) == len(push.keys)
    statuses: dict[str, set[str]] = {}
    for key, next_clock, result in zip(push.keys, push.next_clocks, response.results, strict=True):
        statuses.setdefault(key[0], set()).add(result.status)
        assert result.next_clock == next_clock, f"{result.status} up to {result.next_clock}, not {next_clock}"
        assert result.receipt
        check_refusals(push.refused.get(key, set()), result)
    for scope, found in statuses.items():
        known = {"applied", "duplicate"} if committed is None else {"duplicate" if scope in committed else "applied"}
        assert len(found) == 1, f"{scope} was answered {found}"
        assert found <= known, f"{scope} was answered {found}, not {known}"


def check_refusals(refused: set[int], result: PushResult) -> None:
    """Hold the refusals of a record to those that were earned."""
    assert {refusal.clock for refusal in result.refusals} == refused
    assert {refusal.code for refusal in result.refusals} <= {"forbidden"}


def prepared(cluster: Cluster, device: str) -> Push:
    """Make a database in which a device is about to push."""
    template = cluster.new_database()
    return cluster.portal.call(prepare, cluster, template, WRITES[device])


async def prepare(cluster: Cluster, template: str, write: Callable[["Stage"], Device]) -> Push:
    """Set the stage, let the device write, and take down what its push must do."""
    url = cluster.url(template)
    async with Database.open(
        Settings(data_dir=cluster.folder, secret=SECRET, master_key=MASTER_KEY, database_url=url)
    ) as db:
        stage = await Stage.set(await World(db, url).open())
        before = ops_of(stage.watch, stage)
        device = write(stage)
        request = device.request()
        session_id = uuid4()
        await stage.world.sql(
            "INSERT INTO sessions (id, user_id, device_id, created_at, last_used_at, authenticated_at) "
            "VALUES ($1, $2, $3, now(), now(), now())",
            session_id,
            device.caller.user_id,
            device.caller.device_id,
        )
    keys = [(pushed.scope, pushed.record_id) for pushed in request.push]
    role: Role = "athlete" if device.caller.user_id == stage.athlete_id else "coach"
    return Push(
        template=template,
        errand=Errand(
            database_url="",
            folder=cluster.folder,
            user_id=device.caller.user_id,
            role=role,
            device_id=device.caller.device_id,
            session_id=session_id,
            body=zstandard.ZstdCompressor().compress(encode_message(request)),
        ),
        keys=keys,
        next_clocks=[device.docs[key].next_clocks[device.client_id] for key in keys],
        refused={key: clocks for key, clocks in stage.forbidden.items() if key in keys},
        before=before,
        after={**before, **ops_of(device, stage)},
    )


class Stage:
    """Somebody with a coach, two hundred sets of records on the watch, and devices that know them."""

    def __init__(self, world: World, athlete_id: UUID, coach_id: UUID, devices: list[Device]) -> None:
        self.world = world
        self.athlete_id = athlete_id
        self.coach_id = coach_id
        self.watch, self.phone, self.tablet = devices
        self.known = list(self.watch.docs)
        self.forbidden: dict[Key, set[int]] = {}

    @classmethod
    async def set(cls, world: World) -> "Stage":
        """Make people and devices; the phone and the tablet know what the watch has pushed."""
        athlete_id = await world.athlete()
        coach_id = await world.coach(athlete_id)
        watch, phone = await world.device(athlete_id), await world.device(athlete_id)
        tablet = await world.device(coach_id)
        for _ in range(200):
            watch.write(workout())
        for device in (watch, phone, tablet):
            await device.sync()
        return cls(world, athlete_id, coach_id, [watch, phone, tablet])

    def refuse(self, device: Device, key: Key, patch: Patch) -> None:
        """Let a device write what it may not."""
        device.write(patch, key[1], scope=key[0])
        self.forbidden.setdefault(key, set()).add(device.docs[key].next_clocks[device.client_id] - 1)


def ops_of(device: Device, stage: Stage) -> OpsByRecord:
    """Take down what a device holds, as the server will hold it."""
    return {
        key: {
            (client_id, clock): None
            if client_id == device.client_id and clock in stage.forbidden.get(key, ())
            else bytes(op)
            for client_id, ops in document.ops.items()
            for clock, op in ops.items()
        }
        for key, document in device.docs.items()
    }


def write_on_phone(stage: Stage) -> Device:
    """1,000 ops in one scope: new records, records that others made, and some ops that are refused."""
    phone = stage.phone
    for _ in range(400):
        phone.write(workout())
    for scope, record_id in stage.known:
        phone.write({"fatigue": 7}, record_id, scope=scope)
        phone.write({"sets": {"s0": {"reps": 9}, "s9": {"reps": 5, "exercise": "e1", "order": "9"}}}, record_id)
    for number in range(100):
        patch = {"date": "2026-03-01", "responses": {"energy": 1 + number % 10}}
        record_id = phone.write(patch, collection="check_ins")
        if number % 2:
            stage.refuse(phone, (phone.scope, record_id), {"coach_feedback": "not mine to give"})
            phone.write({"responses": {"sleep": 5}}, record_id, collection="check_ins")
    return phone


def write_on_tablet(stage: Stage) -> Device:
    """1,000 ops in four scopes, three of which begin with them."""
    tablet, coach = stage.tablet, stage.coach_id
    for number in range(250):
        tablet.write({"name": f"Block {number}"}, collection="programs", scope=f"athlete:{stage.athlete_id}")
        tablet.write({"name": f"Draft {number}"}, collection="programs", scope=f"private:{coach}:{stage.athlete_id}")
        tablet.write({"name": f"Template {number}"}, collection="programs", scope=f"coach:{coach}")
        tablet.write({"name": f"Lift {number}"}, collection="exercises", scope=f"library:{coach}")
    return tablet


def write_on_watch(stage: Stage) -> Device:
    """One op on one record, which takes the short way."""
    watch = stage.watch
    watch.write({"mood": 8}, stage.known[0][1])
    return watch


WRITES: dict[str, Callable[[Stage], Device]] = {
    "phone": write_on_phone,
    "tablet": write_on_tablet,
    "watch": write_on_watch,
}
"""What is pushed, by device."""
