"""Every field of the blueprint's models is in an answer of the REST API, by its description and by HTTP."""

import json
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from functools import cache
from typing import Any

import pytest

from apex_server.app import create_app
from apex_server.openapi_document import openapi_json
from apex_server.settings import Settings
from schemas.generate import UNOPENED
from tests.engine.blueprint_fields import FIELDS
from tests.server.accounts_app import problem
from tests.server.blueprint_answers import ANSWERS
from tests.server.whole_app import Signed, WholeApp, whole_app

pytestmark = pytest.mark.anyio


@cache
def description() -> dict[str, Any]:
    return dict(json.loads(openapi_json(create_app(UNOPENED))))


def fields_of(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Give the fields of a type, of what a list or a map of it holds, or of any it may be."""
    if "$ref" in schema:
        return fields_of(description()["components"]["schemas"][schema["$ref"].rpartition("/")[2]])
    found = dict(schema.get("properties", {}))
    others = schema.get("additionalProperties")
    for inner in (
        *(one for choice in ("oneOf", "anyOf", "allOf") for one in schema.get(choice, ())),
        schema.get("items", {}),
        others if isinstance(others, dict) else {},
    ):
        found |= fields_of(inner) if inner else {}
    return found


def answer_of(place: str) -> dict[str, Any]:
    """Give what stands at `GET /address > path`. Raises KeyError."""
    operation, _, path = place.partition(" > ")
    method, _, address = operation.partition(" ")
    [content] = description()["paths"][address][method.lower()]["responses"]["200"]["content"].values()
    return walk(content["schema"], path)


def walk(schema: dict[str, Any], path: str) -> dict[str, Any]:
    for name in filter(None, path.split(".")):
        schema = fields_of(schema)[name]
    return schema


def snake_case(name: str) -> str:
    return re.sub(r"(?<=[a-z])([A-Z]+)", r"_\1", name.rpartition(".")[2]).lower()


def missing(model: str) -> Iterator[str]:
    """Name the fields of a model that are in no answer."""
    place, *lines = (line.strip() for line in ANSWERS[model].strip().splitlines())
    said = {name: (sign, rest) for name, sign, rest in (line.split(" ", 2) for line in lines)}
    its = answer_of(place)
    for line in FIELDS[model].strip().splitlines():
        name, sign, rest = line.strip().split(" ", 2)
        told, where = said.pop(name, ("", ""))
        leaves = {leaf.rpartition(".")[2] for leaf in rest.split()} if sign != ":" else set()
        try:
            if told == "=" and where.startswith("/"):
                answer_of(where[1:])
            elif told == "=":
                walk(its, where)
            elif told != ":" and not {snake_case(name), *leaves} & fields_of(its).keys():
                yield name
        except KeyError:
            yield name
    yield from said


@pytest.mark.parametrize("model", FIELDS)
def test_every_field_of_a_model_is_in_an_answer(model: str) -> None:
    assert list(missing(model)) == []


def test_a_field_that_no_answer_has_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FIELDS, "Injury", "colour = profiles.injuries.colour")
    assert list(missing("Injury")) == ["colour"]


@pytest.fixture
async def world(settings: Settings) -> AsyncIterator[WholeApp]:
    async with whole_app(settings) as app:
        yield app


async def read(person: Signed, path: str, **params: Any) -> Any:
    answer = await person("GET", path, params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_whoever_reads_an_athlete_is_shown_their_address_and_nobody_else(world: WholeApp) -> None:
    anna, carla, dora = [
        await world.person(*who) for who in (("anna", "athlete"), ("carla", "coach"), ("dora", "coach"))
    ]
    olga, sam = await world.person("olga", "owner"), await world.person("sam", "support")
    await world.coaches(carla, anna)
    await world.joins(carla, olga)
    path = f"/api/clients/{anna.id}"
    for reader in (carla, olga):
        shown = await read(reader, path)
        assert shown["email"] == "anna@example.com"
        assert shown["email_verified"] is (await read(anna, "/api/auth/me"))["user"]["email_verified"]
    assert problem(await dora("GET", path)) == (404, "not_found")
    assert problem(await sam("GET", path)) == (403, "look_required")
    await world.lets_support(anna, sam)
    assert (await read(sam, path))["email"] == "anna@example.com"
    assert "email" not in (await read(carla, "/api/clients"))["clients"][0]
    await world.owner.execute("UPDATE users SET email_verified_at = NULL WHERE id = $1", anna.id)
    assert (await read(carla, path))["email_verified"] is False
    changed = await carla("PATCH", path, {"file": {"notes": "is shy"}})
    assert changed.json()["updated_at"] is not None
    assert (await anna("DELETE", f"{path}/link")).status_code == 204
    assert problem(await carla("GET", path)) == (404, "not_found")


async def test_a_message_names_both_who_sent_it_and_whom_it_went_to(world: WholeApp) -> None:
    anna, carla = await world.person("anna", "athlete"), await world.person("carla", "coach")
    await world.coaches(carla, anna)
    names = {str(each.id): (await read(each, "/api/auth/me"))["user"]["name"] for each in (anna, carla)}
    [thread] = (await read(anna, "/api/messages/threads"))["threads"]
    for sender in (anna, carla):
        sent = await sender("POST", "/api/messages", {"thread_id": thread["id"], "text": "Hello"})
        assert sent.json()["sender_name"] == names[str(sender.id)]
    for reader in (anna, carla):
        for said in (await read(reader, f"/api/messages/threads/{thread['id']}"))["messages"]:
            assert said["sender_name"] == names[said["sender_id"]]
            assert {said["sender_id"], said["recipient_id"]} == names.keys()
            assert said["updated_at"] is not None


async def test_an_exercise_names_the_coach_who_made_it(world: WholeApp) -> None:
    anna, carla = await world.person("anna", "athlete"), await world.person("carla", "coach")
    await world.coaches(carla, anna)
    made = (await carla("POST", "/api/exercises", {"name": "Deficit Push-Up"})).json()
    for reader in (anna, carla):
        shown = await read(reader, f"/api/exercises/{made['id']}")
        assert (shown["is_custom"], shown["created_by"]) == (True, str(carla.id))
