"""What a run must not lose: every value that a user saw saved, where it is, and what may excuse its absence.

Each value is written once in a run, so it tells which op it came with, under whatever client id and clock that op
travels in the end.
"""

from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator
from typing import Any, NamedTuple

from apex_sync.document import Document
from apex_sync.op import Patch
from apex_sync.wire import parse_document
from tests.simulation.device import SimulatedDevice
from tests.simulation.memory_database import MemoryDatabase

Path = tuple[str, ...]
RecordKey = tuple[str, str]


class Saved(NamedTuple):
    """A value that was saved at a path of a record, by a device or through the server, in this order."""

    value: str
    record: RecordKey
    path: Path
    author: str
    number: int


class Ledger:
    """Everything that was saved and has to be somewhere."""

    def __init__(self) -> None:
        self.owed: dict[str, Saved] = {}
        self.may_double: set[str] = set()
        """Whose values may stand there twice: those of devices put back, cloned, or impersonated by mangled frames."""
        self.refused: set[RecordKey] = set()
        """Records of which an op was refused: its device has written again what it had not overwritten by then."""
        self.compacted: set[RecordKey] = set()
        """Records that were compacted: what somebody had seen and overwritten is gone from them, as it may be."""
        self._overwritten: dict[tuple[str, RecordKey, Path], int] = {}
        self._number = 0

    def save(self, author: str, record: RecordKey, patch: Patch, *, is_sure: bool = True) -> None:
        """Owe the values of a patch that was saved; where it is not sure that it was, know that it may have been."""
        self._number += 1
        for path, value in leaves(patch):
            self._overwritten[author, record, path] = self._overwritten["", record, path] = self._number
            if is_sure and type(value) is str and value.startswith("v"):
                self.owed[value] = Saved(value, record, path, author, self._number)

    def keep_what_is_held(self, held: set[str]) -> None:
        """After something that destroys (a restore of a server or of a device) owe only what somebody still holds."""
        self.owed = {value: saved for value, saved in self.owed.items() if value in held}

    def missing(self, held: set[str]) -> list[Saved]:
        """List what is owed and not there."""
        return [saved for value, saved in self.owed.items() if value not in held and not self._is_excused(saved)]

    def _is_excused(self, saved: Saved) -> bool:
        """Tell whether it was overwritten: by anybody before a compaction, or by its author before it was refused."""
        refused = saved.record in self.refused and self._overwritten_by(saved.author, saved)
        return refused or (saved.record in self.compacted and self._overwritten_by("", saved))

    def _overwritten_by(self, author: str, saved: Saved) -> bool:
        return any(
            number > saved.number
            for (who, record, path), number in self._overwritten.items()
            if (who, record) == (author, saved.record) and _meet(path, saved.path)
        )


def _meet(one: Path, other: Path) -> bool:
    """Tell whether two paths are the same, or one lies beneath the other."""
    shorter = min(len(one), len(other))
    return one[:shorter] == other[:shorter]


def leaves(patch: Patch, path: Path = ()) -> list[tuple[Path, Any]]:
    """List the leaves of a patch."""
    found: list[tuple[Path, Any]] = []
    for key, value in patch.items():
        if type(value) is dict:
            found += leaves(value, (*path, key))
        else:
            found.append(((*path, key), value))
    return found


def values_of(document: Document) -> Iterator[str]:
    """List the values in the writes of a record."""
    for write in document.writes():
        for _, value in leaves(write.patch):
            if type(value) is str:
                yield value


def on_server(database: MemoryDatabase) -> Counter[str]:
    """Count the values in every record of the server."""
    return Counter(
        value
        for content in database.scopes.values()
        for record in content.records.values()
        for value in values_of(parse_document(record.stored.doc))
    )


def in_boxes(devices: Iterable[SimulatedDevice]) -> set[str]:
    """List the values in the rejected boxes of devices."""
    return {
        value
        for device in devices
        for item in device.store.rejected()
        for patch in item.patches
        for _, value in leaves(patch)
        if type(value) is str
    }


def on_devices(devices: Iterable[SimulatedDevice], granted: Callable[[SimulatedDevice], Container[str]]) -> set[str]:
    """List the values in the records of devices, sent or not.

    What a device has read of a scope that its user has lost goes when it hears of that; its own unsent work does not.
    """
    return {
        value
        for device in devices
        for (scope, _), row in device.rows.items()
        for write in row.document.writes()
        if scope in granted(device) or (write.client_id == row.client_id and write.clock >= row.acked)
        for _, value in leaves(write.patch)
        if type(value) is str
    }


def own_values(device: SimulatedDevice) -> Iterator[str]:
    """List the values that a device wrote under its client id, and no power cut may take."""
    for row in device.rows.values():
        for write in row.document.writes():
            if write.client_id == row.client_id:
                yield from (value for _, value in leaves(write.patch) if type(value) is str)


def held_anywhere(
    database: MemoryDatabase,
    devices: Iterable[SimulatedDevice],
    granted: Callable[[SimulatedDevice], Container[str]],
) -> set[str]:
    """List every value that is still somewhere, and can reach the server or its user."""
    devices = list(devices)
    return set(on_server(database)) | on_devices(devices, granted) | in_boxes(devices)
