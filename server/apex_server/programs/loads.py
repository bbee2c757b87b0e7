"""Loads of sets in per cent, after a program was assigned: an athlete was new then, or has become stronger."""

from datetime import datetime
from uuid import UUID

from apex_server.errors import FieldError, InvalidFields
from apex_server.programs.assigning import athletes_day, maxima_of
from apex_server.programs.payloads import Loads
from apex_server.resources import Made, RecordWriter
from apex_sync.coaching.assigning import resolved_loads, stated_maxima

__all__ = ["resolve_loads"]


async def resolve_loads(records: RecordWriter, program_id: UUID, asked: Loads, at: datetime) -> Made:
    """Write the loads of an athlete's program, at a time in UTC. Raises NotFound, FieldForbidden, InvalidFields."""
    async with records.reading() as connection:
        known = await records.known(connection, program_id)
        if known.athlete_id is None:
            raise InvalidFields.one("program_id", "Expected the program of an athlete: a template is in per cent")
        vault, athlete_id = records.database.vault, UUID(known.athlete_id)
        estimated, library = await maxima_of(connection, vault, athlete_id, known, at.date(), anew=asked.anew)
        today = await athletes_day(connection, athlete_id, at)
    stated, unknown = stated_maxima(known.record, asked.maxima_kg)
    if unknown:
        message = "Expected an exercise of this program, by its name or id"
        raise InvalidFields([FieldError(f"maxima_kg.{name}", message) for name in unknown])
    patch = resolved_loads(known.record, maxima_kg=estimated | stated, library=library, today=today, anew=asked.anew)
    return await records.within(known.scope).apply_patch(program_id, patch)
