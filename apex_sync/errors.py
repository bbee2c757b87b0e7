"""What can go wrong in the engine.

    ApexError
    ├── MalformedUpdate      bytes that are not this project's grammar
    │   └── ClockGap         well-formed, but clocks before it are missing: ask for the whole record
    ├── MalformedOp          an op whose content is not the op format
    ├── OutOfBounds          a value that a person typed and that its field does not take
    ├── ForbiddenField       a field that this role may not write
    ├── UnknownCollection    a kind of record that this version does not know
    ├── NoSuchVersion        a version that the record never was
    ├── VersionFolded        a version that a compaction has folded into a later one
    ├── ProtocolError        a message that is no message of this protocol
    └── IncompatibleVersion  a message of a version of the protocol that is too old or too new

An error carries the values it speaks of, so that a caller can act on them and an app can word them.
"""

from typing import NamedTuple


class FieldProblem(NamedTuple):
    """One field and what is wrong with it; `field` is a dotted path, empty for the whole record."""

    field: str
    message: str


class ApexError(Exception):
    """The root of every error the engine raises on purpose."""


class MalformedUpdate(ApexError):
    """Bytes that are not the record grammar of docs/protocol.md."""

    def __init__(self, reason: str, offset: int) -> None:
        super().__init__(f"not a record: {reason} at byte {offset}")
        self.reason = reason
        self.offset = offset


class ClockGap(MalformedUpdate):
    """A well-formed update that starts after a clock we do not have."""

    def __init__(self, client_id: int, expected_clock: int, offset: int = 0) -> None:
        super().__init__(f"client {client_id} continues after a gap, expected clock {expected_clock}", offset)
        self.client_id = client_id
        self.expected_clock = expected_clock


class MalformedOp(ApexError):
    """An op whose bytes do not hold writes in the op format."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"not an op: {reason}")
        self.reason = reason


class OutOfBounds(ApexError):
    """A value that its field does not take; nothing was saved."""

    def __init__(self, collection: str, problem: FieldProblem) -> None:
        where = f"{collection}.{problem.field}" if problem.field else collection
        super().__init__(f"{where}: {problem.message}")
        self.collection = collection
        self.problem = problem


class ForbiddenField(ApexError):
    """Fields that this role may not write; nothing was saved."""

    def __init__(self, collection: str, fields: list[str], role: str) -> None:
        super().__init__(f"{collection}: the {role} may not write {', '.join(fields)}")
        self.collection = collection
        self.fields = fields
        self.role = role


class NoSuchVersion(ApexError):
    """A stamp under which nothing was written to the record."""

    def __init__(self, stamp: int) -> None:
        super().__init__(f"nothing was written to the record at {stamp}")
        self.stamp = stamp


class VersionFolded(ApexError):
    """A version older than what is remembered: the history was shortened since."""

    def __init__(self, stamp: int) -> None:
        super().__init__(f"what the record was at {stamp} has been folded into a later version")
        self.stamp = stamp


class UnknownCollection(ApexError):
    """A kind of record that this version does not know: update the app."""

    def __init__(self, name: str) -> None:
        super().__init__(f"unknown collection {name!r}; this version of Apex Sync does not know it")
        self.name = name


class ProtocolError(ApexError):
    """A message that is no message of this protocol version."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"not a sync message: {reason}")
        self.reason = reason


class IncompatibleVersion(ApexError):
    """A message of another version of the protocol than this side can speak."""

    def __init__(self, theirs: int, own: int) -> None:
        super().__init__(f"the other side speaks sync protocol {theirs}, this one {own}")
        self.theirs = theirs
        self.own = own
