"""The post: what both ways of sending promise, and what only SMTP can meet with, at a real SMTP server."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

import pytest
import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult

from apex_server.mail import FolderMailer, Mail, Mailer, MailPostponed, MailRefused, SmtpMailer, mailer_of, smtp_address
from apex_server.mail.folder import FILES_MAX
from apex_server.settings import Settings, SettingsError

pytestmark = pytest.mark.anyio

SENDER = "Apex <no-reply@apex.example>"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
MAIL = Mail(to="Anna@example.com", subject="Größe", text="Hello,\n\nschön.\n", html="<p>Hello, <b>schön</b>.</p>")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@dataclass
class Post:
    """A real SMTP server in a thread; `answers` are what it says instead of taking a mail."""

    answers: dict[str, str] = field(default_factory=dict)
    taken: list[bytes] = field(default_factory=list)
    encrypted: list[bool] = field(default_factory=list)

    async def handle_RCPT(self, _server: SMTP, _session: Any, envelope: Any, address: str, _options: Any) -> str:
        if "recipient" in self.answers:
            return self.answers["recipient"]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_MAIL(self, _server: SMTP, _session: Any, envelope: Any, address: str, options: Any) -> str:
        if "sender" in self.answers:
            return self.answers["sender"]
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_DATA(self, _server: SMTP, session: Any, envelope: Any) -> str:
        if "data" in self.answers:
            return self.answers["data"]
        self.taken.append(envelope.content)
        self.encrypted.append(session.ssl is not None)
        return "250 OK"


@asynccontextmanager
async def running(post: Post, **how: Any) -> AsyncIterator[int]:
    controller = Controller(post, hostname="127.0.0.1", port=free_port(), **how)
    await asyncio.to_thread(controller.start)
    try:
        yield controller.port
    finally:
        await asyncio.to_thread(controller.stop)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def smtp_mailer(url: str, tls_context: ssl.SSLContext | None = None) -> SmtpMailer:
    return SmtpMailer(smtp_address(url), sender=SENDER, now=lambda: NOW, tls_context=tls_context)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def server_tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)
    return context


@pytest.fixture
def client_tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


Taken = Callable[[], Awaitable[list[bytes]]]


@pytest.fixture(params=["folder", "smtp"])
async def way(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[tuple[Mailer, Taken]]:
    """One suite for every way: a mailer, and what arrived by it."""
    if request.param == "folder":
        folder = tmp_path / "mails"

        async def written() -> list[bytes]:
            return [path.read_bytes() for path in sorted(folder.glob("*"))]

        yield FolderMailer(folder, sender=SENDER, now=lambda: NOW), written
        return
    post = Post()

    async def taken() -> list[bytes]:
        return post.taken

    async with running(post, enable_SMTPUTF8=True) as port:
        yield smtp_mailer(f"smtp://127.0.0.1:{port}"), taken


def read(raw: bytes) -> EmailMessage:
    message = message_from_bytes(raw, policy=default)
    assert isinstance(message, EmailMessage)
    return message


def part(message: EmailMessage, kind: str) -> str:
    body = message.get_body((kind,))
    assert body is not None
    return str(body.get_content()).replace("\r\n", "\n")


async def test_a_mail_arrives_as_text_and_as_a_page(way: tuple[Mailer, Taken]) -> None:
    mailer, taken = way
    await mailer.send(MAIL)

    (raw,) = await taken()
    message = read(raw)
    assert (message["To"], message["From"], message["Subject"]) == ("Anna@example.com", SENDER, "Größe")
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Date"].datetime == NOW
    assert part(message, "plain") == MAIL.text
    assert part(message, "html").strip() == MAIL.html


async def test_two_mails_are_two(way: tuple[Mailer, Taken]) -> None:
    mailer, taken = way
    await mailer.send(MAIL)
    await mailer.send(MAIL)
    identities = {read(raw)["Message-ID"] for raw in await taken()}
    assert len(identities) == 2


@pytest.mark.parametrize(
    ("typed", "written"),
    [("anna@bücher.example", "anna@xn--bcher-kva.example"), ("ännä@example.com", "ännä@example.com")],
)
async def test_letters_beyond_ascii_in_an_address_arrive(way: tuple[Mailer, Taken], typed: str, written: str) -> None:
    mailer, taken = way
    await mailer.send(Mail(to=typed, subject="x", text="x", html="x"))
    (raw,) = await taken()
    assert written in raw.decode()


@pytest.mark.parametrize(
    "address",
    ["anna@example.com\r\nBcc: all@example.com", "anna@example.com, ben@example.com", "", "anna", "a@b@c", "a@\x00"],
)
async def test_an_address_that_is_more_or_less_than_one_is_refused(way: tuple[Mailer, Taken], address: str) -> None:
    mailer, taken = way
    with pytest.raises(MailRefused):
        await mailer.send(Mail(to=address, subject="x", text="x", html="x"))
    assert await taken() == []


async def test_a_subject_cannot_smuggle_a_header_in(way: tuple[Mailer, Taken]) -> None:
    mailer, taken = way
    with pytest.raises(MailRefused):
        await mailer.send(Mail(to="a@b.example", subject="x\r\nBcc: all@example.com", text="x", html="x"))
    assert await taken() == []


async def test_no_file_of_a_mail_is_read_by_others_and_the_oldest_go(tmp_path: Path) -> None:
    mailer = FolderMailer(tmp_path / "mails", sender=SENDER, now=lambda: NOW)
    await mailer.send(MAIL)
    (path,) = (tmp_path / "mails").iterdir()
    assert path.stat().st_mode & 0o077 == 0
    assert path.parent.stat().st_mode & 0o077 == 0

    for number in range(FILES_MAX):
        (path.parent / f"1999{number:04}.eml").touch()
    await mailer.send(MAIL)
    assert len(list(path.parent.iterdir())) == FILES_MAX
    assert path.exists()


async def test_a_folder_that_cannot_be_written_is_tried_again_later(tmp_path: Path) -> None:
    (tmp_path / "mails").write_text("in the way")
    with pytest.raises(MailPostponed):
        await FolderMailer(tmp_path / "mails", sender=SENDER, now=lambda: NOW).send(MAIL)


@pytest.mark.parametrize(
    ("answers", "outcome"),
    [
        ({"recipient": "550 no such user Anna@example.com"}, MailRefused),
        ({"recipient": "450 greylisted"}, MailPostponed),
        ({"data": "554 no spam please"}, MailRefused),
        ({"data": "452 disk full"}, MailPostponed),
        ({"sender": "550 who are you"}, MailPostponed),
    ],
)
async def test_what_the_post_says_decides_whether_it_is_tried_again(
    answers: dict[str, str], outcome: type[Exception]
) -> None:
    async with running(Post(answers)) as port:
        with pytest.raises(outcome) as raised:
            await smtp_mailer(f"smtp://127.0.0.1:{port}").send(MAIL)
    assert "Anna" not in str(raised.value)


async def test_nobody_there_is_for_now() -> None:
    with pytest.raises(MailPostponed):
        await smtp_mailer(f"smtp://127.0.0.1:{free_port()}").send(MAIL)


async def test_a_server_that_hangs_up_is_for_now() -> None:
    async def hang_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 hello\r\n")
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    async with server:
        with pytest.raises(MailPostponed):
            await smtp_mailer(f"smtp://127.0.0.1:{server.sockets[0].getsockname()[1]}").send(MAIL)


async def test_starttls_encrypts_before_anything_of_ours_is_said(
    server_tls: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    post, seen = Post(), []

    def check(_server: Any, session: Any, _envelope: Any, _mechanism: str, credentials: Any) -> AuthResult:
        seen.append((session.ssl is not None, credentials.login, credentials.password))
        return AuthResult(success=True)

    async with running(post, tls_context=server_tls, authenticator=check, auth_required=True) as port:
        await smtp_mailer(f"smtp://apex:p%40ss@localhost:{port}?tls=on", client_tls).send(MAIL)
    assert post.encrypted == [True]
    assert seen == [(True, b"apex", b"p@ss")]


async def test_a_server_that_hides_starttls_gets_no_mail_and_no_password() -> None:
    """Whoever sits in between can strip the offer; then there is no mail rather than an open one."""
    post = Post()
    async with running(post, auth_require_tls=False) as port:
        with pytest.raises(MailPostponed):
            await smtp_mailer(f"smtp://apex:secret@localhost:{port}?tls=on").send(MAIL)
    assert post.taken == []


async def test_a_certificate_of_nobody_we_know_gets_no_mail(server_tls: ssl.SSLContext) -> None:
    post = Post()
    async with running(post, tls_context=server_tls) as port:
        with pytest.raises(MailPostponed):
            await smtp_mailer(f"smtp://localhost:{port}?tls=on").send(MAIL)
    assert post.taken == []


async def test_tls_from_the_first_byte(server_tls: ssl.SSLContext, client_tls: ssl.SSLContext) -> None:
    post = Post()
    async with running(post, ssl_context=server_tls) as port:
        await smtp_mailer(f"smtps://localhost:{port}", client_tls).send(MAIL)
    assert len(post.taken) == 1


async def test_a_wrong_password_of_ours_is_mended_and_then_the_mail_goes() -> None:
    def refuse(*_arguments: Any) -> AuthResult:
        return AuthResult(success=False, handled=False)

    async with running(Post(), authenticator=refuse, auth_required=True, auth_require_tls=False) as port:
        with pytest.raises(MailPostponed, match="user name and password") as raised:
            await smtp_mailer(f"smtp://apex:secret@127.0.0.1:{port}").send(MAIL)
    assert "secret" not in str(raised.value)


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[Settings]:
    yield Settings(data_dir=tmp_path, secret="s" * 32)


@pytest.mark.parametrize("url", ["smtp://", "smtps://mail.example?tls=off", "smtp://mail.example?tls=maybe"])
def test_a_post_that_is_none_stops_the_server_and_its_password_is_not_repeated(tmp_path: Path, url: str) -> None:
    url = url.replace("//", "//apex:secret@", 1)
    with pytest.raises(SettingsError, match="APEX_SMTP_URL") as raised:
        mailer_of(Settings(data_dir=tmp_path, secret="s" * 32, smtp_url=url), now=lambda: NOW)
    assert "secret" not in str(raised.value)


def test_a_mail_shows_nothing_of_itself_when_printed() -> None:
    assert repr(MAIL) == str(MAIL) == f"{MAIL}" == "<Mail>"
