"""Every read of the REST API as `benchmarks.analytics` asks it, and the few that it does not, each with its reason.

A GET of the description that stands in neither fails the benchmark before anything is filled.
"""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import httpx

Asker = Literal["coach", "athlete", "owner"]


class Read(NamedTuple):
    """One question: an address of the description, what follows it, and who asks.

    Parameters in braces stand for ids of things that were made, another one each time. `{year}`, `{years}` and
    `{quarter}` are the days a year, five years and twelve weeks ago.
    """

    path: str
    query: str = ""
    by: Asker = "coach"

    @property
    def name(self) -> str:
        """What stands in the table."""
        return f"{self.path}{'?' if self.query else ''}{self.query}" + (f", {self.by}" if self.by != "coach" else "")


READS = (
    Read("/api/analytics/adherence"),
    Read("/api/analytics/adherence", "weeks=52"),
    Read("/api/analytics/client/{athlete_id}"),
    Read("/api/analytics/client/{athlete_id}", "weeks=52"),
    Read("/api/analytics/dashboard"),
    Read("/api/analytics/dashboard", "coach_id={coach_id}", by="owner"),
    Read("/api/analytics/export", "athlete_id={athlete_id}&from={quarter}"),
    Read("/api/analytics/progression", "athlete_id={athlete_id}"),
    Read("/api/analytics/progression", "athlete_id={athlete_id}&from={years}"),
    Read("/api/analytics/volume/{athlete_id}"),
    Read("/api/analytics/volume/{athlete_id}", "from={years}"),
    Read("/api/audit"),
    Read("/api/audit/changes"),
    Read("/api/audit/changes", by="athlete"),
    Read("/api/auth/me"),
    Read("/api/auth/mfa"),
    Read("/api/auth/passkeys", by="athlete"),
    Read("/api/checkins"),
    Read("/api/checkins/client/{athlete_id}"),
    Read("/api/checkins/pending"),
    Read("/api/checkins/{checkin_id}"),
    Read("/api/clients"),
    Read("/api/clients", "coach_id={coach_id}", by="owner"),
    Read("/api/clients/invites"),
    Read("/api/clients/{athlete_id}"),
    Read("/api/clients/{athlete_id}/dashboard"),
    Read("/api/clients/{athlete_id}/timeline"),
    Read("/api/consents", by="athlete"),
    Read("/api/devices"),
    Read("/api/exercises"),
    Read("/api/exercises/search", "q=benchpress"),
    Read("/api/exercises/{exercise_id}"),
    Read("/api/insights"),
    Read("/api/insights/client/{athlete_id}"),
    Read("/api/insights/published", by="athlete"),
    Read("/api/insights/{insight_id}"),
    Read("/api/invites/{code}"),
    Read("/api/limits"),
    Read("/api/media/{media_id}", by="athlete"),
    Read("/api/media/{media_id}/thumbnail", by="athlete"),
    Read("/api/messages/threads"),
    Read("/api/messages/threads", by="athlete"),
    Read("/api/messages/threads/{thread_id}"),
    Read("/api/messages/unread"),
    Read("/api/nutrition/foods"),
    Read("/api/nutrition/foods/search", "q=rice"),
    Read("/api/nutrition/foods/{food_id}"),
    Read("/api/nutrition/logs"),
    Read("/api/nutrition/logs/client/{athlete_id}"),
    Read("/api/nutrition/logs/{log_id}"),
    Read("/api/nutrition/plans"),
    Read("/api/nutrition/plans/client/{athlete_id}"),
    Read("/api/nutrition/plans/{plan_id}"),
    Read("/api/nutrition/targets/{athlete_id}"),
    Read("/api/organisation", by="owner"),
    Read("/api/organisation/coaches/{coach_id}/athletes", by="owner"),
    Read("/api/organisation/invites/{organisation_code}"),
    Read("/api/organisation/readers"),
    Read("/api/privacy/deletion"),
    Read("/api/privacy/exports", by="athlete"),
    Read("/api/programs"),
    Read("/api/programs/client/{athlete_id}"),
    Read("/api/programs/templates"),
    Read("/api/programs/{program_id}"),
    Read("/api/programs/{program_id}", "include=analytics"),
    Read("/api/programs/{program_id}/versions"),
    Read("/api/programs/{program_id}/versions/{stamp}"),
    Read("/api/progress/charts/{athlete_id}"),
    Read("/api/progress/metrics"),
    Read("/api/progress/metrics/client/{athlete_id}"),
    Read("/api/progress/metrics/{metric_id}"),
    Read("/api/progress/photos"),
    Read("/api/progress/photos/client/{athlete_id}"),
    Read("/api/progress/photos/{photo_id}"),
    Read("/api/questionnaires"),
    Read("/api/questionnaires/{questionnaire_id}"),
    Read("/api/support/looks", by="athlete"),
    Read("/api/workouts"),
    Read("/api/workouts/analytics"),
    Read("/api/workouts/analytics", "from={year}"),
    Read("/api/workouts/client/{athlete_id}"),
    Read("/api/workouts/{workout_id}"),
    Read("/health"),
    Read("/ready"),
)

NOT_ASKED: Mapping[str, str] = {
    "/api/consents/messages/stop/{token}": "the page of a mailed link: it reads nothing but the token itself",
    "/api/privacy/exports/{export_id}/file": "a zip of everything, streamed: it takes as long as it is large",
    "/api/sync/events": "a stream that ends with the session",
}
"""Reads that have no p95 of their own, and why."""


class ReadsUnaccounted(Exception):
    """Some GETs of the description are neither asked nor left out for a reason, or are not there any more."""

    def __init__(self, missing: list[str], gone: list[str]) -> None:
        super().__init__(f"benchmarks/reads.py: to READS or NOT_ASKED add {missing}; take out {gone}")
        self.missing = missing
        self.gone = gone


def check_reads(description: Mapping[str, Any]) -> None:
    """Raise ReadsUnaccounted unless each GET of an API description stands in READS or in NOT_ASKED, not in both."""
    there = {path for path, methods in description["paths"].items() if "get" in methods}
    asked = {read.path.replace("{organisation_code}", "{code}") for read in READS}
    missing, gone = there - asked - NOT_ASKED.keys(), (asked | NOT_ASKED.keys()) - there | asked & NOT_ASKED.keys()
    if missing or gone:
        raise ReadsUnaccounted(sorted(missing), sorted(gone))


class NothingBehind(Exception):
    """A list came back empty, so its time says nothing."""

    def __init__(self, read: Read) -> None:
        super().__init__(f"{read.name} lists nothing: benchmarks/coached_world.py must make some of it")
        self.read = read


def check_answer(read: Read, answer: httpx.Response) -> None:
    """Raise NothingBehind for a list of nothing, and for a page with nothing on it."""
    if answer.headers.get("content-type", "").partition(";")[0] != "application/json":
        return
    body = answer.json()
    page = body if isinstance(body, dict) else {"": body}
    lists = [each for each in page.values() if isinstance(each, list)]
    is_page = all(isinstance(each, list) or not each for each in page.values())
    if lists and is_page and not any(lists):
        raise NothingBehind(read)
