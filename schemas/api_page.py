"""`docs/api.md`: every endpoint with who may call it, what the SDK has for it, and what proves it."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from apex_server.openapi_examples import composed
from apex_sync.models import CHECK_INS, MESSAGES
from schemas.sdk_calls import proven_by, sdk_call
from tests.server.matrix_table import READERS, ROUTES, Case
from tests.server.matrix_world import PERSONS

__all__ = ["api_page", "operations_of", "still_to_be_built"]

BLUEPRINT = Path(__file__).parent / "blueprint_endpoints.txt"
"""The endpoints that the product's blueprint asks for, what each is for, and its address here where it is another.

`{athlete_id}` is the blueprint's `:clientId`, `{}` the id of anything else.
"""

COLUMNS = "| endpoint | what it does | roles | in the SDK | proven by |\n|---|---|---|---|---|"
WHOSE_IT_IS = frozenset(thing for thing, readers in READERS.items() if readers == {"athlete"})
"""Things of an account that has any role; in the matrix it is the athlete's."""

RECORDS = {"/api/checkins/{checkin_id}": CHECK_INS, "/api/messages/{message_id}": MESSAGES}
"""Records in which every role has a part of its own; of a message each side deletes its own part."""

LINE_LENGTH = 100
"""Up to here an example stands on one line."""

METHODS = ("get", "post", "put", "patch", "delete")
RECORD_ID = re.compile(r"\{(?!athlete_id\})\w*\}")
"""A parameter of any name but an athlete's: at one address the two mean different answers."""

HEAD = """\
<!-- Made by `make schemas` from the API description, tests/server/matrix_table.py and schemas/sdk_calls.py. -->

# The REST API

Every endpoint, with the roles that may call it, what the SDK has in its place and the tests that prove it. All of
them are also held by `tests/server/test_matrix.py` (everybody against everything) and
`tests/server/test_openapi_fuzz.py` (made-up requests). The whole description is
[`schemas/openapi.json`](../schemas/openapi.json); a running server shows it at `/schema`, where each endpoint can be
tried out, and client generators read it (`tests/e2e/test_typed_client.py` uses a Python one).

What all kinds of records have in common: a list takes its filters, `sort=`, `fields=`, `include=`, `limit=` and
`after=` (the `next` of the page before), and `deleted=only` for what can be restored. An answer's `ETag` goes into
`If-Match` to change the version you read, and into `If-None-Match` to be told 304 where nothing is new. `POST` takes an
id of your own or an `Idempotency-Key`, so that sending again doubles nothing. Errors are `application/problem+json`
with a stable `code`.

`replica.request(method, path)` of the SDK calls any endpoint as the signed-in user.
"""

MOVED = """\
## At another address than in the blueprint

The blueprint ends these in an athlete's id (`:clientId`). Here these addresses are of one record, with every method,
and answer 404 for an athlete's id; the list of an athlete stands below `client/`, as that of the workouts does.

| the blueprint's | here |
|---|---|
"""


def api_page(description: Mapping[str, Any]) -> str:
    """Write the page for an API description."""
    parts = [HEAD]
    for tag in description["tags"]:
        rows = [_row(operation, made) for operation, made in operations_of(description) if tag["name"] in made["tags"]]
        if rows:
            title = f"## {tag['name'].capitalize()}\n\n{tag['description']}"
            parts.append(f"{title}\n\n{COLUMNS}\n" + "\n".join(rows))
            parts.append(_bodies(description, tag["name"]))
    parts.append(MOVED + "\n".join(f"| `{asked.operation}` | `{asked.here}` |" for asked in _asked() if asked.is_moved))
    missing = [f"| `{operation}` | {purpose} |" for operation, purpose in still_to_be_built(description)]
    parts.append("## Not built yet\n\n| endpoint of the blueprint | what it is for |\n|---|---|\n" + "\n".join(missing))
    return "\n\n".join(part.strip() for part in parts if part) + "\n"


def operations_of(description: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """List the operations of an API description as `GET /api/workouts`, in the order of their addresses."""
    for path, methods in sorted(description["paths"].items()):
        for method in METHODS:
            if method in methods:
                yield f"{method.upper()} {path}", methods[method]


def still_to_be_built(description: Mapping[str, Any]) -> list[tuple[str, str]]:
    """List what the blueprint asks for and the API description does not have, with what it is for."""
    built = {RECORD_ID.sub("{}", operation) for operation, _ in operations_of(description)}
    return [(asked.operation, asked.purpose) for asked in _asked() if asked.here not in built]


class _Asked(NamedTuple):
    operation: str
    purpose: str
    here: str

    @property
    def is_moved(self) -> bool:
        return self.here != self.operation


def _asked() -> Iterator[_Asked]:
    for line in BLUEPRINT.read_text("utf-8").splitlines():
        operation, purpose, here = (*line.split(" | "), "", "")[:3]
        yield _Asked(operation, purpose, here or operation)


def _bodies(description: Mapping[str, Any], tag: str) -> str:
    """Show an example of each body that is sent to the endpoints of a group, folded away."""
    bodies = [
        f"`{operation}`\n\n```json\n{_example(description, made['requestBody'])}\n```"
        for operation, made in operations_of(description)
        if tag in made["tags"] and "application/json" in made.get("requestBody", {}).get("content", {})
    ]
    if not bodies:
        return ""
    return "<details><summary>What is sent</summary>\n\n" + "\n\n".join(bodies) + "\n\n</details>"


def _example(description: Mapping[str, Any], body: Mapping[str, Any]) -> str:
    schemas = description["components"]["schemas"]
    example = composed(body["content"]["application/json"]["schema"], schemas)
    line = msgspec.json.format(msgspec.json.encode(example), indent=0)
    return (line if len(line) <= LINE_LENGTH else msgspec.json.format(line, indent=2)).decode()


def _row(operation: str, made: Mapping[str, Any]) -> str:
    told = made["description"].split("\n\n")[0].replace("\n", " ")
    test = proven_by(operation)
    proof = f"[`{test}`](../tests/{test})" if test else ""
    return f"| `{operation}` | {told} | {_roles(operation)} | {sdk_call(operation) or ''} | {proof} |"


def _roles(operation: str) -> str:
    """Say the roles that get somewhere with an operation: as the matrix has it, and as the model of a record does.

    The matrix tries one body and one record; another field, or a record of somebody else's, may be another role's.
    """
    cases = [case for case in ROUTES if case.route == operation]
    if any(case.kind == "public" for case in cases):
        return "anybody"
    if any(case.kind == "account" for case in cases):
        return "everybody signed in"
    if any(case.thing in WHOSE_IT_IS for case in cases):
        return "whose it is"
    roles = {role for case in cases for role in _roles_of(case) | _writers(case)}
    return ", ".join(role for role in ("athlete", "coach", "owner", "support") if role in roles)


def _writers(case: Case) -> set[str | None]:
    """Give the roles that write some field of the record that an operation changes or deletes as a whole."""
    collection = RECORDS.get(case.path)
    if collection is None or case.method not in ("PUT", "PATCH", "DELETE"):
        return set()
    parts = {"deleted"} if case.method == "DELETE" and collection is not MESSAGES else {*collection.writers}
    declared = [collection.writers.get(part, collection.default_writers) for part in parts]
    return {role for writers in declared for role in writers} & set(case.roles)


def _roles_of(case: Case) -> set[str | None]:
    if case.kind in ("own", "apart"):
        return set(case.roles)
    return {PERSONS[who] for who in case.may} & set(case.roles)
