"""What is searched of a food, beside its names; `name_search` ranks what is found."""

from typing import Any

from msgspec import Struct

from apex_sync.coaching.name_search import names_of, word_of
from apex_sync.collection import Record


class SearchedFood(Struct, frozen=True, array_like=True, gc=False):
    """What is searched of a food: its own name first among the names.

    >>> from apex_sync.coaching.name_search import likeness
    >>> quark = SearchedFood(("Quark, low-fat", "Magerquark"), "Alpenhof", "dairy")
    >>> likeness("mager quark", quark) > likeness("alpenhof", quark) > 0.4 > likeness("oats", quark)
    True
    """

    names: tuple[str, ...]
    brand: str
    category: str

    @property
    def about(self) -> tuple[str, ...]:
        """Its brand and its category."""
        return (self.brand, self.category)


def searched_food(food: Record | Any) -> SearchedFood:
    """Read what is searched of a record, as far as it can be read; total for any record."""
    return SearchedFood(names_of(food), word_of(food, "brand"), word_of(food, "category"))
