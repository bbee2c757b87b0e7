"""The world of the matrix: one athlete, Anna, everything that is hers, and somebody of every kind who looks at it.

It is seeded once; what a case changes is put back, so that every case begins with the same world.
"""

import itertools
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg

from apex_server.db import EmbeddedPostgres
from apex_server.policy import Role
from apex_server.settings import Settings
from apex_sync.ids import Scope, athlete_scope, private_scope, thread_scope
from tests.server.conftest import SECRET, TEMPLATE, execute, url_of
from tests.server.media_parts import hand_in, keep_media, picture, sha256
from tests.server.whole_app import Signed, WholeApp, whole_app

__all__ = ["CANARIES", "PERSONS", "MatrixWorld", "matrix_world"]

PERSONS: Mapping[str, Role | None] = {
    "anonymous": None,
    "athlete": "athlete",
    "other_athlete": "athlete",
    "own_coach": "coach",
    "foreign_coach": "coach",
    "ex_coach": "coach",
    "owner": "owner",
    "foreign_owner": "owner",
    "support": "support",
    "support_without_consent": "support",
}
"""Who is in the matrix, with the role of their account. `athlete` is Anna; the others stand to her as named."""

CANARIES = ("hers-alone", "her-coachs-alone")
"""Texts in Anna's records, and in what her coach keeps; whoever may not read a thing finds neither in any answer."""

_numbers = itertools.count(1)


@dataclass(frozen=True)
class MatrixWorld:
    """The world, served; people by their name in PERSONS, Anna's things by what they are."""

    whole: WholeApp
    people: Mapping[str, Signed]
    things: Mapping[str, str]
    tables: Sequence[str]
    kept: dict[str, str] = field(default_factory=dict)

    @property
    def owner(self) -> asyncpg.Connection:
        """The connection of the schema's owner, which sees everything."""
        return self.whole.owner

    async def changed(self) -> list[str]:
        """List the tables that are not as they were."""
        return [name for name, checksum in (await self._checksums()).items() if checksum != self.kept[name]]

    async def keep(self) -> None:
        """Keep everything as it is now, for `restore`."""
        await self.owner.execute("CREATE SCHEMA seed")
        for table in self.tables:
            await self.owner.execute(f"CREATE TABLE seed.{table} AS TABLE public.{table}")
        self.kept.update(await self._checksums())

    async def restore(self) -> list[str]:
        """Put everything back to what it was, without the triggers of foreign keys; lists the tables that were not."""
        changed = await self.changed()
        if not changed:
            return []
        async with self.owner.transaction():
            await self.owner.execute("SET LOCAL session_replication_role = replica")
            for table in changed:
                await self.owner.execute(f"DELETE FROM public.{table}")
                insert = f"INSERT INTO public.{table} OVERRIDING SYSTEM VALUE SELECT * FROM seed.{table}"
                await self.owner.execute(insert)
        return changed

    async def _checksums(self) -> dict[str, str]:
        rows = await self.owner.fetch(" UNION ALL ".join(CHECKSUM.format(table=table) for table in self.tables))
        return {row["name"]: row["sum"] for row in rows}


TRACES = frozenset(
    {"account_events", "event_chains", "login_attempts", "server_client_ids", "client_ids", "used_budgets"}
)
"""What records or counts attempts: a refusal may leave a trace there, and nowhere else."""

CHECKSUM = (
    "SELECT '{table}' AS name, coalesce(md5(string_agg(row::text, '|' ORDER BY row::text)), '') AS sum "
    "FROM public.{table} AS row"
)


async def tables_of(owner: asyncpg.Connection) -> list[str]:
    """List the tables in which a trace would be a change."""
    rows = await owner.fetch(
        "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename NOT LIKE 'pgqueuer%' ORDER BY 1"
    )
    return [row["tablename"] for row in rows if row["tablename"] not in TRACES]


@asynccontextmanager
async def matrix_world(postgres: EmbeddedPostgres, data_dir: Path) -> AsyncIterator[MatrixWorld]:
    """Make the world in a database of its own, and serve it."""
    name = f"matrix_{next(_numbers)}"
    await execute(postgres.dsn, f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
    settings = Settings(data_dir=data_dir, secret=SECRET, database_url=url_of(postgres, name))
    async with whole_app(settings) as whole:
        people = {who: await whole.person(who, role) for who, role in PERSONS.items() if role is not None}
        await relate(whole, people)
        things = await things_of(whole, people)
        world = MatrixWorld(whole, {"anonymous": whole.nobody, **people}, things, await tables_of(whole.owner))
        await world.keep()
        yield world
    await execute(postgres.dsn, f"DROP DATABASE {name} WITH (FORCE)")


async def relate(whole: WholeApp, people: Mapping[str, Signed]) -> None:
    """Let everybody stand to Anna as they are named, and let the others have as much among themselves."""
    await whole.coaches(people["own_coach"], people["athlete"])
    await whole.coaches(people["ex_coach"], people["athlete"])
    await whole.coaches(people["foreign_coach"], people["other_athlete"])
    ended = await people["ex_coach"]("DELETE", f"/api/clients/{people['athlete'].id}/link")
    assert ended.status_code == 204, ended.text
    for owner, coach in (("owner", "own_coach"), ("foreign_owner", "foreign_coach")):
        await whole.joins(people[coach], people[owner])


async def things_of(whole: WholeApp, people: Mapping[str, Signed]) -> dict[str, str]:
    """Make everything of Anna's that has an address, and what her coach keeps; give the ids."""
    hers, kept = CANARIES
    anna, carla, otto, ben = (people[who] for who in ("athlete", "own_coach", "foreign_coach", "other_athlete"))
    made = {
        "workout": await made_by(anna, "/api/workouts", title=hers, notes=hers, date="2026-03-01"),
        "checkin": await made_by(anna, "/api/checkins", notes=hers, date="2026-03-01"),
        "program": await made_by(carla, "/api/programs", name=hers, athlete_id=str(anna.id)),
        "template": await made_by(carla, "/api/programs", name=kept),
        "exercise": await made_by(carla, "/api/exercises", name=kept),
        "photo": await made_by(anna, "/api/progress/photos", notes=hers, date="2026-03-01", media_id=sha256(picture())),
        "metric": await made_by(anna, "/api/progress/metrics", notes=hers, date="2026-03-01"),
        "nutrition_log": await made_by(anna, "/api/nutrition/logs", notes=hers, date="2026-03-01"),
        "food": await made_by(carla, "/api/nutrition/foods", name=kept),
        "meal_plan": await made_by(carla, "/api/nutrition/plans", name=hers, athlete_id=str(anna.id)),
        "questionnaire": await made_by(carla, "/api/questionnaires", name=kept),
        "foreign_template": await made_by(otto, "/api/programs", name="of another coach"),
        "foreign_workout": await made_by(ben, "/api/workouts", title="of another athlete", date="2026-03-01"),
        "insight": str(uuid.uuid4()),
        "published": str(uuid.uuid4()),
    }
    draft = {
        "athlete_id": str(anna.id), "kind": "training", "type": "progression", "priority": "high", "status": "draft",
        "title": kept, "summary": kept, "expires_at": "2030-01-01T00:00:00",
    }  # fmt: skip
    private = private_scope(str(carla.id), str(anna.id))
    committer = whole.app.state.committer
    await committer.write(None, private, "insights", made["insight"], draft)
    text = {"title": hers, "summary": hers}
    await committer.write(None, athlete_scope(str(anna.id)), "published_insights", made["published"], text)
    thread = str(Scope.parse(thread_scope(str(carla.id), str(anna.id))).id)
    message = await made_by(carla, "/api/messages", thread_id=thread, text=hers)
    look = await whole.lets_support(anna, people["support"])
    invite = (await carla("POST", "/api/clients", {"email": "anna.to.be@example.com"})).json()
    return {
        **made,
        "thread": thread,
        "message": message,
        "athlete": str(anna.id),
        "link": str(anna.id),
        "other_athlete": str(ben.id),
        "coach": str(carla.id),
        "device": str(anna.device_id),
        "passkey": await passkey_of(whole, anna),
        "export": await export_of(whole, anna),
        "look": str(look),
        "upload": await upload_of(anna),
        "part": "1",
        "program_stamp": await stamp_of(carla, made["program"]),
        "template_stamp": await stamp_of(carla, made["template"]),
        "media": await media_of(whole, anna),
        "invite": invite["id"],
        "code": invite["code"],
    }


async def stamp_of(person: Signed, program_id: str) -> str:
    """Give the only version that a program has."""
    [version] = (await person("GET", f"/api/programs/{program_id}/versions")).json()["versions"]
    return str(version["stamp"])


async def upload_of(person: Signed) -> str:
    """Let somebody begin to hand something in."""
    body = {"media_id": "1" * 64, "size_bytes": 4, "content_type": "application/pdf", "kind": "file"}
    answer = await person("POST", "/api/media", body)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["upload_id"])


async def media_of(whole: WholeApp, person: Signed) -> str:
    """Give somebody a picture that was looked at, as the worker does."""
    media_id = await hand_in(person, picture())
    await keep_media(whole)
    return media_id


async def passkey_of(whole: WholeApp, person: Signed) -> str:
    """Give somebody a passkey, as if an authenticator had made it."""
    assert person.id is not None
    async with whole.app.state.database.request(person.id) as connection:
        key = await whole.app.state.database.vault.user_key(connection, person.id)
    passkey_id = uuid.uuid4()
    await whole.owner.execute(
        "INSERT INTO passkeys (id, user_id, credential_id, public_key, sign_count, name_sealed, synced, created_at) "
        "VALUES ($1, $2, 'x', 'x', 0, $3, false, now())",
        passkey_id,
        person.id,
        key.seal_text("her phone", what="passkeys.name"),
    )
    return str(passkey_id)


async def export_of(whole: WholeApp, person: Signed) -> str:
    """Give somebody an export to download, as if a job had made it; it is an empty file."""
    export_id = uuid.uuid4()
    await whole.owner.execute(
        "INSERT INTO exports (id, user_id, asked_at, ready_at, expires_at) "
        "VALUES ($1, $2, now(), now(), now() + interval '1 day')",
        export_id,
        person.id,
    )
    return str(export_id)


async def made_by(person: Signed, path: str, **body: str) -> str:
    """Make a record."""
    answer = await person("POST", path, body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])
