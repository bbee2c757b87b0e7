"""`apex client`: one of a coach's athletes at a glance, and what happened to them, from this device alone."""

from typing import TYPE_CHECKING, Annotated

import typer

from apex_client.cli.examples import examples
from apex_client.cli.failures import CommandFailed, WrongUsage
from apex_client.cli.happened import KINDS, kind_in_words, told
from apex_client.cli.opening import NO_DB, Db, opened
from apex_client.cli.screen import counted, escaped, said, shown, shown_json, table
from apex_client.cli.sessions import athlete_id_of, records_of

if TYPE_CHECKING:
    from apex_client.client_dashboard import ClientDashboard
    from apex_client.standing import TimelineEntry

MUSCLES_SHOWN = 6
DAYS_SHOWN = 7

REASONS = {
    "set_by_coach": "as you set it",
    "silent": "nothing for four weeks",
    "check_in_overdue": "a check-in is three days late",
    "check_in_late": "a check-in is late",
    "low_adherence": "few sessions, two weeks running",
    "critical_insight": "a critical insight waits",
}


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        rich_help_panel="Coaching",
        epilog=examples("apex client Anna", "apex client Anna --kind check-in --limit 50", "apex client Anna --json"),
    )(client)


def client(
    athlete: Annotated[str, typer.Argument(metavar="ATHLETE", help="The athlete's name, or the beginning of it.")],
    kind: Annotated[
        str | None, typer.Option("--kind", metavar="KIND", help=f"Only what happened of one kind: {', '.join(KINDS)}.")
    ] = None,
    limit: Annotated[int, typer.Option(metavar="N", min=1, max=1000, help="How much of what happened.")] = 15,
    json: Annotated[bool, typer.Option("--json", metavar="", help="For programs: one JSON object.")] = False,
    db: Db = NO_DB,
) -> None:
    """Show an athlete at a glance: how they stand, four weeks of training, weight and food, and what happened last.

    It shows what this device has, and needs no network.
    """
    wanted = next((known for word, known in KINDS.items() if kind in (word, known)), None)
    if kind is not None and wanted is None:
        raise WrongUsage(f"{kind!r} is no kind of what happens; there are {', '.join(KINDS)}")
    with opened(db) as replica:
        athlete_id = athlete_id_of(records_of(replica, athlete))
        if athlete_id is None:
            raise CommandFailed("this is for coaches: an athlete has no clients")
        dashboard = replica.clients.dashboard(athlete_id)
        notes = replica.athlete(athlete_id).client_file.get().get("notes") or ""
        entries = replica.clients.timeline(athlete_id, kind=wanted, limit=limit)
    if json:
        shown_json({"dashboard": dashboard, "timeline": entries})
        return
    if wanted is None:
        _standing(dashboard, notes)
        _training(dashboard)
        _food(dashboard)
    _happened(entries)


def _standing(found: "ClientDashboard", notes: str) -> None:
    client = found.client
    why = ", ".join(REASONS.get(reason, reason) for reason in client.reasons)
    adherence = client.adherence
    parts = [
        f"{name} {percent:.0f} %"
        for name, percent in (
            ("sessions", adherence.workouts), ("food", adherence.nutrition), ("check-ins", adherence.check_ins),
        )
        if percent is not None
    ]  # fmt: skip
    overall = "nothing was due" if adherence.overall is None else f"{adherence.overall:.0f} % ({', '.join(parts)})"
    lines = [
        ("status", f"{client.status}{f' ({why})' if why else ''}"),
        ("adherence", overall),
        ("program", _program(found)),
        ("weight", _weight(found)),
        ("check-in due", str(client.next_check_in_due)),
        ("waits for you", _waiting(found)),
        ("tags", ", ".join(client.tags)),
        ("note", notes),
    ]
    grid = table("", "")
    grid.show_header = False
    for name, value in lines:
        if value:
            grid.add_row(f"[dim]{name}[/]", "\n".join(map(escaped, value.splitlines())))
    said(f"[bold]{escaped(client.name)}[/]")
    shown(grid)


def _program(found: "ClientDashboard") -> str:
    program = found.program
    if program is None:
        return ""
    week = f", week {program.week_number} of {program.week_count}" if program.week_number else ""
    return f"{program.name or 'without a name'}{week}"


def _weight(found: "ClientDashboard") -> str:
    weight = found.weight
    if weight is None:
        return ""
    pace = "" if weight.kg_per_week is None else f", {weight.kg_per_week:+.2f} kg a week"
    return f"{weight.trend_kg:.1f} kg on {weight.as_of}{pace}{' (few readings)' if weight.low_confidence else ''}"


def _waiting(found: "ClientDashboard") -> str:
    unread = found.messages.unread if found.messages else 0
    waiting = (
        (found.client.check_ins_to_review, "check-in", ""),
        (unread, "message", ""),
        (len(found.insights), "insight", ""),
        (len(found.to_look_at), "record to look at", "records to look at"),
    )
    return ", ".join(counted(number, noun, plural) for number, noun, plural in waiting if number)


def _training(found: "ClientDashboard") -> None:
    if found.workouts:
        sessions = table(
            "session", "", "minutes", "sets", "hard", "volume", "RPE",
            right=("minutes", "sets", "hard", "volume", "RPE"),
        )  # fmt: skip
        for each in found.workouts[:DAYS_SHOWN]:
            sessions.add_row(
                str(each.date), escaped(each.title or ""), _number(each.duration_minutes), str(each.sets),
                f"{each.working_sets:g}", _volume(each.volume_load_kg, each.body_weight_reps),
                _number(each.average_rpe, 1),
            )  # fmt: skip
        shown(sessions)
    weeks = sorted({each.week for each in found.volume}, reverse=True)
    if weeks:
        latest = sorted(
            (each for each in found.volume if each.week == weeks[0]), key=lambda each: -each.fractional_sets
        )
        muscles = ", ".join(
            f"{each.muscle.replace('_', ' ')} {each.fractional_sets:g}" for each in latest[:MUSCLES_SHOWN]
        )
        said(f"[dim]hard sets in the week of {weeks[0]}:[/] {escaped(muscles)}")


def _volume(volume_load_kg: float, body_weight_reps: int) -> str:
    """Say what was moved, and the reps of a body whose weight nobody knows.

    >>> _volume(4312.5, 0), _volume(480.0, 23), _volume(0.0, 1)
    ('4,312 kg', '480 kg, 23 reps', '0 kg, 1 rep')
    """
    reps = f", {counted(body_weight_reps, 'rep')}" if body_weight_reps else ""
    return f"{volume_load_kg:,.0f} kg{reps}"


def _food(found: "ClientDashboard") -> None:
    if not found.nutrition:
        return
    days = table("eaten on", "kcal", "protein", "score", right=("kcal", "protein", "score"))
    for each in found.nutrition[: -DAYS_SHOWN - 1 : -1]:
        days.add_row(
            str(each.date),
            _against(each.energy_kcal, each.target_energy_kcal, ""),
            _against(each.protein_g, each.target_protein_g, " g"),
            "" if each.percent is None else f"{each.percent:.0f} %",
        )
    shown(days)


def _against(eaten: float | None, asked: float | None, unit: str) -> str:
    shown_eaten = "?" if eaten is None else f"{eaten:,.0f}{unit}"
    return shown_eaten if asked is None else f"{shown_eaten} of {asked:,.0f}{unit}"


def _happened(entries: "list[TimelineEntry]") -> None:
    if not entries:
        said("nothing happened yet, as far as this device knows; apex sync brings what is new")
        return
    listed = table("when", "what", "")
    for entry in entries:
        clock = "" if entry.time.time().isoformat() == "00:00:00" else f" {entry.time:%H:%M}"
        listed.add_row(f"{entry.date}{clock}", kind_in_words(entry.kind), escaped(told(entry)))
    shown(listed)


def _number(value: float | None, digits: int = 0) -> str:
    return "" if value is None else f"{value:.{digits}f}"
