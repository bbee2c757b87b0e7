"""A copy of everything about a person, for that person alone, for seven days."""

import io
import json
import zipfile
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from apex_server.caller import Caller
from apex_server.db import Database, load_queries
from apex_server.media.directory import DirectoryStore
from apex_server.personal_data import Exporter
from apex_server.personal_data.export import EXPORT_LIFETIME, EXPORTS_MAX
from apex_server.personal_data.zip_stream import PIECE_BYTES
from apex_server.privacy import privacy_routes
from apex_server.privacy.routes import _chunks
from apex_sync.ids import thread_scope
from tests.server.accounts_app import Clock, problem
from tests.server.rest_app import Device, Person, RestServer, rest_server

pytestmark = pytest.mark.anyio

queries = load_queries("apex_server.personal_data")


@pytest.fixture
async def server(db: Database) -> AsyncIterator[RestServer]:
    async with rest_server(db, more_routes=privacy_routes) as opened:
        yield opened


@pytest.fixture
def exporter(db: Database, clock: Clock, tmp_path: Path) -> Exporter:
    return Exporter(db, DirectoryStore(tmp_path / "media"), now=clock)


async def exported(person: Person, exporter: Exporter) -> zipfile.ZipFile:
    """Ask for an export, have it made, download it."""
    asked = await person("POST", "/api/privacy/export")
    assert asked.status_code == 202, asked.text
    while await exporter.make_next():
        pass
    [found] = [each for each in (await person("GET", "/api/privacy/exports")).json() if each["state"] == "ready"]
    answer = await person("GET", f"/api/privacy/exports/{found['id']}/file")
    assert answer.headers["content-type"] == "application/zip"
    assert answer.headers["cache-control"] == "no-store"
    assert len(answer.content) == found["bytes"]
    return zipfile.ZipFile(io.BytesIO(answer.content))


def read(archive: zipfile.ZipFile, name: str) -> Any:
    return json.loads(archive.read(name))


async def test_a_coach_takes_along_what_they_noted_of_whom_they_invited(server: RestServer, exporter: Exporter) -> None:
    coach = await server.person("coach")
    assert (await coach("POST", "/api/clients", {"file": {"notes": "is shy"}})).status_code == 201
    assert (await coach("POST", "/api/invites", {})).status_code == 201
    invites = read(await exported(coach, exporter), "relations.json")["invites"]
    assert [invite["draft"] for invite in invites] == [{"file": {"notes": "is shy"}}, {}]


async def test_everything_is_in_it(server: RestServer, exporter: Exporter) -> None:
    coach, athlete = await server.coach_and_athlete()
    record_id = str(uuid4())
    device = Device(server, athlete, "Mara's phone", "phone")
    await device.push(record_id, {"date": "2026-03-01", "notes": "heavy today"})
    await athlete("PUT", "/api/auth/mfa/phone", {"number": "+44 7400 123456"})
    seed = (await athlete("POST", "/api/auth/mfa/totp")).json()["secret"]
    archive = await exported(athlete, exporter)
    assert archive.testzip() is None
    folder = f"records/athlete_{athlete.id}"
    [record] = read(archive, f"{folder}/workout_logs.json")
    assert record["record_id"] == record_id
    assert record["state"]["notes"] == "heavy today"
    assert record["ops"][0]["client_id"] == device.client_id
    assert record["ops"][0]["writes"][0]["patch"]["notes"] == "heavy today"
    assert read(archive, "account.json")["name"]
    assert "Mara's phone" in {each["name"] for each in read(archive, "devices.json")}
    assert read(archive, "sign_in.json")["phones"][0]["number"] == "+447400123456"
    assert len(read(archive, "sign_in.json")["authenticator_apps"]) == 1
    assert seed not in archive.read("sign_in.json").decode()
    assert read(archive, "relations.json")["coaching"][0]["coach_id"] == coach.id
    assert read(archive, f"{folder}/changes.json")[0]["record_id"] == record_id
    assert "export_asked" in {event["action"] for event in read(archive, "events.json")}
    assert read(archive, "schemas/workout_logs.json")
    for name in ("sessions.json", "consents.json", "ai.json"):
        assert isinstance(read(archive, name), list)
    readme = archive.read("README.txt").decode()
    for name in set(archive.namelist()) - {"README.txt"}:
        assert name.partition("/")[0] in readme


async def test_a_file_of_many_pieces_is_whole(
    server: RestServer, exporter: Exporter, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apex_server.personal_data.zip_stream.PIECE_BYTES", 1000)
    athlete = await server.person("athlete")
    archive = await exported(athlete, exporter)
    assert archive.testzip() is None
    async with db.commit_connection() as connection:
        rows = await connection.fetch("SELECT sealed FROM export_chunks")
    assert len(rows) > 3
    assert not any(b"PK\x03\x04" in row["sealed"] for row in rows)
    assert PIECE_BYTES > 1000


async def test_a_download_ends_with_the_session_that_asked_for_it(
    server: RestServer, exporter: Exporter, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apex_server.personal_data.zip_stream.PIECE_BYTES", 1000)
    athlete = await server.person("athlete")
    await exported(athlete, exporter)
    [found] = (await athlete("GET", "/api/privacy/exports")).json()
    me = (await athlete("GET", "/api/auth/me")).json()
    caller = Caller(UUID(athlete.id), "athlete", UUID(athlete.device_id), UUID(me["session_id"]), expires_at=0)
    pieces = _chunks(db, caller, UUID(found["id"]))
    first = await anext(pieces)
    assert (await athlete("POST", "/api/auth/logout")).status_code == 204
    assert 0 < len(first) < found["bytes"]
    assert [piece async for piece in pieces] == []


async def test_a_coach_reads_who_changed_their_library_and_their_private_records(server: RestServer) -> None:
    coach, athlete = await server.coach_and_athlete()
    other = await server.person("coach")
    library, private = f"library:{coach.id}", f"private:{coach.id}:{athlete.id}"
    made = str(uuid4())
    await Device(server, coach, "laptop", "desktop").push(
        made, {"name": "Belt squat"}, collection="exercises", scope=library
    )

    async def changed(person: Person, scope: str) -> Any:
        return await person("GET", f"/api/audit/changes?scope={scope}")

    [change] = (await changed(coach, library)).json()["changes"]
    assert (change["collection"], change["record_id"]) == ("exercises", made)
    for mine in (private, f"coach:{coach.id}"):
        assert (await changed(coach, mine)).json() == {"changes": [], "next": None}
    for foreign in (library, private, f"coach:{coach.id}", f"athlete:{uuid4()}", "global", "nonsense"):
        for stranger in (other, athlete):
            assert problem(await changed(stranger, foreign)) == (404, "not_found"), foreign
    assert problem(await changed(coach, f"athlete:{athlete.id}")) == (404, "not_found")
    assert (await changed(athlete, f"athlete:{athlete.id}")).status_code == 200


async def test_what_two_people_wrote_to_each_other_is_in_the_copy_of_both(
    server: RestServer, exporter: Exporter
) -> None:
    coach, athlete = await server.coach_and_athlete()
    thread = thread_scope(coach.id, athlete.id)
    said = {"coach": {"type": "text", "text": "Well done", "sent_at": "2026-03-01T18:05:00.000Z"}}
    await server.committer.write(UUID(coach.id), thread, "messages", str(uuid4()), said)
    for person in (coach, athlete):
        archive = await exported(person, exporter)
        [name] = [name for name in archive.namelist() if name.startswith("records") and "messages" in name]
        assert b"Well done" in archive.read(name)


async def test_the_scopes_of_one_person_are_found_among_all_by_index(database_url: str) -> None:
    owner = await asyncpg.connect(database_url)
    try:
        await owner.execute("SET enable_seqscan = off")
        plan = str(await owner.fetch(f"EXPLAIN {queries.list_own_scopes}", str(uuid4())))
    finally:
        await owner.close()
    assert "scopes_of" in plan and "scopes_about" in plan


async def test_nobody_else_gets_it_and_it_is_there_for_seven_days(
    server: RestServer, exporter: Exporter, clock: Clock
) -> None:
    athlete, other = await server.person("athlete"), await server.person("athlete")
    await exported(athlete, exporter)
    [found] = (await athlete("GET", "/api/privacy/exports")).json()
    assert problem(await other("GET", f"/api/privacy/exports/{found['id']}/file")) == (404, "not_found")
    assert (await other("GET", "/api/privacy/exports")).json() == []
    clock.time += EXPORT_LIFETIME + timedelta(minutes=1)
    await exporter.forget_old()
    assert (await athlete("GET", "/api/privacy/exports")).json() == []
    assert problem(await athlete("GET", f"/api/privacy/exports/{found['id']}/file")) == (404, "not_found")


async def test_one_is_made_at_a_time_and_a_few_a_day(server: RestServer, exporter: Exporter) -> None:
    athlete = await server.person("athlete")
    first = (await athlete("POST", "/api/privacy/export")).json()
    assert first["state"] == "waiting"
    assert (await athlete("POST", "/api/privacy/export")).json()["id"] == first["id"]
    for _ in range(EXPORTS_MAX - 1):
        await exporter.make_next()
        assert (await athlete("POST", "/api/privacy/export")).status_code == 202
    assert problem(await athlete("POST", "/api/privacy/export")) == (409, "too_many_exports")


async def test_one_whose_worker_died_is_made_by_another(
    server: RestServer, exporter: Exporter, clock: Clock, db: Database
) -> None:
    athlete = await server.person("athlete")
    await athlete("POST", "/api/privacy/export")
    async with db.commit_connection() as connection:
        await connection.execute("UPDATE exports SET taken_at = $1, attempts = 1", clock())
    assert not await exporter.make_next()
    clock.advance(minutes=6)
    assert await exporter.make_next()
    assert (await athlete("GET", "/api/privacy/exports")).json()[0]["state"] == "ready"


async def test_one_reads_who_did_what(server: RestServer, db: Database) -> None:
    _, athlete = await server.coach_and_athlete()
    record_id = str(uuid4())
    device = Device(server, athlete, "phone", "phone")
    await device.push(record_id, {"date": "2026-03-01"})
    [change] = (await athlete("GET", "/api/audit/changes")).json()["changes"]
    assert (change["record_id"], change["by_you"], change["ops"]) == (record_id, True, 1)
    assert UUID(change["device_id"]) == device.device_id
    await athlete("POST", "/api/privacy/deletion")
    await athlete("DELETE", "/api/privacy/deletion")
    page = (await athlete("GET", "/api/audit?limit=1")).json()
    assert page["events"][0]["action"] == "account_deletion_cancelled"
    assert page["events"][0]["address"] == "192.0.2.1"
    older = (await athlete("GET", f"/api/audit?limit=1&before={page['next']}")).json()
    assert older["events"][0]["action"] == "account_deletion_asked"
