"""A bounded part of the cuts in every CI run; and devices with a bug in them, which must not get through."""

from collections.abc import Callable, Iterator

import pytest

from apex_client import stepping
from apex_client.account import Account
from apex_client.errors import ServerUnreachable, SignedOut
from apex_sync.session import SyncSession
from tests.e2e.whole_server import WholeServer
from tests.torture.cut_bodies import DENSITIES, Density, net_server, torture_one
from tests.torture.net_exchanges import EXCHANGES, Exchange, SyncOnce, log_on_phone, log_with_an_expired_token
from tests.torture.report import Scale

SPARSE = Density(cut_bytes=400, stall_bytes=10_000, repeats=0)


@pytest.fixture(scope="module")
def server() -> Iterator[WholeServer]:
    with net_server() as running:
        yield running


@pytest.mark.slow
@pytest.mark.parametrize("make", EXCHANGES, ids=lambda make: make().name)
def test_a_network_that_fails_at_any_byte_loses_and_doubles_nothing(
    server: WholeServer, make: Callable[[], Exchange]
) -> None:
    outcomes = torture_one(server, make(), DENSITIES[Scale.CI])
    assert [failure for outcome in outcomes for failure in outcome.failures] == []
    assert all(outcome.runs for outcome in outcomes)


def test_a_device_that_takes_sending_for_an_acknowledgement_is_caught(
    server: WholeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    next_message = stepping.next_message

    def planted(session: SyncSession) -> bytes | None:
        message = next_message(session)
        session.device.store.sql.execute("UPDATE held_records SET acked = next, pending_since_us = 0")  # type: ignore[attr-defined]
        return message

    monkeypatch.setattr(stepping, "next_message", planted)
    cut_up, *_ = torture_one(server, SyncOnce("push", log_on_phone), SPARSE)
    assert any("on the server" in failure for failure in cut_up.failures)


def test_a_device_that_takes_a_lost_answer_for_the_end_of_its_session_is_caught(
    server: WholeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    renew = Account._renew

    async def planted(account: Account, session: object) -> object:
        try:
            return await renew(account, session)  # type: ignore[arg-type]
        except ServerUnreachable as error:
            raise SignedOut from error

    monkeypatch.setattr(Account, "_renew", planted)
    outcomes = torture_one(server, SyncOnce("refresh", log_with_an_expired_token), SPARSE)
    assert any("signed out" in failure for outcome in outcomes for failure in outcome.failures)
