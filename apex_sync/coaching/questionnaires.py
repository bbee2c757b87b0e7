"""A questionnaire with the answers of a check-in: each question in its words, what was answered, and what is amiss.

Total, as every view is: a device may answer offline what was never asked, or by other rules than the questionnaire has
by now. Such an answer is shown with its `problem`; nothing is lost for it.
"""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from apex_sync.coaching.leaves import live_entries, number, shown
from apex_sync.coaching.leaves import text as text_of
from apex_sync.collection import Record
from apex_sync.models.questionnaire import Question

__all__ = ["AnsweredQuestion", "answer_problem", "answered", "library_asked"]

SIZE_MAX = 1e15
"""Where a question names no bound of its own: every float up to here still tells whole numbers apart."""

TEXT_LENGTH_MAX = 1000
"""That of the text of a question."""


class AnsweredQuestion(Struct, frozen=True, kw_only=True):
    """One question of a questionnaire with its answer; `problem` says what the questionnaire expects instead."""

    key: str
    text: str
    """The question, or its key where nobody knows the question any more."""
    answer: float | str | None
    unit: str | None
    problem: str | None


def answered(questionnaire: Record | None, answers: Mapping[str, Any]) -> list[AnsweredQuestion]:
    """Give every question in the coach's order, then what was answered besides: to a removed question, or to none.

    >>> from apex_sync.models import Questionnaire
    >>> knee = Question(text="How is your knee?", type="scale", minimum=0, maximum=10, required=True)
    >>> [one] = answered(Questionnaire(questions={"q1": knee}), {"q1": "banana"})
    >>> one.text, one.answer, one.problem
    ('How is your knee?', 'banana', 'Expected a whole number from 0 to 10')
    """
    questions = value if isinstance(value := getattr(questionnaire, "questions", None), dict) else {}
    asked = dict(live_entries(questions))
    besides = [(key, questions.get(key)) for key in answers if key not in asked and shown(answers[key]) is not None]
    return [
        *(_answered(key, question, answers.get(key), is_asked=True) for key, question in asked.items()),
        *(_answered(key, question, answers[key], is_asked=False) for key, question in besides),
    ]


def library_asked(alike: Mapping[str, Record], answers: Mapping[str, Any]) -> str | None:
    """Give whose questionnaire is meant, of several coaches' that have one id, by library; None where there is none.

    A check-in names the id alone. So it is the one that has questions for the most of its answers; of equals one that
    is not deleted, then one that is active, then that of the latest `created_at`, then the first by the name of its
    library. Whoever reads the same libraries finds the same one, on a device and on the server.

    >>> from apex_sync.models import Questionnaire
    >>> old, new = (Questionnaire(questions={key: Question(text=key)}) for key in ("knee", "sleep"))
    >>> library_asked({"library:1": old, "library:2": new}, {"sleep": "well"})
    'library:2'
    """

    def rank(library: str) -> tuple[int, bool, bool, str]:
        one: Any = alike[library]
        questions = one.questions if isinstance(one.questions, dict) else {}
        known = sum(shown(answer) is not None and key in questions for key, answer in answers.items())
        return known, one.deleted is not True, one.active is True, text_of(one.created_at) or ""

    return max(sorted(alike), key=rank, default=None)


def answer_problem(question: Question, answer: Any) -> str | None:
    """Say what a question expects instead of an answer; None where it is answered as asked."""
    if shown(answer) is None or answer == "":
        return "Expected an answer" if question.required is True else None
    expected, is_met = _expected(question, answer)
    return None if is_met else f"Expected {expected}"


def _answered(key: str, question: Question | None, answer: Any, *, is_asked: bool) -> AnsweredQuestion:
    return AnsweredQuestion(
        key=key,
        text=(text_of(question.text, TEXT_LENGTH_MAX) if question else None) or key,
        answer=shown(answer),
        unit=text_of(question.unit) if question else None,
        problem=answer_problem(question, answer) if question and is_asked else None,
    )


def _expected(question: Question, answer: Any) -> tuple[str, bool]:
    low, high = number(question.minimum, -SIZE_MAX, SIZE_MAX), number(question.maximum, -SIZE_MAX, SIZE_MAX)
    bounds = (-SIZE_MAX if low is None else low, SIZE_MAX if high is None else high)
    match question.type:
        case "number":
            return f"a number{_between(low, high)}", number(answer, *bounds) is not None
        case "scale":
            is_whole = type(answer) is int or (type(answer) is float and answer.is_integer())
            return f"a whole number{_between(low, high)}", is_whole and number(answer, *bounds) is not None
        case "choice":
            choices = [choice for choice in shown(question.choices) or () if isinstance(choice, str)]
            return f"one of {', '.join(choices)}", not choices or answer in choices
        case "yes_no":
            return "yes or no", answer in ("yes", "no")
        case _:
            return "text", isinstance(answer, str)


def _between(low: float | None, high: float | None) -> str:
    match low, high:
        case None, None:
            return ""
        case None, _:
            return f" of at most {high:g}"
        case _, None:
            return f" of at least {low:g}"
        case _:
            return f" from {low:g} to {high:g}"
