"""Finding records by words. The index is brought up to date when somebody searches, or while a sync waits.

Indexing costs as much as a fifth of a save, so a save only notes that it is due.
"""

import re
from contextlib import suppress

from apex_client.errors import DiskFull
from apex_client.local import LocalReplica
from apex_client.materialise import FORGET_WORDS, INDEXED_UP_TO, projected
from apex_client.overview import SearchHit
from apex_client.rows import TRIGRAM_TABLES
from apex_client.store_file import sqlite_errors
from apex_client.views import Snapshot
from apex_sync.coaching.name_search import trigrams
from apex_sync.session.held import HeldRecord

CHUNK_RECORDS = 500
"""Indexed in one transaction, about 50 ms."""

_DUE = (
    "SELECT record_no FROM words_due UNION SELECT record_no FROM held_records WHERE record_no > ?"
    " ORDER BY record_no LIMIT ?"
)
_WORD = re.compile(r"\w+", re.UNICODE)


def matching(local: LocalReplica, collection: str, scope: str | None, text: str, *, limit: int) -> list[Snapshot]:
    """Find records of a collection by their words, the best match first."""
    query = _fts_query(text)
    if not query:
        return []
    index_what_fits(local)
    where = (
        "JOIN words ON words.rowid = record.record_no"
        " WHERE words MATCH ? AND record.collection = ? AND (scope.name = ? OR ? IS NULL)"
        " ORDER BY words.rank, record.record_no DESC LIMIT ?"
    )
    with sqlite_errors(local.store.path):
        return [local.snapshot_of(held) for held in local.store.select(where, (query, collection, scope, scope, limit))]


def hits(local: LocalReplica, text: str, *, limit: int) -> list[SearchHit]:
    """Find records of any collection by their words."""
    query = _fts_query(text)
    if not query:
        return []
    index_what_fits(local)
    sql = (
        "SELECT record.record_id, record.collection, words.title, snippet(words, -1, '[', ']', '…', 12)"
        " FROM words JOIN held_records AS record ON record.record_no = words.rowid"
        " WHERE words MATCH ? ORDER BY words.rank, record.record_no DESC LIMIT ?"
    )
    with sqlite_errors(local.store.path):
        rows = local.store.sql.execute(sql, (query, limit)).fetchall()
    return [
        SearchHit(record_id=record_id, collection=collection, title=title, snippet=snippet)
        for record_id, collection, title, snippet in rows
    ]


def index_words(local: LocalReplica) -> None:
    """Bring the index up to date."""
    while index_some_words(local):
        pass


def index_what_fits(local: LocalReplica) -> None:
    """Bring the index up to date; on a full disk one searches what was indexed before."""
    with suppress(DiskFull):
        index_words(local)


def index_some_words(local: LocalReplica) -> bool:
    """Index a chunk of records that are due; tell whether there was any."""
    store = local.store
    with sqlite_errors(store.path):
        up_to = int(store.setting(INDEXED_UP_TO) or 0)
        due = store.sql.execute(_DUE, (up_to, CHUNK_RECORDS)).fetchall()
    if not due:
        return False
    numbers = [number for (number,) in due]
    with store.transaction():
        for forget in FORGET_WORDS:
            store.sql.executemany(forget, due)
        held = store.select(f"WHERE record.record_no IN ({','.join('?' * len(due))})", numbers)
        rows = [row for record in held if (row := _words_row(local, record))]
        store.sql.executemany("INSERT INTO words (rowid, title, names, notes) VALUES (?, ?, ?, ?)", rows)
        for collection, table in TRIGRAM_TABLES.items():
            places = {record.place for record in held if record.collection == collection}
            tokens = [(row[0], " ".join(trigram_tokens(f"{row[1]}\n{row[2]}"))) for row in rows if row[0] in places]
            store.sql.executemany(f"INSERT INTO {table} (rowid, trigrams) VALUES (?, ?)", tokens)  # noqa: S608
        store.keep_setting(INDEXED_UP_TO, str(max(up_to, *numbers)).encode())
    return True


def trigram_tokens(lines: str) -> list[str]:
    """Give the trigrams of names, one a line, as words of their index."""
    return sorted({trigram.replace(" ", "_") for name in lines.split("\n") for trigram in trigrams(name)})


def _words_row(local: LocalReplica, held: HeldRecord) -> tuple[int, str, str, str] | None:
    """Give the words of a record that is shown at all; one that a newer version has changed beyond reading is not."""
    _, words, _ = projected(held, 0, local.opened(held))
    return None if words is None else (held.place, *words)


def _fts_query(text: str) -> str:
    """Quote every word, so that no operator of the query language slips in; the last may be the beginning of one."""
    words = [f'"{word}"' for word in _WORD.findall(text)]
    return " ".join(words) + "*" if words else ""
