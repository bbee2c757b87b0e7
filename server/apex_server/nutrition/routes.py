"""The endpoints of nutrition, `/api/nutrition`: days, targets, foods.

A day has one log, whoever begins it on whichever device: its id follows from athlete and date. Totals, the targets in
force and the score are computed when they are asked for, so targets that arrive late change them.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

from litestar.params import FromQuery

from apex_server.caller import Caller
from apex_server.db import Connection, load_queries
from apex_server.errors import InvalidFields
from apex_server.nutrition.days import DayWriter
from apex_server.nutrition.examples import NUTRITION_LOG, NUTRITION_LOG_PATCH
from apex_server.nutrition.foods import BarcodeController, FoodsController
from apex_server.nutrition.meal_plans import MealPlansController, MealsController
from apex_server.nutrition.payloads import LogsPage, NewLog, NutritionLogResource
from apex_server.nutrition.targets import TargetsController
from apex_server.resources import (
    AthleteRecordController,
    DayMark,
    FirstDay,
    KnownRecord,
    LastDay,
    RecordKind,
    view_of_model,
)
from apex_server.resources.requests import scope_of_athlete
from apex_server.vault import Vault
from apex_sync.coaching.drafts import model_patch
from apex_sync.coaching.nutrition import Macros, day_score, day_totals, meal_totals
from apex_sync.coaching.rounding import as_shown
from apex_sync.ids import Scope
from apex_sync.models import NUTRITION_LOGS, NutritionLog
from apex_sync.models.fields import parse_date
from apex_sync.models.nutrition import nutrition_log_id

__all__ = ["nutrition_routes"]

_queries = load_queries(__package__)


@dataclass(frozen=True)
class LogFilters:
    """Which days are listed."""

    athlete_id: FromQuery[UUID | None] = None
    first_day: FirstDay = None
    last_day: LastDay = None


class LogsController(AthleteRecordController):
    """What athletes ate."""

    path = "/api/nutrition/logs"
    tags = ("nutrition",)
    request_max_body_size = 512 * 1024  # A day of some hundred foods, with notes.
    kind = RecordKind(
        NUTRITION_LOGS,
        "nutrition log",
        partial(model_patch, known=frozenset(NutritionLogResource.__struct_fields__)),
    )
    view, page, new, draft = NutritionLogResource, LogsPage, NewLog, NutritionLog
    examples = (NUTRITION_LOG, NUTRITION_LOG, NUTRITION_LOG_PATCH)
    writer = DayWriter
    entries = ("meals", "foods")
    filters = LogFilters
    list_query, sorted_by, mark = _queries.list_nutrition_logs, "-date", DayMark

    def id_of_new(self, caller: Caller, draft: Mapping[str, Any], idempotency_key: str | None) -> UUID:
        """Give the id of the athlete's log of that day. Raises InvalidFields."""
        day = draft.get("date")
        if not isinstance(day, str) or parse_date(day) is None:
            raise InvalidFields.one("date", "Expected the day that was eaten on, 2026-03-01")
        athlete_id = Scope.parse(scope_of_athlete(caller, draft.get("athlete_id"))).owner_id
        return UUID(nutrition_log_id(athlete_id, day))

    async def show(
        self, connection: Connection, vault: Vault, found: Sequence[KnownRecord], include: Collection[str]
    ) -> list[NutritionLogResource]:
        """Show days with what they add up to, and how well they met their targets."""
        places = [(Scope.parse(known.scope).id, UUID(known.id)) for known in found]
        scope_ids, record_ids = [place[0] for place in places], [place[1] for place in places]
        rows = await connection.fetch(_queries.list_targets_in_force, scope_ids, record_ids)
        asked = {
            (row["scope_id"], row["record_id"]): Macros(**{name: row[name] for name in Macros.__struct_fields__})
            for row in rows
        }
        return [show_log(known, asked.get(place)) for known, place in zip(found, places, strict=True)]


def show_log(known: KnownRecord, targets: Macros | None) -> NutritionLogResource:
    """Show one day."""
    shown = view_of_model(NutritionLogResource, known)
    totals = day_totals(known.record)
    shown.totals, shown.meal_totals, shown.targets = totals.macros, meal_totals(known.record), targets
    if targets is not None:
        score = day_score(totals, targets)
        percent = None if score.percent is None else as_shown(score.percent)
        shown.adherence_score, shown.incomplete = percent, score.incomplete
    return shown


nutrition_routes = (
    LogsController,
    TargetsController,
    FoodsController,
    BarcodeController,
    MealPlansController,
    MealsController,
)
