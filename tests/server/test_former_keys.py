"""A former data key stays for as long as a backup may need it, and goes when nothing does."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import msgspec
import pytest
from click.testing import CliRunner

from apex_server.cli import described, main
from apex_server.db import Database
from apex_server.key_renewal import KeyRenewal, Renewals, Underway, see_renewals
from apex_server.key_renewal import renewal as renewal_module
from apex_server.key_renewal.renewal import KEYS_HELD_MAX, LOOK_AGAIN
from apex_server.key_renewal.resealing import THEIR_OWN, seal_person_anew
from apex_server.operations import back_up, restore
from apex_server.operations import verify as verify_database
from apex_server.operations.errors import KeysRenewed
from apex_server.people import USER_NAME
from apex_server.personal_data import BACKUPS_KEPT
from apex_server.settings import Settings
from apex_server.vault import (
    FORMER_KEYS_MAX,
    KEY_FILE_NAME,
    NotAKeyFile,
    read_key_file,
)
from tests.server.accounts_app import Clock
from tests.server.key_renewing import (
    TO_KEPT,
    and_then,
    ask,
    erase,
    key_of,
    note_backup,
    open_world,
    pass_time,
    renew_just_now,
    ring_of,
    step_of,
    train,
    value_in,
)
from tests.server.sync_world import World, assert_consistent

pytestmark = pytest.mark.anyio


@pytest.fixture
async def world(db: Database, database_url: str) -> World:
    return await open_world(db, database_url)


async def test_a_backup_from_before_opens_with_the_newest_keys_for_ninety_days_and_then_says_that_it_does_not(
    world: World, renewal: KeyRenewal, clock: Clock, settings: Settings, empty_database_url: str, tmp_path: Path
) -> None:
    athlete, _ = await train(world)
    await back_up(settings, tmp_path / "before")
    await renew_just_now(world, renewal, clock)
    await back_up(settings, tmp_path / "after")

    target = msgspec.structs.replace(settings, database_url=empty_database_url)
    await restore(target, tmp_path / "before")
    async with Database.open(target, master_keys=world.db.vault.master_keys) as database:
        there = World(database, empty_database_url)
        assert await step_of(there, athlete) == "resealing"
        assert (await verify_database(database, lambda *_: None)).is_sound
        later = Clock(clock.time + timedelta(days=1))
        await pass_time(KeyRenewal(database, now=later), later, timedelta(0), KEYS_HELD_MAX)
        assert await step_of(there, athlete) == "kept"
        await assert_consistent(there)

    await pass_time(renewal, clock, BACKUPS_KEPT)
    assert await step_of(world, athlete) is None
    await back_up(settings, tmp_path / "late")
    with pytest.raises(KeysRenewed):
        await restore(target, tmp_path / "before", replace=True)
    await restore(target, tmp_path / "late", replace=True)


async def test_the_only_backup_opens_for_as_long_as_there_is_no_later_one(
    world: World, renewal: KeyRenewal, clock: Clock, settings: Settings, tmp_path: Path
) -> None:
    athlete, _ = await train(world, workouts=1)
    await note_backup(world, None)
    await back_up(settings, tmp_path / "only")
    former = (await ring_of(world, athlete)).current
    await renew_just_now(world, renewal, clock)

    await pass_time(renewal, clock, BACKUPS_KEPT, timedelta(days=200))
    (tmp_path / "failing").mkdir()
    (tmp_path / "failing" / KEY_FILE_NAME).write_text("no key file")
    with pytest.raises(NotAKeyFile):
        await back_up(settings, tmp_path / "failing" / "backup")
    await pass_time(renewal, clock, LOOK_AGAIN)

    assert [each.key for each in (await ring_of(world, athlete)).former] == [former]
    status = await see_renewals(world.db)
    assert [(each.step, each.people, each.without_backup) for each in status.under_way] == [("kept", 1, 1)]

    await back_up(settings, tmp_path / "later")
    assert [each.without_backup for each in (await see_renewals(world.db)).under_way] == [0]
    await pass_time(renewal, clock, LOOK_AGAIN)

    assert (await ring_of(world, athlete)).former == ()
    assert await step_of(world, athlete) is None


async def test_a_backup_from_the_middle_of_a_renewal_is_none_that_does_without_the_former_key(
    world: World, renewal: KeyRenewal, clock: Clock
) -> None:
    athlete, _ = await train(world, workouts=1)
    await ask(world, clock)
    await pass_time(renewal, clock, *TO_KEPT)
    resealed_at = clock.time
    await note_backup(world, resealed_at)
    await pass_time(renewal, clock, BACKUPS_KEPT)
    assert len((await ring_of(world, athlete)).former) == 1
    await note_backup(world, resealed_at + timedelta(seconds=1))
    await pass_time(renewal, clock, LOOK_AGAIN)
    assert (await ring_of(world, athlete)).former == ()


async def test_whoever_is_erased_has_no_key_left_though_no_backup_was_made(
    world: World, renewal: KeyRenewal, clock: Clock, settings: Settings, tmp_path: Path
) -> None:
    athlete, _ = await train(world, workouts=1)
    await note_backup(world, None)
    await ask(world, clock)
    await pass_time(renewal, clock, *TO_KEPT, BACKUPS_KEPT)
    assert len((await ring_of(world, athlete)).former) == 1
    await erase(world, athlete)
    await back_up(settings, tmp_path / "backup")
    [row] = await world.sql("SELECT wrapped, renewal FROM data_keys WHERE user_id = $1", athlete)
    assert tuple(row) == (None, None)
    [held] = read_key_file(tmp_path / KEY_FILE_NAME).data_keys
    assert held.user_id == athlete and held.wrapped is None


async def test_what_the_last_look_finds_keeps_the_former_key_until_it_is_sealed_anew(
    world: World, renewal: KeyRenewal, clock: Clock
) -> None:
    """Whatever brought it there: a row that an operator copied back, a process that stood still for a month."""
    athlete, _ = await train(world, workouts=1)
    former = await key_of(world, athlete)
    await ask(world, clock)
    await pass_time(renewal, clock, *TO_KEPT)
    await world.sql("UPDATE users SET name = $2 WHERE id = $1", athlete, former.seal_text("Late", what=USER_NAME))

    await pass_time(renewal, clock, BACKUPS_KEPT)

    assert await step_of(world, athlete) == "resealing" and (await ring_of(world, athlete)).former
    await pass_time(renewal, clock, KEYS_HELD_MAX, timedelta(0))
    assert (await ring_of(world, athlete)).former == ()
    sealed = await value_in(world, THEIR_OWN[0], athlete)
    assert (await key_of(world, athlete)).open_text(sealed, what=USER_NAME) == "Late"


async def test_who_is_asked_for_while_a_former_key_goes_gets_another_one(
    world: World, renewal: KeyRenewal, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    athlete, _ = await train(world, workouts=1)
    await ask(world, clock)
    await pass_time(renewal, clock, *TO_KEPT)

    async def asked() -> None:
        assert await ask(world, clock) == 1

    with monkeypatch.context() as patch:
        patch.setattr(renewal_module, "seal_person_anew", and_then(seal_person_anew, asked))
        clock.time += BACKUPS_KEPT
        with anyio.fail_after(10):
            await renewal.step()
    assert await step_of(world, athlete) == "announced"
    assert len((await ring_of(world, athlete)).former) == 1


async def test_so_many_former_keys_are_kept_and_no_more(world: World, renewal: KeyRenewal, clock: Clock) -> None:
    athlete, _ = await train(world, workouts=1)
    for number in range(FORMER_KEYS_MAX + 1):
        assert await ask(world, clock) == 1
        await pass_time(renewal, clock, *TO_KEPT)
        assert len((await ring_of(world, athlete)).former) == min(number + 1, FORMER_KEYS_MAX)
    await pass_time(renewal, clock, BACKUPS_KEPT, timedelta(0), timedelta(0))
    assert (await ring_of(world, athlete)).former == ()
    await assert_consistent(world)


def test_the_command_asks_for_whom_it_is_told_and_says_how_far_all_are(settings: Settings, database_url: str) -> None:
    environment = {
        "APEX_DATABASE_URL": database_url,
        "APEX_DATA_DIR": str(settings.data_dir),
        "APEX_SECRET": settings.secret,
    }

    def run(*arguments: str) -> tuple[int, str]:
        done = CliRunner().invoke(main, ["renew-keys", *arguments], env=environment)
        return done.exit_code, done.output

    nothing = "no renewal is under way\na data key was last renewed: never\nthe last backup: never\n"
    assert run("--older-than", "0") == (0, f"people who get another key: 0; the worker sees to it\n{nothing}")
    assert run("--status") == (0, nothing)
    for nobody in ("nobody@example.com", "nobody@host-from-when-none-needed-a-dot"):
        code, said = run(nobody)
        assert code == 1 and "nobody has an account" in said


def test_the_command_says_what_waits_for_what() -> None:
    moment = datetime(2026, 5, 30, 12, tzinfo=UTC)
    under_way = [Underway("announced", 1, moment, 0), Underway("kept", 1200, moment, 1100)]
    assert list(described(Renewals(under_way, renewed_at=datetime(2026, 3, 1, 12, tzinfo=UTC), backed_up_at=None))) == [
        "to seal with it: 1, the next 2026-05-30 12:00 UTC",
        "to lose former keys: 1,200, the next 2026-05-30 12:00 UTC",
        "  1,100 of them wait for a backup from after that: apex-server backup FILE",
        "a data key was last renewed: 2026-03-01 12:00 UTC",
        "the last backup: never",
    ]
