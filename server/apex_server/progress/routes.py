"""The endpoints of progress, `/api/progress`: what was measured, and what charts of it show.

The weight trend is computed from the scale and from check-ins together, when it is asked for: a reading that arrives
late moves it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

from litestar import Controller, get
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery

from apex_server.caller import Caller
from apex_server.db import Database, load_queries
from apex_server.problems import problem_responses
from apex_server.progress.examples import METRICS, METRICS_PATCH
from apex_server.progress.payloads import (
    BodyMetricsResource,
    Charts,
    MetricsPage,
    NewMetrics,
    Point,
    WeightPoint,
)
from apex_server.progress.photos import CompareController, PhotosController
from apex_server.resources import (
    GIRTHS,
    AthleteRecordController,
    FirstDay,
    LastDay,
    PageMark,
    RecordKind,
    WeighingWriter,
    measurings_of,
    require_scope,
    weigh_ins_of_rows,
    weighed_draft,
)
from apex_server.resources.requests import READ_REFUSALS
from apex_sync.coaching.bodyweight import goal_direction, latest_rate, rate_as_shown, trend_as_shown, weight_trend
from apex_sync.coaching.drafts import DraftPatch, model_patch
from apex_sync.collection import Record
from apex_sync.ids import athlete_scope
from apex_sync.models import BODY_METRICS, BodyMetrics

__all__ = ["progress_routes"]

_queries = load_queries(__package__)


@dataclass(frozen=True)
class MetricsFilters:
    """Which measurings are listed."""

    athlete_id: FromQuery[UUID | None] = None
    first_day: FirstDay = None
    last_day: LastDay = None


def metrics_patch(record_id: str, draft: Mapping[str, Any], base: Record) -> DraftPatch:
    """Give the difference of a measuring that somebody sent."""
    return _to_patch(record_id, weighed_draft(BODY_METRICS, draft, base), base)


_to_patch = partial(model_patch, known=frozenset(BodyMetricsResource.__struct_fields__))


class MetricsController(AthleteRecordController):
    """What an athlete, or their coach, measured."""

    path = "/api/progress/metrics"
    tags = ("progress",)
    kind = RecordKind(BODY_METRICS, "measuring", metrics_patch)
    view, page, new, draft = BodyMetricsResource, MetricsPage, NewMetrics, BodyMetrics
    examples = (METRICS, METRICS, METRICS_PATCH)
    filters = MetricsFilters
    list_query, sorted_by, mark = _queries.list_body_metrics, "-date", PageMark
    writer = WeighingWriter


class ChartsController(Controller):
    """How it all develops."""

    path = "/api/progress/charts"
    tags = ("progress",)

    @get("/{athlete_id:uuid}", responses=problem_responses(*READ_REFUSALS))
    async def get_charts(
        self,
        athlete_id: FromPath[UUID],
        caller: NamedDependency[Caller],
        database: NamedDependency[Database],
        first_day: FirstDay = None,
        last_day: LastDay = None,
    ) -> Charts:
        """Give what to draw of an athlete's body: weight with its trend, body fat, girths."""
        async with database.request(caller.user_id) as connection:
            await require_scope(connection, caller.user_id, athlete_scope(str(athlete_id)), "athlete")
            rows = await measurings_of(connection, athlete_id, last_day)
            target_weight_kg = await connection.fetchval(_queries.get_target_weight, athlete_id)
        return charts_of(rows, target_weight_kg, first_day)


def charts_of(rows: Sequence[Any], target_weight_kg: float | None, first_day: Any) -> Charts:
    """Make charts of readings, newest first; the trend knows what was measured before the first day, too."""
    oldest_first = rows[::-1]
    days = weight_trend(weigh_ins_of_rows(rows))
    shown = [row for row in oldest_first if first_day is None or row["date"] >= first_day]
    girths = {name: points_of(shown, name) for name in GIRTHS}
    return Charts(
        weight=[
            WeightPoint(d.date, d.weight_kg, d.trend_kg, d.held_out)
            for d in trend_as_shown(days)
            if first_day is None or d.date >= first_day
        ],
        rate=rate_as_shown(latest_rate(days)),
        target_weight_kg=target_weight_kg,
        goal=goal_direction(days[-1].trend_kg, target_weight_kg) if days else None,
        body_fat_percent=points_of(shown, "body_fat_percent"),
        girths={name: points for name, points in girths.items() if points},
    )


def points_of(rows: Sequence[Any], name: str) -> list[Point]:
    """Give the readings of one thing."""
    return [Point(row["date"], row[name]) for row in rows if row[name] is not None]


progress_routes = (MetricsController, PhotosController, CompareController, ChartsController)
