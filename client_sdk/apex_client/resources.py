"""What there is of an athlete: every kind of record that lies in an athlete's scope, under its name.

On an athlete's replica it is theirs; on a coach's, of all athletes, or of one (`replica.athlete(id)`).
"""

from typing import TYPE_CHECKING

from apex_client.analytics import Analytics
from apex_client.body_metrics import Measurings
from apex_client.checkins import CheckIns
from apex_client.nutrition import MealPlans, NutritionLogs
from apex_client.photos import Photos
from apex_client.programs import Programs
from apex_client.records import Record, Records, SoleRecord
from apex_client.workouts import Workouts
from apex_sync import models

if TYPE_CHECKING:
    from apex_client.replica import Replica


class AthleteResources:
    """The records of one athlete, or on a coach's replica of all of them."""

    def __init__(self, replica: "Replica", scope: str | None = None) -> None:
        self.analytics = Analytics(replica, scope)
        self.workouts = Workouts(replica, scope)
        self.checkins = CheckIns(replica, scope)
        self.profile: SoleRecord[models.Profile] = SoleRecord(replica, "profiles", scope)
        self.programs = Programs(replica, scope)
        self.body_metrics = Measurings(replica, scope)
        self.photos = Photos(replica, scope)
        self.nutrition_logs = NutritionLogs(replica, scope)
        self.nutrition_targets: Records[Record[models.NutritionTargets]] = Records(replica, "nutrition_targets", scope)
        self.meal_plans = MealPlans(replica, scope)
        self.published_insights: Records[Record[models.PublishedInsight]] = Records(
            replica, "published_insights", scope
        )
