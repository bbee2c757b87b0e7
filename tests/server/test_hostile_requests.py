"""The corpus through the real server: the offender is told, its other records go on, and nobody else ever sees it."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec
import psutil
import pytest
from anyio.from_thread import BlockingPortal

from apex_server.db import EmbeddedPostgres
from apex_server.settings import Settings
from apex_sync.op import decode_op
from apex_sync.protocol import PushedRecord, PushResult
from apex_sync.protocol.messages import REQUEST_BYTES_MAX, decode_response, encode_message
from apex_sync.testing import hostile
from apex_sync.testing.hostile import GOOD_OP, ME
from apex_sync.testing.hostile.messages import SCOPE
from apex_sync.testing.hostile.zstd_frames import stored
from apex_sync.wire import encode_push, parse_document
from tests.e2e.whole_server import WholeServer, running_server, web_processes
from tests.server.conftest import SECRET, execute, url_of
from tests.server.hostile_device import Victims, closed_with, push_over

DATABASE = "hostile_requests"
LIVE_FRAME_BYTES_MAX = 1024 * 1024
FRAME_ROOM_BYTES = 2048
"""What two good records take beside it."""

BOMB_GROWTH_BYTES_MAX = 8 * 1024 * 1024
"""Of the server's process while it refuses a hundred bombs, beyond what the largest honest body takes: 3 MB."""

Push = Callable[[Sequence[PushedRecord]], Sequence[PushResult]]


@pytest.fixture(scope="module")
def server(
    postgres: EmbeddedPostgres, portal: BlockingPortal, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[WholeServer]:
    """Give a server with real HTTP on a database of its own."""
    portal.call(execute, postgres.dsn, f"CREATE DATABASE {DATABASE} TEMPLATE apex_template")
    folder: Path = tmp_path_factory.mktemp("hostile")
    settings = Settings(data_dir=folder, secret=SECRET, database_url=url_of(postgres, DATABASE), limits_factor=1e6)
    with running_server(portal, settings) as running:
        yield running
    portal.call(execute, postgres.dsn, f"DROP DATABASE {DATABASE} WITH (FORCE)")


@pytest.fixture(scope="module")
def victims(server: WholeServer) -> Victims:
    return Victims(server)


@pytest.fixture(scope="module")
def live(victims: Victims) -> Iterator[Push]:
    """Push over one live connection, which no hostile record may end."""
    with victims.socket() as socket:
        yield lambda records: push_over(socket, *records)


@pytest.fixture(scope="module")
def over_http(victims: Victims) -> Push:
    return lambda records: victims.offender.push(*records).results


@pytest.fixture(params=["http", "live"])
def push(request: pytest.FixtureRequest) -> Push:
    ways: dict[str, str] = {"http": "over_http", "live": "live"}
    way: Push = request.getfixturevalue(ways[request.param])
    return way


def pushed_between(victims: Victims, push: Push, offender: PushedRecord) -> PushResult:
    """Push a record between two good ones; hold that these are taken, and that another device sees just them."""
    if len(msgspec.msgpack.encode(offender)) > LIVE_FRAME_BYTES_MAX - FRAME_ROOM_BYTES:
        push = victims_http(victims)
    before, after = victims.good_record(), victims.good_record()
    first, result, last = push([before, offender, after])
    assert (first.status, last.status) == ("applied", "applied")
    seen = {record.record_id: record.update for record in victims.news()}
    assert {before.record_id, after.record_id} <= seen.keys()
    expected = {before.record_id, after.record_id} | ({offender.record_id} if result.status == "applied" else set())
    assert seen.keys() == expected
    for update in seen.values():
        for client_id, ops in parse_document(update).ops.items():
            for clock, op in ops.items():
                decode_op(op, client_id=client_id, clock=clock)
    return result


def victims_http(victims: Victims) -> Push:
    return lambda records: victims.offender.push(*records).results


@pytest.mark.parametrize("name", [*hostile.UPDATES, *hostile.PUSHES])
def test_a_crafted_update_is_rejected_alone(victims: Victims, push: Push, name: str) -> None:
    data = hostile.UPDATES.get(name) or hostile.PUSHES.get(name, b"")
    result = pushed_between(victims, push, victims.record(data))
    assert (result.status, [refusal.code for refusal in result.refusals]) == ("rejected", ["malformed"])
    assert result.refusals[0].message


@pytest.mark.parametrize("name", [*hostile.OPS, *hostile.OBJECTIONABLE])
def test_a_crafted_op_is_refused_alone_and_becomes_a_dead_clock(victims: Victims, push: Push, name: str) -> None:
    op, code = hostile.OBJECTIONABLE[name] if name in hostile.OBJECTIONABLE else (hostile.OPS[name], "malformed")
    offender = victims.record(encode_push(ME, 0, [op, GOOD_OP]))
    result = pushed_between(victims, push, offender)
    assert (result.status, result.next_clock) == ("applied", 2)
    assert [(refusal.clock, refusal.code) for refusal in result.refusals] == [(0, code)]
    assert result.dead
    [again] = push([offender])
    assert (again.status, again.refusals) == ("duplicate", result.refusals)


@pytest.mark.parametrize("name", hostile.pushed_records(SCOPE))
def test_a_crafted_record_is_answered_alone(victims: Victims, push: Push, name: str) -> None:
    offender, status, code = hostile.pushed_records(victims.scope)[name]
    result = pushed_between(victims, push, offender)
    assert (result.status, [refusal.code for refusal in result.refusals]) == (status, [code] if code else [])


@pytest.mark.parametrize("name", hostile.VALID)
def test_what_is_well_formed_is_applied(victims: Victims, push: Push, name: str) -> None:
    data = hostile.VALID[name]
    if not parse_document(data).op_count:
        return
    assert pushed_between(victims, push, victims.record(data)).status == "applied"


@pytest.mark.parametrize("name", hostile.REQUESTS)
def test_a_crafted_request_gets_its_own_problem(victims: Victims, name: str) -> None:
    answer = victims.offender.post(hostile.REQUESTS[name])
    assert (answer.status_code, answer.json()["code"]) == (400, "not_msgpack")
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("name", hostile.REQUESTS)
def test_a_crafted_frame_ends_its_own_connection_and_says_why(victims: Victims, name: str) -> None:
    with victims.socket() as socket:
        assert closed_with(socket, hostile.REQUESTS[name]) == (4400, "malformed_request")


@pytest.mark.parametrize(
    ("frame", "code", "reason"),
    [
        pytest.param("text", 4400, "malformed_request", id="text"),
        pytest.param("", 4400, "malformed_request", id="no text"),
        pytest.param(bytes(LIVE_FRAME_BYTES_MAX + 1), 4413, "body_too_large", id="too large"),
    ],
)
def test_a_frame_of_another_kind_ends_its_connection(
    victims: Victims, frame: bytes | str, code: int, reason: str
) -> None:
    with victims.socket() as socket:
        assert closed_with(socket, frame) == (code, reason)


@pytest.mark.parametrize("name", hostile.asks(SCOPE))
def test_whoever_asks_for_nonsense_gets_an_answer(victims: Victims, name: str) -> None:
    asked = hostile.asks(victims.scope)[name]
    answer = victims.offender.post(encode_message(asked))
    if asked.version == 0:
        assert (answer.status_code, answer.json()["code"]) == (426, "unsupported_version")
        return
    assert answer.status_code == 200, answer.text
    response = decode_response(answer.content)
    assert {page.scope for page in response.pages} <= {victims.scope, "global"}
    assert all(len(record_id) == 16 for _, record_id, _ in response.repair)


@pytest.mark.parametrize("name", [*hostile.BOMBS, *hostile.NO_FRAMES])
def test_a_body_that_is_no_message_in_one_frame_is_refused(victims: Victims, name: str) -> None:
    body = hostile.BOMBS.get(name) or hostile.NO_FRAMES[name]
    answer = victims.offender.post(body, content_encoding="zstd")
    assert (answer.status_code, answer.json()["code"]) in {
        (413, "body_too_large"),
        (400, "not_zstd"),
        (400, "not_msgpack"),
    }


@pytest.mark.parametrize(
    "encoding", ["gzip", "br", "deflate", "zstd, zstd", "zstd, gzip", "identity, zstd", "x" * 1000]
)
def test_no_other_encoding_is_unpacked(victims: Victims, encoding: str) -> None:
    answer = victims.offender.post(hostile.BOMBS["half a gigabyte of zeros"], content_encoding=encoding)
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")


def test_bombs_do_not_grow_the_server(victims: Victims) -> None:
    """Thirty-two thousand to one, and still the process holds no more than it does for an honest body."""
    [process] = web_processes(victims.server, parents=False)
    honest = stored(bytes(REQUEST_BYTES_MAX - 1024))
    for _ in range(3):
        assert victims.offender.post(honest, content_encoding="zstd").status_code == 400
    before = peak_memory(process)
    for _ in range(15):
        for bomb in hostile.BOMBS.values():
            assert victims.offender.post(bomb, content_encoding="zstd").status_code in (400, 413)
    assert peak_memory(process) - before < BOMB_GROWTH_BYTES_MAX


def peak_memory(process: psutil.Process) -> int:
    """Give the most that a process ever held, in bytes."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def test_a_body_that_never_ends_is_cut_off(victims: Victims) -> None:
    def letters() -> Iterator[bytes]:
        for _ in range(2 * REQUEST_BYTES_MAX // 2**16):
            yield bytes(2**16)

    answer = victims.offender.http.post("/api/sync", content=letters())
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


def test_the_same_process_has_answered_it_all(victims: Victims, server: WholeServer) -> None:
    """Last in the file: nothing before has killed a web process."""
    [process] = web_processes(server, parents=False)
    [parent] = web_processes(server, parents=True)
    assert process.create_time() - parent.create_time() < 10
    assert pushed_between(victims, victims_http(victims), victims.record(b"")).status == "rejected"
