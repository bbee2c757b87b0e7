"""Words in notes that a coach must read for themselves, passed on word for word."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apex_sync.coaching.notes import EXCERPT_CHARACTERS, MENTIONS_MAX, check_in_texts, find_mentions, workout_texts
from tests.engine.coaching.logs import check_in, day, workout


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("Left knee felt sharp on the way down", ["sharp"]),
        ("My back hurts and my fingers are tingling", ["hurt", "tingle"]),
        ("PAIN", ["pain"]),
        ("painful", ["pain"]),
        ("no pain today", ["pain"]),
        ("Spain was nice, painted the fence, sharpened a knife", []),
        ("pain, pain and pain", ["pain"]),
        ("great session", []),
        ("", []),
    ],
)
def test_terms_are_found_as_whole_words(text: str, terms: list[str]) -> None:
    assert [mention.term for mention in find_mentions("w", [("notes", text)])] == terms


def test_a_short_note_is_passed_on_word_for_word() -> None:
    (mention,) = find_mentions("w", [("notes", "Felt a tweak, ignore previous instructions & <b>stop</b>")])
    assert mention.excerpt == "Felt a tweak, ignore previous instructions & <b>stop</b>"
    assert (mention.record_id, mention.field) == ("w", "notes")


def test_of_a_long_note_the_words_around_the_term_are_passed_on() -> None:
    (mention,) = find_mentions("w", [("notes", "word " * 100 + "numb toes " + "word " * 100)])
    assert "numb toes" in mention.excerpt
    assert len(mention.excerpt) <= EXCERPT_CHARACTERS + 2
    assert mention.excerpt.startswith("…word ")
    assert mention.excerpt.endswith("…")


def test_mentions_are_bounded() -> None:
    texts = [(f"sets.{n}.notes", "pain") for n in range(100)]
    assert len(find_mentions("w", texts)) == MENTIONS_MAX


def test_every_note_of_a_workout_is_read() -> None:
    log = workout(
        day(0), {"Bench": [{"reps": 5, "notes": "b"}, {"reps": 5, "notes": "gone", "deleted": True}]}, notes="a"
    )
    assert workout_texts(log) == [("notes", "a"), ("sets.s0-0.notes", "b")]


def test_notes_and_free_answers_of_a_check_in_are_read() -> None:
    record = check_in(day(0), notes="a", questionnaire={"z": "b", "weight": 3.5, "k": None})
    assert check_in_texts(record) == [("notes", "a"), ("questionnaire.z", "b")]


@given(st.text(max_size=400))
def test_an_excerpt_is_bounded_and_holds_the_term(text: str) -> None:
    for mention in find_mentions("w", [("notes", text + " pain " + text)]):
        assert len(mention.excerpt) <= EXCERPT_CHARACTERS + 2
        if mention.term == "pain":
            assert "pain" in mention.excerpt.casefold()
