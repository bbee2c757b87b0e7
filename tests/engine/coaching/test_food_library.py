"""The built-in foods say what they say once, in plain words, and their figures are those of food."""

import csv
from collections import Counter
from pathlib import Path
from typing import get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apex_sync.coaching import food_library
from apex_sync.coaching.barcodes import forms_of
from apex_sync.coaching.food_library import BuiltinFood, builtin_foods
from apex_sync.coaching.food_search import searched_food
from apex_sync.coaching.name_search import is_called, ranked
from apex_sync.coaching.names import name_key
from apex_sync.models import FOODS, Food
from apex_sync.models.nutrition import FoodCategory
from tests.food_queries import NOTHING, QUERIES

FILE = Path(food_library.__file__).with_suffix(".jsonl")
LIBRARY = [(food.name, searched_food(FOODS.read(food.patch)[0])) for food in builtin_foods()]

ENERGY_SHARE, ENERGY_KCAL = 0.20, 30.0
"""A food whose energy is further from 4/4/9 than both is a typing error [COACHING_FACTS 8]."""

OWN_FACTORS = {"cocoa_powder", "oat_bran", "wheat_bran"}
"""Mostly fibre, whose energy was measured."""


def test_it_is_a_library() -> None:
    assert len(builtin_foods()) >= 300
    assert {food.category for food in builtin_foods()} == set(get_args(FoodCategory))


def test_every_line_stands_in_its_place_and_is_written_in_one_way() -> None:
    lines = FILE.read_text(encoding="utf-8").splitlines()
    slugs = [food.slug for food in builtin_foods()]
    assert slugs == sorted(set(slugs))
    assert len({food.usda for food in builtin_foods()}) == len(slugs)
    assert lines == [msgspec.json.format(msgspec.json.encode(food), indent=0).decode() for food in builtin_foods()]


def test_no_two_names_mean_one_food() -> None:
    keys = Counter(name_key(name) for food in builtin_foods() for name in (food.name, *food.aliases))
    assert [key for key, count in keys.items() if count > 1] == []


def test_energy_is_that_of_the_macros() -> None:
    """Four kcal in a gram of protein and carbohydrate, two in fibre, nine in fat; alcohol has seven of its own."""
    for food in builtin_foods():
        atwater = 4 * food.protein_g + 4 * food.carbs_g - 2 * (food.fiber_g or 0) + 9 * food.fat_g
        exempt = "alcohol" in food.contains or food.slug in OWN_FACTORS
        allowed = max(ENERGY_KCAL, ENERGY_SHARE * food.energy_kcal)
        assert exempt or abs(atwater - food.energy_kcal) <= allowed, food.slug


def test_every_record_is_within_the_bounds_of_its_model_and_adds_up_to_100_g() -> None:
    for food in builtin_foods():
        FOODS.check_bounds({name: value for name, value in food.patch.items() if value is not None})
        assert food.protein_g + food.carbs_g + food.fat_g <= 101, food.slug
        assert all(0 < grams <= 500 for _, grams in food.servings) and food.servings, food.slug


def test_figures_are_those_of_the_source(data_dir: Path) -> None:
    with (data_dir / "usda_sr28_abbrev.csv").open(encoding="utf-8", newline="") as file:
        rows = {row["NDB_No"].zfill(5): row for row in csv.DictReader(file)}
    columns = {"energy_kcal": "Energ_Kcal", "protein_g": "Protein_(g)", "carbs_g": "Carbohydrt_(g)"}
    columns |= {"fat_g": "Lipid_Tot_(g)", "fiber_g": "Fiber_TD_(g)", "sugar_g": "Sugar_Tot_(g)"}
    for food in builtin_foods():
        row = rows[food.usda]
        for name, column in columns.items():
            value = getattr(food, name)
            assert value is None if row[column] == "" else abs(value - float(row[column])) <= 0.0501, food.slug


@pytest.mark.parametrize("line", [b'"category":"fodder"', b'"category":"fruit","contains":["water"]'])
def test_a_word_outside_of_the_vocabularies_does_not_load(line: bytes) -> None:
    figures = b'"energy_kcal":1,"protein_g":1,"carbs_g":1,"fat_g":1,"usda":"1"'
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(b'{"slug":"x","name":"X",' + figures + b"," + line + b"}", type=BuiltinFood)


@pytest.mark.parametrize(("query", "meant"), QUERIES.items())
def test_what_was_meant_comes_first(query: str, meant: str) -> None:
    assert ranked(query, LIBRARY, limit=1) == [meant]


@pytest.mark.parametrize("query", NOTHING)
def test_what_nobody_means_finds_nothing(query: str) -> None:
    assert ranked(query, LIBRARY, limit=1) == [] or query == "…"


def test_everything_is_found_by_its_own_name() -> None:
    for name, searched in LIBRARY:
        assert ranked(name, LIBRARY, limit=1) == [name]
        assert all(is_called(alias, searched) for alias in searched.names)


def test_a_record_of_whatever_leaves_is_searched() -> None:
    odd, _ = FOODS.read({"name": None, "aliases": [], "brand": "x" * 10_000, "category": "newer"})
    searched = searched_food(odd)
    assert searched.names == ("",) and len(searched.brand) == 200
    assert searched_food(Food()).about == ("", "")


@given(st.from_regex(r"[0-9]{6,14}", fullmatch=True))
def test_all_forms_of_a_barcode_are_one_number(barcode: str) -> None:
    assert barcode in forms_of(barcode)
    assert {form.lstrip("0") for form in forms_of(barcode)} == {barcode.lstrip("0")}
