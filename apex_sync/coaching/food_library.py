"""The built-in foods: what people eat every day, as facts, a line a food in `food_library.jsonl`.

The names, aliases and household servings were written for this project. The figures, of 100 g, are those of the USDA
National Nutrient Database for Standard Reference, release 28 (public domain), rounded to a tenth; `usda` names the food
there. A line has a slug that never changes, from which the id of its record follows; everything else of it may be
edited. No two names, aliases included, mean one food (`names.name_key`).
"""

from functools import cache

import msgspec
from msgspec import Struct

from apex_sync.ids import derived_id
from apex_sync.models.nutrition import FoodCategory, FoodContent, Nutrients
from apex_sync.op import Patch


class BuiltinFood(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One line of the library; a figure that nobody measured is left out."""

    slug: str
    name: str
    aliases: tuple[str, ...] = ()
    category: FoodCategory
    contains: tuple[FoodContent, ...] = ()
    energy_kcal: float
    protein_g: float
    carbs_g: float
    fat_g: float
    fiber_g: float | None = None
    sugar_g: float | None = None
    sodium_mg: float | None = None
    servings: tuple[tuple[str, float], ...] = ()
    planned: bool = False
    """Whether plans of meals are made of it: ready to eat, and wanted on a plate."""
    usda: str

    @property
    def id(self) -> str:
        """The id of its record, the same on every server."""
        return derived_id("food", self.slug)

    @property
    def patch(self) -> Patch:
        """What its record holds: every leaf, None where the line does not name it."""
        return {
            "name": self.name,
            "aliases": list(self.aliases) or None,
            "category": self.category,
            "contains": list(self.contains),
            "per_100g": {name: getattr(self, name) for name in Nutrients.__struct_fields__},
            "servings": {
                str(place): {"name": name, "grams": grams, "order": str(place)}
                for place, (name, grams) in enumerate(self.servings, 1)
            },
            "source": "usda",
            "source_id": self.usda,
        }


@cache
def builtin_foods() -> tuple[BuiltinFood, ...]:
    """Give the library in the order of its slugs."""
    import pkgutil

    lines = pkgutil.get_data(__package__, "food_library.jsonl") or b""
    return tuple(msgspec.json.Decoder(BuiltinFood).decode_lines(lines))
