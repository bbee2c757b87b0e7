"""The versions of a program: what changed when, by whom, read from the ops that the program is made of."""

from apex_server.db import Connection
from apex_server.errors import NotFound
from apex_server.programs.coaches import show_programs
from apex_server.programs.errors import VersionGone
from apex_server.programs.payloads import ProgramResource, ProgramVersionsPage, ProgramVersionView
from apex_server.resources import KnownRecord, StampMark, moment_of, origins_of_clients
from apex_server.vault import Vault
from apex_sync.coaching.program_changes import program_version
from apex_sync.errors import NoSuchVersion, VersionFolded
from apex_sync.ids import Scope
from apex_sync.versions import versions

__all__ = ["program_as_of", "versions_page"]


async def versions_page(
    connection: Connection, vault: Vault, program: KnownRecord, after: StampMark | None, limit: int
) -> ProgramVersionsPage:
    """List the versions before a stamp, or the latest; only those of the page are put into words."""
    older = [each for each in versions(program.document) if after is None or each.stamp < after.stamp]
    told = [program_version(each) for each in older[-limit:][::-1]]
    clients = sorted({each.client_id for each in told})
    origins = await origins_of_clients(connection, vault, Scope.parse(program.scope).id, clients)
    views = [
        ProgramVersionView(
            number=each.number,
            stamp=each.stamp,
            at=moment_of(each.stamp),
            by=origins[each.client_id],
            folded=each.folded,
            changes=each.changes,
            more=each.more,
        )
        for each in told
    ]
    return ProgramVersionsPage(views, StampMark(told[-1].stamp).encode() if len(older) > limit else None)


async def program_as_of(connection: Connection, program: KnownRecord, stamp: int) -> ProgramResource:
    """Show a program as it stood. Raises NotFound, VersionGone."""
    try:
        past = program.as_of(stamp)
    except NoSuchVersion as error:
        raise NotFound("version of this program") from error
    except VersionFolded as error:
        raise VersionGone from error
    [shown] = await show_programs(connection, [past])
    return shown
