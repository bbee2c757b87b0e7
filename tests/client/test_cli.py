"""The `apex` command does what its help says, without a terminal, and says in one line what it cannot do."""

import csv
import io
import json
import re
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

from apex_client.blocking import Replica
from apex_client.cli import exporting
from apex_client.cli.failures import WrongUsage
from apex_client.cli.set_notation import read_sets
from tests.client.apex_command import APEX, Terminal, in_terminal

COMMANDS = (
    "init", "register", "login", "logout", "log", "checkin", "import", "sync", "status", "conflicts", "rejected",
    "query", "export", "doctor", "log start", "log set", "log note", "log finish", "log show", "log list",
    "log undo", "log edit", "log rename", "log remove",
    "exercises", "exercises search", "exercises import", "clients", "clients import",
    "clients invite", "clients invites", "clients revoke", "clients archive", "clients restore",
    "org", "org join", "org leave",
    "insights", "insights show", "insights approve", "insights dismiss", "insights edit",
    "conflicts restore", "conflicts keep", "rejected reissue", "rejected drop",
    "privacy", "privacy allow", "privacy withdraw", "privacy export", "privacy delete-account", "privacy keep-account",
)  # fmt: skip

STRONG = "strong_en_kg_breinsp.csv"
DOUBLED = "strong_zh_lbs_dericmei.csv"
HEVY = "hevy_kg_small_mouadja02.csv"

LIST_MODULES = """
import sys
from apex_client.cli import main
sys.argv = ["apex", "--help"]
try:
    main()
except SystemExit:
    sys.stderr.write(" ".join(sys.modules))
"""

HELP_OF_EACH = """
import sys
from apex_client.cli.app import app
for command in sys.stdin.read().splitlines():
    print("#", command)
    app(args=[*command.split(), "--help"], prog_name="apex", standalone_mode=False)
"""


def sets_of(apex: Terminal) -> list[tuple[object, ...]]:
    rows = apex.rows("SELECT exercise_name, reps, load_kg, load, load_unit, rpe, rir, type FROM logged_sets ORDER BY 1")
    return [tuple(row.values()) for row in rows]


class TestHelp:
    def test_the_first_page_names_every_command(self, apex: Terminal) -> None:
        shown = apex("--help").ok().out

        assert {word for word in COMMANDS if " " not in word} <= set(shown.split())
        assert "apex import strong.csv --unit kg" in shown

    def test_every_command_has_examples_of_its_own(self, apex: Terminal) -> None:
        ran = subprocess.run(
            [sys.executable, "-c", HELP_OF_EACH],
            input="\n".join(COMMANDS),
            env={**apex.environment, "COLUMNS": "200"},
            capture_output=True,
            text=True,
            check=True,
        )

        pages = dict(re.findall(r"^# ([a-z -]+)\n(.*?)(?=^# |\Z)", ran.stdout, re.M | re.S))
        assert set(pages) == set(COMMANDS)
        for command, page in pages.items():
            assert re.search(rf"^\s*(.*\| )?apex {command}\b", page.partition("Examples")[2], re.M), page

    def test_help_loads_no_replica_and_no_network(self, apex: Terminal) -> None:
        ran = subprocess.run(
            [sys.executable, "-c", LIST_MODULES], env=apex.environment, capture_output=True, text=True, check=True
        )

        loaded = set(ran.stderr.split())
        assert "apex_client.cli.app" in loaded
        assert not loaded & {"apex_client.replica", "apex_client.blocking.replica", "sqlite3", "httpx", "msgspec"}

    def test_a_word_that_begins_with_a_minus_is_told_its_way(self, apex: Terminal) -> None:
        apex("log", "set", "Squat", "5x100").ok()
        assert "goes behind --" in " ".join(apex("log", "note", "-felt bad").err.split())
        assert "goes behind --" not in " ".join(apex("log", "note", "--felt").err.split())
        apex("log", "note", "--", "-felt bad").ok()
        assert "-felt bad" in apex("log", "show").ok().text

    def test_the_entry_point_is_installed_as_apex(self, apex: Terminal) -> None:
        assert re.fullmatch(r"apex \d+\.\d+\.\d+\S*\n", apex("--version").ok().out)


class TestReplicaFile:
    def test_init_makes_a_file_that_only_its_owner_reads(self, apex: Terminal) -> None:
        assert "made" in apex("init").ok().err
        assert apex.db.stat().st_mode & 0o077 == 0
        assert "using" in apex("init").ok().err

    def test_the_file_is_named_before_or_after_the_command_or_by_the_environment(
        self, apex: Terminal, tmp_path: Path
    ) -> None:
        one, two, three = (tmp_path / f"{name}.db" for name in ("one", "two", "three"))

        apex("--db", one, "init").ok()
        apex("init", "--db", two).ok()
        apex("init", APEX_DB=str(three)).ok()

        assert one.exists()
        assert two.exists()
        assert three.exists()
        assert not apex.db.exists()

    def test_without_any_of_these_it_lies_in_the_home_folder(self, apex: Terminal, tmp_path: Path) -> None:
        apex("init", APEX_DB="").ok()

        assert (tmp_path / ".local/share/apex/replica.db").exists()

    def test_reading_a_file_that_is_not_there_makes_none(self, apex: Terminal) -> None:
        refused = apex("status")

        assert refused.code == 1
        assert "apex init" in refused.err
        assert not apex.db.exists()

    def test_another_programs_database_is_left_alone(self, apex: Terminal) -> None:
        with sqlite3.connect(apex.db) as connection:
            connection.execute("CREATE TABLE theirs (x)")
        before = apex.db.read_bytes()

        refused = apex("log", "set", "Squat", "5x100")

        assert refused.code == 1
        assert "another program's database" in refused.err
        assert apex.db.read_bytes() == before

    def test_doctor_finds_a_sound_file_sound_and_changed_content_bad(self, apex: Terminal) -> None:
        apex("log", "set", "Squat", "5x100kg").ok()
        assert "readable" in apex("doctor", "--offline").ok().out
        with sqlite3.connect(apex.db) as connection:
            connection.execute("UPDATE held_records SET document = x'00ff'")

        found = apex("doctor", "--offline")

        assert found.code == 1
        assert re.search(r"BAD +records", found.out)


class TestLog:
    def test_sets_are_logged_in_the_short_notation(self, apex: Terminal) -> None:
        apex("log", "set", "Bench Press", "8x102.5kg@8", "2x8×225lb", "12@2rir").ok()

        assert sets_of(apex) == [
            ("Bench Press", 8, 102.5, None, None, 8.0, None, "working"),
            ("Bench Press", 8, 102.058283, 225.0, "lb", None, None, "working"),
            ("Bench Press", 8, 102.058283, 225.0, "lb", None, None, "working"),
            ("Bench Press", 12, None, None, None, None, 2.0, "working"),
        ]

    def test_a_session_is_named_alike_to_show_and_to_change(self, apex: Terminal) -> None:
        apex("log", "set", "Squat", "5x100").ok()
        [log] = apex.rows("SELECT date FROM workout_logs")
        assert "100 kg" in apex("log", "show", "--on", log["date"]).ok().out
        assert "100 kg" in apex("log", "show", log["date"]).ok().out
        assert "name the session once" in apex("log", "show", log["date"], "--on", log["date"]).err

    def test_later_sets_join_the_session_that_is_going_on_until_it_is_finished(self, apex: Terminal) -> None:
        apex("log", "start", "Push A").ok()
        apex("log", "set", "Bench Press", "8x100kg").ok()
        apex("log", "set", "Dip", "10", "--warmup").ok()
        assert "going on" in apex("log").ok().out
        assert "2 sets" in apex("log", "finish", "--fatigue", "7", "--note", "Fine.").ok().err
        apex("log", "set", "Bench Press", "5x100kg").ok()

        found = apex.rows("SELECT title, set_count, completed, fatigue, notes FROM workout_logs ORDER BY created_at")
        assert [tuple(row.values()) for row in found] == [("Push A", 2, 1, 7, "Fine."), (None, 1, 0, None, None)]

    def test_a_second_session_is_not_begun_inside_the_first(self, apex: Terminal) -> None:
        apex("log", "start").ok()

        refused = apex("log", "start")

        assert refused.code == 1
        assert "apex log finish" in refused.err

    def test_loads_without_a_unit_are_in_the_unit_of_the_option(self, apex: Terminal) -> None:
        apex("log", "set", "Curl", "10x40", "--unit", "lb").ok()
        apex("log", "set", "Curl", "10x40").ok()

        assert [(row[3], row[4]) for row in sets_of(apex)] == [(40.0, "lb"), (None, None)]

    def test_of_several_sets_none_is_saved_when_one_is_impossible(self, apex: Terminal) -> None:
        apex("init").ok()

        refused = apex("log", "set", "Bench Press", "8x100kg@8", "8x100kg@14")

        assert refused.code == 1
        assert "rpe must be at most 10" in refused.err
        assert apex.rows("SELECT id FROM workout_logs") == []

    def test_a_word_that_is_no_set_is_a_mistake_of_usage(self, apex: Terminal) -> None:
        refused = apex("log", "set", "Bench Press", "8y")

        assert refused.code == 2
        assert len(refused.err.splitlines()) == 1

    @pytest.mark.parametrize("word", ["8y", "8x", "x100", "8x100st", "100x8x20", "0x8x20", "8@", "8x1e3", ""])
    def test_the_notation_takes_nothing_that_it_does_not_know(self, word: str) -> None:
        with pytest.raises(WrongUsage):
            read_sets(word)

    @pytest.mark.parametrize(
        ("word", "fields"),
        [
            ("8x-20kg", {"reps": 8, "load": -20.0, "unit": "kg"}),
            ("8 x 102,5 KG @ 8,5", {"reps": 8, "load": 102.5, "unit": "kg", "rpe": 8.5}),
            ("5x225lbs", {"reps": 5, "load": 225.0, "unit": "lb"}),
            ("90s@9", {"duration_seconds": 90.0, "rpe": 9.0}),
            ("2.5km", {"distance_m": 2500.0}),
        ],
    )
    def test_the_notation_reads_what_people_write(self, word: str, fields: dict[str, object]) -> None:
        assert read_sets(word) == [fields]

    @pytest.mark.parametrize(
        ("exercise", "word", "said"),
        [
            ("", "8x100kg", "an exercise needs a name"),
            (" ", "8x100kg", "an exercise needs a name"),
            ("Squat", "3x12", "can mean two things"),
            ("Squat", "3x12@8", "can mean two things"),
            ("Squat", "0x-5kg", "has 0 reps"),
            ("Squat", "0", "has 0 reps"),
        ],
    )
    def test_a_set_that_is_unclear_or_of_no_exercise_is_refused_in_a_line(
        self, exercise: str, word: str, said: str, apex: Terminal
    ) -> None:
        refused = apex("log", "set", exercise, word)

        assert refused.code != 0
        assert said in refused.err
        assert len(refused.err.splitlines()) == 1
        assert not apex.db.exists()

    def test_two_numbers_are_reps_and_load_where_that_is_clear(self, apex: Terminal) -> None:
        apex("log", "set", "Barbell Row", "8x100", "3x2x10").ok()
        apex("log", "set", "Curl", "3x12", "--unit", "kg").ok()

        assert [found[1:3] for found in sets_of(apex)] == [(8, 100.0), (2, 10.0), (2, 10.0), (2, 10.0), (3, 12.0)]

    def test_names_with_brackets_and_control_characters_are_shown_harmlessly(self, apex: Terminal) -> None:
        apex("log", "set", "[red]Odd[/] \x1b[2J", "5", "--new").ok()

        shown = apex("log", "show").ok().out

        assert "[red]Odd[/]" in shown
        assert "\x1b" not in shown


class TestCheckIn:
    def test_answers_of_one_day_add_up_and_are_submitted(self, apex: Terminal) -> None:
        apex("checkin", "--energy", "7", "--draft").ok()
        assert apex.rows("SELECT submitted_at FROM check_ins") == [{"submitted_at": None}]
        apex("checkin", "--weight", "181.5lb", "--sleep", "6", "--note", "Tired.").ok()

        (row,) = apex.rows("SELECT energy, sleep, weight, weight_unit, notes, submitted_at FROM check_ins")
        assert row.pop("submitted_at")
        assert tuple(row.values()) == (7, 6, 181.5, "lb", "Tired.")
        assert "181.5 lb" in apex("checkin").ok().out

    def test_a_day_that_is_in_no_calendar_is_refused_and_nothing_saved(self, apex: Terminal) -> None:
        apex("init").ok()

        for command in (
            ("checkin", "--energy", "7", "--date", "2026-02-31"),
            ("checkin", "--date", "soon"),
            ("food", "list", "--date", "soon"),
            ("log", "show", "2026-13-45"),
        ):
            refused = apex(*command)
            assert refused.code == 2
            assert refused.err.strip() == f"apex: '{command[-1]}' is no day; write 2026-03-01, or yesterday"
        assert apex.rows("SELECT id FROM check_ins") == []

    def test_a_day_that_is_still_to_come_is_refused_and_nothing_saved(self, apex: Terminal) -> None:
        apex("init").ok()

        refused = apex("checkin", "--energy", "7", "--date", "9999-01-01")

        assert refused.code == 2
        assert refused.err.startswith("apex: 9999-01-01 is still to come; today is ")
        assert apex.rows("SELECT id FROM check_ins") == []

    def test_an_answer_out_of_bounds_is_refused_and_not_saved(self, apex: Terminal) -> None:
        apex("init").ok()

        refused = apex("checkin", "--energy", "14")

        assert refused.code == 1
        assert refused.err == "apex: energy must be at most 10; nothing was saved\n"
        assert apex.rows("SELECT id FROM check_ins") == []


class TestImport:
    def test_every_row_of_an_export_is_accounted_for_and_none_comes_twice(self, apex: Terminal, data_dir: Path) -> None:
        first = apex("import", data_dir / STRONG, "--unit", "kg").ok().out
        again = apex("import", data_dir / STRONG, "--unit", "kg").ok().out

        assert re.search(r"imported +129 +2,078", first)
        assert "2,078 rows in, 2,078 accounted for" in first
        assert re.search(r"already there +129 +2,078", again)
        assert apex.rows("SELECT count(*) AS sets FROM logged_sets") == [{"sets": 2078}]

    def test_a_rehearsal_reports_and_saves_nothing(self, apex: Terminal, data_dir: Path) -> None:
        ran = apex("import", data_dir / HEVY, "--dry-run").ok()

        assert re.search(r"imported +17 +330", ran.out)
        assert "nothing was saved" in ran.err
        assert not apex.db.exists()
        apex("import", data_dir / HEVY).ok()
        assert re.search(r"already there +17 +330", apex("import", data_dir / HEVY, "--dry-run").ok().out)

    def test_a_unit_that_the_file_does_not_state_is_asked_for(self, apex: Terminal, data_dir: Path) -> None:
        refused = apex("import", data_dir / STRONG)

        assert refused.code == 1
        assert "kg is likely" in refused.err
        assert "--unit kg or --unit lb" in refused.err

    def test_doubled_sessions_stay_out_until_somebody_decides(self, apex: Terminal, data_dir: Path) -> None:
        quarantined = apex("import", data_dir / DOUBLED, "--unit", "lb").ok().out
        accepted = apex("import", data_dir / DOUBLED, "--unit", "lb", "--accept-doubled", "once").ok().out

        assert re.search(r"quarantined +29 +866", quarantined)
        assert "and 9 more; --all shows them" in quarantined
        assert re.search(r"imported +29 +433", accepted)

    @pytest.mark.parametrize(
        ("name", "content", "said"),
        [
            ("empty.csv", b"", "empty"),
            ("letter.txt", b"Dear diary,\ntoday I rested.\n", "not a workout export"),
            ("picture.png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "not a workout export"),
            ("missing.csv", None, "No such file"),
        ],
    )
    def test_a_file_that_is_no_export_is_named_in_one_line(
        self, name: str, content: bytes | None, said: str, apex: Terminal, tmp_path: Path
    ) -> None:
        if content is not None:
            (tmp_path / name).write_bytes(content)

        refused = apex("import", tmp_path / name)

        assert refused.code == 1
        assert said in refused.err
        assert len(refused.err.splitlines()) == 1


class TestData:
    @pytest.fixture
    def logged(self, apex: Terminal) -> Terminal:
        apex("log", "set", "Bench Press", "8x100kg@8", "8x225lb").ok()
        apex("checkin", "--energy", "7").ok()
        return apex

    def test_query_writes_a_table_json_or_csv(self, logged: Terminal) -> None:
        sql = "SELECT exercise_name, load_kg FROM logged_sets ORDER BY position"

        assert re.search(r"Bench Press +100\n", logged("query", sql).ok().out)
        assert logged("query", sql, "--json").json()[1] == {"exercise_name": "Bench Press", "load_kg": 102.058283}
        assert list(csv.reader(io.StringIO(logged("query", sql, "--csv").ok().out)))[1] == ["Bench Press", "100.0"]
        assert logged("query", "-", "--json", stdin=sql).json() == logged("query", sql, "--json").json()

    def test_query_cannot_write(self, logged: Terminal) -> None:
        refused = logged("query", "DELETE FROM held_records")

        assert refused.code == 1
        assert "a query only reads" in refused.err
        assert len(logged.rows("SELECT record_id FROM held_records")) == 2

    def test_query_says_where_the_tables_are_described(self, logged: Terminal) -> None:
        refused = logged("query", "SELECT * FROM sets")

        assert refused.err == "apex: no such table: sets; the tables: apex query --help, their columns: docs/sdk.md\n"

    def test_query_reads_while_another_program_has_the_file(self, logged: Terminal) -> None:
        with Replica.open(logged.db):
            assert len(logged("query", "SELECT id FROM workout_logs", "--json").json()) == 1
            refused = logged("log", "finish")

        assert refused.code == 1
        assert "another program has it open" in refused.err

    def test_export_holds_every_record_whole(self, logged: Terminal, tmp_path: Path) -> None:
        written = tmp_path / "training.json"
        logged("export", "--output", written).ok()
        lines = logged("export", "--format", "ndjson").ok().out.splitlines()

        records = json.loads(written.read_text())["records"]
        assert records == [json.loads(line) for line in lines]
        assert [record["collection"] for record in records] == ["check_ins", "workout_logs"]
        assert {entry["reps"] for entry in records[1]["state"]["sets"].values()} == {8}

    def test_export_writes_a_table_as_csv(self, logged: Terminal) -> None:
        rows = list(csv.DictReader(io.StringIO(logged("export", "--format", "csv").ok().out)))

        assert [(row["exercise_name"], row["load"], row["load_unit"]) for row in rows] == [
            ("Bench Press", "", ""),
            ("Bench Press", "225.0", "lb"),
        ]

    def test_every_table_is_written_in_an_order_it_has(self, tmp_path: Path) -> None:
        with Replica.open(tmp_path / "athlete.db") as replica:
            for table in get_args(exporting.Table):
                assert replica.query(exporting.select_all(table)) == []

    def test_an_export_that_fails_leaves_no_half_file(self, logged: Terminal, tmp_path: Path) -> None:
        refused = logged("export", "--output", tmp_path / "nowhere" / "training.json")

        assert refused.code == 1
        assert "there is no folder" in refused.err

    def test_status_is_one_object_for_programs(self, logged: Terminal) -> None:
        status = logged("status", "--json").json()

        assert (status["pending"], status["synced"], status["user"]) == (2, 0, None)

    def test_a_reader_that_has_seen_enough_is_no_error(self, logged: Terminal) -> None:
        numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 200000) SELECT i FROM n"
        command = [*APEX, "query", numbers, "--csv"]
        with subprocess.Popen(
            command, env=logged.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            process.stdout.readline()
            process.stdout.close()

            assert process.stderr.read() == b""


class TestTerminal:
    def test_colours_are_for_terminals_and_not_for_those_who_want_none(self, apex: Terminal) -> None:
        assert "\x1b[" not in apex("log", "set", "Squat", "5x100kg").ok().text

        assert "\x1b[1;31m" in in_terminal(apex, "log", "set", "Squat", "5y")
        assert "\x1b[1;31m" not in in_terminal(apex, "log", "set", "Squat", "5y", NO_COLOR="1")
