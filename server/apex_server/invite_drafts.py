"""What a coach knows of an athlete before they come: kept sealed with the invite, and laid down once it is accepted.

Laying down is ops on the one write path, on behalf of the coach. It writes only what nobody has said yet, so doing it
again changes nothing. What the athlete said before, on a device that syncs only afterwards, is the older of two words:
the coach's is in force, and theirs is in the history as any overwritten value is. Whoever was archived before they came
is in sight again; what the coach archives afterwards, laid down or not, stays archived.
"""

from typing import Any
from uuid import UUID

import msgspec
import structlog
from msgspec import Struct

from apex_server.db import Connection, Database, load_queries
from apex_server.errors import ApiError, DatabaseUnavailable, NotFound
from apex_server.sync.commit import Committer
from apex_server.sync.errors import FieldForbidden
from apex_server.sync.sealing import open_documents
from apex_server.sync.store import DAMAGED
from apex_server.vault import KeyDestroyed, SealBroken, UserKey, Vault
from apex_sync.coaching.drafts import DraftPatch, InvalidDraft, check_draft
from apex_sync.collection import Collection
from apex_sync.errors import FieldProblem
from apex_sync.fold import Fold, fold
from apex_sync.ids import Scope, athlete_scope, private_scope
from apex_sync.models import CLIENT_FILES, PROFILES
from apex_sync.models.client_file import client_file_id
from apex_sync.op import Patch
from apex_sync.wire import parse_document

__all__ = ["InviteDraft", "InviteDrafts", "open_draft", "problems_of", "seal_draft"]

INVITE_DRAFT = "invites.draft"
"""The place that drafts are sealed for."""

PART_BYTES_MAX = 48 * 1024
"""What surely fits into one op (`apex_sync.op.OP_BYTES_MAX`)."""

_NOBODY_TO_READ_IT = (NotFound, FieldForbidden, KeyDestroyed, SealBroken)
"""The relation has ended, or one of the two is gone. All other trouble passes, and the draft waits for that."""

_log = structlog.get_logger(__name__)
_queries = load_queries(__package__)


class InviteDraft(Struct, frozen=True, omit_defaults=True):
    """Whom an invite is for, and what their records are to hold, as patches."""

    name: str | None = None
    profile: Patch = {}
    file: Patch = {}


def seal_draft(key: UserKey, draft: InviteDraft) -> bytes:
    """Seal a draft with the key of the coach."""
    return key.seal(msgspec.msgpack.encode(draft), what=INVITE_DRAFT)


def open_draft(key: UserKey, sealed: bytes) -> InviteDraft:
    """Open what `seal_draft` sealed. Raises SealBroken."""
    return msgspec.msgpack.decode(key.open(sealed, what=INVITE_DRAFT), type=InviteDraft)


def problems_of(draft: InviteDraft) -> list[tuple[str, FieldProblem]]:
    """Say what would keep a draft from being laid down as it is, each with its part: it must not fail afterwards."""
    found: list[tuple[str, FieldProblem]] = []
    for part, collection, patch in (("profile", PROFILES, draft.profile), ("file", CLIENT_FILES, draft.file)):
        try:
            check_draft(collection, DraftPatch(patch))
            problems = collection.read(patch)[1]
            if len(msgspec.msgpack.encode(patch)) > PART_BYTES_MAX:
                problems = [FieldProblem("", f"Expected at most {PART_BYTES_MAX} bytes")]
        except InvalidDraft as error:
            problems = list(error.problems)
        found += [(part, problem) for problem in problems]
    return found


class InviteDrafts:
    """The part of the worker that lays down what waited for an athlete."""

    def __init__(self, database: Database, committer: Committer) -> None:
        self._database = database
        self._committer = committer

    async def lay_down(self) -> int:
        """Lay down the drafts of accepted invites; gives how many are done with. Raises DatabaseUnavailable."""
        async with self._database.commit_connection() as connection:
            rows = await connection.fetch(_queries.list_accepted_drafts)
        done = 0
        for row in rows:
            if await self._lay_down(row):
                done += 1
                async with self._database.commit_connection() as connection:
                    await connection.execute(_queries.forget_draft, row["code_hash"])
        return done

    async def _lay_down(self, row: Any) -> bool:
        """Lay down each part for itself; False: something of it has to wait."""
        coach, athlete = str(row["coach_id"]), str(row["athlete_id"])
        try:
            async with self._database.commit_connection() as connection:
                draft = open_draft(await self._database.vault.user_key(connection, row["coach_id"]), row["draft"])
        except _NOBODY_TO_READ_IT as error:
            _log.info("draft_dropped", reason=type(error).__name__)
            return True
        done = True
        for collection, scope, record_id, patch in (
            (PROFILES, athlete_scope(athlete), athlete, draft.profile),
            (CLIENT_FILES, private_scope(coach, athlete), client_file_id(coach, athlete), draft.file),
        ):
            try:
                await self._lay_part(row, collection, scope, record_id, patch)
            except _NOBODY_TO_READ_IT as error:
                _log.info("draft_dropped", part=collection.name, reason=type(error).__name__)
            except DatabaseUnavailable:
                raise
            except ApiError as error:
                _log.warning("draft_waits", part=collection.name, reason=type(error).__name__)
                done = False
        return done

    async def _lay_part(self, row: Any, collection: Collection, scope: str, record_id: str, patch: Patch) -> None:
        async with self._database.commit_connection() as connection:
            held = await _read_standing(connection, self._database.vault, scope, record_id)
        missing = {name: value for name, value in patch.items() if held.state.get(name) is None}
        accepted_us = round(row["used_at"].timestamp() * 1_000_000)
        if collection is CLIENT_FILES and any(
            path == ("archived",) and claim.value and claim.hlc < accepted_us for path, claim in held.claims()
        ):
            missing["archived"] = False
        if missing:
            await self._committer.write(row["coach_id"], scope, collection.name, record_id, missing)


async def _read_standing(connection: Connection, vault: Vault, scope: str, record_id: str) -> Fold:
    """Give what a record is; the fold of nothing where there is none, or none that can be read."""
    rows = await connection.fetch(_queries.get_standing_record, Scope.parse(scope).id, UUID(record_id))
    docs = await open_documents(connection, vault, rows)
    return fold(write for doc in docs if doc != DAMAGED for write in parse_document(doc).writes())
