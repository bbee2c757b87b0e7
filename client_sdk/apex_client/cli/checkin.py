"""`apex checkin`: the day's report to the coach."""

import re
from typing import TYPE_CHECKING, Annotated, Any

import typer

from apex_client.cli.days import DayDone, DayShown, day_done, day_typed
from apex_client.cli.examples import examples
from apex_client.cli.failures import CommandFailed, WrongUsage
from apex_client.cli.opening import NO_DB, Db, opened, typed_unit, use_from_here
from apex_client.cli.questions import (
    answered_lines,
    asked_answers,
    offered,
    show_own,
    show_questions,
    tell_of_others,
    typed_answers,
)
from apex_client.cli.screen import escaped, said, shown, table
from apex_client.cli.sessions import Whose, athlete_names, is_coach, records_of
from apex_client.cli.unlikely_weights import WeightYes, ask_about_weight

if TYPE_CHECKING:
    from collections.abc import Mapping

    from apex_client.blocking import Replica
    from apex_client.blocking.checkins import CheckIn
    from apex_client.blocking.resources import AthleteResources

ANSWERS = "Answers"

_WEIGHT = re.compile(r"(\d+(?:[.,]\d+)?)\s*(kg|kgs|lb|lbs)?", re.I)

Answer = Annotated[int | None, typer.Option(metavar="1-10", rich_help_panel=ANSWERS)]

Questions = Annotated[
    str | None,
    typer.Option("--questionnaire", metavar="NAME", help="Which of several your coach has; default: the newest."),
]


group = typer.Typer(
    help="Report to the coach; without answers, show the latest check-in and what the coach said.\n\n"
    "A second check-in on the same day adds to the first.",
    epilog=examples(
        "apex checkin --weight 82.4kg --energy 7 --sleep 6 --stress 4",
        'apex checkin --soreness 8 --note "Legs are gone." --draft',
        "apex checkin questions",
        "apex checkin --answer 1=7 --answer 2=yes",
        'apex checkin --questionnaire "Every day" --answer 1=7',
        "apex checkin",
        "apex checkin undo",
        "apex checkin pending",
        'apex checkin review "Well done; rest a day." --athlete Anna',
    ),
    rich_markup_mode="rich",
)


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(group, name="checkin", rich_help_panel="Training")


@group.callback(invoke_without_command=True)
def checkin(
    context: typer.Context,
    weight: Annotated[
        str | None, typer.Option("--weight", metavar="WEIGHT", help="Body weight: 82.4, 82.4kg, 181.5lb.")
    ] = None,
    body_fat: Annotated[float | None, typer.Option(metavar="PERCENT", help="Body fat.")] = None,
    waist: Annotated[float | None, typer.Option(metavar="CM", help="Girth of the waist.")] = None,
    energy: Answer = None,
    sleep: Answer = None,
    stress: Answer = None,
    soreness: Answer = None,
    hunger: Answer = None,
    adherence: Answer = None,
    enjoyment: Answer = None,
    motivation: Answer = None,
    answer: Annotated[
        list[str] | None,
        typer.Option(metavar="NUMBER=ANSWER", help="One of your coach's own questions; a terminal asks them."),
    ] = None,
    questionnaire: Questions = None,
    note: Annotated[str | None, typer.Option(help="What the numbers do not say.")] = None,
    date: DayDone = None,
    yes: WeightYes = False,
    draft: Annotated[bool, typer.Option("--draft", metavar="", help="Keep it to yourself for now.")] = False,
    athlete: Whose = None,
    db: Db = NO_DB,
) -> None:
    """Report to the coach; without answers, show the latest check-in and what the coach said.

    A second check-in on the same day adds to the first.
    """
    if context.invoked_subcommand is not None:
        use_from_here(db)
        return
    responses = {
        "energy": energy, "sleep": sleep, "stress": stress, "soreness": soreness, "hunger": hunger,
        "adherence": adherence, "enjoyment": enjoyment, "motivation": motivation,
    }  # fmt: skip
    given: dict[str, Any] = {
        "responses": {name: value for name, value in responses.items() if value is not None},
        "measurements": {} if waist is None else {"waist": waist},
        "body_fat_percent": body_fat,
        "notes": note,
    }
    fields = {name: value for name, value in given.items() if value not in (None, {})}
    if weight is None and not fields and not answer and questionnaire is None:
        with opened(db) as replica:
            _show_latest(records_of(replica, athlete, only_one=True), day_typed(date) if date else None)
        return
    with opened(db, make=True) as replica:
        records = records_of(replica, athlete, only_one=True)
        day = day_done(date)
        if weight is not None:
            given_weight = _weight(records, weight)
            ask_about_weight(records, given_weight["weight"], given_weight["unit"], day, yes=yes)
            fields |= given_weight
        same_day = records.checkins.on(day)
        asked = offered(replica, same_day, questionnaire)
        answers = typed_answers(asked, answer or ())
        if asked is not None and not draft:
            answers |= asked_answers(asked, {**_given(same_day), **answers})
        if not fields and not answers:
            raise WrongUsage("nothing is answered; write 1=7 for the first question: apex checkin --answer 1=7")
        if asked is not None and answers:
            fields |= {"questionnaire_id": asked.id, "questionnaire": answers}
        check_in, replaced = _report(records, day, same_day, fields)
        if not draft and not check_in.submitted:
            check_in.submit()
        state = "handed to the coach with the next sync" if check_in.submitted else "a draft: apex checkin submits it"
        said(f"check-in of {check_in.date} saved, {state}")
        if asked is not None and check_in.submitted:
            _tell_what_is_open(check_in, asked.get("name"))
        for name, before, now in replaced:
            said(f"[dim]{name}:[/] {escaped(now)} in place of {escaped(before)}")


@group.command(epilog=examples("apex checkin undo", "apex checkin undo --date yesterday"))
def undo(
    date: DayShown = None,
    athlete: Whose = None,
    db: Db = NO_DB,
) -> None:
    """Take a check-in back, as long as the coach has not answered it."""
    with opened(db) as replica:
        found = _found(records_of(replica, athlete, only_one=True), day_typed(date) if date else None)[0]
        if found.coach_reviewed:
            raise CommandFailed(
                f"the coach has answered the check-in of {found.date}; correct it instead: "
                f"apex checkin --date {found.date} --energy 7"
            )
        found.delete()
        said(f"took back the check-in of {found.date}: {_in_a_line(found)}")


@group.command(
    epilog=examples(
        "apex checkin questions",
        "apex checkin --answer 1=7 --answer 2=yes",
        'apex checkin questions --questionnaire "Every day"',
        "apex checkin questions --athlete Anna",
    )
)
def questions(
    questionnaire: Questions = None,
    date: DayDone = None,
    athlete: Whose = None,
    db: Db = NO_DB,
) -> None:
    """Show your coach's own questions, and what you have answered of them.

    A coach sees the questionnaires of their own, or with an athlete what that one is asked and has answered.
    """
    with opened(db) as replica:
        if is_coach(replica) and athlete is None:
            show_own(replica, questionnaire)
            return
        same_day = records_of(replica, athlete, only_one=True).checkins.on(day_done(date))
        asked = offered(replica, same_day, questionnaire)
        if asked is None:
            raise CommandFailed("your coach asks no questions of their own; apex sync brings them")
        show_questions(asked, _given(same_day), to_answer=not is_coach(replica))
        tell_of_others(replica, asked)


@group.command(epilog=examples("apex checkin pending", "apex checkin pending --athlete Anna"))
def pending(athlete: Whose = None, db: Db = NO_DB) -> None:
    """For a coach: list what waits for your answer, the most urgent first."""
    with opened(db) as replica:
        _require_coach(replica)
        source = replica if athlete is None else records_of(replica, athlete, only_one=True)
        found = source.checkins.pending()
        names = athlete_names(replica)
    if not found:
        said("nothing waits for your answer, as far as this device knows")
        return
    listed = table("day", "athlete", "answers")
    for check_in in found:
        listed.add_row(str(check_in.date), escaped(names.get(check_in.athlete_id, "?")), _in_a_line(check_in))
    shown(listed)
    said("[dim]to answer: apex checkin review FEEDBACK --athlete NAME[/]")


@group.command(
    epilog=examples(
        'apex checkin review "Well done; rest a day." --athlete Anna',
        "apex checkin review --athlete Anna --date 2026-03-01",
    )
)
def review(
    feedback: Annotated[str | None, typer.Argument(help="What you say to it; nothing marks it reviewed alone.")] = None,
    date: DayShown = None,
    athlete: Whose = None,
    db: Db = NO_DB,
) -> None:
    """For a coach: answer a check-in, the one that waits or that of a day, and mark it reviewed."""
    with opened(db) as replica:
        _require_coach(replica)
        records = records_of(replica, athlete, only_one=True)
        found = _to_review(records, day_typed(date) if date else None)
        before = found.coach_feedback
        found = found.review(feedback)
        _show(found)
        said("answered; apex sync takes it along")
        if feedback is not None and before not in (None, feedback):
            said(f"[dim]in place of:[/] {escaped(before)}")


def _require_coach(replica: "Replica") -> None:
    if not is_coach(replica):
        raise CommandFailed("this is for coaches: an athlete's own check-in is apex checkin")


def _to_review(records: "AthleteResources", day: str | None) -> "CheckIn":
    """Give the check-in of a day, or the one that waits. Raises CommandFailed where there is none, or are several."""
    waiting = records.checkins.pending()
    if day is not None:
        handed_in = [each for each in records.checkins.on(day) if each.submitted]
        found = [each for each in handed_in if not each.coach_reviewed] or handed_in
        if not found:
            raise CommandFailed(f"no check-in of {day} was handed in; apex checkin pending lists what waits")
        return found[0]
    if not waiting:
        raise CommandFailed("no check-in waits for your answer; name the day of one: --date 2026-03-01")
    if len(waiting) > 1:
        days = ", ".join(str(each.date) for each in waiting)
        raise CommandFailed(f"{len(waiting)} check-ins wait for your answer; name the day of one: --date, of {days}")
    return waiting[0]


def _given(same_day: "list[CheckIn]") -> dict[str, Any]:
    return same_day[0].get("questionnaire") or {} if same_day else {}


def _tell_what_is_open(check_in: "CheckIn", name: str | None) -> None:
    """Say which questions wait for a right answer, or that there are any; an answer may also come later."""
    if not check_in.get("questionnaire_id"):
        said(f"[dim]your coach also asks:[/] {escaped(name or 'some questions')}; apex checkin questions lists them")
    for one in check_in.questions():
        if one.problem:
            said(f"[yellow]{escaped(one.text)}[/] {escaped(one.problem[0].lower() + one.problem[1:])}")


def _report(
    records: "AthleteResources", day: str, same_day: "list[CheckIn]", fields: dict[str, Any]
) -> "tuple[CheckIn, list[tuple[str, object, object]]]":
    """Add to the day's check-in, or begin it; with each answer that another took the place of."""
    if not same_day:
        return records.checkins.draft(date=day, **fields), []
    before = _answers(same_day[0]) | dict(answered_lines(same_day[0].questions()))
    check_in = same_day[0].edit(**fields)
    now = _answers(check_in) | dict(answered_lines(check_in.questions()))
    return check_in, [(name, before[name], now[name]) for name in now if before.get(name, now[name]) != now[name]]


def _weight(records: "AthleteResources", text: str) -> dict[str, Any]:
    found = _WEIGHT.fullmatch(text.strip())
    if found is None:
        raise WrongUsage(f"{text!r} is no weight; write 82.4, 82.4kg or 181.5lb")
    unit = found[2].lower().rstrip("s") if found[2] else typed_unit(records, None)
    return {"weight": float(found[1].replace(",", ".")), "unit": unit}


def _show_latest(records: "AthleteResources", day: str | None) -> None:
    found = _found(records, day)
    # Two devices may both have reported on a day; each report is shown.
    for check_in in records.checkins.on(found[0].date) if found[0].date else found[:1]:
        _show(check_in)


def _found(records: "AthleteResources", day: str | None) -> "list[CheckIn]":
    """Give the check-ins of a day, or the latest. Raises CommandFailed."""
    found = records.checkins.on(day) if day else records.checkins.list(limit=1)
    if not found:
        when = f"of {day}" if day else "yet"
        raise CommandFailed(f"there is no check-in {when}; begin with: apex checkin --energy 7 --sleep 6")
    return found


def _in_a_line(check_in: "CheckIn") -> str:
    return escaped(", ".join(f"{name} {value}" for name, value in _answers(check_in).items()))


def _show(check_in: "CheckIn") -> None:
    said(f"[bold]Check-in of {check_in.date}[/]  {_state(check_in)}")
    answers = table("", "", right=())
    answers.show_header = False
    for name, value in _answers(check_in).items():
        answers.add_row(f"[dim]{name}[/]", "\n".join(map(escaped, str(value).splitlines())))
    for question, answer in answered_lines(check_in.questions()):
        answers.add_row(f"[dim]{escaped(question)}[/]", "\n".join(map(escaped, answer.splitlines())))
    if count := len(check_in.photos()):
        answers.add_row("[dim]photos[/]", str(count))
    shown(answers)


def _state(check_in: "CheckIn") -> str:
    if check_in.edited_since_review:
        return "edited since the coach answered"
    return "answered" if check_in.coach_reviewed else "submitted" if check_in.submitted else "draft"


def _answers(check_in: "CheckIn") -> dict[str, object]:
    state = check_in.snapshot.state
    weight = state.get("weight") or state.get("weight_kg")
    rows: dict[str, object] = {}
    if weight is not None:
        rows["weight"] = f"{weight:g} {(state.get('weight_unit') or 'kg') if state.get('weight') else 'kg'}"
    if (fat := state.get("body_fat_percent")) is not None:
        rows["body fat"] = f"{fat:g} %"
    rows |= _girths(state.get("measurements") or {})
    rows |= check_in.responses
    for name, value in (
        ("note", check_in.notes),
        ("coach", check_in.coach_feedback),
        ("analysis", check_in.ai_summary),
        ("advice", "\n".join(check_in.ai_recommendations)),
    ):
        if value:
            rows[name] = value
    return rows


def _girths(measurements: "Mapping[str, Any]") -> dict[str, object]:
    girths = {name.removesuffix("_cm"): value for name, value in measurements.items() if name.endswith("_cm")}
    return {name: f"{value:g} cm" for name, value in girths.items() if value is not None}
