"""Finding exercises in the replica: FTS5 brings what shares trigrams with the query, and the one ranking orders it.

Each takes the local replica and is run in its thread.
"""

import json
from typing import Any

from apex_client.local import LocalReplica, snapshot_of
from apex_client.searching import index_what_fits, trigram_tokens
from apex_client.store_file import sqlite_errors
from apex_client.views import Snapshot
from apex_sync.coaching.exercise_names import name_key
from apex_sync.coaching.exercise_search import Searched, is_asked_for, is_called, ranked

CANDIDATES_MAX = 200
"""Looked at for one query; what shares fewer trigrams than 200 others is not what was meant."""

LOOKED_THROUGH_MAX = 20_000
"""Exercises that a search without a usable word looks through; as many as the server does."""

_COLUMNS = "row.record_no, row.name, row.aliases, row.muscle_group, row.secondary_muscles, row.equipment"
_ALIKE = (
    f"SELECT {_COLUMNS} FROM exercise_trigrams JOIN exercise_rows AS row ON row.record_no = exercise_trigrams.rowid"  # noqa: S608
    " WHERE exercise_trigrams MATCH ? ORDER BY exercise_trigrams.rank LIMIT ?"
)
_ALL = f"SELECT {_COLUMNS} FROM exercise_rows AS row ORDER BY row.record_no DESC LIMIT ?"  # noqa: S608


def found(local: LocalReplica, text: str, *, muscle: str | None, equipment: str | None, limit: int) -> list[Snapshot]:
    """Find exercises, the best match first; those that a filter is to choose from are all looked at."""
    candidates = _candidates(local, "" if muscle or equipment else text)
    fitting = [
        (number, searched)
        for number, searched in candidates
        if is_asked_for(searched, muscle=muscle or None, equipment=equipment or None)
    ]
    return _snapshots(local, ranked(text, fitting, limit=limit))


def named(local: LocalReplica, name: str) -> list[Snapshot]:
    """Give the exercises that a name means."""
    return _snapshots(local, [number for number, searched in _candidates(local, name) if is_called(name, searched)])


def names_by_key(local: LocalReplica) -> dict[str, str]:
    """Give what every exercise is called, by the key of each of its names."""
    return {name_key(name): searched.names[0] for _, searched in _candidates(local, "") for name in searched.names}


def _candidates(local: LocalReplica, text: str) -> list[tuple[int, Searched]]:
    index_what_fits(local)
    query = " OR ".join(f'"{token}"' for token in trigram_tokens(text))
    with sqlite_errors(local.store.path):
        rows = local.store.sql.execute(*((_ALIKE, (query, CANDIDATES_MAX)) if query else (_ALL, (LOOKED_THROUGH_MAX,))))
        return [(row[0], _searched(*row[1:])) for row in rows.fetchall()]


def _searched(name: str | None, aliases: Any, muscle: str | None, secondary: Any, equipment: Any) -> Searched:
    return Searched((name or "", *_listed(aliases)), (muscle or "", *_listed(secondary)), _listed(equipment))


def _listed(value: str | None) -> tuple[str, ...]:
    return tuple(json.loads(value)) if value else ()


def _snapshots(local: LocalReplica, numbers: list[int]) -> list[Snapshot]:
    marks = ",".join("?" * len(numbers))
    with sqlite_errors(local.store.path):
        held = {each.place: each for each in local.store.select(f"WHERE record.record_no IN ({marks})", numbers)}
    return [snapshot_of(held[number]) for number in numbers]
