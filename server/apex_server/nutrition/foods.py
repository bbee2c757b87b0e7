"""The endpoints of foods: the built-in library, what coaches and athletes add to it, and what a barcode means."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

from litestar import Controller, get, post
from litestar.di import NamedDependency
from litestar.params import JSONBody, QueryParameter

from apex_server.caller import Caller
from apex_server.db import Connection, Database, load_queries
from apex_server.errors import NotFound
from apex_server.nutrition.examples import FOOD, FOOD_PATCH
from apex_server.nutrition.payloads import Barcode, FoodResource, FoodsFound, FoodsPage, NewFood
from apex_server.problems import problem_responses
from apex_server.resources import KnownRecord, RecordKind, read_records, view_of_model
from apex_server.resources.library import FOUND_DEFAULT, Library, LibraryController, NameAskedFor
from apex_server.resources.requests import NO_NUL, READ_REFUSALS, Limit
from apex_server.vault import Vault
from apex_sync.coaching.barcodes import forms_of
from apex_sync.coaching.drafts import model_patch
from apex_sync.coaching.food_search import SearchedFood
from apex_sync.ids import athlete_scope
from apex_sync.models import FOODS, Food
from apex_sync.models.nutrition import FoodCategory

__all__ = ["BarcodeController", "FoodsController"]

_queries = load_queries(__package__)

LIBRARY = Library(FOODS, SearchedFood)


@dataclass(frozen=True)
class FoodFilters:
    """Which foods are listed."""

    q: Annotated[
        str | None, QueryParameter(max_length=200, pattern=NO_NUL, description="Parts of the name or the brand.")
    ] = None


class FoodsController(LibraryController):
    """The library as the caller sees it."""

    path = "/api/nutrition/foods"
    tags = ("nutrition",)
    kind = RecordKind(FOODS, "food", partial(model_patch, known=frozenset(FoodResource.__struct_fields__)))
    view, page, new, draft = FoodResource, FoodsPage, NewFood, Food
    examples = (FOOD, FOOD, FOOD_PATCH)
    entries = ("servings",)
    filters = FoodFilters
    library = LIBRARY
    made_by = ("athlete", "coach")

    def scope_of_new(self, caller: Caller, draft: Mapping[str, Any]) -> str:
        """Add one to the coach's library, which their athletes see, or to the athlete's own records."""
        if caller.role == "athlete":
            return athlete_scope(str(caller.user_id))
        return super().scope_of_new(caller, draft)

    def is_listed(self, q: str, searched: SearchedFood) -> bool:
        """Tell whether each word is a part of its name or its brand."""
        called = f"{searched.names[0]} {searched.brand}".casefold()
        return all(word in called for word in q.casefold().split())

    async def show(
        self, connection: Connection, vault: Vault, found: Sequence[KnownRecord], include: Collection[str]
    ) -> list[FoodResource]:
        """Show foods."""
        return [show_food(known) for known in found]

    @get("/search", responses=problem_responses(*READ_REFUSALS))
    async def search_records(
        self,
        caller: NamedDependency[Caller],
        database: NamedDependency[Database],
        q: NameAskedFor = None,
        category: Annotated[FoodCategory | None, QueryParameter(description="What it is on a plate, `fruit`.")] = None,
        limit: Limit = FOUND_DEFAULT,
    ) -> FoodsFound:
        """Search foods by name and brand, the best match first; without `q`, all that fit, by name."""

        def fits(searched: SearchedFood) -> bool:
            return searched.category == category

        async with database.request(caller.user_id) as connection:
            found = await LIBRARY.search(connection, database.vault, q, fits=fits if category else None, limit=limit)
        return FoodsFound([show_food(known) for known in found])


class BarcodeController(Controller):
    """Foods by what is printed on them."""

    path = "/api/nutrition/foods"
    tags = ("nutrition",)

    @post("/barcode", status_code=200, responses=problem_responses(*READ_REFUSALS))
    async def find_by_barcode(
        self, data: JSONBody[Barcode], caller: NamedDependency[Caller], database: NamedDependency[Database]
    ) -> FoodsFound:
        """Look up a barcode, as EAN, UPC or GTIN; 404 where no food of the library has it."""
        async with database.request(caller.user_id) as connection:
            rows = await connection.fetch(_queries.list_foods_with_barcode, forms_of(data.barcode))
            places = [(row["scope_id"], row["record_id"]) for row in rows]
            found = await read_records(connection, database.vault, FOODS, places)
        if not found:
            raise NotFound("food")
        return FoodsFound([show_food(known) for known in found])


def show_food(known: KnownRecord) -> FoodResource:
    """Show one food."""
    shown = view_of_model(FoodResource, known)
    shown.is_custom = known.scope != "global"
    return shown
