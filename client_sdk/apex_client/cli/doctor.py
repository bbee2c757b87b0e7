"""`apex doctor`: whether the replica file is sound, and what stands between it and the server."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple
from uuid import UUID

import typer

from apex_client.cli.examples import examples
from apex_client.cli.opening import NO_DB, Db, opened
from apex_client.cli.screen import ago, counted, escaped, out, size

if TYPE_CHECKING:
    from apex_client.blocking import Replica

ALL_ROWS = 2**31 - 1
PAGE_RECORDS = 500
SCOPES_SHOWN = 5
"""A coach has one for every athlete."""

PROBLEMS_MAX = 5
"""How many of a kind are named; the rest is counted."""


RECORDS_PAGE = """
    SELECT record_no, record_id, next = acked AS acknowledged, digest, document
    FROM held_records
    WHERE record_no > ?
    ORDER BY record_no
    LIMIT ?
"""

SCOPES = """
    SELECT scope.name, scope.digest, scope.remaining, record.digest AS record_digest
    FROM held_scopes AS scope
    LEFT JOIN held_records AS record ON record.scope_no = scope.scope_no
    ORDER BY scope.name
"""

OUTBOX = """
    SELECT count(*) AS records, coalesce(sum(ops), 0) AS ops, coalesce(sum(sent), 0) AS sent
    FROM outbox
"""


class Finding(NamedTuple):
    """What one look found; only `wrong` makes the command fail."""

    what: str
    state: Literal["good", "note", "wrong"]
    words: str


STYLES = {"good": "[green]ok[/]  ", "note": "[yellow]note[/]", "wrong": "[bold red]BAD[/] "}


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command(rich_help_panel="Data", epilog=examples("apex doctor", "apex doctor --offline"))(doctor)


def doctor(
    offline: Annotated[bool, typer.Option("--offline", metavar="", help="Do not ask the server.")] = False,
    db: Db = NO_DB,
) -> None:
    """Check the file, every record in it, the outbox and the way to the server. Changes nothing."""
    looks: list[Callable[[Replica], Iterator[Finding]]] = [_file, _records, _scopes, _outbox]
    with opened(db) as replica:
        findings = [finding for look in looks for finding in look(replica)]
        findings += [] if offline else _server(replica)
    for finding in findings:
        out().print(f"{STYLES[finding.state]}  {finding.what:<9} {escaped(finding.words)}", soft_wrap=True)
    if any(finding.state == "wrong" for finding in findings):
        out().print("\nkeep a copy of the file; a new replica (another --db) fetches everything the server has")
        raise typer.Exit(1)


def _file(replica: "Replica") -> Iterator[Finding]:
    found = replica.query("PRAGMA integrity_check")
    problems = [str(row["integrity_check"]) for row in found if row["integrity_check"] != "ok"]
    problems += [
        f"row {row['rowid']} of {row['table']} hangs loose" for row in replica.query("PRAGMA foreign_key_check")
    ]
    schema = replica.query("PRAGMA user_version")[0]["user_version"]
    sound = f"{replica.path}, {size(replica.path.stat().st_size)}, schema {schema}, sound"
    yield Finding("file", "wrong", _some(problems)) if problems else Finding("file", "good", sound)
    if replica.path.stat().st_mode & 0o077:
        yield Finding("file", "note", f"other users may read it: chmod 600 {replica.path}")


def _records(replica: "Replica") -> Iterator[Finding]:
    """Parse every document strictly, and compare its digest where the server has all of it."""
    total, problems, after = 0, [], 0
    while rows := replica.query(RECORDS_PAGE, (after, PAGE_RECORDS)):
        problems += [f"{row['record_id']}: {wrong}" for row in rows if (wrong := _wrong_with(row))]
        total, after = total + len(rows), rows[-1]["record_no"]
    if problems:
        yield Finding("records", "wrong", _some(problems))
    else:
        yield Finding(
            "records", "good", f"{counted(total, 'record')}, each readable and with the digest it should have"
        )


def _wrong_with(row: dict[str, Any]) -> str | None:
    from apex_sync.digest import digest_bytes, record_digest
    from apex_sync.errors import MalformedUpdate
    from apex_sync.wire import parse_document

    try:
        document = parse_document(row["document"])
    except MalformedUpdate as error:
        return str(error)
    if row["acknowledged"] and digest_bytes(record_digest(UUID(row["record_id"]).bytes, document)) != row["digest"]:
        return "its digest is not that of its content"
    return None


def _scopes(replica: "Replica") -> Iterator[Finding]:
    """Add up the digests of each scope's records: the figure by which replica and server know they agree."""
    from apex_sync.digest import add_digests

    sums: dict[str, int] = {}
    kept: dict[str, tuple[int, int]] = {}
    for row in replica.query(SCOPES, limit=ALL_ROWS):
        kept[row["name"]] = int.from_bytes(row["digest"], "big"), row["remaining"]
        change = int.from_bytes(row["record_digest"] or b"", "big")
        sums[row["name"]] = add_digests(sums.get(row["name"], 0), (0, change))
    wrong = [name for name, (digest, _) in kept.items() if digest != sums[name]]
    if wrong:
        yield Finding(
            "scopes", "wrong", _some([f"the digest of {name} is not the sum of its records'" for name in wrong])
        )
    for name, (digest, remaining) in list(kept.items())[:SCOPES_SHOWN]:
        more = f", {counted(remaining, 'record')} still to be fetched" if remaining else ""
        if name not in wrong:
            yield Finding("scope", "good", f"{name}, digest {digest:032x}{more}")
    if len(kept) > SCOPES_SHOWN:
        yield Finding(
            "scopes", "good", f"{counted(len(kept) - len(wrong), 'scope')} in all with the digest they should have"
        )


def _outbox(replica: "Replica") -> Iterator[Finding]:
    status = replica.status()
    box = replica.query(OUTBOX)[0]
    if box["records"]:
        age = ago(status.oldest_pending_seconds or 0)
        words = f"{counted(box['records'], 'record')} with {counted(box['ops'], 'edit')} unsent, the oldest for {age}"
        sent = f"; {counted(box['sent'], 'record')} sent before without an answer" if box["sent"] else ""
        yield Finding("outbox", "note", f"{words}{sent}: apex sync")
    else:
        yield Finding("outbox", "good", "everything is sent")
    if status.rejected:
        yield Finding("refused", "note", f"{counted(status.rejected, 'edit')}: apex rejected")
    if status.conflicted:
        yield Finding("conflicts", "note", f"{counted(status.conflicted, 'record')}: apex conflicts")


def _server(replica: "Replica") -> Iterator[Finding]:
    from apex_client.errors import SyncFailed

    if replica.server is None:
        yield Finding("server", "note", "none is known yet: apex login --server URL --email YOU")
        return
    try:
        me = replica.request("GET", "/api/auth/me")
    except SyncFailed as error:
        yield Finding("server", "note", f"{replica.server}: {error}")
    else:
        yield Finding("server", "good", f"{replica.server} knows this device as {me['user']['email']}'s")


def _some(problems: list[str]) -> str:
    more = len(problems) - PROBLEMS_MAX
    return "; ".join(problems[:PROBLEMS_MAX]) + (f"; and {more} more" if more > 0 else "")
