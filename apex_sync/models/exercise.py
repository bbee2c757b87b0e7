"""Exercises: what can be done, and which muscles it trains."""

from typing import Annotated, Literal

from msgspec import UNSET, Meta

from apex_sync.collection import Collection, Leaf, Record
from apex_sync.models.fields import Name, Note

Names = list[Name]
Url = Annotated[str, Meta(max_length=2000)]


class Exercise(Record):
    """One exercise of a library."""

    name: Leaf[Name] = UNSET
    aliases: Leaf[Names] = UNSET
    muscle_group: Leaf[Name] = UNSET
    secondary_muscles: Leaf[Names] = UNSET
    movement_pattern: Leaf[Literal["push", "pull", "hinge", "squat", "isolation"]] = UNSET
    equipment: Leaf[Names] = UNSET
    laterality: Leaf[Literal["bilateral", "unilateral"]] = UNSET
    video_url: Leaf[Url] = UNSET
    thumbnail_url: Leaf[Url] = UNSET
    instructions: Leaf[Note] = UNSET
    coaching_cues: Leaf[Names] = UNSET


EXERCISES = Collection(
    name="exercises",
    version=2,
    model=Exercise,
    scope_kinds=frozenset({"library", "global"}),
    default_writers=frozenset({"coach", "system"}),
)
