"""`apex program`: a coach's programs from a file to an athlete, and for the athlete what they follow."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from apex_client.cli.days import day_typed, today
from apex_client.cli.examples import examples
from apex_client.cli.failures import CommandFailed
from apex_client.cli.naming_exercises import settled_names
from apex_client.cli.opening import NO_DB, Db, opened, typed_unit, use_from_here
from apex_client.cli.program_loads import maxima_typed, tell_ended, tell_missing_loads
from apex_client.cli.program_screen import show_day
from apex_client.cli.screen import counted, escaped, moment, said, shown, table
from apex_client.cli.sessions import Whose, athlete_names, records_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from apex_client.blocking import Replica
    from apex_client.blocking.records import Record
    from apex_sync.models import Program

FILE_BYTES_MAX = 1024 * 1024
"""What a server takes at most; a year, written week by week, is 100 kB."""

LISTED_MAX = 1000

Named = Annotated[str, typer.Argument(metavar="PROGRAM", help="Its name, or the beginning of it, or its id.")]
Day = Annotated[str | None, typer.Option(metavar="DAY", help="As in 2026-03-02, or tomorrow.")]

group = typer.Typer(
    help="Programs: write one as text, look at a week of it, and let an athlete follow it.",
    epilog=examples(
        "apex program new upper_lower.txt",
        'apex program show "Upper and lower" --week 2',
        'apex program assign "Upper and lower" --athlete Anna --start 2026-03-02',
        'apex program versions "Upper and lower"',
    ),
    rich_markup_mode="rich",
)


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(group, name="program", rich_help_panel="Coaching")


@group.callback(invoke_without_command=True)
def _program(context: typer.Context, db: Db = NO_DB) -> None:
    if context.invoked_subcommand is None:
        list_programs(db=db)
    else:
        use_from_here(db)


@group.command("list", epilog=examples("apex program list", "apex program list --athlete Anna"))
def list_programs(athlete: Whose = None, db: Db = NO_DB) -> None:
    """List programs: a coach's templates and what athletes follow; the same as `apex program` alone."""
    with opened(db) as replica:
        source = replica if athlete is None else records_of(replica, athlete)
        programs = source.programs.list(limit=LISTED_MAX)
        if not programs:
            said("there are no programs yet; a coach makes one with: apex program new FILE")
            return
        names = athlete_names(replica)
        listed = table("program", "athlete", "status", "from", "to", "weeks", right=("weeks",))
        for one in sorted(programs, key=lambda one: (_is_template(one), one.get("start_date") or "", one.id)):
            listed.add_row(
                escaped(one.get("name") or "?"),
                escaped(_whose(one, names)),
                escaped(one.get("status") or ""),
                one.get("start_date") or "",
                one.get("end_date") or "",
                str(one.get("duration_weeks") or ""),
            )
        shown(listed)


@group.command(epilog=examples('apex program show "Upper and lower"', "apex program show Base --week 3 --athlete Anna"))
def show(
    program: Named,
    week: Annotated[int, typer.Option(metavar="N", min=1, max=104, help="Which week of it.")] = 1,
    version: Annotated[int | None, typer.Option(metavar="NUMBER", help="As it was: see apex program versions.")] = None,
    athlete: Whose = None,
    db: Db = NO_DB,
) -> None:
    """Show a week of a program, with supersets, circuits, tempo, and the loads that per cents have become."""
    with opened(db) as replica:
        found = _named(replica, program, athlete, to_show=True)
        _show(replica, found, found.record if version is None else _as_of(replica, found, version), week)


@group.command(epilog=examples("apex program new upper_lower.txt", "apex program new base.json --name Base"))
def new(
    file: Annotated[
        Path,
        typer.Argument(exists=True, dir_okay=False, help="Text (see docs/programs.md), or JSON as the API has it."),
    ],
    name: Annotated[str | None, typer.Option(help="What it is called; default: as the file says.")] = None,
    yes: Annotated[
        bool, typer.Option("--yes", metavar="", help="Do not ask about exercises that no library knows; keep them.")
    ] = False,
    db: Db = NO_DB,
) -> None:
    """Make a template from a file; exercises that no library knows are asked about."""
    fields = _read(file)
    with opened(db) as replica:
        _refuse_athletes(replica)
        called = name or fields.get("name")
        if any(_is_template(one) and one.get("name") == called for one in replica.programs.list(limit=LISTED_MAX)):
            raise CommandFailed(f"{called!r} is there already: give this one a --name, or apex program remove that one")
        exercises = _named_only(fields)
        settled = settled_names(replica, [each["name"] for each in exercises], yes=yes)
        for each in exercises:
            each["name"] = settled.get(each["name"], each["name"])
        made = replica.programs.create(fields, **({"name": name} if name else {}))
        _tell_problems(made)
        said(f"made {escaped(made['name'])}: {_size(made)}; let somebody follow it: apex program assign")


@group.command(epilog=examples('apex program clone "Upper and lower" --name "Upper and lower II"'))
def clone(
    program: Named,
    name: Annotated[str | None, typer.Option(help="What the copy is called.")] = None,
    athlete: Whose = None,
    db: Db = NO_DB,
) -> None:
    """Make a template from a program: a draft without dates and athlete."""
    with opened(db) as replica:
        _refuse_athletes(replica)
        made = replica.programs.clone(_named(replica, program, athlete), name=name)
        said(f"made {escaped(made['name'])}, a draft of yours")


@group.command(epilog=examples('apex program assign "Upper and lower" --athlete Anna --start 2026-03-02'))
def assign(
    program: Named,
    athlete: Annotated[str, typer.Option("--athlete", metavar="NAME", help="Who is to follow it, by name or id.")],
    start: Day = None,
    end: Day = None,
    keep: Annotated[
        bool, typer.Option("--keep", metavar="", help="Leave what they follow in these days as it is.")
    ] = False,
    db: Db = NO_DB,
) -> None:
    """Let an athlete follow a program, by itself from the next Monday (or today, if it is one).

    What they follow in the same days ends, and per cents become loads.
    """
    with opened(db) as replica:
        _refuse_athletes(replica)
        template = _named(replica, program, None)
        to = records_of(replica, athlete)
        first, last = (day_typed(day) if day else None for day in (start, end))
        made = replica.programs.assign(template, to.id, start_date=first, end_date=last, keep=keep)  # type: ignore[attr-defined]
        _refuse_what_stands(made, last)
        days = f" from {made['start_date']}{'' if start else ', as no --start is given'}"
        until = f" to {made['end_date']}" if made.get("end_date") else ""
        said(f"{escaped(_whose(made, athlete_names(replica)))} follows {escaped(made['name'])}{days}{until}")
        tell_ended(made.ended)
        tell_missing_loads(made, athlete)


@group.command(
    epilog=examples(
        'apex program loads "Upper and lower" --athlete Anna',
        "apex program loads Base --athlete Anna --max Squat=140kg --max 'Bench Press=100kg'",
    )
)
def loads(
    program: Named,
    athlete: Annotated[str, typer.Option("--athlete", metavar="NAME", help="Who follows it, by name or id.")],
    maxima: Annotated[
        list[str] | None, typer.Option("--max", metavar="LIFT=WEIGHT", help="A maximum that no log shows; repeat it.")
    ] = None,
    anew: Annotated[
        bool, typer.Option("--anew", metavar="", help="All sets in per cent, not only those without a load.")
    ] = False,
    db: Db = NO_DB,
) -> None:
    """Give sets in per cent their loads, from the best sets of twelve weeks or a maximum; days that are over stay."""
    with opened(db) as replica:
        _refuse_athletes(replica)
        found = _named(replica, program, athlete, followed=True)
        stated = maxima_typed(maxima or (), typed_unit(records_of(replica, athlete), None))
        given = replica.programs.resolve_loads(found, maxima_kg=stated, anew=anew)
        before, now = _loads(found), _loads(given)
        changed = sum(now[key] != before.get(key) for key in now)
        said(f"{escaped(given['name'])}: {counted(changed, 'set')} with a new load")
        tell_missing_loads(given, athlete)


@group.command(epilog=examples('apex program end "Upper and lower" --athlete Anna'))
def end(
    program: Named,
    on: Annotated[str | None, typer.Option(metavar="DAY", help="The last day of it; default: today.")] = None,
    athlete: Whose = None,
    db: Db = NO_DB,
) -> None:
    """End a program that an athlete follows; what was logged with it stays as it is."""
    with opened(db) as replica:
        _refuse_athletes(replica)
        found = _named(replica, program, athlete, followed=True)
        if _is_template(found):
            raise CommandFailed(
                f"{found.get('name')!r} is a template, which nobody follows: apex program list shows who follows what, "
                "apex program remove takes a template away"
            )
        last = day_typed(on) if on else today().isoformat()
        begins_later = (found.get("start_date") or "") > last
        found.edit({"status": "archived"} if begins_later else {"status": "completed", "end_date": last})
        said(f"{escaped(found['name'])} {'never begins' if begins_later else f'ends on {last}'}")


@group.command(epilog=examples('apex program remove "Upper and lower"'))
def remove(program: Named, db: Db = NO_DB) -> None:
    """Remove a template; whoever follows a copy of it goes on."""
    with opened(db) as replica:
        _refuse_athletes(replica)
        found = _named(replica, program, None)
        if not _is_template(found):
            raise CommandFailed(f"{found.get('name')!r} is followed by an athlete: apex program end")
        found.delete()
        said(f"{escaped(found.get('name') or '?')} is removed")


@group.command(epilog=examples('apex program versions "Upper and lower"', "apex program show Base --version 2"))
def versions(program: Named, athlete: Whose = None, db: Db = NO_DB) -> None:
    """List what was changed in a program and when, the latest first."""
    with opened(db) as replica:
        found = _named(replica, program, athlete)
        listed = table("version", "when", "what changed", right=("version",))
        for each in replica.programs.versions(found):
            words = [change.words for change in each.changes] or ["what came before is remembered as one version"]
            told = "\n".join(map(escaped, [*words, *(["…"] if each.more else [])]))
            listed.add_row(str(each.number), moment(each.stamp), told)
        shown(listed)


def _show(replica: "Replica", found: "Record[Program]", record: "Program", week: int) -> None:
    from apex_sync.coaching.session_plan import planned_days

    days = planned_days(record)
    in_week = [day for day in days if day.week_number == week]
    last = max((day.week_number for day in days), default=0)
    if not in_week:
        raise CommandFailed(f"it has weeks 1 to {last}, and no week {week}" if days else "it has no days yet")
    whose = _whose(found, athlete_names(replica))
    deloads = [one.week_number for one in (record.weeks or {}).values() if one.deload is True]
    said(f"[bold]{escaped(record.name or '?')}[/]  {escaped(whose)}, week {week} of {last}"
         f"{', a deload' if week in deloads else ''}")  # fmt: skip
    for day in in_week:
        said("")
        show_day(day)
    _tell_problems(found)


def _as_of(replica: "Replica", found: "Record[Program]", version: int) -> "Program":
    wanted = [each for each in replica.programs.versions(found, limit=LISTED_MAX) if each.number == version]
    if not wanted:
        raise CommandFailed(f"it has no version {version}; see apex program versions")
    return replica.programs.as_of(found, wanted[0].stamp)


def _read(file: Path) -> dict[str, Any]:
    """Read a program from a file, text or JSON. Raises CommandFailed."""
    from apex_sync.coaching.program_text import UnreadableProgram, read_program

    if file.stat().st_size > FILE_BYTES_MAX:
        raise CommandFailed(f"{file.name} is larger than a program may be")
    try:
        text = file.read_text("utf-8-sig")
        if file.suffix != ".json":
            return read_program(text)
        fields = json.loads(text)
    except UnicodeDecodeError as error:
        raise CommandFailed(f"{file.name} is not UTF-8: save it as such") from error
    except UnreadableProgram as error:
        raise CommandFailed(f"{file.name}, {error}") from error
    except (ValueError, RecursionError) as error:
        raise CommandFailed(f"{file.name} is not JSON: {error}") from error
    if not isinstance(fields, dict):
        raise CommandFailed(f"{file.name} holds no program: expected an object with a name, weeks, days …")
    return fields


def _named_only(fields: dict[str, Any]) -> list[dict[str, Any]]:
    """Give the exercises of a program that say by a name alone what they are; whether all is sound, is judged later."""
    held = fields.get("exercises")
    entries = held.values() if isinstance(held, dict) else ()
    return [
        each
        for each in entries
        if isinstance(each, dict) and isinstance(each.get("name"), str) and not each.get("exercise_id")
    ]


def _named(
    replica: "Replica", named: str, athlete: str | None, *, followed: bool = False, to_show: bool = False
) -> "Record[Program]":
    """Find the program that is meant: a coach's own before copies of it, or what is followed. Raises CommandFailed.

    Of several `to_show`, it is the one that is followed today, else the one made last, and that is told.
    """
    source = replica if athlete is None else records_of(replica, athlete)
    programs = source.programs.list(limit=LISTED_MAX)
    wanted = named.casefold()
    called = [one for one in programs if one.id == named or (one.get("name") or "").casefold() == wanted]
    called = called or [one for one in programs if wanted and (one.get("name") or "").casefold().startswith(wanted)]
    preferred = [one for one in called if (one.get("status") == "active" if followed else _is_template(one))]
    meant = preferred or called
    if len(meant) == 1:
        return meant[0]
    names = athlete_names(replica)
    listed = ", ".join(
        f"{one.get('name') or '?'} of {_whose(one, names)} ({one.id})" for one in (meant or programs)[:10]
    )
    if meant and to_show:
        return _followed_or_newest(meant, named)
    if meant:
        raise CommandFailed(f"{named!r} is more than one program: name it by its id, of {listed}")
    raise CommandFailed(f"there is no program {named!r}; there is {listed or 'none yet'}")


def _followed_or_newest(programs: "Sequence[Record[Program]]", named: str) -> "Record[Program]":
    from apex_sync.coaching.plan import followed_on

    active = followed_on([(one.id, one.record) for one in programs], today())
    newest = max(programs, key=lambda one: (one.get("created_at") or "", one.id))
    shown_one = newest if active is None else next(one for one in programs if one.id == active[0])
    why = "made last" if active is None else "followed now"
    said(f"[dim]{len(programs)} programs are called {escaped(named)}; this is the one {why}, {shown_one.id}[/]")
    return shown_one


def _is_template(program: "Record[Program]") -> bool:
    return not program.scope.startswith(("athlete:", "self"))


def _whose(program: "Record[Program]", names: dict[str, str]) -> str:
    if program.scope.startswith("coach:"):
        return "template"
    return names.get(program.athlete_id, "you" if not names else program.athlete_id)


def _size(program: "Record[Program]") -> str:
    counts = ((len(program.get(field) or {}), noun) for field, noun in
              (("weeks", "week"), ("days", "day"), ("exercises", "exercise"), ("sets", "set")))  # fmt: skip
    return ", ".join(counted(count, noun) for count, noun in counts)


def _loads(program: "Record[Program]") -> dict[str, float | None]:
    return {key: one.get("load_kg") for key, one in (program.get("sets") or {}).items()}


def _refuse_athletes(replica: "Replica") -> None:
    """Return where programs may be written. Raises CommandFailed."""
    if replica.user is None or replica.user.role == "athlete":
        raise CommandFailed("programs are a coach's to write; sign in as a coach, with another --db")


def _refuse_what_stands(assigned: "Record[Program]", end: str | None) -> None:
    """Return where a program is followed as it was asked for, and not as an assignment of before has it."""
    if assigned.get("status") != "active" or end not in (None, assigned.get("end_date")):
        since, until = assigned.get("start_date") or "any day", assigned.get("end_date")
        raise CommandFailed(
            f"they had {assigned.get('name')!r} already, {assigned.get('status')}, from {since}"
            f"{f' to {until}' if until else ''}; to begin it anew, name another first day: --start"
        )


def _tell_problems(program: "Record[Program]") -> None:
    for problem in program.snapshot.problems:
        said(f"[yellow]look at[/] {escaped(problem.field)}: {escaped(problem.message)}")
