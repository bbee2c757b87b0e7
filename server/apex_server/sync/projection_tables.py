"""The projection tables as code knows them: the same tables, columns and types as in db/migrations, which a test holds.

The first two columns of every one, `scope_id` and `record_id`, are left out here.
"""

from collections.abc import Mapping
from typing import NamedTuple

from apex_server.sync.flat_tables import FLAT_TABLES, KINDS, PostgresType

__all__ = ["TABLES", "Column", "Table"]


class Column(NamedTuple):
    """A column and its type in Postgres; `sealed` is text that people chose, and bytea in Postgres."""

    name: str
    kind: PostgresType

    @property
    def type(self) -> str:
        """The type in Postgres."""
        return "bytea" if self.kind == "sealed" else self.kind


class Table(NamedTuple):
    """A projection table; `key` is the column that tells the rows of one record apart, None where it has one row.

    `own` counts the first columns that make a row what no other is; what stands after them recurs in other rows.
    """

    name: str
    collection: str
    key: str | None
    columns: tuple[Column, ...]
    own: int | None = None

    @property
    def sealed(self) -> list[tuple[int, str]]:
        """Where sealed columns are, each with the place it is sealed for."""
        return [
            (place, f"{self.name}.{column.name}")
            for place, column in enumerate(self.columns)
            if column.kind == "sealed"
        ]


def _columns(**kinds: PostgresType) -> tuple[Column, ...]:
    return tuple(Column(name, kind) for name, kind in kinds.items())


TABLES: Mapping[str, Table] = {
    table.name: table
    for table in (
        Table(
            "workout_logs",
            "workout_logs",
            None,
            _columns(
                date="date",
                start_time="timestamp",
                end_time="timestamp",
                utc_offset_minutes="integer",
                duration_minutes="double precision",
                program_id="text",
                week_number="bigint",
                day_number="bigint",
                fatigue="bigint",
                pump="bigint",
                mood="bigint",
                completed="boolean",
                source="text",
                completed_sets="integer",
                hard_sets="double precision",
                volume_load_kg="double precision",
            ),
        ),
        Table(
            "logged_exercises",
            "workout_logs",
            "exercise_key",
            _columns(
                exercise_key="text",
                position="integer",
                hard_sets="double precision",
                volume_load_kg="double precision",
                top_load_kg="double precision",
                top_reps="integer",
                top_rpe="double precision",
                epley_kg="double precision",
                epley_low_confidence="boolean",
                rpe_table_kg="double precision",
                rpe_table_low_confidence="boolean",
                exercise_id="text",
                name="sealed",
                skipped="boolean",
                superset="text",
            ),
            own=11,
        ),
        Table(
            "logged_sets",
            "workout_logs",
            "set_key",
            _columns(
                set_key="text",
                exercise_key="text",
                position="integer",
                type="text",
                reps="bigint",
                load_kg="double precision",
                load="double precision",
                load_unit="text",
                rpe="double precision",
                rir="double precision",
                completed="boolean",
                failure_reason="text",
                distance_m="double precision",
                duration_seconds="double precision",
                later_drop="boolean",
            ),
            own=3,
        ),
        Table("check_in_photos", "check_ins", "photo_key", _columns(photo_key="text", media_id="text")),
        Table(
            "nutrition_logs",
            "nutrition_logs",
            None,
            _columns(
                date="date",
                meal_count="integer",
                food_count="integer",
                energy_kcal="double precision",
                protein_g="double precision",
                carbs_g="double precision",
                fat_g="double precision",
                fiber_g="double precision",
            ),
        ),
        Table(
            "scheduled_sessions",
            "programs",
            "session_key",
            _columns(session_key="text", date="date", week_number="bigint", day_number="bigint", set_count="integer"),
        ),
        Table(
            "messages",
            "messages",
            "sender",
            _columns(
                sender="text",
                sent_at="timestamp",
                type="text",
                reply_to="text",
                media_id="text",
                duration_seconds="double precision",
                read_at="timestamp",
                deleted="boolean",
                thumbnail_media_id="text",
            ),
        ),
        *(
            Table(name, name, None, tuple(Column(column.name, KINDS[column.kind][0]) for column in columns))
            for name, columns in FLAT_TABLES.items()
        ),
    )
}
"""Every projection table, by name."""
