"""Read foods of USDA SR28 (the abbreviated file, CSV) or Open Food Facts (its daily export, TSV) for a coach's library.

The file is read row by row and recognised by its headers: Open Food Facts has gigabytes. What is kept is bounded, for a
library reaches every athlete's device: a coach picks from a catalogue (`match`), and does not carry one around. A bad
row stands in the plan with its line and reason; what cannot be the content of 100 g is a bad row.
"""

import csv
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from msgspec import Struct

from apex_client.importers.errors import FileUnreadable, NotAnExport
from apex_sync.errors import OutOfBounds
from apex_sync.ids import derived_id
from apex_sync.models import FOODS
from apex_sync.op import Patch

FOODS_MAX = 2_000
"""Taken from one file, about 200 kB on its way to each device."""

SKIPPED_MAX = 10_000
"""Bad rows that are listed; a catalogue of millions has more."""

CELL_LENGTH_MAX = 1_000_000
"""Open Food Facts has texts of ingredients of some hundred thousand characters."""

KJ_PER_KCAL = 4.184
SALT_PER_SODIUM = 2.5

KCAL_MAX, GRAMS_MAX = 905.0, 105.0
"""Of 100 g: pure fat has 902 kcal, and figures are rounded."""

BARCODE_DIGITS = range(6, 15)

ATWATER_KCAL_MIN, KILOJOULE_RATIOS = 40.0, (3.3, 5.1)
"""Energy that far from that of the macros was typed in kilojoules; any other mismatch is left as the label says.

Wine has energy of its own and few macros, so these do not count below the first figure.
"""

LINE_LENGTH_MAX = 2_000_000
"""What is longer has no columns."""


class ReadFood(Struct, frozen=True):
    """One row that can be imported, under an id that follows from the library and its id in the source."""

    record_id: str
    patch: Patch


class SkippedFood(Struct, frozen=True):
    """One row that can't be imported; `number` is its line, from 1."""

    number: int
    name: str
    reason: str


class FoodPlan(Struct):
    """What a file holds: foods that match, bad rows among them, and how many rows were not asked for."""

    foods: list[ReadFood] = []
    skipped: list[SkippedFood] = []
    not_asked_for: int = 0
    more: bool = False
    """Whether the file has more than was taken."""


class _Tabs(csv.excel_tab):
    """Open Food Facts quotes nothing."""

    quoting = csv.QUOTE_NONE


class _Unusable(Exception):
    """Why a row can't be imported."""


Row = Mapping[str, str]


def read_foods(path: str | Path, *, library: str, match: str = "", on_row: Callable[[int], object] = int) -> FoodPlan:
    """Read the foods whose name or brand has every word of `match`, for a library that is named by its scope.

    `on_row` hears of every line. Raises FileUnreadable, NotAnExport.
    """
    plan, seen = FoodPlan(), dict[str, int]()
    words = match.casefold().split()
    for number, row in _rows(Path(path)):
        on_row(number)
        name, about = ("", "") if row is None else _SOURCES["NDB_No" in row].names(row)
        if row is not None and not all(word in about.casefold() for word in words):
            plan.not_asked_for += 1
            continue
        if len(plan.foods) >= FOODS_MAX:
            plan.more = True
            plan.skipped.append(
                SkippedFood(number, name[:200], f"and what follows: {FOODS_MAX:,} are the most; match fewer")
            )
            break
        try:
            plan.foods.append(_read_once(number, row, library, seen))
        except (_Unusable, OutOfBounds) as error:
            if len(plan.skipped) < SKIPPED_MAX:
                plan.skipped.append(SkippedFood(number, name[:200] or "?", str(error)))
    return plan


def _read_once(number: int, row: Row | None, library: str, seen: dict[str, int]) -> ReadFood:
    """Read a row that no row before had the barcode or the number of."""
    if row is None:
        raise _Unusable("has another number of columns than the header")
    read = _read(_SOURCES["NDB_No" in row], row, library)
    line = seen.setdefault(read.patch.get("barcode") or read.record_id, number)
    if line != number:
        raise _Unusable(f"stands in line {line} already")
    return read


def _rows(path: Path) -> Iterator[tuple[int, Row | None]]:
    """Give the rows with their lines; None for one that has not the columns of the header."""
    before = csv.field_size_limit(CELL_LENGTH_MAX)  # It is the whole process's.
    try:
        with path.open(encoding="utf-8", errors="replace", newline="") as file:
            header = file.readline(LINE_LENGTH_MAX)
            reader = csv.reader(_lines(file), _Tabs if "\t" in header else csv.excel)
            columns = [name.strip().strip("\ufeff") for name in header.rstrip("\r\n").split(reader.dialect.delimiter)]
            if not any(set(source.needs) <= set(columns) for source in _SOURCES.values()):
                raise NotAnExport(columns[:20], wanted="USDA SR28 (CSV) or Open Food Facts (TSV)")
            while True:
                try:
                    cells = next(reader)
                except StopIteration:
                    return
                except csv.Error:
                    yield reader.line_num + 1, None
                    continue
                if cells:
                    fits = len(cells) == len(columns)
                    yield reader.line_num + 1, dict(zip(columns, cells, strict=True)) if fits else None
    except OSError as error:
        raise FileUnreadable(path, error.strerror or str(error)) from error
    finally:
        csv.field_size_limit(before)


def _lines(file: IO[str]) -> Iterator[str]:
    """Give lines of a bounded length; of a longer one the beginning, which is a row of too few columns."""
    while line := file.readline(LINE_LENGTH_MAX):
        yield line
        while line and not line.endswith("\n") and len(line) == LINE_LENGTH_MAX:
            line = file.readline(LINE_LENGTH_MAX)


class _Source(Struct, frozen=True):
    """Where columns of a file go; grams unless their leaf says otherwise."""

    name: str
    needs: tuple[str, ...]
    nutrients: Mapping[str, str]
    names: Callable[[Row], tuple[str, str]]
    rest: Callable[[Row], dict[str, Any]]


def _read(source: _Source, row: Row, library: str) -> ReadFood:
    name, _ = source.names(row)
    if not name:
        raise _Unusable("has no name")
    held = {leaf: _number(row.get(column, "")) for leaf, column in source.nutrients.items()}
    rest = source.rest(row)
    figures = {leaf: value for leaf, value in {**held, **rest.pop("per_100g", {})}.items() if value is not None}
    if "energy_kcal" not in figures:
        raise _Unusable("says nothing of its energy")
    for leaf, value in figures.items():
        most = {"energy_kcal": KCAL_MAX, "sodium_mg": GRAMS_MAX * 1000}.get(leaf, GRAMS_MAX)
        if not 0 <= value <= most:
            raise _Unusable(f"{leaf} of {value:g} is not in 100 g of anything")
    if sum(figures.get(leaf, 0.0) for leaf in ("protein_g", "carbs_g", "fat_g")) > GRAMS_MAX:
        raise _Unusable("has more than 100 g in 100 g")
    if _is_in_kilojoules(figures):
        raise _Unusable(f"energy_kcal of {figures['energy_kcal']:g} looks like kilojoules")
    patch: Patch = {"name": name[:200], "per_100g": {leaf: round(value, 3) for leaf, value in figures.items()}}
    patch |= {leaf: value for leaf, value in rest.items() if value}
    patch["source"] = source.name
    FOODS.check_bounds(patch)
    return ReadFood(derived_id("imported_food", library, source.name, str(patch["source_id"])), patch)


def _is_in_kilojoules(figures: Mapping[str, float]) -> bool:
    """Tell whether the energy is some four times that of the macros: the usual slip of a label."""
    atwater = sum(each * figures.get(leaf, 0.0) for leaf, each in (("protein_g", 4), ("carbs_g", 4), ("fat_g", 9)))
    return atwater >= ATWATER_KCAL_MIN and KILOJOULE_RATIOS[0] < figures["energy_kcal"] / atwater < KILOJOULE_RATIOS[1]


def _number(cell: str) -> float | None:
    try:
        value = float(cell)
    except ValueError:
        return None
    return value if value == value and abs(value) != float("inf") else None


def _usda_names(row: Row) -> tuple[str, str]:
    name = ", ".join(part.strip() for part in row["Shrt_Desc"].split(",")).capitalize()
    return name, name


def _usda_rest(row: Row) -> dict[str, Any]:
    servings = {}
    for place in ("1", "2"):
        grams, name = _number(row.get(f"GmWt_{place}", "")), row.get(f"GmWt_Desc{place}", "").strip()
        if grams and 0 < grams <= 10_000 and name:
            servings[place] = {"name": name[:200], "grams": grams, "order": place}
    return {"servings": servings, "source_id": row["NDB_No"].zfill(5)[:64]}


def _off_names(row: Row) -> tuple[str, str]:
    name = " ".join(row["product_name"].split())
    return name, f"{name} {row.get('brands', '')}"


def _off_rest(row: Row) -> dict[str, Any]:
    energy_kj, sodium_g, salt_g = (_number(row.get(f"{name}_100g", "")) for name in ("energy", "sodium", "salt"))
    energy = _number(row.get("energy-kcal_100g", ""))
    if energy is None and energy_kj is not None:
        energy = energy_kj / KJ_PER_KCAL
    if sodium_g is None and salt_g is not None:
        sodium_g = salt_g / SALT_PER_SODIUM
    code = re.sub(r"\D", "", row["code"]).lstrip("0")
    if not code:
        raise _Unusable("has no barcode")
    grams = _number(row.get("serving_quantity", ""))
    return {
        "per_100g": {"energy_kcal": energy, "sodium_mg": None if sodium_g is None else sodium_g * 1000},
        "brand": row.get("brands", "").split(",")[0].strip()[:200],
        "barcode": code if len(code) in BARCODE_DIGITS else None,
        "servings": {"1": {"name": "1 serving", "grams": grams}} if grams and 0 < grams <= 10_000 else None,
        "source_id": code[:64],
    }


_SOURCES: Mapping[bool, _Source] = {
    True: _Source(
        "usda",
        ("NDB_No", "Shrt_Desc", "Energ_Kcal"),
        {
            "energy_kcal": "Energ_Kcal", "protein_g": "Protein_(g)", "carbs_g": "Carbohydrt_(g)",
            "fat_g": "Lipid_Tot_(g)", "fiber_g": "Fiber_TD_(g)", "sugar_g": "Sugar_Tot_(g)", "sodium_mg": "Sodium_(mg)",
        },
        _usda_names,
        _usda_rest,
    ),
    False: _Source(
        "open_food_facts",
        ("code", "product_name", "energy_100g"),
        {
            "protein_g": "proteins_100g", "carbs_g": "carbohydrates_100g", "fat_g": "fat_100g",
            "fiber_g": "fiber_100g", "sugar_g": "sugars_100g",
        },
        _off_names,
        _off_rest,
    ),
}  # fmt: skip
"""By whether a row has the number of a USDA food."""
