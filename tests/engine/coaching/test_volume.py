"""Weekly sets of muscles against landmarks, and which muscles an exercise trains."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from apex_sync.coaching.exercise_library import builtin_id
from apex_sync.coaching.landmarks import EDITIONS, RP_2017, RP_LATER, Landmark, LandmarkEdition, scaled, volume_status
from apex_sync.coaching.muscles import MUSCLES, muscle_named, muscle_shares
from apex_sync.coaching.profile import exercise_traits, library_of
from apex_sync.coaching.sets import PerformedSet, sets_by_exercise
from apex_sync.coaching.volume import WeekVolume, judged_volume, volume_jumps, weekly_volume, weeks_above_mrv
from apex_sync.models import Exercise
from tests.engine.coaching.logs import day, performed_on, sets

CHEST = next(landmark for landmark in RP_2017 if landmark.muscle == "chest")


def trained(counts_by_offset: dict[int, int]) -> list[PerformedSet]:
    return [s for at, count in counts_by_offset.items() for s in performed_on(day(at), sets(*[(100.0, 5)] * count))]


def weekly(counts_by_offset: dict[int, int], shares: dict[str, float]) -> list[WeekVolume]:
    return weekly_volume(sets_by_exercise(trained(counts_by_offset)), {f"id:{builtin_id('Bench Press')}": shares})


def chest(*counts: int, first: int = 0) -> list[WeekVolume]:
    return weekly({7 * (week + first): count for week, count in enumerate(counts)}, {"chest": 1.0})


def test_sets_are_counted_by_iso_week() -> None:
    volumes = weekly({6: 3, 7: 4}, {"chest": 1.0, "triceps": 0.5})
    assert [(v.week, v.muscle, v.direct_sets, v.fractional_sets) for v in volumes] == [
        (day(0), "chest", 3.0, 3.0),
        (day(0), "triceps", 0.0, 1.5),
        (day(7), "chest", 4.0, 4.0),
        (day(7), "triceps", 0.0, 2.0),
    ]
    assert volumes[0].sets_by_workout == (("w-2026-03-08", 3.0),)


def test_sets_that_do_not_count_or_have_no_day_are_no_volume() -> None:
    easy = performed_on(day(0), sets((100, 5), rpe=5))
    undated = [replace(performed, date=None) for performed in performed_on(day(0), sets((100, 5)))]
    assert weekly_volume({"x": easy + undated}, {"x": {"chest": 1.0}}) == []


@pytest.mark.parametrize(
    ("direct_sets", "status"),
    [
        (7.5, "below_maintenance"),
        (8, "maintenance"),
        (9.5, "maintenance"),
        (10, "productive_low"),
        (11.5, "productive_low"),
        (12, "optimal"),
        (20, "optimal"),
        (20.5, "high"),
        (22, "high"),
        (22.5, "excessive"),
    ],
)
def test_a_status_lies_between_the_landmarks(direct_sets: float, status: str) -> None:
    assert volume_status(direct_sets, CHEST) == status


def test_tolerance_moves_mav_and_mrv_alone() -> None:
    low, high = scaled(CHEST, "low"), scaled(CHEST, "high")
    assert (low.mv, low.mev, low.mav_low, low.mav_high, low.mrv) == (8, 10, 10.2, 17.0, 18.7)
    assert (high.mav_high, high.mrv) == (23.0, 25.3)


@pytest.mark.parametrize(
    ("edition", "table"),
    [
        (
            RP_2017,
            """abs 0 0 16 20 25; back 8 10 14 22 25; biceps 5 8 14 20 26; calves 6 8 12 16 20; chest 8 10 12 20 22;
            forearms 0 2 10 18 25; front_delts 0 0 6 8 12; glutes 0 0 4 12 16; hamstrings 4 6 10 16 20;
            quads 6 8 12 18 20; side_and_rear_delts 0 8 16 22 26; traps 0 0 12 20 26; triceps 4 6 10 14 18""",
        ),
        (
            RP_LATER,
            """abs 0 0 7 24 -; back 6 10 11 19 -; biceps 4 8 9 19 -; calves 0 1 4 10 -; chest 4 6 7 19 -;
            forearms 0 2 9 19 -; front_delts 0 0 0 12 -; glutes 0 0 4 12 -; hamstrings 3 4 5 12 -; quads 6 8 9 17 -;
            rear_delts 0 6 7 17 -; side_delts 6 8 9 24 -; traps 0 0 7 24 -; triceps 4 6 7 19 -""",
        ),
    ],
)
def test_the_landmarks_are_those_of_their_edition(edition: tuple[Landmark, ...], table: str) -> None:
    written = [
        " ".join(
            [
                m.muscle,
                *(f"{n:g}" for n in (m.mv, m.mev, m.mav_low, m.mav_high)),
                "-" if m.mrv is None else f"{m.mrv:g}",
            ]
        )
        for m in edition
    ]
    assert written == [" ".join(row.split()) for row in table.split(";")]


def test_an_edition_without_mrv_never_says_excessive() -> None:
    later = next(landmark for landmark in RP_LATER if landmark.muscle == "chest")
    assert volume_status(40, later) == "high"


@given(
    st.sampled_from(sorted(EDITIONS)), st.sampled_from(["low", "medium", "high"]), st.floats(0, 60), st.floats(0, 60)
)
def test_more_sets_never_mean_a_lower_status(
    edition: LandmarkEdition, tolerance: str, one: float, other: float
) -> None:
    order = ["below_maintenance", "maintenance", "productive_low", "optimal", "high", "excessive"]
    for landmark in (scaled(unscaled, tolerance) for unscaled in EDITIONS[edition]):
        low, high = (order.index(volume_status(sets_, landmark)) for sets_ in sorted((one, other)))
        assert low <= high


@given(st.sampled_from([landmark for edition in EDITIONS.values() for landmark in edition]))
def test_landmarks_are_in_order(landmark: Landmark) -> None:
    assert landmark.mv <= landmark.mev <= landmark.mav_low <= landmark.mav_high
    assert landmark.mrv is None or landmark.mav_high < landmark.mrv


def test_a_judgement_names_its_edition_and_its_basis() -> None:
    (judged,) = judged_volume(weekly({0: 12}, {"chest": 1.0}))
    assert (judged.status, judged.edition, judged.landmark_basis) == ("optimal", "rp_2017", "direct")


def test_indirect_sets_are_not_compared_with_landmarks() -> None:
    (judged,) = judged_volume(weekly({0: 40}, {"triceps": 0.5}))
    assert (judged.status, judged.volume.fractional_sets) == ("below_maintenance", 20.0)


def test_an_edition_may_count_two_heads_of_a_muscle_together() -> None:
    shares = {"side_delts": 1.0, "rear_delts": 1.0}
    together = judged_volume(weekly({0: 9}, shares))
    assert [(j.landmark.muscle, j.volume.direct_sets) for j in together] == [("side_and_rear_delts", 18.0)]
    assert [j.landmark.muscle for j in judged_volume(weekly({0: 9}, shares), edition="rp_later")] == [
        "rear_delts",
        "side_delts",
    ]


def test_above_mrv_needs_two_weeks_running() -> None:
    assert weeks_above_mrv(judged_volume(chest(23, 23)), day(7)).keys() == {"chest"}
    assert weeks_above_mrv(judged_volume(chest(22, 23)), day(7)) == {}
    assert weeks_above_mrv(judged_volume(chest(23, 1, 23)), day(14)) == {}


@pytest.mark.parametrize(
    ("before", "after", "jumps"), [(10, 12, False), (10, 13, True), (4, 5, False), (4, 6, True), (0, 9, False)]
)
def test_a_rise_by_more_than_a_fifth_is_a_jump(before: int, after: int, jumps: bool) -> None:
    assert bool(volume_jumps(chest(before, after), day(7))) is jumps


@pytest.mark.parametrize(
    ("primary", "secondary", "name", "shares"),
    [
        (["lats"], ["middle back", "biceps"], "Pulldown", {"back": 1.0, "biceps": 0.5}),
        (["shoulders"], [], "Side Lateral Raise", {"side_delts": 1.0}),
        (["shoulders"], [], "Cable Rear Delt Fly", {"rear_delts": 1.0}),
        (["shoulders"], [], "Reverse Machine Flyes", {"rear_delts": 1.0}),
        (["shoulders"], [], "Front Dumbbell Raise", {"front_delts": 1.0}),
        (["shoulders"], ["triceps"], "Push Press", {"front_delts": 1.0, "side_delts": 0.5, "triceps": 0.5}),
        (["middle back"], ["shoulders"], "Bent Over Barbell Row", {"back": 1.0, "rear_delts": 0.5}),
        (["triceps"], ["shoulders"], "Dips", {"front_delts": 0.5, "triceps": 1.0}),
        (["Chest"], ["no such muscle"], "", {"chest": 1.0}),
        ([], [], "", {}),
    ],
)
def test_an_exercise_trains_its_muscles_whole_or_half(
    primary: list[str], secondary: list[str], name: str, shares: dict[str, float]
) -> None:
    assert muscle_shares(primary, secondary, name) == shares


def test_every_muscle_of_the_public_library_is_mapped(data_dir: Path) -> None:
    exercises = json.loads((data_dir / "free_exercise_db_exercises.json").read_text())
    named = {muscle for e in exercises for muscle in e["primaryMuscles"] + e["secondaryMuscles"]}
    assert named == {*MUSCLES, "shoulders"}
    assert all(muscle_shares(e["primaryMuscles"], e["secondaryMuscles"], e["name"]) for e in exercises)


def test_weak_points_are_understood_as_coaches_write_them() -> None:
    assert [muscle_named(name) for name in ("Chest", "QUADS", "side_delts", "upper back", "aura")] == [
        "chest",
        "quads",
        "side_delts",
        "back",
        None,
    ]


def test_a_library_is_looked_up_by_id_and_by_name() -> None:
    library = library_of({"7": Exercise(name="Barbell Squat", muscle_group="quadriceps", equipment=["barbell"])})
    assert library["id:7"] is library["name:barbell squat"]
    assert library["id:7"].lower_body
    assert exercise_traits(Exercise()).muscles == {}
