"""`apex measure` and `apex weigh`: body weight, body fat and girths, apart from any check-in."""

import re
from typing import TYPE_CHECKING, Annotated, Any

import typer

from apex_client.cli.days import DayDone, day_done
from apex_client.cli.examples import examples
from apex_client.cli.failures import WrongUsage
from apex_client.cli.opening import NO_DB, Db, opened, typed_unit
from apex_client.cli.screen import said, shown, table
from apex_client.cli.sessions import Whose, records_of

if TYPE_CHECKING:
    from apex_client.blocking.resources import AthleteResources

LISTED = 10
INCH_CM = 2.54

_AMOUNT = re.compile(r"(\d+(?:[.,]\d+)?)\s*([a-z\"]*)", re.I)

Girth = Annotated[str | None, typer.Option(metavar="LENGTH", rich_help_panel="Girths")]


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(
        rich_help_panel="Training",
        epilog=examples(
            "apex measure --weight 82.4kg --body-fat 14",
            "apex measure --waist 82 --hips 98.5 --chest 104",
            "apex measure --waist 32.5in --date yesterday",
            "apex measure",
        ),
    )(measure)
    app.command(
        rich_help_panel="Training", epilog=examples("apex weigh 82.4kg", "apex weigh 181.5lb --date yesterday")
    )(weigh)


def measure(
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
    athlete: Whose = None,
    db: Db = NO_DB,
) -> None:
    """Write down what the scale and the tape say (girths in cm, or 32.5in); without options, show the last of it."""
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
    day = day_done(date)
    with opened(db, make=True) as replica:
        records = records_of(replica, athlete)
        if weight is not None:
            amount, unit = _amount(weight, "weight", ("kg", "lb"))
            fields |= {"weight": amount, "weight_unit": unit or typed_unit(records, None)}
        records.body_metrics.create(date=day, **fields)
        said(f"written down for {day}")
        _show(records)


def weigh(
    weight: Annotated[str, typer.Argument(metavar="WEIGHT", help="82.4, 82.4kg, 181.5lb.")],
    date: DayDone = None,
    athlete: Whose = None,
    db: Db = NO_DB,
) -> None:
    """Write a body weight down; apex measure takes more than the scale says."""
    measure(weight=weight, date=date, athlete=athlete, db=db)


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
    from apex_client.flat_rows import GIRTHS

    found = records.body_metrics.list(limit=LISTED)
    if not found:
        said("nothing is measured yet; begin with: apex measure --weight 82.4kg --waist 82")
        return
    measured = [
        {**(each.get("measurements") or {}), "body_fat_percent": each.get("body_fat_percent")} for each in found
    ]
    used = [name for name in ("body_fat_percent", *GIRTHS) if any(each.get(name) is not None for each in measured)]
    headings = ("weight", *(name.removesuffix("_cm").removesuffix("_percent").replace("_", " ") for name in used))
    listed = table("day", *headings, right=headings)
    for each, values in zip(found, measured, strict=True):
        weight = each.get("weight") or each.get("weight_kg")
        unit = (each.get("weight_unit") or "kg") if each.get("weight") else "kg"
        cells = ("" if values.get(name) is None else f"{values[name]:g}" for name in used)
        listed.add_row(str(each.get("date") or "?"), "" if weight is None else f"{weight:g} {unit}", *cells)
    shown(listed)
    said("[dim]girths in centimetres, body fat in per cent[/]")
