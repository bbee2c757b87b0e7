"""A copy of everything about a person, as a zip of JSON files, made by the worker and kept sealed for seven days.

It is read as the person reads: under row-level security, in their own name. So it holds what is theirs and nothing of
anybody else; what a coach notes in private about an athlete is the coach's, and an athlete asks the coach for it.

Records come twice over in one: `state` is what the apps show, `ops` is every edit behind it as devices wrote them.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import structlog

from apex_server.ai.ledger import WORDED_TEXT
from apex_server.audit.events import open_sealed_part
from apex_server.db import Connection, Database, load_queries
from apex_server.errors import NotFound
from apex_server.invite_drafts import open_draft
from apex_server.mail import INVITE_EMAIL, NEW_EMAIL, OLD_EMAIL
from apex_server.media import MediaStore, find_ready, pieces_of
from apex_server.media.store import NoSuchObject
from apex_server.people import (
    DEVICE_NAME,
    ORGANISATION_NAME,
    PASSKEY_NAME,
    PHONE_NUMBER,
    USER_EMAIL,
    USER_NAME,
)
from apex_server.personal_data.zip_stream import ZipPieces
from apex_server.sync.sealing import DocumentSeal, seal_of_scope
from apex_server.vault import KeyDestroyed, SealBroken, UserKey
from apex_sync.document import Document
from apex_sync.errors import ApexError
from apex_sync.fold import Claim, fold
from apex_sync.models import COLLECTIONS
from apex_sync.op import decode_op
from apex_sync.wire import parse_document

__all__ = ["EXPORTS_MAX", "EXPORTS_WINDOW", "EXPORT_LIFETIME", "Exporter", "chunk_name"]

EXPORT_LIFETIME = timedelta(days=7)
EXPORTS_MAX = 5
EXPORTS_WINDOW = timedelta(days=1)
"""Each reads everything somebody has; nobody needs five a day."""

EXPORT_BYTES_MAX = 1024 * 1024 * 1024
"""Ten years of a coach with a hundred athletes are a tenth of it, without media."""

MEDIA_BYTES_MAX = 1024 * 1024 * 1024
"""Photos and files in one export beside that, the newest first; of others it says where they are."""

ATTEMPTS_MAX = 3
LEASE = timedelta(minutes=5)
"""A worker that has told nothing of an export for so long is dead, and another takes it up."""

PAGE_RECORDS = 200
PAGE_ROWS = 1000
LIST_ROWS_MAX = 100_000

_queries = load_queries(__package__)
_log = structlog.get_logger(__name__)

README = """\
Everything that this server holds about you, as JSON (UTF-8), made at {made_at}.

  account.json          who you are: name, address, role
  devices.json          where you are or were signed in; sessions.json: from when to when
  sign_in.json          what proves you beside your password: app, phone, recovery codes, passkeys; no secret of
                        them; and addresses you had or wanted
  consents.json         what you have consented to, and when you took it back
  relations.json        your coaches or athletes, organisations, invites
  records/              what you and others wrote; a folder for each scope, a file for each collection
  events.json           what happened to your account: who, what, when, from where
  changes.json          who added which ops to which of your records
  media.json            your photos, recordings and files; media/ has them, named by `media_id`;
                        `missing` says why one is not there
  ai.json               what a language model was given the facts for, and what it answered

A record has `state`, what the apps show; `conflicts`, where devices wrote different things at the same time; and
`ops`, every single edit as it was made. `state` follows the JSON Schema in schemas/ that is named like its collection.
Times are UTC (ISO 8601); `hlc` is microseconds since 1970. Loads are in kilograms, with what was typed beside them.
"""


def chunk_name(export_id: UUID, place: int) -> str:
    """Name what a piece is sealed for."""
    return f"export_chunks {export_id} {place}"


class Exporter:
    """Makes exports that were asked for; `now` is the wall clock, with a zone."""

    def __init__(self, database: Database, media_store: MediaStore, *, now: Callable[[], datetime]) -> None:
        self._database = database
        self._media_store = media_store
        self._now = now

    async def make_next(self) -> bool:
        """Make one export; False when none is waiting. Raises DatabaseUnavailable: then it is taken up again."""
        now = self._now()
        async with self._database.commit_connection() as connection:
            row = await connection.fetchrow(_queries.take_export, now, now - LEASE)
        if row is None:
            return False
        if row["attempts"] > ATTEMPTS_MAX:
            await self._give_up(row["id"])
            return True
        try:
            await _Making(self._database, self._media_store, row["id"], row["user_id"], self._now).run()
        except ExportTooLarge:
            await self._give_up(row["id"])
        except KeyDestroyed:
            _log.info("export_without_person", export_id=str(row["id"]))
        else:
            _log.info("export_made", export_id=str(row["id"]))
        return True

    async def forget_old(self) -> None:
        """Drop exports whose time is over, and those that failed a while ago."""
        async with self._database.commit_connection() as connection:
            await connection.execute(_queries.forget_exports, self._now(), self._now() - EXPORT_LIFETIME)

    async def _give_up(self, export_id: UUID) -> None:
        _log.error("export_failed", export_id=str(export_id))
        async with self._database.commit_connection() as connection:
            await connection.execute(_queries.fail_export, export_id, self._now())


class ExportTooLarge(Exception):
    """More than EXPORT_BYTES_MAX."""


class _Making:
    """One export on its way."""

    def __init__(
        self,
        database: Database,
        media_store: MediaStore,
        export_id: UUID,
        user_id: UUID,
        now: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._media_store = media_store
        self._export_id = export_id
        self._user_id = user_id
        self._now = now
        self._pieces = ZipPieces(now())
        self._place = 0
        self._done = 0

    async def run(self) -> None:
        """Make it whole."""
        async with self._database.request(self._user_id) as connection:
            key = await self._database.vault.user_key(connection, self._user_id)
            scopes = await connection.fetch(_queries.list_own_scopes, str(self._user_id))
            total = sum(row["record_count"] for row in scopes) + 1
        async with self._database.commit_connection() as connection:
            await connection.execute(_queries.begin_export, self._export_id, total, self._now())
        await self._describe(key)
        for scope in scopes:
            await self._write_scope(key, scope["name"], scope["scope_id"])
        await self._write_media(key, [scope["scope_id"] for scope in scopes])
        await self._save(key, self._pieces.end())
        async with self._database.commit_connection() as connection:
            ready_at = self._now()
            expires_at = ready_at + EXPORT_LIFETIME
            await connection.execute(_queries.finish_export, self._export_id, self._pieces.bytes, ready_at, expires_at)

    async def _describe(self, key: UserKey) -> None:
        pieces = self._pieces
        pieces.add("README.txt", README.format(made_at=self._now().isoformat(timespec="seconds")))
        for name, collection in sorted(COLLECTIONS.items()):
            pieces.add_json(f"schemas/{name}.json", msgspec.json.schema(collection.model))
        async with self._database.request(self._user_id) as connection:
            pieces.add_json("account.json", await account_of(connection, key, self._user_id))
            pieces.add_json("devices.json", await devices_of(connection, key, self._user_id))
            for name, query in (
                ("sessions.json", _queries.export_sessions),
                ("consents.json", _queries.export_consents),
            ):
                pieces.add_json(name, [dict(row) for row in await connection.fetch(query, self._user_id)])
            pieces.add_json("sign_in.json", await sign_in_of(connection, key, self._user_id))
            pieces.add_json("relations.json", await relations_of(connection, key, self._user_id))
            with pieces.array("events.json") as array:
                async for rows in pages_by_seq(connection, _queries.export_events, self._user_id):
                    array.add(event_of(row, key) for row in rows)
        async with self._database.commit_connection() as connection:
            texts = await connection.fetch(_queries.export_worded_texts, self._user_id, LIST_ROWS_MAX)
        pieces.add_json("ai.json", [worded_text_of(row, key) for row in texts])
        await self._save(key, pieces.take())

    async def _write_scope(self, key: UserKey, name: str, scope_id: UUID) -> None:
        folder = f"records/{name.replace(':', '_')}"
        async with self._database.request(self._user_id) as connection:
            seal = await seal_of_scope(connection, self._database.vault, name)
            collections = await connection.fetch(_queries.list_collections, scope_id)
        for row in collections:
            with self._pieces.array(f"{folder}/{row['collection']}.json") as array:
                last = UUID(int=0)
                while records := await self._page(scope_id, row["collection"], last):
                    array.add(record_of(record, seal) for record in records)
                    last = records[-1]["record_id"]
                    self._done += len(records)
                    await self._save(key, self._pieces.take())
        with self._pieces.array(f"{folder}/changes.json") as array:
            async with self._database.request(self._user_id) as connection:
                async for rows in pages_by_seq(connection, _queries.export_changes, scope_id):
                    array.add(dict(row) for row in rows)
        await self._save(key, self._pieces.take())

    async def _write_media(self, key: UserKey, scope_ids: Sequence[UUID]) -> None:
        """Add photos and files as whoever reads them gets them, and a list of all there are."""
        async with self._database.request(self._user_id) as connection:
            rows = await connection.fetch(_queries.export_media, list(scope_ids), LIST_ROWS_MAX)
        listed, room, names = [], MEDIA_BYTES_MAX, set[str]()
        for row in rows:
            name = f"media/{row['media_id']}.{row['content_type'].partition('/')[2]}"
            missing = None
            if name not in names:  # The same bytes may belong to several scopes.
                room -= row["stored_bytes"]
                missing = "too_much" if room < 0 else await self._write_file(key, row, name)
            if missing is None:
                names.add(name)
            entry = {"file": None if missing else name, "missing": missing}
            listed.append({**dict(row), **entry, "address": f"/api/media/{row['media_id']}"})
        self._pieces.add_json("media.json", listed)
        await self._save(key, self._pieces.take())

    async def _write_file(self, key: UserKey, row: Any, name: str) -> str | None:
        """Add one file; a word where the store has it no more, which keeps nobody from all the others."""
        try:
            async with self._database.request(self._user_id) as connection:
                ready = await find_ready(connection, self._database.vault, row["media_id"], row["scope_id"])
            pieces = pieces_of(self._media_store, ready, "original")
            first = await anext(pieces)
        except NotFound:
            return "deleted"
        except (NoSuchObject, SealBroken):
            _log.error("media_lost", media_id=row["media_id"], scope_id=str(row["scope_id"]))
            return "lost"
        with self._pieces.stored(name) as write:
            write(first)
            try:
                async for piece in pieces:
                    write(piece)
                    await self._save(key, self._pieces.take())
            except (NoSuchObject, SealBroken):
                _log.error("media_lost", media_id=row["media_id"], scope_id=str(row["scope_id"]))
                return "damaged"
        return None

    async def _page(self, scope_id: UUID, collection: str, last: UUID) -> Sequence[Any]:
        async with self._database.request(self._user_id) as connection:
            rows: Sequence[Any] = await connection.fetch(
                _queries.export_records, scope_id, collection, last, PAGE_RECORDS
            )
        return rows

    async def _save(self, key: UserKey, pieces: Any) -> None:
        for piece in pieces:
            if self._pieces.bytes > EXPORT_BYTES_MAX + MEDIA_BYTES_MAX:
                raise ExportTooLarge
            sealed = key.seal(piece, what=chunk_name(self._export_id, self._place))
            async with self._database.commit_connection() as connection:
                await connection.execute(_queries.add_chunk, self._export_id, self._user_id, self._place, sealed)
            self._place += 1
        async with self._database.commit_connection() as connection:
            await connection.execute(
                _queries.note_progress, self._export_id, self._done, self._pieces.bytes, self._now()
            )


async def pages_by_seq(connection: Connection, query: str, key_id: UUID) -> AsyncIterator[Sequence[Any]]:
    """Read rows in the order of their seq, some at a time."""
    last = 0
    while rows := await connection.fetch(query, key_id, last, PAGE_ROWS):
        yield rows
        last = rows[-1]["seq"]


async def account_of(connection: Connection, key: UserKey, user_id: UUID) -> dict[str, Any]:
    """Give the account."""
    row = await connection.fetchrow(_queries.export_account, user_id)
    opened = {
        "email": key.open_text(row["email"], what=USER_EMAIL),
        "name": key.open_text(row["name"], what=USER_NAME),
    }
    return {**dict(row), **opened}


async def devices_of(connection: Connection, key: UserKey, user_id: UUID) -> list[dict[str, Any]]:
    """List devices, with the client ids under which they write."""
    rows = await connection.fetch(_queries.export_devices, user_id)
    return [{**dict(row), "name": key.open_text(row["name"], what=DEVICE_NAME)} for row in rows]


async def sign_in_of(connection: Connection, key: UserKey, user_id: UUID) -> dict[str, Any]:
    """Give what a person signs in with, and none of the secrets: who finds the file is not to be them."""
    phones = await connection.fetch(_queries.export_phones, user_id)
    passkeys = await connection.fetch(_queries.export_passkeys, user_id)
    codes = await connection.fetch(_queries.export_recovery_codes, user_id)
    return {
        "authenticator_apps": [dict(row) for row in await connection.fetch(_queries.export_apps, user_id)],
        "phones": [{**dict(row), "number": key.open_text(row["number"], what=PHONE_NUMBER)} for row in phones],
        "recovery_codes": [dict(row) for row in codes],
        "passkeys": [{**dict(row), "name": key.open_text(row["name"], what=PASSKEY_NAME)} for row in passkeys],
        "former_addresses": [
            {
                "asked_at": row["asked_at"],
                "old": key.open_text(row["old_email"], what=OLD_EMAIL),
                "new": key.open_text(row["new_email"], what=NEW_EMAIL),
            }
            for row in await connection.fetch(_queries.export_email_changes, user_id)
        ],
    }


async def relations_of(connection: Connection, key: UserKey, user_id: UUID) -> dict[str, Any]:
    """Give whom a person works or worked with, by id: a name belongs to its bearer."""
    return {
        "coaching": [dict(row) for row in await connection.fetch(_queries.export_coaching, user_id)],
        "organisation": await organisation_of(connection, key, user_id),
        "organisations": [dict(row) for row in await connection.fetch(_queries.export_organisations, user_id)],
        "invites": [
            {
                **dict(row),
                "email": row["email"] and key.open_text(row["email"], what=INVITE_EMAIL),
                "draft": row["draft"] and open_draft(key, row["draft"]),
            }
            for row in await connection.fetch(_queries.export_invites, user_id)
        ],
    }


async def organisation_of(connection: Connection, key: UserKey, user_id: UUID) -> dict[str, Any] | None:
    """Give the organisation that a person owns."""
    row = await connection.fetchrow(_queries.export_organisation, user_id)
    return row and {**dict(row), "name": key.open_text(row["name"], what=ORGANISATION_NAME)}


def event_of(row: Any, key: UserKey) -> dict[str, Any]:
    """Give an event in plain words."""
    part = open_sealed_part(key, row["sealed"])
    shown = {name: row[name] for name in ("seq", "at", "action", "actor_id", "actor_role", "device_id")}
    return {**shown, "address": part.address, "detail": part.detail}


def worded_text_of(row: Any, key: UserKey) -> dict[str, Any]:
    """Give what a model answered."""
    return {"at": row["created_at"], "answer": key.open(row["reply"], what=WORDED_TEXT).decode("utf-8", "replace")}


def record_of(row: Any, seal: DocumentSeal) -> dict[str, Any]:
    """Give a record whole: what it is, what contradicts in it, and every edit; one that cannot be read says so."""
    shown: dict[str, Any] = {"record_id": str(row["record_id"]), "seq": row["seq"], "deleted": row["deleted"]}
    try:
        document = parse_document(seal.open(row["record_id"].bytes, row["digest"], row["doc"]))
        folded = fold(document.writes())
    except ApexError as error:
        return {**shown, "unreadable": str(error)}
    conflicts = [
        {
            "path": conflict.path,
            "kept": claim_of(conflict.kept),
            "discarded": [claim_of(claim) for claim in conflict.discarded],
        }
        for conflict in folded.conflicts
    ]
    return {**shown, "state": folded.state, "conflicts": conflicts, "ops": ops_of(document)}


def claim_of(claim: Claim | None) -> Any:
    """Give one side of a conflict."""
    return msgspec.to_builtins(claim)


def ops_of(document: Document) -> list[dict[str, Any]]:
    """List the edits by who made them."""
    return [
        {
            "client_id": client_id,
            "clock": clock,
            "writes": [
                {"hlc": write.hlc, "patch": write.patch} for write in decode_op(op, client_id=client_id, clock=clock)
            ],
        }
        for client_id, ops in sorted(document.ops.items())
        for clock, op in sorted(ops.items())
    ]
