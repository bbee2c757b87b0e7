"""A questionnaire with its answers: each question in its words, and what is amiss said, whatever was written."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apex_sync.coaching.questionnaires import answered, library_asked
from apex_sync.models import QUESTIONNAIRES, Questionnaire
from apex_sync.models.questionnaire import Question
from tests.engine.coaching.garbage import FLAGS, KEYS, NUMBERS, TEXTS

ASKED: dict[str, dict[str, Any]] = {
    "scale": {"type": "scale", "minimum": 0, "maximum": 10},
    "steps": {"type": "number", "minimum": 0, "unit": "steps"},
    "gym": {"type": "choice", "choices": ["home", "gym"]},
    "travel": {"type": "yes_no"},
    "knee": {"type": "text"},
}


@pytest.mark.parametrize(
    ("key", "answer", "problem"),
    [
        ("scale", 0, None),
        ("scale", 10.0, None),
        ("scale", 11, "Expected a whole number from 0 to 10"),
        ("scale", 7.5, "Expected a whole number from 0 to 10"),
        ("scale", "banana", "Expected a whole number from 0 to 10"),
        ("scale", None, None),
        ("steps", 8200.5, None),
        ("steps", -1, "Expected a number of at least 0"),
        ("steps", "many", "Expected a number of at least 0"),
        ("gym", "gym", None),
        ("gym", "pool", "Expected one of home, gym"),
        ("gym", 3, "Expected one of home, gym"),
        ("travel", "no", None),
        ("travel", 1, "Expected yes or no"),
        ("knee", "Fine.", None),
        ("knee", 3, "Expected text"),
    ],
)
def test_an_answer_is_held_to_what_its_question_asks(key: str, answer: Any, problem: str | None) -> None:
    [one] = answered(Questionnaire(questions={key: Question(**ASKED[key])}), {key: answer})
    assert (one.answer, one.problem) == (answer, problem)


@pytest.mark.parametrize("answers", [{}, {"q1": None}, {"q1": ""}])
def test_a_required_question_without_an_answer_has_a_problem(answers: dict[str, Any]) -> None:
    [one] = answered(Questionnaire(questions={"q1": Question(text="Knee?", required=True)}), answers)
    assert (one.text, one.problem) == ("Knee?", "Expected an answer")


def test_questions_stand_in_the_order_of_the_coach_with_units_and_what_was_answered_besides_follows() -> None:
    asked = Questionnaire(
        questions={
            "q1": Question(text="Steps a day?", type="number", unit="steps", order="a2"),
            "q2": Question(text="Did you travel?", order="a1"),
            "q3": Question(text="Left shoulder?", type="scale", required=True, deleted=True),
            "q4": Question(text="Never answered", required=True, deleted=True),
        }
    )
    found = answered(asked, {"extra": "x", "q3": "sore", "q1": 9000})
    assert [(one.text, one.answer, one.unit, one.problem) for one in found] == [
        ("Did you travel?", None, None, None),
        ("Steps a day?", 9000, "steps", None),
        ("extra", "x", None, None),
        ("Left shoulder?", "sore", None, None),
    ]


def test_without_a_questionnaire_answers_stand_under_their_keys() -> None:
    assert [(one.text, one.answer) for one in answered(None, {"Any pain?": "no"})] == [("Any pain?", "no")]


ASKS: dict[str, Any] = {"active": True, "created_at": "2026-03-01T10:00:00", "questions": {"knee": {"text": "Knee?"}}}


@pytest.mark.parametrize(
    ("other", "meant"),
    [
        ({}, "library:1"),
        ({"created_at": "2026-03-02T10:00:00"}, "library:2"),
        ({"created_at": "2026-03-02T10:00:00", "active": False}, "library:1"),
        ({"created_at": "2026-03-02T10:00:00", "deleted": True}, "library:1"),
        ({"created_at": "2026-03-02T10:00:00", "questions": {}}, "library:1"),
        ({"active": False, "deleted": True, "questions": {"knee": {}, "sleep": {}}}, "library:2"),
    ],
)
def test_of_questionnaires_with_one_id_the_answered_one_is_meant_then_the_newest_that_is_asked(
    other: dict[str, Any], meant: str
) -> None:
    alike = {
        library: QUESTIONNAIRES.read(ASKS | fields)[0] for library, fields in (("library:2", other), ("library:1", {}))
    }
    assert library_asked(alike, {"knee": "Fine.", "sleep": "Well.", "steps": None}) == meant
    assert library_asked({}, {}) is None


QUESTIONS = st.dictionaries(
    KEYS,
    st.fixed_dictionaries(
        {},
        optional={
            "text": TEXTS,
            "type": st.sampled_from([*ASKED, "number", "choice", "yes_no", None]),
            "choices": st.none() | st.lists(st.text(max_size=3), max_size=3),
            "minimum": NUMBERS,
            "maximum": NUMBERS,
            "unit": TEXTS,
            "required": FLAGS,
            "deleted": FLAGS,
            "order": TEXTS,
        },
    ),
)


@given(QUESTIONS, st.dictionaries(KEYS, st.none() | st.floats(allow_nan=False) | st.text(max_size=3)))
def test_whatever_devices_wrote_no_answer_is_left_out(questions: dict[str, Any], answers: dict[str, Any]) -> None:
    questionnaire = QUESTIONNAIRES.read({"questions": questions})[0]
    found = {one.key: one.answer for one in answered(questionnaire, answers)}
    assert {key: answer for key, answer in answers.items() if answer is not None}.items() <= found.items()
    assert library_asked({"library:1": questionnaire}, answers) == "library:1"
