"""The athletes on a coach's replica, each with the resources of an athlete."""

from typing import TYPE_CHECKING

from apex_client import listing
from apex_client.insights import Insights
from apex_client.messages import Messages
from apex_client.overview import AthleteSummary
from apex_client.programs import Programs
from apex_client.records import SoleRecord
from apex_client.resources import AthleteResources
from apex_sync.ids import athlete_scope, private_scope
from apex_sync.models import ClientFile

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


class Athlete(AthleteResources):
    """One athlete's records: the resources of `Replica`, for this athlete alone, and what the coach keeps apart."""

    def __init__(self, replica: "Replica", athlete_id: str) -> None:
        scope = athlete_scope(athlete_id)
        super().__init__(replica, scope)
        coach_id = replica.user.id if replica.user else ""
        private = private_scope(coach_id, athlete_id) if coach_id else scope
        self.id = athlete_id
        self.insights = Insights(replica, athlete_id)
        self.messages = Messages(replica, athlete_id)
        self.program_drafts = Programs(replica, private)
        self.client_file: SoleRecord[ClientFile] = SoleRecord(replica, "client_files", private)
