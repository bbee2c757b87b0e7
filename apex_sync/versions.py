"""Versions: what a record was before, read from the ops that it is made of; there is no second store.

A version is what one author left behind in one sitting: writes that follow each other closely are one edit to a person.
It is named by the stamp of its last write, which stays what it is when a late write takes its place further back.

A compaction keeps only what still matters of the writes before it. How the record came to stand there is no longer
known, so all of that is one version, marked `folded`: the oldest that there is, and as exact as every later one.
"""

from msgspec import Struct
from msgspec.structs import replace

from apex_sync.document import Document
from apex_sync.errors import NoSuchVersion, VersionFolded
from apex_sync.fold import Fold, fold, in_order
from apex_sync.op import Patch, StampedWrite, decode_op, is_summary

SITTING_US = 10 * 60 * 1_000_000
"""Writes of one author that are no further apart are one version: a coach thinks longer over one day than that."""


class Version(Struct, frozen=True, kw_only=True):
    """A record between two sittings; `number` counts what is remembered, the oldest being 1.

    `before` and `after` share maps with each other and with the ops: don't change them.
    """

    number: int
    stamp: int
    client_id: int
    folded: bool
    before: Patch
    after: Patch


def versions(document: Document) -> list[Version]:
    """List what is remembered of a record, the oldest first; costs are linear in what was written.

    Raises MalformedOp.
    """
    folded_until = _folded_until(document)
    found: list[Version] = []
    state: Patch = {}
    for write in in_order(document.writes()):
        before, state = state, _merged(state, write.patch)
        last = found[-1] if found else None
        is_folded = write.hlc <= folded_until
        if last is not None and (is_folded or _is_same_sitting(last, write)):
            found[-1] = replace(last, stamp=write.hlc, client_id=write.client_id, after=state)
        else:
            first = Version(
                number=len(found) + 1,
                stamp=write.hlc,
                client_id=write.client_id,
                folded=is_folded,
                before=before,
                after=state,
            )
            found.append(first)
    return found


def fold_as_of(document: Document, stamp: int) -> Fold:
    """Give a record as it stood when a write was made. Raises NoSuchVersion, VersionFolded, MalformedOp."""
    if stamp < _folded_until(document):
        raise VersionFolded(stamp)
    writes = [write for write in document.writes() if write.hlc <= stamp]
    if not any(write.hlc == stamp for write in writes):
        raise NoSuchVersion(stamp)
    return fold(writes)


def _folded_until(document: Document) -> int:
    """Give the newest stamp in a summary, 0 without one: whatever was folded away is older."""
    summaries = (
        decode_op(op, client_id=client_id, clock=clock)
        for client_id, ops in document.ops.items()
        for clock, op in ops.items()
        if is_summary(op)
    )
    return max((write.hlc for writes in summaries for write in writes), default=0)


def _is_same_sitting(version: Version, write: StampedWrite) -> bool:
    if write.hlc == version.stamp:
        return True  # Two authors in one microsecond: one stamp names one version.
    return not version.folded and version.client_id == write.client_id and write.hlc - version.stamp <= SITTING_US


def _merged(state: Patch, patch: Patch) -> Patch:
    """Apply a patch as the fold does; what it does not touch is shared with the state before."""
    merged = dict(state)
    for key, value in patch.items():
        if type(value) is dict:
            inner = state.get(key)
            merged[key] = _merged(inner if type(inner) is dict else {}, value)
        else:
            merged[key] = value
    return merged
