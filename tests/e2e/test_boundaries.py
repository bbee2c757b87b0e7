"""What can go wrong between a device and a server, over real HTTP: each gives a typed error and loses nothing."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from uuid import UUID

import jwt
import pytest
import zstandard
from msgspec.structs import replace

from apex_client import Credentials, Replica, SyncProgress
from apex_client.errors import (
    BadAnswer,
    NoServer,
    ServerIncompatible,
    ServerUnreachable,
    SignedOut,
    WrongCredentials,
)
from apex_server.auth.access_tokens import AccessTokens, SigningKeys
from apex_sync.protocol.messages import REQUEST_BYTES_MAX, SyncResponse, encode_message
from tests.e2e.raw_device import MEDIA_TYPE, RawDevice
from tests.e2e.whole_server import PASSWORD, SECRET, Athlete, WholeServer, assert_one_digest, free_port

pytestmark = pytest.mark.anyio

BOMB = zstandard.ZstdCompressor(level=19).compress(bytes(200_000_000))


@pytest.mark.parametrize(
    ("body", "encoding", "status", "code"),
    [
        (bytes(REQUEST_BYTES_MAX + 1), "identity", 413, "body_too_large"),
        (BOMB, "zstd", 413, "body_too_large"),
        (b"not zstd at all" * 50, "zstd", 400, "not_zstd"),
        (zstandard.ZstdCompressor().compress(b"\xc1 not msgpack" * 50), "zstd", 400, "not_msgpack"),
        (b"\xc1", "identity", 400, "not_msgpack"),
        (b"\x93\x01", "br", 415, "unsupported_media_type"),
    ],
    ids=["too large", "bomb", "not zstd", "packed, not msgpack", "not msgpack", "brotli"],
)
async def test_a_body_that_is_no_request_gets_its_own_code(
    server: WholeServer, athlete: Athlete, body: bytes, encoding: str, status: int, code: str
) -> None:
    phone = await athlete.device("phone")
    answer = RawDevice(server, athlete.email).post(body, content_encoding=encoding)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert (await phone.sync()).pending == 0


async def test_records_made_before_the_first_login_are_pushed_after_it(server: WholeServer, athlete: Athlete) -> None:
    async with Replica.open(athlete.folder / "phone.db") as phone:
        log = await phone.workouts.start(title="Push")
        await log.add_set("Bench Press", reps=8, load=225, unit="lb", rpe=8)
        await athlete.register(phone)
        report = await phone.sync()
        assert (report.acknowledged, report.pending) == (1, 0)
        (row,) = await athlete.sets_in_postgres()
        assert (str(row["record_id"]), row["reps"], row["load"], row["load_unit"]) == (log.id, 8, 225.0, "lb")
        await assert_one_digest(server, athlete.scope, phone)


async def test_a_token_that_expires_in_the_midst_of_a_sync_is_renewed_without_a_word(
    server: WholeServer, athlete: Athlete
) -> None:
    phone = await athlete.device("phone")
    for number in range(150):
        log = await phone.workouts.start(title=f"Session {number}")
        await log.note("There is much to say about it. " * 50)
    await phone.sync()
    watch = await athlete.device("watch", "watch")
    expired: list[int] = []

    def expire_the_token(progress: SyncProgress) -> None:
        if progress.pulled and not expired:
            expired.append(progress.pull_total - progress.pulled)
            set_expired_token(watch)

    report = await watch.sync(progress=expire_the_token)
    assert expired[0] > 0, "the token expired too late to matter"
    assert (report.pulled, report.pending) == (150, 0)
    await assert_one_digest(server, athlete.scope, phone, watch)


async def test_when_renewing_fails_too_the_device_is_signed_out_and_keeps_its_work(
    server: WholeServer, athlete: Athlete
) -> None:
    phone = await athlete.device("phone")
    log = await phone.workouts.start(title="Push")
    session = phone._open.session
    assert session is not None
    set_expired_token(phone)
    phone._open.session = replace(phone._open.session, refresh_token="r" * 43)  # type: ignore[type-var]
    with pytest.raises(SignedOut):
        await phone.sync()
    status = await phone.status()
    assert (status.state, status.pending) == ("signed_out", 1)
    await phone.login(server.address, athlete.email, PASSWORD)
    assert (await phone.sync()).acknowledged == 1
    assert not (await log.refresh()).snapshot.pending


async def test_a_wrong_password_is_told_and_the_work_waits(server: WholeServer, athlete: Athlete) -> None:
    await athlete.device("phone")
    async with Replica.open(athlete.folder / "watch.db") as watch:
        await watch.workouts.start(title="Push")
        with pytest.raises(WrongCredentials):
            await watch.login(server.address, athlete.email, "wrong horse")
        assert (await watch.status()).pending == 1
        await watch.login(server.address, athlete.email, PASSWORD)
        assert (await watch.sync()).acknowledged == 1


async def test_without_a_server_the_sync_says_so_and_the_work_waits(athlete: Athlete) -> None:
    async with Replica.open(athlete.folder / "phone.db") as phone:
        await phone.workouts.start(title="Push")
        with pytest.raises(NoServer):
            await phone.sync()
        assert ((await phone.status()).state, (await phone.status()).pending) == ("no_server", 1)
    nowhere = f"http://127.0.0.1:{free_port()}"
    somebody = Credentials("mara@example.com", PASSWORD)
    async with Replica.open(athlete.folder / "phone.db", server=nowhere, credentials=somebody) as phone:
        with pytest.raises(ServerUnreachable):
            await phone.sync()
        assert ((await phone.status()).state, (await phone.status()).pending) == ("waiting", 1)


async def test_a_server_of_another_version_is_told_apart_from_a_broken_one(
    server: WholeServer, athlete: Athlete
) -> None:
    phone = await athlete.device("phone")
    await phone.workouts.start(title="Push")
    session = phone._open.session
    assert session is not None
    strange = SyncResponse(99, time.time_ns() // 1000, bytes(8))
    answers = {ServerIncompatible: (MEDIA_TYPE, encode_message(strange)), BadAnswer: ("text/html", b"<h1>Welcome</h1>")}
    for error, (media_type, body) in answers.items():
        async with answering(media_type, body) as address:
            phone._account._server = address
            phone._open.session = replace(session, server=address)
            with pytest.raises(error):
                await phone.sync()
        assert (await phone.status()).pending == 1
    phone._account._server = server.address
    phone._open.session = session
    assert (await phone.sync()).acknowledged == 1


async def test_an_app_of_an_old_version_may_hand_in_its_work_and_read_nothing(
    server: WholeServer, athlete: Athlete
) -> None:
    phone = await athlete.device("phone")
    old = RawDevice(server, athlete.email)
    (result,) = old.push(old.new_record(athlete, {"title": "From long ago"}), version=0).results
    assert result.status == "applied"
    answer = old.pull(version=0)
    assert (answer.status_code, answer.json()["code"]) == (426, "unsupported_version")
    await phone.sync()
    assert [log.title for log in await phone.workouts.list()] == ["From long ago"]


async def test_an_account_that_exists_is_not_taken_over(server: WholeServer, athlete: Athlete) -> None:
    await athlete.device("phone")
    async with Replica.open(athlete.folder / "other.db") as other:
        somebody = await other.register(server.address, athlete.email, "another password", name="Somebody else")
        assert somebody.id != athlete.id
        await other.sync()
    async with Replica.open(athlete.folder / "third.db") as third:
        with pytest.raises(WrongCredentials):
            await third.login(server.address, athlete.email, "another password")


def set_expired_token(replica: Replica) -> None:
    """Put an access token into a session that the server gave an hour ago."""
    session = replica._open.session
    assert session is not None
    claims = jwt.decode(session.access_token, options={"verify_signature": False})
    expired = AccessTokens(SigningKeys.derive(SECRET)).issue(
        user_id=UUID(claims["sub"]),
        role=claims["role"],
        device_id=UUID(claims["did"]),
        session_id=UUID(claims["sid"]),
        now=datetime.now(UTC) - timedelta(hours=1),
    )
    replica._open.session = replace(session, access_token=expired)


@asynccontextmanager
async def answering(media_type: str, body: bytes) -> AsyncIterator[str]:
    """Run a server that gives one answer to everything; gives its address."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length"))
        await reader.readexactly(int(length.split(b":")[1]))
        head_lines = ("HTTP/1.1 200 OK", f"Content-Type: {media_type}", f"Content-Length: {len(body)}", "", "")
        writer.write("\r\n".join(head_lines).encode() + body)
        await writer.drain()
        writer.close()

    listening = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with listening:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
