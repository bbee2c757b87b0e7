"""The athletes on a coach's replica, each with the resources of an athlete."""

from typing import TYPE_CHECKING

from apex_client import listing
from apex_client.checkins import CheckIns
from apex_client.insights import Insights
from apex_client.overview import AthleteSummary
from apex_client.records import ProfileRecord, Records
from apex_client.workouts import Workouts
from apex_sync.ids import athlete_scope, private_scope

if TYPE_CHECKING:
    from apex_client.replica import Replica


class Athletes:
    """Everybody whose records this replica holds."""

    def __init__(self, replica: "Replica") -> None:
        self._replica = replica

    async def list(self) -> list[AthleteSummary]:
        """List the athletes by name, with what is newest of each."""
        return await self._replica._do(listing.athletes)

    def __getitem__(self, athlete_id: str) -> "Athlete":
        """Give the resources of one athlete."""
        return Athlete(self._replica, athlete_id)


class Athlete:
    """One athlete's records: the resources of `Replica`, for this athlete alone."""

    def __init__(self, replica: "Replica", athlete_id: str) -> None:
        scope = athlete_scope(athlete_id)
        self.id = athlete_id
        self.workouts = Workouts(replica, scope)
        self.checkins = CheckIns(replica, scope)
        self.programs = Records(replica, "programs", scope)
        self.profile = ProfileRecord(replica, scope)
        self.insights = Insights(replica, athlete_id)
        self.published_insights = Records(replica, "published_insights", scope)
        coach_id = replica.user.id if replica.user else ""
        self.program_drafts = Records(replica, "programs", private_scope(coach_id, athlete_id) if coach_id else scope)
