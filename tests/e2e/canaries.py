"""Strings that nothing else holds, and everywhere that a person's text can go, where they are planted."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx
from PIL import Image

from apex_client import Replica
from apex_server.ai.ledger import Ledger
from apex_server.consent_texts import CONSENT_TEXTS
from apex_server.db import Database
from apex_server.jobs.worker import Worker
from apex_server.mail import UNREAD_FOR
from apex_server.mail.waiting_messages import words_naming
from apex_server.serving import address_of
from apex_server.settings import Settings
from apex_server.sync import Committer
from apex_sync.ids import record_id_from
from apex_sync.op import Write, encode_op
from apex_sync.protocol.messages import PushedRecord
from apex_sync.wire import encode_push
from tests.confirmation import confirm_address
from tests.e2e.whole_server import PASSWORD

__all__ = ["Canaries", "Installation", "bearer", "media_of", "photo_of", "plant", "plant_media"]

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


def bearer(session: dict[str, Any]) -> dict[str, str]:
    return {"Authorization": f"Bearer {session['access_token']}"}


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
    await allow_letters(here, coach)
    await plant_body_and_nutrition(here, canaries, athlete_id, coach_id)
    await plant_letter(here, canaries.by_place["name"])
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


async def allow_letters(here: Installation, coach: dict[str, Any]) -> None:
    """Let the coach want to hear by mail of messages that wait."""
    await confirm_address(here.settings, coach["user"]["email"])
    change = {"kind": "messages", "given": True, "version": CONSENT_TEXTS["messages"].version}
    answer = await here.client.put("/api/consents", json=change, headers=bearer(coach))
    assert answer.status_code == 200, answer.text


async def plant_letter(here: Installation, name: str) -> None:
    """Have the coach told, hours later, that the person wrote."""
    hours = UNREAD_FOR + timedelta(hours=1)
    here.now += hours
    await here.worker.tell_of_messages()
    await here.worker.mails.send_due()
    here.now -= hours
    letters = [path.read_text() for path in (here.settings.data_dir / "mails").glob("*.eml")]
    shown = words_naming(name).split()[0]
    assert [shown in letter for letter in letters if "Messages wait for you" in letter] == [True]


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
