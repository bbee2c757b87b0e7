"""A coach's own questions at a terminal: shown by number, answered by it, or asked one after another."""

import shlex
import sys
from typing import TYPE_CHECKING, Any

import typer

from apex_client.cli.failures import CommandFailed, WrongUsage
from apex_client.cli.screen import escaped, said, shown, table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from apex_client.blocking import Replica
    from apex_client.blocking.checkins import CheckIn
    from apex_client.blocking.records import Record
    from apex_sync.coaching.questionnaires import AnsweredQuestion
    from apex_sync.models import Questionnaire
    from apex_sync.models.questionnaire import Question

YES_NO = {"y": "yes", "n": "no"}

SHORT_FORMS = {"number": "a number", "yes_no": "yes or no", "text": ""}


def offered(
    replica: "Replica", reports: "Sequence[CheckIn]", named: str | None = None
) -> "Record[Questionnaire] | None":
    """Give what the coach asks in these reports.

    That is the questionnaire that they answer already, else the active one of a name, else the newest active. Raises
    CommandFailed where the reports answer another one than is named, or none has that name.
    """
    from apex_sync.coaching.questionnaires import library_asked

    for report in reports:
        if (asked := report.asked()) and not asked.deleted:
            if named is not None and not _is_called(asked, named):
                raise CommandFailed(
                    f"the check-in of {report.date} answers {_name(asked)!r} already; a day answers one questionnaire"
                )
            return asked
    if named is not None:
        return _of_name(replica, named)
    alike = {each.scope: each for each in replica.questionnaires.query("active ORDER BY id DESC", limit=1)}
    return alike.get(library_asked({scope: each.record for scope, each in alike.items()}, {}) or "")


def tell_of_others(replica: "Replica", asked: "Record[Questionnaire]") -> None:
    """Say what else the coach asks."""
    others = [each for each in replica.questionnaires.query("active ORDER BY id DESC") if each.id != asked.id]
    for name in dict.fromkeys(map(_name, others)):
        said(
            f"[dim]also asked:[/] {escaped(name)}  apex checkin questions --questionnaire {escaped(shlex.quote(name))}"
        )


def _of_name(replica: "Replica", named: str) -> "Record[Questionnaire]":
    known = replica.questionnaires.query("active ORDER BY id DESC")
    found = next((each for each in known if _is_called(each, named)), None)
    if found is None:
        names = ", ".join(repr(name) for name in dict.fromkeys(map(_name, known))) or "none; apex sync brings them"
        raise CommandFailed(f"your coach asks nothing called {named!r}. What is asked: {names}")
    return found


def _is_called(asked: "Record[Questionnaire]", named: str) -> bool:
    return _name(asked).casefold() == named.strip().casefold()


def _name(asked: "Record[Questionnaire]") -> str:
    return str(asked.get("name") or asked.id)


def numbered(asked: "Record[Questionnaire]") -> "list[tuple[int, str, Question]]":
    """List the questions with their numbers and keys, in the coach's order."""
    from apex_sync.coaching.leaves import live_entries

    return [(number, *entry) for number, entry in enumerate(live_entries(asked.record.questions), 1)]


def show_own(replica: "Replica", named: str | None) -> None:
    """List the questionnaires of a coach, the newest first, or show the one of a name or id. Raises CommandFailed."""
    kept = replica.questionnaires.query("1 ORDER BY active DESC, id DESC")
    own = [each for each in kept if replica.user is not None and each.athlete_id == replica.user.id]
    if not own:
        raise CommandFailed("you have no questionnaires yet; they are written with the SDK or over REST: docs/sdk.md")
    if named is None:
        listed = table("questionnaire", "asked", "questions", "id", right=("questions",))
        for each in own:
            asked = "with each check-in" if each.get("active") is True else ""
            listed.add_row(escaped(_name(each)), asked, str(len(numbered(each))), each.id)
        shown(listed)
        return
    found = next((each for each in own if each.id == named or _is_called(each, named)), None)
    if found is None:
        names = ", ".join(repr(name) for name in dict.fromkeys(map(_name, own)))
        raise CommandFailed(f"you have no questionnaire {named!r}; there is {names}")
    said(f"[bold]{escaped(_name(found))}[/]  {'' if found.get('active') is True else 'not asked now'}")
    if found.get("description"):
        said(escaped(found["description"]))
    rows = table("", "question", "expects", right=("",))
    for number, key, question in numbered(found):
        rows.add_row(str(number), escaped(_text(question, key)), escaped(_expects(question)))
    shown(rows)


def show_questions(asked: "Record[Questionnaire]", answers: "Mapping[str, Any]", *, to_answer: bool) -> None:
    """Show a questionnaire, with what was answered of it, and how it is answered."""
    how = "  answer with: apex checkin --answer 1=7" if to_answer else ""
    said(f"[bold]{escaped(asked.get('name') or 'Your coach asks')}[/]{how}")
    rows = table("", "question", "expects", "answer", right=("",))
    for number, key, question in numbered(asked):
        answer = answers.get(key)
        rows.add_row(str(number), escaped(_text(question, key)), escaped(_expects(question)), escaped(_shown(answer)))
    shown(rows)


def typed_answers(asked: "Record[Questionnaire] | None", typed: "Sequence[str]") -> dict[str, Any]:
    """Read `1=7`, the number of a question or its key and the answer. Raises CommandFailed, WrongUsage."""
    if not typed:
        return {}
    if asked is None:
        raise CommandFailed("your coach asks no questions of their own; apex sync brings them")
    questions = {name: (key, one) for number, key, one in numbered(asked) for name in (str(number), key)}
    answers = {}
    for each in typed:
        name, equals, text = each.partition("=")
        if not equals or name.strip() not in questions:
            raise WrongUsage(
                f"{each!r} answers no question; write 1=7 for the first: apex checkin questions lists them"
            )
        key, question = questions[name.strip()]
        answers[key] = _read(question, text)
    return answers


def asked_answers(asked: "Record[Questionnaire]", answers: "Mapping[str, Any]") -> dict[str, Any]:
    """Ask at a terminal what is not answered yet; an empty line leaves a question open."""
    found: dict[str, Any] = {}
    if not sys.stdin.isatty():
        return found
    for number, key, question in numbered(asked):
        while answers.get(key) is None and key not in found:
            expects = f" [dim]({escaped(_expects(question))})[/]" if _expects(question) else ""
            said(f"{number}. {escaped(_text(question, key))}{expects}")
            text = typer.prompt("", default="", show_default=False, prompt_suffix="> ", err=True)
            if not text.strip():
                break
            try:
                found[key] = _read(question, text)
            except WrongUsage as error:
                said(f"[yellow]{escaped(error)}[/]")
    return found


def answered_lines(questions: "Sequence[AnsweredQuestion]") -> list[tuple[str, str]]:
    """Give each question with its answer and what is amiss; an open question that may be is left out."""
    return [
        (one.text, " ".join(filter(None, (_shown(one.answer) or "–", one.unit, one.problem and f"({one.problem})"))))
        for one in questions
        if one.answer is not None or one.problem
    ]


def _read(question: "Question", text: str) -> float | str:
    from apex_sync.coaching.questionnaires import answer_problem

    answer: float | str = text.strip()
    match question.type:
        case "number" | "scale":
            answer = _number(text)
        case "yes_no":
            answer = YES_NO.get(text.strip().casefold(), text.strip().casefold())
        case "choice" if isinstance(question.choices, list):
            answer = next((each for each in question.choices if each.casefold() == text.strip().casefold()), answer)
    if problem := answer_problem(question, answer):
        raise WrongUsage(f"{text.strip()!r}: {problem[0].lower()}{problem[1:]}")
    return answer


def _number(text: str) -> float | str:
    try:
        value = float(text.strip().replace(",", "."))
    except ValueError:
        return text
    return int(value) if value.is_integer() else value


def _text(question: "Question", key: str) -> str:
    return question.text if isinstance(question.text, str) and question.text else key


def _expects(question: "Question") -> str:
    """Say in a few words what answers a question."""
    low, high = question.minimum, question.maximum
    has_range = isinstance(low, int | float) and isinstance(high, int | float)
    match question.type:
        case "scale" | "number" if has_range:
            expects = f"{low:g} to {high:g}"
        case "scale":
            expects = "a whole number"
        case "choice" if isinstance(question.choices, list):
            expects = ", ".join(question.choices)
        case kind:
            expects = SHORT_FORMS.get(str(kind), "")
    unit = question.unit if isinstance(question.unit, str) else ""
    return ", ".join(filter(None, (f"{expects} {unit}".strip(), "required" if question.required is True else "")))


def _shown(answer: Any) -> str:
    return "" if answer is None else f"{answer:g}" if isinstance(answer, float) else str(answer)
