"""Consents: given for a text, for a while where they are for support, and taken back at any time."""

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import pytest

import apex_server
from apex_server.consent_texts import CONSENT_TEXTS, VERSIONS_NAMING_MEALS
from apex_server.policy import CONSENT_KINDS
from apex_server.settings import Settings
from tests.server.accounts_app import problem
from tests.server.whole_app import Signed, WholeApp, whole_app

pytestmark = pytest.mark.anyio

SERVER = Path(apex_server.__file__).parent
DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture
async def world(settings: Settings) -> AsyncIterator[WholeApp]:
    async with whole_app(settings) as opened:
        yield opened


@pytest.fixture
async def anna(world: WholeApp) -> Signed:
    return await world.person("anna", "athlete")


def version_of(kind: str) -> str:
    """Name the text that is offered now."""
    return next(text.version for each, text in CONSENT_TEXTS.items() if each == kind)


async def consent(person: Signed, kind: str) -> dict[str, Any]:
    answer = await person("GET", "/api/consents")
    [found] = [each for each in answer.json()["consents"] if each["kind"] == kind]
    return dict(found)


async def change(person: Signed, kind: str, *, given: bool = True, **more: Any) -> int:
    version = {"version": version_of(kind)} if given else {}
    body = {"kind": kind, "given": given, **version, **more}
    return (await person("PUT", "/api/consents", body)).status_code


async def test_nothing_is_consented_to_until_somebody_says_so(anna: Signed) -> None:
    answer = await anna("GET", "/api/consents")
    kinds = [each["kind"] for each in answer.json()["consents"]]
    assert kinds == ["ai_analysis", "messages", "support_access"]
    assert not any(each["given"] or each["history"] for each in answer.json()["consents"])


async def test_the_examples_name_the_texts_that_are_offered(world: WholeApp, anna: Signed) -> None:
    described = (await world.nobody("GET", "/schema/openapi.json")).json()["components"]["schemas"]
    [example] = described["ConsentChange"]["examples"]
    assert example["version"] == version_of(example["kind"])
    [quoted] = re.findall(r"PUT +/api/consents +(\{.+\})", (DOCS / "roles.md").read_text("utf-8"))
    answer = await anna("PUT", "/api/consents", json.loads(quoted))
    assert answer.status_code == 200, answer.text


async def test_what_nobody_obeys_is_not_asked_for(world: WholeApp) -> None:
    functions = await world.owner.fetch(
        "SELECT pg_get_functiondef(oid) AS text FROM pg_proc "
        "WHERE pronamespace = 'public'::regnamespace AND proname LIKE 'apex\\_%' AND prokind = 'f'"
    )
    queries = [path.read_text() for path in SERVER.rglob("*.sql") if path.parent.name != "migrations"]
    asked = " ".join([*(row["text"] for row in functions), *queries])
    assert sorted(set(re.findall(r"apex_consented\([^)]*, '(\w+)'", asked))) == list(CONSENT_KINDS)


async def test_giving_asks_for_a_recent_sign_in_and_taking_back_never_does(world: WholeApp, anna: Signed) -> None:
    assert await change(anna, "ai_analysis") == 200
    await world.owner.execute("UPDATE sessions SET authenticated_at = now() - interval '16 minutes'")
    body = {"kind": "support_access", "given": True, "version": version_of("support_access"), "days": 1}
    assert problem(await anna("PUT", "/api/consents", body)) == (401, "sign_in_again")
    assert await change(anna, "ai_analysis", given=False) == 200
    await world.owner.execute("UPDATE sessions SET authenticated_at = now()")
    assert (await anna("PUT", "/api/consents", body)).status_code == 200


async def test_a_consent_names_its_text_and_time_and_its_history_stays(world: WholeApp, anna: Signed) -> None:
    assert await change(anna, "ai_analysis") == 200
    first = await consent(anna, "ai_analysis")
    assert (first["given"], first["version"], first["expires_at"]) == (True, version_of("ai_analysis"), None)
    assert await change(anna, "ai_analysis", given=False) == 200
    await world.owner.execute("UPDATE consents SET version = '2026-11'")
    assert await change(anna, "ai_analysis") == 200
    last = await consent(anna, "ai_analysis")
    assert (last["given"], last["version"]) == (True, last["text_version"])
    assert [entry["version"] for entry in last["history"]] == [last["text_version"], "2026-11"]
    assert [entry["withdrawn_at"] is None for entry in last["history"]] == [True, False]


async def test_what_was_given_for_an_earlier_text_stands_and_is_replaced_by_giving_it_anew(
    world: WholeApp, anna: Signed
) -> None:
    await change(anna, "ai_analysis")
    await world.owner.execute("UPDATE consents SET version = '2026-11'")
    earlier = await consent(anna, "ai_analysis")
    assert (earlier["given"], earlier["version"]) == (True, "2026-11") != (True, earlier["text_version"])
    await change(anna, "ai_analysis")
    assert (await consent(anna, "ai_analysis"))["version"] == earlier["text_version"]


async def test_no_text_but_the_one_that_is_offered_is_consented_to(anna: Signed) -> None:
    body = {"kind": "ai_analysis", "given": True, "version": "2026-11"}
    refused = await anna("PUT", "/api/consents", body)
    assert problem(refused) == (422, "invalid_fields") and "read it anew" in refused.text
    assert not (await consent(anna, "ai_analysis"))["given"]


def test_the_text_of_today_names_meals() -> None:
    text = CONSENT_TEXTS["ai_analysis"]
    assert text.version in VERSIONS_NAMING_MEALS and "meals" in text.text


async def test_the_same_consent_again_keeps_its_time(anna: Signed) -> None:
    await change(anna, "ai_analysis")
    before = await consent(anna, "ai_analysis")
    await change(anna, "ai_analysis")
    assert await consent(anna, "ai_analysis") == before
    assert await change(anna, "support_access", given=False) == 200
    assert (await consent(anna, "support_access"))["history"] == []


@pytest.mark.parametrize(
    "body",
    [
        {"kind": "ai_analysis", "given": True},
        {"kind": "ai_analysis", "given": True, "version": version_of("ai_analysis"), "days": 3},
        {"kind": "support_access", "given": True, "version": version_of("support_access")},
        {"kind": "support_access", "given": True, "version": version_of("support_access"), "days": 8},
        {"kind": "support_access", "given": True, "version": version_of("support_access"), "days": 0},
        {"kind": "support_access", "given": False, "days": 1},
        {"kind": "everything", "given": True, "version": "1"},
        {"kind": "ai_analysis", "given": True, "version": "1\n"},
        {"kind": "ai_analysis", "given": True, "version": "what I think of it"},
        {
            "kind": "ai_analysis",
            "given": True,
            "version": version_of("ai_analysis"),
            "user_id": "00000000-0000-0000-0000-000000000000",
        },
    ],
)
async def test_a_consent_that_says_too_little_or_too_much_is_refused(anna: Signed, body: dict[str, Any]) -> None:
    assert problem(await anna("PUT", "/api/consents", body)) == (422, "invalid_fields")


async def test_a_consent_is_in_the_audit_of_whoever_gave_it(world: WholeApp, anna: Signed) -> None:
    await change(anna, "ai_analysis")
    await change(anna, "ai_analysis", given=False)
    rows = await world.owner.fetch(
        "SELECT action FROM account_events WHERE subject_id = $1 AND action LIKE 'consent%' ORDER BY seq", anna.id
    )
    assert [row["action"] for row in rows] == ["consent_given", "consent_withdrawn"]


async def test_two_consents_at_once_leave_one_standing(world: WholeApp, anna: Signed) -> None:
    async def give(days: int) -> None:
        assert await change(anna, "support_access", days=days) == 200

    async with anyio.create_task_group() as tasks:
        for days in range(1, 5):
            tasks.start_soon(give, days)
    standing = await world.owner.fetchval(
        "SELECT count(*) FROM consents WHERE user_id = $1 AND withdrawn_at IS NULL", anna.id
    )
    assert standing == 1


async def test_people_see_and_change_their_own_consents_only(world: WholeApp, anna: Signed) -> None:
    ben = await world.person("ben", "athlete")
    await change(anna, "ai_analysis")
    assert not (await consent(ben, "ai_analysis"))["given"]
    await change(ben, "ai_analysis", given=False)
    assert (await consent(anna, "ai_analysis"))["given"]
