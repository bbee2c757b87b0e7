"""`apex photos`: take progress photos in, list them, put two days side by side."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from apex_client.cli.days import DayDone, day_done, day_typed
from apex_client.cli.examples import examples
from apex_client.cli.failures import CommandFailed, WrongUsage
from apex_client.cli.naming import short_id
from apex_client.cli.opening import NO_DB, Db, opened, use_from_here
from apex_client.cli.screen import counted, escaped, said, shown, size, table
from apex_client.cli.sessions import Whose, records_of

if TYPE_CHECKING:
    from apex_client.blocking import Replica
    from apex_client.blocking.photos import Photo, Photos

Side = Literal["front", "back", "side-left", "side-right", "other"]

SideOption = Annotated[Side | None, typer.Option("--side", help="From which side.")]
PoseOption = Annotated[str | None, typer.Option(help="What is shown: relaxed, front double biceps.")]

WHICH = "A day with a photo, 2026-03-01, or the id that apex photos list shows."

LISTED_MAX = 1000
"""Twenty years of a photo a week."""

ID_LENGTH_MIN = 4
"""Of an id, at least so much of its end names a photo."""

STATES = {"waiting": "to be sent", "sent": "the server looks at it", "refused": "refused"}

photos = typer.Typer(
    help="Progress photos: the latest; taking them in offline, comparing them.", rich_markup_mode="rich"
)


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(
        photos,
        name="photos",
        rich_help_panel="Training",
        epilog=examples(
            "apex photos add front.jpg --side front --pose relaxed",
            "apex photos",
            "apex photos compare 2026-03-01 2026-05-01 --side front -o spring.jpg",
        ),
    )


@photos.callback(invoke_without_command=True)
def _photos(context: typer.Context, db: Db = NO_DB) -> None:
    if context.invoked_subcommand is None:
        list_photos(db=db)
    else:
        use_from_here(db)


@photos.command(epilog=examples("apex photos add front.jpg back.jpg", "apex photos add old.heic --date 2026-01-01"))
def add(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="JPEG, PNG, WebP or HEIC.")],
    side: SideOption = None,
    pose: PoseOption = None,
    note: Annotated[str | None, typer.Option(help="What the picture does not show.")] = None,
    date: DayDone = None,
    db: Db = NO_DB,
) -> None:
    """Take photos in. The files may go afterwards: the replica keeps their bytes until the server has them."""
    with opened(db, make=True) as replica:
        photos = replica.photos
        for file in files:
            photo = photos.add(file, type=side, pose=pose, notes=note, day=day_done(date))
            said(f"photo of {photo['date']} saved, {size(photo['size_bytes'])}: apex sync sends it")
            if same := _same_picture(photos, photo):
                said(f"[yellow]the same picture is there of {same['date']}[/]; apex photos remove takes one away")


@photos.command("list")
def list_photos(
    side: SideOption = None,
    limit: Annotated[int, typer.Option(metavar="N", min=1, max=1000, help="How many at most.")] = 50,
    athlete: Whose = None,
    db: Db = NO_DB,
) -> None:
    """List photos, the latest first; on a coach's replica of all athletes, unless one is named."""
    with opened(db) as replica:
        photos = replica.photos if athlete is None else records_of(replica, athlete).photos
        found = [photo for photo in photos.list(limit=LISTED_MAX) if side in (None, photo.get("type"))][:limit]
        if not found:
            raise CommandFailed("there is no photo yet; begin with: apex photos add front.jpg --side front")
        states = {item.media_id: item for item in replica.media.queue()}
        names = {one.id: one.name or one.id for one in replica.athletes.list()} if _is_coach(replica) else {}
        whose = ("athlete",) if names else ()
        rows = table(*whose, "date", "id", "side", "pose", "size", "here", right=("size",))
        for photo in found:
            item = states.get(photo.media_id)
            where = "" if item is None else STATES[item.state] + (f": {item.refusal}" if item.refusal else "")
            rows.add_row(
                *(escaped(names.get(photo.scope.rpartition(":")[2], "")) for _ in whose),
                str(photo.get("date", "")),
                short_id(photo.id),
                str(photo.get("type") or ""),
                escaped(photo.get("pose") or ""),
                size(photo.get("size_bytes") or 0),
                where,
            )
        shown(rows)


@photos.command(epilog=examples("apex photos compare 2026-03-01 2026-05-01 --side front -o spring.jpg"))
def compare(
    before: Annotated[str, typer.Argument(metavar="DAY|ID", help=WHICH)],
    after: Annotated[str, typer.Argument(metavar="DAY|ID", help="Another one.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="The JPEG to write.")],
    side: SideOption = None,
    pose: PoseOption = None,
    athlete: Whose = None,
    db: Db = NO_DB,
) -> None:
    """Put two photos side by side, of one height; the server draws it, so it needs a network."""
    with opened(db) as replica:
        photos = records_of(replica, athlete).photos
        then, now = (_photo_of(photos, which, side, pose) for which in (before, after))
        replica.photos.compare(then, now, output)
        said(f"{escaped(output)} written")


@photos.command(epilog=examples("apex photos save 2026-03-01 --side front -o front.jpg"))
def save(
    which: Annotated[str, typer.Argument(metavar="DAY|ID", help=WHICH)],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="Where to write it.")],
    side: SideOption = None,
    pose: PoseOption = None,
    athlete: Whose = None,
    db: Db = NO_DB,
) -> None:
    """Write a photo to a file."""
    with opened(db) as replica:
        _photo_of(records_of(replica, athlete).photos, which, side, pose).save(output)
        said(f"{escaped(output)} written")


@photos.command(epilog=examples("apex photos remove 2026-03-01 --side front", "apex photos remove 3f9a1c"))
def remove(
    which: Annotated[str, typer.Argument(metavar="DAY|ID", help=WHICH)],
    side: SideOption = None,
    pose: PoseOption = None,
    db: Db = NO_DB,
) -> None:
    """Remove a photo, one of those that are the same picture. It can be restored, unless it was not sent yet."""
    with opened(db) as replica:
        photos = replica.photos
        gone = _photo_of(photos, which, side, pose)
        gone.delete()
        if _same_picture(photos, gone) is None:
            replica.media.drop(gone.media_id, scope=gone.scope)
        said(f"photo of {gone['date']} removed")


def _is_coach(replica: "Replica") -> bool:
    return replica.user is not None and replica.user.role == "coach"


def _same_picture(photos: "Photos", photo: "Photo") -> "Photo | None":
    """Find another photo of the same bytes."""
    others = photos.list(limit=LISTED_MAX)
    return next((one for one in others if one.id != photo.id and one.media_id == photo.media_id), None)


def _photo_of(photos: "Photos", which: str, side: Side | None, pose: str | None) -> "Photo":
    """Find the one photo that is meant. Raises CommandFailed, WrongUsage."""
    named = _by_id(photos, which)
    found = [photo for photo in named or photos.on(_day(which)) if _is_so(photo, side, pose)]
    if found and len({photo.media_id for photo in found}) == 1:
        return found[0]
    if not found:
        raise CommandFailed(f"there is no such photo of {which}: apex photos list")
    listed = ", ".join(f"{short_id(photo.id)} ({_in_words(photo)})" for photo in found)
    raise CommandFailed(f"there are {counted(len(found), 'photo')} of {which}; name one by its id: {listed}")


def _by_id(photos: "Photos", named: str) -> "list[Photo]":
    wanted = named.casefold()
    return [one for one in photos.list(limit=LISTED_MAX) if len(wanted) >= ID_LENGTH_MIN and one.id.endswith(wanted)]


def _day(typed: str) -> str:
    try:
        return day_typed(typed)
    except WrongUsage as error:
        raise WrongUsage(f"{typed!r} is no day and no id of a photo: apex photos list") from error


def _is_so(photo: "Photo", side: Side | None, pose: str | None) -> bool:
    return all(value is None or photo.get(name) == value for name, value in (("type", side), ("pose", pose)))


def _in_words(photo: "Photo") -> str:
    """Tell what is known of a photo but its day; with its size, by which two of one pose differ."""
    parts = photo.get("type"), photo.get("pose"), size(photo.get("size_bytes") or 0)
    return ", ".join(map(str, filter(None, parts)))
