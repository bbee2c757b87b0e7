"""Progress photos: taken offline, with the day, the side and the pose; compared side by side.

photo = await replica.photos.add("IMG_0231.HEIC", type="front", pose="relaxed", day="2026-03-01")
await replica.photos.compare(march, photo, "march to may.jpg")
"""

from datetime import date as Date
from pathlib import Path
from typing import TYPE_CHECKING

from apex_client.records import DatedRecords, Record
from apex_client.whole_file import whole_file
from apex_sync.models import ProgressPhoto
from apex_sync.models.body import PhotoType

if TYPE_CHECKING:
    from apex_client.replica import Replica


class Photo(Record[ProgressPhoto]):
    """One progress photo."""

    @property
    def media_id(self) -> str:
        """What the picture is named by."""
        return str(self.get("media_id", ""))

    async def save(self, path: str | Path, *, thumbnail: bool = False) -> None:
        """Write the picture to a file; see `Media.save_picture`."""
        await self._replica.media.save_picture(self.media_id, path, thumbnail=thumbnail)


class Photos(DatedRecords[Photo]):
    """The progress photos of an athlete, the latest first."""

    def __init__(self, replica: "Replica", scope: str | None = None) -> None:
        super().__init__(replica, "progress_photos", scope, handle=Photo)

    async def add(
        self,
        path: str | Path,
        *,
        day: Date | str | None = None,
        type: PhotoType | None = None,
        pose: str | None = None,
        notes: str | None = None,
        check_in_id: str | None = None,
    ) -> Photo:
        """Take a photo in, for today unless a day is named; it is here at once, and goes up with the next sync.

        Raises MediaUnusable for what is no picture or too large, OutOfBounds, ForbiddenField.
        """
        now = self._replica._wall_clock(None)
        fields = {
            "date": self._replica._day(day) or now[:10],
            "type": type,
            "pose": pose,
            "notes": notes,
            "check_in_id": check_in_id,
        }
        given = {name: value for name, value in fields.items() if value is not None}
        return Photo(
            self._replica,
            await self._replica.media.add_with_record(
                Path(path),
                "photo",
                self._scope,
                lambda local, known: local.create(self.collection, self._scope, {**known, **given}),
            ),
        )

    async def compare(self, before: Photo, after: Photo, path: str | Path) -> None:
        """Write two photos side by side to a JPEG, of one height and with their days; the server draws it."""
        asked = {"photo_ids": [before.id, after.id]}
        with whole_file(Path(path), "wb") as file:
            await self._replica._account.download("/api/progress/compare", file.write, asked)
