"""The fold as one would write it to be right and not to be fast: every pair of writes is compared.

It shares nothing with `apex_sync.fold` but the writes, and follows the words of docs/protocol.md.
"""

from typing import Any

from apex_sync.fold import Path
from apex_sync.op import Patch, StampedWrite

NOT_FOR_PEOPLE = ("created_at", "read_at")

NaiveConflict = tuple[Path, tuple[Any, int, int] | None, list[tuple[Any, int, int]]]


def naive_state(writes: list[StampedWrite]) -> Patch:
    """Apply the writes in their order: a leaf replaces what was there, a map replaces a leaf."""
    state: Patch = {}
    for write in _in_order(writes):
        for path, value in leaves(write.patch):
            node = state
            for key in path[:-1]:
                if not isinstance(node.get(key), dict) or node[key].__class__ is _Leaf:
                    node[key] = {}
                node = node[key]
            node[path[-1]] = _Leaf(value=value)
    plain: Patch = _plain(state)
    return plain


class _Leaf(dict[str, Any]):
    """A leaf, whose value may itself be anything."""


def _plain(node: Any) -> Any:
    if isinstance(node, _Leaf):
        return node["value"]
    return {key: _plain(inner) for key, inner in node.items()}


def naive_conflicts(writes: list[StampedWrite]) -> list[NaiveConflict]:
    """List every leaf that was written, and that no later write there was made in the knowledge of.

    A write that two summaries carry, one of them of a server that was restored, was written once.
    """
    once = {
        (write.client_id, write.clock, write.hlc, path): (write, path, value)
        for write in _in_order(writes)
        for path, value in leaves(write.patch)
    }
    all_leaves = list(once.values())
    found = []
    for path in sorted({path for _, path, _ in all_leaves}):
        there = [(write, at, value) for write, at, value in all_leaves if _meet(at, path)]
        unseen = [
            (write, value)
            for place, (write, at, value) in enumerate(there)
            if at == path and not any(other.saw(write) for other, _, _ in there[place + 1 :])
        ]
        last_write, last_path, last_value = there[-1]
        wins = last_path == path
        losers = [
            (value, write.client_id, write.hlc)
            for write, value in unseen
            if not (wins and (write is last_write or _same(value, last_value)))
        ]
        if losers and path[-1] not in NOT_FOR_PEOPLE:
            found.append((path, (last_value, last_write.client_id, last_write.hlc) if wins else None, losers))
    return found


def leaves(patch: Patch, path: Path = ()) -> list[tuple[Path, Any]]:
    found: list[tuple[Path, Any]] = []
    for key, value in patch.items():
        found += leaves(value, (*path, key)) if isinstance(value, dict) else [((*path, key), value)]
    return found


def _meet(one: Path, other: Path) -> bool:
    """Tell whether two paths are the same, or one lies beneath the other."""
    shorter = min(len(one), len(other))
    return one[:shorter] == other[:shorter]


def _same(one: Any, other: Any) -> bool:
    """Compare as JSON does: numbers by value, true and 1 apart."""
    return repr(_marked(one)) == repr(_marked(other))


def _marked(value: Any) -> Any:
    if isinstance(value, list):
        return [_marked(item) for item in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _in_order(writes: list[StampedWrite]) -> list[StampedWrite]:
    return sorted(writes, key=lambda write: (write.hlc, write.client_id, write.clock, write.index))
