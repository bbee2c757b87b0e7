"""From what somebody wants a record to be to the smallest patch: what every kind of record shares.

A draft is compared with a version of the record, in the shape in which people read it. Only what differs becomes a
write, so two people who send whole records overwrite nothing that they did not change.
"""

from bisect import bisect_left
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import Any, NamedTuple, get_args, get_type_hints

import msgspec
from msgspec import Struct, field

from apex_sync.collection import Collection as CollectionOfRecords
from apex_sync.collection import Record
from apex_sync.errors import ApexError, FieldProblem, OutOfBounds
from apex_sync.ids import entry_key_from
from apex_sync.op import Patch
from apex_sync.order import order_between, order_keys

ENTRY_KEY_LENGTH_MAX = 16
PROBLEMS_MAX = 100
"""Named in one refusal; whoever has more has one cause."""


class InvalidDraft(ApexError):
    """A draft that cannot become a patch; nothing was saved. Fields are named as the draft has them."""

    def __init__(self, problems: Sequence[FieldProblem]) -> None:
        super().__init__("; ".join(f"{problem.field}: {problem.message}" for problem in problems))
        self.problems = problems


class DraftPatch(Struct, frozen=True):
    """The difference between a draft and a record; `places` says where the draft has an entry of the record."""

    patch: Patch
    places: Mapping[tuple[str, str], str] = field(default_factory=dict)

    def place(self, path: str) -> str:
        """Name a leaf of the record as the draft does.

        >>> DraftPatch({}, {("sets", "k3f9"): "exercises[0].sets[2]"}).place("sets.k3f9.reps")
        'exercises[0].sets[2].reps'
        """
        parts = path.split(".")
        place = self.places.get((parts[0], parts[1])) if len(parts) > 1 else None
        return ".".join([place, *parts[2:]]) if place else path


def check_draft(collection: CollectionOfRecords, draft: DraftPatch) -> None:
    """Raise InvalidDraft with every leaf of the patch that is mistyped or out of bounds."""
    try:
        collection.check_bounds(draft.patch)
    except OutOfBounds as first:
        problems = [problem for leaf in _leaves(draft.patch) if (problem := _leaf_problem(collection, leaf))]
        raise InvalidDraft(
            [
                FieldProblem(draft.place(problem.field), problem.message)
                for problem in (problems or [first.problem])[:PROBLEMS_MAX]
            ]
        ) from first


def changed_leaves(shown: Mapping[str, Any], draft: Mapping[str, Any], fields: Iterable[str]) -> Patch:
    """Give the fields of a draft that differ from what is shown; one that the draft leaves out is emptied."""
    return {name: draft.get(name) for name in fields if draft.get(name) != shown.get(name)}


def unknown_fields(draft: Mapping[str, Any], known: Collection[str], place: str = "") -> list[FieldProblem]:
    """Name what a draft has and its shape does not know, so that a misspelt field is not lost in silence."""
    prefix = f"{place}." if place else ""
    return [FieldProblem(f"{prefix}{name}", "is no field of this") for name in draft if name not in known]


class Item(NamedTuple):
    """One element of a list in a draft, and where it stands."""

    value: Mapping[str, Any]
    place: str

    @property
    def key(self) -> str | None:
        """The id of the entry it speaks of, where it names one."""
        key: str | None = self.value.get("id")
        return key


def read_items(draft: Mapping[str, Any], name: str, place: str, known: Collection[str]) -> list[Item]:
    """Read a list of entries. Raises InvalidDraft unless it is one, of objects with known fields and usable ids."""
    values = draft.get(name)
    if not isinstance(values, list | tuple | None):
        raise InvalidDraft([FieldProblem(f"{place}{name}", "Expected a list")])
    items = [Item(value, f"{place}{name}[{index}]") for index, value in enumerate(values or ())]
    for item in items:
        if not isinstance(item.value, Mapping):
            raise InvalidDraft([FieldProblem(item.place, "Expected an object")])
        problems = unknown_fields(item.value, known, item.place)
        if item.key is not None and not _is_key(item.key):
            problems.append(
                FieldProblem(f"{item.place}.id", f"Expected text of 1 to {ENTRY_KEY_LENGTH_MAX} characters")
            )
        if problems:
            raise InvalidDraft(problems)
    return items


def refuse_doubled_keys(items: Iterable[Item]) -> None:
    """Raise InvalidDraft when two items name one entry."""
    seen: set[str] = set()
    for item in items:
        if item.key in seen:
            raise InvalidDraft([FieldProblem(f"{item.place}.id", "stands twice")])
        if item.key is not None:
            seen.add(item.key)


def new_entry_key(taken: Collection[str], *parts: str) -> str:
    """Make the id of an entry that came without one: the same for the same parts, so a repetition doubles nothing."""
    for attempt in range(len(taken) + 1):
        digest = blake2b("\x1f".join((*parts, str(attempt))).encode(), digest_size=5).digest()
        key = entry_key_from(digest)
        if key not in taken:
            return key
    raise AssertionError("more keys are taken than there are")


def content_of(item: Item) -> str:
    """Write an item out, to tell it from another at the same place."""
    return msgspec.json.encode(item.value, order="deterministic").decode()


def orders_for(keys: Sequence[str], orders: Mapping[str, str]) -> dict[str, str]:
    """Give the order keys to write, so that entries stand in the order of `keys`; as few as can be.

    `orders` are the order keys of the entries that exist.

    >>> orders_for(["b", "c", "a"], {"a": "1", "b": "2", "c": "3"})
    {'a': '4'}
    >>> orders_for(["a", "new", "b"], {"a": "1", "b": "2"})
    {'new': '1i'}
    """
    if not any(key in orders for key in keys):
        return dict(zip(keys, order_keys(len(keys)), strict=True))
    try:
        return _fitted(keys, orders)
    except ValueError:
        # An order key that this version did not make: number all entries anew.
        fresh = dict(zip(keys, order_keys(len(keys)), strict=True))
        return {key: order for key, order in fresh.items() if orders.get(key) != order}


def _fitted(keys: Sequence[str], orders: Mapping[str, str]) -> dict[str, str]:
    standing = _longest_rising([(orders[key], key) for key in keys if key in orders])
    written: dict[str, str] = {}
    previous: tuple[str, str] | None = None
    for index, key in enumerate(keys):
        place = (orders.get(key, ""), key)
        if place not in standing or (previous is not None and place <= previous):
            low = previous[0] if previous else None
            later = (orders[k] for k in keys[index + 1 :] if (orders.get(k, ""), k) in standing)
            high = next((order for order in later if order > (low or "")), None)
            written[key] = order_between(low, high)
            place = (written[key], key)
        previous = place
    return written


def _longest_rising(places: Sequence[tuple[str, str]]) -> set[tuple[str, str]]:
    """Give the most places that already stand in order (patience sorting)."""
    tops: list[tuple[str, str]] = []
    top_indexes: list[int] = []
    before: list[int] = []
    for index, place in enumerate(places):
        pile = bisect_left(tops, place)
        before.append(top_indexes[pile - 1] if pile else -1)
        if pile == len(tops):
            tops.append(place)
            top_indexes.append(index)
        else:
            tops[pile], top_indexes[pile] = place, index
    standing: set[tuple[str, str]] = set()
    index = top_indexes[-1] if top_indexes else -1
    while index >= 0:
        standing.add(places[index])
        index = before[index]
    return standing


def model_patch(record_id: str, draft: Mapping[str, Any], base: Record, *, known: Collection[str] = ()) -> DraftPatch:
    """Give the difference from a version of a record, for a draft in the shape of the model itself.

    An entry of a map that the draft leaves out is removed; other fields, and those of a group, are emptied. Fields
    named in `known` are ignored. Raises InvalidDraft.
    """
    fields = [name for name in base.__struct_fields__ if name not in Record.__struct_fields__]
    problems = unknown_fields(draft, {*fields, *Record.__struct_fields__, *known})
    if problems:
        raise InvalidDraft(problems)
    before: dict[str, Any] = msgspec.to_builtins(base)
    patch: Patch = {}
    for name in fields:
        was, wanted = before.get(name), draft.get(name)
        if name in _groups(type(base)) and isinstance(wanted, Mapping | None):
            group = was if isinstance(was, dict) else {}
            if change := changed_leaves(group, wanted or {}, sorted({*group, *(wanted or {})})):
                patch[name] = change
        elif isinstance(was, dict) or isinstance(wanted, Mapping):
            change = _entry_changes(name, was if isinstance(was, dict) else {}, wanted or {})
            if change:
                patch[name] = change
        elif was != wanted:
            patch[name] = wanted
    return DraftPatch(patch)


@lru_cache(maxsize=64)
def _groups(model: type[Record]) -> frozenset[str]:
    """Name the fields of a model that hold a group of leaves: `measurements`, not a map of entries."""
    hints = get_type_hints(model, include_extras=True)
    return frozenset(
        name
        for name, hint in hints.items()
        if any(isinstance(arm, type) and issubclass(arm, Struct) for arm in get_args(hint))
    )


def _entry_changes(name: str, before: Mapping[str, Any], wanted: Any) -> Patch:
    if not isinstance(wanted, Mapping) or not all(isinstance(entry, Mapping) for entry in wanted.values()):
        raise InvalidDraft([FieldProblem(name, "Expected an object of entries by their ids")])
    changes: Patch = {}
    for key, entry in wanted.items():
        was = before.get(key, {})
        names = {*was, *entry} - {"deleted"}
        changes[key] = changed_leaves(was, entry, sorted(names))
        if bool(was.get("deleted")) != bool(entry.get("deleted")):
            changes[key]["deleted"] = bool(entry.get("deleted"))
    gone = [key for key, entry in before.items() if key not in wanted and not entry.get("deleted")]
    changes |= {key: {"deleted": True} for key in gone}
    return {key: change for key, change in changes.items() if change}


def _leaves(patch: Patch) -> list[Patch]:
    """Take a patch apart into patches of one leaf each."""
    return [
        {name: inner}
        for name, value in patch.items()
        for inner in (_leaves(value) if isinstance(value, dict) and value else [value])
    ]


def _leaf_problem(collection: CollectionOfRecords, leaf: Patch) -> FieldProblem | None:
    try:
        collection.check_bounds(leaf)
    except OutOfBounds as error:
        # msgspec names the key of a map "[...]"; the leaf itself knows the way.
        return FieldProblem(_path(leaf), error.problem.message)
    return None


def _path(leaf: Any) -> str:
    parts: list[str] = []
    while isinstance(leaf, dict) and leaf:
        name, leaf = next(iter(leaf.items()))
        parts.append(name)
    return ".".join(parts)


def _is_key(key: Any) -> bool:
    return isinstance(key, str) and 1 <= len(key) <= ENTRY_KEY_LENGTH_MAX and "\0" not in key
