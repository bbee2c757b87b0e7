"""Requests made up from the API description, sent to a real server as an athlete and as a coach.

Half of what a path or a query names is really there, because a handler that only ever says 404 proves nothing. Every
answer must be one that the description knows: its status, its media type, its shape; never a 5xx.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from random import Random
from typing import Any, Literal

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
from tests.e2e.whole_server import PASSWORD, WholeServer

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

ENDS_THE_SESSION = {"POST /api/auth/logout", "DELETE /api/devices/{device_id}", "DELETE /api/clients/{athlete_id}/link"}
"""After these the next operation needs people of its own."""

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
        self.http = httpx.Client(base_url=server.address, timeout=REQUEST_SECONDS_MAX)
        self._email = server.new_email
        self.tokens: dict[Role, str] = {}
        self.known: dict[str, list[str]] = {}
        signed_in = {role: self._register(role) for role in ROLES}
        code = self._post("coach", "/api/invites", {})["code"]
        self._post("athlete", f"/api/invites/{code}/accept")
        athlete_id = signed_in["athlete"]["user"]["id"]
        self.known = {
            "athlete_id": [athlete_id],
            "coach_id": [signed_in["coach"]["user"]["id"]],
            "device_id": [each["device_id"] for each in signed_in.values()],
            "code": [code, self._post("coach", "/api/invites", {})["code"]],
            "workout_id": [self._post("athlete", "/api/workouts", WORKOUT_CHANGES)["id"] for _ in range(2)],
            "checkin_id": [self._post("athlete", "/api/checkins", {"date": f"2026-03-0{n}"})["id"] for n in (1, 8)],
            "program_id": [self._post("coach", "/api/programs", {"name": "Base"})["id"] for _ in range(2)],
            "exercise_id": [self._post("coach", "/api/exercises", {"name": "Log Press"})["id"]],
        }

    def _register(self, role: Role) -> dict[str, Any]:
        body = {"email": self._email(role), "password": PASSWORD, "name": role, "role": role}
        signed_in: dict[str, Any] = self.http.post("/api/auth/register", json=body).raise_for_status().json()
        self.tokens[role] = signed_in["access_token"]
        return signed_in

    def _post(self, role: Role, path: str, body: Any = None) -> Any:
        answer = self.http.post(path, json=body, headers=self.headers(role))
        return answer.raise_for_status().json() if answer.content else None

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
