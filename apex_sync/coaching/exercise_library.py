"""The built-in library: what everybody may do in a gym, as facts, a line an exercise in `exercise_library.jsonl`.

A line has a slug that never changes, from which the id of its record follows; everything else of it may be edited. The
types below are the closed vocabularies of the file, so a line that is not of them does not load. No two names, aliases
included, mean one exercise (`names.name_key`). A coach's own exercises may use any other words.
"""

from functools import cache
from typing import Any, Literal

import msgspec
from msgspec import Struct

from apex_sync.coaching.names import name_key
from apex_sync.ids import derived_id
from apex_sync.op import Patch

Muscle = Literal[
    "abductors", "abs", "adductors", "biceps", "calves", "chest", "forearms", "front_delts", "glutes", "hamstrings",
    "hip_flexors", "lats", "lower_back", "neck", "obliques", "quads", "rear_delts", "rotator_cuff", "serratus",
    "side_delts", "tibialis", "traps", "triceps", "upper_back",
]  # fmt: skip
Equipment = Literal[
    "ab_wheel", "band", "barbell", "battle_ropes", "bench", "bike", "bodyweight", "box", "cable", "dip_bars",
    "dumbbell", "elliptical", "ez_bar", "jump_rope", "kettlebell", "landmine", "machine", "medicine_ball", "plate",
    "pull_up_bar", "rings", "rowing_machine", "safety_squat_bar", "sandbag", "ski_erg", "sled", "smith_machine",
    "stability_ball", "stair_climber", "strongman", "suspension_trainer", "trap_bar", "treadmill",
]  # fmt: skip
"""What is loaded stands first in a list of equipment; the bench one lies on after it."""


class BuiltinExercise(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One line of the library."""

    slug: str
    name: str
    aliases: tuple[str, ...] = ()
    muscle_group: Muscle
    secondary_muscles: tuple[Muscle, ...] = ()
    equipment: tuple[Equipment, ...] = ()
    movement_pattern: Literal["push", "pull", "hinge", "squat", "isolation"] | None = None
    laterality: Literal["bilateral", "unilateral"] | None = None
    instructions: str | None = None

    @property
    def id(self) -> str:
        """The id of its record, the same on every server."""
        return derived_id("exercise", self.slug)

    @property
    def patch(self) -> Patch:
        """What its record holds: every leaf, None where the line does not name it."""
        leaves: dict[str, Any] = msgspec.to_builtins(msgspec.structs.asdict(self))
        del leaves["slug"]
        return {name: (list(value) or None) if isinstance(value, tuple) else value for name, value in leaves.items()}


@cache
def builtin_exercises() -> tuple[BuiltinExercise, ...]:
    """Give the library in the order of its slugs."""
    import pkgutil

    lines = pkgutil.get_data(__package__, "exercise_library.jsonl") or b""
    return tuple(msgspec.json.Decoder(BuiltinExercise).decode_lines(lines))


def builtin_id(name: str) -> str | None:
    """Give the id of the exercise that a name means, by name or alias; None where the library has none of it.

    >>> builtin_id("Bench Press (Barbell)") == builtin_id("barbell bench-press")
    True
    >>> builtin_id("Bench Press with a parrot")
    """
    return _ids_by_name().get(name_key(name))


@cache
def _ids_by_name() -> dict[str, str]:
    return {name_key(name): each.id for each in builtin_exercises() for name in (each.name, *each.aliases)}
