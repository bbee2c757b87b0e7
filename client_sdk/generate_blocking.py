"""Write the blocking half of the SDK anew from the async one: `python client_sdk/generate_blocking.py`.

The async modules are the truth. Their blocking twins differ by a handful of words (no `await`, `Client` for
`AsyncClient`), so they are made by replacing tokens, committed, and held to their sources by a test. What really
differs stands written by hand in `blocking/`: how a call reaches the replica file, waiting, watching, and the reading
connection.
"""

import io
import re
import subprocess
import sys
import tokenize
from pathlib import Path

SDK = Path(__file__).parent / "apex_client"
GENERATED = (
    "account",
    "analytics",
    "athletes",
    "body_metrics",
    "checkins",
    "clients",
    "conflicts",
    "exercises",
    "foods",
    "http_transport",
    "importing",
    "insights",
    "media",
    "people",
    "photos",
    "messages",
    "nutrition",
    "privacy",
    "programs",
    "records",
    "rejected",
    "replica",
    "resources",
    "sync_loop",
    "transport",
    "workouts",
)
WRITTEN_BY_HAND = ("feed", "hop", "query", "waiting")

NAMES = {
    "AsyncClient": "Client",
    "AsyncExitStack": "ExitStack",
    "aclose": "close",
    "aiter_raw": "iter_raw",
    "asyncio": "sync",
    "enter_async_context": "enter_context",
    "__aenter__": "__enter__",
    "__aexit__": "__exit__",
}
PROSE = (
    (re.compile(r"\bawait "), ""),
    (re.compile(r"\basync (with|for)\b"), r"\1"),
    (
        re.compile(r"The\s+blocking twin, for hosts without an event loop, is `apex_client\.blocking\.Replica`\."),
        "The\nasync twin is `apex_client.Replica`.",
    ),
    (re.compile(r"until cancelled"), "until `stop`"),
    (re.compile(r"httpx\.AsyncClient"), "httpx.Client"),
)
HEADER = "# Made from ../{name}.py by client_sdk/generate_blocking.py; edit that file instead.\n"


def blocking_source(name: str) -> str:
    """Give the blocking twin of an async module."""
    source = (SDK / f"{name}.py").read_text("utf-8")
    text = HEADER.format(name=name) + _without_async(source)
    for module in (*GENERATED, *WRITTEN_BY_HAND):
        text = text.replace(f"from apex_client.{module} import", f"from apex_client.blocking.{module} import")
    return _formatted(text, SDK / "blocking" / f"{name}.py")


def _without_async(source: str) -> str:
    lines = source.splitlines(keepends=True)
    pieces: list[str] = []
    at = (1, 0)
    skip_blank = False
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type in (tokenize.NEWLINE, tokenize.NL, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER):
            continue
        between = _text(lines, at, token.start)
        pieces.append("" if skip_blank else between)
        skip_blank = token.type == tokenize.NAME and token.string in ("async", "await")
        if not skip_blank:
            pieces.append(_replaced(token))
        at = token.end
    return "".join(pieces) + _text(lines, at, (len(lines) + 1, 0))


def _replaced(token: tokenize.TokenInfo) -> str:
    if token.type == tokenize.NAME:
        return NAMES.get(token.string, token.string)
    text = token.string
    if token.type in (tokenize.STRING, tokenize.COMMENT):
        for pattern, replacement in PROSE:
            text = pattern.sub(replacement, text)
    return text


def _text(lines: list[str], start: tuple[int, int], end: tuple[int, int]) -> str:
    if start[0] == end[0]:
        return lines[start[0] - 1][start[1] : end[1]] if start[0] <= len(lines) else ""
    first = lines[start[0] - 1][start[1] :]
    last = lines[end[0] - 1][: end[1]] if end[0] <= len(lines) else ""
    return first + "".join(lines[start[0] : end[0] - 1]) + last


def _formatted(text: str, path: Path) -> str:
    ruff = Path(sys.executable).with_name("ruff")
    for command in (("check", "--fix-only", "--quiet", "--select", "I"), ("format",)):
        done = subprocess.run(  # noqa: S603
            [ruff, *command, "--stdin-filename", path, "-"], input=text, capture_output=True, text=True, check=True
        )
        text = done.stdout
    return text


def main() -> None:
    """Write every twin."""
    for name in GENERATED:
        (SDK / "blocking" / f"{name}.py").write_text(blocking_source(name), "utf-8")


if __name__ == "__main__":
    main()
