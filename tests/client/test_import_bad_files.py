"""Files and rows that are not as they should be: a typed error for the file, a line and a reason for the row."""

import csv
import gzip
import io
import random
import zipfile
from pathlib import Path
from typing import Any

import pytest

from apex_client.importers import (
    EmptyFile,
    FileTooLarge,
    FileUnreadable,
    ImportFailed,
    ImportPlan,
    NotAnExport,
    read_export,
)
from apex_client.importers.records import FIELD_CHARACTERS_MAX, LINE_CHARACTERS_MAX
from apex_client.importers.text import FILE_BYTES_MAX
from apex_sync.models.workout import WORKOUT_LOGS

HEADER = (
    "Date,Workout Name,Duration,Exercise Name,Set Order,Weight (kg),Reps,Distance,Seconds,Notes,Workout Notes,RPE\n"
)
ROW = '2025-06-03 20:23:00,"Push",30m,"Press",1,40.0,8,0,0,"","",\n'


def row(number: int = 1, *, load: str = "40.0", reps: str = "8", notes: str = "", rpe: str = "") -> str:
    return f'2025-06-03 20:23:00,"Push",30m,"Press",{number},{load},{reps},0,0,"{notes}","",{rpe}\n'


def read(content: str | bytes) -> ImportPlan:
    plan = read_export(content if isinstance(content, bytes) else content.encode())
    for workout in plan.workouts:
        WORKOUT_LOGS.check_bounds(workout.patch)
    return plan


def first_set(plan: ImportPlan) -> dict[str, Any]:
    sets: dict[str, dict[str, Any]] = plan.workouts[0].patch["sets"]
    return next(iter(sets.values()))


# The file


@pytest.mark.parametrize("content", [b"", b"\n \r\n\t", b"\xef\xbb\xbf", "\ufeff\n".encode("utf-16-le")])
def test_a_file_with_nothing_in_it_is_empty(content: bytes) -> None:
    with pytest.raises(EmptyFile):
        read_export(content)


def test_a_header_alone_is_an_export_with_no_workouts() -> None:
    plan = read(HEADER)
    assert (plan.rows_read, plan.workouts, plan.skipped) == (0, [], [])


def test_a_csv_of_another_kind_is_refused_with_its_headers(data_dir: Path) -> None:
    with pytest.raises(NotAnExport) as caught:
        read_export(data_dir / "bodyweight_kg_lukaszebedin.csv")
    assert caught.value.headers == ["date", "weight", "day_of_week", "weight_diff", "month"]
    assert "Strong, Hevy, FitNotes, Fitbod" in str(caught.value)


@pytest.mark.parametrize(
    "file", ["usda_sr28_abbrev.csv", "openfoodfacts_sample.tsv", "free_exercise_db_exercises.json", "README.md"]
)
def test_real_files_of_another_kind_are_refused(data_dir: Path, file: str) -> None:
    with pytest.raises(NotAnExport):
        read_export(data_dir / file)


def zipped() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("strong.csv", HEADER + ROW)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "hint"),
    [
        (zipped(), "ZIP"),
        (gzip.compress(HEADER.encode()), "compressed"),
        (b"SQLite format 3\x00" + bytes(100), "database"),
        (b"%PDF-1.7", "PDF"),
        (b'{"workouts": []}', "JSON"),
        (b"<!doctype html><title>Log in</title>", "web page"),
        (b"\x7fELF\x02\x01\x01" + bytes(50), "not text"),
    ],
)
def test_a_file_of_a_known_other_kind_is_named(content: bytes, hint: str) -> None:
    with pytest.raises(NotAnExport) as caught:
        read_export(content)
    assert hint in caught.value.hint


@pytest.mark.parametrize("seed", range(20))
def test_binary_garbage_is_no_export(seed: int) -> None:
    with pytest.raises(ImportFailed):
        read_export(random.Random(seed).randbytes(3000))


def test_a_path_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    with pytest.raises(FileUnreadable, match="No such file"):
        read_export(tmp_path / "strong.csv")
    with pytest.raises(FileUnreadable, match="is a directory"):
        read_export(tmp_path)
    with pytest.raises(FileUnreadable):
        read_export("strong\x00.csv")


def test_a_path_may_be_text(tmp_path: Path) -> None:
    (tmp_path / "any name.txt").write_text(HEADER + ROW)
    assert len(read_export(str(tmp_path / "any name.txt")).workouts) == 1


def test_a_file_beyond_the_bound_is_not_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "huge.csv"
    with path.open("wb") as file:
        file.truncate(1 << 30)
    with pytest.raises(FileTooLarge):
        read_export(path)
    with pytest.raises(FileTooLarge):
        read_export(bytes(FILE_BYTES_MAX + 1))


# Encodings


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_other_encodings_of_unicode_are_read(encoding: str) -> None:
    text = HEADER + row(notes="Rückenschmerzen 💪")
    assert read(text.encode(encoding)).workouts == read(text).workouts


def test_latin_1_is_read_with_a_warning() -> None:
    text = HEADER + row(notes="Rückenschmerzen, 5°")
    plan = read(text.encode("latin-1"))
    assert plan.workouts == read(text).workouts
    assert "Latin-1" in plan.warnings[0].reason
    assert read((HEADER + row(notes="it’s")).encode("cp1252")).workouts == read(HEADER + row(notes="it’s")).workouts


def test_a_spoilt_byte_does_not_turn_a_utf_8_file_into_latin_1() -> None:
    content = (HEADER + row(notes="Rückenschmerzen links äußerst übel")).encode()
    plan = read(content.replace("ß".encode(), b"\xff"))
    assert (
        next(iter(plan.workouts[0].patch["exercises"].values()))["notes"] == "Rückenschmerzen links äu\ufffderst übel"
    )
    assert "damaged" in plan.warnings[0].reason


# Files that were cut


def test_a_row_cut_in_the_middle_is_skipped_with_its_line() -> None:
    plan = read(HEADER + row(1) + row(2) + '2025-06-03 20:23:00,"Push",30m,"Pre')
    assert plan.workouts[0].sets == 2
    assert [(row.line, row.reason) for row in plan.skipped] == [(4, "the file ends in the middle of this row")]


def test_a_file_cut_in_a_multi_line_note_loses_only_its_last_row() -> None:
    plan = read(HEADER + row(1) + '2025-06-03 20:23:00,"Push",30m,"Press",2,40,8,0,0,"first\nsecond\n')
    assert plan.workouts[0].sets == 1
    assert [(row.line, row.reason) for row in plan.skipped] == [(3, "the file ends in the middle of this row")]


def test_a_file_cut_within_a_character_stays_utf_8() -> None:
    content = (HEADER + row(1, notes="äöü") + '2025-06-03 20:23:00,"Pü').encode()
    plan = read(content[:-1])
    assert (plan.workouts[0].sets, len(plan.skipped), plan.warnings) == (1, 1, [])


def test_a_last_row_without_a_line_end_is_whole() -> None:
    assert read((HEADER + row(1) + row(2)).rstrip("\n")).workouts[0].sets == 2


@pytest.mark.parametrize("file", ["strong_zh_lbs_dericmei.csv", "hevy_kg_small_mouadja02.csv"])
def test_a_real_export_cut_anywhere_keeps_every_whole_row(data_dir: Path, file: str) -> None:
    content = (data_dir / file).read_bytes()
    for end in random.Random(7).sample(range(20_000, 50_000), 40):
        plan = read_export(content[:end], unit="lb", accept_doubled="both")
        whole_rows = content[:end].count(b"\n") - 1
        sets = sum(workout.sets for workout in plan.workouts)
        assert sets in (whole_rows, whole_rows + 1)
        assert plan.rows_read - sets == len(plan.skipped) <= 1


# Quotes that were lost


def test_a_quote_that_is_never_closed_does_not_swallow_the_rows_after_it() -> None:
    bad = '2025-06-03 20:23:00,"Push",30m,"Press",1,40.0,8,0,0,"felt good,"",\n'
    plan = read(HEADER + bad.replace('good,""', "good,") + "".join(row(number) for number in range(2, 3000)))
    assert plan.rows_read == 2999
    assert plan.workouts[0].sets == 2999
    assert plan.warnings[0] == plan.warnings[0].__class__(2, "a quote opens in this row and is never closed")


def test_a_row_that_lost_a_quote_and_its_numbers_is_skipped_alone() -> None:
    plan = read(HEADER + row(1) + '2025-06-03 20:23:00,"Push,30m,\n' + "".join(row(number) for number in range(2, 50)))
    assert plan.workouts[0].sets == 49
    assert [(row.line, row.reason) for row in plan.skipped] == [(3, "a quote opens in this row and is never closed")]


@pytest.mark.parametrize("bound_of_csv", [FIELD_CHARACTERS_MAX, 1_000_000])
def test_a_field_without_end_is_bounded(bound_of_csv: int) -> None:
    """Also where something else in this process has raised the bound of csv, as the import of foods does meanwhile."""
    before = csv.field_size_limit(bound_of_csv)
    try:
        plan = read(
            HEADER + row(1) + row(2, notes="x" * 500_000) + row(3) + "y" * (LINE_CHARACTERS_MAX + 1) + "\n" + row(4)
        )
    finally:
        csv.field_size_limit(before)
    assert plan.workouts[0].sets == 3
    assert [(row.line, row.reason) for row in plan.skipped] == [
        (3, "a row longer than any"),
        (5, "a row longer than any"),
    ]


def test_a_line_of_endless_cells_is_bounded() -> None:
    plan = read(HEADER + row(1) + "1," * LINE_CHARACTERS_MAX + "\n" + row(2))
    assert plan.workouts[0].sets == 2
    assert [(row.line, row.reason) for row in plan.skipped] == [(3, "a row longer than any")]


def test_a_million_open_quotes_take_linear_time() -> None:
    plan = read(HEADER + ROW + '"a\n' * 100_000)
    assert plan.workouts[0].sets == 1
    assert plan.rows_read == 1 + len(plan.skipped)


# Values beyond the bounds


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ({"rpe": "14"}, "rpe 14 is not within 1 to 10"),
        ({"reps": "-3"}, "reps -3 is not within 0 to 1000"),
        ({"reps": "8.5"}, "reps '8.5' is not a whole number"),
        ({"reps": "5+5"}, "'5+5' is not a number"),
        ({"load": "NaN"}, "'NaN' is not a number"),
        ({"load": "1e400"}, "'1e400' is too large"),
        ({"load": "99999"}, "load_kg 99999 is not within -500 to 2000"),
        ({"load": "1_000"}, "'1_000' is not a number"),
        ({"load": '"1,000"'}, "'1,000' is not a number"),
    ],
)
def test_a_set_is_kept_without_its_bad_field(cells: dict[str, str], reason: str) -> None:
    plan = read(HEADER + row(**cells))  # type: ignore[arg-type]
    assert plan.workouts[0].sets == 1
    assert [(warning.line, warning.reason) for warning in plan.warnings] == [(2, reason)]
    assert not cells.keys() & first_set(plan).keys()


def test_a_row_of_which_nothing_can_be_kept_is_skipped_and_holds_its_place() -> None:
    bad = read(HEADER + row(1) + row(2, load="NaN", reps="-3") + row(3))
    good = read(HEADER + row(1) + row(2) + row(3))
    (skipped,) = bad.skipped
    assert (skipped.line, skipped.reason) == (3, "'NaN' is not a number; reps -3 is not within 0 to 1000")
    assert skipped.text.startswith("2025-06-03 20:23:00,Push")
    first, _, third = good.workouts[0].patch["sets"]
    assert list(bad.workouts[0].patch["sets"]) == [first, third]


@pytest.mark.parametrize(
    ("start", "reason"),
    [
        ("03/04/2025 20:23", "'03/04/2025 20:23' may be read day first or month first"),
        ("2025-02-30 20:23:00", "'2025-02-30 20:23:00' is not in the calendar"),
        ("", "'' is not a date"),
        ("30 Foo 2025, 19:56", "'30 Foo 2025, 19:56' names a month in an unknown language"),
    ],
)
def test_a_row_without_a_readable_date_is_skipped(start: str, reason: str) -> None:
    plan = read(HEADER + ROW + ROW.replace("2025-06-03 20:23:00", f'"{start}"'))
    assert plan.workouts[0].sets == 1
    assert [(row.line, row.reason) for row in plan.skipped] == [(3, reason)]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (ROW.replace('"Press"', '" "'), "no exercise name"),
        (",,,,,,,,,,,\n", "an empty row"),
        (ROW.replace("40.0", "40.0,1,2,3"), "15 fields, 12 are expected"),
        (ROW.replace("40.0", "82,5"), "13 fields, 12 are expected"),
    ],
)
def test_a_row_that_cannot_be_placed_is_skipped(line: str, reason: str) -> None:
    plan = read(HEADER + ROW + line + row(2))
    assert plan.workouts[0].sets == 2
    assert [(row.line, row.reason) for row in plan.skipped] == [(3, reason)]


def test_blank_lines_are_no_rows_and_count_as_lines() -> None:
    plan = read("\n\n" + HEADER + "\n" + row(1) + "\n\n" + row(2))
    assert (plan.rows_read, plan.workouts[0].sets, plan.workouts[0].lines) == (2, 2, (5, 8))


def test_texts_beyond_the_bounds_are_cut_with_a_warning() -> None:
    plan = read(HEADER + ROW.replace("Press", "P" * 300).replace('"",""', f'"{"n" * 12_000}",""'))
    (exercise,) = plan.workouts[0].patch["exercises"].values()
    assert (len(exercise["name"]), len(exercise["notes"])) == (200, 10_000)
    assert {warning.reason for warning in plan.warnings} == {
        "a name of 300 characters was cut to 200",
        "a note of 12,000 characters was cut to 10,000",
    }


def test_nul_characters_are_taken_out() -> None:
    plan = read(HEADER + "x" * 0 + "".join(row(n) for n in range(1, 20)) + row(20, notes="a\x00b"))
    (exercise,) = plan.workouts[0].patch["exercises"].values()
    assert exercise["notes"] == "ab"


def test_an_unknown_set_tag_is_kept_as_a_working_set_with_a_warning() -> None:
    plan = read(HEADER + ROW.replace(",1,40.0", ",X,40.0"))
    assert "type" not in first_set(plan)
    assert plan.warnings[0].reason == "set tag 'X' is unknown; read as a working set"


def test_an_unknown_unit_leaves_the_load_out() -> None:
    plan = read("Date,Exercise,Category,Weight,Weight Unit,Reps\n2025-06-03,Press,Chest,12,stone,8\n")
    assert first_set(plan).get("load_kg") is None
    assert plan.warnings[0].reason == "load 12 is in an unknown unit, 'stone'"
