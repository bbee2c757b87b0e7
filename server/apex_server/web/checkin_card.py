"""A check-in as the page shows it: answers as bars against what is usual, weight against the last."""

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from apex_server.resources import KnownRecord, Origin
from apex_server.web.contested import Mark, marks_of
from apex_server.web.origins import Origins
from apex_server.web.pictures import Attached, attached
from apex_server.web.wording import as_number, as_signed
from apex_server.web.workout_card import devices_of, problems_of
from apex_sync.coaching.checkin_view import CheckInView
from apex_sync.coaching.increments import KG_PER_LB
from apex_sync.coaching.questionnaires import AnsweredQuestion

__all__ = ["AnswerShown", "CheckInCard", "checkin_card"]

ANSWERS = ("energy", "sleep", "motivation", "enjoyment", "adherence", "stress", "soreness", "hunger")
LOWER_IS_BETTER = frozenset({"stress", "soreness", "hunger"})
FAR_FROM_USUAL = 2.0
"""Points away from what is usual at which an answer is marked: half of the scale's practical width is five."""
SCORE_MAX = 10


class AnswerShown(Struct, frozen=True, kw_only=True):
    """One answer, with the mean of the four check-ins before; `turn` is `worse` or `better` where that is far."""

    name: str
    score: int | None
    width: float
    usual: float | None
    change: str | None
    turn: str | None
    out_of_bounds: bool
    mark: Mark | None


class QuestionShown(Struct, frozen=True, kw_only=True):
    """A question of the coach's own, as it was answered; `problem` says what it expects instead."""

    text: str
    answer: str | None
    problem: str | None


class CheckInCard(Struct, frozen=True, kw_only=True):
    """Everything a card shows."""

    id: str
    view: CheckInView
    answers: Sequence[AnswerShown]
    weight: str | None
    weight_change: str | None
    weight_mark: Mark | None
    measurements: Sequence[tuple[str, str]]
    questions: Sequence[QuestionShown]
    photos: Sequence[Attached]
    devices: Sequence[Origin]
    marks: Sequence[Mark]
    loose_marks: Sequence[Mark]
    problems: Sequence[tuple[str, str]]
    of_day: int
    """How many check-ins there are for its day: two devices may both have reported, and each is shown."""
    synced_at: Any


def checkin_card(
    known: KnownRecord, view: CheckInView, origins: Origins, usual: Mapping[str, Any], ready: Mapping[str, bool]
) -> CheckInCard:
    """Lay out a check-in; `usual` is what `list_usual_answers` has for it, `ready` says which media are pictures."""
    marks = marks_of(known, origins, {})
    placed = {f"responses.{name}" for name in ANSWERS} | {"weight_kg", "weight", "weight_unit"}
    return CheckInCard(
        id=known.id,
        view=view,
        answers=list(_answers(view, usual, marks)),
        weight=None if view.weight is None else f"{as_number(view.weight, 1)} {view.weight_unit}",
        weight_change=_weight_change(view, usual.get("weight_kg")),
        weight_mark=marks.get("weight_kg") or marks.get("weight"),
        measurements=list(_measurements(view)),
        questions=[_question(one) for one in view.questions],
        photos=[
            attached(photo.media_id, " · ".join(filter(None, (photo.type, photo.pose))) or "Photo", is_drawn=True)
            for photo in view.photos
            if photo.media_id is not None and ready.get(photo.media_id)
        ],
        devices=devices_of(known, origins),
        marks=list(marks.values()),
        loose_marks=[mark for path, mark in marks.items() if path not in placed],
        problems=problems_of(view, {}),
        of_day=usual.get("of_day") or 1,
        synced_at=known.synced_at,
    )


def _question(one: AnsweredQuestion) -> QuestionShown:
    answer = None if one.answer is None else " ".join(filter(None, (as_number(one.answer), one.unit)))
    return QuestionShown(text=one.text, answer=answer, problem=one.problem)


def _answers(view: CheckInView, usual: Mapping[str, Any], marks: Mapping[str, Mark]) -> Any:
    for name in ANSWERS:
        score = getattr(view.responses, name, None) if view.responses else None
        score = score if isinstance(score, int) else None
        mean = usual.get(name)
        mean = None if mean is None else float(mean)
        mark = marks.get(f"responses.{name}")
        if score is None and mark is None:
            continue
        yield AnswerShown(
            name=name.title(),
            score=score,
            width=min(max(score or 0, 0), SCORE_MAX) * 10.0,
            usual=None if mean is None else round(mean, 1),
            change=None if mean is None or score is None else as_signed(score - mean),
            turn=_turn(name, score, mean),
            out_of_bounds=score is not None and not 1 <= score <= SCORE_MAX,
            mark=mark,
        )


def _turn(name: str, score: int | None, mean: float | None) -> str | None:
    if score is None or mean is None or abs(score - mean) < FAR_FROM_USUAL:
        return None
    return "worse" if (score > mean) == (name in LOWER_IS_BETTER) else "better"


def _weight_change(view: CheckInView, before_kg: float | None) -> str | None:
    if view.weight_kg is None or before_kg is None:
        return None
    per_unit = KG_PER_LB if view.weight_unit == "lb" else 1.0
    return f"{as_signed((view.weight_kg - before_kg) / per_unit)} {view.weight_unit or 'kg'}"


def _measurements(view: CheckInView) -> Any:
    if not view.measurements:
        return
    inches = view.measurements.unit == "in"
    for name in view.measurements.__struct_fields__:
        girth = getattr(view.measurements, name)
        if name.endswith("_cm") and isinstance(girth, int | float):
            length = f"{as_number(girth / 2.54, 1)} in" if inches else f"{as_number(girth, 1)} cm"
            yield name.removesuffix("_cm").title(), length
