"""Bodies of the matrix: fields that are not the sender's to set, and ids of others wherever a request names one.

API Top 10 (2023): number 3 (properties of an object) is held here and in test_matrix_leaves.py, number 1 (objects) and
number 5 (functions) in test_matrix.py.
"""

import json
import re
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints
from uuid import uuid4

import msgspec
import pytest

from apex_server.db import EmbeddedPostgres
from apex_server.resources import RecordController
from apex_sync.models.fields import Ref
from tests.server.matrix_cases import ask, filled
from tests.server.matrix_table import ROUTES, Case
from tests.server.matrix_world import PERSONS, MatrixWorld, matrix_world
from tests.server.test_record_resources import controllers

pytestmark = pytest.mark.anyio

DESCRIPTION = json.loads((Path(__file__).parents[2] / "schemas" / "openapi.json").read_text())

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
async def test_a_field_that_is_not_the_senders_to_set_is_refused_or_not_taken(world: MatrixWorld, case: Case) -> None:
    who = sender_of(case)
    for field, value in NOT_THE_SENDERS.items():
        if field in case.body or (case.route, field) == ("POST /api/media", "scope"):
            continue  # The form has it: whose the bytes are to be.
        planted = msgspec.structs.replace(case, body={**case.body, field: value})
        answer = (await ask(world, planted, who, "hers")).answer
        changed = await world.restore()
        if answer.is_success and field in answer.json():
            # What an answer shows may be sent back with the rest of it, and is not taken.
            assert answer.json()[field] != value, f"{who} set {field} by {case.route}: {answer.text}"
            continue
        assert answer.status_code == 422, f"{who} set {field} by {case.route}: {answer.status_code} {answer.text}"
        assert not changed, f"{field} of {case.route} was refused and left a trace in {changed}"


async def test_whoever_registers_sets_what_the_form_has_and_nothing_else(world: MatrixWorld) -> None:
    form = {"email": "new@example.com", "password": "a few words that differ", "name": "New", "role": "athlete"}
    planted = [{**form, field: value} for field, value in NOT_THE_SENDERS.items() if field != "role"]
    for body in [*planted, {**form, "role": "support"}, {**form, "role": "system"}]:
        answer = await world.people["anonymous"]("POST", "/api/auth/register", body)
        assert answer.status_code == 422, answer.text
    assert not await world.changed()


# The examples of the API description, as whoever copies them sends them: with ids of their own.

NAMED_BY = {
    "athlete_id": "athlete",
    "ids": "message",
    "photo_ids": "photo",
    "thread_id": "thread",
    "user_id": "athlete",
}
"""What an id in an example stands for, by its field."""

NOT_TAKEN: Mapping[str, str] = {
    # They hold a secret that no example can know, or what a browser makes of one.
    "POST /api/auth/login": "wrong_credentials",
    "POST /api/auth/login/mfa": "mfa_token_invalid",
    "POST /api/auth/login/passkey": "passkey_refused",
    "POST /api/auth/login/sms": "mfa_token_invalid",
    "POST /api/auth/mfa/phone/confirm": "not_found",
    "POST /api/auth/mfa/totp/confirm": "not_found",
    "POST /api/auth/passkeys": "invalid_fields",
    "POST /api/auth/passkeys/prove": "passkey_refused",
    "POST /api/auth/refresh": "refresh_token_invalid",
    "POST /api/auth/reset-password": "mail_token_invalid",
    "POST /api/auth/undo-email-change": "mail_token_invalid",
    "POST /api/auth/verify-email": "mail_token_invalid",
    # It is for whoever has just shown a second factor.
    "PUT /api/organisation": "second_factor_again",
    # Nothing built in has a barcode; in this world a program has no exercises, and there is a log of that day.
    "POST /api/nutrition/foods/barcode": "not_found",
    "POST /api/nutrition/logs": "already_exists",
    "POST /api/programs/{program_id}/loads": "invalid_fields",
}
"""Operations whose example is refused as it stands, with the code of the refusal."""

EXAMPLES = {
    f"{method.upper()} {path}": next(iter(operation["requestBody"]["content"].values()))["schema"]
    for path, methods in DESCRIPTION["paths"].items()
    for method, operation in methods.items()
    if "requestBody" in operation
}


@pytest.mark.parametrize("route", EXAMPLES)
async def test_an_example_is_taken_as_it_stands(world: MatrixWorld, route: str) -> None:
    [case, *_] = [case for case in ROUTES if case.route == route]
    who = "anonymous" if case.kind == "public" else sender_of(case)
    body = filled(with_things(example_of(EXAMPLES[route])), dict(world.things))
    answer = (await ask(world, msgspec.structs.replace(case, body=body), who, "hers")).answer
    await world.restore()
    if route in NOT_TAKEN:
        assert answer.json()["code"] == NOT_TAKEN[route], answer.text
    else:
        assert answer.is_success, (who, body, answer.text)


def example_of(schema: Mapping[str, Any]) -> Any:
    """Give the example of a body, its own or that of its type."""
    if "examples" in schema:
        return schema["examples"][0]
    reference = next(one["$ref"] for one in schema.get("oneOf", [schema]) if "$ref" in one)
    return DESCRIPTION["components"]["schemas"][reference.rpartition("/")[2]]["examples"][0]


def with_things(example: Any, name: str = "") -> Any:
    """Name the things of the world in place of the ids that stand in every example."""
    if isinstance(example, dict):
        return {field: with_things(value, field) for field, value in example.items()}
    if isinstance(example, list):
        return [with_things(value, name) for value in example]
    return f"{{{NAMED_BY[name]}}}" if name in NAMED_BY else example


# Ids of others, wherever a request names one beside the thing it is about.

REFERENCES: list[tuple[str, str, str, Any, str]] = [
    ("own_coach", "POST", "/api/programs/{foreign_template}/assign", {"athlete_id": "{athlete}"}, "foreign_template"),
    ("foreign_coach", "POST", "/api/programs/{foreign_template}/assign", {"athlete_id": "{athlete}"}, "athlete"),
    ("foreign_coach", "POST", "/api/nutrition/plans/{meal_plan}/assign", {"athlete_id": "{athlete}"}, "meal_plan"),
    (
        "own_coach",
        "POST",
        "/api/nutrition/plans/{meal_plan}/assign",
        {"athlete_id": "{other_athlete}"},
        "other_athlete",
    ),
    ("other_athlete", "POST", "/api/nutrition/plans/{meal_plan}/assign", {}, "meal_plan"),
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


THING_OF_LEAF = {
    "check_in_id": "checkin",
    "exercise_id": "exercise",
    "food_id": "food",
    "meal_plan_id": "meal_plan",
    "media_id": "media",
    "program_id": "program",
    "questionnaire_id": "questionnaire",
    "source_id": "template",
}
"""What a leaf that names another record names: Anna's, or her coach's."""


A_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+(Z|[+-][0-9:]+)?")


def references(model: type[Any], path: str = "") -> Iterator[str]:
    """List the leaves of a model that name another record."""
    for name, hint in get_type_hints(model, include_extras=True).items():
        kinds = get_args(hint)
        if Ref in kinds:
            yield f"{path}{name}"
        for kind in kinds:
            if get_origin(kind) is dict:
                _, entry = get_args(kind)
                yield from references(entry, f"{path}{name}.k1.") if hasattr(entry, "__struct_fields__") else ()


RECORD_REFERENCES = [
    pytest.param(controller, leaf, id=f"{controller.word()} {leaf}")
    for controller in controllers()
    for leaf in references(controller.kind.collection.model)
]


@pytest.mark.parametrize(("controller", "leaf"), RECORD_REFERENCES)
async def test_a_record_that_names_something_of_somebody_else_is_answered_like_one_that_names_nothing(
    world: MatrixWorld, controller: type[RecordController], leaf: str
) -> None:
    maker = world.people["other_athlete" if "athlete" in controller.made_by else "foreign_coach"]
    plain = {name: value for name, value in controller.examples[0].items() if not isinstance(value, dict | list)}
    draft = {name: value for name, value in plain.items() if name != "id"}
    *_, field = names = leaf.split(".")
    told = []
    for id_ in (world.things[THING_OF_LEAF[field]], str(uuid4())):
        made = await maker("POST", controller.path, draft)
        address = f"{controller.path}/{made.json()['id']}"
        changed = await maker("PATCH", address, nested(names, id_))
        include = {"include": ",".join(controller.includable)}
        shown = [changed, await maker("GET", address, params=include), await maker("GET", controller.path)]
        await world.restore()
        assert changed.status_code == 200 and id_ in changed.text, changed.text
        texts = [f"{answer.status_code} {answer.text}" for answer in shown]
        for own in (id_, made.json()["id"]):
            texts = [text.replace(own, "…") for text in texts]
        told.append([A_TIME.sub("…", text) for text in texts])
    assert told[0] == told[1]


def nested(names: Sequence[str], value: Any) -> Any:
    """Put a value at a place."""
    for name in reversed(names):
        value = {name: value}
    return value


def own_ids(answer: Any) -> list[str]:
    """List what differs between any two answers alike: the id of a record that was made, and its times."""
    shown = answer.json() if answer.content else {}
    return [str(shown[name]) for name in ("id", "created_at", "updated_at", "synced_at") if shown.get(name)]
