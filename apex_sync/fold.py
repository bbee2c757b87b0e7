"""The fold: from the set of a record's writes to its one state, with who wrote what, and what lost against what.

Writes are applied in their total order (stamp, client, clock); the last one of a leaf wins. A **conflict** is the set
of writes to one leaf that no other write to it had seen, without the winner and without equal values: the losers of a
true race. They stay in the op set and are reported here; nothing is discarded by merging.

Where one write makes a path a leaf and another makes it a map, the later one wins for that path, and the other is a
conflict.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from msgspec import Struct

from apex_sync.op import Patch, StampedWrite

Path = tuple[str, ...]


class Claim(Struct, frozen=True):
    """A value with the write it came from."""

    value: Any
    client_id: int
    hlc: int


class Conflict(Struct, frozen=True):
    """A leaf that was written concurrently: what it holds now, and what else was written.

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
        yield from _claims(_tree(self._writes), (), -1)


def fold(writes: Iterable[StampedWrite]) -> Fold:
    """Fold writes, in whatever order they come, into the state every replica sees."""
    ordered = sorted(writes, key=_rank)
    if len(ordered) == 1 and not _has_empty_map(ordered[0].patch):
        return Fold(ordered[0].patch, [], ordered[0].hlc, ordered)
    root = _tree(ordered)
    conflicts: list[Conflict] = []
    if root.contested:
        _collect_conflicts(root, (), -1, True, conflicts)
        conflicts.sort(key=lambda conflict: conflict.path)
    return Fold(_state(root, -1), conflicts, ordered[-1].hlc if ordered else 0, ordered)


def _tree(ordered: list[StampedWrite]) -> "_Node":
    root = _Node()
    for order, write in enumerate(ordered):
        _apply(root, write.patch, write, order)
    return root


def _has_empty_map(patch: Patch) -> bool:
    """Tell whether a patch has a map without leaves: such a map writes nothing, and is no part of a state."""
    return any(not value or _has_empty_map(value) for value in patch.values() if type(value) is dict)


class _Node:
    """One path: the unseen leaf writes to it in order, and what lies beneath.

    `leaf_order` and `map_order` are the places, in the order of all writes, of the last write that made it a leaf or a
    map.
    """

    __slots__ = ("children", "contested", "frontier", "leaf_order", "map_order")

    def __init__(self) -> None:
        self.frontier: list[tuple[int, StampedWrite, Any]] = []
        self.children: dict[str, _Node] = {}
        self.leaf_order = -1
        self.map_order = -1
        self.contested = False


def _rank(write: StampedWrite) -> tuple[int, int, int, int]:
    return write.rank


def _apply(node: _Node, patch: Patch, write: StampedWrite, order: int) -> bool:
    """Write a patch beneath a node; tell whether anything there is, or was, contested."""
    contested = False
    for key, value in patch.items():
        child = node.children.get(key)
        if child is None:
            child = node.children[key] = _Node()
        if type(value) is dict:
            if not value:
                continue
            if child.frontier:
                child.frontier = [claim for claim in child.frontier if not write.saw(claim[1])]
                child.contested |= bool(child.frontier)
            child.map_order = order
            child.contested |= _apply(child, value, write, order)
        else:
            if child.frontier:
                child.frontier = [claim for claim in child.frontier if not write.saw(claim[1])]
                child.contested |= bool(child.frontier)
            if child.children:
                child.contested |= _drop_seen(child, write)
            child.frontier.append((order, write, value))
            child.leaf_order = order
        contested |= child.contested
    node.contested |= contested
    return contested


def _drop_seen(node: _Node, write: StampedWrite) -> bool:
    """Forget the writes beneath a node that the write which now makes it a leaf had seen; tell whether any is left."""
    left = False
    for child in node.children.values():
        child.frontier = [claim for claim in child.frontier if not write.saw(claim[1])]
        left |= bool(child.frontier) | _drop_seen(child, write)
    return left


def _state(node: _Node, cut: int) -> Patch:
    """Read the map at a node, without what was written before `cut`, the last time the path was made a leaf."""
    state: Patch = {}
    for key, child in node.children.items():
        if child.leaf_order > child.map_order:
            if child.leaf_order > cut:
                state[key] = child.frontier[-1][2]
        elif child.map_order > cut:
            state[key] = _state(child, max(cut, child.leaf_order))
    return state


def _claims(node: _Node, path: Path, cut: int) -> Iterator[tuple[Path, Claim]]:
    for key, child in node.children.items():
        if child.leaf_order > child.map_order:
            if child.leaf_order > cut:
                yield (*path, key), _claim(child.frontier[-1])
        elif child.map_order > cut:
            yield from _claims(child, (*path, key), max(cut, child.leaf_order))


def _collect_conflicts(node: _Node, path: Path, cut: int, alive: bool, found: list[Conflict]) -> None:
    """List the losers: `alive` is False beneath a path that is a leaf now."""
    for key, child in node.children.items():
        here = (*path, key)
        is_leaf = child.leaf_order > child.map_order
        wins = alive and is_leaf and child.leaf_order > cut
        winner = child.frontier[-1] if wins else None
        losers = [claim for claim in child.frontier if claim is not winner]
        if winner is not None:
            losers = [claim for claim in losers if claim[2] != winner[2]]
        if losers:
            kept = _claim(winner) if winner is not None else None
            found.append(Conflict(here, kept, tuple(_claim(claim) for claim in losers)))
        if child.contested or not alive or is_leaf:
            _collect_conflicts(child, here, max(cut, child.leaf_order), alive and not is_leaf, found)


def _claim(claim: tuple[int, StampedWrite, Any]) -> Claim:
    _, write, value = claim
    return Claim(value, write.client_id, write.hlc)
