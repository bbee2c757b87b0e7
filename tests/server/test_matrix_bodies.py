"""Bodies of the matrix: fields that are not the sender's to set, and ids of others wherever a request names one.

API Top 10 (2023): number 3 (properties of an object) is held here and in test_matrix_leaves.py, number 1 (objects) and
number 5 (functions) in test_matrix.py.
"""

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from apex_server.db import EmbeddedPostgres
from tests.server.matrix_cases import ask, filled
from tests.server.matrix_table import ROUTES, Case
from tests.server.matrix_world import PERSONS, MatrixWorld, matrix_world

pytestmark = pytest.mark.anyio

NOT_THE_SENDERS = {
    "role": "support",
    "user_id": str(uuid4()),
    "owner_id": str(uuid4()),
    "coach_id": str(uuid4()),
    "scope": "global",
    "scope_id": str(uuid4()),
    "seq": 1,
    "tier": "organisation",
    "email_verified_at": "2026-01-01T00:00:00Z",
    "is_admin": True,
    "__proto__": {},
}
"""What somebody might add to a body in the hope that it is stored."""

CASES = [case for case in ROUTES if isinstance(case.body, dict)]


@pytest.fixture(scope="module")
async def world(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[MatrixWorld]:
    async with matrix_world(postgres, tmp_path_factory.mktemp("bodies")) as served:
        yield served


def named(case: Case) -> str:
    return f"{case.route} [{case.thing or case.kind}]"


def sender_of(case: Case) -> str:
    """Choose somebody who may send the body: then only the field can be what is refused."""
    may = case.may or {who for who, role in PERSONS.items() if role in case.roles and who != "support_without_consent"}
    return sorted(may)[0]


@pytest.mark.parametrize("case", CASES, ids=named)
async def test_a_field_that_is_not_the_senders_to_set_is_refused(world: MatrixWorld, case: Case) -> None:
    who = sender_of(case)
    for field, value in NOT_THE_SENDERS.items():
        if field in case.body or (case.route, field) == ("POST /api/media", "scope"):
            continue  # The form has it: whose the bytes are to be.
        planted = msgspec.structs.replace(case, body={**case.body, field: value})
        answer = (await ask(world, planted, who, "hers")).answer
        changed = await world.changed()
        await world.restore()
        assert answer.status_code == 422, f"{who} set {field} by {case.route}: {answer.status_code} {answer.text}"
        assert not changed, f"{field} of {case.route} was refused and left a trace in {changed}"


async def test_whoever_registers_sets_what_the_form_has_and_nothing_else(world: MatrixWorld) -> None:
    form = {"email": "new@example.com", "password": "a few words that differ", "name": "New", "role": "athlete"}
    planted = [{**form, field: value} for field, value in NOT_THE_SENDERS.items() if field != "role"]
    for body in [*planted, {**form, "role": "support"}, {**form, "role": "system"}]:
        answer = await world.people["anonymous"]("POST", "/api/auth/register", body)
        assert answer.status_code == 422, answer.text
    assert not await world.changed()


# Ids of others, wherever a request names one beside the thing it is about.

REFERENCES: list[tuple[str, str, str, Any, str]] = [
    ("own_coach", "POST", "/api/programs/{foreign_template}/assign", {"athlete_id": "{athlete}"}, "foreign_template"),
    ("foreign_coach", "POST", "/api/programs/{foreign_template}/assign", {"athlete_id": "{athlete}"}, "athlete"),
    ("foreign_coach", "POST", "/api/programs", {"name": "x", "athlete_id": "{athlete}"}, "athlete"),
    (
        "other_athlete",
        "POST",
        "/api/workouts",
        {"date": "2026-03-01", "title": "x", "athlete_id": "{athlete}"},
        "athlete",
    ),
    ("other_athlete", "POST", "/api/workouts", {"id": "{workout}", "date": "2026-03-01", "title": "x"}, "workout"),
    ("foreign_coach", "POST", "/api/exercises", {"id": "{exercise}", "name": "x"}, "exercise"),
    ("other_athlete", "DELETE", "/api/clients/{other_athlete}/link?coach_id={coach}", None, "coach"),
    ("foreign_coach", "GET", "/api/workouts?athlete_id={athlete}", None, "athlete"),
    ("foreign_coach", "GET", "/api/workouts?program_id={program}", None, "program"),
    ("foreign_coach", "GET", "/api/insights?about_id={checkin}", None, "checkin"),
    ("foreign_coach", "GET", "/api/insights?athlete_id={athlete}", None, "athlete"),
    ("foreign_owner", "GET", "/api/organisation/coaches/{coach}/athletes", None, "coach"),
    ("support_without_consent", "POST", "/api/support/looks", {"user_id": "{coach}", "ticket": "T-1"}, "coach"),
]
"""Who names, in which request, what of somebody else's: the last is what an absent one takes the place of."""


@pytest.mark.parametrize(("who", "method", "path", "body", "thing"), REFERENCES)
async def test_an_id_of_somebody_else_is_answered_like_one_of_nobody(
    world: MatrixWorld, who: str, method: str, path: str, body: Any, thing: str
) -> None:
    told = []
    for ids in (world.things, {**world.things, thing: str(uuid4())}):
        answer = await world.people[who](method, filled(path, dict(ids)), filled(body, dict(ids)))
        await world.restore()
        made = {id_: "…" for id_ in (ids[thing], *own_ids(answer))}
        text = answer.text
        for id_, dots in made.items():
            text = text.replace(id_, dots)
        told.append((answer.status_code, text))
    assert told[0] == told[1]


def own_ids(answer: Any) -> list[str]:
    """List what differs between any two answers alike: the id of a record that was made, and its times."""
    shown = answer.json() if answer.content else {}
    return [str(shown[name]) for name in ("id", "created_at", "updated_at", "synced_at") if shown.get(name)]
