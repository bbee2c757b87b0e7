"""Signing in, staying so, being somebody else, and signing out: no work is lost, and none is given to another."""

import random
from typing import Any

import pytest

from apex_client.errors import (
    AddressUnconfirmed,
    AnotherUser,
    BadAnswer,
    CoachOnAthleteReplica,
    SignedInAlready,
    SignedOut,
    UnsentWork,
    WrongCredentials,
)
from tests.client.built_in import give_library
from tests.client.conftest import OpenReplica
from tests.client.fleet import assert_sound
from tests.client.loopback import Account, LoopbackServer
from tests.client.loopback_transport import LoopbackTransport
from tests.client.waiting_for import running, transport_of, until_state

pytestmark = pytest.mark.anyio

ANNA, BERT = "anna@example.com", "bert@example.com"


async def test_an_expired_token_is_renewed_once_without_a_word(
    open_replica: OpenReplica, server: LoopbackServer
) -> None:
    replica = await open_replica("a", ANNA)
    await replica.sync()
    replica._account._credentials = None
    await replica.workouts.start(title="Push")
    server.expire_access_tokens()
    assert (await replica.sync()).acknowledged == 1
    server.expire_access_tokens()
    server.refresh_tokens.clear()
    await replica.workouts.start(title="Pull")
    with pytest.raises(SignedOut):
        await replica.sync()
    assert (await replica.status()).pending == 1
    await replica.login("https://coach.example", ANNA, "secret")
    assert (await replica.sync()).acknowledged == 1


@pytest.mark.parametrize("answer", [None, {}, [], "sign in to this network", {"access_token": 1}])
async def test_an_answer_of_another_kind_to_a_renewal_is_refused_and_the_session_stays(
    open_replica: OpenReplica, server: LoopbackServer, answer: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    replica = await open_replica("a", ANNA)
    await replica.sync()
    replica._account._credentials = None
    server.expire_access_tokens()
    monkeypatch.setattr(LoopbackTransport, "call_now", lambda *_: answer)
    with pytest.raises(BadAnswer):
        await replica.sync()
    monkeypatch.undo()
    assert (await replica.sync()).round_trips == 1


async def test_tokens_that_are_refused_at_once_are_no_reason_to_sign_in_again(
    open_replica: OpenReplica, server: LoopbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two processes of a server disagree about the time; a background sync that waited for a person would wait long."""
    replica = await open_replica("a", ANNA)
    await replica.sync()
    replica._account._credentials = None
    issue = server.issue

    def issue_what_has_run_out(account: Account) -> dict[str, Any]:
        answer = issue(account)
        server.expire_access_tokens()
        return answer

    server.expire_access_tokens()
    monkeypatch.setattr(server, "issue", issue_what_has_run_out)
    with pytest.raises(BadAnswer, match="refuses as soon as it has given them"):
        await replica.sync()
    monkeypatch.undo()
    assert (await replica.sync()).round_trips == 1


async def test_a_session_survives_reopening_and_is_readable_by_its_owner_alone(
    open_replica: OpenReplica, server: LoopbackServer
) -> None:
    replica = await open_replica("a", ANNA)
    await replica.sync()
    await replica.aclose()
    await replica.start()
    replica._account._credentials = None
    assert replica.user is not None and replica.user.email == ANNA
    assert replica.server == "https://coach.example"
    await replica.sync()
    assert replica.path.stat().st_mode & 0o077 == 0
    assert "access-" not in repr(replica._open.session)


async def test_a_wrong_password_is_named(open_replica: OpenReplica, server: LoopbackServer) -> None:
    server.add_user(ANNA)
    replica = await open_replica("a")
    with pytest.raises(WrongCredentials):
        await replica.login("https://coach.example", ANNA, "wrong")
    assert replica.user is None


async def test_work_of_before_the_first_account_is_pushed_after_registering(
    open_replica: OpenReplica, server: LoopbackServer
) -> None:
    replica = await open_replica("a")
    log = await replica.workouts.start(title="before")
    await replica.checkins.draft(notes="before")
    user = await replica.register("https://coach.example/", ANNA, "secret", name="Anna")
    await log.note("after")
    assert log.athlete_id == user.id
    assert (await replica.sync()).acknowledged == 2
    assert server.replay(f"athlete:{user.id}", log.id).op_count == 1
    assert_sound(replica._open)


async def test_another_user_is_refused_while_work_is_unsent_and_starts_empty_afterwards(
    open_replica: OpenReplica, server: LoopbackServer
) -> None:
    replica = await open_replica("a", ANNA)
    server.add_user(BERT)
    await replica.sync()
    await replica.workouts.start(title="Anna's")
    with pytest.raises(AnotherUser) as caught:
        await replica.login("https://coach.example", BERT, "secret")
    assert (caught.value.count, caught.value.user_id) == (1, server.accounts[ANNA].id)
    assert server.accounts[BERT].id not in server.tokens.values(), "the session that was opened has ended"
    await replica.sync()
    with pytest.raises(SignedInAlready, match=ANNA):
        await replica.login("https://coach.example", BERT, "secret")
    assert len(await replica.workouts.list()) == 1
    await replica.login("https://coach.example", ANNA, "secret")
    await replica.logout()
    await replica.login("https://coach.example", BERT, "secret")
    assert await replica.workouts.list() == []
    await replica.workouts.start(title="Bert's")
    await replica.sync()
    assert len(server.scopes[f"athlete:{server.accounts[BERT].id}"].records) == 1
    assert_sound(replica._open)


async def test_credentials_of_somebody_else_wait_for_a_person(
    open_replica: OpenReplica, server: LoopbackServer
) -> None:
    anna = await open_replica("a", ANNA)
    await anna.sync()
    await anna.aclose()
    replica = await open_replica("a", BERT, entropy=random.Random(1).randbytes)
    async with running(replica):
        await until_state(replica, "signed_out")
        assert (await replica.status()).last_error == str(SignedInAlready(ANNA))
        assert replica.user is not None and replica.user.email == ANNA


@pytest.mark.parametrize("unsent", [True, False])
async def test_no_account_is_made_for_a_user_whom_this_device_refuses(
    open_replica: OpenReplica, server: LoopbackServer, unsent: bool
) -> None:
    replica = await open_replica("a", ANNA)
    await replica.sync()
    if unsent:
        await replica.workouts.start(title="Anna's")
    with pytest.raises(AnotherUser if unsent else SignedInAlready):
        await replica.register("https://coach.example", BERT, "secret", name="Bert")
    assert server.accounts.keys() == {ANNA}
    anonymous = await open_replica("b")
    await anonymous.workouts.start(title="mine")
    with pytest.raises(CoachOnAthleteReplica):
        await anonymous.register("https://coach.example", BERT, "secret", name="Bert", role="coach")
    assert server.accounts.keys() == {ANNA}


async def test_signing_out_asks_before_it_discards_and_leaves_nothing(
    open_replica: OpenReplica, server: LoopbackServer
) -> None:
    replica = await open_replica("a", ANNA)
    await replica.sync()
    await replica.workouts.start(title="Push")
    with pytest.raises(UnsentWork) as caught:
        await replica.logout()
    assert caught.value.count == 1 and replica.user is not None
    transport_of(replica).faults.offline = True
    await replica.logout(discard_unsent=True)
    assert replica.user is None and await replica.workouts.list() == []
    assert await replica.search("push") == []
    assert_sound(replica._open)
    assert (await replica.workouts.start(title="anonymous")).athlete_id == "self"


async def test_signing_out_of_an_unconfirmed_account_asks_first_without_a_network_too(
    open_replica: OpenReplica, server: LoopbackServer
) -> None:
    replica = await open_replica("a", ANNA)
    server.accounts[ANNA].email_verified = False
    give_library(server, ANNA, "foods")
    await replica.sync()
    await replica.logout()  # Nothing of hers is in it.
    await replica.login("https://coach.example", ANNA, "secret")
    await replica.workouts.start(title="Push")
    await replica.sync()
    for offline in (False, True):
        transport_of(replica).faults.offline = offline
        with pytest.raises(AddressUnconfirmed, match=r"its 1 records: .*without signing out"):
            await replica.logout()
    server.accounts[ANNA].email_verified = True
    with pytest.raises(AddressUnconfirmed):
        await replica.logout()
    transport_of(replica).faults.offline = False
    await replica.logout()
    assert replica.user is None


async def test_another_role_of_the_same_address_is_told_to_take_a_copy_first(
    open_replica: OpenReplica, server: LoopbackServer
) -> None:
    replica = await open_replica("a", ANNA)
    await replica.sync()
    server.add_user(BERT, "coach").email = ANNA
    with pytest.raises(SignedInAlready, match="apex export"):
        await replica.login("https://coach.example", BERT, "secret")


async def test_a_coach_does_not_take_over_what_an_athlete_logged(
    open_replica: OpenReplica, server: LoopbackServer
) -> None:
    replica = await open_replica("a")
    await replica.workouts.start(title="mine")
    server.add_user("coach@example.com", "coach")
    with pytest.raises(CoachOnAthleteReplica):
        await replica.login("https://coach.example", "coach@example.com", "secret")
    assert replica.user is None and len(await replica.workouts.list()) == 1


async def test_a_client_id_of_another_device_is_given_up_at_sign_in(
    open_replica: OpenReplica, server: LoopbackServer
) -> None:
    replica = await open_replica("a")
    await replica.workouts.start(title="mine")
    server.add_user(ANNA)
    before = replica.client_id
    server.bindings[before] = "somebody else"
    await replica.login("https://coach.example", ANNA, "secret")
    assert replica.client_id != before
    assert (await replica.sync()).acknowledged == 1
    assert_sound(replica._open)
