# Made from ../clients.py by client_sdk/generate_blocking.py; edit that file instead.
"""A coach's athletes: how each stands, what happened to them, and whom to invite.

for client in replica.clients.standing():
    print(client.name, client.status, client.adherence.overall)

`standing`, `dashboard` and `timeline` follow from what is on this device, by the arithmetic of the server, and need no
network; the rest does.
`replica.athletes` has the same people with their records, and what the coach keeps about each
(`replica.athlete(id).client_file`, where tags, status and archiving are edited).
"""

from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import urlencode

from apex_client.blocking.account import read_answer
from apex_client.standing import (
    ClientsPage,
    ClientSummary,
    ImportReport,
    Invite,
    OpenInvite,
    OpenInvitesPage,
    TimelineEntry,
)

if TYPE_CHECKING:
    from apex_client.blocking.replica import Replica
    from apex_client.client_dashboard import ClientDashboard
    from apex_sync.coaching.client_order import ClientSort
    from apex_sync.coaching.client_standing import Status
    from apex_sync.coaching.client_timeline import TimelineKind

PAGE_LENGTH = 200
"""As many as an answer of the server has at most, of athletes and of what happened."""

_Clients: TypeAlias = list[ClientSummary]
_Entries: TypeAlias = list[TimelineEntry]
_Invites: TypeAlias = list[OpenInvite]


class Clients:
    """The athletes of the signed-in coach; on a replica `replica.clients`."""

    def __init__(self, replica: "Replica") -> None:
        self._replica = replica

    def standing(
        self,
        *,
        status: "Status | None" = None,
        tag: str | None = None,
        text: str | None = None,
        archived: bool = False,
        sort: "ClientSort" = "name",
    ) -> _Clients:
        """List the athletes with how each stands as far as this device knows: what `list` asks of the server.

        `text` is a part of the name, `archived` gives only those who were archived, and a minus before `sort` turns it
        around. Names are those of profiles where there is one. Raises CoachNeeded.
        """
        from apex_client import client_facts
        from apex_client.client_order import ordered

        wanted = (text or "").casefold()
        found = [
            client
            for client in self._replica._do(client_facts.standings)
            if client.archived == archived
            and status in (None, client.status)
            and (tag is None or tag in client.tags)
            and wanted in client.name.casefold()
        ]
        return ordered(found, sort)

    def list(self, *, sort: str = "name", **filters: str | bool) -> _Clients:
        """List the athletes with how each stands, as the server says it now.

        Filters are `status`, `tag`, `text` and `archived`.
        """
        found: list[ClientSummary] = []
        asked = {**filters, "sort": sort, "limit": PAGE_LENGTH}
        after: str | None = None
        while True:
            page = read_answer(self._get("", asked, after), ClientsPage)
            found += page.clients
            after = page.next
            if after is None:
                return found

    def get(self, athlete_id: str) -> dict[str, Any]:
        """Read one athlete: standing, profile, file and body metrics, as the API describes them."""
        return read_answer(self._get(f"/{athlete_id}"), dict[str, Any])

    def dashboard(self, athlete_id: str) -> "ClientDashboard":
        """Show one athlete at a glance, as far as this device knows. Raises CoachNeeded, NotGranted."""
        from apex_client import client_dashboard

        return self._replica._do(client_dashboard.dashboard, athlete_id)

    def timeline(self, athlete_id: str, *, kind: "TimelineKind | None" = None, limit: int = 50) -> _Entries:
        """List what happened to an athlete, the newest first, of one kind or of all, as far as this device knows.

        Raises CoachNeeded, NotGranted.
        """
        from apex_client import client_timeline

        return self._replica._do(client_timeline.timeline, athlete_id, kind, limit)

    def invite(
        self,
        email: str | None = None,
        *,
        valid_days: int = 14,
        profile: dict[str, Any] | None = None,
        file: dict[str, Any] | None = None,
    ) -> Invite:
        """Invite an athlete, by a letter if there is an address; what is known of them is laid down when they accept.

        Once more for the same address gives a new code, and the one before it is void.
        """
        known = {name: part for name, part in (("profile", profile), ("file", file)) if part}
        body = {"email": email, "valid_days": valid_days, **known}
        return read_answer(self._replica.request("POST", "/api/clients", body), Invite)

    def import_csv(self, text: str, *, dry_run: bool = True) -> ImportReport:
        """Invite everybody in a CSV file, or say what would be done; each row is judged alone."""
        path = f"/api/clients/import?dry_run={str(dry_run).lower()}"
        return read_answer(self._replica.request("POST", path, {"csv": text}), ImportReport)

    def invites(self) -> _Invites:
        """List the invites that nobody has accepted yet, the newest first."""
        found: _Invites = []
        after: str | None = None
        while True:
            page = read_answer(self._get("/invites", {"limit": PAGE_LENGTH}, after), OpenInvitesPage)
            found += page.invites
            after = page.next
            if after is None:
                return found

    def revoke_invite(self, invite_id: str) -> None:
        """Take back an invite that nobody has accepted: its code is void, and whoever tries it is told."""
        self._replica.request("DELETE", f"/api/clients/invites/{invite_id}")

    def revoke_invites(self) -> None:
        """Take back all invites that nobody has accepted."""
        self._replica.request("DELETE", "/api/clients/invites")

    def _get(self, path: str, asked: dict[str, Any] | None = None, after: str | None = None) -> Any:
        named = {**(asked or {}), **({"after": after} if after else {})}
        query = urlencode(
            {name: str(value).lower() if isinstance(value, bool) else value for name, value in named.items()}
        )
        return self._replica.request("GET", f"/api/clients{path}{'?' if query else ''}{query}")
