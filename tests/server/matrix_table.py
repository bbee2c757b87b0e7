"""The matrix as it is declared: who may read what of Anna's, and for each route what it is about and who may use it.

A new route fails the build until a line below names it. Choose what it is:

    public(route)                       anybody may call it, and learns nothing of anybody
    account(route, body)                it is about the caller's own account, and every role has one
    own(route, roles=…)                 likewise, for some roles alone
    lists(route, thing, …)              it lists what the caller may read, and answers everybody of these roles
    reads(route, thing)                 it shows one thing to those who may read it
    writes(route, thing, may=…)         it changes one thing, or makes something beneath it
    page(route, thing)                  a page of the coach, which sends strangers to sign in

`thing` is a key of READERS; parameters of the route and `{names}` in bodies and queries stand for the ids of things.
`roles` are the roles of account that may call it at all; everybody else is refused before anything is looked up.
"""

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

from msgspec import Struct

from apex_server.consent_texts import CONSENT_TEXTS

__all__ = ["READERS", "ROUTES", "THING_OF_PARAMETER", "Case", "Kind", "names"]

Kind: TypeAlias = Literal["public", "account", "own", "lists", "reads", "writes", "page", "apart"]

ROLES = frozenset({"athlete", "coach", "owner", "support"})


class Case(Struct, frozen=True, kw_only=True):
    """A route as the matrix sees it."""

    route: str
    kind: Kind
    thing: str = ""
    may: frozenset[str] = frozenset()
    roles: frozenset[str] = ROLES
    body: Any = None
    query: Mapping[str, str] = {}
    headers: Mapping[str, str] = {}
    also_fine: frozenset[int] = frozenset()
    why: str = ""

    @property
    def method(self) -> str:
        """The verb."""
        return self.route.split(" ")[0]

    @property
    def path(self) -> str:
        """The address, with its parameters."""
        return self.route.split(" ")[1]


def names(text: str) -> frozenset[str]:
    return frozenset(text.split())


def public(route: str) -> Case:
    return Case(route=route, kind="public")


def account(route: str, body: Any = None) -> Case:
    return Case(route=route, kind="account", body=body)


def own(route: str, roles: str, body: Any = None) -> Case:
    return Case(route=route, kind="own", roles=names(roles), body=body)


def lists(route: str, thing: str, *, roles: str = "athlete coach owner support", query: Any = None) -> Case:
    return Case(route=route, kind="lists", thing=thing, may=READERS[thing], roles=names(roles), query=query or {})


def reads(route: str, thing: str, *, roles: str = "athlete coach owner support", query: Any = None) -> Case:
    return Case(route=route, kind="reads", thing=thing, may=READERS[thing], roles=names(roles), query=query or {})


def writes(
    route: str, thing: str, *, may: str, roles: str = "athlete coach owner support", body: Any = None, **more: Any
) -> Case:
    return Case(route=route, kind="writes", thing=thing, may=names(may), roles=names(roles), body=body, **more)


def page(route: str, thing: str) -> Case:
    return Case(route=route, kind="page", thing=thing, may=READERS[thing] & {"own_coach"}, roles=names("coach"))


def apart(route: str, why: str) -> Case:
    return Case(route=route, kind="apart", why=why)


_HER_RECORD = names("athlete own_coach owner support")
_KEPT_BY_HER_COACH = names("own_coach owner")

READERS: Mapping[str, frozenset[str]] = {
    "athlete": _HER_RECORD,
    "workout": _HER_RECORD,
    "checkin": _HER_RECORD,
    "program": _HER_RECORD,
    "metric": _HER_RECORD,
    "photo": _HER_RECORD,
    "media": _HER_RECORD,
    "upload": names("athlete"),
    "nutrition_log": _HER_RECORD,
    "food": names("athlete own_coach owner"),
    "meal_plan": _HER_RECORD,
    "questionnaire": names("athlete own_coach owner"),
    "insight": _KEPT_BY_HER_COACH,
    "published": names("athlete"),
    "thread": names("athlete own_coach"),
    "message": names("athlete own_coach"),
    "template": _KEPT_BY_HER_COACH,
    "exercise": names("athlete own_coach owner"),
    "device": names("athlete"),
    "passkey": names("athlete"),
    "export": names("athlete"),
    "link": names("athlete own_coach"),
    "look": names("athlete support"),
    "invite": names("own_coach"),
    "coach": names("owner"),
}
"""Who may read each thing of Anna's. Whoever may read one and not do what they ask is told so; to everybody else a
thing of Anna's and nothing at all are the same."""

THING_OF_PARAMETER: Mapping[str, str] = {
    "athlete_id": "athlete",
    "workout_id": "workout",
    "checkin_id": "checkin",
    "check_in_id": "checkin",
    "record_id": "workout",
    "program_id": "template",
    "exercise_id": "exercise",
    "metric_id": "metric",
    "photo_id": "photo",
    "media_id": "media",
    "upload_id": "upload",
    "number": "part",
    "log_id": "nutrition_log",
    "food_id": "food",
    "plan_id": "meal_plan",
    "questionnaire_id": "questionnaire",
    "insight_id": "insight",
    "thread_id": "thread",
    "message_id": "message",
    "device_id": "device",
    "passkey_id": "passkey",
    "export_id": "export",
    "look_id": "look",
    "code": "code",
    "invite_id": "invite",
    "coach_id": "coach",
}

_ANY = {"If-Match": "*"}
_PAIR = "athlete own_coach"
_PAIR_ROLES = "athlete coach"
_COACH = "coach"
_COACH_AND_BESIDE = "coach owner support"
_ATHLETE = {"athlete_id": "{athlete}"}
_OF_COACH = {"coach_id": "{coach}"}
_DAY = {"date": "2026-03-01"}
_MEDIA = {"media_id": "0" * 64, "size_bytes": 1, "content_type": "image/png", "kind": "photo"}
_RECORDING = {"media_id": "2" * 64, "size_bytes": 1, "content_type": "audio/mp4"}
_CONSENT = {"kind": "ai_analysis", "given": True, "version": CONSENT_TEXTS["ai_analysis"].version}
_TAGS = {"file": {"tags": ["x"]}}

ROUTES: list[Case] = [
    # The server itself.
    public("GET /health"),
    public("GET /ready"),
    public("GET /metrics"),
    public("GET /schema"),
    public("GET /schema/openapi.json"),
    public("GET /schema/start.js"),
    public("GET /schema/swagger-ui-bundle.js"),
    public("GET /schema/swagger-ui.css"),
    public("GET /schema/{path}"),
    public("GET /static/{file_path}"),
    public("HEAD /static/{file_path}"),
    # Accounts.
    public("POST /api/auth/register"),
    public("POST /api/auth/login"),
    public("POST /api/auth/refresh"),
    account("POST /api/auth/reauthenticate", {"password": "wrong"}),
    account("POST /api/auth/logout"),
    public("POST /api/auth/verify-email"),
    account("POST /api/auth/resend-verification"),
    public("POST /api/auth/forgot-password"),
    public("POST /api/auth/reset-password"),
    account("POST /api/auth/change-password", {"password": "wrong", "new_password": "another long enough one"}),
    public("POST /api/auth/login/mfa"),
    public("POST /api/auth/login/sms"),
    public("POST /api/auth/login/passkey/options"),
    public("POST /api/auth/login/passkey"),
    account("POST /api/auth/change-email", {"email": "another@example.com"}),
    public("POST /api/auth/undo-email-change"),
    account("GET /api/auth/mfa"),
    account("POST /api/auth/mfa/totp"),
    account("POST /api/auth/mfa/totp/confirm", {"code": "000000"}),
    account("DELETE /api/auth/mfa/totp"),
    account("PUT /api/auth/mfa/phone", {"phone": "+491701234567"}),
    account("POST /api/auth/mfa/phone/confirm", {"code": "000000"}),
    account("DELETE /api/auth/mfa/phone"),
    account("POST /api/auth/mfa/recovery_codes"),
    account("GET /api/auth/passkeys"),
    account("POST /api/auth/passkeys/options"),
    account("POST /api/auth/passkeys", {}),
    account("POST /api/auth/passkeys/prove", {}),
    writes("PATCH /api/auth/passkeys/{passkey_id}", "passkey", may="athlete", body={"name": "x"}),
    writes("DELETE /api/auth/passkeys/{passkey_id}", "passkey", may="athlete"),
    account("GET /api/auth/me"),
    account("GET /api/devices"),
    account("GET /api/limits"),
    writes("DELETE /api/devices/{device_id}", "device", may="athlete"),
    account("GET /api/consents"),
    account("PUT /api/consents", _CONSENT),
    public("GET /api/consents/messages/stop/{token}"),
    public("POST /api/consents/messages/stop/{token}"),
    # What is recorded, exported and erased.
    account("GET /api/audit"),
    account("GET /api/audit/changes"),
    account("POST /api/privacy/export"),
    account("GET /api/privacy/exports"),
    reads("GET /api/privacy/exports/{export_id}/file", "export"),
    account("GET /api/privacy/deletion"),
    account("POST /api/privacy/deletion"),
    account("DELETE /api/privacy/deletion"),
    # Support.
    account("GET /api/support/looks"),
    own("POST /api/support/looks", "support", {"user_id": "{other_athlete}", "ticket": "T-1"}),
    writes("DELETE /api/support/looks/{look_id}", "look", may="athlete support"),
    # Coaches and athletes.
    own("POST /api/invites", _COACH, {}),
    public("GET /api/invites/{code}"),
    own("POST /api/invites/{code}/accept", "athlete"),
    lists("GET /api/clients/invites", "invite", roles=_COACH),
    own("DELETE /api/clients/invites", _COACH),
    writes("DELETE /api/clients/invites/{invite_id}", "invite", may="own_coach", roles=_COACH),
    lists("GET /api/clients", "athlete", roles=_COACH_AND_BESIDE),
    lists("GET /api/clients", "athlete", roles=_COACH_AND_BESIDE, query=_OF_COACH),
    own("POST /api/clients", _COACH, {}),
    own("POST /api/clients/import", _COACH, {"rows": [{"name": "x"}]}),
    reads("GET /api/clients/{athlete_id}", "athlete", roles=_COACH_AND_BESIDE),
    reads("GET /api/clients/{athlete_id}/dashboard", "athlete", roles=_COACH_AND_BESIDE),
    reads("GET /api/clients/{athlete_id}/timeline", "athlete", roles=_COACH_AND_BESIDE),
    reads("GET /api/clients/{athlete_id}", "athlete", roles=_COACH_AND_BESIDE, query=_OF_COACH),
    writes("PUT /api/clients/{athlete_id}", "athlete", may="own_coach", roles=_COACH, body=_TAGS, headers=_ANY),
    writes("PATCH /api/clients/{athlete_id}", "athlete", may="own_coach", roles=_COACH, body=_TAGS),
    writes("PUT /api/clients/{athlete_id}/status", "athlete", may="own_coach", roles=_COACH, body={"status": "active"}),
    writes("DELETE /api/clients/{athlete_id}", "athlete", may="own_coach", roles=_COACH),
    writes("POST /api/clients/{athlete_id}/restore", "athlete", may="own_coach", roles=_COACH),
    writes("DELETE /api/clients/{athlete_id}/link", "link", may=_PAIR),
    # Organisations.
    own("GET /api/organisation", "owner"),
    own("PUT /api/organisation", "owner", {"name": "x"}),
    reads("GET /api/organisation/coaches/{coach_id}/athletes", "coach", roles="owner"),
    writes("DELETE /api/organisation/coaches/{coach_id}", "coach", may="owner", roles="owner"),
    own("DELETE /api/organisation/membership", _COACH),
    own("GET /api/organisation/readers", "athlete coach"),
    own("POST /api/organisation/invites", "owner", {}),
    public("GET /api/organisation/invites/{code}"),
    own("POST /api/organisation/invites/{code}/accept", _COACH),
    # Workouts.
    lists("GET /api/workouts", "workout", query=_ATHLETE),
    lists("GET /api/workouts/client/{athlete_id}", "workout"),
    reads("GET /api/workouts/{workout_id}", "workout"),
    writes("POST /api/workouts", "athlete", may=_PAIR, roles=_PAIR_ROLES, body={**_ATHLETE, **_DAY, "title": "x"}),
    writes("PUT /api/workouts/{workout_id}", "workout", may=_PAIR, body={**_DAY, "title": "x"}, headers=_ANY),
    writes("PATCH /api/workouts/{workout_id}", "workout", may=_PAIR, body={"title": "x"}),
    writes("DELETE /api/workouts/{workout_id}", "workout", may=_PAIR),
    writes("POST /api/workouts/{workout_id}/restore", "workout", may=_PAIR),
    apart("POST /api/workouts/bulk-sync", "answers each item alone: test_bulk_sync_judges_each_item_by_its_own_scope"),
    # Check-ins.
    lists("GET /api/checkins", "checkin", query=_ATHLETE),
    lists("GET /api/checkins/client/{athlete_id}", "checkin"),
    lists("GET /api/checkins/pending", "checkin", roles=_COACH),
    reads("GET /api/checkins/{checkin_id}", "checkin"),
    writes("POST /api/checkins", "athlete", may="athlete", roles="athlete", body={**_ATHLETE, **_DAY}),
    writes("PUT /api/checkins/{checkin_id}", "checkin", may="athlete", body={**_DAY, "notes": "x"}, headers=_ANY),
    writes("PATCH /api/checkins/{checkin_id}", "checkin", may="athlete", body={"notes": "x"}),
    writes("DELETE /api/checkins/{checkin_id}", "checkin", may="athlete"),
    writes(
        "POST /api/checkins/{checkin_id}/review", "checkin", may="own_coach", roles=_COACH, body={"coach_feedback": "x"}
    ),
    writes("POST /api/checkins/{checkin_id}/restore", "checkin", may="athlete"),
    writes("POST /api/checkins/{checkin_id}/ai-analyze", "checkin", may="own_coach", roles=_COACH),
    # Programs.
    lists("GET /api/programs", "program", query=_ATHLETE),
    lists("GET /api/programs", "template"),
    lists("GET /api/programs/client/{athlete_id}", "program"),
    reads("GET /api/programs/{program_id}", "template"),
    reads("GET /api/programs/{program_id}", "program"),
    own("POST /api/programs", _COACH, {"name": "x"}),
    writes("POST /api/programs", "athlete", may="own_coach", roles=_COACH, body={**_ATHLETE, "name": "x"}),
    writes("PUT /api/programs/{program_id}", "template", may="own_coach", body={"name": "x"}, headers=_ANY),
    writes("PUT /api/programs/{program_id}", "program", may="own_coach", body={"name": "x"}, headers=_ANY),
    writes("PATCH /api/programs/{program_id}", "template", may="own_coach", body={"name": "x"}),
    writes("PATCH /api/programs/{program_id}", "program", may="own_coach", body={"name": "x"}),
    writes("DELETE /api/programs/{program_id}", "template", may="own_coach"),
    writes("DELETE /api/programs/{program_id}", "program", may="own_coach"),
    writes("POST /api/programs/{program_id}/restore", "template", may="own_coach"),
    writes("POST /api/programs/{program_id}/restore", "program", may="own_coach"),
    lists("GET /api/programs/templates", "template", roles=_COACH),
    reads("GET /api/programs/{program_id}/versions", "template"),
    reads("GET /api/programs/{program_id}/versions", "program"),
    reads("GET /api/programs/{program_id}/versions/{stamp}", "template"),
    reads("GET /api/programs/{program_id}/versions/{stamp}", "program"),
    writes("POST /api/programs/{program_id}/loads", "program", may="own_coach", roles=_COACH),
    writes("POST /api/programs/{program_id}/clone", "template", may="own_coach", roles=_COACH),
    writes("POST /api/programs/{program_id}/clone", "program", may="own_coach", roles=_COACH),
    writes(
        "POST /api/programs/{program_id}/assign", "template",
        may="own_coach", roles=_COACH, body=_ATHLETE,
    ),
    # Exercises.
    lists("GET /api/exercises", "exercise"),
    lists("GET /api/exercises/search", "exercise"),
    reads("GET /api/exercises/{exercise_id}", "exercise"),
    own("POST /api/exercises", _COACH, {"name": "x"}),
    writes("PUT /api/exercises/{exercise_id}", "exercise", may="own_coach", body={"name": "x"}, headers=_ANY),
    writes("PATCH /api/exercises/{exercise_id}", "exercise", may="own_coach", body={"name": "x"}),
    writes("DELETE /api/exercises/{exercise_id}", "exercise", may="own_coach"),
    writes("POST /api/exercises/{exercise_id}/restore", "exercise", may="own_coach"),
    # Progress.
    lists("GET /api/progress/metrics", "metric", query=_ATHLETE),
    lists("GET /api/progress/metrics/client/{athlete_id}", "metric"),
    reads("GET /api/progress/metrics/{metric_id}", "metric"),
    writes("POST /api/progress/metrics", "athlete", may=_PAIR, roles=_PAIR_ROLES, body={**_ATHLETE, **_DAY}),
    writes("PUT /api/progress/metrics/{metric_id}", "metric", may=_PAIR, body={**_DAY, "weight_kg": 80}, headers=_ANY),
    writes("PATCH /api/progress/metrics/{metric_id}", "metric", may=_PAIR, body={"weight_kg": 80}),
    writes("DELETE /api/progress/metrics/{metric_id}", "metric", may=_PAIR),
    writes("POST /api/progress/metrics/{metric_id}/restore", "metric", may=_PAIR),
    reads("GET /api/progress/charts/{athlete_id}", "athlete"),
    lists("GET /api/progress/photos", "photo", query=_ATHLETE),
    lists("GET /api/progress/photos/client/{athlete_id}", "photo"),
    reads("GET /api/progress/photos/{photo_id}", "photo"),
    writes("POST /api/progress/photos", "athlete", may="athlete", roles="athlete", body={**_ATHLETE, **_DAY}),
    writes("PUT /api/progress/photos/{photo_id}", "photo", may="athlete", body={**_DAY, "notes": "x"}, headers=_ANY),
    writes("PATCH /api/progress/photos/{photo_id}", "photo", may="athlete", body={"notes": "x"}),
    writes("DELETE /api/progress/photos/{photo_id}", "photo", may="athlete"),
    writes("POST /api/progress/photos/{photo_id}/restore", "photo", may="athlete"),
    writes(
        "POST /api/progress/compare", "photo", may="athlete own_coach owner", body={"photo_ids": ["{photo}", "{photo}"]}
    ),
    writes(
        "POST /api/messages/voice", "thread",
        may=_PAIR, roles=_PAIR_ROLES, body={"thread_id": "{thread}", **_RECORDING},
    ),
    writes(
        "POST /api/messages/media", "thread",
        may=_PAIR, roles=_PAIR_ROLES, body={"thread_id": "{thread}", **_RECORDING, "content_type": "video/mp4"},
    ),
    # Media.
    writes("POST /api/media", "athlete", may=_PAIR, roles=_PAIR_ROLES, body={**_ATHLETE, **_MEDIA}),
    writes("PUT /api/media/uploads/{upload_id}/parts/{number}", "upload", may="athlete", also_fine=frozenset({422})),
    writes("POST /api/media/uploads/{upload_id}/complete", "upload", may="athlete", also_fine=frozenset({409})),
    reads("GET /api/media/{media_id}", "media"),
    reads("GET /api/media/{media_id}/thumbnail", "media"),
    # Nutrition.
    lists("GET /api/nutrition/logs", "nutrition_log", query=_ATHLETE),
    lists("GET /api/nutrition/logs/client/{athlete_id}", "nutrition_log"),
    reads("GET /api/nutrition/logs/{log_id}", "nutrition_log"),
    writes(
        "POST /api/nutrition/logs", "athlete",
        may=_PAIR, roles=_PAIR_ROLES, body={**_ATHLETE, "date": "2026-03-02"},
    ),
    writes(
        "PUT /api/nutrition/logs/{log_id}", "nutrition_log",
        may=_PAIR, body={"date": "2026-03-01", "notes": "x"}, headers=_ANY,
    ),
    writes("PATCH /api/nutrition/logs/{log_id}", "nutrition_log", may=_PAIR, body={"notes": "x"}),
    writes("DELETE /api/nutrition/logs/{log_id}", "nutrition_log", may=_PAIR),
    writes("POST /api/nutrition/logs/{log_id}/restore", "nutrition_log", may=_PAIR),
    reads("GET /api/nutrition/targets/{athlete_id}", "athlete"),
    writes(
        "PUT /api/nutrition/targets/{athlete_id}", "athlete",
        may="own_coach", roles=_COACH, body={"start_date": "2026-03-01", "energy_kcal": 2000},
    ),
    lists("GET /api/nutrition/foods", "food"),
    lists("GET /api/nutrition/foods/search", "food"),
    reads("GET /api/nutrition/foods/{food_id}", "food"),
    own("POST /api/nutrition/foods", _PAIR_ROLES, {"name": "x"}),
    writes("PUT /api/nutrition/foods/{food_id}", "food", may="own_coach", body={"name": "x"}, headers=_ANY),
    writes("PATCH /api/nutrition/foods/{food_id}", "food", may="own_coach", body={"name": "x"}),
    writes("DELETE /api/nutrition/foods/{food_id}", "food", may="own_coach"),
    writes("POST /api/nutrition/foods/{food_id}/restore", "food", may="own_coach"),
    account("POST /api/nutrition/foods/barcode", {"barcode": "4006040197539"}),
    lists("GET /api/nutrition/plans", "meal_plan", query=_ATHLETE),
    lists("GET /api/nutrition/plans/client/{athlete_id}", "meal_plan"),
    reads("GET /api/nutrition/plans/{plan_id}", "meal_plan"),
    writes("POST /api/nutrition/plans", "athlete", may=_PAIR, roles=_PAIR_ROLES, body={**_ATHLETE, "name": "x"}),
    writes("PUT /api/nutrition/plans/{plan_id}", "meal_plan", may=_PAIR, body={"name": "x"}, headers=_ANY),
    writes("PATCH /api/nutrition/plans/{plan_id}", "meal_plan", may=_PAIR, body={"name": "x"}),
    writes("DELETE /api/nutrition/plans/{plan_id}", "meal_plan", may=_PAIR),
    writes("POST /api/nutrition/plans/{plan_id}/restore", "meal_plan", may=_PAIR),
    writes("POST /api/nutrition/plans/{plan_id}/assign", "meal_plan", may=_PAIR, roles=_PAIR_ROLES, body=_ATHLETE),
    writes(
        "POST /api/nutrition/meals/plan", "athlete",
        may=_PAIR, roles=_PAIR_ROLES, body={**_ATHLETE, "targets": {"energy_kcal": 2000}, "save": True},
    ),
    # Questionnaires.
    lists("GET /api/questionnaires", "questionnaire"),
    reads("GET /api/questionnaires/{questionnaire_id}", "questionnaire"),
    own("POST /api/questionnaires", _COACH, {"name": "x"}),
    writes(
        "PUT /api/questionnaires/{questionnaire_id}", "questionnaire",
        may="own_coach", body={"name": "x"}, headers=_ANY,
    ),
    writes("PATCH /api/questionnaires/{questionnaire_id}", "questionnaire", may="own_coach", body={"name": "x"}),
    writes("DELETE /api/questionnaires/{questionnaire_id}", "questionnaire", may="own_coach"),
    writes("POST /api/questionnaires/{questionnaire_id}/restore", "questionnaire", may="own_coach"),
    # Analytics.
    own("GET /api/analytics/dashboard", "coach owner"),
    lists("GET /api/analytics/adherence", "athlete", roles=_COACH_AND_BESIDE),
    lists("GET /api/analytics/adherence", "athlete", roles=_COACH_AND_BESIDE, query=_OF_COACH),
    reads("GET /api/analytics/client/{athlete_id}", "athlete", roles=_COACH_AND_BESIDE),
    reads("GET /api/analytics/volume/{athlete_id}", "athlete"),
    reads("GET /api/analytics/progression", "athlete", query=_ATHLETE),
    own("GET /api/analytics/export", "athlete coach owner"),
    reads("GET /api/analytics/export", "athlete", roles="athlete coach owner", query=_ATHLETE),
    reads("GET /api/workouts/analytics", "athlete", query=_ATHLETE),
    # Insights.
    lists("GET /api/insights", "insight", roles="coach owner"),
    writes("GET /api/insights/client/{athlete_id}", "athlete", may="own_coach", roles=_COACH),
    lists("GET /api/insights/published", "published", roles="athlete"),
    reads("GET /api/insights/{insight_id}", "insight", roles="coach owner"),
    writes("POST /api/insights/generate", "athlete", may="own_coach", roles=_COACH, body=_ATHLETE),
    writes("POST /api/insights/progression", "athlete", may="own_coach", roles=_COACH, body=_ATHLETE),
    writes("POST /api/insights/checkin", "athlete", may="own_coach", roles=_COACH, body=_ATHLETE),
    writes("PATCH /api/insights/{insight_id}", "insight", may="own_coach", roles=_COACH, body={"title": "x"}),
    writes("POST /api/insights/{insight_id}/approve", "insight", may="own_coach", roles=_COACH),
    writes("PUT /api/insights/{insight_id}/dismiss", "insight", may="own_coach", roles=_COACH),
    # Messages; the message is her coach's.
    lists("GET /api/messages/threads", "thread", roles=_PAIR_ROLES),
    reads("GET /api/messages/threads/{thread_id}", "thread", roles=_PAIR_ROLES),
    writes(
        "PATCH /api/messages/threads/{thread_id}", "thread", may="own_coach", roles=_COACH, body={"pinned": True},
    ),
    writes(
        "POST /api/messages", "thread",
        may=_PAIR, roles=_PAIR_ROLES, body={"thread_id": "{thread}", "text": "x"},
    ),
    own("GET /api/messages/unread", _PAIR_ROLES),
    own("PUT /api/messages/read", _PAIR_ROLES, {"ids": ["{message}"]}),
    writes("PUT /api/messages/{message_id}/read", "message", may=_PAIR, roles=_PAIR_ROLES),
    writes(
        "PUT /api/messages/{message_id}/reactions", "message", may=_PAIR, roles=_PAIR_ROLES, body={"emojis": ["x"]},
    ),
    writes("DELETE /api/messages/{message_id}", "message", may="own_coach", roles=_PAIR_ROLES),
    # Sync.
    apart("POST /api/sync", "every leaf and every scope of it: test_matrix_leaves.py"),
    apart("GET /api/sync/events", "a stream without an end: test_live_channels_are_open_to_whoever_may_hold_a_replica"),
    apart("WS /api/sync/live", "a socket: test_live_channels_are_open_to_whoever_may_hold_a_replica"),
    # The coach's pages.
    public("GET /"),
    public("GET /join/{code}"),
    public("GET /forgot-password"),
    public("GET /reset-password"),
    public("GET /stop-messages"),
    public("GET /undo-email-change"),
    public("GET /verify-email"),
    Case(route="GET /security", kind="page", roles=names("athlete coach owner support")),
    Case(route="GET /athletes", kind="page", roles=names(_COACH)),
    page("GET /athletes/{athlete_id}", "athlete"),
    page("GET /athletes/{athlete_id}/workouts/{workout_id}", "workout"),
    page("GET /athletes/{athlete_id}/checkins/{check_in_id}", "checkin"),
    page("GET /athletes/{athlete_id}/records/{record_id}", "workout"),
    writes(
        "POST /athletes/{athlete_id}/workouts/{workout_id}/settle", "workout",
        may="own_coach", roles=_COACH, body={"path": "title", "client_id": "1", "stamp": "1"},
        also_fine=frozenset({409}),
    ),
]  # fmt: skip
"""Every route of the server, in the order of its parts. Two lines for one route are two things it may be about."""
