"""Making invites, one or ten thousand, each with what is to be laid down when it is accepted.

Nobody can look a code up again. So whoever lost an answer asks once more: an open invite under the same address makes
room for the new one, and its code is void; what has no address ends with `revoke_invites`.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import NamedTuple
from uuid import UUID

from apex_server.clients.importing import JudgedRow
from apex_server.clients.payloads import ImportedClient, ImportProblem, ImportReport, Invite
from apex_server.db import Connection, Database, load_queries
from apex_server.invite_drafts import InviteDraft, seal_draft
from apex_server.invite_errors import TooManyInvites
from apex_server.invites import invite_fingerprint, new_invite_code

__all__ = ["OPEN_INVITES_MAX", "Invited", "import_clients", "make_invites", "revoke_invites"]

OPEN_INVITES_MAX = 10_000
"""Per coach, as many as one import has rows: more is a program running wild. Two requests at once may pass it."""

VALID_DAYS = 14
PROBLEMS_MAX = 1000
"""Named in one report; whoever has more has a few causes."""

_queries = load_queries(__package__)


class Invited(NamedTuple):
    """Whom an invite is for: an address (as its key), or whoever holds the code; and what is known of them."""

    email: str | None = None
    draft: InviteDraft | None = None


async def make_invites(database: Database, coach_id: UUID, whom: Sequence[Invited], valid_days: int) -> list[Invite]:
    """Make invites of a coach, in the order given, in place of the open ones under the same addresses.

    Without a draft of its own an invite takes over what the one before it had. Raises TooManyInvites.
    """
    vault = database.vault
    codes = [new_invite_code() for _ in whom]
    indexes = [vault.email_index(each.email) if each.email else None for each in whom]
    async with database.request(coach_id) as connection:
        replaced = await connection.fetch(_queries.list_invited, coach_id, [index for index in indexes if index])
        if len(whom) > len(replaced) + await _room(connection, coach_id):
            raise TooManyInvites(OPEN_INVITES_MAX)
        key = await vault.user_key(connection, coach_id) if any(each.draft for each in whom) else None
        rows = await connection.fetch(
            _queries.add_invites,
            coach_id,
            [invite_fingerprint(code) for code in codes],
            indexes,
            [seal_draft(key, each.draft) if key and each.draft else None for each in whom],
            timedelta(days=valid_days),
        )
    await revoke_invites(database, coach_id, [row["code_hash"] for row in replaced])
    return [
        Invite(code=code, link=f"/join/{code}", expires_at=row["expires_at"])
        for code, row in zip(codes, rows, strict=True)
    ]


async def revoke_invites(database: Database, coach_id: UUID, code_hashes: Sequence[bytes] | None = None) -> None:
    """End invites of a coach that nobody has accepted, or all of them: their codes are void."""
    if code_hashes is None or code_hashes:
        async with database.commit_connection() as connection:
            await connection.execute(_queries.revoke_invites, coach_id, code_hashes)


async def import_clients(
    database: Database, coach_id: UUID, rows: Sequence[JudgedRow], *, dry_run: bool
) -> ImportReport:
    """Invite everybody whose row is whole, as far as there is room for open invites, or say what would be done."""
    indexes = {row.number: database.vault.email_index(row.email) for row in rows if row.email and not row.problems}
    async with database.request(coach_id) as connection:
        open_ones = await connection.fetch(_queries.list_invited, coach_id, list(indexes.values()))
        room = await _room(connection, coach_id)
    known = {each["email_index"] for each in open_ones}
    problems = [problem for row in rows for problem in row.problems]
    valid: list[JudgedRow] = []
    for row in rows:
        if row.problems:
            continue
        if indexes.get(row.number) not in known:
            if room <= 0:
                problems.append(ImportProblem(row.number, "", f"goes beyond your {OPEN_INVITES_MAX} open invites"))
                continue
            room -= 1
        valid.append(row)
    made = (
        []
        if dry_run or not valid
        else await make_invites(database, coach_id, [Invited(row.email, row.draft) for row in valid], VALID_DAYS)
    )
    problems.sort(key=lambda problem: problem.row)
    return ImportReport(
        dry_run=dry_run,
        rows=len(rows),
        valid=len(valid),
        replaced=len(known),
        problems=problems[:PROBLEMS_MAX],
        more_problems=len(problems) > PROBLEMS_MAX,
        invited=[ImportedClient(row.number, row.draft.name, invite) for row, invite in zip(valid, made, strict=False)],
    )


async def _room(connection: Connection, coach_id: UUID) -> int:
    """How many more open invites a coach may have."""
    count: int = await connection.fetchval(_queries.count_open_invites, coach_id)
    return OPEN_INVITES_MAX - count
