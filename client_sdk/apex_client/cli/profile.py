"""`apex profile`: who trains, for what, and with what; the athlete and their coach both write it."""

from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from apex_client.cli.days import day_typed
from apex_client.cli.examples import examples
from apex_client.cli.failures import WrongUsage
from apex_client.cli.opening import NO_DB, Db, opened, use_from_here
from apex_client.cli.screen import escaped, said, shown, table
from apex_client.cli.sessions import Whose, records_of
from apex_sync.coaching.client_columns import CLIENT_COLUMNS, ClientColumn

if TYPE_CHECKING:
    from apex_client.blocking.records import Record
    from apex_sync.models import Profile

FIELDS = {column.name: column for column in CLIENT_COLUMNS if column.part == "profile"}
FIELDS["name"] = ClientColumn("name", "profile", "text", "as they are called", "Anna Berg")

Side = Literal["left", "right", "both"]
Severity = Literal["mild", "moderate", "severe"]
State = Literal["active", "recovering", "resolved"]

group = typer.Typer(
    help="Who trains, for what and with what; without a command, show it.",
    epilog=examples(
        "apex profile",
        'apex profile set height_cm=168 "goals=Compete;Squat 140 kg"',
        "apex profile set check_in_day_number=7 training_days_per_week=4 --athlete Anna",
        "apex profile set weak_points=",
        "apex profile injury knee --side left --severity mild --status recovering",
    ),
    rich_markup_mode="rich",
)


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(group, name="profile", rich_help_panel="Training")


@group.callback(invoke_without_command=True)
def _profile(context: typer.Context, athlete: Whose = None, db: Db = NO_DB) -> None:
    if context.invoked_subcommand is not None:
        use_from_here(db)
        return
    with opened(db) as replica:
        _show(records_of(replica, athlete).profile.get())


@group.command(
    "set",
    epilog=examples('apex profile set height_cm=168 "goals=Compete;Squat 140 kg"', "apex profile set weak_points=")
    + "\n\n[dim]Fields; the parts of a list stand between semicolons[/]\n"
    + "\n".join(f"  {name:<25}{each.example:<21} {each.kind}: {each.about}" for name, each in FIELDS.items()),
)
def set_(
    values: Annotated[list[str], typer.Argument(metavar="FIELD=VALUE...", help="Nothing behind = empties a field.")],
    athlete: Whose = None,
    db: Db = NO_DB,
) -> None:
    """Set fields of the profile."""
    fields = dict(map(_typed, values))
    with opened(db, make=True) as replica:
        profile = records_of(replica, athlete).profile
        profile.edit(**fields)
        _show(profile.get())


@group.command(
    epilog=examples(
        "apex profile injury knee --side left --severity mild --status recovering",
        "apex profile injury knee --side left --status resolved",
    )
)
def injury(
    area: Annotated[str, typer.Argument(metavar="AREA", help="Where it hurts or hurt.")],
    side: Annotated[Side | None, typer.Option(help="left, right or both.")] = None,
    severity: Annotated[Severity | None, typer.Option(help="mild, moderate or severe.")] = None,
    status: Annotated[State | None, typer.Option(help="active, recovering or resolved.")] = None,
    since: Annotated[str | None, typer.Option(metavar="DAY", help="2025-01-31, as well as you remember.")] = None,
    note: Annotated[str | None, typer.Option(help="What to avoid.")] = None,
    athlete: Whose = None,
    db: Db = NO_DB,
) -> None:
    """Write down an injury, or what became of one: that of the same area and side."""
    given = {
        "side": side, "severity": severity, "status": status, "since": day_typed(since) if since else None,
        "notes": note,
    }  # fmt: skip
    with opened(db, make=True) as replica:
        profile = records_of(replica, athlete).profile
        known = profile.get().get("injuries") or {}
        key = next((key for key, each in known.items() if _is_same(each, area, side)), None) or replica._new_key()
        named = {name: value for name, value in given.items() if value is not None}
        profile.edit(injuries={key: {"area": area, **named}})
        _show(profile.get())


def _is_same(entry: dict[str, Any], area: str, side: str | None) -> bool:
    same_side = side in (None, entry.get("side"))
    return entry.get("deleted") is not True and (entry.get("area") or "").casefold() == area.casefold() and same_side


def _typed(text: str) -> tuple[str, Any]:
    """Read `height_cm=168`. Raises WrongUsage."""
    name, equals, value = (part.strip() for part in text.partition("="))
    column = FIELDS.get(name)
    if not equals or column is None:
        from difflib import get_close_matches

        near = get_close_matches(name, FIELDS, n=1)
        hint = f"did you mean {near[0]}?" if near and not column else f"write {next(iter(FIELDS))}=…"
        raise WrongUsage(f"{text!r} sets no field: {hint} (all of them: apex profile set --help)")
    if not value:
        return name, None
    try:
        return name, _READ[column.kind](value)
    except ValueError as error:
        raise WrongUsage(f"{name} is a {column.kind}, as {column.example}, not {value!r}") from error


_READ: Any = {
    "text": str,
    "list": lambda value: [part.strip() for part in value.split(";") if part.strip()],
    "number": lambda value: float(value.replace(",", ".")),
    "whole number": int,
}


def _show(profile: "Record[Profile]") -> None:
    grid = table("", "")
    grid.show_header = False
    for name in FIELDS:
        value = profile.get(name)
        if value not in (None, []):
            text = "; ".join(value) if isinstance(value, list) else f"{value:g}" if isinstance(value, float) else value
            grid.add_row(f"[dim]{name}[/]", escaped(text))
    for each in (profile.get("injuries") or {}).values():
        if each.get("deleted") is not True:
            words = (each.get(name) for name in ("side", "area", "severity", "status", "since", "notes"))
            grid.add_row("[dim]injury[/]", escaped(", ".join(word for word in words if word)))
    if grid.row_count:
        shown(grid)
    else:
        said("nothing is written down yet; apex profile set --help lists what can be")
