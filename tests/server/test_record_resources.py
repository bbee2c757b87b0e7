"""What every kind of record has over REST, proven for each of them: lists, fields, versions, deletion and restoring."""

from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import astuple
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import pytest

from apex_server.db import Database, load_queries
from apex_server.resources import Asked, RecordController
from apex_sync.ids import athlete_scope
from tests.server.accounts_app import problem
from tests.server.rest_app import Person, RestServer, new_id, rest_server
from tests.server.sync_world import World
from tests.server.test_sync_plans import explain, fill

pytestmark = pytest.mark.anyio


class Example(NamedTuple):
    """Who makes such records, and a body for each number, in the order in which `sort` without a minus lists them."""

    made_by: str
    body: Callable[[int], dict[str, Any]]
    sort: str


EXAMPLES = {
    "workouts": Example("athlete", lambda number: {"title": f"Day {number}", "date": f"2026-03-0{number}"}, "date"),
    "checkins": Example("athlete", lambda number: {"notes": f"Week {number}", "date": f"2026-03-0{number}"}, "date"),
    "programs": Example(
        "coach", lambda number: {"name": f"Base {number}", "start_date": f"2026-03-0{number}"}, "start_date"
    ),
    "exercises": Example("coach", lambda number: {"name": f"Press {number}"}, "name"),
    "progress/metrics": Example(
        "athlete", lambda number: {"weight_kg": 80 + number, "date": f"2026-03-0{number}"}, "date"
    ),
    "nutrition/logs": Example(
        "athlete", lambda number: {"notes": f"Day {number}", "date": f"2026-03-0{number}"}, "date"
    ),
    "nutrition/foods": Example("coach", lambda number: {"name": f"Oats {number}"}, "name"),
    "nutrition/plans": Example(
        "coach", lambda number: {"name": f"Cut {number}", "start_date": f"2026-03-0{number}"}, "start_date"
    ),
    "progress/photos": Example(
        "athlete", lambda number: {"notes": f"Day {number}", "date": f"2026-03-0{number}"}, "date"
    ),
    "questionnaires": Example(
        "coach", lambda number: {"id": f"01922f6c-4b7e-7c3a-9d51-00000000000{number}", "name": f"Weekly {number}"}, "id"
    ),
}


@pytest.fixture
async def rest(db: Database) -> AsyncIterator[RestServer]:
    async with rest_server(db) as server:
        yield server


class Kind:
    """One kind of record, and somebody who has some."""

    def __init__(self, name: str, owner: Person) -> None:
        self.owner = owner
        self.example = EXAMPLES[name]
        self.path = f"/api/{name}"
        [controller] = [each for each in controllers() if each.path == self.path]
        [self.name] = [field for field in controller.page.__struct_fields__ if field != "next"]
        [self.field] = self.example.body(1).keys() - {self.example.sort} or {self.example.sort}

    async def make(self, number: int, **more: Any) -> dict[str, Any]:
        answer = await self.owner("POST", self.path, self.example.body(number) | more)
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    async def page(self, query: str = "") -> dict[str, Any]:
        answer = await self.owner("GET", f"{self.path}?{query}")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def ids(self, query: str = "") -> list[str]:
        """Give the ids of all pages of a list."""
        page = await self.page(query)
        found = [record["id"] for record in page[self.name]]
        while page["next"]:
            page = await self.page(f"{query}&after={page['next']}")
            found += [record["id"] for record in page[self.name]]
        return found


@pytest.fixture(params=EXAMPLES)
async def kind(request: pytest.FixtureRequest, rest: RestServer) -> Kind:
    return Kind(request.param, await rest.person(EXAMPLES[request.param].made_by))


def controllers(above: type[RecordController] = RecordController) -> Iterator[type[RecordController]]:
    for below in above.__subclasses__():
        yield from controllers(below)
        if hasattr(below, "kind"):
            yield below


def test_every_kind_of_record_is_proven_here() -> None:
    assert {f"/api/{name}" for name in EXAMPLES} == {controller.path for controller in controllers()}


async def test_a_list_is_read_from_either_end_by_pages(kind: Kind) -> None:
    made = [(await kind.make(number))["id"] for number in (2, 1, 3)]
    in_order = [made[1], made[0], made[2]]
    assert await kind.ids(f"sort={kind.example.sort}&limit=1") == in_order
    assert await kind.ids(f"sort=-{kind.example.sort}&limit=2") == in_order[::-1]
    assert problem(await kind.owner("GET", f"{kind.path}?sort=colour"))[0] == 422


async def test_answers_hold_the_fields_that_were_asked_for(kind: Kind) -> None:
    made = await kind.make(1)
    field = kind.field
    wanted = {"id": made["id"], field: made[field]}
    assert (await kind.owner("GET", f"{kind.path}/{made['id']}?fields={field}")).json() == wanted
    assert (await kind.page(f"fields={field}"))[kind.name] == [wanted]
    assert problem(await kind.owner("GET", f"{kind.path}?fields=password")) == (422, "invalid_fields")


async def test_what_the_caller_has_already_is_not_sent_again(kind: Kind) -> None:
    made = await kind.make(1)
    path = f"{kind.path}/{made['id']}"
    etag = (await kind.owner("GET", path)).headers["etag"]

    again = await kind.owner("GET", path, if_none_match=f'"other", {etag}')
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
    assert (await kind.owner("GET", f"{path}?include=contributions", if_none_match=etag)).status_code == 200

    body = kind.example.body(1) | {kind.field: kind.example.body(2)[kind.field]}
    changed = await kind.owner("PUT", path, body, if_match=etag)
    assert changed.status_code == 200, changed.text
    assert (await kind.owner("GET", path, if_none_match=etag)).status_code == 200


async def test_what_was_deleted_is_listed_apart_and_comes_back(kind: Kind) -> None:
    made = [(await kind.make(number))["id"] for number in (1, 2, 3)]
    for record_id in made[:2]:
        assert (await kind.owner("DELETE", f"{kind.path}/{record_id}")).status_code == 204

    assert await kind.ids() == made[2:]
    assert await kind.ids("deleted=only&limit=1") == sorted(made[:2], reverse=True)
    assert all(record["deleted"] for record in (await kind.page("deleted=only"))[kind.name])

    restored = await kind.owner("POST", f"{kind.path}/{made[0]}/restore")
    assert restored.status_code == 200, restored.text
    assert await kind.ids("deleted=only") == made[1:2]
    assert set(await kind.ids()) == {made[0], made[2]}


async def test_deleted_records_of_others_are_not_listed(rest: RestServer, kind: Kind) -> None:
    made = await kind.make(1)
    await kind.owner("DELETE", f"{kind.path}/{made['id']}")
    stranger = Kind(kind.path.removeprefix("/api/"), await rest.person(kind.example.made_by))
    assert await stranger.ids("deleted=only") == []


async def test_what_was_deleted_is_asked_for_by_whose_it_is_alone(rest: RestServer) -> None:
    athlete = Kind("workouts", await rest.person("athlete"))
    made = await athlete.make(1)
    await athlete.owner("DELETE", f"{athlete.path}/{made['id']}")
    assert await athlete.ids(f"deleted=only&athlete_id={athlete.owner.id}") == [made["id"]]
    assert await athlete.ids(f"deleted=only&athlete_id={new_id()}") == []
    refused = await athlete.owner("GET", f"{athlete.path}?deleted=only&from=2026-03-01")
    assert refused.json()["errors"][0]["field"] == "deleted"


async def test_a_personal_record_that_falls_changes_the_answer_of_a_workout_nobody_touched(rest: RestServer) -> None:
    athlete = await rest.person("athlete")

    async def bench(day: str, load: float) -> str:
        body = {"date": day, "exercises": [{"name": "Bench Press", "sets": [{"reps": 5, "load": load}]}]}
        return f"/api/workouts/{(await athlete('POST', '/api/workouts', body)).json()['id']}"

    await bench("2026-03-01", 90)
    path = await bench("2026-03-03", 100)
    before = await athlete("GET", path)
    await bench("2026-03-02", 120)
    after = await athlete("GET", path, if_none_match=before.headers["etag"])

    assert before.json()["personal_records"] != []
    assert (after.status_code, after.json()["personal_records"]) == (200, [])
    assert (await athlete("PUT", path, after.json() | {"mood": 4}, if_match=before.headers["etag"])).status_code == 200


async def test_only_whoever_makes_such_records_may(rest: RestServer, kind: Kind) -> None:
    owner = await rest.person("owner")
    assert problem(await owner("POST", kind.path, kind.example.body(1))) == (403, "role_required")


DATED = {"workouts": "workout_logs", "checkins": "check_ins", "progress/metrics": "body_metrics"}
"""The collections of records that are of a day and may have any id."""


@pytest.mark.parametrize("kind", [*DATED, "nutrition/logs"], indirect=True)
async def test_a_day_that_is_in_no_calendar_is_refused_and_so_is_none_at_all(kind: Kind) -> None:
    made = await kind.make(1)
    one = f"{kind.path}/{made['id']}"
    unclear = await kind.owner("POST", kind.path, {**kind.example.body(1), "date": "yesterday"})
    [refused] = unclear.json()["errors"]
    assert refused["field"] == "date" and "2026-03-01" in refused["message"]
    for day in ("2026-02-31", "2026-13-01", None):
        body = {**kind.example.body(1), "date": day}
        for answer in (
            await kind.owner("POST", kind.path, body),
            await kind.owner("PATCH", one, {"date": day}),
            await kind.owner("PUT", one, body, if_match="*"),
        ):
            assert problem(answer) == (422, "invalid_fields")
            assert [error["field"] for error in answer.json()["errors"]] == ["date"]
    assert await kind.ids() == [made["id"]]


@pytest.mark.parametrize("kind", [*DATED, "progress/photos"], indirect=True)
async def test_what_was_done_was_not_done_years_ahead(kind: Kind) -> None:
    made = await kind.make(1)
    today = datetime.now(UTC).date()
    for answer in (
        await kind.owner("POST", kind.path, kind.example.body(2) | {"date": "2062-03-01"}),
        await kind.owner("PATCH", f"{kind.path}/{made['id']}", {"date": str(today + timedelta(days=33))}),
        await kind.owner(
            "PUT", f"{kind.path}/{made['id']}", kind.example.body(1) | {"date": "9999-12-31"}, if_match="*"
        ),
    ):
        assert problem(answer) == (422, "invalid_fields")
        [error] = answer.json()["errors"]
        assert error["field"] == "date" and "at most" in error["message"]
    tomorrow = kind.example.body(3) | {"date": str(today + timedelta(days=1))}
    assert (await kind.owner("POST", kind.path, tomorrow)).status_code == 201, "it is tomorrow already further east"


@pytest.mark.parametrize("kind", DATED, indirect=True)
async def test_a_record_of_an_older_app_without_a_day_comes_last_and_can_be_edited(
    rest: RestServer, kind: Kind
) -> None:
    scope, collection = athlete_scope(kind.owner.id), DATED[kind.path.removeprefix("/api/")]
    for older in ({}, {"date": "2026-02-31"}):
        undated = new_id()
        await rest.committer.write(UUID(kind.owner.id), scope, collection, undated, {"notes": "older"} | older)
        made = await kind.make(1)
        assert (await kind.ids())[-1] == undated != made["id"]
        assert (await kind.ids("sort=date"))[0] == undated
        edited = await kind.owner("PATCH", f"{kind.path}/{undated}", {"notes": "Still there."})
        assert edited.status_code == 200, edited.text
        dated = await kind.owner("PATCH", f"{kind.path}/{undated}", {"date": "2025-03-01"})
        assert dated.json()["date"] == "2025-03-01"


class Planner:
    """Stands in for a connection: has the statements planned, and finds nothing."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self.planned = 0
        self.read_whole: list[str] = []

    async def fetch(self, sql: str, *arguments: Any) -> list[Any]:
        self.planned += 1
        self.read_whole += await explain(self._connection, sql, *arguments)
        return []


async def test_lists_go_by_the_index_from_either_end(db: Database, database_url: str) -> None:
    world = await World(db, database_url).open()
    athlete = await fill(world)
    async with db.request(athlete) as connection:
        for controller in controllers():
            everything, of_one = controller.filters(), {"athlete_id": athlete}
            narrowed = [controller.filters(**of_one)] if hasattr(everything, "athlete_id") else []
            for filters in (everything, *narrowed):
                for turned in (False, True):
                    planner: Any = Planner(connection)
                    asked = Asked(frozenset(), frozenset(), turned, deleted=False, after=None, limit=20)
                    await controller.__new__(controller).rows(planner, db.vault, astuple(filters), asked)
                    assert (planner.planned, planner.read_whole) == (1, []), (controller.path, filters, turned)
        shared = load_queries("apex_server.resources")
        for statement, arguments in (
            (shared.list_from_libraries, ["questionnaires", [UUID(int=1)]]),
            (shared.list_photos_of_check_ins, [[athlete], [str(UUID(int=1))]]),
        ):
            assert await explain(connection, statement, *arguments) == [], statement
        plan = await connection.fetch(f"EXPLAIN {shared.list_deleted}", "workout_logs", None, UUID(int=1), 20)
        assert any("records_deleted" in row[0] for row in plan), plan


async def test_a_list_that_reads_a_table_whole_is_told(db: Database) -> None:
    async with db.commit_connection() as connection:
        planner = Planner(connection)
        await planner.fetch("SELECT record_id FROM progress_photos WHERE type = $1", "front")
        assert planner.read_whole == ["Seq Scan on progress_photos"]


async def test_an_unknown_word_is_refused_with_those_there_are(rest: RestServer) -> None:
    athlete = await rest.person("athlete")
    asked = await athlete("GET", "/api/workouts?sort=title&deleted=all")
    sent = await athlete("POST", "/api/progress/photos", {"type": "above", "date": "2026-03-01"})
    assert {each["field"]: each["message"] for each in (*asked.json()["errors"], *sent.json()["errors"])} == {
        "sort": "Expected one of date, -date",
        "deleted": "Expected one of only",
        "type": "Expected one of front, back, side-left, side-right, other",
    }


@pytest.mark.parametrize("version", ["7", '"???"', '"kgcB", "kgcC"'])
async def test_a_version_that_is_none_is_refused_with_a_word_on_it(rest: RestServer, version: str) -> None:
    athlete = await rest.person("athlete")
    made = (await athlete("POST", "/api/workouts", {"date": "2026-03-01"})).json()
    answer = await athlete("PATCH", f"/api/workouts/{made['id']}", {"mood": 4}, if_match=version)
    assert problem(answer) == (422, "invalid_fields")
    assert answer.json()["errors"] == [
        {"field": "If-Match", "message": "Expected the ETag of an answer with this record, as it came, or `*`"}
    ]
