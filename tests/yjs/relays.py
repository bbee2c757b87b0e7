"""One history held by three implementations at once: ours, yjs and pycrdt, which pass it on to each other.

Each relay holds a record as bytes, and merges what comes with its own code alone. What goes from one to another is its
whole document or what the other lacks, in whatever order the dice say, some of it twice.
"""

from collections.abc import Mapping
from random import Random
from typing import NamedTuple, Protocol

from apex_sync.document import Document
from apex_sync.wire import encode_delta, encode_document, parse_delta, parse_document
from tests.engine.conftest import Pycrdt, ops_by_key
from tests.engine.histories import CLIENT_IDS, Compact, Fleet, Save, Step, Sync
from tests.yjs.yjs_process import Yjs

EMPTY = encode_document(Document())
DELTA_CHANCE = 0.5
KEYS = ("a", "b", "c")


class Held(NamedTuple):
    """What an implementation says that a record is."""

    update: bytes
    ops: Mapping[str, bytes]


class Implementation(Protocol):
    """Whatever can hold records."""

    def merged(self, *updates: bytes) -> Held:
        """Merge updates into one record, in their order."""

    def delta(self, update: bytes, reader: bytes) -> bytes:
        """Give what a reader lacks of a record."""


class Ours:
    """The strict codec."""

    def merged(self, *updates: bytes) -> Held:
        document = Document()
        for update in updates:
            document.apply(parse_delta(update, document.next_clocks))
        return Held(encode_document(document), ops_by_key(document))

    def delta(self, update: bytes, reader: bytes) -> bytes:
        return encode_delta(parse_document(update).since(parse_document(reader).next_clocks))


class Theirs:
    """yjs or pycrdt in its own process."""

    def __init__(self, library: Yjs | Pycrdt) -> None:
        self._library = library

    def merged(self, *updates: bytes) -> Held:
        answer = self._library.read(*updates)
        return Held(answer["update"], answer["ops"])

    def delta(self, update: bytes, reader: bytes) -> bytes:
        delta: bytes = self._library.read(update, reader=(reader,))["delta"]
        return delta


def random_steps(dice: Random, count: int) -> list[Step]:
    """Make up a history: mostly saves, now and then a sync, seldom a compaction."""
    return [random_step(dice) for _ in range(count)]


def random_step(dice: Random) -> Step:
    replica = dice.randrange(len(CLIENT_IDS))
    chance = dice.random()
    if chance < 0.02:
        return Compact()
    if chance < 0.3:
        return Sync(replica, dice.randrange(len(CLIENT_IDS)))
    patch = {dice.choice(KEYS): dice.choice([dice.randrange(9), {dice.choice(KEYS): dice.randrange(9)}])}
    return Save(replica, [patch], dice.randint(1, 10_000))


def relay(fleet: Fleet, implementations: list[Implementation], dice: Random) -> list[Held]:
    """Give each implementation pieces of the history until it has all, and let them pass it on; say what each holds."""
    held = [EMPTY for _ in implementations]
    for _ in range(4 * len(implementations)):
        to = dice.randrange(len(implementations))
        held[to] = implementations[to].merged(held[to], encode_document(dice.choice(fleet.documents))).update
        pass_on(held, implementations, dice)
    missing = dice.randrange(len(implementations))
    for document in dice.sample(fleet.documents, len(fleet.documents)):
        held[missing] = implementations[missing].merged(held[missing], encode_document(document)).update
    for to, implementation in enumerate(implementations):
        held[to] = implementation.merged(held[to], held[missing]).update
    return [implementation.merged(update) for implementation, update in zip(implementations, held, strict=True)]


def pass_on(held: list[bytes], implementations: list[Implementation], dice: Random) -> None:
    """Let one implementation send another what it has, whole or as what the other lacks."""
    sender, to = dice.sample(range(len(implementations)), 2)
    update = held[sender]
    if dice.random() < DELTA_CHANCE:
        update = implementations[sender].delta(update, held[to])
    held[to] = implementations[to].merged(held[to], update).update
