"""What carries text messages: a folder in development, and whatever gateway an operator has, over real HTTP."""

import json
import stat
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import anyio
import pytest
from anyio.abc import SocketStream

from apex_server.messenger import FolderMessenger, HttpMessenger, MessageNotTaken, SentText, messenger_of
from apex_server.settings import Settings

pytestmark = pytest.mark.anyio

MESSAGE = SentText("+447400123456", "123456 is your code")
Gateway = Callable[[str], "GatewayAt"]


class GatewayAt:
    """A gateway that listens, answers one thing, and remembers what it was sent."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.received: list[bytes] = []


@pytest.fixture
async def gateway() -> AsyncIterator[Gateway]:
    async with anyio.create_task_group() as group:
        listeners = await anyio.create_tcp_listener(local_host="127.0.0.1")
        port = listeners.extra(anyio.abc.SocketAttribute.local_port)  # noqa: S610 - no Django here.
        answers: list[str] = []
        at = GatewayAt(f"http://127.0.0.1:{port}/sms")

        async def answer(stream: SocketStream) -> None:
            async with stream:
                at.received.append(await stream.receive())
                if answers[0]:
                    await stream.send(f"HTTP/1.1 {answers[0]}\r\nContent-Length: 0\r\n\r\n".encode())
                else:
                    await anyio.sleep(30)

        def open_with(status: str) -> GatewayAt:
            answers[:] = [status]
            return at

        group.start_soon(listeners.serve, answer)
        yield open_with
        group.cancel_scope.cancel()


async def test_a_message_is_a_file_of_the_folder_that_only_its_owner_reads(tmp_path: Path) -> None:
    await FolderMessenger(tmp_path / "texts").send(MESSAGE)
    (path,) = (tmp_path / "texts").iterdir()
    assert json.loads(path.read_text()) == {"to": MESSAGE.to, "text": MESSAGE.text}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


async def test_a_gateway_is_sent_json_and_its_token_once(gateway: Gateway) -> None:
    at = gateway("202 Accepted")
    await HttpMessenger(at.url, "the token").send(MESSAGE)
    (request,) = at.received
    assert b"Bearer the token" in request
    assert json.loads(request.partition(b"\r\n\r\n")[2]) == {"to": MESSAGE.to, "text": MESSAGE.text}


@pytest.mark.parametrize("status", ["500 No", "302 Found\r\nLocation: http://127.0.0.1:1/", ""])
async def test_a_gateway_that_does_not_say_yes_in_time_has_not_taken_it(gateway: Gateway, status: str) -> None:
    at = gateway(status)
    with pytest.raises(MessageNotTaken) as refused:
        await HttpMessenger(at.url, None, seconds_max=0.5).send(MESSAGE)
    assert len(at.received) == 1
    assert MESSAGE.to not in str(refused.value)
    assert MESSAGE.text not in repr(MESSAGE)


async def test_a_gateway_that_is_not_there_has_not_taken_it() -> None:
    with pytest.raises(MessageNotTaken):
        await HttpMessenger("http://127.0.0.1:1/", None).send(MESSAGE)


def test_the_settings_choose_the_messenger(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, secret="x" * 32)
    assert isinstance(messenger_of(settings), FolderMessenger)
    assert isinstance(messenger_of(Settings(data_dir=tmp_path, secret="x" * 32, sms_url="https://x")), HttpMessenger)
