"""What the replica's search reads of foods, and which of them a barcode means."""

from apex_client.library_searching import OF_OTHERS, Library, listed, own_library
from apex_client.listing import by_id
from apex_client.local import LocalReplica
from apex_client.store_file import sqlite_errors
from apex_client.views import Snapshot
from apex_sync.coaching.barcodes import forms_of
from apex_sync.coaching.food_library import builtin_foods
from apex_sync.coaching.food_search import SearchedFood, searched_food

BARCODE_FOUND_MAX = 20
"""As many as the server answers with."""

_WITH_BARCODE = (
    "SELECT row.id FROM food_rows AS row JOIN held_scopes AS scope ON scope.scope_no = row.scope_no"  # noqa: S608
    f" WHERE row.barcode IN ({{}}) AND NOT ({OF_OTHERS}) ORDER BY scope.name = 'global', row.id DESC LIMIT ?"
)


def _read(name: str | None, aliases: str | None, brand: str | None, category: str | None) -> SearchedFood:
    return SearchedFood((name or "", *listed(aliases)), brand or "", category or "")


FOOD_LIBRARY = Library(
    "foods", "food_rows", ("name", "aliases", "brand", "category"), _read, builtin_foods, searched_food
)


def found(local: LocalReplica, text: str, *, category: str | None, limit: int) -> list[Snapshot]:
    """Find foods, the best match first."""

    def fits(searched: SearchedFood) -> bool:
        return searched.category == category

    return FOOD_LIBRARY.found(local, text, fits=fits if category else None, limit=limit)


def with_barcode(local: LocalReplica, barcode: str) -> list[Snapshot]:
    """Give the foods that a barcode means, what people added first."""
    forms = forms_of(barcode)
    query = _WITH_BARCODE.format(",".join("?" * len(forms)))
    with sqlite_errors(local.store.path):
        ids = [row[0] for row in local.store.sql.execute(query, (*forms, own_library(local), BARCODE_FOUND_MAX))]
    return by_id(local, "foods", None, ids)
