"""What a rule knows of the athlete beside the logs, and of the exercises."""

import datetime
from collections.abc import Iterable, Mapping
from typing import Literal

from msgspec import Struct

from apex_sync.coaching.leaves import day, number, text, texts, whole
from apex_sync.coaching.muscles import muscle_shares
from apex_sync.coaching.names import name_key
from apex_sync.collection import Record

VolumeTolerance = Literal["low", "medium", "high"]

LOWER_BODY = frozenset({"quads", "hamstrings", "glutes", "calves", "adductors", "abductors"})
"""Muscles whose barbell lifts rise by the larger step."""


class TrainingProfile(Struct, frozen=True, kw_only=True):
    """An athlete, as far as a rule cares; everything may be unknown.

    `main_lifts` are exercise identities; where none are named, the most trained ones stand for them.
    `coached_since` is the day since which a coach works with them; no session was due before it.
    """

    training_age_years: float | None = None
    volume_tolerance: VolumeTolerance = "medium"
    goals: tuple[str, ...] = ()
    weak_points: tuple[str, ...] = ()
    target_weight_kg: float | None = None
    training_days_per_week: int | None = None
    check_in_day_number: int | None = None
    coached_since: datetime.date | None = None
    main_lifts: tuple[str, ...] = ()
    landmark_edition: Literal["rp_2017", "rp_later"] = "rp_2017"


def training_profile(record: Record | None) -> TrainingProfile:
    """Read a profile record as far as it can be read; total for any record."""
    tolerance = text(getattr(record, "volume_tolerance", None))
    return TrainingProfile(
        training_age_years=number(getattr(record, "training_age_years", None), 0.0, 80.0),
        volume_tolerance="low" if tolerance == "low" else "high" if tolerance == "high" else "medium",
        goals=texts(getattr(record, "goals", None)),
        weak_points=texts(getattr(record, "weak_points", None)),
        target_weight_kg=number(getattr(record, "target_weight_kg", None), 1.0, 500.0),
        training_days_per_week=whole(getattr(record, "training_days_per_week", None), 0, 14),
        check_in_day_number=whole(getattr(record, "check_in_day_number", None), 1, 7),
    )


def age_years(profile: Record | None, on: datetime.date) -> int | None:
    """Give an athlete's age in whole years; None where no birthday is known or it is yet to come.

    Who was born on 29 February is a year older on 1 March of other years.
    """
    born = day(getattr(profile, "date_of_birth", None))
    if born is None or born > on:
        return None
    return on.year - born.year - ((on.month, on.day) < (born.month, born.day))


class ExerciseTraits(Struct, frozen=True, kw_only=True):
    """What a library says of an exercise: how much of a set each muscle gets, and how it is loaded."""

    muscles: Mapping[str, float] = {}
    equipment: str | None = None

    @property
    def lower_body(self) -> bool:
        """Whether a leg muscle or the glutes are trained directly."""
        return any(share >= 1 and muscle in LOWER_BODY for muscle, share in self.muscles.items())


Library = Mapping[str, ExerciseTraits]
"""Traits under `id:` and the id, and under `name:` and the key (`names`) of the name and of each alias."""


def exercise_traits(record: Record) -> ExerciseTraits:
    """Read an exercise record as far as it can be read; total for any record."""
    name = text(getattr(record, "name", None)) or ""
    equipment = texts(getattr(record, "equipment", None))
    primary = text(getattr(record, "muscle_group", None))
    return ExerciseTraits(
        muscles=muscle_shares([primary] if primary else [], texts(getattr(record, "secondary_muscles", None)), name),
        equipment=equipment[0] if equipment else None,
    )


def library_of(exercises: Mapping[str, Record]) -> dict[str, ExerciseTraits]:
    """Index exercise records, given by id, for `traits_of`.

    Of several that one name could mean, those that are called so come before those that are also known so, and then
    the first by id.
    """
    library: dict[str, ExerciseTraits] = {}
    aliases: list[tuple[str, ExerciseTraits]] = []
    for exercise_id, record in sorted(exercises.items()):
        traits = library[f"id:{exercise_id}"] = exercise_traits(record)
        name = text(getattr(record, "name", None))
        if name:
            library.setdefault(f"name:{name_key(name)}", traits)
        aliases += [(alias, traits) for alias in texts(getattr(record, "aliases", None))]
    for alias, traits in aliases:
        library.setdefault(f"name:{name_key(alias)}", traits)
    return library


def traits_of(library: Library, exercise: str) -> ExerciseTraits | None:
    """Give the traits of a logged exercise by its identity (`sets.exercise_identity`), or None.

    >>> from apex_sync.models import Exercise
    >>> library = library_of({"7": Exercise(name="Barbell Bench Press")})
    >>> traits_of(library, "name:bench press (barbell)") is traits_of(library, "id:7")
    True
    """
    kind, _, known_as = exercise.partition(":")
    return library.get(f"name:{name_key(known_as)}" if kind == "name" else exercise)


def traits_of_logged(
    library: Library, exercise: str, named: Iterable[tuple[str | None, str | None]]
) -> ExerciseTraits | None:
    """Give the traits of an exercise from its identity and the pairs of id and name that logs have it under, or None.

    Where no log states an id, an exercise that a coach calls so goes before the built-in one of that name.
    """
    names = set()
    for exercise_id, name in named:
        if exercise_id:
            return traits_of(library, exercise)
        if name:
            names.add(name_key(name))
    found = (library.get(f"name:{name}") for name in sorted(names))
    return next((traits for traits in found if traits is not None), None) or traits_of(library, exercise)
