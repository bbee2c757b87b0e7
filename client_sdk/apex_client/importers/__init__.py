"""Import workout exports of other apps: read a file into a plan, then write what the replica does not have yet."""

from apex_client.importers.errors import (
    EmptyFile,
    FileTooLarge,
    FileUnreadable,
    ImportFailed,
    NotAnExport,
    UnitNeeded,
)
from apex_client.importers.plan import (
    ImportedWorkout,
    ImportPlan,
    ImportWarning,
    QuarantinedWorkout,
    SkippedRow,
)
from apex_client.importers.reading import read_export

__all__ = [
    "EmptyFile",
    "FileTooLarge",
    "FileUnreadable",
    "ImportFailed",
    "ImportPlan",
    "ImportWarning",
    "ImportedWorkout",
    "NotAnExport",
    "QuarantinedWorkout",
    "SkippedRow",
    "UnitNeeded",
    "read_export",
]
