"""Importing foods into a coach's own library; what a barcode or a name means already is left out."""

from typing import TYPE_CHECKING

from apex_client.food_searching import FOOD_LIBRARY
from apex_client.library_importing import LibraryImport, write_library
from apex_client.local import LocalReplica
from apex_client.store_file import sqlite_errors
from apex_sync.coaching.names import name_key
from apex_sync.op import Patch

if TYPE_CHECKING:
    from apex_client.importers.foods import FoodPlan


def write_foods(local: LocalReplica, plan: "FoodPlan", library: str, *, dry_run: bool) -> LibraryImport:
    """Write what is new. Raises ForbiddenField for who is no coach."""
    names = {
        name_key(f"{name} {searched.brand}"): searched.names[0]
        for _, searched in FOOD_LIBRARY.candidates(local, "")
        for name in searched.names
    }
    with sqlite_errors(local.store.path):
        barcodes = dict(
            local.store.sql.execute("SELECT ltrim(barcode, '0'), name FROM food_rows WHERE barcode IS NOT NULL")
        )

    def known_as(patch: Patch) -> str | None:
        barcode = barcodes.get(patch.get("barcode", ""))
        return barcode or names.get(name_key(f"{patch['name']} {patch.get('brand', '')}"))

    return write_library(local, "foods", library, plan.foods, [*plan.skipped], known_as=known_as, dry_run=dry_run)
