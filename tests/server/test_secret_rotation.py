"""The secret of an installation is changed while two server processes serve, and nobody notices."""

import socket
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import anyio
import httpx
import msgspec
import pytest
from anyio.from_thread import BlockingPortal

from apex_server.auth import SessionCookies
from apex_server.db import Database, EmbeddedPostgres, HintHub
from apex_server.errors import CsrfRefused
from apex_server.serving import address_of, serving
from apex_server.settings import Settings
from apex_server.sync.receipts import ReceiptBook, receipt_key
from tests.server.accounts_app import bearer, problem, register
from tests.server.test_login_roles import connected, make_tenant, tenant_settings

pytestmark = pytest.mark.anyio

OLD = "the secret that was there before this change"
NEW = "the secret that comes after the one before"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def guarded(fresh_data_dir: Path, portal: BlockingPortal) -> Iterator[EmbeddedPostgres]:
    """A Postgres that asks for passwords."""
    server = EmbeddedPostgres(fresh_data_dir)
    with portal.wrap_async_context_manager(server):
        portal.call(make_tenant, server)
        yield server


@asynccontextmanager
async def web_process(settings: Settings, secret: str, *former: str) -> AsyncIterator[httpx.AsyncClient]:
    """A real web process that knows these secrets."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    ours = msgspec.structs.replace(settings, secret=secret, former_secrets=former, port=port, log_level="warning")
    async with serving(ours, with_worker=False) as ready, httpx.AsyncClient(base_url=address_of(ready)) as client:
        yield client


async def whoami(client: httpx.AsyncClient, session: dict[str, str]) -> int:
    return (await client.get("/api/auth/me", headers=bearer(session))).status_code


async def refreshed(client: httpx.AsyncClient, session: dict[str, str]) -> dict[str, str]:
    body = {"refresh_token": session["refresh_token"], "device_token": session["device_token"]}
    answer = await client.post("/api/auth/refresh", json=body)
    assert answer.status_code == 200, answer.text
    return {**session, **answer.json()}


async def test_two_processes_serve_on_while_the_secret_is_changed(guarded: EmbeddedPostgres, tmp_path: Path) -> None:
    """The steps of docs/accounts.md: both know both, then the passwords, then the old one is forgotten."""
    settings = tenant_settings(guarded, tmp_path)
    async with web_process(settings, OLD, NEW) as one:
        anna = await register(one, "anna@example.com")
        async with web_process(settings, NEW, OLD) as other:
            assert await whoami(other, anna) == 200
            anna = await refreshed(other, anna)
            assert await whoami(one, anna) == 200

            said = await anyio.run_process(
                [sys.executable, "-m", "apex_server.db.reset_passwords"],
                env={"APEX_DATABASE_URL": str(settings.database_url), "APEX_SECRET": NEW, "HOME": str(tmp_path)},
            )
            assert b"have new passwords" in said.stdout
            async with connected(guarded.dsn) as superuser:
                await superuser.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename ~ '^apex_(app|commit)'"
                )
            for process in (one, other):
                with anyio.fail_after(10):
                    while await whoami(process, anna) == 503:  # noqa: ASYNC110
                        await anyio.sleep(0.1)
                assert await whoami(process, anna) == 200
                assert (await process.get("/ready")).status_code == 200
            signed_by_old = await refreshed(one, anna)
    async with web_process(settings, NEW) as last:
        refused = await last.get("/api/auth/me", headers=bearer(signed_by_old))
        assert problem(refused) == (401, "token_invalid")
        assert await whoami(last, await refreshed(last, signed_by_old)) == 200


async def test_hints_and_both_pools_find_in_with_the_password_of_either_secret(
    guarded: EmbeddedPostgres, tmp_path: Path
) -> None:
    settings = msgspec.structs.replace(tenant_settings(guarded, tmp_path), secret=OLD)
    async with web_process(settings, OLD):
        pass
    changed = msgspec.structs.replace(settings, secret=NEW, former_secrets=(OLD,))
    async with Database.open(changed) as db, HintHub.open(changed):
        await db.ping()


def test_a_receipt_of_the_former_secret_still_brings_a_record_back() -> None:
    epoch, scope, record, doc = b"e" * 8, b"s" * 16, b"r" * 16, b"document"
    receipt = ReceiptBook(receipt_key(OLD), epoch).issue(scope, record, doc)
    assert ReceiptBook(receipt_key(NEW), epoch).issued_in(receipt, scope, record, doc) is None
    book = ReceiptBook(receipt_key(NEW), epoch, former_keys=[receipt_key(OLD)])
    assert book.issued_in(receipt, scope, record, doc) == epoch
    assert book.issued_in(receipt, scope, record, b"other") is None
    assert ReceiptBook(receipt_key(NEW), epoch).issued_in(book.issue(scope, record, doc), scope, record, doc) == epoch


def test_a_page_that_was_open_meanwhile_may_go_on() -> None:
    session = uuid4()

    class Posted:
        scope = {"method": "POST"}  # noqa: RUF012
        headers = {"X-CSRF-Token": SessionCookies(OLD, secure=True).csrf_token(session)}  # noqa: RUF012

    SessionCookies(NEW, former_secrets=[OLD], secure=True).require_own_page(Posted(), session)  # type: ignore[arg-type]
    with pytest.raises(CsrfRefused):
        SessionCookies(NEW, secure=True).require_own_page(Posted(), session)  # type: ignore[arg-type]
