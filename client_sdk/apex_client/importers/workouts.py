"""From a session of a file to the patch of a workout log, with ids that are the same on every reading.

A key is a hash of source, session start, session title, exercise, its occurrence in the session and the set's ordinal.
"""

from base64 import urlsafe_b64encode
from datetime import datetime, timedelta
from functools import lru_cache
from hashlib import blake2b

from apex_client.importers.moments import read_moment
from apex_client.importers.plan import ImportedWorkout, Patch
from apex_client.importers.sessions import Entry, Session
from apex_client.importers.values import BOUNDS, NOTE_LENGTH, Unreadable, read_seconds
from apex_sync.coaching.exercise_library import builtin_id
from apex_sync.ids import derived_id
from apex_sync.order import order_keys

UNENDED_SECONDS = 24 * 3600
"""From here on nobody ended the session: exports hold 24 to 264 hours."""

KEY_BYTES = 6
"""48 bits, 8 characters: 200 sets of one workout meet by chance once in 10 billion workouts."""

SEPARATOR = "\x00"
"""Joins the parts of a key; no cell holds it any more."""


class BadEnding(Unreadable):
    """An end or duration that was left out of the workout."""


def record_id(source: str, session: Session) -> str:
    """Give the id of a session's workout log."""
    return derived_id(source, session.start_key, session.title)


def entry_key(*parts: object) -> str:
    """Give the short key of an exercise or set within its workout."""
    digest = blake2b(SEPARATOR.join(map(str, parts)).encode(), digest_size=KEY_BYTES).digest()
    return urlsafe_b64encode(digest).decode()


def workout(source: str, session: Session) -> tuple[ImportedWorkout, list[str]]:
    """Make the workout of a session, and say what of it had to be left out."""
    remarks: list[str] = []
    patch: Patch = {"date": session.date, "source": source, "completed": True}
    if session.title:
        patch["title"] = session.title
    if session.start:
        patch["start_time"] = session.start
    try:
        patch |= _ending(session)
    except Unreadable as problem:
        remarks.append(str(problem))
    if session.notes:
        patch["notes"] = _joined(session.notes, remarks)
    kept = [entry for entry in session.entries if entry.lines]
    seed = SEPARATOR.join((source, session.start_key, session.title))
    patch["exercises"] = _exercises(seed, kept, remarks)
    patch["sets"] = _sets(seed, kept)
    return ImportedWorkout(record_id(source, session), patch, session.rows, session.lines), remarks


def _exercises(seed: str, entries: list[Entry], remarks: list[str]) -> dict[str, Patch]:
    exercises: dict[str, Patch] = {}
    for entry, order in zip(entries, _orders(len(entries)), strict=True):
        leaves = exercises[entry_key(seed, entry.name, entry.occurrence)] = {"name": entry.name, "order": order}
        if exercise_id := builtin_id(entry.name):
            leaves["exercise_id"] = exercise_id
        if entry.superset:
            leaves["superset"] = entry.superset
        if entry.notes:
            leaves["notes"] = _joined(entry.notes, remarks)
    return exercises


def _sets(seed: str, entries: list[Entry]) -> dict[str, Patch]:
    """Key and order the sets; they are numbered through the whole session, so each exercise finds its own in order."""
    sets: dict[str, Patch] = {}
    orders = iter(_orders(sum(len(entry.sets) for entry in entries)))
    for entry in entries:
        exercise = entry_key(seed, entry.name, entry.occurrence)
        for ordinal, (leaves, order) in enumerate(zip(entry.sets, orders, strict=False)):
            if leaves is not None:
                sets[entry_key(seed, entry.name, entry.occurrence, ordinal)] = leaves
                leaves["exercise"] = exercise
                leaves["order"] = order
    return sets


@lru_cache(maxsize=512)
def _orders(count: int) -> tuple[str, ...]:
    return tuple(order_keys(count))


def _ending(session: Session) -> Patch:
    """Give the end or the duration, whichever the file states. Raises Unreadable for one that cannot be right."""
    if session.duration:
        return _duration(session.duration)
    if session.end and session.start:
        return _end(session.start, session.end)
    return {}


def _duration(cell: str) -> Patch:
    if cell.strip().isdecimal():
        raise BadEnding(f"a duration of {cell.strip()!r} was left out: it has no unit")
    seconds = read_seconds(cell)
    if seconds >= UNENDED_SECONDS:
        raise BadEnding(f"a duration of {cell.strip()!r} was left out: nobody ended this session")
    minutes = round(seconds / 60, 2)
    return {"duration_minutes": minutes} if 0 < minutes <= BOUNDS["duration_minutes"][1] else {}


def _end(start: str, cell: str) -> Patch:
    end = read_moment(cell).time
    if end is None:
        return {}
    if bool(end[19:]) != bool(start[19:]):
        raise BadEnding(f"the end {cell!r} was left out: only one of start and end has a time zone")
    lasted = datetime.fromisoformat(end) - datetime.fromisoformat(start)
    if lasted < timedelta():
        raise BadEnding(f"the end {cell!r} was left out: it is before the start")
    if lasted >= timedelta(seconds=UNENDED_SECONDS):
        raise BadEnding(f"the end {cell!r} was left out: nobody ended this session")
    return {"end_time": end}


def _joined(notes: list[str], remarks: list[str]) -> str:
    text = "\n".join(notes)
    if len(text) > NOTE_LENGTH:
        remarks.append(f"a note of {len(text):,} characters was cut to {NOTE_LENGTH:,}")
    return text[:NOTE_LENGTH]
