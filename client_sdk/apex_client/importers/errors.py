"""Why a file could not be imported at all; nothing was read from it, nothing was saved.

    ImportFailed
    ├── FileUnreadable    there is no such file, it is a directory, or it may not be read
    ├── FileTooLarge      more bytes than any training log has
    ├── EmptyFile         nothing but white space
    ├── NotAnExport       headers that belong to no supported app
    └── UnitNeeded        loads without a unit: say kg or lb and read again

A single bad row is no error: it stands in the plan with its line and reason (`ImportPlan.skipped`, `.warnings`).
"""

from pathlib import Path
from typing import Literal

LoadUnit = Literal["kg", "lb"]

SUPPORTED_EXPORTS = ("Strong", "Hevy", "FitNotes", "Fitbod")


class ImportFailed(Exception):
    """The root of every reason not to import a file."""


class FileUnreadable(ImportFailed):
    """A path that cannot be read."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"cannot read {path}: {reason}")
        self.path = path
        self.reason = reason


class FileTooLarge(ImportFailed):
    """A file beyond the bound; it was not read to its end."""

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(f"larger than {limit_bytes // 1_000_000} MB: no training log is, so this file was not read")
        self.limit_bytes = limit_bytes


class EmptyFile(ImportFailed):
    """A file with nothing in it."""

    def __init__(self) -> None:
        super().__init__("the file is empty; export it again from the app")


WORKOUT_EXPORT = f"a workout export of {', '.join(SUPPORTED_EXPORTS)}"


class NotAnExport(ImportFailed):
    """A file of another kind; `headers` is its first row, `hint` says what it looks like, where that can be told."""

    def __init__(self, headers: list[str], hint: str = "", *, wanted: str = WORKOUT_EXPORT) -> None:
        super().__init__(f"not {wanted}: " + (hint or f"the first row is {', '.join(map(repr, headers))}"))
        self.headers = headers
        self.hint = hint
        self.supported = SUPPORTED_EXPORTS


class UnitNeeded(ImportFailed):
    """Loads, or weights, whose unit the file does not state; `guess` is what the numbers suggest, `evidence` is why."""

    def __init__(self, guess: LoadUnit, evidence: str, *, of: str = "loads") -> None:
        super().__init__(f"the file does not say whether its {of} are kg or lb; {guess} is likely: {evidence}")
        self.of = of
        self.guess = guess
        self.evidence = evidence
