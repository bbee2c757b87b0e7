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
from apex_client.importers.reading import AcceptDoubled, read_export
from apex_client.importers.run import ImportReport, ImportTally, new_leaves

__all__ = [
    "AcceptDoubled",
    "EmptyFile",
    "FileTooLarge",
    "FileUnreadable",
    "ImportFailed",
    "ImportPlan",
    "ImportReport",
    "ImportTally",
    "ImportWarning",
    "ImportedWorkout",
    "NotAnExport",
    "QuarantinedWorkout",
    "SkippedRow",
    "UnitNeeded",
    "new_leaves",
    "read_export",
]
