"""Histories of one record as a fleet of replicas could have made them, for Hypothesis to draw and shrink.

A history is a list of steps; `Fleet.run` carries them out. Patches use few keys and values, so that paths collide,
leaves become maps and maps become leaves, and concurrent writes agree by chance.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

from apex_sync.clock import next_hlc
from apex_sync.compaction import compact
from apex_sync.document import Document
from apex_sync.fold import fold
from apex_sync.op import EXACT_INT_MAX, Patch, Write, encode_op, flat_vector

CLIENT_IDS = (7, 1, EXACT_INT_MAX)
SERVER_CLIENT_ID = 4711

KEYS = st.sampled_from(["a", "b", "c", "read_at"])
SMALL_VALUES: st.SearchStrategy[Any] = st.sampled_from([None, True, False, 0, 1, 1.0, 2.5, "x", [1], [True], [{}]])


def _maps(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Patch]:
    return st.dictionaries(KEYS, values, min_size=1, max_size=2)


PATCHES: st.SearchStrategy[Patch] = _maps(SMALL_VALUES | _maps(SMALL_VALUES | _maps(SMALL_VALUES)))


@dataclass(frozen=True)
class Save:
    """A replica writes patches in one op, at a time that may stand still or go back."""

    replica: int
    patches: list[Patch]
    now_us: int


@dataclass(frozen=True)
class Sync:
    """A replica takes in what another has."""

    replica: int
    other: int


@dataclass(frozen=True)
class Refuse:
    """A replica learns that one of its own ops, the newest, is dead."""

    replica: int


@dataclass(frozen=True)
class Compact:
    """The server, which is replica 0, compacts what it has."""


Step = Save | Sync | Refuse | Compact

_REPLICAS = st.integers(0, len(CLIENT_IDS) - 1)
SAVES = st.builds(Save, _REPLICAS, st.lists(PATCHES, min_size=1, max_size=2), st.integers(1, 60))
SYNCS = st.builds(Sync, _REPLICAS, _REPLICAS)
REFUSALS = st.builds(Refuse, _REPLICAS)

HISTORIES = st.lists(SAVES | SYNCS, max_size=25)
HISTORIES_WITH_DEAD_CLOCKS = st.lists(SAVES | SYNCS | REFUSALS, max_size=25)
HISTORIES_WITH_COMPACTIONS = st.lists(SAVES | SYNCS | st.just(Compact()), min_size=5, max_size=30)


@dataclass
class Replica:
    """One device, or the server."""

    client_id: int
    document: Document = field(default_factory=Document)
    last_hlc: int = 0

    def save(self, patches: Iterable[Patch], now_us: int) -> None:
        seen = flat_vector(self.document.others(self.client_id))
        newest = fold(self.document.writes()).last_hlc
        writes = []
        for patch in patches:
            self.last_hlc = next_hlc(now_us, self.last_hlc, newest)
            writes.append(Write(self.last_hlc, seen, patch))
        self.document.append(self.client_id, encode_op(writes))


class Fleet:
    """All replicas of one record, after a history."""

    def __init__(self, steps: Iterable[Step] = ()) -> None:
        self.replicas = [Replica(client_id) for client_id in CLIENT_IDS]
        for step in steps:
            self.run(step)

    def run(self, step: Step) -> None:
        match step:
            case Save(place, patches, now_us):
                self.replicas[place].save(patches, now_us)
            case Sync(place, other):
                self.replicas[place].document.merge(self.replicas[other].document)
            case Refuse(place):
                replica = self.replicas[place]
                clock = replica.document.next_clocks.get(replica.client_id, 0) - 1
                replica.document.kill(replica.client_id, clock)
            case Compact():
                server = self.replicas[0]
                server.document = compact(server.document, SERVER_CLIENT_ID).document

    @property
    def documents(self) -> list[Document]:
        return [replica.document for replica in self.replicas]

    def merged(self) -> Document:
        """Give what any replica holds once it has synced with all others."""
        merged = Document()
        for document in self.documents:
            merged.merge(document)
        return merged


DOCUMENTS = HISTORIES_WITH_DEAD_CLOCKS.map(lambda steps: Fleet(steps).merged())
