"""A NUL character in a parameter is refused or finds nothing: Postgres takes no text that has one."""

import json
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from apex_server.db import EmbeddedPostgres
from tests.server.matrix_cases import filled, thing_at
from tests.server.matrix_table import ROUTES, Case
from tests.server.matrix_world import PERSONS, MatrixWorld, matrix_world

pytestmark = pytest.mark.anyio

DESCRIPTION = json.loads((Path(__file__).parents[2] / "schemas" / "openapi.json").read_text())


@pytest.fixture(scope="module")
async def world(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[MatrixWorld]:
    async with matrix_world(postgres, tmp_path_factory.mktemp("questions")) as served:
        yield served


def text_parameters(operation: dict[str, Any]) -> Iterator[str]:
    """Name the query parameters of an operation that may be a text."""
    for parameter in operation.get("parameters", ()):
        schema = parameter["schema"]
        schemas = (schema, *schema.get("oneOf", ()), *schema.get("anyOf", ()))
        if parameter["in"] == "query" and any("string" in each.get("type", ()) for each in schemas):
            yield parameter["name"]


def questions() -> Iterator[Any]:
    """List the GETs of the matrix with each of their texts."""
    for case in ROUTES:
        described = DESCRIPTION["paths"].get(case.path, {})
        for name in text_parameters(described.get("get", {}) if case.method == "GET" else {}):
            yield pytest.param(case, name, id=f"{case.route} {name} [{case.thing or case.kind}]")


@pytest.mark.parametrize(("case", "name"), list(questions()))
async def test_a_text_with_a_nul_is_no_error_of_the_server(world: MatrixWorld, case: Case, name: str) -> None:
    may = case.may or {who for who, role in PERSONS.items() if role in case.roles and who != "support_without_consent"}
    path = re.sub(r"\{(\w+)\}", lambda found: world.things[thing_at(case, found[1])], case.path)
    params = {**filled(dict(case.query), dict(world.things)), name: "a\0b"}
    answer = await world.people[min(may)]("GET", path, params=params)
    assert answer.status_code < 500, answer.text
