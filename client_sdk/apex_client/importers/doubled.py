"""Sessions that a file holds twice over.

Some apps have written a session's whole exercise list twice (29 of 384 sessions in one public export), with the
copies differing in form: `0.0` against `0`. Equal rows are no sign of it, since people repeat sets; a second half that
equals the first, exercise by exercise and number by number, is.
"""

from apex_client.importers.sessions import Entry, Session

DOUBLED = "its second half repeats its first, exercise by exercise and number by number"


def is_doubled(session: Session, *, numbers_sets: bool) -> bool:
    """Whether the second half of a session's exercises equals the first in names and numbers.

    Where the file numbers no sets, rounds of single sets (A, B, A, B) are how a superset looks, and are no doubling.
    """
    entries = session.entries
    half, odd = divmod(len(entries), 2)
    if odd or not half or half > sum(session.occurrences.values()) - len(session.occurrences):
        return False
    first, second = entries[:half], entries[half:]
    if not any(entry.lines for entry in first) or not any(entry.sets for entry in first):
        return False
    if not numbers_sets and all(len(entry.sets) == 1 for entry in first):
        return False
    return all(_numbers(one) == _numbers(other) for one, other in zip(first, second, strict=True))


def without_second_copy(session: Session, *, numbers_sets: bool) -> list[Entry]:
    """Keep one copy of a doubled session's exercises; gives those that were taken away."""
    taken: list[Entry] = []
    while is_doubled(session, numbers_sets=numbers_sets):
        half = len(session.entries) // 2
        taken += session.entries[half:]
        for entry in session.entries[half:]:
            session.occurrences[entry.name] -= 1
        del session.entries[half:]
    return taken


def _numbers(entry: Entry) -> tuple[object, ...]:
    """Give what must be equal: the name, and of each set everything but its notes."""
    sets = tuple(
        tuple(sorted((leaf, value) for leaf, value in leaves.items() if leaf != "notes")) if leaves else None
        for leaves in entry.sets
    )
    return (entry.name, *sets)
