"""The coaching models and the collections they are declared in."""

from collections.abc import Mapping

from apex_sync.collection import Collection
from apex_sync.models.body import BODY_METRICS, PROGRESS_PHOTOS, BodyMetrics, ProgressPhoto
from apex_sync.models.checkin import CHECK_INS, CheckIn
from apex_sync.models.client_file import CLIENT_FILES, ClientFile
from apex_sync.models.device_keys import DEVICE_KEYS, DeviceKeys
from apex_sync.models.exercise import EXERCISES, Exercise
from apex_sync.models.insight import INSIGHTS, PUBLISHED_INSIGHTS, Insight, PublishedInsight
from apex_sync.models.message import MESSAGES, Message
from apex_sync.models.nutrition import (
    FOODS,
    MEAL_PLANS,
    NUTRITION_LOGS,
    NUTRITION_TARGETS,
    Food,
    MealPlan,
    NutritionLog,
    NutritionTargets,
)
from apex_sync.models.profile import PROFILES, Profile
from apex_sync.models.program import PROGRAMS, Program
from apex_sync.models.questionnaire import QUESTIONNAIRES, Questionnaire
from apex_sync.models.workout import WORKOUT_LOGS, WorkoutLog

COLLECTIONS: Mapping[str, Collection] = {
    collection.name: collection
    for collection in (
        WORKOUT_LOGS,
        CHECK_INS,
        PROGRAMS,
        EXERCISES,
        PROFILES,
        CLIENT_FILES,
        BODY_METRICS,
        PROGRESS_PHOTOS,
        NUTRITION_LOGS,
        NUTRITION_TARGETS,
        MEAL_PLANS,
        FOODS,
        QUESTIONNAIRES,
        INSIGHTS,
        PUBLISHED_INSIGHTS,
        MESSAGES,
        DEVICE_KEYS,
    )
}
"""Every kind of record this version knows, by name."""

__all__ = [
    "BODY_METRICS",
    "CHECK_INS",
    "CLIENT_FILES",
    "COLLECTIONS",
    "DEVICE_KEYS",
    "EXERCISES",
    "FOODS",
    "INSIGHTS",
    "MEAL_PLANS",
    "MESSAGES",
    "NUTRITION_LOGS",
    "NUTRITION_TARGETS",
    "PROFILES",
    "PROGRAMS",
    "PROGRESS_PHOTOS",
    "PUBLISHED_INSIGHTS",
    "QUESTIONNAIRES",
    "WORKOUT_LOGS",
    "BodyMetrics",
    "CheckIn",
    "ClientFile",
    "DeviceKeys",
    "Exercise",
    "Food",
    "Insight",
    "MealPlan",
    "Message",
    "NutritionLog",
    "NutritionTargets",
    "Profile",
    "Program",
    "ProgressPhoto",
    "PublishedInsight",
    "Questionnaire",
    "WorkoutLog",
]
