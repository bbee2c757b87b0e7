"""TLS by real handshakes: the server speaks 1.3 and nothing less, and a device sends nothing to less."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import anyio
import httpx
import pytest
from anyio.from_thread import BlockingPortal
from msgspec.structs import replace

from apex_client import Replica
from apex_client.blocking.http_transport import HttpTransport as BlockingTransport
from apex_client.errors import InsecureServer, ServerUnreachable
from apex_client.http_transport import HttpTransport
from apex_server import serving
from tests.certificates import Authority
from tests.client.apex_command import Terminal
from tests.e2e.whole_server import PASSWORD, WholeServer, running_server

pytestmark = pytest.mark.anyio

PATIENCE_SECONDS = 30.0


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def tls_server(portal: BlockingPortal, server: WholeServer, authority: Authority) -> Iterator[WholeServer]:
    """A server with a certificate, on the database of the other."""
    certificate, key = authority.issue("server")
    settings = replace(server.settings, tls_certificate=certificate, tls_key=key)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(serving, "CERTIFICATE_POLL_SECONDS", 0.1)
        with running_server(portal, settings) as running:
            yield running


def handshake(server: WholeServer, authority: Authority, newest: ssl.TLSVersion) -> tuple[str | None, bytes]:
    """Connect with at most this version; give what was spoken, and the certificate."""
    context = ssl.create_default_context(cafile=authority.file)
    context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1_2, newest
    with (
        socket.create_connection((server.settings.host, server.settings.port), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as connection,
    ):
        return connection.version(), connection.getpeercert(binary_form=True) or b""


def test_the_server_speaks_tls_1_3(tls_server: WholeServer, authority: Authority) -> None:
    assert handshake(tls_server, authority, ssl.TLSVersion.TLSv1_3)[0] == "TLSv1.3"


def test_the_server_refuses_tls_1_2(tls_server: WholeServer, authority: Authority) -> None:
    with pytest.raises(ssl.SSLError, match="PROTOCOL_VERSION"):
        handshake(tls_server, authority, ssl.TLSVersion.TLSv1_2)


def test_the_server_answers_no_plain_http(tls_server: WholeServer) -> None:
    with pytest.raises(httpx.TransportError):
        httpx.get(f"http://{tls_server.settings.host}:{tls_server.settings.port}/health")


def test_browsers_are_told_to_keep_to_https_and_keep_their_cookies_to_it(
    tls_server: WholeServer, authority: Authority
) -> None:
    with httpx.Client(base_url=tls_server.address, verify=ssl.create_default_context(cafile=authority.file)) as client:
        answer = client.post(
            "/api/auth/register",
            params={"session": "cookie"},
            json={"email": tls_server.new_email("web"), "password": PASSWORD, "name": "Web", "role": "athlete"},
        )
        assert "max-age=63072000" in answer.headers["Strict-Transport-Security"]
        assert client.get("/no-such-page").headers["Strict-Transport-Security"]
    for cookie in answer.headers.get_list("set-cookie"):
        assert "Secure" in cookie


async def test_a_device_syncs_and_stays_live_over_tls(
    tls_server: WholeServer, authority: Authority, tmp_path: Path
) -> None:
    phone = Replica.open(tmp_path / "phone.db", ca_file=authority.file, device_kind="phone")
    async with phone:
        await phone.register(tls_server.address, tls_server.new_email("mara"), PASSWORD, name="Mara")
        log = await phone.workouts.start(title="Push")
        await log.add_set("Bench Press", reps=8, load=100, unit="kg")
        await phone.sync()
        assert (await phone.status()).pending == 0
        channel = await phone._account.connect()
        assert channel is not None
        await channel.aclose()


async def test_a_device_trusts_no_unknown_authority(
    tls_server: WholeServer, authority: Authority, tmp_path: Path
) -> None:
    other = Authority(tmp_path)
    for transport in (HttpTransport(), HttpTransport(ca_file=other.file), HttpTransport(allow_insecure=True)):
        with pytest.raises(ServerUnreachable, match=r"(?i)certificate"):
            await transport.call(tls_server.address, None, "GET", "/health", None)
        with pytest.raises(ServerUnreachable, match=r"(?i)certificate"):
            await transport.connect(tls_server.address, "token")
        await transport.aclose()


def test_the_command_line_trusts_a_named_authority(
    tls_server: WholeServer, authority: Authority, tmp_path: Path
) -> None:
    apex = Terminal(tmp_path)
    words = ("register", "--server", tls_server.address, "--email", tls_server.new_email("cli"), "--name", "Mara")
    refused = apex(*words, "--password-stdin", stdin=f"{PASSWORD}\n")
    assert refused.code == 1 and "cannot be reached" in refused.err
    apex("--ca-file", authority.file, *words, "--password-stdin", stdin=f"{PASSWORD}\n").ok()
    apex("sync", APEX_CA_FILE=str(authority.file)).ok()


async def test_a_renewed_certificate_is_served_without_a_restart(tls_server: WholeServer, authority: Authority) -> None:
    """Half a renewal, and one that cannot be used, leave the old certificate; requests go on all the while."""
    settings = tls_server.settings
    assert settings.tls_certificate is not None and settings.tls_key is not None
    before = handshake(tls_server, authority, ssl.TLSVersion.TLSv1_3)[1]
    certificate, key = authority.issue("renewed")
    settings.tls_certificate.write_bytes(certificate.read_bytes())
    await anyio.sleep(0.5)
    assert handshake(tls_server, authority, ssl.TLSVersion.TLSv1_3)[1] == before, "its key is not there yet"
    settings.tls_key.write_bytes(key.read_bytes())
    with anyio.fail_after(PATIENCE_SECONDS):
        while handshake(tls_server, authority, ssl.TLSVersion.TLSv1_3)[1] == before:  # noqa: ASYNC110
            await anyio.sleep(0.1)


@contextmanager
def old_server(authority: Authority) -> Iterator[tuple[int, list[bytes]]]:
    """A server of yesteryear: TLS 1.2 at most. Gives its port, and what it read of what was said to it."""
    certificate, key = authority.issue("old", "127.0.0.1", "localhost", "old.example")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate, key)
    heard: list[bytes] = []
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:

        def serve() -> None:
            while True:
                try:
                    plain, _ = listener.accept()
                except OSError:
                    return
                try:
                    with context.wrap_socket(plain, server_side=True) as connection:
                        heard.append(connection.recv(4096))
                        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
                except OSError:
                    continue

        threading.Thread(target=serve, daemon=True).start()
        try:
            yield listener.getsockname()[1], heard
        finally:
            listener.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def named_hosts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let names under .example stand for this machine, without being loopback to anybody who reads them."""
    found = socket.getaddrinfo

    def local(host: str | bytes | None, *arguments: object, **options: object) -> object:
        name = host.decode() if isinstance(host, bytes) else host
        return found("127.0.0.1" if name and name.endswith(".example") else host, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", local)


@pytest.mark.usefixtures("named_hosts")
async def test_a_device_tells_nothing_to_a_server_with_older_tls(authority: Authority) -> None:
    with old_server(authority) as (port, heard):
        server = f"https://old.example:{port}"
        strict = HttpTransport(ca_file=authority.file)
        for attempt in (
            lambda: strict.call(server, "token", "GET", "/x", None),
            lambda: strict.exchange(server, "token", b"x"),
            lambda: strict.connect(server, "token"),
        ):
            with pytest.raises(InsecureServer) as refused:
                await attempt()
            assert "TLS 1.3" in str(refused.value) and "allow_insecure" in str(refused.value)
        assert heard == []
        lenient = HttpTransport(ca_file=authority.file, allow_insecure=True)
        assert await lenient.call(server, "token", "GET", "/x", None) == {}
        assert await strict.call(f"https://localhost:{port}", "token", "GET", "/x", None) == {}, (
            "loopback is not judged"
        )
        await strict.aclose()
        await lenient.aclose()


@pytest.mark.usefixtures("named_hosts")
async def test_a_device_tells_nothing_to_a_server_without_tls(server: WholeServer) -> None:
    address = f"http://plain.example:{server.settings.port}"
    strict, lenient, blocking = HttpTransport(), HttpTransport(allow_insecure=True), BlockingTransport()
    for attempt in (
        lambda: strict.call(address, "token", "GET", "/health", None),
        lambda: strict.exchange(address, "token", b"x"),
        lambda: strict.connect(address, "token"),
    ):
        with pytest.raises(InsecureServer, match="plain http"):
            await attempt()
    with pytest.raises(InsecureServer):
        blocking.connect(address, "token")
    assert await lenient.call(address, None, "GET", "/health", None) == {"status": "ok", "database": None}
    assert await strict.call(server.address, None, "GET", "/health", None)
    await strict.aclose()
    await lenient.aclose()


def test_a_context_of_the_apps_own_must_demand_as_much() -> None:
    weak = ssl.create_default_context()
    with pytest.raises(InsecureServer):
        HttpTransport(verify=weak)
    HttpTransport(verify=weak, allow_insecure=True)
    weak.minimum_version = ssl.TLSVersion.TLSv1_3
    HttpTransport(verify=weak)
