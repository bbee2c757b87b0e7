"""Making invites, one or a thousand, each with what is to be laid down when it is accepted."""

from collections.abc import Sequence
from datetime import timedelta
from typing import NamedTuple
from uuid import UUID

from apex_server.clients.importing import JudgedRow
from apex_server.clients.payloads import ImportedClient, ImportProblem, ImportReport, Invite
from apex_server.db import Connection, load_queries
from apex_server.errors import TooManyInvites
from apex_server.invite_drafts import InviteDraft, seal_draft
from apex_server.invites import invite_fingerprint, new_invite_code
from apex_server.vault import Vault

__all__ = ["OPEN_INVITES_MAX", "Invited", "import_clients", "make_invites"]

OPEN_INVITES_MAX = 1000
"""Per coach, which lets a gym move in as a whole: more is a program running wild. Two requests at once may pass it."""

VALID_DAYS = 14
PROBLEMS_MAX = 1000
"""Named in one report; whoever has more has a few causes."""

_queries = load_queries(__package__)


class Invited(NamedTuple):
    """Whom an invite is for: an address (as its key), or whoever holds the code; and what is known of them."""

    email: str | None = None
    draft: InviteDraft | None = None


async def make_invites(
    connection: Connection, vault: Vault, coach_id: UUID, whom: Sequence[Invited], valid_days: int
) -> list[Invite]:
    """Make invites of a coach, in the order given. Raises TooManyInvites."""
    await _require_room(connection, coach_id, len(whom))
    codes = [new_invite_code() for _ in whom]
    key = await vault.user_key(connection, coach_id) if any(each.draft for each in whom) else None
    rows = await connection.fetch(
        _queries.add_invites,
        coach_id,
        [invite_fingerprint(code) for code in codes],
        [vault.email_index(each.email) if each.email else None for each in whom],
        [seal_draft(key, each.draft) if key and each.draft else None for each in whom],
        timedelta(days=valid_days),
    )
    return [
        Invite(code=code, link=f"/join/{code}", expires_at=row["expires_at"])
        for code, row in zip(codes, rows, strict=True)
    ]


async def import_clients(
    connection: Connection, vault: Vault, coach_id: UUID, rows: Sequence[JudgedRow], *, dry_run: bool
) -> ImportReport:
    """Invite everybody whose row is whole and who is not invited already, or say what would be done.

    Raises TooManyInvites.
    """
    indexes = {row.number: vault.email_index(row.email) for row in rows if row.email}
    known = {
        each["email_index"] for each in await connection.fetch(_queries.list_invited, coach_id, list(indexes.values()))
    }
    problems = [problem for row in rows for problem in row.problems]
    valid = []
    for row in rows:
        if indexes.get(row.number) in known:
            problems.append(ImportProblem(row.number, "email", "is invited already"))
        elif not row.problems:
            valid.append(row)
    if dry_run:
        await _require_room(connection, coach_id, len(valid))
    made = (
        []
        if dry_run or not valid
        else await make_invites(
            connection, vault, coach_id, [Invited(row.email, row.draft) for row in valid], VALID_DAYS
        )
    )
    problems.sort(key=lambda problem: problem.row)
    return ImportReport(
        dry_run=dry_run,
        rows=len(rows),
        valid=len(valid),
        problems=problems[:PROBLEMS_MAX],
        more_problems=len(problems) > PROBLEMS_MAX,
        invited=[ImportedClient(row.number, row.draft.name, invite) for row, invite in zip(valid, made, strict=False)],
    )


async def _require_room(connection: Connection, coach_id: UUID, more: int) -> None:
    if await connection.fetchval(_queries.count_open_invites, coach_id) + more > OPEN_INVITES_MAX:
        raise TooManyInvites(OPEN_INVITES_MAX)
