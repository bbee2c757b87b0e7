"""What comes over the network is bounded, and every way it can fail is an error with a name."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import ClassVar

import msgspec
import pytest
import zstandard

from apex_client.blocking import http_transport
from apex_client.blocking.http_transport import HttpTransport
from apex_client.compression import MESSAGE_BYTES_MAX, compress, decompress
from apex_client.errors import (
    BadAnswer,
    ServerBusy,
    ServerIncompatible,
    ServerRefused,
    ServerUnreachable,
    SignedOut,
    Throttled,
)
from apex_client.http_transport import MEDIA_TYPE, refusal
from apex_client.whole_file import whole_file


@pytest.mark.parametrize("message", [b"", b"x", b"abc" * 100_000])
def test_what_is_packed_unpacks(message: bytes) -> None:
    assert decompress(compress(message)) == message


@pytest.mark.parametrize(
    "packed",
    [
        b"",
        b"not zstd at all",
        compress(b"abc" * 1000)[:-5],
        compress(b"x" * (MESSAGE_BYTES_MAX + 1)),
        zstandard.ZstdCompressor(write_content_size=False).compress(b"x" * (MESSAGE_BYTES_MAX + 1)),
    ],
    ids=["empty", "foreign", "cut", "bomb", "bomb of unknown size"],
)
def test_what_is_foreign_cut_or_a_bomb_is_a_bad_answer(packed: bytes) -> None:
    with pytest.raises(BadAnswer):
        decompress(packed)


def problem(code: str, **more: object) -> bytes:
    return msgspec.json.encode({"code": code, "title": "t", "detail": "d", **more})


@pytest.mark.parametrize(
    ("status", "header", "body", "expected"),
    [
        (401, None, problem("token_expired"), SignedOut),
        (401, None, b"<html>sign in to this network</html>", ServerRefused),
        (426, None, problem("unsupported_version", oldest=2), ServerIncompatible),
        (503, "7", b"", ServerBusy),
        (429, None, b"<html>slow down</html>", ServerBusy),
        (429, "7", problem("too_many_requests", retry_after=7, budget="cpu_ms"), Throttled),
        (502, None, b"bad gateway", ServerBusy),
        (404, None, b"<html>", ServerRefused),
        (413, None, problem("body_too_large"), ServerRefused),
        (500, None, b"[1, 2]", ServerRefused),
    ],
)
def test_a_refusal_is_named_by_status_and_code(
    status: int, header: str | None, body: bytes, expected: type[Exception]
) -> None:
    error = refusal(status, header, body)
    assert isinstance(error, expected)
    if isinstance(error, ServerRefused):
        assert error.status == status and error.code in ("body_too_large", f"http_{status}")
    if isinstance(error, ServerBusy):
        assert error.retry_after == (7.0 if header else 5.0)


def test_a_refusal_names_the_fields_and_what_is_wrong_with_them() -> None:
    fields = [{"field": "password", "message": "Expected at least 8 characters"}, {"field": "", "message": "Odd"}]

    error = refusal(422, None, problem("invalid_fields", errors=fields))

    assert isinstance(error, ServerRefused)
    assert str(error) == "the server refused (422 invalid_fields): password: Expected at least 8 characters; Odd"
    assert error.fields[0].field == "password"


@pytest.mark.parametrize("errors", ["no list", [1], [{"field": 3}], None])
def test_a_refusal_with_fields_that_are_none_is_told_by_its_detail(errors: object) -> None:
    assert str(refusal(422, None, problem("invalid_fields", errors=errors))).endswith("(422 invalid_fields): d")


class Odd(BaseHTTPRequestHandler):
    """A server that answers whatever the test says."""

    answer: ClassVar[tuple[int, dict[str, str], bytes]] = (200, {}, b"")

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET()

    def do_GET(self) -> None:
        status, headers, body = self.answer
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if "Content-Length" not in headers:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def address() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Odd)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def transport() -> Iterator[HttpTransport]:
    transport = HttpTransport()
    yield transport
    transport.close()


def test_an_answer_is_unpacked_and_counted(address: str, transport: HttpTransport) -> None:
    packed = compress(b"answer" * 500)
    Odd.answer = (200, {"Content-Type": MEDIA_TYPE, "Content-Encoding": "zstd"}, packed)
    assert transport.exchange(address, "token", b"m" * 5000) == b"answer" * 500
    assert transport.bytes_down == len(packed) and transport.bytes_up < 100


def test_a_page_of_a_proxy_is_a_bad_answer(address: str, transport: HttpTransport) -> None:
    Odd.answer = (200, {"Content-Type": "text/html"}, b"<html>sign in to this network</html>")
    with pytest.raises(BadAnswer):
        transport.exchange(address, "token", b"message")


def test_a_redirect_is_not_followed_with_the_token(address: str, transport: HttpTransport) -> None:
    Odd.answer = (302, {"Location": "http://127.0.0.1:1/steal"}, b"")
    with pytest.raises(ServerRefused) as caught:
        transport.exchange(address, "token", b"message")
    assert caught.value.status == 302


def test_a_body_that_is_cut_is_a_network_error(address: str, transport: HttpTransport) -> None:
    Odd.answer = (200, {"Content-Type": MEDIA_TYPE, "Content-Length": "1000"}, b"short")
    with pytest.raises(ServerUnreachable):
        transport.exchange(address, "token", b"message")


@pytest.mark.parametrize("server", ["http://127.0.0.1:1", "http://[broken", "https://127.0.0.1:1", "coach.example"])
def test_no_server_there_is_a_network_error(transport: HttpTransport, server: str) -> None:
    with pytest.raises(ServerUnreachable):
        transport.exchange(server, "token", b"message")
    with pytest.raises(ServerUnreachable):
        transport.connect(server, "token")


def test_a_file_is_downloaded_whole_or_is_not_there(address: str, transport: HttpTransport, tmp_path: Path) -> None:
    whole, cut = tmp_path / "whole.zip", tmp_path / "cut.zip"
    Odd.answer = (200, {}, b"zip" * 100_000)
    with whole_file(whole, "wb") as file:
        transport.download(address, "token", "/file", file.write)
    Odd.answer = (200, {"Content-Length": "300001"}, b"zip" * 100_000)
    with pytest.raises(ServerUnreachable), whole_file(cut, "wb") as file:
        transport.download(address, "token", "/file", file.write)

    assert whole.read_bytes() == b"zip" * 100_000
    assert whole.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [whole]


def test_a_download_is_bounded_and_a_refusal_is_no_file(
    address: str, transport: HttpTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[bytes] = []
    Odd.answer = (404, {}, problem("not_found"))
    with pytest.raises(ServerRefused, match="not_found"):
        transport.download(address, "token", "/file", written.append)
    assert written == []
    monkeypatch.setattr(http_transport, "FILE_BYTES_MAX", 1000)
    Odd.answer = (200, {}, b"zip" * 100_000)
    with pytest.raises(BadAnswer):
        transport.download(address, "token", "/file", written.append)
