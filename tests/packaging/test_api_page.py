"""The page of the REST API forgets no endpoint: each has roles, a proof, and a call of the SDK or why there is none."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from apex_client.blocking import Replica
from apex_client.blocking.checkins import CheckIn
from apex_client.blocking.messages import Message
from apex_client.blocking.records import Record
from schemas.api_page import api_page, operations_of, still_to_be_built
from schemas.sdk_calls import APART, CALLS, TESTS, proven_by, sdk_call

ROOT = Path(__file__).parents[2]
DESCRIPTION = msgspec.json.decode((ROOT / "schemas" / "openapi.json").read_bytes())
SOMEBODY = "00000000-0000-0000-0000-000000000001"
MOVED = {
    f"GET /api/{noun}/{{athlete_id}}": f"GET /api/{noun}/client/{{athlete_id}}"
    for noun in ("progress/photos", "progress/metrics", "nutrition/logs")
}
"""What stands elsewhere than the blueprint has it."""

OPERATIONS = [operation for operation, _ in operations_of(DESCRIPTION)]


@pytest.fixture(scope="module")
def replica(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replica]:
    with Replica.open(tmp_path_factory.mktemp("replica") / "athlete.db") as opened:
        yield opened


@pytest.mark.parametrize("operation", OPERATIONS)
def test_an_operation_has_a_call_of_the_sdk_or_a_reason_for_none(replica: Replica, operation: str) -> None:
    """A new one needs a line in schemas/sdk_calls.py, unless a RecordController has it."""
    call = sdk_call(operation)
    assert call is not None
    if call.startswith("`"):
        holders: dict[str, Any] = {"replica": replica, "record": Record, "check_in": CheckIn, "message": Message}
        assert callable(called(holders, call.strip("`"))), call


def called(holders: dict[str, Any], call: str) -> Any:
    """Give what a call such as `replica.athlete(id).workouts.list()` calls in the end."""
    first, *names = re.sub(r"\([^)]*\)$", "", call).split(".")
    found = holders[first]
    for name in names:
        found = found.athlete(SOMEBODY) if name == "athlete(id)" else getattr(found, name)
    return found


@pytest.mark.parametrize("operation", OPERATIONS)
def test_an_operation_has_a_proof(operation: str) -> None:
    proof = proven_by(operation)
    assert proof is not None and (ROOT / "tests" / proof).exists()


def test_no_line_is_about_what_there_is_not() -> None:
    assert CALLS.keys() <= set(OPERATIONS)
    for beginning in (*APART, *TESTS):
        assert any(operation.partition(" ")[2].startswith(beginning) for operation in OPERATIONS), beginning


def test_the_page_lists_every_endpoint_of_the_server_and_of_the_blueprint() -> None:
    page = api_page(DESCRIPTION)
    listed = set(re.findall(r"^\| `([A-Z]+ [^`]+)` \|", page, re.MULTILINE))
    assert listed == {*OPERATIONS, *MOVED, *(operation for operation, _ in still_to_be_built(DESCRIPTION))}
    assert all(f"| `{asked}` | `{here}` |" in page for asked, here in MOVED.items())
    assert not re.search(r"\|  \|", page), "a cell is empty"


@pytest.mark.parametrize("asked", MOVED)
def test_an_endpoint_by_athlete_is_not_built_where_an_address_takes_a_record(asked: str) -> None:
    """The address of one photo looks like that of an athlete's photos, and answers 404 for an athlete."""
    method, _, address = MOVED[asked].partition(" ")
    paths = {
        path: {made: one for made, one in methods.items() if (path, made) != (address, method.lower())}
        for path, methods in DESCRIPTION["paths"].items()
    }
    missing = {operation for operation, _ in still_to_be_built({**DESCRIPTION, "paths": paths})}
    assert asked in missing


def test_what_is_said_to_stand_elsewhere_answers_there_alone() -> None:
    assert set(MOVED.values()) <= set(OPERATIONS)
    assert not MOVED.keys() & set(OPERATIONS)
    assert not MOVED.keys() & {operation for operation, _ in still_to_be_built(DESCRIPTION)}
