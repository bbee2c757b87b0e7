"""Restoring a backup: the schema it was made with, its rows, the migrations since, a new epoch; all of it or nothing.

One transaction does it, so a file that turns out to be bad, a full disk or a kill -9 leaves the database as it was.
Only the relational rows come after it, from the documents; a server that is started before they are there makes them by
itself. And photos and files that the store lacks come back from the copies beside the backup.

What takes the place of its own former state stays the same database. Anything else is another one from then on, for
beside the first, as a staging server is, it must not take the files of the first for its own and clear them up.

The new epoch makes every device offer again what it holds, so what was written after the backup comes back as far as
any device has it. Accounts that were made after the backup do not.
"""

from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

import asyncpg

from apex_server.db import Database, load_queries
from apex_server.db.migrate import Migration, apply_together, load_migrations, migration_lock
from apex_server.db.roles import ensure_roles
from apex_server.media import media_store_of
from apex_server.media.directory import DATABASES, DirectoryStore
from apex_server.operations.backup import Progress, fingerprint, quoted
from apex_server.operations.backup_file import BackedUpTable, BackupReader, Manifest
from apex_server.operations.errors import BackupNewer, DatabaseInUse, DatabaseNotEmpty
from apex_server.operations.media_copies import COPIES_NAME, copy_media
from apex_server.operations.owner import connected_owner
from apex_server.operations.restored_keys import (
    check_keys,
    check_master_keys,
    keep_erased,
    put_keys,
    resume_renewals,
)
from apex_server.settings import Settings
from apex_server.sync import rebuild_projections
from apex_server.vault import KEY_FILE_NAME, master_keys_of, read_key_file

__all__ = ["Restored", "restore"]

queries = load_queries(__package__)


FIRST_KEYS = 50
"""The migration that brought keys; a backup from before holds nothing sealed."""


class Restored(NamedTuple):
    """What was restored, into which epoch, how many records have rows again, and whether the secret is the old one.

    `erased` are the people who were erased after the backup was made, and are not brought back; of so many `media` the
    files are neither in the store nor beside the backup. `foreign_mark` stands in the directory of media for the
    database that the backup is of: what was restored is another.
    """

    manifest: Manifest
    epoch: bytes
    projected: int
    same_secret: bool
    erased: int
    media_lacking: int
    foreign_mark: Path | None


async def restore(
    settings: Settings,
    path: Path,
    *,
    keys: Path | None = None,
    replace: bool = False,
    migrations: Sequence[Migration] | None = None,
    told: Progress = lambda done, total: None,
) -> Restored:
    """Put a backup in the place of the database, which must be empty unless it is to be replaced.

    `keys` is the key file of the newest backup of the installation; it is looked for beside the backup. Raises
    KeyFileMissing, NotAKeyFile, KeysLacking, KeysRenewed, MasterKeyMissing, NotABackup, BackupDamaged, BackupNewer,
    DatabaseNotEmpty, DatabaseInUse, DatabaseRefused, a MigrationError, RolesMissing or OSError, and then nothing is
    changed; DatabaseUnavailable, where at most the relational rows are missing.
    """
    known = load_migrations() if migrations is None else migrations
    with BackupReader.open(path) as reader:
        before, after = split_migrations(path, reader.manifest, known)
        master_keys = master_keys_of(settings)
        key_path = keys or path.with_name(KEY_FILE_NAME)
        is_sealed = any(migration.version == FIRST_KEYS for migration in before)
        held = read_key_file(key_path) if is_sealed or key_path.exists() else None
        if held is not None:
            await check_master_keys(held, master_keys)
        meter = Meter(told, sum(table.bytes for table in reader.manifest.tables))
        async with connected_owner(settings) as owner, migration_lock(owner):
            await check_target(owner, replace=replace)
            replaced_id = await database_id_of(owner)
            await ensure_roles(owner, secret=settings.secret)
            async with owner.transaction():
                await drop_everything(owner)
                await apply_together(owner, before)
                await copy_in(owner, reader, meter)
                if held is not None and is_sealed:
                    await put_keys(owner, held)
                await apply_together(owner, after, master_keys=master_keys)
                if held is not None:
                    await put_keys(owner, held)
                    await resume_renewals(owner, held)
                await check_keys(owner, key_path, reader.manifest.made_at)
                erased = await keep_erased(owner, held)
                await owner.execute(queries.forget_uploads)
                epoch = bytes(await owner.fetchval(queries.begin_epoch))
                backed_up_id = await database_id_of(owner)
                if backed_up_id != replaced_id:
                    await owner.execute(queries.become_another_database)
            await owner.execute("ANALYZE")
            lacking, foreign_mark = 0, None
            if isinstance(store := media_store_of(settings), DirectoryStore):
                lacking = await copy_media(owner, path.with_name(COPIES_NAME), store.root)
                if replaced_id is not None and replaced_id != backed_up_id:
                    await store.unmark(replaced_id)
                if backed_up_id != replaced_id and str(backed_up_id) in await store.databases():
                    foreign_mark = store.root / DATABASES / str(backed_up_id)
    async with Database.open(settings) as database:
        projected = await rebuild_projections(database)
    known_secrets = {fingerprint(secret) for secret in (settings.secret, *settings.former_secrets)}
    same_secret = reader.manifest.secret_fingerprint in known_secrets
    return Restored(reader.manifest, epoch, projected, same_secret, erased, lacking, foreign_mark)


class Meter:
    """Adds up what was read."""

    def __init__(self, told: Progress, total: int) -> None:
        self._told = told
        self._total = total
        self._done = 0

    def __call__(self, count: int) -> None:
        """Count bytes."""
        self._done += count
        self._told(self._done, self._total)


def split_migrations(
    path: Path, manifest: Manifest, known: Sequence[Migration]
) -> tuple[list[Migration], list[Migration]]:
    """Part the migrations into those of the backup and those since. Raises BackupNewer."""
    backed_up = {(step.version, step.sha256) for step in manifest.schema}
    unknown = backed_up - {(migration.version, migration.sha256.hex()) for migration in known}
    if unknown:
        raise BackupNewer(path, sorted(version for version, _ in unknown))
    versions = {version for version, _ in backed_up}
    before = [migration for migration in known if migration.version in versions]
    return before, [migration for migration in known if migration.version not in versions]


async def check_target(owner: asyncpg.Connection, *, replace: bool) -> None:
    if not replace and await owner.fetch(queries.list_tables):
        raise DatabaseNotEmpty
    logins = [row["login"] for row in await owner.fetch(queries.list_other_logins)]
    if logins:
        raise DatabaseInUse(logins)


async def database_id_of(owner: asyncpg.Connection) -> UUID | None:
    """Give the id of the database; None of one that is empty, or from before there were any."""
    try:
        async with owner.transaction():
            found: UUID | None = await owner.fetchval(queries.get_database_id)
            return found
    except (asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError):
        return None


async def drop_everything(owner: asyncpg.Connection) -> None:
    """Drop what is in the schema, but for what extensions brought."""
    for query in (queries.drop_tables, queries.drop_routines, queries.drop_types):
        statement = await owner.fetchval(query)
        if statement is not None:
            await owner.execute(statement)


async def copy_in(owner: asyncpg.Connection, reader: BackupReader, meter: Meter) -> None:
    """Fill the tables; nobody else sees them yet, so row-level security, under which there is no COPY, can pause.

    So do the triggers: what they did when these rows came first (news to an athlete, a scope) is in the backup as well.
    """
    names = [table.name for table in reader.manifest.tables]
    forced = [row["name"] for row in await owner.fetch(queries.list_forced) if row["name"] in names]
    for name in forced:
        await owner.execute(f"ALTER TABLE public.{quoted(name)} NO FORCE ROW LEVEL SECURITY")
    for name in names:
        await owner.execute(f"ALTER TABLE public.{quoted(name)} DISABLE TRIGGER USER")
    # Migrations put in rows of their own (the identity of the server); what no backup holds goes with its people.
    await owner.execute(f"TRUNCATE {', '.join(f'public.{quoted(name)}' for name in names)} CASCADE")
    for table in reader.manifest.tables:
        await copy_table(owner, table, reader.stream(table, meter))
    for name in names:
        await owner.execute(f"ALTER TABLE public.{quoted(name)} ENABLE TRIGGER USER")
    for name in forced:
        await owner.execute(f"ALTER TABLE public.{quoted(name)} FORCE ROW LEVEL SECURITY")


async def copy_table(owner: asyncpg.Connection, table: BackedUpTable, chunks: Iterator[bytes]) -> None:
    await owner.copy_to_table(
        table.name, schema_name="public", columns=table.columns, source=as_stream(chunks), format="binary"
    )


async def as_stream(chunks: Iterator[bytes]) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk
