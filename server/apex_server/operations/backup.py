"""Backing up: everything that cannot be made anew, as it was at one moment, into one file, while the server serves.

One read-only transaction copies all tables, so the backup is the state between two commits. Left out are relational
rows, which follow from the documents and are made anew by a restore, and what a server does not need to go on: the
queues (what is due stands in `analyses_due`), the counters of the login throttle, and copies made for people to take.

What people wrote is in it sealed, and the keys are not: they stand in a file of their own (vault/key_file.py), so that
destroying a key erases a person from backups. Photos and files, which never change, are copied beside it, each once
(media_copies.py). A backup holds no password and no token, only their hashes; neither
APEX_SECRET nor APEX_MASTER_KEY is in it.
Why COPY and not pg_dump: docs/decisions/backups_by_copy.md.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import asyncpg
from anyio import to_thread

from apex_server.db import load_queries
from apex_server.media import media_store_of
from apex_server.media.directory import DirectoryStore
from apex_server.operations.backup_file import BackedUpTable, BackupWriter, Manifest, SchemaStep
from apex_server.operations.errors import BackupIncomplete
from apex_server.operations.media_copies import COPIES_NAME, copy_media, prune_copies
from apex_server.operations.owner import connected_owner
from apex_server.settings import Settings
from apex_server.sync.projection_tables import TABLES
from apex_server.vault import KEY_FILE_NAME, renew_key_file

__all__ = ["LEFT_OUT", "back_up", "fingerprint"]

queries = load_queries(__package__)

LEFT_OUT = frozenset(
    {
        *TABLES,
        "code_attempts",
        "data_keys",  # These two stand in the key file, where destroying a key reaches them.
        "server_keys",
        "export_chunks",
        "exports",
        "login_attempts",
        "mails",
        "pgqueuer",
        "pgqueuer_log",
        "pgqueuer_schedules",
        "pgqueuer_statistics",
        "refused_sign_ins",
        "sms_sends",
        "used_budgets",
        "schema_migrations",  # The manifest names them, and a restore applies them.
    }
)

Progress = Callable[[int, int], None]
"""Bytes that were read, of about how many."""


async def back_up(
    settings: Settings,
    path: Path,
    told: Progress = lambda done, total: None,
    *,
    keys: Path | None = None,
) -> Manifest:
    """Write a backup of the database, and give what is in it; its keys replace those in the key file beside it.

    Media of a directory that are not among the copies beside it yet are added to them.

    Raises BackupExists, KeyFileForeign, NotAKeyFile, BackupIncomplete, OSError, and what `connected_owner` raises; then
    there is no such file, unless the database went away in the last moment.
    """
    made_at = datetime.now(UTC)
    async with connected_owner(settings) as owner:
        with BackupWriter.open(path, made_at) as writer:
            async with owner.transaction(isolation="repeatable_read", readonly=True):
                manifest = Manifest(
                    made_at=made_at,
                    server_version=version("apex-sync-server"),
                    **await describe(owner),
                    secret_fingerprint=fingerprint(settings.secret),
                    tables=await copy_out(owner, writer, told),
                )
            writer.describe(manifest)
            if isinstance(store := media_store_of(settings), DirectoryStore):
                copies = path.with_name(COPIES_NAME)
                await copy_media(owner, store.root, copies)
                await to_thread.run_sync(prune_copies, copies, made_at)
            # Before the backup has its name: so there never is one without its keys, and older ones open with them,
            # too. And as they are now: who was erased while the tables were copied is not in it.
            await renew_key_file(owner, keys or path.with_name(KEY_FILE_NAME), made_at)
        # Once it is whole and on the disk: data keys that only older ones need may go now.
        await owner.execute(queries.note_backup, made_at)
    return manifest


def fingerprint(secret: str) -> str:
    """Give 8 bytes in hex by which an installation's secret is recognised."""
    return hashlib.blake2b(secret.encode(), digest_size=8, person=b"apex backup").hexdigest()


async def describe(owner: asyncpg.Connection) -> dict[str, Any]:
    life = await owner.fetchrow(queries.get_life)
    schema = [
        SchemaStep(row["version"], row["name"], row["sha256"].hex()) for row in await owner.fetch(queries.list_schema)
    ]
    return {"schema": schema, "epoch": life["epoch"].hex(), "postgres_version": life["postgres_version"]}


async def copy_out(owner: asyncpg.Connection, writer: BackupWriter, told: Progress) -> list[BackedUpTable]:
    rows = {row["name"]: row for row in await owner.fetch(queries.list_tables) if row["name"] not in LEFT_OUT}
    hidden = [name for name, row in rows.items() if row["hides_rows"]]
    if hidden:
        raise BackupIncomplete(hidden)
    references = [(row["child"], row["parent"]) for row in await owner.fetch(queries.list_references)]
    total = sum(row["bytes"] for row in rows.values())
    done = 0
    copied = []
    for name in in_order(rows, references):
        told(done, total)
        copied.append(await copy_table(owner, writer, name, rows[name]["columns"]))
        done += rows[name]["bytes"]
    told(total, total)
    return copied


async def copy_table(
    owner: asyncpg.Connection, writer: BackupWriter, name: str, columns: Sequence[str]
) -> BackedUpTable:
    failures: list[OSError] = []
    with writer.table(name) as sink:

        async def take(chunk: bytes) -> None:
            # asyncpg may wait for ever when what takes its bytes raises; the rest of the table is read and let go.
            try:
                if not failures:
                    sink.write(chunk)
            except OSError as error:
                failures.append(error)

        # A query and not the table: COPY of a table under row-level security is refused. The names are the catalogue's.
        query = f"SELECT {', '.join(map(quoted, columns))} FROM public.{quoted(name)}"  # noqa: S608
        status = await owner.copy_from_query(query, output=take, format="binary")
        if failures:
            raise failures[0]
    return BackedUpTable(name, list(columns), int(status.split()[-1]), sink.bytes, sink.sha256)


def quoted(name: str) -> str:
    return '"{}"'.format(name.replace('"', '""'))


def in_order(names: Iterable[str], references: Iterable[tuple[str, str]]) -> list[str]:
    """Order tables so that each stands after those it refers to.

    >>> in_order(["devices", "sessions", "users"], [("devices", "users"), ("sessions", "devices")])
    ['users', 'devices', 'sessions']
    """
    parents: dict[str, set[str]] = {name: set() for name in names}
    for child, parent in references:
        if child in parents and parent in parents:
            parents[child].add(parent)
    ordered: list[str] = []
    while parents:
        free = sorted(name for name, before in parents.items() if before <= set(ordered))
        if not free:
            raise ValueError(f"tables that refer to each other in a circle: {sorted(parents)}")
        ordered += free
        for name in free:
            del parents[name]
    return ordered
