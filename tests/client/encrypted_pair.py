"""Two people whose thread is encrypted, and what a server that reads along could do in it."""

from typing import Any

from apex_client import Replica, thread_keys
from apex_sync.models.device_keys import device_keys_id
from tests.client.conftest import OpenReplica
from tests.client.loopback import LoopbackServer
from tests.client.test_messages import ANNA, exchange, pair

NEW_ID = "01922f6c-4b7e-7c3a-9d51-000000000001"
OTHER_ID = "01922f6c-4b7e-7c3a-9d51-000000000002"


async def encrypted_pair(open_replica: OpenReplica, server: LoopbackServer) -> tuple[Replica, Replica]:
    """Give the replicas of a coach and an athlete whose thread is encrypted, and is so on both sides."""
    coach, athlete = await pair(open_replica, server)
    await exchange(coach, athlete)
    await coach.messages.encrypt()
    await exchange(coach, athlete)
    return coach, athlete


async def tablet_beside(open_replica: OpenReplica, *others: Replica) -> Replica:
    """Give the athlete another device, which all others accept."""
    tablet: Replica = await open_replica("tablet", ANNA)
    await exchange(tablet, *others)
    for replica in others:
        await replica.messages.accept(await replica.messages.devices())
    return tablet


def thread_of(replica: Replica) -> str:
    return next(name for name in replica._open.store.scopes() if name.startswith("thread:"))


async def said(replica: Replica) -> list[tuple[str | None, str | None]]:
    return [(message.text, message.encryption) for message in await replica.messages.list()]


def keys_of(replica: Replica) -> dict[str, bytes]:
    return {row[1]: row[2] for row in thread_keys._keys(replica._open, thread_of(replica))}


async def put_in(athlete: Replica, entries: dict[str, Any]) -> None:
    """Write into the athlete's part of the keys of their thread, as a server could in their name."""
    thread = thread_of(athlete)
    record_id = device_keys_id(*thread.split(":")[1:])
    await athlete._do(lambda local: local.create("device_keys", thread, {"athlete": entries}, record_id=record_id))


async def plant(replica: Replica, thread: str, record_id: str, side: str, leaves: dict[str, Any]) -> None:
    """Bring a message into a record past the SDK's own guards, as a server could."""
    part = {"type": "text", "sent_at": "2026-03-01T18:05:00.000Z", **leaves}
    await replica._do(lambda local: local.create("messages", thread, {side: part}, record_id=record_id))
