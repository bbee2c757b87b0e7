# Made from ../analytics.py by client_sdk/generate_blocking.py; edit that file instead.
"""What training adds up to: volume, lines of strength and adherence from this device, and the coach's view of all.

    volume = replica.analytics.volume(weeks=8)
    [bench] = replica.analytics.progression("Bench Press")

The first three need no network; figures are the same as the server's, by the same arithmetic.
"""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlencode

from apex_client.blocking.account import read_answer
from apex_client.errors import AthleteNeeded
from apex_client.whole_file import whole_file

if TYPE_CHECKING:
    from apex_client.blocking.replica import Replica
    from apex_sync.coaching.analytics import AdherenceWeek, ExerciseProgress, Volume

WEEKS = 12


class Analytics:
    """The figures of one athlete: on a replica `replica.analytics`, on a coach's `replica.athlete(id).analytics`."""

    def __init__(self, replica: "Replica", scope: str | None = None) -> None:
        self._replica = replica
        self._scope = scope

    def volume(self, *, weeks: int = WEEKS) -> "Volume":
        """Count weekly hard sets by muscle and by exercise. Raises AthleteNeeded for a coach who names nobody."""
        from apex_client import training

        return self._replica._do(training.volume, self._whose(), weeks=weeks, today=self._today())

    def progression(self, exercise: str | None = None, *, weeks: int = WEEKS) -> "list[ExerciseProgress]":
        """Draw the line of each exercise, or of one by its id or name: top sets, estimated maxima, records.

        Raises AthleteNeeded for a coach who names nobody.
        """
        from apex_client import training

        return self._replica._do(training.progression, self._whose(), exercise, weeks=weeks, today=self._today())

    def adherence(self, *, weeks: int = WEEKS) -> "list[AdherenceWeek]":
        """State how many of the due sessions were done, week by week. Raises AthleteNeeded as the others do."""
        from apex_client import training

        return self._replica._do(training.adherence, self._whose(), weeks=weeks, today=self._today())

    def dashboard(self) -> dict[str, Any]:
        """Read a coach's work at a glance, as the API describes it; needs a network."""
        return read_answer(self._replica.request("GET", "/api/analytics/dashboard"), dict[str, Any])

    def clients(self, *, weeks: int = WEEKS) -> dict[str, Any]:
        """Read the adherence of all of a coach's athletes, as the API describes it; needs a network."""
        return read_answer(self._replica.request("GET", f"/api/analytics/adherence?weeks={weeks}"), dict[str, Any])

    def client(self, athlete_id: str, *, weeks: int = WEEKS) -> dict[str, Any]:
        """Read the weeks of one of a coach's athletes, as the API describes them; needs a network."""
        path = f"/api/analytics/client/{athlete_id}?weeks={weeks}"
        return read_answer(self._replica.request("GET", path), dict[str, Any])

    def workouts(self, **asked: str) -> dict[str, Any]:
        """Add up training by week over all whom the user may read; `athlete_id`, `from` and `to` narrow it."""
        query = urlencode(asked)
        return read_answer(self._replica.request("GET", f"/api/workouts/analytics?{query}"), dict[str, Any])

    def export(
        self, path: str | Path, *, format: Literal["csv", "json", "parquet"] = "csv", athlete_id: str | None = None
    ) -> None:
        """Download every logged set that the user may take along, as a table; the file is complete or not there.

        Needs a network. Raises ServerRefused with the code `parquet_missing` where a server cannot write Parquet.
        """
        query = urlencode({"format": format, **({"athlete_id": athlete_id} if athlete_id else {})})
        with whole_file(Path(path), "wb") as file:
            self._replica._account.download(f"/api/analytics/export?{query}", file.write)

    def _whose(self) -> str | None:
        user = self._replica.user
        if self._scope is None and user is not None and user.role != "athlete":
            raise AthleteNeeded
        return self._scope

    def _today(self) -> date:
        moment = datetime.fromtimestamp(self._replica._now_us() // 1_000_000, UTC)
        return moment.astimezone(self._replica._zone).date()
