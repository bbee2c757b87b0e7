"""Importing into a coach's own library; what is there already, in whatever words, is not added twice."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from msgspec import Struct

from apex_client.garbage import garbage_waits
from apex_client.importers.run import new_leaves
from apex_client.local import LocalReplica
from apex_sync.errors import ForbiddenField
from apex_sync.models import COLLECTIONS
from apex_sync.op import Patch


class ReadEntry(Protocol):
    """One entry of a file that can be imported, under an id that follows from the library and its id in the file."""

    @property
    def record_id(self) -> str:
        """The id of its record."""

    @property
    def patch(self) -> Patch:
        """What its record holds."""


class KnownEntry(Struct, frozen=True):
    """An entry that was left out, because something that is here is the same."""

    name: str
    known_as: str


class LibraryImport(Struct, kw_only=True):
    """What became of every entry of a file; nothing was saved in a dry run."""

    added: int = 0
    changed: int = 0
    already_there: int = 0
    known: list[KnownEntry] = []
    skipped: list[Any] = []
    """Entries that can't be imported, each with its number and the reason."""
    dry_run: bool = False

    @property
    def read(self) -> int:
        """How many entries the file has."""
        return self.added + self.changed + self.already_there + len(self.known) + len(self.skipped)


def write_library(
    local: LocalReplica,
    collection: str,
    library: str,
    entries: Sequence[ReadEntry],
    skipped: list[Any],
    *,
    known_as: Callable[[Patch], str | None],
    dry_run: bool,
) -> LibraryImport:
    """Write what is new, an op an entry, in one transaction. Raises ForbiddenField for who is no coach."""
    role = local.role_in(library)
    forbidden = COLLECTIONS[collection].forbidden_fields({"name": ""}, role)
    if forbidden:
        raise ForbiddenField(collection, forbidden, role)
    report = LibraryImport(skipped=skipped, dry_run=dry_run)
    held = local.store.load(library, [entry.record_id for entry in entries])
    unknown: list[ReadEntry] = []
    for entry in entries:
        known = None if entry.record_id in held else known_as(entry.patch)
        if known is None:
            unknown.append(entry)
        else:
            report.known.append(KnownEntry(entry.patch["name"], known))
    with garbage_waits(), local.store.transaction():
        changed = []
        for entry in unknown:
            record = held.get(entry.record_id)
            patch = new_leaves(record.state if record else {}, entry.patch)
            report.added += record is None
            report.changed += record is not None and bool(patch)
            report.already_there += record is not None and not patch
            if patch and not dry_run:
                record = record or local.device.new_record(entry.record_id, library, collection)
                local.stamp(record, patch)
                changed.append(record)
        local.store.save(changed, "local")
    return report
