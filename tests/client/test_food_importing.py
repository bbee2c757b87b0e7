"""Foods of catalogues come into a coach's library: those asked for, once, and no bad row stops the rest."""

import csv
from pathlib import Path

import pytest

from apex_client import Replica
from apex_client.errors import CoachNeeded
from apex_client.importers import FileUnreadable, NotAnExport
from apex_client.importers.foods import FOODS_MAX, LINE_LENGTH_MAX, read_foods
from tests.client.built_in import give_library
from tests.client.conftest import OpenReplica
from tests.client.loopback import LoopbackServer

pytestmark = pytest.mark.anyio

COACH, ANNA = "coach@example.com", "anna@example.com"
HEADER = (
    "code\tproduct_name\tbrands\tenergy-kcal_100g\tenergy_100g\tproteins_100g\tcarbohydrates_100g\tfat_100g\t"
    "fiber_100g\tsugars_100g\tsalt_100g\tsodium_100g\tserving_quantity"
)
SKYR = "0004006040197539\tSkyr Natur\tAlpenhof,Other\t63\t264\t11\t4\t0.2\t\t4\t0.1\t\t150"


def off(tmp_path: Path, *rows: str) -> Path:
    file = tmp_path / "foods.tsv"
    file.write_text("\n".join((HEADER, *rows)) + "\n", encoding="utf-8")
    return file


@pytest.fixture
async def coach(open_replica: OpenReplica, server: LoopbackServer) -> Replica:
    replica: Replica = await open_replica("coach", COACH, role="coach")
    server.grants[server.accounts[COACH].id][f"library:{server.accounts[COACH].id}"] = "coach"
    give_library(server, COACH, "foods")
    await replica.sync()
    return replica


async def test_a_product_is_found_by_its_barcode_and_typed_anyhow(coach: Replica, tmp_path: Path) -> None:
    report = await coach.foods.import_file(off(tmp_path, SKYR))
    assert (report.added, report.skipped) == (1, [])
    for form in ("4006040197539", "04006040197539", "0004006040197539"):
        assert [food["name"] for food in await coach.foods.with_barcode(form)] == ["Skyr Natur"]
    [skyr] = await coach.foods.with_barcode("4006040197539")
    assert (skyr["name"], skyr["brand"], skyr["source"]) == ("Skyr Natur", "Alpenhof", "open_food_facts")
    assert skyr["per_100g"] == {
        "energy_kcal": 63, "protein_g": 11, "carbs_g": 4, "fat_g": 0.2, "sugar_g": 4, "sodium_mg": 40
    }  # fmt: skip
    assert skyr["servings"]["1"]["grams"] == 150
    assert [food["name"] for food in await coach.foods.search("alpenhof skir", limit=1)] == ["Skyr Natur"]
    again = await coach.foods.import_file(off(tmp_path, SKYR))
    assert (again.added, again.changed, again.already_there) == (0, 0, 1)


async def test_a_dry_run_saves_nothing_and_match_chooses(coach: Replica, data_dir: Path) -> None:
    file = data_dir / "usda_sr28_abbrev.csv"
    rehearsed = await coach.foods.import_file(file, match="tofu", dry_run=True)
    own = "SELECT 1 FROM foods WHERE scope <> 'global'"
    assert rehearsed.added > 5 and await coach.query(own) == []
    imported = await coach.foods.import_file(file, match="tofu")
    assert imported.added == rehearsed.added == len(await coach.query(own))
    assert all(
        "tofu" in row["name"].lower() for row in await coach.query("SELECT name FROM foods WHERE scope <> 'global'")
    )


def test_the_real_files_are_read_as_far_as_a_library_takes_them(data_dir: Path) -> None:
    usda = read_foods(data_dir / "usda_sr28_abbrev.csv", library="library:x")
    assert (len(usda.foods), usda.more) == (FOODS_MAX, True)
    assert [skipped.reason for skipped in usda.skipped] == ["and what follows: 2,000 are the most; match fewer"]
    lines: list[int] = []
    read = read_foods(data_dir / "openfoodfacts_sample.tsv", library="library:x", on_row=lines.append)
    assert lines == list(range(2, 1002)) and len(read.foods) + len(read.skipped) == 1000
    assert len(read.foods) > 600 and not read.more


def test_every_food_of_usda_can_be_read(data_dir: Path) -> None:
    """Letter by letter, since a library takes some at a time: together they are all of the file."""
    words = ("chicken", "beef", "pork", "cereals", "candies")
    plans = [read_foods(data_dir / "usda_sr28_abbrev.csv", library="library:x", match=word) for word in words]
    assert all(plan.foods and not plan.skipped and not plan.more for plan in plans)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("1\tOnly two", "columns"),
        ("4006040197539\t\tB\t63\t\t11\t4\t0\t\t\t\t\t", "no name"),
        ("\tNo code\tB\t63\t\t11\t4\t0\t\t\t\t\t", "no barcode"),
        ("4006040197539\tNo energy\tB\t\t\t11\t4\t0\t\t\t\t\t", "nothing of its energy"),
        ("4006040197539\tNegative\tB\t63\t\t-11\t4\t0\t\t\t\t\t", "protein_g of -11"),
        ("4006040197539\tAbsurd\tB\t63000\t\t11\t4\t0\t\t\t\t\t", "energy_kcal of 63000"),
        ("4006040197539\tHeavy\tB\t400\t\t60\t60\t0\t\t\t\t\t", "more than 100 g"),
        ("4006040197539\tKilojoules\tB\t264\t\t11\t4\t0.2\t\t\t\t\t", "looks like kilojoules"),
        ("4006040197539\tNot a number\tB\tnan\tinf\t11\t4\t0\t\t\t\t\t", "nothing of its energy"),
        (SKYR, "stands in line 2"),
        ("x" * (LINE_LENGTH_MAX + 5), "columns"),
    ],
)
async def test_a_bad_row_is_named_and_stops_nothing(coach: Replica, tmp_path: Path, row: str, reason: str) -> None:
    other = SKYR.replace("4006040197539", "4006040197546").replace("Skyr Natur", "Quark Natur")
    report = await coach.foods.import_file(off(tmp_path, SKYR, row, other))
    assert report.added == 2
    assert [(each.number, reason in each.reason) for each in report.skipped] == [(3, True)], report.skipped


@pytest.mark.parametrize("content", ["", "{}", "name,energy\nx,1", "\0\0", "code\tname\n1\t2"])
async def test_a_file_of_another_kind_is_refused(coach: Replica, tmp_path: Path, content: str) -> None:
    file = tmp_path / "foods.csv"
    file.write_text(content)
    with pytest.raises(NotAnExport, match="USDA SR28"):
        await coach.foods.import_file(file)
    with pytest.raises(FileUnreadable):
        await coach.foods.import_file(tmp_path / "nothing.csv")


def test_a_long_cell_is_read_and_the_bound_of_csv_is_that_of_before(tmp_path: Path) -> None:
    """The bound is the whole process's: the app around a replica has files of its own."""
    before, long = csv.field_size_limit(), SKYR.replace("Alpenhof,Other", "x" * 300_000)
    assert before < 300_000
    assert len(read_foods(off(tmp_path, long), library="library:x").foods) == 1
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    with pytest.raises(NotAnExport):
        read_foods(tmp_path / "other.csv", library="library:x")
    assert csv.field_size_limit() == before


async def test_an_athlete_imports_no_catalogue(open_replica: OpenReplica, tmp_path: Path) -> None:
    athlete: Replica = await open_replica("athlete", ANNA)
    with pytest.raises(CoachNeeded):
        await athlete.foods.import_file(off(tmp_path, SKYR), dry_run=True)
