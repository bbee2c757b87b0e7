"""Body weights of Apple Health and of scales: read as a stream, bounded, and never twice."""

import zipfile
from pathlib import Path
from typing import Any

import pytest

from apex_client.blocking import Replica
from apex_client.importers import UnitNeeded
from apex_client.importers.body import NotBodyFile, is_body_file, read_body_file
from apex_client.importers.errors import ImportFailed
from tests.client.apex_command import Terminal

APPLE = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE HealthData [
<!ELEMENT HealthData (ExportDate,Me,Record*)>
<!ATTLIST HealthData locale CDATA #REQUIRED>
]>
<HealthData locale="en_GB">
 <ExportDate value="2026-05-01 10:00:00 +0200"/>
 <Record type="HKQuantityTypeIdentifierStepCount" unit="count" startDate="2026-03-01 07:00:00 +0100" value="12"/>
 <Record type="HKQuantityTypeIdentifierBodyMass" sourceName="Scale" unit="kg"
   startDate="2026-03-01 07:12:00 +0100" value="82.4"><MetadataEntry key="x" value="y"/></Record>
 <Record type="HKQuantityTypeIdentifierBodyFatPercentage" unit="%" startDate="2026-03-01 07:12:00 +0100" value="0.182"/>
 <Record type="HKQuantityTypeIdentifierBodyMass" unit="lb" startDate="2026-03-02 07:10:00 +0100" value="181"/>
 <Record type="HKQuantityTypeIdentifierBodyMass" unit="st" startDate="2026-03-03 07:10:00 +0100" value="13"/>
 <Record type="HKQuantityTypeIdentifierBodyMass" unit="kg" startDate="soon" value="80"/>
 <Record type="HKQuantityTypeIdentifierBodyMass" unit="kg" startDate="2026-03-04 07:10:00 +0100" value="8000"/>
 <Record type="HKQuantityTypeIdentifierBodyMass" unit="oz" startDate="2026-03-05 07:10:00 +0100" value="2900"/>
 <Record type="HKQuantityTypeIdentifierBodyMass" unit="kg" startDate="2026-03-05 07:10:00 +0100" value="nan"/>
 <Record type="HKQuantityTypeIdentifierWaistCircumference" unit="in" startDate="2026-03-01 07:12:00 +0100" value="32"/>
</HealthData>
"""
OF_FILES = '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><HealthData>&a;</HealthData>'
OF_PARAMETERS = '<!DOCTYPE x [<!ENTITY % a SYSTEM "http://127.0.0.1:9/a.dtd"> %a;]><HealthData/>'
BOMB = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><HealthData>&b;</HealthData>'


def written(folder: Path, text: str, name: str = "export.xml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_an_apple_export_becomes_measurings_once(tmp_path: Path) -> None:
    path = written(tmp_path, APPLE)
    with zipfile.ZipFile(tmp_path / "export.zip", "w") as archive:
        archive.write(path, "apple_health_export/export.xml")
    with Replica.open(tmp_path / "athlete.db") as replica:
        assert replica.body_metrics.import_file(path, dry_run=True).added == 3
        assert replica.body_metrics.list() == []
        report = replica.body_metrics.import_file(path)
        assert (report.added, report.already_there) == (3, 0)
        assert [each.where for each in report.skipped] == ["line 14", "line 16", "line 17", "line 15"]
        third, second, first = replica.body_metrics.list()
        assert (third["weight"], third["weight_unit"], round(third["weight_kg"], 1)) == (182, "lb", 82.6)
        assert first["measurements"] == {"waist_cm": 81.28, "unit": "in"}
        assert (first["weight_kg"], first["body_fat_percent"], first["source"]) == (82.4, 18.2, "apple_health")
        assert (first["date"], first["measured_at"]) == ("2026-03-01", "2026-03-01T07:12:00+01:00")
        assert (second["weight"], second["weight_unit"], round(second["weight_kg"], 1)) == (181, "lb", 82.1)
        first.delete()
        again = replica.body_metrics.import_file(tmp_path / "export.zip")
        assert (again.added, again.already_there) == (0, 3)
        assert [each.id for each in replica.body_metrics.list()] == [third.id, second.id]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (BOMB, "export.xml"),
        (OF_FILES, "export.xml"),
        (OF_PARAMETERS, "export.xml"),
        ("<html></html>", "export.xml"),
        ("<HealthData><Record", "export.xml"),
        ("not xml at all", "export.xml"),
        ("", "export.xml"),
        ("PK no zip", "export.zip"),
        ("a,b\n1,2\n", "weights.csv"),
    ],
)
def test_what_is_no_export_is_refused(tmp_path: Path, text: str, name: str) -> None:
    with pytest.raises(NotBodyFile):
        read_body_file(written(tmp_path, text, name))
    with pytest.raises(ImportFailed):
        read_body_file(tmp_path / "absent.xml")


@pytest.mark.parametrize(
    ("header", "unit", "weight_unit"),
    [("Date,Weight (kg)", None, "kg"), ("day,weight_lb", None, "lb"), ("Date,Weight,Body Fat %", "lb", "lb")],
)
def test_a_scales_csv_is_read(tmp_path: Path, header: str, unit: Any, weight_unit: str) -> None:
    path = written(tmp_path, f"{header}\n2026-03-01,82.4,18\n2026-03-02 07:00,81.9,\nnever,1,\n2026-03-04,,\n", "w.csv")
    assert is_body_file(path)
    plan = read_body_file(path, unit=unit)
    assert [(each.patch["weight"], each.patch["weight_unit"]) for each in plan.measurings] == [
        (82.4, weight_unit),
        (81.9, weight_unit),
    ]
    assert [each.where for each in plan.skipped] == ["line 4", "line 5"]


def test_girths_and_stones_are_read_where_a_unit_is_named(tmp_path: Path) -> None:
    rows = (
        "Date,Weight (st),Waist (in),Hips,Chest cm,Thighs\n"
        '2026-03-01,12st 7lb,32.5,98 cm,104,60\n2026-03-02,12.5,,"38.5""",,\n2026-03-03,82.4 kg,wide,,,\n'
        "2026-03-04,,,,103,61\n2026-03-05,,,,,\n2026-03-06,12 stone,,,,\n"
    )
    path = written(tmp_path, rows, "w.csv")
    assert is_body_file(path)
    plan = read_body_file(path)
    read = {each.patch["date"][-1]: {**each.patch, "date": None, "source": None} for each in plan.measurings}
    assert {day: (each.get("weight"), each.get("weight_unit")) for day, each in read.items()} == {
        "1": (175.0, "lb"), "2": (175.0, "lb"), "4": (None, None), "6": (168.0, "lb"),
    }  # fmt: skip
    assert [each.get("measurements") for each in read.values()] == [
        {"waist_cm": 82.55, "hips_cm": 98.0, "chest_cm": 104.0, "unit": "in"}, {"hips_cm": 97.79, "unit": "in"},
        {"chest_cm": 103.0, "unit": "cm"}, None,
    ]  # fmt: skip
    assert [(each.where, each.reason) for each in plan.skipped] == [
        ("line 1", "Thighs names no unit, so it was left out: write Thighs (cm) or Thighs (in)"),
        ("line 4", "Waist (in): 'wide' is not a number"),
        ("line 6", "it holds no figure"),
    ]
    with Replica.open(tmp_path / "athlete.db") as replica:
        assert replica.body_metrics.import_file(path).added == 4
        assert replica.body_metrics.on("2026-03-01")[0]["measurements"]["waist_cm"] == 82.55


def test_girths_alone_are_a_file_of_a_body_and_a_day_of_eating_is_none(tmp_path: Path) -> None:
    assert is_body_file(written(tmp_path, "Date,Waist (cm)\n2026-03-01,82\n", "w.csv"))
    assert not is_body_file(written(tmp_path, "Date,Fat,Protein\n2026-03-01,82,100\n", "w.csv"))
    assert not is_body_file(written(tmp_path, "Date,Waist\n2026-03-01,82\n", "w.csv"))


@pytest.mark.parametrize("attack", [BOMB, OF_FILES, OF_PARAMETERS], ids=["bomb", "file", "parameter"])
def test_xml_that_defines_entities_is_refused_where_it_does_so(tmp_path: Path, attack: str) -> None:
    with pytest.raises(NotBodyFile, match="line 1: it defines entities or names other files"):
        read_body_file(written(tmp_path, attack))


def test_a_german_scales_csv_is_read(tmp_path: Path) -> None:
    """With semicolons, decimal commas and days that come first."""
    text = "Datum;Gewicht (kg);Fat %\n01.03.2026;82,4;18,5\n02.03.2026 07:00;1,000;\n"
    path = written(tmp_path, text, "w.csv")
    assert is_body_file(path)
    plan = read_body_file(path)
    assert [each.patch for each in plan.measurings] == [
        {"date": "2026-03-01", "source": "csv", "weight": 82.4, "weight_unit": "kg", "body_fat_percent": 18.5},
        {
            "date": "2026-03-02", "source": "csv", "weight": 1.0, "weight_unit": "kg",
            "measured_at": "2026-03-02T07:00:00",
        },
    ]  # fmt: skip


def test_a_cell_longer_than_any_is_left_out_with_its_row_alone(tmp_path: Path) -> None:
    text = f"Date,Weight (kg),Note\n2026-03-01,82.4,{'x' * 131_073}\n2026-03-02,81.9,\n"
    plan = read_body_file(written(tmp_path, text, "w.csv"))
    assert [each.patch["weight"] for each in plan.measurings] == [81.9]
    assert [(each.where, each.reason) for each in plan.skipped] == [("line 2", "a row longer than any")]


def test_no_weight_of_a_file_vanishes_without_a_word(tmp_path: Path) -> None:
    rows = "2026-03-01,82.4\n2026-03-01,83.1\n2026-03-02 07:00,82\n2026-03-02 20:00,83\n2026-03-03,8000\n"
    with Replica.open(tmp_path / "athlete.db") as replica:
        report = replica.body_metrics.import_file(written(tmp_path, f"Date,Weight (kg)\n{rows}", "w.csv"))
    assert report.added == 3
    assert [each.where for each in report.skipped] == ["line 3", "line 6"]
    assert "2026-03-01 has a weight already, of line 2" in report.skipped[0].reason


def test_a_unit_that_is_not_stated_is_asked_for(tmp_path: Path) -> None:
    with pytest.raises(UnitNeeded, match="whether its weights are kg or lb"):
        read_body_file(written(tmp_path, "Date,Weight\n2026-03-01,82.4\n", "w.csv"))


@pytest.mark.parametrize(
    "text",
    [
        "Date,Workout Name,Duration,Exercise Name,Set Order,Weight,Reps,Distance,Seconds,Notes,Workout Notes,RPE\n"
        '2026-03-01 18:00:00,"Push",1h,"Bench Press",1,100,8,0,0,"","",8\n',
        "Date,Exercise,Category,Weight (kg),Reps\n2026-03-01,Bench Press,Chest,100,8\n",
    ],
    ids=["strong", "fitnotes"],
)
def test_an_export_of_workouts_with_weights_is_none(tmp_path: Path, text: str) -> None:
    assert not is_body_file(written(tmp_path, text, "export.csv"))


def test_weights_are_imported_in_the_terminal(tmp_path: Path) -> None:
    apex = Terminal(tmp_path)
    shown = apex("import", written(tmp_path, APPLE)).ok().text
    assert "3 measurings" in shown and "4 left out" in shown and "line 14: 'soon' is no date" in shown
    assert "line 15: weight must be at most 1100" in shown
    assert len(apex.rows("SELECT * FROM body_metrics")) == 3
    refused = apex("import", written(tmp_path, "<HealthData>\n <Record\n</HealthData>"))
    assert refused.code == 1 and "line 3" in refused.err


def test_a_real_file_is_read_day_by_day(data_dir: Path) -> None:
    plan = read_body_file(data_dir / "bodyweight_kg_lukaszebedin.csv", unit="kg")
    assert (len(plan.measurings), plan.skipped) == (62, [])
    first = plan.measurings[0].patch
    assert (first["date"], first["weight"], "measured_at" in first) == ("2025-04-17", 123.4, False)
