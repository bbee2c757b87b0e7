"""pycrdt in a process of its own, so that bytes which crash it fail one test and not the run.

Reads msgpack requests, each behind its length, from standard input, and answers them the same way. Only bytes that the
strict codec has accepted are ever sent here.
"""

import struct
import sys
from typing import Any, BinaryIO

import msgspec
from pycrdt import Doc, Map, merge_updates


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Apply `updates` to an empty document in their order, and say what it holds.

    `ops` by key; `update` the whole document; `delta` what a reader with the state vector of `reader` lacks; `merged`
    the updates merged without a document.
    """
    document = _document(request["updates"])
    ops = {name: bytes(value) for name, value in document.get("o", type=Map).items()}
    reader = _document(request.get("reader", []))
    return {
        "ops": ops,
        "update": document.get_update(),
        "delta": document.get_update(reader.get_state()),
        "merged": merge_updates(*request["updates"]) if request["updates"] else b"\x00\x00",
    }


def write(request: dict[str, Any]) -> dict[str, Any]:
    """Write a document the way a plain program would: values under keys by several clients, some taken away again."""
    document: Doc[Any] = Doc()
    for client_id, entries, removed in request["write"]:
        own: Doc[Any] = Doc(client_id=client_id)
        ops = own.get("o", type=Map)
        for name, value in entries:
            ops[name] = value
        for name in removed:
            del ops[name]
        document.apply_update(own.get_update())
    return {"update": document.get_update()}


def _document(updates: list[bytes]) -> Doc[Any]:
    document: Doc[Any] = Doc()
    for each in updates:
        document.apply_update(each)
    return document


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer until the input ends."""
    while head := requests.read(4):
        request = msgspec.msgpack.decode(requests.read(struct.unpack(">I", head)[0]))
        body = msgspec.msgpack.encode(write(request) if "write" in request else answer(request))
        answers.write(struct.pack(">I", len(body)) + body)
        answers.flush()


if __name__ == "__main__":
    serve(sys.stdin.buffer, sys.stdout.buffer)
