"""The packer of COPY rows against asyncpg's own encoder, byte for byte, by way of Postgres."""

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apex_server.sync.copy_rows import COPY_HEADER, COPY_TRAILER, REMEMBERED_MAX, RecurringRowPacker, RowPacker

pytestmark = pytest.mark.anyio

TEXT = st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\0"), max_size=30)
MOMENTS = st.datetimes(datetime(2, 1, 1), datetime(9998, 12, 31))  # noqa: DTZ001
"""To asyncpg the ends of the calendar are infinity; projections leave them out."""

VALUES: dict[str, st.SearchStrategy[Any]] = {
    "text": TEXT | st.sampled_from(["working", "warmup", ""]),
    "bigint": st.integers(-(2**63), 2**63 - 1) | st.integers(0, 12),
    "integer": st.integers(-(2**31), 2**31 - 1) | st.integers(0, 12),
    "double precision": st.floats(allow_nan=False) | st.sampled_from([0.0, -0.0, 100.0, 1.0]),
    "boolean": st.booleans(),
    "date": st.dates(date(2, 1, 1), date(9998, 12, 31)),
    "timestamp": MOMENTS,
    "timestamptz": MOMENTS.map(lambda moment: moment.replace(tzinfo=UTC)),
    "bytea": st.binary(max_size=40),
    "uuid": st.binary(min_size=16, max_size=16),
}
RECURRING = ("text", "bigint", "double precision", "boolean")
ROWS = st.lists(st.tuples(*(st.none() | values for values in VALUES.values())), max_size=12)


@given(ROWS)
@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_rows_are_packed_as_asyncpg_packs_them(database_url: str, rows: list[tuple[Any, ...]]) -> None:
    packer = RowPacker(list(VALUES))
    packed = COPY_HEADER + packer.pack(b"", rows) + COPY_TRAILER
    owner = await asyncpg.connect(database_url)
    try:
        columns = ", ".join(f"c{number} {kind}" for number, kind in enumerate(VALUES))
        await owner.execute(f"CREATE TEMPORARY TABLE ours ({columns}); CREATE TEMPORARY TABLE theirs (LIKE ours)")
        await owner.copy_to_table("ours", source=once(packed), format="binary")
        theirs = [(*row[:-1], None if row[-1] is None else UUID(bytes=row[-1])) for row in rows]
        await owner.copy_records_to_table("theirs", records=theirs)
        assert await owner.fetch("SELECT * FROM ours") == await owner.fetch("SELECT * FROM theirs")
        assert await copied_out(owner, "ours") == await copied_out(owner, "theirs") == packed
    finally:
        await owner.close()


async def copied_out(owner: asyncpg.Connection, table: str) -> bytes:
    collected = bytearray()

    async def collect(chunk: bytes) -> None:
        collected.extend(chunk)

    await owner.copy_from_table(table, output=collect, format="binary")
    return bytes(collected)


async def once(data: bytes) -> AsyncIterator[bytes]:
    yield data


def test_shared_columns_come_before_the_others() -> None:
    packer, whole = RowPacker(["bigint"], shared=["uuid", "text"]), RowPacker(["uuid", "text", "bigint"])
    key = bytes(range(16))
    assert packer.pack(packer.share(key, "a"), [(1,), (2,)]) == whole.pack(b"", [(key, "a", 1), (key, "a", 2)])


@given(st.lists(st.tuples(TEXT, st.none() | st.integers(0, 3), *(st.none() | VALUES[kind] for kind in RECURRING))))
def test_rows_that_recur_look_as_they_did_the_first_time(rows: list[tuple[Any, ...]]) -> None:
    kinds = ["text", "integer", *RECURRING]
    rows = [tuple(0.0 if value == 0 and type(value) is float else value for value in row) for row in rows]
    for own in (1, 2):
        assert RecurringRowPacker(kinds, own=own).pack(b"", rows) == RowPacker(kinds).pack(b"", rows)


def test_remembering_is_bounded_and_changes_nothing() -> None:
    remembering, plain = RecurringRowPacker(["text", "bigint"], own=1), RowPacker(["text", "bigint"])
    for number in range(2 * REMEMBERED_MAX + 5):
        assert remembering.pack(b"", [("key", number)]) == plain.pack(b"", [("key", number)])
    assert len(remembering._others) <= REMEMBERED_MAX
