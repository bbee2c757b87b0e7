"""Conflicts as a coach meets them: one mark at the value, with what is kept, what lost, and the patch that swaps them.

A load is one value to a person and three leaves to a record (kilograms, and what was typed with its unit), so conflicts
of these three are one mark, and settling it writes what one author had typed.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct

from apex_server.resources import KnownRecord, Origin
from apex_server.resources.provenance import UNKNOWN
from apex_server.resources.reading import moment_of
from apex_server.web.origins import Origins
from apex_server.web.wording import as_number
from apex_sync.fold import Claim, Conflict, Path
from apex_sync.op import Patch

__all__ = ["ClaimShown", "Mark", "label_of", "marks_of", "settling_patch"]

LOAD_LEAVES = ("load_kg", "load", "load_unit")
TEXT_SHOWN_MAX = 160
_UNITS = {"load_kg": " kg", "weight_kg": " kg", "reps": " reps", "distance_m": " m", "duration_seconds": " s"}
_NAMES = {
    "load_kg": "load",
    "rpe": "RPE",
    "rir": "reps in reserve",
    "weight_kg": "weight",
    "distance_m": "distance",
    "duration_seconds": "duration",
    "deleted": "removal",
    "order": "place",
    "exercise": "exercise",
    "completed": "completion",
    "date": "day",
}


class ClaimShown(Struct, frozen=True, kw_only=True):
    """What one author wrote at the contested place; `client_id` and `stamp` name the write."""

    text: str
    by: Origin
    at: datetime
    client_id: int
    stamp: int


class Mark(Struct, frozen=True, kw_only=True):
    """One contested value; `path` is where, in the record's words, and `label` in a person's."""

    id: str
    path: str
    label: str
    kept: ClaimShown | None
    discarded: Sequence[ClaimShown]


def marks_of(known: KnownRecord, origins: Origins, places: Mapping[str, str]) -> dict[str, Mark]:
    """Give the marks of a record by their paths; `places` names entries (`sets.k3f9`: "Bench Press, set 1")."""
    return {
        path: _mark(f"conflict-{known.id}-{number}", path, conflicts, origins, places)
        for number, (path, conflicts) in enumerate(_grouped(known.fold.conflicts).items())
    }


def settling_patch(known: KnownRecord, path: str, client_id: int, stamp: int) -> Patch | None:
    """Give the patch that makes one author's value stand; None where that value is not contested any more."""
    patch: Patch = {}
    for conflict in _grouped(known.fold.conflicts).get(path, ()):
        for claim in (conflict.kept, *conflict.discarded):
            if claim is not None and (claim.client_id, claim.hlc) == (client_id, stamp):
                _put(patch, conflict.path, claim.value)
    return patch or None


def _grouped(conflicts: Iterable[Conflict]) -> dict[str, list[Conflict]]:
    groups: dict[str, list[Conflict]] = {}
    for conflict in conflicts:
        groups.setdefault(".".join(_place(conflict.path)), []).append(conflict)
    return groups


def _place(path: Path) -> Path:
    return (*path[:2], "load_kg") if len(path) == 3 and path[0] == "sets" and path[2] in LOAD_LEAVES else path


def _mark(mark_id: str, path: str, conflicts: Sequence[Conflict], origins: Origins, places: Mapping[str, str]) -> Mark:
    kept = _claims((conflict.path, conflict.kept) for conflict in conflicts if conflict.kept is not None)
    lost = _claims((conflict.path, claim) for conflict in conflicts for claim in conflict.discarded)
    shown = [_shown(author, values, origins) for author, values in sorted(kept.items(), key=_by_stamp)]
    return Mark(
        id=mark_id,
        path=path,
        label=label_of(conflicts[0].path, places),
        kept=shown[-1] if shown else None,
        discarded=[_shown(author, values, origins) for author, values in sorted(lost.items(), key=_by_stamp)],
    )


_Author = tuple[int, int]


def _claims(claims: Iterable[tuple[Path, Claim]]) -> dict[_Author, dict[str, Any]]:
    """Put the values of one write beside each other."""
    found: dict[_Author, dict[str, Any]] = {}
    for path, claim in claims:
        found.setdefault((claim.client_id, claim.hlc), {})[path[-1]] = claim.value
    return found


def _by_stamp(item: tuple[_Author, dict[str, Any]]) -> int:
    return item[0][1]


def _shown(author: _Author, values: Mapping[str, Any], origins: Origins) -> ClaimShown:
    client_id, stamp = author
    return ClaimShown(
        text=_text(values),
        by=origins.get(client_id, UNKNOWN),
        at=moment_of(stamp),
        client_id=client_id,
        stamp=stamp,
    )


def _text(values: Mapping[str, Any]) -> str:
    if values.get("load") is not None:
        return f"{as_number(values['load'])} {values.get('load_unit') or ''}".strip()
    name, value = next(iter(values.items()))
    if "load_kg" in values:
        name, value = "load_kg", values["load_kg"]
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return _yes_or_no(name, yes=value)
    if isinstance(value, int | float):
        return f"{as_number(value)}{_UNITS.get(name, '')}"
    if name == "order":
        return "another place"
    text = str(value)
    return text if len(text) <= TEXT_SHOWN_MAX else f"{text[:TEXT_SHOWN_MAX]}…"


def _yes_or_no(name: str, *, yes: bool) -> str:
    words = {"deleted": ("removed", "not removed"), "completed": ("done", "not done"), "skipped": ("skipped", "done")}
    return words.get(name, ("yes", "no"))[0 if yes else 1]


def label_of(path: Path, places: Mapping[str, str]) -> str:
    """Name a leaf for people: `Bench Press, set 1 · reps`."""
    leaf = "load" if path[-1] in LOAD_LEAVES else _NAMES.get(path[-1], path[-1].replace("_", " "))
    place = places.get(".".join(path[:2]), "") if len(path) > 2 else ""
    return f"{place} · {leaf}" if place else leaf[:1].upper() + leaf[1:]


def _put(patch: Patch, path: Path, value: Any) -> None:
    for key in path[:-1]:
        patch = patch.setdefault(key, {})
    patch[path[-1]] = value
