"""Importing foods into a coach's own library; what a barcode or a name means already is left out."""

from typing import TYPE_CHECKING

from apex_client.errors import CoachNeeded
from apex_client.food_searching import FOOD_LIBRARY
from apex_client.library_importing import LibraryImport, write_library
from apex_client.library_searching import OF_OTHERS, own_library
from apex_client.local import LocalReplica
from apex_client.store_file import sqlite_errors
from apex_sync.coaching.names import name_key
from apex_sync.op import Patch

if TYPE_CHECKING:
    from apex_client.importers.foods import FoodPlan


def write_foods(local: LocalReplica, plan: "FoodPlan", library: str, *, dry_run: bool) -> LibraryImport:
    """Write what is new. Raises CoachNeeded: a catalogue is for many, and what an athlete adds is a food at a time."""
    if not library.startswith("library:"):
        raise CoachNeeded
    names = {
        name_key(f"{name} {searched.brand}"): searched.names[0]
        for _, searched in FOOD_LIBRARY.candidates(local, "")
        for name in searched.names
    }
    with sqlite_errors(local.store.path):
        barcodes = dict(
            local.store.sql.execute(
                "SELECT ltrim(row.barcode, '0'), row.name FROM food_rows AS row"  # noqa: S608
                " JOIN held_scopes AS scope ON scope.scope_no = row.scope_no"
                f" WHERE row.barcode IS NOT NULL AND NOT ({OF_OTHERS})",
                (own_library(local),),
            )
        )

    def known_as(patch: Patch) -> str | None:
        barcode = barcodes.get(patch.get("barcode", ""))
        return barcode or names.get(name_key(f"{patch['name']} {patch.get('brand', '')}"))

    return write_library(local, "foods", library, plan.foods, [*plan.skipped], known_as=known_as, dry_run=dry_run)
