"""Each variant of an export seen in the wild, as a small sample of its form."""

from typing import Any

import pytest

from apex_client.importers import ImportPlan, read_export
from apex_sync.coaching.exercise_library import builtin_id
from apex_sync.models.workout import WORKOUT_LOGS

STRONG_HEADER = (
    "Date,Workout Name,Duration,Exercise Name,Set Order,Weight,Reps,Distance,Seconds,Notes,Workout Notes,RPE\n"
)
HEVY_HEADER = (
    '"title","start_time","end_time","description","exercise_title","superset_id","exercise_notes","set_index",'
    '"set_type","weight_kg","reps","distance_km","duration_seconds","rpe"\n'
)


def read(text: str, **options: Any) -> ImportPlan:
    """Read a sample, and hold what every plan holds: patches within bounds."""
    plan = read_export(text.encode(), **options)
    for workout in plan.workouts:
        WORKOUT_LOGS.check_bounds(workout.patch)
        assert WORKOUT_LOGS.read(workout.patch)[1] == []
    return plan


def sets_of(plan: ImportPlan) -> list[dict[str, Any]]:
    """Give all sets in order, with the exercise's name for its key and without the order key."""
    sets = []
    for workout in plan.workouts:
        names = {key: entry["name"] for key, entry in workout.patch["exercises"].items()}
        for entry in sorted(workout.patch["sets"].values(), key=lambda entry: entry["order"]):
            sets.append({**entry, "exercise": names[entry["exercise"]]})
            del sets[-1]["order"]
    return sets


def exercises_of(plan: ImportPlan) -> list[dict[str, Any]]:
    """Give all exercises, without what does not stand in the file."""
    exercises = [entry for workout in plan.workouts for entry in workout.patch["exercises"].values()]
    return [{name: entry[name] for name in entry.keys() - {"order", "exercise_id"}} for entry in exercises]


def test_a_name_that_the_library_knows_brings_its_id() -> None:
    plan = read(
        "Date,Exercise,Category,Weight (kgs),Reps,Distance,Distance Unit,Time\n"
        + "".join(
            f"2024-03-01,{name},Chest,60,8,,,\n"
            for name in ("Bench Press (Barbell)", "RDL", "Press of the Two Parrots")
        )
    )
    entries = [entry for workout in plan.workouts for entry in workout.patch["exercises"].values()]
    assert [(entry["name"], entry.get("exercise_id")) for entry in entries] == [
        ("Bench Press (Barbell)", builtin_id("Barbell Bench Press")),
        ("RDL", builtin_id("Romanian Deadlift")),
        ("Press of the Two Parrots", None),
    ]
    assert builtin_id("Barbell Bench Press") != builtin_id("Romanian Deadlift")


# Strong


def test_strong_with_semicolons_and_unit_columns() -> None:
    plan = read(
        "Date;Workout Name;Exercise Name;Set Order;Weight;Weight Unit;Reps;RPE;Distance;Distance Unit;Seconds;Notes;"
        "Workout Notes;Workout Duration\n"
        '2025-05-21 15:56:15;"Arms";"Bicep Curl (Barbell)";1;10;kg;8;6.5;;;0;"";"";53m\n'
        '2025-05-21 15:56:15;"Arms";"Bicep Curl (Barbell)";2;22,5;lbs;8;;;;0;"";"";53m\n'
        '2025-05-21 15:56:15;"Arms";"Cycling (Indoor)";1;;;;;2.4;mi.;2100;"";"";53m\n'
    )
    assert plan.workouts[0].patch["duration_minutes"] == 53
    assert sets_of(plan) == [
        {"exercise": "Bicep Curl (Barbell)", "load_kg": 10, "reps": 8, "rpe": 6.5},
        {"exercise": "Bicep Curl (Barbell)", "load_kg": 10.205828, "load": 22.5, "load_unit": "lb", "reps": 8},
        {"exercise": "Cycling (Indoor)", "distance_m": 3862.426, "duration_seconds": 2100},
    ]


def test_strong_with_a_weight_unit_column_among_commas() -> None:
    plan = read(
        "Date,Workout Name,Duration,Exercise Name,Set Order,Weight,Weight Unit,Reps,RPE\n"
        "2025-05-21 15:56:15,Arms,38min,Curl,1,225,lbs,8,\n"
    )
    assert sets_of(plan) == [{"exercise": "Curl", "load_kg": 102.058283, "load": 225, "load_unit": "lb", "reps": 8}]
    assert plan.workouts[0].patch["duration_minutes"] == 38
    assert plan.load_unit == "lb"


def test_strong_all_quoted_with_workout_number_and_duration_in_seconds() -> None:
    plan = read(
        '"Workout #";"Date";"Workout Name";"Duration (sec)";"Exercise Name";"Set Order";"Weight (kg)";"Reps";"RPE";'
        '"Distance (meters)";"Seconds";"Notes";"Workout Notes"\n'
        '"4";"2023-07-19 21:30:51";"Workout B #1409";"1742";"Squat (Barbell)";"Note";"";"";"";"";"";"Tempo";"Good"\n'
        '"4";"2023-07-19 21:30:51";"Workout B #1409";"1742";"Squat (Barbell)";"W";"50.0";"5";"";"";"";"";"Good"\n'
        '"4";"2023-07-19 21:30:51";"Workout B #1409";"1742";"Squat (Barbell)";"Rest Timer";"";"";"";"";"120.0";"";""\n'
        '"4";"2023-07-19 21:30:51";"Workout B #1409";"1742";"Squat (Barbell)";"1";"100.0";"5";"8";"";"";"";""\n'
        '"4";"2023-07-19 21:30:51";"Workout B #1409";"1742";"Squat (Barbell)";"D";"80.0";"10";"";"";"";"";""\n'
        '"4";"2023-07-19 21:30:51";"Workout B #1409";"1742";"Squat (Barbell)";"F";"60.0";"12";"";"";"";"";""\n'
        '"4";"2023-07-19 21:30:51";"Workout B #1409";"1742";"Running";"1";"";"";"";"5000";"1500";"";""\n'
    )
    assert [entry.get("type") for entry in sets_of(plan)] == ["warmup", None, "dropset", "failure", None]
    assert sets_of(plan)[1] == {"exercise": "Squat (Barbell)", "load_kg": 100, "reps": 5, "rpe": 8}
    assert sets_of(plan)[4] == {"exercise": "Running", "distance_m": 5000, "duration_seconds": 1500}
    assert exercises_of(plan) == [{"name": "Squat (Barbell)", "notes": "Tempo"}, {"name": "Running"}]
    assert plan.workouts[0].patch["notes"] == "Good"
    assert plan.workouts[0].patch["duration_minutes"] == 29.03
    assert [(row.line, row.reason) for row in plan.skipped] == [(4, "rest timer")]
    assert (plan.rows_read, plan.workouts[0].rows, plan.workouts[0].sets) == (7, 6, 5)


def test_strong_with_rest_timers_gives_the_same_ids_as_without() -> None:
    rows = [
        '2025-06-03 20:23:00,"Evening",264h 1m,"Incline Press",1,40.0,8,0,0,"","",\n',
        '2025-06-03 20:23:00,"Evening",264h 1m,"Incline Press",Rest Timer,0,0.0,0,120.0,,,\n',
        '2025-06-03 20:23:00,"Evening",264h 1m,"Incline Press",2,40.0,8,0,0,,,\n',
    ]
    rich = read(STRONG_HEADER + "".join(rows), unit="kg")
    plain = read(STRONG_HEADER + rows[0] + rows[2], unit="kg")
    assert [workout.patch for workout in rich.workouts] == [workout.patch for workout in plain.workouts]
    assert rich.workouts[0].record_id == plain.workouts[0].record_id
    assert [(row.line, row.reason) for row in rich.skipped] == [(3, "rest timer")]
    assert rich.warnings[-1].reason == "a duration of '264h 1m' was left out: nobody ended this session"


def test_strong_old_with_nine_columns_named_by_unit_and_sets_from_zero() -> None:
    plan = read(
        "Date,Workout Name,Exercise Name,Set Order,kg,Reps,km,Seconds,Notes\n"
        '2017-03-01 18:00:00,"A","Squat (Barbell)",0,60,5,0,0,""\n'
        '2017-03-01 18:00:00,"A","Squat (Barbell)",1,62.5,5,0,0,""\n'
        '2017-03-01 18:00:00,"A","Running",0,0,0,5.2,1800,"wind"\n'
    )
    assert sets_of(plan) == [
        {"exercise": "Squat (Barbell)", "load_kg": 60, "reps": 5},
        {"exercise": "Squat (Barbell)", "load_kg": 62.5, "reps": 5},
        {"exercise": "Running", "distance_m": 5200, "duration_seconds": 1800},
    ]
    assert len(plan.workouts[0].patch["exercises"]) == 2


def test_strong_old_with_a_column_named_lbs() -> None:
    plan = read(
        "Date;Workout Name;Exercise Name;Set Order;lbs;Reps;mi.;Seconds;Notes;Workout Notes\n"
        '2018-01-20 17:03:17;"A";"Bench";1;135;5;;0;"";""\n'
    )
    assert (sets_of(plan)[0]["load"], sets_of(plan)[0]["load_kg"]) == (135, 61.23497)


FRENCH = (
    "Date,Nom de l'entraînement,Durée,Nom de l'exercice,Ordre de la série,Poids,Réps,Distance,Secondes,Notes,"
    "Notes de l'entraînement,RPE\r\n"
    '2026-01-04 20:57:41,"Entraînement du soir",1h 5m,"Développé couché",1,60.0,15.0,0,0.0,"","Salle, du soir",\r\n'
    '2026-01-04 20:57:41,"Entraînement du soir",1h 5m,"Développé couché",Minuteur de repos,0,0.0,0,90.0,,,\r\n'
    '2026-01-04 20:57:41,"Entraînement du soir",1h 5m,"Étirement ",1,0,0.0,0,60.0,,,\r\n'
)


def test_strong_in_french_with_crlf() -> None:
    plan = read(FRENCH, unit="kg")
    assert sets_of(plan) == [
        {"exercise": "Développé couché", "load_kg": 60, "reps": 15},
        {"exercise": "Étirement", "duration_seconds": 60},
    ]
    assert plan.workouts[0].patch["notes"] == "Salle, du soir"
    assert [(row.line, row.reason) for row in plan.skipped] == [(3, "rest timer")]
    assert plan.warnings == []


def test_strong_with_headers_in_an_unknown_language_is_recognised_by_its_cells() -> None:
    header = "Dag,Træningsnavn,Varighed,Øvelse,Rækkefølge,Vægt,Gentagelser,Afstand,Sekunder,Noter,Træningsnoter,RPE\r\n"
    plan = read(header + FRENCH.partition("\r\n")[2], unit="kg")
    assert (len(sets_of(plan)), len(plan.skipped)) == (2, 1)
    assert "recognised by their contents" in plan.warnings[0].reason


def test_strong_headers_that_are_half_understood_are_completed_by_their_order() -> None:
    header = FRENCH.partition("\r\n")[0].replace("Ordre de la série", "Rang").replace("Notes de l'entraînement", "Mémo")
    assert read(header + "\r\n" + FRENCH.partition("\r\n")[2], unit="kg") == read(FRENCH, unit="kg")


def test_a_rest_timer_in_an_unknown_language_is_told_by_its_seconds() -> None:
    plan = read(FRENCH.replace("Minuteur de repos", "Taukoajastin"), unit="kg")
    assert [(row.line, row.reason) for row in plan.skipped] == [(3, "rest timer")]


def test_strong_without_a_header_row_and_with_multi_line_notes() -> None:
    plan = read(
        '2019-02-01 07:00:00,"Morning",1h 2m,"Deadlift",1,100.0,5,0,0,"grip\n\nslipped, twice\n","slept\nbadly",\n'
        '2019-02-01 07:00:00,"Morning",1h 2m,"Deadlift",2,100.0,5,0,0,,,8.5\n',
        unit="kg",
    )
    (workout,) = plan.workouts
    assert (workout.rows, workout.lines, plan.rows_read) == (2, (1, 6), 2)
    assert exercises_of(plan) == [{"name": "Deadlift", "notes": "grip\n\nslipped, twice"}]
    assert workout.patch["notes"] == "slept\nbadly"
    assert sets_of(plan)[1]["rpe"] == 8.5


def test_strong_in_chinese_writes_line_breaks_as_backslash_n() -> None:
    plan = read(
        "日期,锻炼名称,时长,运动名称,设置顺序,重量,次,距离,秒,备注,锻炼备注,RPE\n"
        '2020-09-29 07:10:22,"4.Pull",1小时13分钟,"Chin Up",1,0.0,8,0,0,"3x10\\n80x12","星期二",\n',
        unit="lb",
    )
    assert exercises_of(plan) == [{"name": "Chin Up", "notes": "3x10\n80x12"}]
    assert sets_of(plan) == [{"exercise": "Chin Up", "load_kg": 0, "reps": 8}]
    assert plan.workouts[0].patch["duration_minutes"] == 73


def test_strong_on_a_twelve_hour_phone_gives_the_same_ids() -> None:
    row = '2025-06-03 {},"Evening",30m,"Press",1,40.0,8,0,0,"","",\n'
    twelve = read(STRONG_HEADER + row.format("8:23:00\u202fPM"), unit="kg")
    assert twelve == read(STRONG_HEADER + row.format("20:23:00"), unit="kg")


def test_strong_distances_without_a_unit_follow_the_loads_and_say_so() -> None:
    rows = '2025-06-03 20:23:00,"Cardio",30m,"Running",1,0,0,5.0,1500,"","",\n'
    assert sets_of(read(STRONG_HEADER + rows, unit="kg"))[0]["distance_m"] == 5000
    plan = read(STRONG_HEADER + rows, unit="lb")
    assert sets_of(plan)[0]["distance_m"] == 8046.72
    assert plan.warnings[0].reason == "distances have no unit; they were read as mi, by the unit of the loads"


def test_distances_follow_the_stated_unit_of_the_loads_and_not_the_answer() -> None:
    header = "Date,Exercise Name,Set Order,Weight (lbs),Reps,Distance\n"
    plan = read(header + "2025-06-03 20:23:00,Run,1,,,5\n", unit="kg")
    assert sets_of(plan) == [{"exercise": "Run", "distance_m": 8046.72}]


def test_an_exercise_done_twice_in_a_session_stays_two() -> None:
    row = '2025-06-03 20:23:00,"A",30m,"{}",{},40.0,8,0,0,"","",\n'
    done = (("Run", 1), ("Press", 1), ("Press", 2), ("Press", 1), ("Run", 1))
    plan = read(STRONG_HEADER + "".join(row.format(*names) for names in done), unit="kg")
    assert [entry["name"] for entry in exercises_of(plan)] == ["Run", "Press", "Press", "Run"]
    assert len(sets_of(plan)) == 5


def test_a_warm_up_after_a_working_set_begins_the_exercise_again() -> None:
    row = '2025-06-03 20:23:00,"A",30m,"Press",{},40.0,8,0,0,"","",\n'
    plan = read(STRONG_HEADER + "".join(map(row.format, ["W", "1", "2", "W", "1"])), unit="kg")
    assert len(exercises_of(plan)) == 2
    doubled = "".join(map(row.format, ["W", "1", "2"] * 2))
    assert len(read(STRONG_HEADER + doubled, unit="kg").quarantined) == 1


def test_a_second_round_with_other_numbers_is_no_doubling() -> None:
    row = '2025-06-03 20:23:00,"A",30m,"Press",{},40.0,{},0,0,"","",\n'
    rows = (row.format(number, reps) for number, reps in ((1, 8), (2, 8), (1, 8), (2, 7)))
    plan = read(STRONG_HEADER + "".join(rows), unit="kg")
    assert (len(plan.workouts), plan.quarantined) == (1, [])


def test_copies_that_differ_in_form_and_notes_are_a_doubling() -> None:
    row = '2025-06-03 20:23:00,"A",30m,"Press",{},{},8,0,0,"{}","",\n'
    rows = (row.format(*cells) for cells in ((1, "0.0", "x"), (2, "40", ""), (1, "0", ""), (2, "40.0", "")))
    plan = read(STRONG_HEADER + "".join(rows), unit="kg")
    assert [(doubled.lines, doubled.rows) for doubled in plan.quarantined] == [((2, 5), 4)]


# Hevy


def test_hevy_in_pounds_and_miles() -> None:
    plan = read(
        HEVY_HEADER.replace("weight_kg", "weight_lbs").replace("distance_km", "distance_miles")
        + '"Gut Check 🚀","28 May 2024, 07:32","28 May 2024, 08:27","","Running",,"",0,"normal",,,1,240,\n'
        '"Gut Check 🚀","28 May 2024, 07:32","28 May 2024, 08:27","","Row",,"",0,"warmup",88.18,10,,,6\n'
        '"Gut Check 🚀","28 May 2024, 07:32","28 May 2024, 08:27","","Pulldown",0,"wide",0,"dropset",140,10,,,7.5\n'
        '"Gut Check 🚀","28 May 2024, 07:32","28 May 2024, 08:27","","Curl",0,"",0,"failure",30,10,,0,\n'
    )
    assert plan.workouts[0].patch["title"] == "Gut Check 🚀"
    assert sets_of(plan)[0] == {"exercise": "Running", "distance_m": 1609.344, "duration_seconds": 240}
    pounds = {"load_kg": 39.997775, "load": 88.18, "load_unit": "lb"}
    assert sets_of(plan)[1] == {"exercise": "Row", "type": "warmup", "reps": 10, "rpe": 6, **pounds}
    assert [entry.get("type") for entry in sets_of(plan)] == [None, "warmup", "dropset", "failure"]
    assert exercises_of(plan)[2:] == [
        {"name": "Pulldown", "superset": "A", "notes": "wide"},
        {"name": "Curl", "superset": "A"},
    ]


def test_hevy_with_multi_line_notes_and_quotes_in_them() -> None:
    plan = read(
        HEVY_HEADER
        + '"Pull","1 Jan 2025, 07:39","1 Jan 2025, 08:40","one\n""best"",\r\nyes","Row",,"a\nb",0,"normal",60,8,,,\n'
        '"Pull","1 Jan 2025, 07:39","1 Jan 2025, 08:40","one\n""best"",\r\nyes","Row",,"a\nb",1,"normal",60,8,,,\n'
    )
    assert plan.workouts[0].patch["notes"] == 'one\n"best",\r\nyes'
    assert exercises_of(plan) == [{"name": "Row", "notes": "a\nb"}]
    assert (plan.workouts[0].lines, plan.rows_read) == ((2, 6), 2)


@pytest.mark.parametrize(
    ("written", "read_as"),
    [
        ("30 Haz 2025, 19:56", "2025-06-30T19:56:00"),
        ("3 Şub 2025, 07:05", "2025-02-03T07:05:00"),
        ("9 Ağu 2025, 07:05", "2025-08-09T07:05:00"),
        ("15 Eylül 2025, 07:05", "2025-09-15T07:05:00"),
        ("1 Kasım 2025, 23:59", "2025-11-01T23:59:00"),  # noqa: RUF001
        ("5 MAYIS 2025, 23:59", "2025-05-05T23:59:00"),
        ("30 de jun. de 2025, 19:56", "2025-06-30T19:56:00"),
        ("7 fev 2025, 06:00", "2025-02-07T06:00:00"),
        ("12 de dezembro de 2025 às 06:00", "2025-12-12T06:00:00"),
        ("2 out. 2025, 06:00", "2025-10-02T06:00:00"),
        ("4 août 2025, 18:30", "2025-08-04T18:30:00"),
        ("4 févr. 2025 à 18:30", "2025-02-04T18:30:00"),
        ("4. März 2025, 18:30", "2025-03-04T18:30:00"),
        ("Mar 4, 2025, 6:30 PM", "2025-03-04T18:30:00"),
        ("4 мая 2025, 18:30", "2025-05-04T18:30:00"),
        ("2025年6月30日 19:56", "2025-06-30T19:56:00"),
        ("04.03.2025 18:30", "2025-03-04T18:30:00"),
        ("2025-03-04T18:30:00Z", "2025-03-04T18:30:00Z"),
    ],
)
def test_hevy_dates_in_many_languages(written: str, read_as: str) -> None:
    plan = read(HEVY_HEADER + f'"A","{written}","","","Row",,"",0,"normal",60,8,,,\n')
    assert plan.workouts[0].patch["start_time"] == read_as
    assert plan.workouts[0].patch["date"] == read_as[:10]


def test_hevy_repeated_keys_of_exercise_and_set_index_are_all_kept() -> None:
    row = '"A","30 Jun 2025, 19:56","30 Jun 2025, 20:58","","Row",,"",{},"normal",60,8,,,\n'
    plan = read(HEVY_HEADER + "".join(row.format(index) for index in (0, 0, 1, 1, 0)))
    assert len(sets_of(plan)) == 5
    assert [len(entry) for entry in plan.workouts[0].patch["sets"]] == [8] * 5
    assert len(exercises_of(plan)) == 4


@pytest.mark.parametrize(
    ("end", "reason"),
    [
        ("9 Jul 2025, 08:00", "nobody ended this session"),
        ("30 Jun 2025, 19:00", "it is before the start"),
        ("whenever", "'whenever' is not a date"),
    ],
)
def test_hevy_an_end_that_cannot_be_is_left_out_with_a_warning(end: str, reason: str) -> None:
    plan = read(HEVY_HEADER + f'"A","30 Jun 2025, 19:56","{end}","","Row",,"",0,"normal",60,8,,,\n')
    assert plan.workouts[0].patch["start_time"] == "2025-06-30T19:56:00"
    assert "end_time" not in plan.workouts[0].patch
    assert plan.warnings[0].line == 2
    assert plan.warnings[0].reason.endswith(reason)


# FitNotes and Fitbod


def test_fitnotes_with_the_unit_in_the_header() -> None:
    plan = read(
        "Date,Exercise,Category,Weight (kgs),Reps,Distance,Distance Unit,Time\n"
        "2023-11-21,Pull Up,Back,64.0,8,,,\n"
        "2023-11-21,Pull Up,Back,64.0,8,,,\n"
        "2023-11-21,Treadmill,Cardio,,,5,km,0:30:00\n"
    )
    assert sets_of(plan) == [
        {"exercise": "Pull Up", "load_kg": 64, "reps": 8},
        {"exercise": "Pull Up", "load_kg": 64, "reps": 8},
        {"exercise": "Treadmill", "distance_m": 5000, "duration_seconds": 1800},
    ]


def test_fitnotes_with_an_unquoted_comma_in_a_name() -> None:
    plan = read(
        "Date,Exercise,Category,Weight,Weight Unit,Reps,Distance,Distance Unit,Time,Comment\n"
        "2023-11-21,Press, seated,Shoulders,40.0,kgs,8,,,,\n"
        "2023-11-21,Press,Shoulders,40.0,lbs,8,,,,slow, then fast\n"
        '2023-11-21,"Fly, low",Chest,10,kgs,8,,,,\n'
    )
    assert [entry["name"] for entry in exercises_of(plan)] == ["Press, seated", "Press", "Fly, low"]
    assert sets_of(plan)[1]["notes"] == "slow, then fast"
    assert sets_of(plan)[1]["load_unit"] == "lb"
    assert [warning.line for warning in plan.warnings] == [2, 3]
    assert plan.load_unit is None


def test_fitnotes_for_ios_has_a_column_for_each_unit() -> None:
    plan = read(
        "Date,Exercise,Category,Weight (kg),Weight (lbs),Reps,Distance,Distance Unit,Time,Notes,Kind\n"
        "2024-01-15,Squat,Legs,100,,5,,,,,wr\n"
        "2024-01-15,Squat,Legs,,225,5,,,,,wr\n"
        "2024-01-15,Squat,Legs,100,0,5,,,,deep,wr\n"
    )
    assert [entry["load_kg"] for entry in sets_of(plan)] == [100, 102.058283, 100]
    assert sets_of(plan)[2]["notes"] == "deep"


def test_fitnotes_sets_without_load_and_in_other_scripts() -> None:
    plan = read(
        "Date,Exercise,Category,Weight,Weight Unit,Reps,Distance,Distance Unit,Time,Comment\n"
        "2026-04-29,לחיצת חזה קרוס 25,חזה,20,kgs,10,,,,\n"
        "2026-05-02,Plank,Core,,,,,,01:00,\n"
        "2026-05-02,Stretching,Core,,,,,,,\n"
    )
    assert [entry["exercise"] for entry in sets_of(plan)] == ["לחיצת חזה קרוס 25", "Plank", "Stretching"]
    assert sets_of(plan)[1:] == [{"exercise": "Plank", "duration_seconds": 60}, {"exercise": "Stretching"}]


def test_fitnotes_rounds_of_single_sets_are_a_superset_and_no_doubling() -> None:
    rows = "2026-05-02,Curl,Arms,10,kgs,8,,,\n2026-05-02,Dip,Arms,,,8,,,\n" * 2
    plan = read("Date,Exercise,Category,Weight,Weight Unit,Reps,Distance,Distance Unit,Time\n" + rows)
    assert (len(plan.workouts), plan.quarantined) == (1, [])


FITBOD_HEADER = "Date,Exercise,Reps,Weight(kg),Duration(s),Distance(m),Incline,Resistance,isWarmup,Note,multiplier\n"


def test_fitbod_with_nine_decimals_and_negative_weights() -> None:
    plan = read(
        FITBOD_HEADER + "2021-12-27 10:02:51 +0000,Dumbbell Bench Press,10,22.679618500,0.0,0.0,0.0,0.0,true,,1.0\n"
        "2021-12-27 10:02:51 +0000,Assisted Pull Up,8,-27.215542200,0.0,0.0,0.0,0.0,false,,1.0\n"
        "2021-12-27 10:02:51 +0000,Treadmill,0,0.0,600.0,1609.0,5.0,0.0,false,easy,1.0\n"
    )
    assert sets_of(plan) == [
        {"exercise": "Dumbbell Bench Press", "load_kg": 22.6796185, "reps": 10, "type": "warmup"},
        {"exercise": "Assisted Pull Up", "load_kg": -27.2155422, "reps": 8},
        {"exercise": "Treadmill", "duration_seconds": 600, "distance_m": 1609, "notes": "easy, incline 5.0"},
    ]
    assert plan.workouts[0].patch["start_time"] == "2021-12-27T10:02:51+00:00"


def test_fitbod_sets_stamped_one_by_one_are_one_session_of_the_day() -> None:
    rows = "2021-12-27 {} +0000,Squat,10,60,0,0,0,0,false,,1.0\n"
    times = ("10:08:00", "10:02:51", "10:14:00")
    (workout,) = read(FITBOD_HEADER + "".join(map(rows.format, times))).workouts
    assert (workout.sets, workout.patch["start_time"]) == (3, "2021-12-27T10:02:51+00:00")


# Any source


def test_a_spreadsheets_separator_line_is_no_row() -> None:
    plan = read(
        "sep=;\n" + STRONG_HEADER.replace(",", ";") + "2025-06-03 20:23:00;A;30m;Press;1;82,5;8;0;0;;;8,5\n", unit="kg"
    )
    assert (sets_of(plan)[0]["load_kg"], sets_of(plan)[0]["rpe"], plan.rows_read) == (82.5, 8.5, 1)


def test_rows_that_a_spreadsheet_quoted_whole_are_read() -> None:
    row = '"2025-06-03 20:23:00,""A, heavy"",30m,""Press"",1,82.5,8,0,0,"""","""","\n'
    plan = read(STRONG_HEADER + row, unit="kg")
    assert plan.workouts[0].patch["title"] == "A, heavy"
    assert sets_of(plan) == [{"exercise": "Press", "load_kg": 82.5, "reps": 8}]


def test_tabs_and_columns_in_another_order_are_read() -> None:
    plan = read("Reps\tExercise Name\tSet Order\tWeight (lbs)\tDate\n5\tSquat\t1\t225\t2025-06-03 20:23:00\n")
    assert sets_of(plan) == [{"exercise": "Squat", "load_kg": 102.058283, "load": 225, "load_unit": "lb", "reps": 5}]


def test_an_unknown_column_is_named_in_a_warning() -> None:
    plan = read("Date,Exercise Name,Set Order,Weight (kg),Reps,Heart Rate\n2025-06-03 20:23:00,Squat,1,60,5,140\n")
    assert plan.warnings[0].reason == "column 'Heart Rate' is unknown and was left out"


def test_exports_that_were_concatenated_skip_the_second_header() -> None:
    row = '2025-06-0{} 20:23:00,"A",30m,"Press",1,40.0,8,0,0,"","",\n'
    plan = read(STRONG_HEADER + row.format(3) + STRONG_HEADER + row.format(4), unit="kg")
    assert len(plan.workouts) == 2
    assert [(row.line, row.reason) for row in plan.skipped] == [(3, "the header row again")]
