"""What the scale and the tape said of an athlete, read in one way for charts, a coach's athletes and the page."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from apex_server.db import Connection, load_queries
from apex_sync.coaching.body_weight_lifts import BodyWeights, body_weights
from apex_sync.coaching.bodyweight import WEIGHT_KG_MAX, WEIGHT_KG_MIN, WeighIn
from apex_sync.models.body import Measurements

__all__ = ["GIRTHS", "body_weights_of", "measurings_of", "weigh_ins_of_rows"]

GIRTHS = tuple(name for name in Measurements.__struct_fields__ if name.endswith("_cm"))

_queries = load_queries(__package__)


async def measurings_of(connection: Connection, athlete_id: UUID, last_day: date | None = None) -> Sequence[Any]:
    """Read what was measured up to a day, the newest first; nothing counts that lies ahead everywhere."""
    tomorrow = datetime.now(UTC).date() + timedelta(days=1)  # Which it is already somewhere.
    rows: list[Any] = await connection.fetch(_queries.list_measurings, athlete_id, min(last_day or tomorrow, tomorrow))
    return rows


async def body_weights_of(connection: Connection, athlete_id: UUID, last_day: date) -> BodyWeights:
    """Read what an athlete weighed through the years, up to a day."""
    return body_weights(weigh_ins_of_rows(await connection.fetch(_queries.list_weigh_ins, athlete_id, last_day)))


def weigh_ins_of_rows(rows: Sequence[Any]) -> list[WeighIn]:
    """Give the plausible weights among what was measured."""
    return [
        WeighIn(record_id=str(row["record_id"]), date=row["date"], weight_kg=row["weight_kg"])
        for row in rows
        if row["weight_kg"] is not None and WEIGHT_KG_MIN <= row["weight_kg"] <= WEIGHT_KG_MAX
    ]
