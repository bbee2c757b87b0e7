"""Changing the master key: nothing is lost wherever it stops, and servers that know only one of the two say so."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest
from click.testing import CliRunner

from apex_server.cli import main
from apex_server.db import Database
from apex_server.settings import Settings, SettingsError
from apex_server.vault import (
    DeliveredMasterKeys,
    FileMasterKeys,
    LocalMasterKeys,
    MasterKeyInvalid,
    MasterKeyMissing,
    MasterKeyOutdated,
    MasterKeys,
    SealBroken,
    is_rotated,
    master_keys_of,
    new_master_key,
    rotate_master_key,
    rotation,
)
from tests.server.fake_kms import FakeKeyService
from tests.server.sealed_rows import insert_user

pytestmark = pytest.mark.anyio

OLD, NEW = new_master_key(), new_master_key()


@asynccontextmanager
async def server(settings: Settings, current: str, *former: str) -> AsyncIterator[Database]:
    """Open the database as a process with these master keys does."""
    known = msgspec.structs.replace(settings, master_key=current, former_master_keys=former)
    async with Database.open(known) as database:
        yield database


async def add_people(database: Database, count: int = 1) -> list[UUID]:
    people = [uuid4() for _ in range(count)]
    for user_id in people:
        async with database.request(user_id) as connection:
            await insert_user(connection, database.vault, user_id, "athlete")
    return people


async def names(database: Database, people: Sequence[UUID]) -> list[str]:
    async with database.commit_connection() as connection:
        rows = await connection.fetch("SELECT id, name FROM users WHERE id = ANY($1::uuid[])", people)
        return await database.vault.texts(connection, "users.name", [(row["id"], row["name"]) for row in rows])


async def master_keys_in(database: Database) -> set[str]:
    async with database.commit_connection() as connection:
        rows = await connection.fetch("SELECT master_key_id FROM data_keys UNION SELECT master_key_id FROM server_keys")
    return {row["master_key_id"] for row in rows}


async def test_a_rotation_wraps_everything_anew_and_changes_nothing_that_is_sealed(settings: Settings) -> None:
    async with server(settings, OLD) as database:
        people = await add_people(database, 3)
        index = database.vault.email_index("anna@example.com")
    async with server(settings, NEW, OLD) as database:
        keys = database.vault.master_keys
        assert not await is_rotated(database.commit_connection, keys)
        assert await rotate_master_key(database.commit_connection, keys) == 5
        assert await is_rotated(database.commit_connection, keys)
        assert await rotate_master_key(database.commit_connection, keys) == 0
    async with server(settings, NEW) as database:
        assert await names(database, people) == ["Somebody"] * 3
        assert database.vault.email_index("anna@example.com") == index
        assert len(await master_keys_in(database)) == 1


@pytest.mark.parametrize("stopped_after", range(7))
async def test_a_rotation_that_is_killed_anywhere_goes_on_where_it_was(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, stopped_after: int
) -> None:
    """Both keys open everything at any moment; run again it finishes."""
    monkeypatch.setattr(rotation, "KEYS_AT_ONCE", 1)
    async with server(settings, OLD) as database:
        people = await add_people(database, 3)
    async with server(settings, NEW, OLD) as database:
        dying = Dying(database.vault.master_keys, stopped_after)
        try:
            await rotate_master_key(database.commit_connection, dying)
        except ConnectionAbortedError:
            assert stopped_after < 5
    async with server(settings, NEW, OLD) as database:
        people += await add_people(database)
        assert await names(database, people) == ["Somebody"] * 4
        await rotate_master_key(database.commit_connection, database.vault.master_keys)
    async with server(settings, NEW) as database:
        assert await names(database, people) == ["Somebody"] * 4


async def test_a_server_that_has_the_new_key_first_works_beside_one_that_does_not(settings: Settings) -> None:
    """Until the rotation new people get keys under the old one, so both can read everything."""
    async with server(settings, OLD) as old, server(settings, NEW, OLD) as new:
        people = [*await add_people(old), *await add_people(new)]
        assert await names(old, people) == await names(new, people) == ["Somebody"] * 2


async def test_a_server_without_the_new_key_says_so_after_the_rotation_and_spoils_nothing(settings: Settings) -> None:
    async with AsyncExitStack() as stack:
        old = await stack.enter_async_context(server(settings, OLD))
        people = await add_people(old)
        new = await stack.enter_async_context(server(settings, NEW, OLD))
        await rotate_master_key(new.commit_connection, new.vault.master_keys)
        old.vault.forget_unwrapped()
        with pytest.raises(MasterKeyMissing):
            await names(old, people)
        with pytest.raises(MasterKeyMissing):
            await add_people(old)
        assert await names(new, people) == ["Somebody"]
        assert len(await master_keys_in(new)) == 1


async def test_a_server_with_both_keys_notices_a_rotation_when_it_adds_the_next_person(settings: Settings) -> None:
    async with server(settings, OLD) as before:
        people = await add_people(before)
    async with server(settings, OLD, NEW) as serving, server(settings, NEW, OLD) as rotating:
        await rotate_master_key(rotating.commit_connection, rotating.vault.master_keys)
        with pytest.raises(MasterKeyOutdated):
            await add_people(serving)
        people += await add_people(serving)
        assert await names(serving, people) == ["Somebody"] * 2


async def test_a_wrong_key_rotates_nothing(settings: Settings) -> None:
    async with server(settings, OLD) as database:
        people = await add_people(database)
        before = await master_keys_in(database)
        with pytest.raises(MasterKeyMissing):
            await rotate_master_key(database.commit_connection, LocalMasterKeys([bytes(32)], source="x"))
        assert await master_keys_in(database) == before
        assert await names(database, people) == ["Somebody"]


async def test_a_destroyed_key_stays_destroyed(settings: Settings) -> None:
    async with server(settings, OLD) as database:
        people = await add_people(database, 2)
        async with database.commit_connection() as connection:
            await database.vault.destroy_user_key(connection, people[0])
    async with server(settings, NEW, OLD) as database:
        assert await rotate_master_key(database.commit_connection, database.vault.master_keys) == 3
        assert sorted(await names(database, people)) == ["", "Somebody"]


async def test_a_key_service_holds_the_master_key_as_well(settings: Settings) -> None:
    service = FakeKeyService()
    async with Database.open(settings, master_keys=service) as database:
        people = await add_people(database)
        service.rotate()
        await rotate_master_key(database.commit_connection, service)
        assert await is_rotated(database.commit_connection, service)
    async with Database.open(settings, master_keys=service) as database:
        assert await names(database, people) == ["Somebody"]


def local_keys(tmp_path: Path) -> MasterKeys:
    return LocalMasterKeys([bytes(32), bytes(range(32))], source="x")


def file_keys(tmp_path: Path) -> MasterKeys:
    keys = FileMasterKeys(tmp_path / "master_key")
    keys.make_if_absent()
    keys.add(new_master_key())
    return keys


def delivered_keys(tmp_path: Path) -> MasterKeys:
    return DeliveredMasterKeys(delivered(tmp_path, OLD, NEW))


def delivered(folder: Path, *keys: str) -> Path:
    """Write a file as a key store delivers one."""
    path = folder / "delivered"
    path.unlink(missing_ok=True)
    path.write_text("".join(f"{key}\n" for key in keys), encoding="ascii")
    path.chmod(0o440)
    return path


@pytest.mark.parametrize(
    "make",
    [local_keys, delivered_keys, file_keys, lambda _: FakeKeyService()],
    ids=["local", "delivered", "file", "service"],
)
class TestMasterKeysConformance:
    """What every implementation of `MasterKeys` does."""

    async def test_it_gives_back_what_it_wrapped(self, make: Any, tmp_path: Path) -> None:
        keys = make(tmp_path)
        wrapped = await keys.wrap(b"k" * 32, master_key_id=keys.current_id, context="data_keys 1")
        assert b"k" * 32 not in wrapped
        assert await keys.unwrap(wrapped, master_key_id=keys.current_id, context="data_keys 1") == b"k" * 32

    async def test_a_wrapped_key_opens_in_its_own_context_only(self, make: Any, tmp_path: Path) -> None:
        keys = make(tmp_path)
        wrapped = await keys.wrap(b"k" * 32, master_key_id=keys.current_id, context="data_keys 1")
        for context, changed in (("data_keys 2", wrapped), ("data_keys 1", wrapped[:-1]), ("data_keys 1", b"")):
            with pytest.raises(SealBroken):
                await keys.unwrap(changed, master_key_id=keys.current_id, context=context)

    async def test_an_unknown_master_key_is_named(self, make: Any, tmp_path: Path) -> None:
        keys = make(tmp_path)
        await keys.refresh()
        with pytest.raises(MasterKeyMissing, match="0123456789abcdef"):
            await keys.wrap(b"k" * 32, master_key_id="0123456789abcdef", context="x")
        with pytest.raises(MasterKeyMissing, match="0123456789abcdef"):
            await keys.unwrap(b"k" * 32, master_key_id="0123456789abcdef", context="x")


def test_the_command_makes_a_new_key_in_the_file_and_keeps_the_former_one(settings: Settings) -> None:
    environment = {
        "APEX_DATABASE_URL": str(settings.database_url),
        "APEX_DATA_DIR": str(settings.data_dir),
        "APEX_SECRET": settings.secret,
    }
    looked = CliRunner().invoke(main, ["verify"], env=environment)
    assert looked.exit_code == 0, looked.output
    [first] = (settings.data_dir / "master_key").read_text().split()
    done = CliRunner().invoke(main, ["rotate-master-key"], env=environment)
    assert done.exit_code == 0, done.output
    lines = (settings.data_dir / "master_key").read_text().split()
    assert len(lines) == 2 and lines[1] == first
    assert f"under the master key {master_keys_of(settings).current_id}" in done.output
    named = CliRunner().invoke(main, ["rotate-master-key"], env={**environment, "APEX_MASTER_KEY": lines[0]})
    assert named.exit_code == 1 and "APEX_FORMER_MASTER_KEYS" in named.output


async def test_a_delivered_file_opens_what_was_sealed_and_is_read_again_when_it_changes(
    settings: Settings, tmp_path: Path
) -> None:
    known = msgspec.structs.replace(settings, master_key_file=delivered(tmp_path, OLD))
    async with Database.open(known) as database:
        people = await add_people(database, 3)
        delivered(tmp_path, NEW, OLD)
        async with Database.open(known) as rotating:
            await rotate_master_key(rotating.commit_connection, rotating.vault.master_keys)
        database.vault.forget_unwrapped()
        assert await names(database, people) == ["Somebody"] * 3


@pytest.mark.parametrize(
    ("content", "mode", "says"),
    [
        (OLD, 0o604, "chmod 600"),
        (None, 0o600, "is empty or not there"),
        ("", 0o600, "is empty"),
        ("x", 0o600, "line 1"),
    ],
    ids=["readable to all", "absent", "empty", "no key"],
)
def test_a_delivered_file_that_gives_no_key_is_named_with_the_reason(
    tmp_path: Path, content: str | None, mode: int, says: str
) -> None:
    path = tmp_path / "delivered"
    if content is not None:
        path.write_text(content, encoding="ascii")
        path.chmod(mode)
    settings = Settings(data_dir=tmp_path, secret="x", master_key_file=path)
    with pytest.raises(MasterKeyInvalid, match=says) as refused:
        master_keys_of(settings)
    assert str(path) in str(refused.value)
    assert OLD not in str(refused.value)


def test_a_key_and_a_file_with_it_are_one_too_many(tmp_path: Path) -> None:
    environment = {"APEX_DATA_DIR": str(tmp_path), "APEX_MASTER_KEY": OLD, "APEX_MASTER_KEY_FILE": "/x"}
    with pytest.raises(SettingsError, match="unset one of them"):
        Settings.from_environment(environment)


class Dying:
    """Master keys of a process that is killed when it has wrapped some."""

    def __init__(self, keys: MasterKeys, wraps: int) -> None:
        self._keys = keys
        self._wraps = wraps
        self.current_id = keys.current_id
        self.refresh = keys.refresh
        self.unwrap = keys.unwrap

    async def wrap(self, key: bytes, *, master_key_id: str, context: str) -> bytes:
        if not self._wraps:
            raise ConnectionAbortedError
        self._wraps -= 1
        return await self._keys.wrap(key, master_key_id=master_key_id, context=context)
