"""What the engine's tests share: pycrdt at arm's length."""

import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import Phase, settings

from apex_sync.document import Document
from apex_sync.ids import b64

# For planted bugs: that an example fails is enough, nobody reads it; and whether one does is no matter of luck.
settings.register_profile(
    "unshrunk", settings.get_profile("apex"), phases=[Phase.explicit, Phase.generate], derandomize=True
)


class Pycrdt:
    """Asks the worker process; a crash there is an error here, with the request that caused it."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._process = process

    def read(self, *updates: bytes, reader: tuple[bytes, ...] = ()) -> dict[str, Any]:
        """Apply updates in their order; see `pycrdt_worker.answer`."""
        return self._ask({"updates": updates, "reader": reader})

    def write(self, clients: list[tuple[int, list[tuple[str, bytes]], list[str]]]) -> bytes:
        """Have documents written; see `pycrdt_worker.write`."""
        update: bytes = self._ask({"write": clients})["update"]
        return update

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        body = msgspec.msgpack.encode(request)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(struct.pack(">I", len(body)) + body)
        self._process.stdin.flush()
        head = self._process.stdout.read(4)
        assert head, f"pycrdt did not survive {request!r} (exit {self._process.wait()})"
        answer: dict[str, Any] = msgspec.msgpack.decode(self._process.stdout.read(struct.unpack(">I", head)[0]))
        return answer


@pytest.fixture(scope="session")
def pycrdt() -> Iterator[Pycrdt]:
    """Give pycrdt in a process of its own."""
    worker = Path(__file__).with_name("pycrdt_worker.py")
    with subprocess.Popen([sys.executable, str(worker)], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        yield Pycrdt(process)
        assert process.stdin is not None
        process.stdin.close()


def ops_by_key(document: Document) -> dict[str, bytes]:
    """Give the live ops as any Yjs implementation shows them: the entries of the root map."""
    return {
        f"{b64(client_id)}.{b64(clock)}": op for client_id, ops in document.ops.items() for clock, op in ops.items()
    }
