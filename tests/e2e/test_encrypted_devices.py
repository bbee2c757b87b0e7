"""Encrypted devices beside plain ones, on a real server: one history, and nothing to read on the encrypted disks."""

from pathlib import Path

import pytest

from apex_client import change_replica_key
from tests.client.test_encrypted_replica import CANARY, KEY, plaintext_in
from tests.e2e.whole_server import Athlete, WholeServer, assert_one_digest

pytestmark = pytest.mark.anyio


async def test_encrypted_and_plain_devices_come_to_one_history(
    server: WholeServer, athlete: Athlete, tmp_path: Path
) -> None:
    phone = await athlete.device("phone", encryption_key=KEY)
    watch = await athlete.device("watch", "watch")
    log = await phone.workouts.start(title=f"{CANARY} push")
    await log.add_set("Bench Press", reps=8, load=100, unit="kg")
    await phone.sync()
    await watch.sync()
    other = await watch.workouts.start(title=f"{CANARY} pull")
    await other.add_set("Row", reps=8, load=80, unit="kg")
    await watch.sync()
    await phone.sync()
    await assert_one_digest(server, athlete.scope, phone, watch)
    await phone.aclose()
    await watch.aclose()

    change_replica_key(watch.path, old_key=None, new_key="a passphrase of the watch")
    assert [name for name in plaintext_in(athlete.folder) if not name.endswith(".identity")] == []
    again = await athlete.device("watch", "watch", encryption_key="a passphrase of the watch")
    await again.sync()
    await assert_one_digest(server, athlete.scope, again)
