"""What changed in a program between two versions, in words: `week 1, Upper A, Bench Press, set 2: load 100 → 102.5 kg`.

An exercise that comes or goes is one change, with its sets; a day with its exercises, a week with its days.
"""

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, NamedTuple

from msgspec import Struct

from apex_sync.op import Patch
from apex_sync.versions import Version

CHANGES_SHOWN_MAX = 50
"""Of one version; nobody reads more, and a whole new block is one change for each of its days."""

WORDS_MAX = 60
"""Of a text in a change; what stands in full is in the program itself."""

PARENTS = {"weeks": None, "days": ("week", "weeks"), "exercises": ("day", "days"), "sets": ("exercise", "exercises")}
"""The maps of a program from the outermost in, each with the leaf that names the parent, and the parent's map."""

CHILDREN = {"weeks": "days", "days": "exercises", "exercises": "sets"}
NOUNS = {"weeks": "week", "days": "day", "exercises": "exercise", "sets": "set"}

UNITS = {"kg": "kg", "seconds": "s", "minutes": "min", "percent": "%", "weeks": "weeks"}
"""How the last word of a field's name is written behind its value."""

UNSAID = frozenset({"deleted", "created_at", "source_id", "load", "load_unit"})
"""Leaves that say nothing by themselves; a load typed in pounds is told in kilograms, as it is compared."""


class ProgramChange(Struct, frozen=True):
    """One change: the path of the leaf, or of the entry that came or went; and what it means, in words."""

    path: str
    words: str


class ProgramVersion(Struct, frozen=True, kw_only=True):
    """What a program was after one sitting of one author, and what they changed; `stamp` names it.

    `folded`: how it came to be so is no longer known. `more`: there are more changes than are told.
    """

    number: int
    stamp: int
    client_id: int
    folded: bool
    changes: list[ProgramChange]
    more: bool


def program_version(version: Version) -> ProgramVersion:
    """Tell a version of a program."""
    changes: list[ProgramChange] = []
    if not version.folded:
        changes = list(islice(program_changes(version.before, version.after), CHANGES_SHOWN_MAX + 1))
    return ProgramVersion(
        number=version.number,
        stamp=version.stamp,
        client_id=version.client_id,
        folded=version.folded,
        changes=changes[:CHANGES_SHOWN_MAX],
        more=len(changes) > CHANGES_SHOWN_MAX,
    )


def program_changes(before: Patch, after: Patch) -> Iterator[ProgramChange]:
    """Tell the changes from one state of a program to another: its own fields first, then from its weeks in."""
    was, now = _Outline(before), _Outline(after)
    if not before:
        yield ProgramChange("", f"made{_with(now.counts())}")
        return
    if _is_deleted(before) != _is_deleted(after):
        yield ProgramChange("deleted", "deleted" if _is_deleted(after) else "restored")
    yield from _leaf_changes("", "", _own(before), _own(after))
    for field in PARENTS:
        # States share what was not written, so a small edit to a large program is told as fast as to a small one.
        touched = was.live[field] ^ now.live[field]
        touched |= {key for key in now.live[field] if was.entry(field, key) is not now.entry(field, key)}
        for key in sorted(touched, key=lambda key: (now.sort_key(field, key), key)):
            yield from _entry_changes(field, key, was, now)


class _Entry(NamedTuple):
    field: str
    key: str


class _Outline:
    """A state of a program as its reader sees it: an entry is there when it and everything above it is."""

    def __init__(self, state: Patch) -> None:
        self._maps = {field: _entries(state.get(field)) for field in PARENTS}
        self.live: dict[str, set[str]] = {}
        for field, parent in PARENTS.items():
            self.live[field] = {
                key
                for key, entry in self._maps[field].items()
                if entry.get("deleted") is not True and (parent is None or self._is_held(entry, *parent))
            }

    def entry(self, field: str, key: str) -> Mapping[str, Any]:
        return self._maps[field].get(key, {})

    def parent(self, field: str, key: str) -> _Entry | None:
        parent = PARENTS[field]
        named = parent and self.entry(field, key).get(parent[0])
        return _Entry(parent[1], named) if parent and isinstance(named, str) else None

    def sort_key(self, field: str, key: str) -> tuple[str, ...]:
        above = self.parent(field, key)
        order = self.entry(field, key).get("order")
        return (*(self.sort_key(*above) if above else ()), order if isinstance(order, str) else "")

    def place(self, field: str, key: str) -> str:
        """Name an entry by everything above it and itself."""
        above = self.parent(field, key)
        outer = f"{self.place(*above)}, " if above and above.key in self._maps[above.field] else ""
        return outer + self._name(field, key)

    def counts(self, within: _Entry | None = None) -> dict[str, int]:
        """Count what there is, or what is beneath an entry, by map."""
        inside = {within} if within else set()
        counts: dict[str, int] = {}
        for field in PARENTS:
            held = [key for key in self.live[field] if within is None or self.parent(field, key) in inside]
            inside |= {_Entry(field, key) for key in held}
            if held:
                counts[field] = len(held)
        return counts

    def _name(self, field: str, key: str) -> str:
        entry = self.entry(field, key)
        if field == "sets":
            exercise = entry.get("exercise")
            beside = [one for one in self._maps["sets"] if self.entry("sets", one).get("exercise") == exercise]
            beside = [one for one in beside if one in self.live["sets"] or one == key]
            return f"set {sorted(beside, key=lambda one: (self.sort_key('sets', one), one)).index(key) + 1}"
        number = entry.get("week_number" if field == "weeks" else "day_number")
        unnamed = NOUNS[field] if number is None else f"{NOUNS[field]} {number}"
        name = entry.get("name")
        return _short(name) if field != "weeks" and isinstance(name, str) and name.strip() else unnamed

    def _is_held(self, entry: Mapping[str, Any], leaf: str, parents: str) -> bool:
        """Tell whether an entry is not beneath one that was deleted; naming none, or one that came never, it stands."""
        named = entry.get(leaf)
        return not isinstance(named, str) or named in self.live[parents] or named not in self._maps[parents]


def _entry_changes(field: str, key: str, was: _Outline, now: _Outline) -> Iterator[ProgramChange]:
    path, is_there = f"{field}.{key}", key in now.live[field]
    if (key in was.live[field]) != is_there:
        there, gone = (now, was) if is_there else (was, now)
        above = there.parent(field, key)
        if above is None or above.key not in there.live[above.field] or above.key in gone.live[above.field]:
            beneath = _with(there.counts(_Entry(field, key)))
            yield ProgramChange(path, f"{there.place(field, key)} {'added' if is_there else 'removed'}{beneath}")
    elif is_there and was.entry(field, key) != now.entry(field, key):
        yield from _leaf_changes(f"{path}.", f"{now.place(field, key)}: ", was.entry(field, key), now.entry(field, key))


def _leaf_changes(path: str, place: str, was: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[ProgramChange]:
    for leaf in sorted((was.keys() | now.keys()) - UNSAID):
        before, after = was.get(leaf), now.get(leaf)
        if before == after and isinstance(before, bool) == isinstance(after, bool):
            continue
        words = "moved" if leaf == "order" else _worded(leaf, before, after)
        yield ProgramChange(f"{path}{leaf}", f"{place}{words}")


def _worded(leaf: str, before: Any, after: Any) -> str:
    """Word a change of a value.

    >>> _worded("rest_seconds", 90, 120), _worded("load_kg", None, 102.5), _worded("name", "Base", "Base II")
    ('rest 90 → 120 s', 'load nothing → 102.5 kg', 'name Base → Base II')
    """
    name, _, last = leaf.rpartition("_")
    unit = UNITS.get(last) if name else None
    label = (name if unit else leaf).replace("_", " ")
    return f"{label} {_value(before)} → {_value(after)}{f' {unit}' if unit and after is not None else ''}"


def _value(value: Any) -> str:
    if value is None or value in ("", []):
        return "nothing"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    return _short(", ".join(map(str, value)) if isinstance(value, list) else str(value))


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= WORDS_MAX else line[: WORDS_MAX - 1] + "…"


def _with(counts: Mapping[str, int]) -> str:
    told = [f"{count} {NOUNS[field]}{'' if count == 1 else 's'}" for field, count in counts.items()]
    return f", with {', '.join(told)}" if told else ""


def _own(state: Patch) -> dict[str, Any]:
    return {leaf: value for leaf, value in state.items() if leaf not in PARENTS}


def _entries(value: Any) -> dict[str, Mapping[str, Any]]:
    if not isinstance(value, Mapping):
        return {}
    return {key: entry for key, entry in value.items() if isinstance(entry, Mapping)}


def _is_deleted(state: Patch) -> bool:
    return state.get("deleted") is True
