"""The fold: from the set of a record's writes to its one state, with who wrote what, and what lost against what.

Writes are applied in their total order (stamp, client, clock) like JSON merge patches: a leaf replaces whatever was at
its path, and a map replaces a leaf. A **conflict** is the set of writes to one leaf that no other write there had seen,
without the winner and without values equal to it: the losers of a true race. "There" means the same path, a path above,
which the other write made a leaf, or a path beneath, for which it made this one a map: where one write makes a path a
leaf and another makes it a map, the later one wins for that path, and the other is a conflict if neither had seen the
other.

Losers stay in the op set and are reported here, but for those of `UNJUDGED` leaves; nothing is discarded by merging.
The result does not depend on the order in which writes arrived. Costs are linear in the leaves written, times the
clients that wrote one leaf concurrently.
"""

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from apex_sync.op import Patch, StampedWrite

Path = tuple[str, ...]

UNJUDGED = frozenset({"created_at", "read_at"})
"""Leaves that apps write by themselves on every device, to say when: the later stands, and no person is to judge."""


class Claim(Struct, frozen=True):
    """A value with the write it came from."""

    value: Any
    client_id: int
    hlc: int


class Conflict(Struct, frozen=True):
    """A leaf that was written concurrently: what it holds now, and what else was written, oldest first.

    `kept` is None where the winner made a map of this path, or took away a map that the path lay in.
    """

    path: Path
    kept: Claim | None
    discarded: tuple[Claim, ...]


class Fold(Struct, frozen=True):
    """What a record is: its state, its conflicts in path order, and its newest stamp (0 without writes)."""

    state: Patch
    conflicts: list[Conflict]
    last_hlc: int
    _writes: list[StampedWrite]

    def claims(self) -> Iterator[tuple[Path, Claim]]:
        """Tell for every leaf of the state who wrote it, and when."""
        for leaf in _leaves(_tree(self._writes)):
            if leaf.winner is not None:
                yield leaf.path, _claim(leaf.winner)


def fold(writes: Iterable[StampedWrite]) -> Fold:
    """Fold writes, in whatever order they come, into the state every replica sees.

    Patches are as `decode_op` gives them, without empty maps. The state may share maps with them: don't change it.
    """
    ordered = in_order(writes)
    if len(ordered) == 1:
        return Fold(ordered[0].patch, [], ordered[0].hlc, ordered)
    root = _tree(ordered)
    conflicts = sorted(_conflicts(root), key=_path) if root.contested else []
    return Fold(_state(root.children or {}, -1), conflicts, ordered[-1].hlc if ordered else 0, ordered)


def surviving_writes(writes: Iterable[StampedWrite]) -> list[StampedWrite]:
    """Give the writes that can still matter, cut down to the leaves that do, by client and clock.

    These are the winners, the unresolved losers (equal values too: a write yet to come may have seen one and not the
    other), and the last write that made a path a leaf where it is a map now, since it still hides what is older
    beneath. Together with whatever writes are yet to come they fold to the same state and conflicts as all writes do.
    """
    patches: dict[int, Patch] = {}
    ordered = in_order(writes)
    for leaf in sorted(_leaves(_tree(ordered)), key=_path):
        for entry in leaf.survivors:
            _set_leaf(patches.setdefault(entry.order, {}), leaf.path, entry.value)
    survivors = [replace(ordered[order], patch=patch) for order, patch in patches.items()]
    return sorted(survivors, key=lambda write: (write.client_id, write.clock, write.hlc, write.index))


class _Entry(Struct, frozen=True):
    """One write to one leaf, with its place in the order of all writes."""

    order: int
    write: StampedWrite
    value: Any


class _Node:
    """One path: the writes to it as a leaf that nothing at or beneath it has seen, and what lies beneath.

    `last` is the last write that made it a leaf, `map_order` the place of the last that made it a map. `overwriters`
    are the writes that made it a leaf while something lay beneath, the last one of each client, which has seen what
    that client's earlier ones had. `contested` tells that conflicts may be found at or beneath it.
    """

    __slots__ = ("children", "contested", "last", "map_order", "overwriters", "unseen")

    def __init__(self) -> None:
        self.unseen: list[_Entry] = []
        self.children: dict[str, _Node] | None = None
        self.last: _Entry | None = None
        self.map_order = -1
        self.overwriters: dict[int, StampedWrite] | None = None
        self.contested = False


class _Leaf(Struct, frozen=True):
    """What is left of the writes to one path as a leaf."""

    path: Path
    winner: _Entry | None
    """The write that the state shows at this path."""
    unresolved: list[_Entry]
    """The winner and all writes that nothing had seen."""
    survivors: list[_Entry]
    """These, and a write that shows no more but still hides older ones beneath."""


def _rank(write: StampedWrite) -> tuple[int, int, int, int]:
    return write.rank


def _path(found: "Conflict | _Leaf") -> Path:
    return found.path


def in_order(writes: Iterable[StampedWrite]) -> list[StampedWrite]:
    """Give each write once: two servers, of which one was restored, may both have carried it into a summary."""
    ordered = sorted(writes, key=_rank)
    if not any(_is_same(one, other) for one, other in pairwise(ordered)):
        return ordered
    once: list[StampedWrite] = []
    for write in ordered:
        if once and _is_same(once[-1], write):
            # Each copy has the leaves that mattered when it was made.
            once[-1] = replace(write, patch=_union(once[-1].patch, write.patch))
        else:
            once.append(write)
    return once


def _is_same(one: StampedWrite, other: StampedWrite) -> bool:
    return one.hlc == other.hlc and one.client_id == other.client_id and one.clock == other.clock


def _union(one: Patch, other: Patch) -> Patch:
    union = {**one, **other}
    for key in one.keys() & other.keys():
        if type(one[key]) is dict and type(other[key]) is dict:
            union[key] = _union(one[key], other[key])
    return union


def _tree(ordered: list[StampedWrite]) -> _Node:
    root = _Node()
    root.children = {}
    for order, write in enumerate(ordered):
        root.contested |= _apply(root.children, write.patch, write, order)
    return root


def _apply(children: dict[str, _Node], patch: Patch, write: StampedWrite, order: int) -> bool:
    """Write a patch beneath a path; tell whether anything there may be contested."""
    contested = False
    for key, value in patch.items():
        child = children.get(key)
        if child is None:
            child = children[key] = _Node()
        elif child.unseen:
            child.unseen = [entry for entry in child.unseen if not write.saw(entry.write)]
            if child.unseen:
                child.contested = True
        if type(value) is dict:
            child.map_order = order
            if child.children is None:
                child.children = {}
            if _apply(child.children, value, write, order):
                child.contested = True
        else:
            child.last = entry = _Entry(order, write, value)
            child.unseen.append(entry)
            if child.children is not None:
                if child.overwriters is None:
                    child.overwriters = {}
                child.overwriters[write.client_id] = write
                child.contested = True
        contested = contested or child.contested
    return contested


def _state(children: dict[str, _Node], cut: int) -> Patch:
    """Read the map at a path, without what was written before `cut`, the last time one above was made a leaf."""
    state: Patch = {}
    for key, child in children.items():
        last = child.last
        hidden = cut if last is None else max(cut, last.order)
        if child.children is not None and child.map_order > hidden:
            state[key] = _state(child.children, hidden)
        elif last is not None and last.order > cut:
            state[key] = last.value
    return state


def _conflicts(root: _Node) -> Iterator[Conflict]:
    for leaf in _leaves(root, only_contested=True):
        losers = [_claim(entry) for entry in leaf.unresolved if not _agrees(entry, leaf.winner)]
        if losers and leaf.path[-1] not in UNJUDGED:
            yield Conflict(leaf.path, _claim(leaf.winner) if leaf.winner is not None else None, tuple(losers))


def _leaves(
    node: _Node, path: Path = (), cut: int = -1, above: tuple[StampedWrite, ...] = (), only_contested: bool = False
) -> Iterator[_Leaf]:
    """Go through all paths that were ever leaves; `above` are the writes that made a path above one a leaf."""
    for key, child in (node.children or {}).items():
        here, last, hidden = (*path, key), child.last, cut
        if last is not None:
            hidden = max(cut, last.order)
            unresolved = child.unseen
            if above:
                unresolved = [entry for entry in unresolved if not any(write.saw(entry.write) for write in above)]
            hides = last.order > cut and all(entry is not last for entry in unresolved)
            survivors = [*unresolved, last] if hides else unresolved
            yield _Leaf(here, last if last.order > max(cut, child.map_order) else None, unresolved, survivors)
        if child.children is not None and (child.contested or above or not only_contested):
            overwriters = (*above, *child.overwriters.values()) if child.overwriters else above
            yield from _leaves(child, here, hidden, overwriters, only_contested)


def _agrees(entry: _Entry, winner: _Entry | None) -> bool:
    return winner is not None and (entry is winner or _equal(entry.value, winner.value))


def _equal(one: Any, other: Any) -> bool:
    """Compare as JSON does: 8 equals 8.0, but true is not 1."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_equal, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_equal(value, other[key]) for key, value in one.items())
    return bool(one == other)


def _claim(entry: _Entry) -> Claim:
    return Claim(entry.value, entry.write.client_id, entry.write.hlc)


def _set_leaf(patch: Patch, path: Path, value: Any) -> None:
    for key in path[:-1]:
        patch = patch.setdefault(key, {})
    patch[path[-1]] = value
