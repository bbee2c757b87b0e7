"""Showing a check-in over REST: the view, whose it is, and on demand where its values come from."""

from collections.abc import Collection
from typing import Any

from apex_server.checkins.payloads import CheckIn
from apex_server.db import Connection
from apex_server.resources import KnownRecord, RecordKind, provenance_of
from apex_server.vault import Vault
from apex_sync.coaching.checkin_view import checkin_patch, checkin_view
from apex_sync.models import CHECK_INS

__all__ = ["CHECKINS", "INCLUDABLE", "show_checkin"]

INCLUDABLE = ("conflicts", "contributions")

_SHOWN_BESIDE = frozenset(CheckIn.__struct_fields__)


def to_patch(checkin_id: str, draft: Any, base: Any) -> Any:
    """Turn what a caller sent into the difference from a version. Raises InvalidDraft."""
    return checkin_patch(checkin_id, draft, base, known=_SHOWN_BESIDE)


CHECKINS = RecordKind(CHECK_INS, "check-in", to_patch)


async def show_checkin(
    connection: Connection, vault: Vault, known: KnownRecord, include: Collection[str] = ()
) -> CheckIn:
    """Show one check-in."""
    view = checkin_view(known.id, known.record, problems=known.problems)
    checkin = CheckIn(
        **{name: getattr(view, name) for name in view.__struct_fields__},
        athlete_id=known.athlete_id,
        created_at=known.created_at,
        updated_at=known.updated_at,
        synced_at=known.synced_at,
    )
    if include:
        provenance = await provenance_of(connection, vault, known, "photos")
        for name in include:
            setattr(checkin, name, getattr(provenance, name))
    return checkin
