"""Fifty strings, planted everywhere a person's text can go: thirty days after a deletion no byte of them is anywhere.

The server is real (an own Postgres, a web process, the parts of a worker); only the worker's clock travels. Free text
stands in the database sealed and nowhere else, so the files are looked through before the erasure as well.
"""

import io
import json
import re
import zipfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest
import zstandard
from anyio.from_thread import BlockingPortal
from msgspec.structs import replace
from PIL import Image

from apex_client import Replica
from apex_client.errors import AccountErased
from apex_server.ai.ledger import Ledger
from apex_server.db import Database, Hint
from apex_server.jobs.worker import Worker
from apex_server.operations import back_up, restore, verify
from apex_server.personal_data import GRACE
from apex_server.serving import address_of, serving
from apex_server.settings import Settings
from apex_server.sync import Committer, PostgresCommitStore, load_identity
from apex_server.vault import KEY_FILE_NAME, read_key_file
from apex_sync.ids import record_id_from
from apex_sync.op import Write, encode_op
from apex_sync.protocol.messages import PushedRecord
from apex_sync.wire import encode_push
from tests.confirmation import confirm_address
from tests.e2e.whole_server import PASSWORD, SECRET, free_port

pytestmark = pytest.mark.anyio

CANARIES_MIN = 50
NEVER_KEPT = {
    "unknown address", "address that is looked up", "user agent", "searched for", "path", "refused feedback",
    "refused type", "place in a photo",
}  # fmt: skip
"""Said to the server, and kept nowhere: an export cannot have them."""
OF_OTHERS = {
    "coach name", "draft program", "draft", "draft reasoning", "library exercise", "instructions", "coach's notes",
    "tag", "thread's tag", "program's notes", "library food", "brand", "serving", "questionnaire", "question's text",
}  # fmt: skip
"""About the person or beside them, but not theirs to take along."""


FORM = re.compile(rb"qz[0-9]{2}[0-9a-f]{8}|491511[0-9]{7}", re.IGNORECASE)
WIDE_FORM = re.compile(
    rb"\0?q\0z\0(?:[0-9]\0){2}(?:[0-9a-f]\0){7}[0-9a-f]|\0?4\x009\x001\x005\x001\x001\0(?:[0-9]\0){6}[0-9]",
    re.IGNORECASE,
)
"""What a canary looks like, so that files are read once and not once for each."""


class Canaries:
    """Strings that nothing else holds, by where they were put."""

    def __init__(self) -> None:
        self.by_place: dict[str, str] = {}

    def __call__(self, place: str) -> str:
        """Make the canary of a place."""
        canary = f"qz{len(self.by_place):02}{uuid4().hex[:8]}"
        assert place not in self.by_place
        self.by_place[place] = canary
        return canary

    def found_in(self, data: bytes) -> set[str]:
        """Name the places whose canary is in some bytes, in UTF-8 or UTF-16, in whatever case."""
        seen = {match.group().lower() for match in FORM.finditer(data)}
        seen |= {match.group().replace(b"\0", b"").lower() for match in WIDE_FORM.finditer(data)}
        return {place for place, canary in self.by_place.items() if canary.encode() in seen}


class Installation:
    """A running server with a clock of its own for the worker."""

    def __init__(self, settings: Settings, database: Database, worker: Worker, committer: Committer) -> None:
        self.settings, self.database, self.worker, self.committer = settings, database, worker, committer
        self.client = httpx.AsyncClient(base_url=address_of(settings), timeout=30.0)
        self.now = datetime.now(UTC)

    async def sql(self, statement: str, *arguments: Any) -> list[Any]:
        """Ask Postgres as its owner."""
        connection = await asyncpg.connect(str(self.settings.database_url))
        try:
            return list(await connection.fetch(statement, *arguments))
        finally:
            await connection.close()

    async def register(self, email: str, name: str, role: str, **more: Any) -> dict[str, Any]:
        """Make an account."""
        body = {"email": email, "password": PASSWORD, "name": name, "role": role, **more}
        answer = await self.client.post("/api/auth/register", json=body)
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    async def write(self, user_id: str | None, scope: str, collection: str, patch: dict[str, Any]) -> str:
        """Write a record through the server, as a user or as the system."""
        record_id = record_id_from(1_700_000_000_000, uuid4().bytes[:10])
        author = None if user_id is None else UUID(user_id)
        await self.committer.write(author, scope, collection, record_id, patch)
        return record_id


@pytest.fixture
async def installation(
    portal: BlockingPortal, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Installation]:
    settings = Settings(
        data_dir=tmp_path_factory.mktemp("installation"),
        backup_dir=tmp_path / "backups",
        secret=SECRET,
        port=free_port(),
        log_level="debug",
    )
    with portal.wrap_async_context_manager(serving(settings, with_worker=False)) as ready:
        async with opened(ready) as installed:
            yield installed


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Installation]:
    holder: list[Installation] = []

    async def no_hints(_hints: list[Hint]) -> None:
        return

    async with (
        Database.open(settings) as database,
        Worker.open(replace(settings, limits_factor=1000.0), now=lambda: holder[0].now) as worker,
    ):
        committer = Committer(
            PostgresCommitStore(database),
            identity=await load_identity(database, settings.secret),
            now_us=lambda: round(datetime.now(UTC).timestamp() * 1_000_000),
            hints=no_hints,
        )
        holder.append(Installation(settings, database, worker, committer))
        async with holder[0].client:
            yield holder[0]


def bearer(session: dict[str, Any]) -> dict[str, str]:
    return {"Authorization": f"Bearer {session['access_token']}"}


def streams_of(path: Path) -> Iterator[bytes]:
    """Give the bytes of a file, and what is packed in it."""
    data = path.read_bytes()
    yield data
    if data.startswith(b"PK\x03\x04"):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for name in archive.namelist():
                member = archive.read(name)
                yield member
                if member.startswith(b"\x28\xb5\x2f\xfd"):
                    yield zstandard.ZstdDecompressor().decompressobj().decompress(member)


def found_under(folder: Path, canaries: Canaries) -> dict[str, set[str]]:
    """Look through every file of a folder, and name what is in which."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            places = set().union(*(canaries.found_in(data) for data in streams_of(path)))
            if places:
                found[str(path.relative_to(folder))] = places
    return found


async def plant(here: Installation, canaries: Canaries, folder: Path) -> tuple[dict[str, Any], Replica]:
    """Let a person live here, with a canary in everything they and others write; gives their session and a phone."""
    coach = await here.register("coach@example.com", canaries("coach name"), "coach")
    invite = (await here.client.post("/api/invites", json={}, headers=bearer(coach))).json()["code"]
    email = f"{canaries('address')}@{canaries('domain')}.example"
    device = {"name": canaries("device name"), "kind": "phone", "client_id": 7_000_001}
    session = await here.register(email, canaries("name"), "athlete", invite=invite, device=device)
    await confirm_address(here.settings, email)
    athlete_id, coach_id = session["user"]["id"], coach["user"]["id"]
    scope, private = f"athlete:{athlete_id}", f"private:{coach_id}:{athlete_id}"
    headers = {**bearer(session), "User-Agent": f"Apex/{canaries('user agent')}"}
    # What is asked, and kept nowhere.
    await here.client.get(f"/api/workouts?after={canaries('searched for')}", headers=headers)
    await here.client.get(f"/api/{canaries('path')}", headers=headers)
    for address in (canaries("unknown address"), canaries("address that is looked up")):
        await here.client.post("/api/auth/login", json={"email": f"{address}@example.com", "password": "wrong"})
        await here.client.post("/api/auth/forgot-password", json={"email": f"{address}@example.com"})
    await here.client.post("/api/auth/forgot-password", json={"email": email})
    # How they may be reached: a new address, and a number, which is all digits.
    change = {"email": f"{canaries('new address')}@example.com"}
    assert (await here.client.post("/api/auth/change-email", json=change, headers=headers)).status_code < 300
    number = canaries.by_place["telephone"] = f"491511{uuid4().int % 10**7:07}"
    answer = await here.client.put("/api/auth/mfa/phone", json={"number": f"+{number}"}, headers=headers)
    assert answer.status_code == 204, answer.text
    # What is written on devices: a phone and a watch that meet in a conflict, and an op that is refused.
    phone = Replica.open(folder / "phone.db", device_name=canaries("phone name"), device_kind="phone")
    await phone.start()
    await phone.login(address_of(here.settings), email, PASSWORD)
    log = await phone.workouts.start(title=canaries("title"))
    await log.note(canaries("note"))
    await log.add_set(canaries("exercise name"), reps=8, load=100)
    await log.finish()
    await phone.sync()
    async with Replica.open(folder / "watch.db", device_name=canaries("watch name"), device_kind="watch") as watch:
        await watch.login(address_of(here.settings), email, PASSWORD)
        await watch.sync()
        [seen] = await watch.workouts.list()
        on_watch, on_phone = await watch.workouts.get(seen.id), await phone.workouts.get(seen.id)
        await on_watch.note(canaries("note that lost"))
        await on_phone.note(canaries("note that won"))
        await watch.sync()
    await phone.sync()
    await plant_media(here, canaries, phone, folder)
    await push_refused(here, athlete_id, scope, canaries)
    # What the forms hold; every text field there is.
    await here.write(athlete_id, scope, "workout_logs", {
        "date": "2026-03-01",
        "title": canaries("title by form"),
        "notes": canaries("notes by form"),
        "source": canaries("source"),
        "exercises": {
            "e1": {
                "name": canaries("exercise by form"),
                "order": "a",
                "superset": canaries("superset"),
                "notes": canaries("exercise notes"),
            }
        },
        "sets": {"s1": {"exercise": "e1", "order": "a", "reps": 5, "load_kg": 80.0, "notes": canaries("set notes")}},
    })  # fmt: skip
    await here.write(athlete_id, scope, "check_ins", {
        "date": "2026-03-01",
        "notes": canaries("check-in notes"),
        "responses": {"energy": 7},
        "questionnaire": {canaries("question"): canaries("answer")},
        "photos": {"p1": {"order": "a", "url": canaries("photo url"), "pose": canaries("pose")}},
    })  # fmt: skip
    await here.write(athlete_id, scope, "profiles", {
        "name": canaries("profile name"),
        "goals": [canaries("goal")],
        "weak_points": [canaries("weak point")],
        "nutrition_habits": canaries("nutrition habits"),
        "phone": canaries("profile phone"),
        "injuries": {"i1": {"order": "a", "area": canaries("injury"), "notes": canaries("injury notes")}},
        "equipment": [canaries("equipment")],
    })  # fmt: skip
    await here.write(coach_id, scope, "programs", {
        "name": canaries("program name"),
        "description": canaries("program description"),
        "goals": [canaries("program goal")],
        "notes": canaries("program notes"),
        "weeks": {"w1": {"order": "a", "description": canaries("week")}},
        "days": {"d1": {"week": "w1", "order": "a", "name": canaries("day"), "focus": [canaries("focus")]}},
        "exercises": {
            "e1": {
                "day": "d1",
                "order": "a",
                "name": canaries("planned exercise"),
                "tempo": canaries("tempo"),
                "notes": canaries("planned notes"),
            }
        },
    })  # fmt: skip
    await plant_body_and_nutrition(here, canaries, athlete_id, coach_id)
    check_in = {"coach_feedback": canaries("feedback")}
    await here.write(coach_id, scope, "check_ins", check_in)
    await here.write(coach_id, private, "programs", {"name": canaries("draft program")})
    exercise = {"name": canaries("library exercise"), "instructions": canaries("instructions")}
    await here.write(coach_id, f"library:{coach_id}", "exercises", exercise)
    # What the analysis and a model make of it.
    insight = {"title": canaries("draft"), "reasoning": canaries("draft reasoning"), "kind": "training"}
    await here.write(None, private, "insights", insight)
    published = {"title": canaries("published title"), "summary": canaries("published summary")}
    await here.write(None, scope, "published_insights", published)
    analysed = {"ai_summary": canaries("ai summary"), "ai_recommendations": [canaries("advice")]}
    await here.write(None, scope, "check_ins", analysed)
    ledger = Ledger(here.database, now=lambda: here.now)
    await ledger.keep(uuid4().bytes * 2, UUID(athlete_id), canaries("model's answer").encode())
    await here.worker.mails.send_due()
    return session, phone


async def plant_media(here: Installation, canaries: Canaries, phone: Replica, folder: Path) -> None:
    """Hand in a photo that says where it was taken, and a document."""
    await phone.photos.add(photo_of(folder / "taken.jpg", canaries("place in a photo")), pose=canaries("pose by hand"))
    document = folder / "plan.pdf"
    document.write_bytes(b"%PDF-1.7 " + canaries("document").encode())
    await phone.media.add(document, kind="file")
    await phone.sync()
    await here.worker.media.check_all()
    await phone.sync()
    assert await phone.media.queue() == []


def photo_of(path: Path, place: str) -> Path:
    """Take a photo that says where."""
    exif = Image.Exif()
    exif[0x010E] = place
    Image.new("RGB", (90, 120), (200, 150, 120)).save(path, "JPEG", exif=exif, comment=place.encode())
    return path


def media_of(here: Installation) -> list[Path]:
    """List what is in the store of media."""
    return [path for path in (here.settings.data_dir / "media").rglob("*") if path.is_file()]


async def plant_body_and_nutrition(here: Installation, canaries: Canaries, athlete_id: str, coach_id: str) -> None:
    """Write what an athlete measures, photographs and eats, and what their coach keeps and plans for them."""
    scope, private, library = f"athlete:{athlete_id}", f"private:{coach_id}:{athlete_id}", f"library:{coach_id}"
    await here.write(athlete_id, scope, "body_metrics", {
        "date": "2026-03-01",
        "weight_kg": 80.0,
        "source": canaries("scale"),
        "notes": canaries("metrics notes"),
    })  # fmt: skip
    await here.write(athlete_id, scope, "progress_photos", {
        "media_id": "a" * 64,
        "pose": canaries("photo pose"),
        "notes": canaries("photo notes"),
    })  # fmt: skip
    await here.write(athlete_id, scope, "nutrition_logs", {
        "date": "2026-03-01",
        "notes": canaries("nutrition notes"),
        "meals": {"m1": {"order": "a", "name": canaries("meal"), "notes": canaries("meal notes")}},
        "foods": {"f1": {"meal": "m1", "name": canaries("food"), "unit": canaries("unit"), "energy_kcal": 300}},
    })  # fmt: skip
    await here.write(coach_id, scope, "nutrition_targets", {"energy_kcal": 2000, "notes": canaries("targets notes")})
    await here.write(coach_id, scope, "meal_plans", {
        "name": canaries("meal plan"),
        "days": {"d1": {"order": "a", "name": canaries("planned day")}},
        "meals": {"m1": {"day": "d1", "name": canaries("planned meal")}},
        "foods": {"f1": {"meal": "m1", "name": canaries("planned food")}},
    })  # fmt: skip
    await here.write(coach_id, private, "client_files", {
        "notes": canaries("coach's notes"),
        "tags": [canaries("tag")],
        "program_notes": {"p1": {"notes": canaries("program's notes")}},
        "thread": {"tags": [canaries("thread's tag")]},
    })  # fmt: skip
    for author, side in ((coach_id, "coach"), (athlete_id, "athlete")):
        await here.write(author, f"thread:{coach_id}:{athlete_id}", "messages", {
            side: {
                "type": "file",
                "text": canaries(f"{side}'s message"),
                "media_id": "b" * 64,
                "file_name": canaries(f"{side}'s file"),
                "sent_at": "2026-03-01T18:05:00.000Z",
                "reactions": {canaries(f"{side}'s reaction"): True},
            }
        })  # fmt: skip
    await here.write(coach_id, library, "foods", {
        "name": canaries("library food"),
        "brand": canaries("brand"),
        "servings": {"s1": {"name": canaries("serving"), "grams": 30}},
    })  # fmt: skip
    await here.write(coach_id, library, "questionnaires", {
        "name": canaries("questionnaire"),
        "questions": {"q1": {"text": canaries("question's text")}},
    })  # fmt: skip


async def push_refused(here: Installation, athlete_id: str, scope: str, canaries: Canaries) -> None:
    """Push what an athlete may not write, and what is no value of its field."""
    client_id = 7_000_001
    [device] = await here.sql("SELECT device_id FROM client_ids WHERE client_id = $1", client_id)
    hlc = round(datetime.now(UTC).timestamp() * 1_000_000)
    ops = [
        encode_op([Write(hlc, [], {"coach_feedback": canaries("refused feedback")})]),
        encode_op([Write(hlc + 1, [], {"responses": {"energy": canaries("refused type")}})]),
        encode_op([Write(hlc + 2, [], {canaries("unknown field"): {"deep": canaries("unknown value")}})]),
    ]
    record_id = UUID(record_id_from(1_700_000_000_000, uuid4().bytes[:10])).bytes
    pushed = PushedRecord(scope, "check_ins", record_id, encode_push(client_id, 0, ops))
    answer = await here.committer.push(UUID(athlete_id), device["device_id"], client_id, [pushed])
    assert answer.results[0].refusals


async def exported(here: Installation, session: dict[str, Any]) -> bytes:
    """Let the person take everything along; gives what is in the zip."""
    answer = await here.client.post("/api/privacy/export", headers=bearer(session))
    assert answer.status_code == 202, answer.text
    while await here.worker.exporter.make_next():
        pass
    export_id = answer.json()["id"]
    answer = await here.client.get(f"/api/privacy/exports/{export_id}/file", headers=bearer(session))
    assert answer.status_code == 200
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        return b"\n".join(archive.read(name) for name in archive.namelist())


def keys_in(backups: Path) -> set[bytes]:
    """Give the keys that are left in the key file."""
    return {key.wrapped for key in read_key_file(backups / KEY_FILE_NAME).data_keys if key.wrapped is not None}


async def test_thirty_days_later_no_byte_of_fifty_canaries_is_left(
    installation: Installation, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    here, canaries = installation, Canaries()
    devices, backups = tmp_path / "devices", tmp_path / "backups"
    devices.mkdir()
    backups.mkdir()
    session, phone = await plant(here, canaries, devices)
    athlete_id = session["user"]["id"]
    assert len(canaries.by_place) >= CANARIES_MIN

    # They are all there, for the person: an export has them.
    whole = canaries.found_in(await exported(here, session))
    assert canaries.by_place.keys() - whole <= NEVER_KEPT | OF_OTHERS
    assert found_under(devices, canaries)

    # At rest they stand nowhere but in what a server in development keeps instead of sending, erased or not.
    await back_up(here.settings, backups / "before.apexbackup")
    at_rest = found_under(here.settings.data_dir, canaries)
    assert {file.partition("/")[0] for file in at_rest} <= {"mails", "texts"}, at_rest
    assert found_under(backups, canaries) == {}

    # Erased, with the phone offline and work unsent on it. No key file that the server knows has the key from then on.
    [key] = await here.sql("SELECT wrapped FROM data_keys WHERE user_id = $1", UUID(athlete_id))
    assert key["wrapped"] in keys_in(backups)
    await phone.workouts.start(title=canaries("unsent title"))
    await phone.photos.add(photo_of(devices / "late.jpg", canaries("place in an unsent photo")))
    assert len(media_of(here)) == 3, "a photo, large and small, and a document"
    answer = await here.client.post("/api/privacy/deletion", headers=bearer(session))
    assert answer.status_code == 202
    here.now += GRACE + timedelta(hours=1)
    assert await here.worker.eraser.erase_due() == 1
    assert key["wrapped"] not in keys_in(backups) and len(keys_in(backups)) == 1
    here.now += timedelta(days=60)
    await here.worker.keep_house()
    await here.worker.media.sweep()
    assert media_of(here) == []
    for statement in ("VACUUM", "CHECKPOINT"):
        await here.sql(statement)
    assert found_under(here.settings.data_dir, canaries) == {}
    assert canaries.found_in("".join(capfd.readouterr()).encode()) == set()

    # The device that comes back after sixty days learns it, forgets, and brings nothing back.
    with pytest.raises(AccountErased):
        await phone.sync()
    await phone.aclose()
    assert not {name: places for name, places in found_under(devices, canaries).items() if "phone" in name}
    assert await here.sql("SELECT 1 FROM scopes WHERE name LIKE $1", f"%{athlete_id}%") == []
    await here.worker.project_anew()
    assert (await verify(here.database)).damages == []
    assert found_under(here.settings.data_dir, canaries) == {}

    # A backup from before, restored with the keys of today, brings nothing of them back; their devices are told again.
    await back_up(here.settings, backups / "after.apexbackup")
    await here.sql("CREATE DATABASE restored")
    elsewhere = replace(
        here.settings, database_url=str(here.settings.database_url).replace("@/apex?", "@/restored?"), backup_dir=None
    )
    restored = await restore(elsewhere, backups / "before.apexbackup")
    assert restored.erased == 1
    connection = await asyncpg.connect(str(elsewhere.database_url))
    try:
        for statement in ("VACUUM", "CHECKPOINT"):
            await connection.execute(statement)
        assert await connection.fetchval("SELECT count(*) FROM users") == 1
        assert await connection.fetchval("SELECT count(*) FROM erased_tokens") > 2
        left = await connection.fetch("SELECT name FROM scopes ORDER BY name")
    finally:
        await connection.close()
    assert not [row["name"] for row in left if athlete_id in row["name"]]
    assert found_under(here.settings.data_dir, canaries) == {}
    assert found_under(backups, canaries) == {}


async def test_cancelled_on_day_29_every_canary_is_there(installation: Installation, tmp_path: Path) -> None:
    here, canaries = installation, Canaries()
    session, phone = await plant(here, canaries, tmp_path)
    assert (await here.client.post("/api/privacy/deletion", headers=bearer(session))).status_code == 202
    here.now += timedelta(days=29)
    assert await here.worker.eraser.erase_due() == 0
    assert (await here.client.delete("/api/privacy/deletion", headers=bearer(session))).status_code == 204
    here.now += timedelta(days=60)
    assert await here.worker.eraser.erase_due() == 0
    assert (await phone.sync()).rejected == 0
    await phone.aclose()
    whole = canaries.found_in(await exported(here, session))
    assert canaries.by_place.keys() - whole <= NEVER_KEPT | OF_OTHERS


def test_a_canary_is_found_wherever_it_hides(tmp_path: Path) -> None:
    """The search itself can fail: in plain bytes, in UTF-16, in upper case, in a zip, in zstd within a zip."""
    canaries = Canaries()
    canary = canaries("here")
    (tmp_path / "plain").write_bytes(b"x" + canary.encode() + b"y")
    (tmp_path / "wide").write_bytes(canary.encode("utf-16-le"))
    (tmp_path / "upper").write_text(canary.upper())
    with zipfile.ZipFile(tmp_path / "zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a", json.dumps({"deep": canary}))
    with zipfile.ZipFile(tmp_path / "backup", "w") as archive:
        archive.writestr("tables/a.copy.zst", zstandard.compress(canary.encode() * 100))
    (tmp_path / "nothing").write_text(re.sub("qz", "qy", canary))
    assert found_under(tmp_path, canaries).keys() == {"plain", "wide", "upper", "zip", "backup"}
