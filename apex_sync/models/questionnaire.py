"""Questionnaires: what a coach asks beside the eight usual answers.

A check-in names its questionnaire in `questionnaire_id` and answers in `questionnaire`, by the keys of the questions.
"""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType

from apex_sync.collection import Collection, Entry, Leaf, Record
from apex_sync.errors import FieldProblem
from apex_sync.models.fields import Key, Name, Note

Limit = Annotated[float, Meta(ge=-1_000_000, le=1_000_000)]


class Question(Entry):
    """One question: `scale` is answered by a whole number from `minimum` to `maximum`, `choice` by one of `choices`."""

    text: Leaf[Annotated[str, Meta(max_length=1000)]] = UNSET
    type: Leaf[Literal["text", "number", "scale", "choice", "yes_no"]] = UNSET
    choices: Leaf[list[Name]] = UNSET
    minimum: Leaf[Limit] = UNSET
    maximum: Leaf[Limit] = UNSET
    unit: Leaf[Annotated[str, Meta(max_length=20)]] = UNSET
    required: Leaf[bool] = UNSET


class Questionnaire(Record):
    """A set of questions; `active` ones are offered with the next check-in."""

    name: Leaf[Name] = UNSET
    description: Leaf[Note] = UNSET
    active: Leaf[bool] = UNSET
    questions: dict[Key, Question] | UnsetType = UNSET


def _check(questionnaire: Questionnaire) -> list[FieldProblem]:
    return [
        FieldProblem(f"questions.{key}.maximum", "is below the minimum")
        for key, question in (questionnaire.questions or {}).items()
        if isinstance(question.minimum, int | float)
        and isinstance(question.maximum, int | float)
        and question.maximum < question.minimum
    ]


QUESTIONNAIRES = Collection(
    name="questionnaires",
    model=Questionnaire,
    scope_kinds=frozenset({"library"}),
    default_writers=frozenset({"coach"}),
    check=_check,
)
