"""How a line of the matrix becomes requests, and what each must answer."""

import re
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, TypeAlias
from uuid import uuid4

import httpx
from litestar import Litestar
from litestar.routes import HTTPRoute, WebSocketRoute

from tests.server.matrix_table import READERS, THING_OF_PARAMETER, Case
from tests.server.matrix_world import CANARIES, PERSONS, MatrixWorld

__all__ = [
    "Asked",
    "Which",
    "ask",
    "expected_status",
    "filled",
    "is_alike",
    "is_success",
    "may_change_something",
    "routes_of",
    "shows_hers",
    "thing_at",
]

Which: TypeAlias = Literal["hers", "absent"]

PARAMETER = re.compile(r"\{(\w+)\}")
OWN_ACCOUNT = ("/api/audit", "/api/auth/", "/api/consents", "/api/devices/", "/api/privacy/", "/api/support/")
"""Where support, too, finds only what is its own."""

VOLATILE_HEADERS = frozenset({"date", "x-request-id", "server-timing"})
STATIC = re.compile(r"^/static/[0-9a-f]+/")


class Asked(NamedTuple):
    """One request of the matrix and its answer."""

    which: Which
    answer: httpx.Response
    thing_id: str
    absent_id: str

    @property
    def canaries(self) -> list[str]:
        """What of Anna's and her coach's texts the answer shows."""
        return [canary for canary in CANARIES if canary in self.answer.text]

    @property
    def shows_thing(self) -> bool:
        """Whether the id of the thing stands in the answer."""
        return self.thing_id in self.answer.text

    def __str__(self) -> str:
        return f"{self.which}: {self.answer.status_code} {self.answer.text[:300]}"


def routes_of(app: Litestar) -> set[str]:
    """List what an app serves, as the matrix names it; the address of static files bears no version there."""
    served = set()
    for route in app.routes:
        path = STATIC.sub("/static/", route.path_format)
        if isinstance(route, HTTPRoute):
            served |= {f"{method} {path}" for method in route.methods if method != "OPTIONS"}
        elif isinstance(route, WebSocketRoute):
            served.add(f"WS {path}")
        else:
            served.add(f"ASGI {path}")
    return served


def expected_status(case: Case, who: str, which: Which) -> int | Literal["success", "any"]:
    """Say what somebody must get; the whole policy of the matrix is here."""
    role = PERSONS[who]
    if case.kind == "public":
        return "any"
    if case.kind == "page":
        return expected_of_page(case, who, which)
    if role is None:
        return 401
    if case.kind == "account":
        return "any" if case.method != "GET" else "success"
    if role not in case.roles or is_shut_to_support(case, who):
        return 403
    if case.kind == "lists":
        return "success"
    if case.kind == "own":
        return "any"
    if which == "absent":
        return 404
    if who in case.may:
        return "success"
    return 403 if who in READERS[case.thing] else 404


def expected_of_page(case: Case, who: str, which: Which) -> int | Literal["success", "any"]:
    """A page sends strangers to sign in, and whoever is no coach to their app."""
    role = PERSONS[who]
    if role is None:
        return 303
    if role not in case.roles:
        return 403
    if not case.thing:
        return "success"
    return "success" if who in case.may and which == "hers" else 404


def is_shut_to_support(case: Case, who: str) -> bool:
    """Support reads what its look lets it, its own account aside; without a look it reads nothing at all."""
    if PERSONS[who] != "support" or case.path.startswith(OWN_ACCOUNT):
        return False
    return case.method != "GET" or who == "support_without_consent"


def may_change_something(case: Case, who: str) -> bool:
    """Tell whether a request could leave a trace that it may leave."""
    if case.method in ("GET", "HEAD") or PERSONS[who] is None:
        return False
    return expected_status(case, who, "hers") in ("success", "any")


def is_success(case: Case, status: int) -> bool:
    """Tell whether somebody could do what they asked for."""
    return 200 <= status < 304 or status in case.also_fine


def shows_hers(case: Case, who: str) -> bool:
    """Tell whether texts of Anna's or her coach's may stand in an answer of this route to somebody."""
    return who in ("athlete", "own_coach", "owner", "support") and PERSONS[who] in case.roles


async def ask(world: MatrixWorld, case: Case, who: str, which: Which) -> Asked:
    """Send the request of a case as somebody, about Anna's thing or about none."""
    absent = str(uuid4())
    ids = dict(world.things)
    if which == "absent":
        ids |= {case.thing: absent, **({"athlete": absent} if case.thing in ("link",) or is_by_athlete(case) else {})}
    path = PARAMETER.sub(lambda found: ids.get(thing_at(case, found[1]), "nothing"), case.path)
    person = world.people[who]
    answer = await person(
        case.method,
        path,
        filled(case.body, ids),
        params=filled(dict(case.query), ids),
        headers=dict(case.headers),
    )
    return Asked(which, answer, world.things.get(case.thing, "-"), absent)


def is_by_athlete(case: Case) -> bool:
    """Tell whether a list is asked for by the athlete's id."""
    return case.kind == "lists" and "{athlete" in f"{case.path} {case.query}"


def thing_at(case: Case, parameter: str) -> str:
    """Say which thing a parameter of the address stands for; programs are templates, or what an athlete follows."""
    if parameter == "program_id":
        return case.thing
    if parameter == "stamp":
        return f"{case.thing}_stamp"
    return THING_OF_PARAMETER.get(parameter, parameter)


def filled(body: Any, ids: Mapping[str, str]) -> Any:
    """Put the ids of things where a body names them."""
    if isinstance(body, dict):
        return {name: filled(value, ids) for name, value in body.items()}
    if isinstance(body, list):
        return [filled(value, ids) for value in body]
    if isinstance(body, str):
        return PARAMETER.sub(lambda found: ids[found[1]], body)
    return body


def is_alike(hers: Asked, absent: Asked) -> bool:
    """Tell whether nobody could tell two answers apart, but by the id they asked for themselves."""
    return telling(hers.answer, hers.thing_id) == telling(absent.answer, absent.absent_id)


def telling(answer: httpx.Response, asked_id: str) -> tuple[int, str, dict[str, str]]:
    headers = {
        name: value.replace(asked_id, "…") for name, value in answer.headers.items() if name not in VOLATILE_HEADERS
    }
    return answer.status_code, answer.text.replace(asked_id, "…"), headers
