"""The vault: one key a person, wrapped under a master key that the database never sees."""

import asyncio
import base64
import stat
from pathlib import Path
from uuid import UUID, uuid4

import asyncpg
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apex_server.db import Database
from apex_server.settings import Settings, SettingsError
from apex_server.vault import (
    SERVER_KEYS,
    FileMasterKeys,
    KeyDestroyed,
    LocalMasterKeys,
    MasterKeyInvalid,
    MasterKeyMissing,
    MasterKeyOutdated,
    SealBroken,
    UserKey,
    Vault,
    master_keys_of,
)
from apex_server.vault import vault as vault_module
from apex_server.vault.data_keys import SEAL_OVERHEAD_BYTES
from apex_server.vault.master_keys import master_key_id, new_master_key
from tests.server.sealed_rows import insert_user

pytestmark = pytest.mark.anyio

KEY = UserKey(bytes(range(32)))


async def add_user(db: Database, vault: Vault) -> UUID:
    user_id = uuid4()
    async with db.request(user_id) as connection:
        await insert_user(connection, vault, user_id, "athlete")
    return user_id


@given(st.binary(max_size=200), st.text(max_size=20))
def test_a_sealed_value_opens_to_itself(plain: bytes, what: str) -> None:
    sealed = KEY.seal(plain, what=what)
    assert KEY.open(sealed, what=what) == plain
    assert len(sealed) == len(plain) + SEAL_OVERHEAD_BYTES


@given(st.text(max_size=50))
def test_a_sealed_text_opens_to_itself(plain: str) -> None:
    assert KEY.open_text(KEY.seal_text(plain, what="users.name"), what="users.name") == plain


def test_two_seals_of_one_value_differ() -> None:
    assert KEY.seal(b"8", what="x") != KEY.seal(b"8", what="x")


def test_a_sealed_value_opens_only_in_the_place_it_was_made_for() -> None:
    with pytest.raises(SealBroken, match=r"users\.email"):
        KEY.open(KEY.seal(b"Anna", what="users.name"), what="users.email")


def test_a_sealed_value_does_not_open_with_another_key() -> None:
    with pytest.raises(SealBroken):
        UserKey(bytes(32)).open(KEY.seal(b"Anna", what="users.name"), what="users.name")


@given(st.integers(0, SEAL_OVERHEAD_BYTES + 4), st.integers(1, 255))
def test_a_sealed_value_with_any_byte_changed_does_not_open(place: int, change: int) -> None:
    sealed = bytearray(KEY.seal(b"Anna!", what="users.name"))
    sealed[place % len(sealed)] ^= change
    with pytest.raises(SealBroken):
        KEY.open(bytes(sealed), what="users.name")


@pytest.mark.parametrize("length", range(SEAL_OVERHEAD_BYTES))
def test_a_sealed_value_that_was_cut_does_not_open(length: int) -> None:
    with pytest.raises(SealBroken):
        KEY.open(KEY.seal(b"Anna", what="users.name")[:length], what="users.name")


async def test_a_user_key_is_the_same_for_everybody_who_may_have_it(db: Database, vault: Vault) -> None:
    user_id = await add_user(db, vault)
    async with db.request(user_id) as connection:
        sealed = (await vault.user_key(connection, user_id)).seal_text("Anna", what="users.name")
    async with db.commit_connection() as connection:
        assert (await vault.user_key(connection, user_id)).open_text(sealed, what="users.name") == "Anna"


async def test_a_foreign_key_is_as_absent_as_one_that_never_was(db: Database, vault: Vault) -> None:
    theirs, mine = await add_user(db, vault), await add_user(db, vault)
    async with db.commit_connection() as connection:
        await vault.user_key(connection, theirs)  # It is in memory now, and that must not matter.
    async with db.request(mine) as connection:
        assert set(await vault.user_keys(connection, [theirs, mine, uuid4()])) == {mine}
        with pytest.raises(KeyDestroyed):
            await vault.user_key(connection, theirs)


async def test_whoever_reads_thousands_of_keys_holds_nobody_up(
    db: Database, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vault_module, "UNWRAPPED_IN_A_TURN", 2)
    people = [await add_user(db, vault) for _ in range(4)]
    turns = 0
    at_each: list[int] = []

    async def take_turns() -> None:
        nonlocal turns
        while len(at_each) < len(people):
            turns += 1
            await asyncio.sleep(0)

    unwrapped = vault.unwrapped

    async def noted(user_id: UUID, wrapped: bytes, master_key_id: str) -> UserKey:
        at_each.append(turns)
        return await unwrapped(user_id, wrapped, master_key_id)

    monkeypatch.setattr(vault, "unwrapped", noted)
    async with asyncio.TaskGroup() as group, db.commit_connection() as connection:
        group.create_task(take_turns())
        await vault.user_keys(connection, people)
    assert at_each[0] == at_each[1] < at_each[2] == at_each[3]


async def test_nobody_adds_a_key_for_somebody_else(db: Database, vault: Vault) -> None:
    with pytest.raises(MasterKeyOutdated):
        async with db.request(await add_user(db, vault)) as connection:
            await vault.add_user_key(connection, uuid4())


async def test_a_destroyed_key_stops_at_once_and_for_ever(db: Database, vault: Vault) -> None:
    user_id = await add_user(db, vault)
    async with db.commit_connection() as connection:
        await vault.user_key(connection, user_id)
        await vault.destroy_user_key(connection, user_id)
        await vault.destroy_user_key(connection, user_id)
        with pytest.raises(KeyDestroyed):
            await vault.user_key(connection, user_id)
        assert await connection.fetchval("SELECT wrapped IS NULL FROM data_keys WHERE user_id = $1", user_id)
    async with db.request(user_id) as connection:
        with pytest.raises(asyncpg.UniqueViolationError):
            await vault.add_user_key(connection, user_id)


async def test_no_key_is_in_the_database_as_it_is(db: Database, vault: Vault) -> None:
    user_id = await add_user(db, vault)
    async with db.commit_connection() as connection:
        wrapped = {bytes(row["wrapped"]) for row in await connection.fetch("SELECT wrapped FROM server_keys")}
        wrapped.add(await connection.fetchval("SELECT wrapped FROM data_keys WHERE user_id = $1", user_id))
    assert not [key for key in wrapped for name in SERVER_KEYS if vault.server_key(name) in key]


async def test_a_wrapped_key_does_not_open_in_another_persons_row(db: Database, vault: Vault) -> None:
    anna, boris = await add_user(db, vault), await add_user(db, vault)
    async with db.commit_connection() as connection:
        row = await connection.fetchrow("SELECT wrapped, master_key_id FROM data_keys WHERE user_id = $1", anna)
        await vault.unwrapped(anna, row["wrapped"], row["master_key_id"])  # Nor from memory.
        with pytest.raises(SealBroken):
            await vault.unwrapped(boris, row["wrapped"], row["master_key_id"])


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


async def test_unwrapped_keys_are_few_and_do_not_stay_in_memory(
    db: Database, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key service is asked once in a while and not for every request; a dump of the process holds few keys."""
    clock = Clock()
    asking = Vault(db.commit_connection, vault.master_keys, monotonic=clock)
    people = [await add_user(db, vault) for _ in range(3)]
    monkeypatch.setattr(vault_module, "UNWRAPPED_MAX", 2)
    async with db.commit_connection() as connection:
        first = await asking.user_key(connection, people[0])
        assert await asking.user_key(connection, people[0]) is first
        clock.seconds += vault_module.UNWRAPPED_SECONDS
        assert await asking.user_key(connection, people[0]) is not first
        await asking.user_keys(connection, people)
        assert len(asking._unwrapped) == 2


async def test_server_keys_are_made_once_and_are_different(db: Database, settings: Settings, vault: Vault) -> None:
    async with Database.open(settings) as again:
        assert {name: again.vault.server_key(name) for name in SERVER_KEYS} == {
            name: vault.server_key(name) for name in SERVER_KEYS
        }
    assert len({vault.server_key(name) for name in SERVER_KEYS}) == len(SERVER_KEYS)


async def test_requests_cannot_read_the_keys_of_the_installation(db: Database) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with db.request(uuid4()) as connection:
            await connection.fetch("SELECT wrapped FROM server_keys")


async def test_a_vault_does_not_open_under_another_master_key(
    db: Database, settings: Settings, vault: Vault, tmp_path: Path
) -> None:
    elsewhere = msgspec.structs.replace(settings, data_dir=tmp_path / "elsewhere")
    with pytest.raises(MasterKeyMissing, match=r"elsewhere/master_key"):
        async with Database.open(elsewhere):
            pass
    assert not (tmp_path / "elsewhere").exists()  # A key made now would only hide that the right one is missing.


def test_the_file_is_made_once_and_for_its_owner_only(tmp_path: Path) -> None:
    first, second = FileMasterKeys(tmp_path / "master_key"), FileMasterKeys(tmp_path / "master_key")
    first.make_if_absent()
    second.make_if_absent()
    assert first.current_id == second.current_id is not None
    assert stat.S_IMODE((tmp_path / "master_key").stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["master_key"]


@pytest.mark.parametrize("text", ["short", "?" * 43, "0" * 63, "=" * 44, "ä" * 43, ""])
def test_what_is_no_master_key_is_refused_without_repeating_it(text: str) -> None:
    settings = Settings(data_dir=Path(), secret="x", master_key=text)
    with pytest.raises(MasterKeyInvalid) as caught:
        master_keys_of(settings)
    assert not text or text not in str(caught.value)


def test_hex_and_both_alphabets_of_base64_name_the_same_key() -> None:
    key = b"\xfb\xff" * 16
    texts = [key.hex(), base64.b64encode(key).decode(), base64.urlsafe_b64encode(key).decode().rstrip("=")]
    ids = {master_keys_of(Settings(data_dir=Path(), secret="x", master_key=text)).current_id for text in texts}
    assert ids == {master_key_id(key)}


async def test_the_environments_master_keys_unwrap_what_a_former_one_wrapped() -> None:
    old, new = bytes(32), bytes(range(32))
    wrapped = await LocalMasterKeys([old], source="x").wrap(b"key", master_key_id=master_key_id(old), context="c")
    both = LocalMasterKeys([new, old], source="x")
    assert both.current_id == master_key_id(new)
    assert await both.unwrap(wrapped, master_key_id=master_key_id(old), context="c") == b"key"


def test_former_master_keys_without_a_current_one_are_refused(tmp_path: Path) -> None:
    environment = {"APEX_DATA_DIR": str(tmp_path), "APEX_FORMER_MASTER_KEYS": new_master_key()}
    with pytest.raises(SettingsError, match="APEX_FORMER_MASTER_KEYS"):
        Settings.from_environment(environment)


def test_settings_never_show_master_keys(tmp_path: Path) -> None:
    key, former = new_master_key(), new_master_key()
    environment = {"APEX_DATA_DIR": str(tmp_path), "APEX_MASTER_KEY": key, "APEX_FORMER_MASTER_KEYS": f"{former}, "}
    settings = Settings.from_environment(environment)
    assert settings.former_master_keys == (former,)
    assert key not in repr(settings)
    assert former not in repr(settings)
