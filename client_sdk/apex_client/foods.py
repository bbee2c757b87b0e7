"""Foods: what is built in, a coach's and an athlete's own, searched on the device and without a network.

[oats, *others] = await replica.foods.search("hafer flocken")
fruit = await replica.foods.search(category="fruit")
[bar] = await replica.foods.with_barcode("4006040197539")
"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from apex_client.records import LIST_MAX, Record, Records
from apex_sync.models import Food
from apex_sync.models.nutrition import FoodCategory

if TYPE_CHECKING:
    from apex_client.library_importing import LibraryImport
    from apex_client.replica import Replica

FOUND_DEFAULT = 20
"""A screen of a phone."""


class Foods(Records[Record[Food]]):
    """The library as this replica holds it.

    `create` adds to a coach's own, which their athletes see, or to an athlete's own, which is found by that athlete
    alone; the coach reads it among the athlete's records.
    """

    def __init__(self, replica: "Replica") -> None:
        super().__init__(replica, "foods")

    async def search(
        self, text: str = "", *, category: FoodCategory | None = None, limit: int = FOUND_DEFAULT
    ) -> list[Record[Food]]:
        """Find foods by name and brand, typed anyhow; the best match first. Without a text, all that fit, by name."""
        from apex_client.food_searching import found

        return self._handles(await self._replica._do(found, text, category=category, limit=min(limit, LIST_MAX)))

    async def named(self, name: str) -> list[Record[Food]]:
        """Give the foods that a name means and does not only resemble: one, or none, or several."""
        from apex_client.food_searching import FOOD_LIBRARY

        return self._handles(await self._replica._do(FOOD_LIBRARY.named, name))

    async def import_file(
        self,
        path: str | Path,
        *,
        match: str = "",
        dry_run: bool = False,
        on_row: Callable[[int], object] = int,
    ) -> "LibraryImport":
        """Import foods of USDA SR28 or Open Food Facts into the coach's own library; a second time adds nothing twice.

        Taken are those whose name or brand has every word of `match`, 2,000 at most, since a library reaches every
        athlete's device. A food whose barcode or name is here already is left out; `on_row` hears of every line.
        Raises an ImportFailed, CoachNeeded.
        """
        from apex_client.food_importing import write_foods
        from apex_client.importers.foods import read_foods

        library = self._replica._open.own_scope(self.collection)
        plan = await self._replica._thread.aside(read_foods, Path(path), library=library, match=match, on_row=on_row)
        return await self._replica._do(write_foods, plan, library, dry_run=dry_run)

    async def with_barcode(self, barcode: str) -> list[Record[Food]]:
        """Give the foods with this barcode, in any form it is printed in; a coach's own first."""
        from apex_client.food_searching import with_barcode

        return self._handles(await self._replica._do(with_barcode, barcode))
