"""Verification: whether all that is stored follows from the documents, and the documents are sound.

Reads each scope as it is at one moment, so the server may go on serving. Records pass through in pages of bounded size,
and beside them, in the same order, what audit and dead ops say of them: memory does not grow with the database.

Not covered, because only devices know it: dead clocks whose op nobody remembers. After a restore such clocks are buried
on purpose (docs/protocol.md).
"""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from itertools import groupby
from typing import Any, get_args
from uuid import UUID

from msgspec import Struct, field

from apex_server.audit import AuditChain
from apex_server.db import Connection, Database, load_queries
from apex_server.operations.chain_checks import problem_of_event_chain, problem_of_scope_chain
from apex_server.operations.record_checks import AuditedClient, Check, DeadRun, RecordOnTrial, problems_of
from apex_server.sync.projection_tables import TABLES
from apex_server.sync.projections import VERSION
from apex_server.sync.sealing import DocumentSeal, seal_of_scope
from apex_server.sync.store import DAMAGED, Row
from apex_server.vault import KeyDestroyed, SealBroken, Vault
from apex_sync.digest import DIGEST_MODULUS, digest_bytes
from apex_sync.ids import Scope

__all__ = ["ADVICE", "Damage", "Verification", "verify"]

queries = load_queries(__package__)

DAMAGES_MAX = 1000
"""Damages that are listed; more of them are counted, and have one cause."""

PAGE_RECORDS = 500
PAGE_BYTES = 8 * 1024 * 1024
AHEAD_ROWS = 2000
FLAGS = ("needs_review", "has_conflicts", "deleted", "is_long")
FIRST_ID = UUID(int=0)
OF_RECORDS = ("audit", "dead_ops", *TABLES)
"""Tables whose rows belong to a record."""

ADVICE: Mapping[Check, str] = {
    "documents": "a device that has the record brings it back by itself; else restore a backup from before the damage",
    "digests": "restore a backup from before the damage; devices then bring back what came since",
    "flags": "the next change of the record sets them; until then lists of what to look at may miss it",
    "rows": "apex-server rebuild makes them anew",
    "audit": "devices may be sent more than they need, or a change late; restore a backup from before the damage",
    "chains": "somebody wrote to the audit by hand; compare with a backup from before, and find out who could",
    "dead ops": "an op sent again may be taken for a fork, which costs its device a new id and nothing else",
    "scopes": "every sync of this scope looks for a difference; restore a backup from before the damage",
    "orphans": "relational rows go with apex-server rebuild; others are of records that were deleted by hand",
    "media": "bring back what is named from a folder apex-server.media of the backups; what opens nowhere is lost",
}
"""What a damage means or what to do about it."""

Progress = Callable[[int, int], None]
"""Records that were looked at, of how many."""


class Damage(Struct, frozen=True, omit_defaults=True):
    """One thing that is not as it must be."""

    check: Check
    words: str
    scope: str = ""
    record_id: str = ""


class Verification(Struct):
    """What was looked at and what was wrong, counted by check; `damages` lists the first of what was wrong."""

    looked_at: dict[Check, int] = field(default_factory=lambda: dict.fromkeys(get_args(Check), 0))
    wrong: dict[Check, int] = field(default_factory=lambda: dict.fromkeys(get_args(Check), 0))
    damages: list[Damage] = field(default_factory=list)

    @property
    def is_sound(self) -> bool:
        """Whether nothing was wrong."""
        return not any(self.wrong.values())

    def looked(self, check: Check, count: int = 1) -> None:
        """Count what was looked at."""
        self.looked_at[check] += count

    def found(self, damage: Damage) -> None:
        """Count a damage, and list it while the list is short."""
        self.wrong[damage.check] += 1
        if len(self.damages) < DAMAGES_MAX:
            self.damages.append(damage)


async def verify(database: Database, told: Progress = lambda done, total: None) -> Verification:
    """Look at everything. Raises DatabaseUnavailable; nothing is ever written."""
    verification = Verification()
    chain = AuditChain(database.vault.server_key("audit_chain"))
    async with one_moment(database) as connection:
        await verify_events(connection, chain, verification)
        chained_since = await connection.fetchval(queries.verify_chained_since)
        scopes = await connection.fetch(queries.verify_scopes)
        await look_for_strays(connection, verification)
        if await connection.fetchval("SELECT projections_version FROM server_identity") != VERSION:
            words = "were made by another version; the worker makes them anew when it starts, or apex-server rebuild"
            verification.found(Damage("rows", f"relational rows {words}"))
    total, done = sum(row["record_count"] for row in scopes), 0
    for row in scopes:
        async with one_moment(database) as connection:
            async for count in verify_scope(connection, database.vault, row["name"], verification):
                done += count
                told(min(done, total), total)
            await verify_scope_chain(connection, row["name"], chain, chained_since, verification)
    return verification


@asynccontextmanager
async def one_moment(database: Database) -> AsyncIterator[Connection]:
    """Give a connection that sees one moment, for as long as it takes."""
    async with (
        database.commit_connection() as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        await connection.execute("SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0")
        yield connection


async def verify_scope(
    connection: Connection, vault: Vault, name: str, verification: Verification
) -> AsyncIterator[int]:
    """Look at one scope and all its records; gives their number, page by page."""
    scope = await connection.fetchrow(queries.verify_scope, name)
    scope_id = scope["scope_id"]
    verification.looked("scopes")
    seal = await seal_to_try(connection, vault, name)
    digest = 0
    audit = _Beside(await connection.cursor(queries.verify_audit, scope_id))
    dead = _Beside(await connection.cursor(queries.verify_dead_ops, scope_id))
    last = FIRST_ID
    while page := await connection.fetch(queries.verify_records, scope_id, last, PAGE_RECORDS, PAGE_BYTES):
        last = page[-1]["record_id"]
        beside = await audit.up_to(last), await dead.up_to(last)
        for record in await on_trial(connection, scope_id, seal, page, *beside):
            digest += int.from_bytes(record.digest, "big")
            count(record, verification)
            for check, words in problems_of(record):
                verification.found(Damage(check, words, name, str(record.record_id)))
        yield len(page)
    for words in scope_problems(name, scope, digest % DIGEST_MODULUS):
        verification.found(Damage("scopes", words, name))
    for table in OF_RECORDS:
        verification.looked("orphans")
        strays = await connection.fetchval(strays_of_scope(table), scope_id)
        if strays:
            verification.found(Damage("orphans", f"{strays} rows in {table} belong to no record", name))


async def verify_scope_chain(
    connection: Connection, name: str, chain: AuditChain, chained_since: datetime, verification: Verification
) -> None:
    """Follow the chain of a scope's audit."""
    verification.looked("chains")
    scope = await connection.fetchrow(queries.verify_scope_head, name)
    rows = connection.cursor(queries.verify_scope_chain, scope["scope_id"], prefetch=AHEAD_ROWS)
    problem = await problem_of_scope_chain(chain, scope["scope_id"], scope["chain"], rows, chained_since=chained_since)
    if problem is not None:
        verification.found(Damage("chains", problem, name))


async def verify_events(connection: Connection, chain: AuditChain, verification: Verification) -> None:
    """Follow the events of every person."""
    async for subject_id, *head in connection.cursor(queries.verify_event_chains, prefetch=AHEAD_ROWS):
        verification.looked("chains")
        rows = connection.cursor(queries.verify_event_chain, subject_id, prefetch=AHEAD_ROWS)
        problem = await problem_of_event_chain(chain, subject_id, head, rows)
        if problem is not None:
            verification.found(Damage("chains", problem))


def scope_problems(name: str, scope: Any, digest: int) -> Iterable[str]:
    """Compare what a scope says with what its records do."""
    if not is_key_of(name, scope["scope_id"]):
        yield "its key is not the one of its name"
    if scope["digest"] != digest_bytes(digest):
        yield "its digest is not the sum of its records'"
    if scope["record_count"] != scope["records_found"]:
        yield f"it counts {scope['record_count']} records and has {scope['records_found']}"
    if scope["seq"] != scope["last_seq"]:
        yield f"it stands at {scope['seq']}, and its last record at {scope['last_seq']}"


async def seal_to_try(connection: Connection, vault: Vault, name: str) -> DocumentSeal | None:
    """Give what should open the documents of a scope; None where nothing does."""
    try:
        return await seal_of_scope(connection, vault, name)
    except (KeyDestroyed, ValueError):
        return None


def opened(seal: DocumentSeal | None, row: Any) -> bytes | None:
    """Open a document, if that can be done."""
    doc = DAMAGED if seal is None else seal.open(row["record_id"].bytes, row["digest"], row["doc"])
    return None if doc == DAMAGED else doc


def opened_row(seal: DocumentSeal | None, table: str, row: Row) -> Row:
    """Open a projection row, if that can be done; as it is, it equals none that a document projects to."""
    try:
        return seal.open_row(table, row) if seal is not None else row
    except (SealBroken, UnicodeError):
        return row


def is_key_of(name: str, scope_id: UUID) -> bool:
    try:
        return Scope.parse(name).id == scope_id
    except ValueError:
        return False


def count(record: RecordOnTrial, verification: Verification) -> None:
    for check in ("documents", "digests", "flags"):
        verification.looked(check)
    verification.looked("rows", sum(map(len, record.rows.values())))
    verification.looked("audit", len(record.audited))
    verification.looked("dead ops", sum(run.end_clock - run.first_clock for run in record.dead))


class _Beside:
    """Rows about records in the order of their ids, read along with the records, some ahead."""

    def __init__(self, cursor: Any) -> None:
        self._cursor = cursor
        self._ahead: list[Any] = []
        self._is_done = False

    async def up_to(self, record_id: UUID) -> dict[UUID, list[Any]]:
        """Give the rows of all records up to and including this one that were not given yet."""
        while not self._is_done and (not self._ahead or self._ahead[-1]["record_id"] <= record_id):
            rows = await self._cursor.fetch(AHEAD_ROWS)
            self._ahead += rows
            self._is_done = len(rows) < AHEAD_ROWS
        taken = [row for row in self._ahead if row["record_id"] <= record_id]
        self._ahead = self._ahead[len(taken) :]
        return {key: list(rows) for key, rows in groupby(taken, key=_record_id)}


def _record_id(row: Any) -> UUID:
    record_id: UUID = row["record_id"]
    return record_id


async def on_trial(
    connection: Connection,
    scope_id: UUID,
    seal: DocumentSeal | None,
    page: Sequence[Any],
    audit: dict[UUID, list[Any]],
    dead: dict[UUID, list[Any]],
) -> list[RecordOnTrial]:
    """Put together what is known of the records of a page."""
    rows: dict[UUID, dict[str, list[Row]]] = {row["record_id"]: {} for row in page}
    for table, declared in TABLES.items():
        # The names are our own; every value is a parameter.
        columns = ", ".join(column.name for column in declared.columns)
        query = f"SELECT record_id, {columns} FROM {table} WHERE scope_id = $1 AND record_id = ANY($2::uuid[])"  # noqa: S608
        for record_id, *values in await connection.fetch(query, scope_id, list(rows)):
            rows[record_id].setdefault(table, []).append(opened_row(seal, table, tuple(values)))
    return [
        RecordOnTrial(
            record_id=row["record_id"],
            collection=row["collection"],
            seq=row["seq"],
            doc=opened(seal, row),
            digest=row["digest"],
            flags={name: row[name] for name in FLAGS},
            rows=rows[row["record_id"]],
            audited=[
                AuditedClient(each["client_id"], each["next_clock"], each["gapless"], each["last_seq"])
                for each in audit.get(row["record_id"], ())
            ],
            dead=[
                DeadRun(each["client_id"], each["first_clock"], each["end_clock"])
                for each in dead.get(row["record_id"], ())
            ],
        )
        for row in page
    ]


async def look_for_strays(connection: Connection, verification: Verification) -> None:
    """Look for rows of scopes that are not there."""
    for table in ("records", *OF_RECORDS):
        verification.looked("orphans")
        query = (
            f"SELECT DISTINCT scope_id FROM {table} AS stray "  # noqa: S608 - the names are our own.
            "WHERE NOT EXISTS (SELECT 1 FROM scopes WHERE scopes.scope_id = stray.scope_id) ORDER BY scope_id LIMIT 100"
        )
        for row in await connection.fetch(query):
            verification.found(Damage("orphans", f"rows in {table} of scope {row['scope_id']}, which is not there"))


def strays_of_scope(table: str) -> str:
    """Count rows of records that are not there."""
    return (
        f"SELECT count(*) FROM {table} AS stray WHERE stray.scope_id = $1 AND NOT EXISTS ("  # noqa: S608 - as above.
        "SELECT 1 FROM records WHERE records.scope_id = stray.scope_id AND records.record_id = stray.record_id)"
    )
