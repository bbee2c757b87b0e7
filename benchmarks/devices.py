"""Devices and accounts for the benchmarks: replicas of the SDK, with a way to save thousands of records at once."""

import socket
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from apex_client import Replica
from apex_client.local import LocalReplica
from benchmarks.workload import LoggedRecord

if TYPE_CHECKING:
    from apex_server.settings import Settings

PASSWORD = "as fast as it gets"  # noqa: S105 - of accounts that live for one run.
CHUNK_RECORDS = 500


async def new_athlete(directory: Path, name: str, server: "Settings", email: str) -> Replica:
    """Open a replica in a file of that name, and make an account whose address is confirmed."""
    # Not at the top: a device whose memory is measured loads no server.
    from apex_server.serving import address_of
    from tests.confirmation import confirm_address

    replica = await Replica.open(directory / f"{name}.db", device_name=name).start()
    await replica.register(address_of(server), email, PASSWORD, name="Bench")
    await confirm_address(server, email)
    return replica


async def athlete_device(directory: Path, name: str, server: str, email: str) -> Replica:
    """Open a replica in a file of that name, and sign in."""
    replica = await Replica.open(directory / f"{name}.db", device_name=name).start()
    await replica.login(server, email, PASSWORD)
    return replica


async def save_all(replica: Replica, records: Sequence[LoggedRecord]) -> None:
    """Save records as an import does: one op each, many in one transaction."""
    for start in range(0, len(records), CHUNK_RECORDS):
        await replica._do(_save_chunk, records[start : start + CHUNK_RECORDS])


def _save_chunk(local: LocalReplica, records: Sequence[LoggedRecord]) -> None:
    with local.store.transaction():
        held = []
        for record in records:
            new = local.device.new_record(record.record_id, local.own_scope(record.collection), record.collection)
            local.stamp(new, record.patch)
            held.append(new)
        local.store.save(held, "local")


def free_port() -> int:
    """Give a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
