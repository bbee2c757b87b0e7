"""Requests made up from the API description, sent to a real server as an athlete and as a coach.

Half of what a path or a query names is really there, because a handler that only ever says 404 proves nothing. Every
answer must be one that the description knows: its status, its media type, its shape; never a 5xx.
"""

import json
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from typing import Any, Literal, Self
from uuid import uuid4

import anyio
import httpx
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Ok
from schemathesis.generation import GenerationMode
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from apex_server.workouts.examples import WORKOUT_CHANGES
from apex_sync.ids import private_scope
from tests.e2e.whole_server import PASSWORD, WholeServer
from tests.server.matrix_world import export_of, media_of, passkey_of
from tests.server.whole_app import whole_app

Role = Literal["athlete", "coach"]
ROLES: tuple[Role, ...] = ("athlete", "coach")

DESCRIPTION = Path(__file__).parents[2] / "schemas" / "openapi.json"
Operations = Mapping[str, APIOperation[Any, Any, Any, Any]]


def operations_of(description: dict[str, Any]) -> Operations:
    """Give the operations of an API description, as `GET /api/auth/me`."""
    found = schemathesis.openapi.from_dict(description).get_all_operations()
    return {result.ok().label: result.ok() for result in found if isinstance(result, Ok)}


OPERATIONS = operations_of(json.loads(DESCRIPTION.read_text()))

NOT_ASKED = {
    "GET /api/sync/events": "a stream that ends with the session; tests/e2e/test_live.py reads it",
}
"""Operations left out, and why."""

IN_ORDER = sorted(
    OPERATIONS.keys() - NOT_ASKED.keys(), key=lambda operation: (operation.startswith("DELETE"), operation)
)
"""What is asked, and what deletes last: else the others would find nothing any more."""

ENDS_THE_SESSION = {"POST /api/auth/logout", "DELETE /api/devices/{device_id}", "DELETE /api/clients/{athlete_id}/link"}
"""After these the next operation needs people of its own."""

IN_LETTERS_ALONE = {"token": "stands in a mailed link; tests/server/test_message_media.py and others follow one"}
"""Parameters of addresses that stand for nothing of these people's, and why."""

NOT_READ = {
    "GET /api/organisation/coaches/{coach_id}/athletes": "owners alone read it",
    "GET /api/organisation/invites/{code}": "a coach's code is none of an organisation",
    "GET /api/consents/messages/stop/{token}": "of a mailed link",
}
"""Addresses with something in them that neither of the two reads, and why."""

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
REQUEST_SECONDS_MAX = 20.0


class People:
    """A coach, an athlete of theirs, and something of every kind that an address can name."""

    def __init__(self, server: WholeServer) -> None:
        self._server = server
        self.http = httpx.Client(base_url=server.address, timeout=REQUEST_SECONDS_MAX)
        self.tokens: dict[Role, str] = {}
        self.known: dict[str, list[str]] = {}
        self.signed_in = {role: self._register(role) for role in ROLES}
        invite = self._post("coach", "/api/invites", {})
        self._post("athlete", f"/api/invites/{invite['code']}/accept")
        waiting = self._post("coach", "/api/invites", {})
        [thread] = self._get("coach", "/api/messages/threads")["threads"]
        programs = [self._post("coach", "/api/programs", {"name": "Base"})["id"] for _ in range(2)]
        upload = {"media_id": "1" * 64, "size_bytes": 4, "content_type": "application/pdf", "kind": "file"}
        self.known = {
            "athlete_id": [self.signed_in["athlete"]["user"]["id"]],
            "coach_id": [self.signed_in["coach"]["user"]["id"]],
            "device_id": [each["device_id"] for each in self.signed_in.values()],
            "code": [invite["code"], waiting["code"]],
            "invite_id": [waiting["id"]],
            "workout_id": self._made("athlete", "/api/workouts", WORKOUT_CHANGES, WORKOUT_CHANGES),
            "checkin_id": self._made("athlete", "/api/checkins", *({"date": f"2026-03-0{day}"} for day in (1, 8))),
            "log_id": self._made("athlete", "/api/nutrition/logs", *({"date": f"2026-03-0{day}"} for day in (1, 8))),
            "metric_id": self._made("athlete", "/api/progress/metrics", {"date": "2026-03-01", "weight_kg": 80}),
            "photo_id": self._made("athlete", "/api/progress/photos", {"date": "2026-03-01"}),
            "plan_id": self._made("athlete", "/api/nutrition/plans", {"name": "Cut"}),
            "program_id": programs,
            "stamp": [
                str(version["stamp"])
                for program_id in programs
                for version in self._get("coach", f"/api/programs/{program_id}/versions")["versions"]
            ],
            "exercise_id": self._made("coach", "/api/exercises", {"name": "Log Press"}),
            "food_id": self._made("coach", "/api/nutrition/foods", {"name": "Oats"}),
            "questionnaire_id": self._made("coach", "/api/questionnaires", {"name": "Weekly"}),
            "thread_id": [thread["id"]],
            "message_id": self._made("coach", "/api/messages", {"thread_id": thread["id"], "text": "Hello"}),
            "upload_id": [self._post("athlete", "/api/media", upload)["upload_id"]],
            "number": ["1"],
        }

    def given_by_the_server(self) -> Self:
        """Give them, too, what nobody makes by asking: the worker's part is played here, and the operator's."""
        with ThreadPoolExecutor(1) as thread:  # It has no event loop, whatever runs in this one.
            self.known |= thread.submit(anyio.run, self._given).result()
        return self

    async def _given(self) -> dict[str, list[str]]:
        coach_id, athlete_id = self.known["coach_id"][0], self.known["athlete_id"][0]
        insight_id = str(uuid4())
        async with whole_app(self._server.settings) as whole:
            athlete = whole.signed(self.signed_in["athlete"])
            draft = {
                "athlete_id": athlete_id, "kind": "training", "type": "progression", "priority": "high",
                "status": "draft", "title": "Stronger", "summary": "By a rep.",
            }  # fmt: skip
            private = private_scope(coach_id, athlete_id)
            await whole.app.state.committer.write(None, private, "insights", insight_id, draft)
            support = await whole.person(self._server.new_email("support").partition("@")[0], "support")
            return {
                "insight_id": [insight_id],
                "media_id": [await media_of(whole, athlete)],
                "passkey_id": [await passkey_of(whole, athlete)],
                "export_id": [await export_of(whole, athlete)],
                "look_id": [str(await whole.lets_support(athlete, support))],
            }

    def _register(self, role: Role) -> dict[str, Any]:
        body = {"email": self._server.new_email(role), "password": PASSWORD, "name": role, "role": role}
        signed_in: dict[str, Any] = self.http.post("/api/auth/register", json=body).raise_for_status().json()
        self.tokens[role] = signed_in["access_token"]
        return signed_in

    def _post(self, role: Role, path: str, body: Any = None) -> Any:
        answer = self.http.post(path, json=body, headers=self.headers(role))
        return answer.raise_for_status().json() if answer.content else None

    def _made(self, role: Role, path: str, *bodies: Any) -> list[str]:
        return [self._post(role, path, body)["id"] for body in bodies]

    def _get(self, role: Role, path: str) -> Any:
        return self.http.get(path, headers=self.headers(role)).raise_for_status().json()

    def headers(self, role: Role) -> dict[str, str]:
        """Give the header that speaks for somebody."""
        return {"Authorization": f"Bearer {self.tokens[role]}"}


def fuzz(
    operation: str,
    role: Role,
    people: People,
    *,
    examples: int,
    from_seed: int | None = None,
    operations: Operations = OPERATIONS,
) -> None:
    """Send made-up requests. Raises AssertionError for an answer that the description does not know.

    Without a seed the requests are the same each time.
    """

    def check(case: Any, dice: Random) -> None:
        name_what_is_there(case, people.known, dice)
        response = case.call(
            base_url=str(people.http.base_url), headers=people.headers(role), timeout=REQUEST_SECONDS_MAX
        )
        case.validate_response(response, checks=CHECKS)

    made_up = operations[operation]
    cases = st.one_of(*(made_up.as_strategy(generation_mode=mode) for mode in modes_of(made_up)))
    bounded = settings(
        max_examples=examples,
        derandomize=from_seed is None,
        database=None,
        deadline=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    run = bounded(given(case=cases, dice=st.randoms(use_true_random=False))(check))
    try:
        (run if from_seed is None else seed(from_seed)(run))()
    except FailureGroup as failures:
        raise AssertionError(str(failures)) from None


def modes_of(operation: Any) -> Iterator[GenerationMode]:
    """Give what can be made up: requests as described and, where the description forbids anything, others."""
    yield GenerationMode.POSITIVE
    if operation.body or any(operation.query) or any(operation.path_parameters) or any(operation.headers):
        yield GenerationMode.NEGATIVE


def name_what_is_there(case: Any, known: Mapping[str, list[str]], dice: Random) -> None:
    """Put in place of half of the ids some that are really there."""
    for parameters in (case.path_parameters, case.query):
        for name in parameters if isinstance(parameters, dict) else ():
            if name in known and dice.random() < 0.5:
                parameters[name] = dice.choice(known[name])
