"""Judges a fleet that has been left in peace: what was promised against what is there, and nothing else.

Both sides are read behind their back, documents from Postgres and from each SQLite file, and every figure is computed
anew from them.
"""

import sqlite3
from collections.abc import Collection, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from uuid import UUID

from msgspec import Struct

from apex_sync.digest import DIGEST_MODULUS, record_digest
from apex_sync.document import Document
from apex_sync.wire import parse_document
from tests.torture.fleet_device import Saved, tokens_in

Scopes = Mapping[str, Mapping[str, Document]]
"""Documents by record id by scope."""


class Holding(Struct):
    """What one device holds: its documents, and what it could not get rid of."""

    scopes: dict[str, dict[str, Document]]
    pending: int
    rejected: list[str]


class Seen(Struct):
    """A device from outside, cheap enough to look at often: what waits in it, and the digest of each scope."""

    pending: int
    digests: dict[str, bytes]


def look_at(path: Path) -> Seen:
    """Look at a replica while its device goes on."""
    with closing(_reader(path)) as reader:
        pending = reader.execute("SELECT count(*) FROM held_records WHERE pending_since_us > 0").fetchone()[0]
        return Seen(pending, dict(reader.execute("SELECT name, digest FROM held_scopes")))


def holding_of(path: Path) -> Holding:
    """Read everything from a replica."""
    with closing(_reader(path)) as reader:
        scopes: dict[str, dict[str, Document]] = {}
        sql = "SELECT scope.name, record_id, document FROM held_records JOIN held_scopes AS scope USING (scope_no)"
        for scope, record_id, document in reader.execute(sql):
            scopes.setdefault(scope, {})[record_id] = parse_document(document)
        rejected = [f"{code} {field}" for code, field in reader.execute("SELECT code, field FROM rejections")]
        pending = reader.execute("SELECT count(*) FROM held_records WHERE pending_since_us > 0").fetchone()[0]
        return Holding(scopes, pending, rejected)


def judge(
    server: Scopes,
    holdings: Mapping[str, Holding],
    journals: Mapping[str, list[Saved]],
    *,
    readers: Mapping[str, set[str]],
    astray: Collection[str],
) -> Iterator[str]:
    """Give what is wrong, in words that begin with `stuck`, `rejected`, `diverged`, `lost`, `doubled` or `moved`.

    `readers` names the devices that may see each scope, `astray` those whose clock was wrong for a while: what they
    stamped is refused, and goes up again under another stamp.
    """
    yield from (f"stuck: {name} has {held.pending} pending" for name, held in holdings.items() if held.pending)
    yield from (f"rejected: {name}: {reason}" for name, held in holdings.items() for reason in held.rejected)
    for scope, records in server.items():
        for name in sorted(readers[scope]):
            if _digest(holdings[name].scopes.get(scope, {})) != _digest(records):
                yield f"diverged: {name} in {scope}"
    steadfast = {name for name in journals if name not in astray}
    yield from (f"{fault} on the server" for fault in _broken_promises(server, journals, steadfast))
    for name, held in holdings.items():
        told = {
            other: [entry for entry in journal if name in readers.get(entry.scope, ())]
            for other, journal in journals.items()
        }
        yield from (f"{fault} on {name}" for fault in _broken_promises(held.scopes, told, steadfast))


def _broken_promises(scopes: Scopes, journals: Mapping[str, list[Saved]], steadfast: Collection[str]) -> Iterator[str]:
    """Hold that every token is there once, and in the very write that was saved."""
    tokens = {
        (scope, record_id): tokens_in(document)
        for scope, records in scopes.items()
        for record_id, document in records.items()
    }
    for name, journal in journals.items():
        for entry in journal:
            writes = tokens.get((entry.scope, entry.record_id), {}).get(entry.token, [])
            if not writes:
                yield f"lost: {entry.token}"
            elif name in steadfast and (writes[0].client_id, writes[0].hlc) != (entry.client_id, entry.hlc):
                yield f"moved: {entry.token}"
    for found in tokens.values():
        yield from (f"doubled: {token}" for token, writes in found.items() if len(writes) > 1)


def _digest(records: Mapping[str, Document]) -> int:
    return sum(record_digest(UUID(key).bytes, document) for key, document in records.items()) % DIGEST_MODULUS


def _reader(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{path}?mode=ro", uri=True)
