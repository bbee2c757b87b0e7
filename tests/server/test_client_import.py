"""Athletes invited with what is known of them: one by one or from a file, laid down when they accept."""

import io
import re
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from apex_server.clients import inviting
from apex_server.clients.importing import IMPORT_ROWS_MAX, VALUES_MAX
from apex_server.clients.payloads import ImportRequest
from apex_server.db import Database
from apex_server.invite_drafts import InviteDrafts, open_draft
from apex_sync.coaching.client_columns import CLIENT_COLUMNS, COLUMN_NAMES
from apex_sync.csv_cells import write_rows
from apex_sync.wire import parse_document
from tests.server.accounts_app import problem
from tests.server.rest_app import Device, Person, RestServer, rest_server

pytestmark = pytest.mark.anyio

DOCS = Path(__file__).parents[2] / "docs" / "clients.md"


@pytest.fixture
async def rest(db: Database) -> AsyncIterator[RestServer]:
    async with rest_server(db) as server:
        yield server


async def lay_down(rest: RestServer) -> int:
    return await InviteDrafts(rest.database, rest.committer).lay_down()


async def import_rows(coach: Person, *, dry_run: bool, **body: Any) -> dict[str, Any]:
    answer = await coach("POST", f"/api/clients/import?dry_run={str(dry_run).lower()}", body)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def join(rest: RestServer, code: str) -> Person:
    athlete = await rest.person("athlete")
    assert (await athlete("POST", f"/api/invites/{code}/accept")).status_code == 200
    return athlete


async def test_what_a_coach_knows_is_laid_down_when_the_invite_is_accepted(rest: RestServer) -> None:
    coach = await rest.person("coach")
    known = {
        "profile": {"goals": ["Compete"], "height_cm": 180.0, "injuries": {"k1": {"area": "knee"}}},
        "file": {"tags": ["New Clients"], "notes": "is shy"},
    }
    made = await coach("POST", "/api/clients", known)
    assert made.status_code == 201, made.text
    assert await lay_down(rest) == 0
    athlete = await rest.person("athlete")
    scope = f"athlete:{athlete.id}"
    await rest.committer.write(UUID(athlete.id), scope, "profiles", athlete.id, {"height_cm": 179.0})
    assert (await athlete("POST", f"/api/invites/{made.json()['code']}/accept")).status_code == 200

    assert await lay_down(rest) == 1
    client = (await coach("GET", f"/api/clients/{athlete.id}")).json()
    assert (client["profile"]["goals"], client["profile"]["height_cm"]) == (["Compete"], 179.0)
    assert client["profile"]["injuries"]["k1"]["area"] == "knee"
    assert (client["tags"], client["file"]["notes"]) == (["New Clients"], "is shy")
    assert await lay_down(rest) == 0
    async with rest.database.request(UUID(coach.id)) as connection:
        assert await connection.fetchval("SELECT count(*) FROM invites WHERE draft IS NOT NULL") == 0


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"profile": {"date_of_birth": "2026-02-31"}}, "profile.date_of_birth"),
        ({"file": {"tags": ["a\0b"]}}, "file.tags"),
        ({"file": {"program_notes": {str(number): {"notes": "x" * 9000} for number in range(6)}}}, "file."),
    ],
)
async def test_what_could_not_be_laid_down_is_refused_at_once(
    rest: RestServer, body: dict[str, Any], field: str
) -> None:
    coach = await rest.person("coach")
    answer = await coach("POST", "/api/clients", body)
    assert problem(answer) == (422, "invalid_fields")
    assert [each["field"] for each in answer.json()["errors"]] == [field]


async def test_a_draft_stands_sealed_and_is_dropped_where_the_relation_has_ended(
    rest: RestServer, database_url: str
) -> None:
    coach = await rest.person("coach")
    code = (await coach("POST", "/api/clients", {"file": {"notes": "is shy"}})).json()["code"]
    async with rest.database.request(UUID(coach.id)) as connection:
        draft = await connection.fetchval("SELECT draft FROM invites")
    assert b"shy" not in draft
    athlete = await join(rest, code)
    assert (await coach("DELETE", f"/api/clients/{athlete.id}/link")).status_code == 204
    assert await lay_down(rest) == 1
    assert await lay_down(rest) == 0


async def test_an_archived_athlete_who_is_invited_again_is_back_in_sight(rest: RestServer) -> None:
    coach = await rest.person("coach")
    athlete = await join(rest, (await coach("POST", "/api/clients", {"file": {"notes": "is shy"}})).json()["code"])
    assert await lay_down(rest) == 1
    assert (await coach("DELETE", f"/api/clients/{athlete.id}")).status_code == 204
    assert (await athlete("DELETE", f"/api/clients/{athlete.id}/link")).status_code == 204

    again = (await coach("POST", "/api/clients", {})).json()
    assert (await athlete("POST", f"/api/invites/{again['code']}/accept")).status_code == 200
    assert await lay_down(rest) == 1
    [client] = (await coach("GET", "/api/clients")).json()["clients"]
    assert (client["id"], client["archived"]) == (athlete.id, False)
    assert (await coach("GET", f"/api/clients/{athlete.id}")).json()["file"]["notes"] == "is shy"


async def test_an_athlete_who_is_archived_before_the_draft_is_laid_down_stays_so(rest: RestServer) -> None:
    coach = await rest.person("coach")
    athlete = await join(rest, (await coach("POST", "/api/clients", {"file": {"notes": "is shy"}})).json()["code"])
    assert (await coach("DELETE", f"/api/clients/{athlete.id}")).status_code == 204
    assert await lay_down(rest) == 1
    assert (await coach("GET", "/api/clients")).json()["clients"] == []
    file = (await coach("GET", f"/api/clients/{athlete.id}")).json()["file"]
    assert (file["archived"], file["notes"]) == (True, "is shy")


FLIPPED = "UPDATE records SET doc = set_byte(doc, 40, get_byte(doc, 40) # 1) WHERE record_id = $1"
"""A byte that a disk has changed; done twice, it is whole again."""


async def test_a_draft_waits_for_a_damaged_record_and_everything_else_is_laid_down(rest: RestServer) -> None:
    coach = await rest.person("coach")
    drafts = [{"profile": {"goals": ["Compete"]}, "file": {"notes": note}} for note in ("is shy", "is not")]
    codes = [(await coach("POST", "/api/clients", draft)).json()["code"] for draft in drafts]
    athletes = [await rest.person("athlete") for _ in codes]
    first, second = athletes
    await rest.committer.write(UUID(first.id), f"athlete:{first.id}", "profiles", first.id, {"height_cm": 179.0})
    async with rest.database.commit_connection() as connection:
        await connection.execute(FLIPPED, UUID(first.id))
    for athlete, code in zip(athletes, codes, strict=True):
        assert (await athlete("POST", f"/api/invites/{code}/accept")).status_code == 200

    assert await lay_down(rest) == 1
    assert problem(await coach("GET", f"/api/clients/{first.id}")) == (503, "record_damaged")
    refused = await coach("PATCH", f"/api/clients/{first.id}", {"profile": {"height_cm": 170}})
    assert problem(refused) == (503, "record_damaged")
    assert (await coach("GET", f"/api/clients/{second.id}")).json()["file"]["notes"] == "is not"

    async with rest.database.commit_connection() as connection:
        await connection.execute(FLIPPED, UUID(first.id))
    shown = (await coach("GET", f"/api/clients/{first.id}")).json()
    assert (shown["file"]["notes"], shown["profile"].get("goals")) == ("is shy", None)
    assert (await lay_down(rest), await lay_down(rest)) == (1, 0)
    shown = (await coach("GET", f"/api/clients/{first.id}")).json()
    assert (shown["profile"]["goals"], shown["profile"]["height_cm"]) == (["Compete"], 179.0)


async def test_a_word_that_was_typed_offline_before_the_draft_stands_in_the_history(rest: RestServer) -> None:
    coach, athlete = await rest.person("coach"), await rest.person("athlete")
    code = (await coach("POST", "/api/clients", {"profile": {"height_cm": 170}})).json()["code"]
    assert (await athlete("POST", f"/api/invites/{code}/accept")).status_code == 200
    typed_at = time.time_ns()
    assert await lay_down(rest) == 1
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("tests.server.rest_app.time.time_ns", lambda: typed_at)
        await Device(rest, athlete, "Phone", "phone").push(athlete.id, {"height_cm": 182.0}, collection="profiles")

    assert (await coach("GET", f"/api/clients/{athlete.id}")).json()["profile"]["height_cm"] == 170
    document = parse_document(await rest.document(athlete.id))
    assert {write.patch["height_cm"] for write in document.writes()} == {170, 182}


async def test_a_file_is_judged_row_by_row_and_made_only_when_asked(rest: RestServer) -> None:
    coach = await rest.person("coach")
    text = (
        "Name,Email,Height_cm,Goals,Tags,Date_of_birth\r\n"
        '"Ada, the first",ada@example.com,"170,5",Squat;Win,Prep;New,1990-01-31\r\n'
        "Bo,not an address,180,,,\r\n"
        "Cy,cy@example.com,tall,,,1990-02-31\r\n"
        "=1+1,ADA@example.com,,,,\r\n"
    )
    report = await import_rows(coach, dry_run=True, csv=text)
    assert (report["rows"], report["valid"], report["invited"]) == (4, 1, [])
    assert {(each["row"], each["field"]) for each in report["problems"]} == {
        (2, "email"),
        (3, "height_cm"),
        (4, "email"),
    }
    assert "=1+1" not in str(report)

    made = await import_rows(coach, dry_run=False, csv=text)
    [ada] = made["invited"]
    assert (ada["row"], ada["name"]) == (1, "Ada, the first")
    assert made["replaced"] == 0


async def test_a_lost_answer_is_asked_for_again_and_the_codes_before_are_void(rest: RestServer) -> None:
    coach, other = await rest.person("coach"), await rest.person("coach")
    rows = [{"name": "Ada", "email": "ada@example.com", "notes": "is shy"}, {"name": "Bo"}]
    lost = [each["invite"]["code"] for each in (await import_rows(coach, dry_run=False, rows=rows))["invited"]]
    foreign = (await other("POST", "/api/invites", {"email": "ada@example.com"})).json()["code"]

    looked = await import_rows(coach, dry_run=True, rows=rows)
    assert (looked["valid"], looked["replaced"], looked["problems"]) == (2, 1, [])
    assert looked["planned"] == [
        {"row": 1, "name": "Ada", "letter": looked["planned"][0]["letter"], "replaces": True},
        {"row": 2, "name": "Bo", "letter": "none", "replaces": False},
    ]
    assert looked["planned"][0]["letter"] in looked["letters"]
    assert await statuses(coach, *lost) == [200, 200]
    again = await import_rows(coach, dry_run=False, rows=rows)
    codes = [each["invite"]["code"] for each in again["invited"]]
    assert again["planned"] == []
    assert (again["replaced"], await statuses(coach, *lost, *codes, foreign)) == (1, [410, 200, 200, 200, 200])

    plain = (await coach("POST", "/api/invites", {"email": " Ada@example.com"})).json()["code"]
    assert await statuses(coach, codes[0], plain) == [410, 200]
    async with rest.database.request(UUID(coach.id)) as connection:
        kept = await connection.fetch(
            "SELECT draft IS NOT NULL FROM invites WHERE email_index IS NOT NULL AND revoked_at IS NULL"
        )
    assert [tuple(row) for row in kept] == [(True,)]


async def test_a_coach_without_room_imports_in_place_of_what_is_open_and_is_told_what_goes_beyond(
    rest: RestServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inviting, "OPEN_INVITES_MAX", 2)
    coach = await rest.person("coach")
    rows = [{"email": f"{name}@example.com"} for name in ("anna", "ben", "cem")]
    await import_rows(coach, dry_run=False, rows=rows[:2])
    for dry_run in (True, False):
        report = await import_rows(coach, dry_run=dry_run, rows=rows[::-1])
        assert (report["valid"], report["replaced"]) == (2, 2)
        assert [(each["row"], each["message"]) for each in report["problems"]] == [
            (1, "goes beyond your 2 open invites")
        ]


async def test_all_open_invites_are_taken_back_and_what_was_accepted_stands(rest: RestServer) -> None:
    coach, other = await rest.person("coach"), await rest.person("coach")
    open_one, used = [(await coach("POST", "/api/invites", {})).json()["code"] for _ in range(2)]
    foreign = (await other("POST", "/api/invites", {})).json()["code"]
    athlete = await join(rest, used)

    assert problem(await athlete("DELETE", "/api/clients/invites")) == (403, "role_required")
    assert (await coach("DELETE", "/api/clients/invites")).status_code == 204

    assert await statuses(coach, open_one, used, foreign) == [410, 410, 200]
    assert [each["id"] for each in (await coach("GET", "/api/clients")).json()["clients"]] == [athlete.id]


async def statuses(person: Person, *codes: str) -> list[int]:
    """Say of each code how it stands: 200 open, 410 used or taken back."""
    return [(await person("GET", f"/api/invites/{code}")).status_code for code in codes]


async def test_one_bad_row_in_ten_thousand_stops_nothing(rest: RestServer) -> None:
    coach = await rest.person("coach")
    rows: list[Any] = [{"name": f"Athlete {number}", "height_cm": 180} for number in range(IMPORT_ROWS_MAX)]
    rows[123] = {"name": "Bad", "height_cm": -1}
    began = time.perf_counter()
    made = await import_rows(coach, dry_run=False, rows=rows)
    assert time.perf_counter() - began < 30
    assert (made["valid"], len(made["invited"])) == (IMPORT_ROWS_MAX - 1, IMPORT_ROWS_MAX - 1)
    assert [(each["row"], each["field"]) for each in made["problems"]] == [(124, "height_cm")]

    for dry_run in (True, False):
        more = await import_rows(coach, dry_run=dry_run, rows=[{"name": "Bad", "height_cm": -1}, *rows[:3]])
        assert (more["valid"], len(more["invited"])) == (1, 0 if dry_run else 1)
        assert [(each["row"], each["field"]) for each in more["problems"]] == [(1, "height_cm"), (3, ""), (4, "")]
    assert problem(await coach("POST", "/api/invites", {})) == (409, "too_many_invites")
    many = await coach("POST", "/api/clients/import", {"rows": rows[:1] * (IMPORT_ROWS_MAX + 1)})
    assert problem(many) == (422, "invalid_fields")


@pytest.mark.parametrize(
    "body",
    [{}, {"csv": "", "rows": []}, {"rows": [1]}, {"csv": 'name\n"open'}, {"csv": "a" * 200_000 + "\nx"}],
)
async def test_what_is_no_import_is_refused(rest: RestServer, body: dict[str, Any]) -> None:
    coach = await rest.person("coach")
    assert problem(await coach("POST", "/api/clients/import", body)) == (422, "invalid_fields")


async def test_a_column_that_there_is_not_is_named_once_with_the_one_it_may_be(rest: RestServer) -> None:
    coach = await rest.person("coach")
    text = "Name,Heigth_cm,Wings\nAda,170,2\nBo,180,2\n"
    answer = await coach("POST", "/api/clients/import", {"csv": text})
    assert problem(answer) == (422, "invalid_fields")
    assert [(each["field"], each["message"]) for each in answer.json()["errors"]] == [
        ("heigth_cm", "is no column of an import: did you mean height_cm?"),
        ("wings", "is no column of an import"),
    ]
    report = await import_rows(coach, dry_run=True, rows=[{"session_duration": 60}])
    assert "session_duration_minutes?" in report["problems"][0]["message"]


async def test_the_template_is_an_import_and_each_column_is_described(rest: RestServer) -> None:
    coach = await rest.person("coach")
    text = io.StringIO()
    write_rows(text, [{each.name: each.example for each in CLIENT_COLUMNS}])
    report = await import_rows(coach, dry_run=False, csv=text.getvalue())
    assert (report["valid"], report["problems"]) == (1, [])
    async with rest.database.request(UUID(coach.id)) as connection:
        [draft] = await connection.fetch("SELECT draft FROM invites")
        key = await rest.database.vault.user_key(connection, UUID(coach.id))
    opened = open_draft(key, draft["draft"])
    assert {*opened.profile, *opened.file, "email"} == {*COLUMN_NAMES}
    assert opened.profile["phone"] == "+49 170 1234567"
    assert {*re.findall(r"[a-z_]+", ImportRequest.__doc__ or "")} >= {*COLUMN_NAMES}
    table = re.findall(r"^\| `(.*?)` \| (.*?) \| (.*?) \| `(.*?)` \|$", DOCS.read_text(), re.M)
    assert table == [(each.name, each.kind, each.about, each.example) for each in CLIENT_COLUMNS]


@pytest.mark.parametrize("value", [{}, [], "a"])
async def test_a_body_of_very_many_values_is_refused_before_they_take_memory(rest: RestServer, value: Any) -> None:
    coach = await rest.person("coach")
    answer = await coach("POST", "/api/clients/import", {"rows": [{"goals": [value] * (VALUES_MAX + 1)}]})
    assert problem(answer) == (422, "invalid_fields")
    assert "500000 values" in answer.json()["errors"][0]["message"]


@pytest.mark.parametrize(
    "row",
    [
        {"tags": [1]},
        {"goals": "x" * 500},
        {"wings": 2},
        {"email": ["a@b.example"]},
        {"name": 5},
        {"date_of_birth": "2026-02-31"},
    ],
)
async def test_a_row_of_the_wrong_kind_is_named(rest: RestServer, row: dict[str, Any]) -> None:
    coach = await rest.person("coach")
    report = await import_rows(coach, dry_run=True, rows=[row, {"name": "Fine"}])
    assert (report["rows"], report["valid"]) == (2, 1)
    assert [each["row"] for each in report["problems"]] == [1]
    assert report["problems"][0]["field"].startswith(next(iter(row)))
