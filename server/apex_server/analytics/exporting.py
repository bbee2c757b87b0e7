"""Logged sets as a file, while it is read: a page of sessions at a time, so memory does not grow with the file.

Each page is a transaction of its own, under the caller's own row-level security and session. So a slow reader holds no
connection, and whoever loses sight of an athlete, or is signed out, gets nothing further of them. That an athlete's
training is taken along stands among their events before the first row of it leaves.
"""

import csv
import io
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import date, datetime
from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from apex_server.analytics.errors import ParquetMissing
from apex_server.analytics.payloads import ExportFormat
from apex_server.audit import record_event
from apex_server.caller import Caller
from apex_server.db import Database, load_queries
from apex_server.errors import TooManyClients
from apex_server.people import USER_NAME
from apex_server.standing import CLIENTS_MAX, coaches_read_by
from apex_server.sync.sealing import EXERCISE_NAME, seals_of_scopes
from apex_sync.coaching.weights import load_as_typed
from apex_sync.csv_cells import guarded
from apex_sync.ids import athlete_scope

__all__ = ["MEDIA_TYPES", "ExportedAthlete", "exported_athletes", "exported_pieces", "require_writer"]

PAGE_SETS = 5000
"""A megabyte, and some 50 ms."""

ROW_GROUP_SETS = 20_000
"""Sets that are kept for one group of rows in Parquet, 5 MB; smaller groups compress badly."""

MEDIA_TYPES: Mapping[ExportFormat, str] = {
    "csv": "text/csv",
    "json": "application/json",
    "parquet": "application/vnd.apache.parquet",
}

COLUMNS: Mapping[str, str] = {
    "athlete_id": "string",
    "athlete": "string",
    "workout_id": "string",
    "date": "date32",
    "start_time": "timestamp",
    "position": "int64",
    "exercise_id": "string",
    "exercise": "string",
    "type": "string",
    "reps": "int64",
    "load_kg": "double",
    "load": "double",
    "load_unit": "string",
    "rpe": "double",
    "rir": "double",
    "completed": "bool",
    "failure_reason": "string",
    "distance_m": "double",
    "duration_seconds": "double",
}
"""The columns of a file, in their order, with their types in Parquet."""

Page = Sequence[tuple[Any, ...]]
Pages = AsyncIterator[Page]

_queries = load_queries(__package__)


class Mark(NamedTuple):
    """Where a page ended; what has no day stands on the first of all days."""

    date: date
    workout_id: UUID
    position: int


class ExportedAthlete(NamedTuple):
    """Somebody whose training is taken along."""

    id: UUID
    name: str


async def exported_athletes(
    database: Database, caller: Caller, athlete_id: UUID | None, coach_id: UUID | None = None
) -> list[ExportedAthlete]:
    """List by name whose training a caller may take along, of all or of the one that is named.

    An athlete their own, a coach that of their athletes, an owner that of their coaches' athletes, or of one coach's.
    Raises TooManyClients: what is taken along is whole.
    """
    async with database.request(caller.user_id) as connection:
        if caller.role == "athlete":
            rows = await connection.fetch(_queries.get_own_name, caller.user_id, athlete_id)
        else:
            coaches = await coaches_read_by(connection, caller, coach_id)
            rows = await connection.fetch(_queries.list_exported_athletes, coaches, athlete_id, CLIENTS_MAX + 1)
        if len(rows) > CLIENTS_MAX:
            raise TooManyClients(CLIENTS_MAX)
        keys = await database.vault.user_keys(connection, [row["id"] for row in rows])
    found = [
        ExportedAthlete(row["id"], keys[row["id"]].open_text(row["name"], what=USER_NAME))
        for row in rows
        if row["id"] in keys
    ]
    return sorted(found, key=lambda athlete: (athlete.name.casefold(), athlete.id))


def exported_pieces(
    database: Database,
    caller: Caller,
    athletes: Sequence[ExportedAthlete],
    days: tuple[date, date],
    file_format: ExportFormat,
    address: str | None,
) -> AsyncIterator[bytes]:
    """Give the pieces of a file, one after the other, as they are read."""
    return _WRITERS[file_format](_pages(database, caller, athletes, days, address))


def require_writer(file_format: ExportFormat) -> None:
    """Return if a format can be written here. Raises ParquetMissing."""
    if file_format == "parquet":
        try:
            import pyarrow.parquet  # noqa: F401 - 55 MB, loaded by whoever asks for it.
        except ImportError as error:
            raise ParquetMissing from error


async def _pages(
    database: Database,
    caller: Caller,
    athletes: Sequence[ExportedAthlete],
    days: tuple[date, date],
    address: str | None,
) -> Pages:
    for athlete in athletes:
        async with database.request(caller.user_id) as connection:
            await record_event(
                connection,
                athlete.id,
                "training_exported",
                vault=database.vault,
                actor_id=caller.user_id,
                device_id=caller.device_id,
                address=address,
            )
        mark = Mark(date.min, UUID(int=0), 0)
        while True:
            page, last = await _page(database, caller, athlete, days, mark)
            if last is None:
                break
            yield page
            mark = last


async def _page(
    database: Database, caller: Caller, athlete: ExportedAthlete, days: tuple[date, date], mark: Mark
) -> tuple[Page, Mark | None]:
    """Read the sets that follow a mark, and give the mark to go on from; None at the end."""
    scope = athlete_scope(str(athlete.id))
    async with database.request(caller.user_id) as connection:
        rows = await connection.fetch(
            _queries.export_sets, athlete.id, *days, *mark, PAGE_SETS, caller.user_id, caller.session_id
        )
        seal = (await seals_of_scopes(connection, database.vault, [scope])).get(scope)
    if seal is None or not rows:
        return [], None
    names = {name: seal.open_name(name, EXERCISE_NAME) for name in {row["exercise"] for row in rows}}
    page = [
        (
            *(str(athlete.id), athlete.name, str(row["workout_id"]), row["date"], row["start_time"], row["position"]),
            *(row["exercise_id"], names[row["exercise"]], row["type"], row["reps"], *_loads(row)),
            *(row[name] for name in _PLAIN),
        )
        for row in rows
        if row["position"] is not None
    ]
    last = rows[-1]
    return page, Mark(last["date"] or date.min, last["workout_id"], last["position"] or 0)


_PLAIN = tuple(COLUMNS)[13:]


def _loads(row: Mapping[str, Any]) -> tuple[float | None, float | None, str | None]:
    """Give kilograms, and the load with its unit as it was typed; all null of a set without one."""
    load, unit = load_as_typed(row["load_kg"], row["load"], row["load_unit"])
    return row["load_kg"], load, None if load is None else unit


async def _csv(pages: Pages) -> AsyncIterator[bytes]:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    async for page in pages:
        writer.writerows([guarded(value) for value in map(_shown, row)] for row in page)
        yield text.getvalue().encode()
        text.seek(0)
        text.truncate()
    yield text.getvalue().encode()


def _shown(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.isoformat() if isinstance(value, date | datetime) else value


async def _json(pages: Pages) -> AsyncIterator[bytes]:
    encode = msgspec.json.Encoder().encode
    separator = b"[\n"
    async for page in pages:
        if page:
            yield separator + b",\n".join(encode(dict(zip(COLUMNS, row, strict=True))) for row in page)
            separator = b",\n"
    yield b"[]\n" if separator == b"[\n" else b"\n]\n"


async def _parquet(pages: Pages) -> AsyncIterator[bytes]:
    import pyarrow as arrow
    import pyarrow.parquet as parquet

    types = {"timestamp": arrow.timestamp("us"), "date32": arrow.date32(), "bool": arrow.bool_()}
    schema = arrow.schema(
        [
            (name, types[kind] if kind in types else getattr(arrow, _ARROW.get(kind, kind))())
            for name, kind in COLUMNS.items()
        ]
    )
    sink = _Pieces()
    writer = parquet.ParquetWriter(sink, schema, compression="zstd")
    waiting: list[tuple[Any, ...]] = []

    def write() -> None:
        columns = list(zip(*waiting, strict=True)) or [()] * len(COLUMNS)
        arrays = [arrow.array(values, field.type) for values, field in zip(columns, schema, strict=True)]
        writer.write_table(arrow.Table.from_arrays(arrays, schema=schema))
        waiting.clear()

    async for page in pages:
        waiting += page
        if len(waiting) >= ROW_GROUP_SETS:
            write()
            yield sink.taken()
    write()
    writer.close()
    yield sink.taken()


_ARROW = {"double": "float64"}


class _Pieces(io.RawIOBase):
    """A file that only grows, of which what was written is taken away."""

    def __init__(self) -> None:
        super().__init__()
        self._pieces = bytearray()
        self._taken = 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._taken + len(self._pieces)

    def write(self, data: Any) -> int:
        self._pieces += data
        return len(data)

    def taken(self) -> bytes:
        """Give what was written since, and forget it."""
        taken = bytes(self._pieces)
        self._taken += len(taken)
        self._pieces.clear()
        return taken


_WRITERS: Mapping[ExportFormat, Callable[[Pages], AsyncIterator[bytes]]] = {
    "csv": _csv,
    "json": _json,
    "parquet": _parquet,
}
