"""`apex measure` and `apex weigh`: body weight, body fat and girths, apart from any check-in."""

import re
from typing import TYPE_CHECKING, Annotated, Any

import typer

from apex_client.cli.days import DayDone, DayShown, day_done, day_typed
from apex_client.cli.examples import examples
from apex_client.cli.failures import CommandFailed, WrongUsage
from apex_client.cli.naming import short_id
from apex_client.cli.opening import NO_DB, Db, opened, typed_unit, use_from_here
from apex_client.cli.screen import escaped, said, shown, table
from apex_client.cli.sessions import Whose, records_of
from apex_client.cli.unlikely_weights import WeightYes, ask_about_weight

if TYPE_CHECKING:
    from collections.abc import Mapping

    from apex_client.blocking.records import Record
    from apex_client.blocking.resources import AthleteResources
    from apex_sync.models import BodyMetrics

LISTED = 10
UNDONE_MAX = 1000
"""So many of the latest are looked through for what was written down last."""

INCH_CM = 2.54

_AMOUNT = re.compile(r"(\d+(?:[.,]\d+)?)\s*([a-z\"]*)", re.I)

Girth = Annotated[str | None, typer.Option(metavar="LENGTH", rich_help_panel="Girths")]


group = typer.Typer(
    help="Write down what the scale and the tape say (girths in cm, or 32.5in); without options, show the last of it.",
    epilog=examples(
        "apex measure --weight 82.4kg --body-fat 14",
        "apex measure --waist 82 --hips 98.5 --chest 104",
        "apex measure --waist 32.5in --date yesterday",
        "apex measure",
        "apex measure undo",
    ),
    rich_markup_mode="rich",
)


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(group, name="measure", rich_help_panel="Training")
    app.command(
        rich_help_panel="Training", epilog=examples("apex weigh 82.4kg", "apex weigh 181.5lb --date yesterday")
    )(weigh)


@group.callback(invoke_without_command=True)
def measure(
    context: typer.Context,
    weight: Annotated[str | None, typer.Option("--weight", metavar="WEIGHT", help="82.4, 82.4kg, 181.5lb.")] = None,
    body_fat: Annotated[float | None, typer.Option(metavar="PERCENT", help="Body fat.")] = None,
    chest: Girth = None,
    shoulders: Girth = None,
    biceps: Girth = None,
    arms: Girth = None,
    forearms: Girth = None,
    waist: Girth = None,
    hips: Girth = None,
    thighs: Girth = None,
    calves: Girth = None,
    note: Annotated[str | None, typer.Option(help="What the numbers do not say.")] = None,
    date: DayDone = None,
    yes: WeightYes = False,
    athlete: Whose = None,
    db: Db = NO_DB,
) -> None:
    """Write down what the scale and the tape say (girths in cm, or 32.5in); without options, show the last of it."""
    if context.invoked_subcommand is not None:
        use_from_here(db)
        return
    typed = {
        "chest_cm": chest, "shoulders_cm": shoulders, "biceps_cm": biceps, "arms_cm": arms, "forearms_cm": forearms,
        "waist_cm": waist, "hips_cm": hips, "thighs_cm": thighs, "calves_cm": calves,
    }  # fmt: skip
    girths: dict[str, Any] = {name: _length_cm(text) for name, text in typed.items() if text is not None}
    fields: dict[str, Any] = {"body_fat_percent": body_fat, "notes": note}
    fields = {name: value for name, value in fields.items() if value is not None}
    if girths:
        is_inches = any(_is_inches(text) for text in typed.values() if text is not None)
        fields["measurements"] = {**girths, "unit": "in" if is_inches else "cm"}
    if not fields and weight is None:
        with opened(db) as replica:
            _show(records_of(replica, athlete))
        return
    _write_down(weight, fields, date, athlete, db, yes=yes)


def weigh(
    weight: Annotated[str, typer.Argument(metavar="WEIGHT", help="82.4, 82.4kg, 181.5lb.")],
    date: DayDone = None,
    yes: WeightYes = False,
    athlete: Whose = None,
    db: Db = NO_DB,
) -> None:
    """Write a body weight down; apex measure takes more than the scale says, and apex measure undo takes it back."""
    _write_down(weight, {}, date, athlete, db, yes=yes)


@group.command(
    epilog=examples("apex measure undo", "apex measure undo --date yesterday", "apex measure undo --id 3f9a1c")
)
def undo(
    date: DayShown = None,
    named: Annotated[
        str | None, typer.Option("--id", metavar="ID", help="Which of several of a day, as undo names them.")
    ] = None,
    athlete: Whose = None,
    db: Db = NO_DB,
) -> None:
    """Take back what was written down last, of a day or of all days."""
    with opened(db) as replica:
        metrics = records_of(replica, athlete).body_metrics
        day = day_typed(date) if date else None
        held = metrics.list(since=day, until=day, limit=UNDONE_MAX)
        found = [each for each in held if named is None or each.id.endswith(named.casefold())]
        if not found:
            which = f"of the id {named}" if named else f"on {day}" if day else "yet"
            raise CommandFailed(f"nothing is measured {which}: apex measure")
        gone = max(found, key=lambda each: (each.get("created_at") or "", each.id))
        gone.delete()
        said(f"took back the measuring of {gone.get('date') or '?'}: {escaped(_in_a_line(gone))}")
        for each in metrics.on(gone["date"]) if gone.get("date") else ():
            said(f"[dim]that day also has {escaped(_in_a_line(each))}: --id {short_id(each.id)} takes it back[/]")


def _write_down(
    weight: str | None, fields: dict[str, Any], date: str | None, athlete: str | None, db: Db, *, yes: bool
) -> None:
    day = day_done(date)
    with opened(db, make=True) as replica:
        records = records_of(replica, athlete)
        if weight is not None:
            amount, unit = _amount(weight, "weight", ("kg", "lb"))
            unit = unit or typed_unit(records, None)
            ask_about_weight(records, amount, unit, day, yes=yes)
            fields |= {"weight": amount, "weight_unit": unit}
        records.body_metrics.create(date=day, **fields)
        said(f"written down for {day}")
        _show(records)


def _amount(text: str, what: str, units: tuple[str, ...]) -> tuple[float, str]:
    """Read a number with its unit, which may be missing. Raises WrongUsage."""
    found = _AMOUNT.fullmatch(text.strip())
    unit = found[2].lower().rstrip("s").replace('"', "in") if found else ""
    if found is None or unit not in ("", *units):
        raise WrongUsage(f"{text!r} is no {what}; write 82.4, 82.4{units[0]} or 32.5{units[1]}")
    return float(found[1].replace(",", ".")), unit


def _is_inches(text: str) -> bool:
    return _amount(text, "length", ("cm", "in"))[1] == "in"


def _length_cm(text: str) -> float:
    amount, unit = _amount(text, "length", ("cm", "in"))
    return round(amount * INCH_CM, 2) if unit == "in" else amount


def _show(records: "AthleteResources") -> None:
    found = records.body_metrics.list(limit=LISTED)
    if not found:
        said("nothing is measured yet; begin with: apex measure --weight 82.4kg --waist 82")
        return
    measured = [_figures(each) for each in found]
    used = [name for name in measured[0] if any(each[name] is not None for each in measured)]
    headings = ("weight", *map(_heading, used))
    listed = table("day", *headings, right=headings)
    for each, values in zip(found, measured, strict=True):
        cells = ("" if values[name] is None else f"{values[name]:g}" for name in used)
        listed.add_row(str(each.get("date") or "?"), _weight(each), *cells)
    shown(listed)
    said("[dim]girths in centimetres, body fat in per cent[/]")


def _figures(measuring: "Record[BodyMetrics]") -> "Mapping[str, float | None]":
    """Give body fat and girths by their names, each name whether or not it was measured."""
    from apex_client.flat_rows import GIRTHS

    girths = measuring.get("measurements") or {}
    return {"body_fat_percent": measuring.get("body_fat_percent"), **{name: girths.get(name) for name in GIRTHS}}


def _heading(name: str) -> str:
    return name.removesuffix("_cm").removesuffix("_percent").replace("_", " ")


def _weight(measuring: "Record[BodyMetrics]") -> str:
    weight = measuring.get("weight") or measuring.get("weight_kg")
    unit = (measuring.get("weight_unit") or "kg") if measuring.get("weight") else "kg"
    return "" if weight is None else f"{weight:g} {unit}"


def _in_a_line(measuring: "Record[BodyMetrics]") -> str:
    """Write what was measured in a line, each figure with its unit."""
    figures = [
        f"{_heading(name)} {value:g} {'%' if name.endswith('_percent') else 'cm'}"
        for name, value in _figures(measuring).items()
        if value is not None
    ]
    return ", ".join(filter(None, (_weight(measuring), *figures, measuring.get("notes"))))
