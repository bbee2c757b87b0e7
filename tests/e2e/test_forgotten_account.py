"""Somebody forgot their account, registers beside it and logs: signing in to the first one loses nothing."""

from pathlib import Path
from uuid import UUID

import pytest

from apex_client import Replica
from apex_client.errors import AccountExists, AddressUnconfirmed, SessionEnded, SignedInAlready, WrongCredentials
from tests.e2e.test_boundaries import set_expired_token
from tests.e2e.whole_server import PASSWORD, Athlete, WholeServer, assert_one_digest

pytestmark = pytest.mark.anyio

NEW_PASSWORD = "made up at the gym door"


async def test_what_was_logged_in_a_second_account_comes_along_to_the_first(
    server: WholeServer, athlete: Athlete, tmp_path: Path
) -> None:
    old = await athlete.device("old phone")
    await old.workouts.start(title="Years ago")
    await old.checkins.draft(date="2026-03-01", weight=80, unit="kg")
    await old.sync()
    async with Replica.open(tmp_path / "new phone.db", device_name="New phone", device_kind="phone") as new:
        second = await new.register(server.address, athlete.email, NEW_PASSWORD, name="Mara")
        for day in (1, 2, 3):
            log = await new.workouts.start(title=f"Day {day}")
            await log.add_set("Bench Press", reps=8, load=100, unit="kg")
            if day < 3:
                await new.sync()
        with pytest.raises(SignedInAlready):  # It stands: no third one beside it.
            await new.register(server.address, athlete.email, NEW_PASSWORD, name="Mara")
        with pytest.raises(WrongCredentials):
            await new.login(server.address, athlete.email, "neither of the two")

        first = await new.login(server.address, athlete.email, PASSWORD)

        assert (first.id, second.id != first.id) == (athlete.id, True)
        await new.sync()
        await old.sync()
        for device in (old, new):
            titles = sorted(str(log.title) for log in await device.workouts.list())
            assert titles == ["Day 1", "Day 2", "Day 3", "Years ago"]
        assert [row["reps"] for row in await athlete.sets_in_postgres()] == [8, 8, 8]
        assert (await new.status()).rejected == 0
        await assert_one_digest(server, athlete.scope, old, new)
        again = await new.login(server.address, athlete.email, PASSWORD)
        assert again.id == athlete.id


async def test_signing_out_of_an_account_that_only_this_device_opens_asks_first_and_then_loses_nothing(
    server: WholeServer, athlete: Athlete, tmp_path: Path
) -> None:
    """The token that opens the second account is kept while the first one is signed in to on the same device."""
    await athlete.device("old phone")
    async with Replica.open(tmp_path / "new phone.db", device_name="New phone", device_kind="phone") as new:
        second = await new.register(server.address, athlete.email, NEW_PASSWORD, name="Mara")
        await new.workouts.start(title="Day 1")
        await new.sync()

        with pytest.raises(AddressUnconfirmed) as asked:
            await new.logout()
        assert (asked.value.count, new.user) == (1, second)
        await new.logout(discard_unsent=True)
        first = await new.login(server.address, athlete.email, PASSWORD)
        assert first.email_verified
        await new.sync()
        await new.workouts.start(title="Day 2")
        await new.sync()
        await new.logout()
        again = await new.login(server.address, athlete.email, NEW_PASSWORD)

        assert again.id == second.id != first.id
        await new.sync()
        assert [log.title for log in await new.workouts.list()] == ["Day 1"]
        assert (await new.login(server.address, athlete.email, PASSWORD)).id == athlete.id
        await new.sync()
        assert sorted(str(log.title) for log in await new.workouts.list()) == ["Day 1", "Day 2"]


async def test_who_confirmed_meanwhile_signs_out_without_being_asked(server: WholeServer, athlete: Athlete) -> None:
    phone = await athlete.device("phone")
    await phone.workouts.start(title="Day 1")
    await phone.sync()
    assert phone.user is not None and not phone.user.email_verified
    await phone.logout()
    assert phone.user is None


async def test_a_session_that_ended_is_no_reason_for_a_second_account(server: WholeServer, athlete: Athlete) -> None:
    phone = await athlete.device("phone")
    await phone.workouts.start(title="Day 1")
    await phone.sync()
    end = "UPDATE sessions SET ended_at = now(), end_reason = 'logout' WHERE user_id = $1 RETURNING id"
    assert await server.rows(end, UUID(athlete.id))
    with pytest.raises(AccountExists, match=athlete.email):
        await phone.register(server.address, athlete.email, NEW_PASSWORD, name="Mara")
    assert phone.user is not None and phone.user.id == athlete.id
    assert (await phone.login(server.address, athlete.email, PASSWORD)).id == athlete.id


async def test_a_session_that_the_server_forgot_is_no_reason_for_a_second_account(
    server: WholeServer, athlete: Athlete
) -> None:
    """As its worker does, some months after the end."""
    phone = await athlete.device("phone")
    await phone.workouts.start(title="Day 1")
    await phone.sync()
    assert await server.rows("DELETE FROM sessions WHERE user_id = $1 RETURNING id", UUID(athlete.id))
    with pytest.raises(AccountExists, match=athlete.email):
        await phone.register(server.address, athlete.email, NEW_PASSWORD, name="Mara")
    assert (await phone.login(server.address, athlete.email, PASSWORD)).id == athlete.id
    await phone.sync()
    assert [log.title for log in await phone.workouts.list()] == ["Day 1"]


async def test_a_session_that_lay_unused_for_a_month_says_so_and_keeps_what_was_logged(
    server: WholeServer, athlete: Athlete
) -> None:
    phone = await athlete.device("phone")
    await phone.workouts.start(title="Day 1")
    await phone.sync()
    await phone.workouts.start(title="Day 2")
    lapse = "UPDATE refresh_tokens SET expires_at = now() - interval '1 day' WHERE user_id = $1 RETURNING 1"
    assert await server.rows(lapse, UUID(athlete.id))
    set_expired_token(phone)

    with pytest.raises(SessionEnded):
        await phone.sync()
    assert (await phone.status()).pending == 1
    with pytest.raises(AccountExists, match=athlete.email):
        await phone.register(server.address, athlete.email, NEW_PASSWORD, name="Mara")
    assert (await phone.login(server.address, athlete.email, PASSWORD)).id == athlete.id
    await phone.sync()

    assert (await phone.status()).pending == 0
    assert [log.title for log in await phone.workouts.list()] == ["Day 2", "Day 1"]


async def test_an_address_typed_with_other_letters_of_the_same_kind_is_the_same_person(
    server: WholeServer, athlete: Athlete, tmp_path: Path
) -> None:
    await athlete.device("old phone")
    name, _, domain = athlete.email.partition("@")
    full_width = "".join(chr(ord(letter) + 0xFEE0) for letter in name)
    async with Replica.open(tmp_path / "new phone.db", device_name="New phone", device_kind="phone") as new:
        await new.register(server.address, f"{full_width}@{domain.upper()}", NEW_PASSWORD, name="Mara")
        await new.workouts.start(title="Day 1")
        assert (await new.login(server.address, athlete.email, PASSWORD)).id == athlete.id
        assert [log.title for log in await new.workouts.list()] == ["Day 1"]


async def test_what_went_to_a_second_account_and_back_undoes_nothing_that_was_done_meanwhile(
    server: WholeServer, athlete: Athlete
) -> None:
    """A token and a device that a restored server lost cannot be told from those of an account that it lost."""
    phone, tablet = await athlete.device("phone"), await athlete.device("tablet", kind="tablet")
    log = await phone.workouts.start(title="Shared")
    for reps in (8, 9):
        await log.add_set("Bench Press", reps=reps, load=100, unit="kg")
    await phone.sync()
    await tablet.sync()
    forget = "DELETE FROM refresh_tokens WHERE user_id = $1 AND session_id = $2 RETURNING 1"
    session_id = (await phone.request("GET", "/api/auth/me"))["session_id"]
    assert await server.rows(forget, UUID(athlete.id), UUID(session_id))
    forget = (
        "UPDATE devices SET token_hash = sha256('before') FROM sessions "
        "WHERE devices.id = sessions.device_id AND sessions.user_id = $1 AND sessions.id = $2 RETURNING 1"
    )
    assert await server.rows(forget, UUID(athlete.id), UUID(session_id))
    assert (await phone.register(server.address, athlete.email, NEW_PASSWORD, name="Mara")).id != athlete.id
    await phone.sync()
    [shared] = await tablet.workouts.list()
    await shared.edit_set(shared.sets[0], reps=12)
    await shared.remove_set(shared.sets[1])
    await tablet.sync()
    [own] = await phone.workouts.list()
    await own.note("written in the second account")

    await phone.login(server.address, athlete.email, PASSWORD)

    for device in (phone, tablet, phone):
        await device.sync()
    for device in (phone, tablet):
        [shared] = await device.workouts.list()
        assert ([each.reps for each in shared.sets], shared.notes) == ([12], "written in the second account")
    assert [row["reps"] for row in await athlete.sets_in_postgres()] == [12]
    await assert_one_digest(server, athlete.scope, phone, tablet)
