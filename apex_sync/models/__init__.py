"""The coaching models and the collections they are declared in."""

from collections.abc import Mapping

from apex_sync.collection import Collection
from apex_sync.models.checkin import CHECK_INS, CheckIn
from apex_sync.models.exercise import EXERCISES, Exercise
from apex_sync.models.insight import INSIGHTS, PUBLISHED_INSIGHTS, Insight, PublishedInsight
from apex_sync.models.profile import PROFILES, Profile
from apex_sync.models.program import PROGRAMS, Program
from apex_sync.models.workout import WORKOUT_LOGS, WorkoutLog

COLLECTIONS: Mapping[str, Collection] = {
    collection.name: collection
    for collection in (WORKOUT_LOGS, CHECK_INS, PROGRAMS, EXERCISES, PROFILES, INSIGHTS, PUBLISHED_INSIGHTS)
}
"""Every kind of record this version knows, by name."""

__all__ = [
    "CHECK_INS",
    "COLLECTIONS",
    "EXERCISES",
    "INSIGHTS",
    "PROFILES",
    "PROGRAMS",
    "PUBLISHED_INSIGHTS",
    "WORKOUT_LOGS",
    "CheckIn",
    "Exercise",
    "Insight",
    "Profile",
    "Program",
    "PublishedInsight",
    "WorkoutLog",
]
