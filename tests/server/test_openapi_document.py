"""The API description builds, is the same each time, and its examples are taken as they stand."""

import json
import re
from collections.abc import AsyncIterator, Callable
from typing import Any

import jsonschema_rs
import pytest
from litestar import Litestar
from litestar.di import Provide
from litestar.openapi.config import OpenAPIConfig

from apex_server.app import create_app
from apex_server.checkins import checkin_routes
from apex_server.db import Database
from apex_server.exercises import exercise_routes
from apex_server.nutrition import nutrition_routes
from apex_server.openapi_document import TAGS, openapi_json
from apex_server.openapi_examples import ExampleMissing, composed
from apex_server.programs import program_routes
from apex_server.progress import progress_routes
from apex_server.workouts import workout_routes
from schemas.generate import UNOPENED
from tests.server.rest_app import RestServer, rest_server

pytestmark = pytest.mark.anyio

OF_COACHES = (
    "/api/exercises",
    "/api/nutrition/foods",
    "/api/nutrition/plans",
    "/api/programs",
    "/api/questionnaires",
)
"""What coaches make; what anybody else may make, an athlete does."""

METHODS = ("get", "post", "put", "patch", "delete")


@pytest.fixture
async def rest(db: Database) -> AsyncIterator[RestServer]:
    async with rest_server(db) as server:
        yield server


def document() -> dict[str, Any]:
    return dict(json.loads(openapi_json(make_app())))


def make_app() -> Litestar:
    return Litestar(
        [
            *workout_routes,
            *checkin_routes,
            *program_routes,
            *exercise_routes,
            *nutrition_routes,
            *progress_routes,
        ],
        dependencies={
            name: Provide(provider(name), sync_to_thread=False)
            for name in ("caller", "committer", "database", "media_store", "model")
        },
        openapi_config=OpenAPIConfig("Apex Sync", "1", use_handler_docstrings=True, tags=TAGS),
        logging_config=None,  # Litestar's own would stay behind in the process.
    )


def provider(name: str) -> Callable[[], str]:
    """Stand in for a part of the server that a description does not need."""
    return lambda: name


def operations() -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (method, path, operation)
        for path, methods in document()["paths"].items()
        for method, operation in methods.items()
        if method in METHODS
    ]


def test_the_description_is_the_same_each_time() -> None:
    assert openapi_json(make_app()) == openapi_json(make_app())
    assert openapi_json(make_app()).endswith("}\n")


def test_every_reference_leads_somewhere() -> None:
    text = json.dumps(document())
    schemas = document()["components"]["schemas"]
    assert {name for name in re.findall(r'#/components/schemas/([^"]+)"', text)} <= set(schemas)


def test_every_operation_says_what_it_does_and_belongs_to_a_known_group() -> None:
    groups = {tag.name for tag in TAGS}
    for method, path, operation in operations():
        assert operation.get("description"), (method, path)
        assert set(operation["tags"]) <= groups, (method, path)
        assert "401" in operation["responses"], (method, path)


def test_bodies_are_described_by_their_types() -> None:
    for method, path, operation in operations():
        if "requestBody" in operation:
            [content] = operation["requestBody"]["content"].values()
            assert "$ref" in json.dumps(content["schema"]), (method, path)
    workout = document()["components"]["schemas"]["NewWorkout"]["properties"]
    assert {"type": "array"}.items() <= workout["exercises"].items()


async def test_the_examples_are_taken(rest: RestServer) -> None:
    coach, athlete = await rest.coach_and_athlete()
    made: dict[str, str] = {}
    etags: dict[str, str] = {}
    sent = 0
    for method, path, operation in sorted(operations(), key=lambda op: METHODS.index(op[0])):
        person = coach if path.startswith(OF_COACHES) else athlete
        schema = next(iter(operation.get("requestBody", {"content": {"": {}}})["content"].values())).get("schema", {})
        for example in schema.get("examples", []):
            address = path
            if "{" in path:
                address = re.sub(r"\{.*\}", made[path.rpartition("/")[0]], path)
                etags["if_match"] = (await person("GET", address)).headers["etag"]
            answer = await person(method.upper(), address, example, **(etags if "{" in path else {}))
            assert answer.status_code in (200, 201), (method, path, answer.text)
            assert all(result["status"] != "rejected" for result in answer.json().get("results", []))
            made[path] = answer.json().get("id", "")
            sent += 1
    assert sent > 3 * len(OF_COACHES)


def test_what_is_composed_fits_its_type() -> None:
    components = whole_document()["components"]
    assert {name for name, schema in components["schemas"].items() if "examples" in schema} > {"LoginRequest", "MeView"}
    for name, schema in components["schemas"].items():
        reference = {"$ref": f"#/components/schemas/{name}", "components": components}
        validator = jsonschema_rs.Draft202012Validator(reference)
        for example in schema.get("examples", []):
            assert [error.message for error in validator.iter_errors(example)] == [], name


def test_bodies_and_answers_have_an_example() -> None:
    described = whole_document()
    schemas = described["components"]["schemas"]
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            for part in (operation.get("requestBody", {}), *operation["responses"].values()):
                for media_type, content in part.get("content", {}).items():
                    reference = content["schema"].get("$ref", "").rpartition("/")[2]
                    known = content.keys() | content["schema"].keys() | schemas.get(reference, {}).keys()
                    if "json" in media_type and reference:
                        assert known & {"example", "examples", "enum"}, (method, path, media_type)


def test_who_need_not_sign_in_is_said() -> None:
    described = whole_document()
    assert described["security"] == [{"access_token": []}, {"session_cookie": []}]
    is_open = {
        f"{method} {path}"
        for path, methods in described["paths"].items()
        for method, operation in methods.items()
        if operation.get("security") == []
    }
    assert {"post /api/auth/login", "get /health", "get /api/invites/{code}"} < is_open
    assert not {"get /api/workouts", "post /api/sync", "get /api/auth/me"} & is_open


def test_a_type_that_nothing_fits_is_named() -> None:
    with pytest.raises(ExampleMissing, match="serial_number"):
        composed({"type": "object", "properties": {"serial_number": {"type": "string", "pattern": "^[0-9]{9}$"}}}, {})


def whole_document() -> dict[str, Any]:
    return dict(json.loads(openapi_json(create_app(UNOPENED))))
