"""The matrix: every route of the server × everybody × Anna's thing and an absent one, against what is declared.

Each line of `matrix_table.ROUTES` is one test. A refusal must look the same for Anna's thing and for none, show nothing
of hers and leave no trace of itself; and whoever may do something can. What they change is put back. Then everything
again with the application's own checks off, so that the database alone stands between people (test_matrix_walls.py).
"""

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from litestar import Litestar, get
from msgspec import structs

from apex_server.caller import Caller
from apex_server.db import EmbeddedPostgres
from tests.server.accounts_app import open_socket
from tests.server.matrix_cases import (
    Asked,
    Which,
    ask,
    expected_status,
    is_alike,
    is_success,
    may_change_something,
    routes_of,
    shows_hers,
)
from tests.server.matrix_table import READERS, ROUTES, Case
from tests.server.matrix_world import PERSONS, MatrixWorld, matrix_world

pytestmark = pytest.mark.anyio

CASES = [case for case in ROUTES if case.kind != "apart"]


@pytest.fixture(scope="module")
async def world(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[MatrixWorld]:
    async with matrix_world(postgres, tmp_path_factory.mktemp("matrix")) as served:
        yield served


def named(case: Case) -> str:
    return f"{case.route} [{case.thing or case.kind}]"


async def test_every_route_is_in_the_matrix_and_nothing_else(world: MatrixWorld) -> None:
    served, declared = routes_of(world.whole.app), {case.route for case in ROUTES}
    assert not served - declared, (
        f"{sorted(served - declared)} is served and not in the matrix: add a line to ROUTES in "
        "tests/server/matrix_table.py that says what it is about and who may use it"
    )
    assert not declared - served, f"{sorted(declared - served)} is in the matrix and not served: take its line out"


async def test_no_endpoint_ignores_a_parameter_that_it_does_not_know(world: MatrixWorld) -> None:
    """Pages aside, which others link to with parameters of their own."""
    asked = {case.route: case for case in CASES if case.path.startswith("/api/") and case.method in ("GET", "POST")}
    for case in asked.values():
        who = next(who for who, role in PERSONS.items() if role in case.roles)
        answer = (await ask(world, structs.replace(case, query={"unheard_of": "1"}), who, "hers")).answer
        assert answer.status_code == 422, (case.route, who, answer.text)
        [error] = answer.json()["errors"]
        assert error["field"] == "unheard_of" and "is no parameter of this" in error["message"], case.route


async def test_a_mistyped_parameter_is_told_the_nearest(world: MatrixWorld) -> None:
    answer = await world.people["athlete"]("GET", "/api/workouts?form=2026-03-01")
    assert answer.json()["errors"] == [{"field": "form", "message": "is no parameter of this; did you mean `from`?"}]


@pytest.mark.parametrize("case", CASES, ids=named)
async def test_everybody_gets_what_is_declared(world: MatrixWorld, case: Case) -> None:
    for who in PERSONS:
        asked = {which: await ask_and_restore(world, case, who, which) for which in asked_for(case)}
        for each in asked.values():
            expect(case, who, each)
        if case.thing and who not in READERS[case.thing]:
            hers, absent = asked["hers"], asked["absent"]
            assert is_alike(hers, absent), f"{who} can tell Anna's {case.thing} from none: {hers}, {absent}"
    assert not await world.changed(), f"{case.route} was refused, or only read, and left a trace"


def asked_for(case: Case) -> tuple[Which, ...]:
    return ("absent", "hers") if case.thing else ("hers",)


async def ask_and_restore(world: MatrixWorld, case: Case, who: str, which: Which) -> Asked:
    asked = await ask(world, case, who, which)
    if may_change_something(case, who):
        await world.restore()
    return asked


def expect(case: Case, who: str, asked: Asked) -> None:
    """Hold an answer to what is declared, and to showing nothing to whoever may not read it."""
    wanted, got = expected_status(case, who, asked.which), asked.answer.status_code
    met = is_success(case, got) if wanted == "success" else got < 500 if wanted == "any" else got == wanted
    assert met, f"{who} asked for {case.route} of {asked.which} and got {got} instead of {wanted}: {asked.answer.text}"
    if not shows_hers(case, who):
        assert not asked.canaries, f"{who} found {asked.canaries} in the answer of {case.route}"
    if case.kind == "lists" and wanted == "success" and asked.which == "hers":
        assert asked.shows_thing == (who in case.may), f"{who}: {asked.answer.text}"


# What cannot be asked for like the rest.


async def test_live_channels_are_open_to_whoever_may_hold_a_replica(world: MatrixWorld) -> None:
    """A stream and a socket begin with the guards; what flows in them is the sync of test_matrix_leaves.py."""
    for who, role in PERSONS.items():
        closed = {None: 4401, "support": 4403}.get(role)
        token = world.people[who].token
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        sent = await open_socket(world.whole.app, headers, path="/api/sync/live")
        assert next((each.get("code") for each in sent if each["type"] == "websocket.close"), None) == closed, who
        if closed is not None:
            answer = await world.people[who]("GET", "/api/sync/events")
            assert answer.status_code == closed - 4000


async def test_bulk_sync_judges_each_item_by_its_own_scope(world: MatrixWorld) -> None:
    """One item about Anna and one about nobody: both are refused alike, and an item of one's own is taken."""
    for who, role in PERSONS.items():
        items = [
            {"id": str(uuid4()), "athlete_id": each, "date": "2026-03-01", "title": "x"}
            for each in (world.things["athlete"], str(uuid4()))
        ]
        answer = await world.people[who]("POST", "/api/workouts/bulk-sync", items)
        await world.restore()
        if role is None or role == "support":
            assert answer.status_code == (401 if role is None else 403)
            continue
        hers, absent = [{**each, "id": ""} for each in answer.json()["results"]]
        assert absent["status"] == "rejected", (who, absent)
        if who in ("athlete", "own_coach"):
            assert hers["status"] == "created", (who, hers)
        elif who == "owner":
            assert hers["status"] == "rejected", (who, hers)
        else:
            assert hers == absent, (who, hers, absent)


# The matrix can fail.


async def test_a_route_that_nobody_declared_fails_the_build(world: MatrixWorld) -> None:
    @get("/api/planted", sync_to_thread=False)
    def planted() -> None:
        return

    app = Litestar([planted])
    assert routes_of(app) - {case.route for case in ROUTES} >= {"GET /api/planted"}


@pytest.mark.parametrize("route", ["GET /api/workouts/{workout_id}", "DELETE /api/workouts/{workout_id}"])
async def test_a_guard_that_takes_everybody_for_the_coach_is_found_out(
    world: MatrixWorld, monkeypatch: pytest.MonkeyPatch, route: str
) -> None:
    carla = world.people["own_coach"]
    assert carla.id is not None
    assert carla.device_id is not None
    session_id = await world.owner.fetchval("SELECT id FROM sessions WHERE user_id = $1", carla.id)
    everybody = Caller(carla.id, "coach", carla.device_id, session_id, 2**40)

    async def caller_of(*_connection: object) -> Caller:
        return everybody

    monkeypatch.setattr(world.whole.app.state.authenticator, "caller_of", caller_of)
    [case] = [case for case in ROUTES if case.route == route]
    with pytest.raises(AssertionError):
        await test_everybody_gets_what_is_declared(world, case)
    await world.restore()
