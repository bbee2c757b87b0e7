"""Every operation of the API takes made-up requests, of an athlete and of a coach, as its description says."""

import json
import re
from collections.abc import Iterator
from itertools import product

import pytest
from anyio.from_thread import BlockingPortal

from apex_server.db import EmbeddedPostgres
from apex_server.settings import Settings
from tests.e2e.whole_server import WholeServer, running_server
from tests.server.conftest import SECRET, execute, url_of
from tests.server.openapi_fuzzing import (
    DESCRIPTION,
    ENDS_THE_SESSION,
    IN_LETTERS_ALONE,
    IN_ORDER,
    NOT_ASKED,
    NOT_READ,
    OPERATIONS,
    ROLES,
    People,
    Role,
    fuzz,
    operations_of,
)

EXAMPLES = 8
PARAMETER = re.compile(r"\{(\w+)\}")
DATABASE = "openapi_fuzz"


@pytest.fixture(scope="module")
def server(
    postgres: EmbeddedPostgres, portal: BlockingPortal, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[WholeServer]:
    portal.call(execute, postgres.dsn, f"CREATE DATABASE {DATABASE} TEMPLATE apex_template")
    settings = Settings(
        data_dir=tmp_path_factory.mktemp("fuzz"),
        secret=SECRET,
        database_url=url_of(postgres, DATABASE),
        limits_factor=1e6,
    )
    with running_server(portal, settings) as running:
        yield running
    portal.call(execute, postgres.dsn, f"DROP DATABASE {DATABASE} WITH (FORCE)")


@pytest.fixture(scope="module")
def people(server: WholeServer) -> People:
    return People(server).given_by_the_server()


def test_every_parameter_of_an_address_stands_for_something(people: People) -> None:
    named = {name for operation in OPERATIONS for name in PARAMETER.findall(operation)}
    assert named == people.known.keys() | IN_LETTERS_ALONE.keys(), "make one in People"


def test_what_can_be_read_is_there(people: People) -> None:
    for operation in OPERATIONS.keys() - NOT_ASKED.keys() - NOT_READ.keys():
        method, path = operation.split(" ")
        if method == "GET" and (names := PARAMETER.findall(path)):
            assert any(
                people.http.get(
                    path.format(**dict(zip(names, ids, strict=True))), headers=people.headers(role)
                ).is_success
                for role in ROLES
                for ids in product(*(people.known[name] for name in names))
            ), operation


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("operation", IN_ORDER)
def test_made_up_requests_get_an_answer_that_is_described(
    server: WholeServer, people: People, operation: str, role: Role
) -> None:
    fuzz(operation, role, People(server) if operation in ENDS_THE_SESSION else people, examples=EXAMPLES)


@pytest.mark.parametrize("lie", ["another status", "another type", "another shape"])
def test_an_answer_that_is_not_described_would_be_seen(people: People, lie: str) -> None:
    description = json.loads(DESCRIPTION.read_text())
    responses = description["paths"]["/api/auth/me"]["get"]["responses"]
    told = responses.pop("200")
    if lie == "another type":
        told["content"] = {"text/html": {"schema": {}}}
    if lie == "another shape":
        told["content"]["application/json"]["schema"] = {"type": "array"}
    responses["201" if lie == "another status" else "200"] = told
    with pytest.raises(AssertionError):
        fuzz("GET /api/auth/me", "athlete", people, examples=1, operations=operations_of(description))
