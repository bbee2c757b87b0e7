"""Body metrics: weighings and rounds with the tape, typed in or imported from a scale or Apple Health."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from apex_client.body_importing import BodyImport, write_measurings
from apex_client.records import DatedRecords, Record
from apex_sync.models import BODY_METRICS, CHECK_INS, BodyMetrics

if TYPE_CHECKING:
    from apex_client.local import LocalReplica
    from apex_client.replica import Replica
    from apex_sync.coaching.bodyweight import TrendDay

READINGS_MAX = 4000
"""Of each kind: ten years of a reading a day, as on the server."""


class Measurings(DatedRecords[Record[BodyMetrics]]):
    """The measurings of an athlete, the latest first."""

    def __init__(self, replica: "Replica", scope: str | None = None) -> None:
        super().__init__(replica, "body_metrics", scope)

    async def trend(self) -> "list[TrendDay]":
        """Give the body weight of each day with its trend, the oldest first, of measurings and check-ins together.

        Raises AthleteNeeded where a coach does not say whose: `replica.athlete(id).body_metrics.trend()`.
        """
        return await self._replica._do(_trend_of, self._scope)

    async def import_file(
        self, path: str | Path, *, unit: Literal["kg", "lb"] | None = None, dry_run: bool = False
    ) -> BodyImport:
        """Import weight, fat and girths of Apple Health (`export.xml`, or its zip) or a CSV file; never anything twice.

        `unit` is for CSV files that do not state theirs. Raises the errors of `apex_client.importers`.
        """
        from apex_client.importers.body import read_body_file

        plan = await self._replica._thread.aside(read_body_file, Path(path), unit=unit)
        return await self._replica._do(write_measurings, plan, self._scope, dry_run=dry_run)


def _trend_of(local: "LocalReplica", scope: str | None) -> "list[TrendDay]":
    from apex_client import listing
    from apex_sync.coaching.bodyweight import trend_as_shown, weigh_ins_of, weight_trend

    home = scope or local.own_scope(BODY_METRICS.name)
    read = weigh_ins_of(
        (found.record_id, collection.read(found.state)[0])
        for collection in (CHECK_INS, BODY_METRICS)
        for found in listing.by_date(local, collection.name, home, since=None, until=None, limit=READINGS_MAX)
    )
    return trend_as_shown(weight_trend(read))
