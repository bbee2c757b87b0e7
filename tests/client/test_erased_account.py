"""A device of an erased account tells its app, forgets everything, and brings nothing back."""

from pathlib import Path

import pytest

from apex_client import Replica
from apex_client.errors import AccountErased
from tests.client.conftest import OpenReplica
from tests.client.loopback import LoopbackServer

pytestmark = pytest.mark.anyio

ANNA = "anna@example.com"
WORDS = ["zanzibar", "quokka", "xylophone"]


async def erased_phone(open_replica: OpenReplica, server: LoopbackServer, told: list[int]) -> Replica:
    """Give a phone with work sent and unsent, whose account was erased while it was offline."""
    phone: Replica = await open_replica("phone", ANNA, on_account_erased=lambda: told.append(1))
    log = await phone.workouts.start(title=WORDS[0])
    await log.note(WORDS[1])
    await phone.sync()
    await phone.workouts.start(title=WORDS[2])
    assert await phone.search(WORDS[0])
    server.erase(ANNA)
    return phone


def found_in(folder: Path) -> list[tuple[str, str]]:
    return [
        (path.name, word)
        for path in folder.rglob("*")
        if path.is_file()
        for word in [*WORDS, ANNA]
        if word.encode() in path.read_bytes()
    ]


async def test_everything_is_taken_off_the_device_down_to_the_bytes(
    open_replica: OpenReplica, server: LoopbackServer, tmp_path: Path
) -> None:
    told: list[int] = []
    phone = await erased_phone(open_replica, server, told)
    assert found_in(tmp_path)
    with pytest.raises(AccountErased):
        await phone.sync()
    assert told == [1]
    assert phone.user is None
    assert await phone.workouts.list() == []
    assert (await phone.status()).state == "erased"
    assert found_in(tmp_path) == []


async def test_a_new_account_of_the_same_address_gets_nothing_of_the_erased_one(
    open_replica: OpenReplica, server: LoopbackServer, tmp_path: Path
) -> None:
    """A server that has lost an account is given everything again; one that erased it is not."""
    told: list[int] = []
    phone = await erased_phone(open_replica, server, told)
    for name in ("bert@example.com", ANNA):  # The loopback numbers accounts by their count.
        server.add_user(name)
    await phone.login("https://coach.example", ANNA, "secret")
    await phone.sync()
    assert told == [1]
    assert await phone.workouts.list() == []
    await phone.aclose()
    assert {word for _, word in found_in(tmp_path)} <= {ANNA}
