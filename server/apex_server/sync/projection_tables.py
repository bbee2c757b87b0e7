"""The projection tables as code knows them: the same tables, columns and types as in db/migrations, which a test holds.

The first two columns of every one, `scope_id` and `record_id`, are left out here.
"""

from collections.abc import Mapping
from typing import Literal, NamedTuple

__all__ = ["ANSWERS", "GIRTHS", "TABLES", "Column", "Kind", "Table"]

Kind = Literal["text", "bigint", "integer", "double precision", "boolean", "date", "timestamp", "sealed"]


class Column(NamedTuple):
    """A column and its type in Postgres; `sealed` is text that people chose, and bytea in Postgres."""

    name: str
    kind: Kind

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


GIRTHS = (
    "chest_cm",
    "shoulders_cm",
    "biceps_cm",
    "arms_cm",
    "forearms_cm",
    "waist_cm",
    "hips_cm",
    "thighs_cm",
    "calves_cm",
)
ANSWERS = ("energy", "hunger", "stress", "sleep", "adherence", "enjoyment", "soreness", "motivation")


def _columns(**kinds: Kind) -> tuple[Column, ...]:
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
            ),
        ),
        Table(
            "logged_exercises",
            "workout_logs",
            "exercise_key",
            _columns(
                exercise_key="text",
                position="integer",
                exercise_id="text",
                name="sealed",
                skipped="boolean",
                superset="text",
            ),
            own=2,
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
            ),
            own=3,
        ),
        Table(
            "check_ins",
            "check_ins",
            None,
            (
                *_columns(
                    date="date",
                    week_number="bigint",
                    weight_kg="double precision",
                    weight="double precision",
                    weight_unit="text",
                    body_fat_percent="double precision",
                ),
                *(Column(name, "double precision") for name in GIRTHS),
                *(Column(name, "bigint") for name in ANSWERS),
                *_columns(
                    photo_count="integer",
                    submitted_at="timestamp",
                    utc_offset_minutes="integer",
                    coach_reviewed="boolean",
                    reviewed_at="timestamp",
                ),
            ),
        ),
        Table(
            "programs",
            "programs",
            None,
            _columns(
                type="text",
                difficulty="text",
                status="text",
                start_date="date",
                end_date="date",
                duration_weeks="bigint",
                weekly_volume="text",
                intensity_zone="text",
                source_id="text",
                week_count="integer",
                day_count="integer",
                exercise_count="integer",
                set_count="integer",
            ),
        ),
        Table("exercises", "exercises", None, _columns(name="sealed", muscle_group="sealed", movement_pattern="text")),
        Table(
            "profiles",
            "profiles",
            None,
            _columns(
                training_age_years="double precision",
                volume_tolerance="text",
                recovery_status="text",
                training_days_per_week="bigint",
                session_duration_minutes="bigint",
                target_weight_kg="double precision",
                height_cm="double precision",
                load_unit="text",
            ),
        ),
        Table(
            "insights",
            "insights",
            None,
            _columns(
                athlete_id="text",
                kind="text",
                about_id="text",
                type="text",
                priority="text",
                status="text",
                acted_at="timestamp",
                superseded_by="text",
                worded_by="text",
                model_name="text",
                confidence="double precision",
                expires_at="timestamp",
                facts_digest="text",
            ),
        ),
    )
}
"""Every projection table, by name."""
