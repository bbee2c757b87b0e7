"""Findings on notes: what a coach must read word for word."""

import datetime
from collections.abc import Iterator, Sequence

from apex_sync.coaching.finding import Finding, computed, finding, written
from apex_sync.coaching.history import TrainingHistory
from apex_sync.coaching.notes import Mention, find_mentions, workout_texts
from apex_sync.coaching.weeks import days_before

NOTE_DAYS = 14
"""Notes older than this have been read or will not be [D]."""


def note_findings(history: TrainingHistory) -> Iterator[Finding]:
    """Pass on what the notes of the last two weeks say of pain or injury, and sets ended by an injury."""
    since = days_before(history.as_of, NOTE_DAYS - 1)
    for workout_id in history.workouts_since(since):
        on = history.dates[workout_id]
        mentions = find_mentions(workout_id, workout_texts(history.records[workout_id]))
        if mentions:
            yield mention_finding(workout_id, on, mentions)
        ended = [s for s in history.sets_by_workout[workout_id] if s.failure_reason == "injury"]
        if ended:
            yield finding(
                "notes.set_ended_by_injury",
                workout_id,
                about=ended[0].exercise_name or "",
                statement=f"{len(ended)} sets are marked as ended by an injury",
                window=(on, on),
                inputs=[
                    written(workout_id, f"sets.{s.set_key}.failure_reason", "failure reason", "injury") for s in ended
                ],
                computed=[computed("sets", len(ended))],
                n=len(ended),
                confidence=1.0,
                expires_after_days=NOTE_DAYS,
                action="ask_athlete",
                recommendation="Ask the athlete before these exercises are trained again.",
            )


def mention_finding(record_id: str, on: datetime.date, mentions: Sequence[Mention]) -> Finding:
    """Pass on the mentions of one record, word for word."""
    terms = sorted({mention.term for mention in mentions})
    return finding(
        "notes.mention",
        record_id,
        statement="the notes mention: " + ", ".join(terms),
        window=(on, on),
        inputs=[written(record_id, mention.field, mention.term, mention.excerpt) for mention in mentions],
        n=len(mentions),
        confidence=1.0,
        expires_after_days=NOTE_DAYS,
        action="read_note",
        recommendation="Read the note, and ask the athlete about it.",
    )
