"""The versions of a program on this replica; each takes the local replica and is run in its thread."""

from apex_client.local import LocalReplica
from apex_sync.coaching.program_changes import ProgramVersion, program_version
from apex_sync.models import PROGRAMS, Program
from apex_sync.versions import fold_as_of, versions


def versions_of(local: LocalReplica, program_id: str, scope: str, limit: int) -> list[ProgramVersion]:
    """List the latest versions of a program, the latest first. Raises NoSuchRecord."""
    held = local.find(PROGRAMS.name, program_id, scope)
    return [program_version(version) for version in versions(held.document)[-limit:][::-1]]


def as_of(local: LocalReplica, program_id: str, scope: str, stamp: int) -> Program:
    """Read a program as it was. Raises NoSuchRecord, NoSuchVersion, VersionFolded."""
    held = local.find(PROGRAMS.name, program_id, scope)
    program: Program = PROGRAMS.read(fold_as_of(held.document, stamp).state)[0]  # type: ignore[assignment]
    return program
