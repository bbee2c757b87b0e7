"""Enough of everything that a read may ask for: what a coach has beside training, weights and food."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

import httpx

from apex_server.errors import ApiError
from apex_server.settings import Settings
from apex_server.sync import Committer
from apex_server.sync.commit import Patched
from apex_sync.ids import Scope, athlete_scope, library_scope, private_scope, record_id_from, thread_scope
from apex_sync.op import Patch
from tests.server.matrix_world import export_of, media_of, passkey_of
from tests.server.whole_app import WholeApp, whole_app

__all__ = ["make_things"]

PHOTOS_EACH = 3 * 60
"""From three sides, each month of five years."""

MESSAGES_EACH = 500
INSIGHTS_EACH = 60
PLANS_EACH = 5
PROGRAMS_EACH = 15
TEMPLATES = 100
CUSTOM_EXERCISES = 500
CUSTOM_FOODS = 500
QUESTIONNAIRES = 10
VERSIONS = 20
INVITES = 50
EVENTS = 2_000
KNOWN_OF_EACH_KIND = 50
WRITE_RECORDS = 200
SEED = 20260302

Known = dict[str, list[str]]
"""What parameters of addresses stand for, by their name."""


async def make_things(
    settings: Settings,
    committer: Committer,
    client: httpx.AsyncClient,
    coach: Mapping[str, Any],
    people: Sequence[Mapping[str, Any]],
    owner: Mapping[str, Any],
) -> Known:
    """Make everything, as the people who are signed in would, and give what has an address."""
    coach_id, athlete_ids = str(coach["user"]["id"]), [str(person["user"]["id"]) for person in people]
    known: Known = {"athlete_id": athlete_ids, "coach_id": [coach_id]}
    today = datetime.now(UTC).date()
    known |= await _library(committer, coach_id)
    for number, athlete_id in enumerate(athlete_ids):
        for name, ids in (await _of_athlete(committer, coach_id, athlete_id, today, number)).items():
            known.setdefault(name, []).extend(ids)
    async with whole_app(settings) as whole:
        known |= await _of_accounts(whole, coach, people[0], owner)
    known |= await _versions(client, coach, athlete_ids)
    return {name: ids[:KNOWN_OF_EACH_KIND] for name, ids in known.items()}


async def _library(committer: Committer, coach_id: str) -> Known:
    scope = library_scope(coach_id)
    rice = {"energy_kcal": 130.0, "protein_g": 2.7, "carbs_g": 28.0, "fat_g": 0.3}
    return {
        "exercise_id": await _written(
            committer, coach_id, scope, "exercises", [{"name": f"Log Press {n}"} for n in range(CUSTOM_EXERCISES)]
        ),
        "food_id": await _written(
            committer, coach_id, scope, "foods", [{"name": f"Rice {n}", "per_100g": rice} for n in range(CUSTOM_FOODS)]
        ),
        "questionnaire_id": await _written(
            committer, coach_id, scope, "questionnaires", [{"name": f"Weekly {n}"} for n in range(QUESTIONNAIRES)]
        ),
        "template_id": await _written(
            committer, coach_id, f"coach:{coach_id}", "programs", [{"name": f"Block {n}"} for n in range(TEMPLATES)]
        ),
    }


async def _of_athlete(committer: Committer, coach_id: str, athlete_id: str, today: date, number: int) -> Known:
    own, private, thread = (
        athlete_scope(athlete_id),
        private_scope(coach_id, athlete_id),
        thread_scope(coach_id, athlete_id),
    )
    photos: list[Patch] = [
        {"date": str(today - timedelta(days=30 * (n // 3))), "type": ("front", "side-left", "back")[n % 3],
         "media_id": f"{number:032x}{n:032x}", "content_type": "image/jpeg", "size_bytes": 900_000}
        for n in range(PHOTOS_EACH)
    ]  # fmt: skip
    insights: list[Patch] = [
        {"athlete_id": athlete_id, "kind": "training", "type": "progression", "priority": "high", "title": "Stronger",
         "status": "draft" if n % 6 == 0 else "dismissed", "summary": "The bench press went up by a rep. " * 10}
        for n in range(INSIGHTS_EACH)
    ]  # fmt: skip
    published: list[Patch] = [
        {"title": "Stronger", "summary": "By a rep. " * 20, "published_at": f"{today}T07:00:00"}
    ] * INSIGHTS_EACH
    plans: list[Patch] = [
        {"name": f"Cut {n}", "status": "active" if n == 0 else "completed"} for n in range(PLANS_EACH)
    ]
    programs: list[Patch] = [
        {"name": f"Block {n}", "status": "completed", "start_date": str(today - timedelta(weeks=12 * (n + 2)))}
        for n in range(PROGRAMS_EACH)
    ]
    made = {
        "photo_id": await _written(committer, athlete_id, own, "progress_photos", photos),
        "insight_id": await _written(committer, None, private, "insights", insights),
        "published_id": await _written(committer, None, own, "published_insights", published),
        "plan_id": await _written(committer, coach_id, own, "meal_plans", plans),
        "past_program_id": await _written(committer, coach_id, own, "programs", programs),
    }
    for side, author in (("coach", coach_id), ("athlete", athlete_id)):
        texts: list[Patch] = [
            {side: {"type": "text", "text": f"Bar speed was fine in set {n}.", "sent_at": _sent_at(today, n)}}
            for n in range(MESSAGES_EACH // 2)
        ]
        await _written(committer, author, thread, "messages", texts)
    return {name: ids[:3] for name, ids in made.items()} | {"thread_id": [str(Scope.parse(thread).id)]}


def _sent_at(today: date, number: int) -> str:
    at = datetime(today.year, today.month, today.day, tzinfo=UTC) - timedelta(hours=6 * number)
    return f"{at:%Y-%m-%dT%H:%M:%S}.000Z"


async def _written(
    committer: Committer, author: str | None, scope: str, collection: str, patches: Sequence[Patch]
) -> list[str]:
    """Write new records on behalf of somebody, or of the system, and give their ids."""
    random = Random(f"{SEED}{author}{scope}{collection}")
    milliseconds = int(datetime.now(UTC).timestamp() * 1000)
    ids = [record_id_from(milliseconds + n, random.randbytes(10)) for n in range(len(patches))]
    user_id = UUID(author) if author else None
    for first in range(0, len(ids), WRITE_RECORDS):
        chunk = zip(ids[first : first + WRITE_RECORDS], patches[first : first + WRITE_RECORDS], strict=True)
        patched = [Patched(record_id, patch) for record_id, patch in chunk]
        for answer in await committer.write_all(user_id, scope, collection, patched):
            if isinstance(answer, ApiError):
                raise answer
    return ids


async def _of_accounts(
    whole: WholeApp, coach: Mapping[str, Any], athlete: Mapping[str, Any], owner: Mapping[str, Any]
) -> Known:
    """Make what accounts have: an organisation, invites, devices, a trail, and what the worker would make."""
    of_coach, of_athlete, of_owner = (whole.signed(dict(person)) for person in (coach, athlete, owner))
    await whole.verified(of_athlete)
    await whole.joins(of_coach, of_owner)
    support = await whole.person("support", "support")
    codes = [(await of_coach("POST", "/api/invites", {})).raise_for_status().json()["code"] for _ in range(INVITES)]
    organisation_code = (await of_owner("POST", "/api/organisation/invites", {})).raise_for_status().json()["code"]
    for person in (of_coach, of_athlete):
        await whole.owner.execute(
            "INSERT INTO account_events (subject_id, seq, at, action, actor_id, actor_role, device_id, sealed, link) "
            "SELECT subject_id, 1000000 + number, at, action, actor_id, actor_role, device_id, sealed, link "
            "FROM (SELECT * FROM account_events WHERE subject_id = $1 ORDER BY seq LIMIT 1) AS first, "
            "generate_series(1, $2::integer) AS number",
            person.id,
            EVENTS,
        )
        for _ in range(10):
            await export_of(whole, person)
    await passkey_of(whole, of_athlete)
    await whole.lets_support(of_athlete, support)
    return {"code": codes, "organisation_code": [organisation_code], "media_id": [await media_of(whole, of_athlete)]}


async def _versions(client: httpx.AsyncClient, coach: Mapping[str, Any], athlete_ids: Sequence[str]) -> Known:
    """Edit the programs that run, and give each with the stamp of one of its versions, in the same places."""
    headers = {"Authorization": f"Bearer {coach['access_token']}"}
    known: Known = {"program_id": [], "stamp": []}
    for athlete_id in athlete_ids:
        listed = await client.get(f"/api/programs?athlete_id={athlete_id}&status=active", headers=headers)
        program_id = listed.raise_for_status().json()["programs"][0]["id"]
        path = f"/api/programs/{program_id}"
        for number in range(VERSIONS):
            changed = await client.patch(path, json={"name": f"Block, change {number}"}, headers=headers)
            changed.raise_for_status()
        versions = (await client.get(f"{path}/versions", headers=headers)).raise_for_status().json()["versions"]
        known["program_id"].append(program_id)
        known["stamp"].append(str(versions[0]["stamp"]))
    return known
