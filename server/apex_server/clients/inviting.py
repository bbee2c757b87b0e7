"""Making invites, one or ten thousand, each with what is to be laid down when it is accepted.

Nobody can look a code up again. So whoever lost an answer asks once more: an open invite under the same address makes
room for the new one, and its code is void. What has an address is mailed there, whoever has an account: nobody looks.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from apex_server.clients.importing import JudgedRow
from apex_server.clients.payloads import (
    ImportedClient,
    ImportProblem,
    ImportReport,
    Invite,
    InviteMark,
    Letter,
    OpenInvite,
    OpenInvitesPage,
    PlannedInvite,
)
from apex_server.db import Connection, Database, load_queries
from apex_server.errors import NotFound
from apex_server.invite_drafts import InviteDraft, open_draft, seal_draft
from apex_server.invite_errors import TooManyInvites
from apex_server.invites import invite_fingerprint, new_invite_code
from apex_server.mail import INVITE_CODE, INVITE_EMAIL, ask_for_invite_mails, mailbox_key
from apex_server.vault import UserKey, Vault

__all__ = [
    "LETTERS_MAX",
    "LETTERS_TO_ONE_MAX",
    "OPEN_INVITES_MAX",
    "Invited",
    "import_clients",
    "list_invites",
    "make_invites",
    "revoke_invites",
]

OPEN_INVITES_MAX = 10_000
"""Per coach, as many as one import has rows: more is a program running wild."""
MADE_MAX = 30_000
"""In a day: the same import three times."""
LETTERS_MAX = 200
"""In a day: nobody takes on more people, and who writes to more is advertising."""
LETTERS_TO_ONE_MAX = 2
"""In a day, to one mailbox: the letter, and once more."""
LETTERS_TO_ONE_OF_MONTH_MAX = 4
"""In thirty days, to one mailbox: the same with the next invite. The share is each coach's own."""
DAY, MONTH = timedelta(days=1), timedelta(days=30)

VALID_DAYS = 14
PROBLEMS_MAX = 1000
"""Named in one report; whoever has more has a few causes."""

GOING: frozenset[Letter] = frozenset({"waiting", "unconfirmed"})

_queries = load_queries(__package__)


class Invited(NamedTuple):
    """Whom an invite is for: an address (as its key), or whoever holds the code; and what is known of them."""

    email: str | None = None
    draft: InviteDraft | None = None


class Room(NamedTuple):
    """How many more invites a coach may have, and what becomes of their letters."""

    invites: int
    letters: int
    confirmed: bool
    """The coach's own address: letters name them by it, and wait until it is."""
    to_one: Mapping[bytes, int]
    """How many more letters of this coach a mailbox may have, where there are some already."""


async def make_invites(database: Database, coach_id: UUID, whom: Sequence[Invited], valid_days: int) -> list[Invite]:
    """Make and mail invites of a coach, in the order given, in place of the open ones under the same addresses.

    Without a draft of its own an invite takes over what the one before it had. Raises TooManyInvites.
    """
    vault = database.vault
    codes = [new_invite_code() for _ in whom]
    code_hashes = [invite_fingerprint(code) for code in codes]
    indexes = [vault.email_index(each.email) if each.email else None for each in whom]
    mailboxes = [_mailbox(vault, each.email) for each in whom]
    async with database.request(coach_id) as connection:
        room = await _room(connection, coach_id, indexes, mailboxes)
        if len(whom) > room.invites:
            raise TooManyInvites(OPEN_INVITES_MAX)
        letters = _letters(mailboxes, room)
        key = await vault.user_key(connection, coach_id)
        rows = await connection.fetch(
            _queries.add_invites,
            coach_id,
            code_hashes,
            indexes,
            [key.seal_text(each.email, what=INVITE_EMAIL) if each.email else None for each in whom],
            [seal_draft(key, each.draft) if each.draft else None for each in whom],
            letters,
            timedelta(days=valid_days),
            seal_draft(key, InviteDraft()),
            mailboxes,
        )
        row_of = {row["code_hash"]: row for row in rows}
        made = [
            Invite(row["id"], code, f"/join/{code}", row["expires_at"], letter)
            for code, row, letter in zip(codes, map(row_of.__getitem__, code_hashes), letters, strict=True)
        ]
        going = [each for each in made if each.letter in GOING]
        sealed_codes = {each.id: key.seal_text(each.code, what=INVITE_CODE) for each in going}
        await ask_for_invite_mails(connection, sealed_codes, at_once=room.confirmed)
    return made


async def list_invites(database: Database, coach_id: UUID, mark: InviteMark | None, limit: int) -> OpenInvitesPage:
    """List a page of the open invites of a coach, the newest first."""
    async with database.request(coach_id) as connection:
        rows = await connection.fetch(_queries.list_open_invites, coach_id, *InviteMark.key(mark), limit + 1)
        key = await database.vault.user_key(connection, coach_id)
    invites = [_open_invite(row, key) for row in rows[:limit]]
    last = invites[-1] if len(rows) > limit else None
    return OpenInvitesPage(invites, _mark_of(last).encode() if last else None)


async def revoke_invites(database: Database, coach_id: UUID, invite_id: UUID | None = None) -> None:
    """Take back one open invite of a coach, or all of them: their codes are void. Raises NotFound."""
    async with database.request(coach_id) as connection:
        revoked = await connection.fetch(_queries.revoke_invites, coach_id, invite_id)
    if invite_id is not None and not revoked:
        raise NotFound("invite")


async def import_clients(
    database: Database, coach_id: UUID, rows: Sequence[JudgedRow], *, dry_run: bool
) -> ImportReport:
    """Invite everybody whose row is whole, as far as there is room for open invites, or say what would be done."""
    indexes = {row.number: database.vault.email_index(row.email) for row in rows if row.email and not row.problems}
    mailboxes = {row.number: _mailbox(database.vault, row.email) for row in rows if not row.problems}
    async with database.request(coach_id) as connection:
        open_ones = await connection.fetch(_queries.list_invited, coach_id, list(indexes.values()))
        room = await _room(connection, coach_id, list(indexes.values()), list(mailboxes.values()))
    known = {each["email_index"] for each in open_ones}
    problems = [problem for row in rows for problem in row.problems]
    valid: list[JudgedRow] = []
    left = room.invites - len(known)  # They take the place of what stands there.
    for row in rows:
        if row.problems:
            continue
        if indexes.get(row.number) not in known:
            if left <= 0:
                problems.append(ImportProblem(row.number, "", f"goes beyond your {OPEN_INVITES_MAX} open invites"))
                continue
            left -= 1
        valid.append(row)
    made = (
        []
        if dry_run or not valid
        else await make_invites(database, coach_id, [Invited(row.email, row.draft) for row in valid], VALID_DAYS)
    )
    letters = [invite.letter for invite in made] or _letters([mailboxes[row.number] for row in valid], room)
    problems.sort(key=lambda problem: problem.row)
    return ImportReport(
        dry_run=dry_run,
        rows=len(rows),
        valid=len(valid),
        replaced=len(known),
        letters=dict(Counter(letters)),
        problems=problems[:PROBLEMS_MAX],
        more_problems=len(problems) > PROBLEMS_MAX,
        invited=[ImportedClient(row.number, row.draft.name, invite) for row, invite in zip(valid, made, strict=False)],
        planned=[
            PlannedInvite(row.number, row.draft.name, letter, replaces=indexes.get(row.number) in known)
            for row, letter in zip(valid, letters, strict=True)
            if dry_run
        ],
    )


def _mailbox(vault: Vault, email: str | None) -> bytes | None:
    return vault.email_index(mailbox_key(email)) if email else None


async def _room(
    connection: Connection, coach_id: UUID, indexes: Sequence[bytes | None], mailboxes: Sequence[bytes | None]
) -> Room:
    """Say what a coach has room for, where invites to these addresses take the place of the open ones there."""
    addresses = [index for index in indexes if index]
    confirmed = await connection.fetchval(_queries.lock_inviting, coach_id)
    count = await connection.fetchrow(_queries.count_invites, coach_id, addresses, DAY)
    lettered = [mailbox for mailbox in mailboxes if mailbox]
    to_one = await connection.fetch(_queries.count_letters, coach_id, lettered, DAY, addresses, MONTH)
    return Room(
        invites=min(OPEN_INVITES_MAX - count["open"], MADE_MAX - count["made"]),
        letters=LETTERS_MAX - count["letters"],
        confirmed=confirmed,
        to_one={
            row["mailbox_index"]: min(LETTERS_TO_ONE_MAX - row["of_day"], LETTERS_TO_ONE_OF_MONTH_MAX - row["of_month"])
            for row in to_one
        },
    )


def _letters(mailboxes: Sequence[bytes | None], room: Room) -> list[Letter]:
    """Say for each invite what becomes of its letter; the first have them, where there are too many."""
    letters: list[Letter] = []
    left, left_to_one = room.letters, dict(room.to_one)
    for mailbox in mailboxes:
        to_one = left_to_one.get(mailbox, LETTERS_TO_ONE_MAX) if mailbox is not None else 0
        goes = to_one > 0 and left > 0
        if mailbox is not None and goes:
            left -= 1
            left_to_one[mailbox] = to_one - 1
        letters.append(
            "none" if mailbox is None else "too_many" if not goes else "waiting" if room.confirmed else "unconfirmed"
        )
    return letters


def _mark_of(last: OpenInvite) -> InviteMark:
    return InviteMark(last.created_at.astimezone(UTC).replace(tzinfo=None), last.id)


def _open_invite(row: Any, key: UserKey) -> OpenInvite:
    return OpenInvite(
        id=row["id"],
        email=row["email"] and key.open_text(row["email"], what=INVITE_EMAIL),
        name=open_draft(key, row["draft"]).name if row["draft"] else None,
        letter=row["letter"],
        letter_at=row["letter_at"],
        created_at=row["created_at"],
        expires_at=row["expires_at"],
    )
