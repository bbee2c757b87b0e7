"""Everything that can still be read of a replica, in one ZIP: for when syncing is broken, the file, or the app too old.

    records.ndjson     every record: what it folds to, its conflicts, and whether the server has all of it
    documents/         the same as they are kept: Yjs updates in the grammar of docs/protocol.md
    media/             photos and files that were to be sent
    rejected.json      what the server refused, with its reason
    scopes.json        whose records they are
    unreadable.json    what could not be read, and why
    tables/            where a newer version keeps records in another way: every table as it is

No token is in it. Records that are deleted are: they are deleted, not forgotten.
"""

import base64
import sqlite3
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from apex_client.doctor.content_looks import held_record
from apex_client.doctor.image import ReplicaImage, Row
from apex_sync.errors import MalformedOp, MalformedUpdate
from apex_sync.session.held import HeldRecord

__all__ = ["Salvaged", "salvage"]

PRIVATE_TABLES = frozenset({"settings"})
"""They hold tokens."""


class Salvaged(Struct):
    """How many records and refused edits were written, and what could not be read."""

    records: int = 0
    rejected: int = 0
    unreadable: list[str] = msgspec.field(default_factory=list)


def salvage(image: ReplicaImage, output: Path) -> Salvaged:
    """Write the ZIP; it has its name once it is complete. Raises FileExistsError, OSError."""
    salvaged = Salvaged()
    with _written(output) as archive:
        if image.has_records():
            _write_records(archive, image, salvaged)
            _write_scopes(archive, image)
            _write_rejected(archive, image, salvaged)
            _write_media(archive, image, salvaged)
        else:
            _write_tables(archive, image, salvaged)
        if salvaged.unreadable:
            archive.writestr("unreadable.json", _json(salvaged.unreadable))
    return salvaged


def _write_records(archive: zipfile.ZipFile, image: ReplicaImage, salvaged: Salvaged) -> None:
    lines = bytearray()
    for number in image.record_numbers():
        try:
            row = image.record(number)
        except (sqlite3.Error, LookupError) as error:
            salvaged.unreadable.append(f"record number {number}: {error}")
            continue
        archive.writestr(f"documents/{number}_{row['record_id']}.yjs", row["document"])
        try:
            lines += msgspec.json.encode(_as_json(row, held_record(image, row))) + b"\n"
            salvaged.records += 1
        except (MalformedUpdate, MalformedOp) as error:
            salvaged.unreadable.append(
                f"{row['record_id']} ({row['collection']}): {error}; its document is there as it was"
            )
    archive.writestr("records.ndjson", bytes(lines))


def _as_json(row: Row, held: HeldRecord) -> dict[str, Any]:
    return {
        "id": held.record_id,
        "collection": held.collection,
        "scope": held.scope,
        "state": held.state,
        "conflicts": [
            {"path": conflict.path, "kept": conflict.kept, "discarded": conflict.discarded}
            for conflict in held.conflicts
        ],
        "unsent_edits": row.get("next", 0) - row.get("acked", 0),
        "blocked": row.get("blocked", ""),
    }


def _write_scopes(archive: zipfile.ZipFile, image: ReplicaImage) -> None:
    names = [{"name": scope["name"], "role": scope["role"]} for scope in image.scopes.values()]
    session = image.session
    user = None if session is None else {"id": session.user.id, "email": session.user.email, "server": session.server}
    archive.writestr("scopes.json", _json({"user": user, "scopes": names}))


def _write_rejected(archive: zipfile.ZipFile, image: ReplicaImage, salvaged: Salvaged) -> None:
    try:
        found = [{**row, "patches": msgspec.msgpack.decode(row["patches"])} for row in image.rejected()]
    except (sqlite3.Error, msgspec.DecodeError) as error:
        salvaged.unreadable.append(f"the rejected box: {error}")
        return
    salvaged.rejected = len(found)
    archive.writestr("rejected.json", _json(found))


def _write_media(archive: zipfile.ZipFile, image: ReplicaImage, salvaged: Salvaged) -> None:
    if "media_queue" not in image.tables():
        return
    try:
        for item in image.rows("SELECT media_no, media_id, content_type FROM media_queue WHERE media_id <> ''"):
            name = f"media/{item['media_id']}.{item['content_type'].partition('/')[2]}"
            with archive.open(name, "w") as file:
                for place in image.rows(f"SELECT place FROM media_pieces WHERE media_no = {item['media_no']:d}"):  # noqa: S608
                    where = f"media_no = {item['media_no']:d} AND place = {place['place']:d}"
                    file.write(image.rows(f"SELECT piece FROM media_pieces WHERE {where}")[0]["piece"])  # noqa: S608
    except sqlite3.Error as error:
        salvaged.unreadable.append(f"photos and files: {error}")


def _write_tables(archive: zipfile.ZipFile, image: ReplicaImage, salvaged: Salvaged) -> None:
    for table in image.tables():
        if table in PRIVATE_TABLES:
            continue
        try:
            rows = image.rows('SELECT * FROM "{}"'.format(table.replace('"', '""')))  # noqa: S608 - the file's own name.
        except sqlite3.Error as error:
            salvaged.unreadable.append(f"table {table}: {error}")
            continue
        archive.writestr(f"tables/{table}.ndjson", b"".join(msgspec.json.encode(_plain(row)) + b"\n" for row in rows))
        salvaged.records += len(rows)


def _plain(row: Row) -> Row:
    return {
        name: base64.b64encode(value).decode() if isinstance(value, bytes) else value for name, value in row.items()
    }


def _json(value: Any) -> bytes:
    return msgspec.json.format(msgspec.json.encode(value))


@contextmanager
def _written(output: Path) -> Iterator[zipfile.ZipFile]:
    """Give the archive, readable to its owner alone."""
    if output.exists():
        raise FileExistsError(17, "is there already; name another file", str(output))
    part = output.with_name(f"{output.name}.part")
    try:
        part.touch(mode=0o600)
        with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive:
            yield archive
        part.rename(output)
    finally:
        part.unlink(missing_ok=True)
