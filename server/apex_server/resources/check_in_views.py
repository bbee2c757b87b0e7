"""Check-ins with what stands in records of its own: the questions that they answer, and the photos that name them."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from apex_server.db import Connection, load_queries
from apex_server.resources.reading import KnownRecord, known_record, read_records
from apex_server.sync.sealing import open_documents
from apex_server.sync.store import DAMAGED
from apex_server.vault import Vault
from apex_sync.coaching.checkin_view import CheckInView, PhotoView, checkin_view
from apex_sync.coaching.questionnaires import AnsweredQuestion, answered, library_asked
from apex_sync.collection import Record
from apex_sync.ids import Scope
from apex_sync.models import PROGRESS_PHOTOS, QUESTIONNAIRES

__all__ = ["answered_questions", "check_in_views", "questionnaires_named"]

_queries = load_queries(__package__)


async def check_in_views(connection: Connection, vault: Vault, found: Sequence[KnownRecord]) -> list[CheckInView]:
    """Show check-ins, in their order."""
    photos = await _photos_by_check_in(connection, vault, found)
    questionnaires = await questionnaires_named(
        connection, vault, (getattr(known.record, "questionnaire_id", None) for known in found)
    )
    return [_view(known, questionnaires, photos[known.scope, known.id]) for known in found]


async def questionnaires_named(
    connection: Connection, vault: Vault, named: Iterable[object]
) -> Mapping[str, Mapping[str, Record]]:
    """Read questionnaires by what check-ins call them and by library, deleted ones as well: they were answered before.

    What the caller may not read, and what was never there, is left out. Several coaches may use one id: `library_asked`
    tells which is meant.
    """
    names = {record_id: name for name in named if isinstance(name, str) and (record_id := _uuid(name))}
    if not names:
        return {}
    rows = await connection.fetch(_queries.list_from_libraries, QUESTIONNAIRES.name, list(names))
    docs = await open_documents(connection, vault, rows)
    found: defaultdict[str, dict[str, Record]] = defaultdict(dict)
    for row, doc in zip(rows, docs, strict=True):
        if doc != DAMAGED:
            found[names[row["record_id"]]][row["scope"]] = known_record(QUESTIONNAIRES, row, doc).record
    return found


def answered_questions(
    questionnaires: Mapping[str, Mapping[str, Record]], name: str | None, answers: Mapping[str, Any]
) -> list[AnsweredQuestion]:
    """Give the questions of the questionnaire that is meant, with their answers."""
    alike = questionnaires.get(name or "", {})
    return answered(alike.get(library_asked(alike, answers) or ""), answers)


def _view(
    known: KnownRecord,
    questionnaires: Mapping[str, Mapping[str, Record]],
    photos: Sequence[tuple[str, Record]],
) -> CheckInView:
    view = checkin_view(known.id, known.record, problems=known.problems, photos=photos)
    view.questions = answered_questions(questionnaires, view.questionnaire_id, view.questionnaire)
    for photo in view.photos:
        _place_picture(photo)
    return view


def _place_picture(photo: PhotoView) -> None:
    if photo.media_id:
        photo.url = photo.url or f"/api/media/{photo.media_id}"
        photo.thumbnail_url = photo.thumbnail_url or f"/api/media/{photo.media_id}/thumbnail"


async def _photos_by_check_in(
    connection: Connection, vault: Vault, found: Sequence[KnownRecord]
) -> defaultdict[tuple[str, str], list[tuple[str, Record]]]:
    scope_ids = [Scope.parse(known.scope).id for known in found]
    rows = await connection.fetch(_queries.list_photos_of_check_ins, scope_ids, [known.id for known in found])
    places = [(row["scope_id"], row["record_id"]) for row in rows]
    photos: defaultdict[tuple[str, str], list[tuple[str, Record]]] = defaultdict(list)
    for known in await read_records(connection, vault, PROGRESS_PHOTOS, places) if places else ():
        photos[known.scope, str(known.fold.state.get("check_in_id"))].append((known.id, known.record))
    return photos


def _uuid(name: str) -> UUID | None:
    try:
        return UUID(name)
    except ValueError:
        return None
