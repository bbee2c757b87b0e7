"""The real yjs in a node process, asked over its standard input; see `worker.mjs`."""

import base64
import json
import subprocess
from typing import Any

from apex_sync.ids import b64


class Yjs:
    """Asks one node process for all tests; starting one for each history would take minutes."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def read(self, *updates: bytes, reader: tuple[bytes, ...] = ()) -> dict[str, Any]:
        """Apply updates in their order; see `worker.mjs`."""
        answer = self._ask(updates=_texts(updates), reader=_texts(reader))
        return {
            "ops": {name: base64.b64decode(op) for name, op in answer["ops"].items()},
            "pending": answer["pending"],
            **{name: base64.b64decode(answer[name]) for name in ("update", "delta", "merged")},
        }

    def write(self, base: bytes, client_id: int, first_clock: int, ops: list[bytes]) -> tuple[bytes, bytes]:
        """Write ops as a plain Yjs client does; give what it would push, and its whole document."""
        keyed = [(f"{b64(client_id)}.{b64(clock)}", text) for clock, text in enumerate(_texts(tuple(ops)), first_clock)]
        answer = self._ask(base=_texts((base,)), client_id=client_id, ops=keyed)
        assert answer["client_id"] == client_id
        return base64.b64decode(answer["push"]), base64.b64decode(answer["update"])

    def _ask(self, **request: Any) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, f"yjs did not survive {request!r} (exit {self._process.wait()})"
        answer: dict[str, Any] = json.loads(line)
        return answer


def _texts(values: tuple[bytes, ...]) -> list[str]:
    return [base64.b64encode(value).decode() for value in values]
