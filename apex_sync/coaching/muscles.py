"""Which muscles a set trains: the names of libraries mapped to the muscles that volume landmarks are stated for.

A primary muscle gets the whole set, a secondary one half of it. In 67 studies this fractional count described growth
better than counting indirect sets fully or not at all [V, Pelland et al. 2024, osf.io/6z3xu].

free-exercise-db lumps all deltoids into `shoulders`, so the head is told from the exercise [D].
"""

from collections.abc import Iterable

from apex_sync.coaching.sets import fold_name

DIRECT, INDIRECT = 1.0, 0.5

MUSCLES = {
    "abdominals": "abs",
    "abductors": "abductors",
    "adductors": "adductors",
    "biceps": "biceps",
    "calves": "calves",
    "chest": "chest",
    "forearms": "forearms",
    "glutes": "glutes",
    "hamstrings": "hamstrings",
    "lats": "back",
    "lower back": "lower_back",
    "middle back": "back",
    "neck": "neck",
    "quadriceps": "quads",
    "traps": "traps",
    "triceps": "triceps",
}
"""free-exercise-db's muscles, but for `shoulders`; names that are already ours map to themselves."""

PARTS = {
    "hip_flexors": "hip_flexors",
    "lats": "back",
    "obliques": "abs",
    "rotator_cuff": "rotator_cuff",
    "serratus": "serratus",
    "tibialis": "tibialis",
    "upper_back": "back",
}
"""What the built-in library tells apart and landmarks do not, or have no figure for."""

SYNONYMS = {
    "abs": "abs",
    "back": "back",
    "front delts": "front_delts",
    "lower_back": "lower_back",
    "quads": "quads",
    "rear delts": "rear_delts",
    "side delts": "side_delts",
    "upper back": "back",
    **PARTS,
}
"""What coaches write in their own exercises and as weak points."""

PULLED_TO_REAR = frozenset({"back", "traps"})
"""Beside these primary muscles, indirect shoulder work is that of the rear head (rows, pulldowns)."""

HEAD_SIGNS: tuple[tuple[str, tuple[tuple[str, ...], ...]], ...] = (
    ("rear_delts", (("rear",), ("reverse", "fly"), ("back", "fly"), ("face", "pull"), ("pull", "apart"))),
    ("rear_delts", (("bent", "over", "lateral"), ("bent", "over", "raise"))),
    ("side_delts", (("lateral",), ("upright", "row"), ("side", "raise"), ("deltoid", "raise"))),
    ("front_delts", (("front", "raise"), ("front", "delt"), ("plate", "raise"))),
)
"""Beginnings of words in the name of an exercise that together tell the head; the first that fits decides [D]."""


def muscle_shares(primary: Iterable[str], secondary: Iterable[str], exercise_name: str = "") -> dict[str, float]:
    """Give how much of a set each muscle gets, in the order of the muscles' names.

    Two parts of one muscle (lats and middle back) count once, with the larger share. Unknown names are left out.

    >>> muscle_shares(["chest"], ["shoulders", "triceps"], "Barbell Bench Press")
    {'chest': 1.0, 'front_delts': 0.5, 'triceps': 0.5}
    >>> muscle_shares(["shoulders"], ["triceps"], "Standing Military Press")
    {'front_delts': 1.0, 'side_delts': 0.5, 'triceps': 0.5}
    """
    primary = [fold_name(name) for name in primary]
    pulled = any(muscle_named(name) in PULLED_TO_REAR for name in primary)
    shares: dict[str, float] = {}
    for name in primary:
        _add(shares, _deltoids(exercise_name) if name == "shoulders" else _one(name, DIRECT))
    for name in map(fold_name, secondary):
        _add(shares, _indirect_deltoid(exercise_name, pulled=pulled) if name == "shoulders" else _one(name, INDIRECT))
    return dict(sorted(shares.items()))


def muscle_named(name: str) -> str | None:
    """Give the muscle that a name means, or None; `shoulders` means no single one.

    >>> muscle_named("Quadriceps"), muscle_named("Side delts"), muscle_named("shoulders")
    ('quads', 'side_delts', None)
    """
    folded = fold_name(name)
    return MUSCLES.get(folded) or SYNONYMS.get(folded) or (folded if folded in SYNONYMS.values() else None)


def _one(name: str, share: float) -> dict[str, float]:
    muscle = muscle_named(name)
    return {muscle: share} if muscle else {}


def _deltoids(exercise_name: str) -> dict[str, float]:
    """Split direct shoulder work: by words in the name, else as an overhead press does (front whole, side half) [D]."""
    head = _head(exercise_name)
    return {head: DIRECT} if head else {"front_delts": DIRECT, "side_delts": INDIRECT}


def _indirect_deltoid(exercise_name: str, *, pulled: bool) -> dict[str, float]:
    return {_head(exercise_name) or ("rear_delts" if pulled else "front_delts"): INDIRECT}


def _head(exercise_name: str) -> str | None:
    words = fold_name(exercise_name.replace("-", " ")).split()
    for head, signs in HEAD_SIGNS:
        if any(all(any(word.startswith(stem) for word in words) for stem in sign) for sign in signs):
            return head
    return None


def _add(shares: dict[str, float], more: dict[str, float]) -> None:
    for muscle, share in more.items():
        shares[muscle] = max(shares.get(muscle, 0.0), share)
