"""Messages over REST: two people write to each other, and each writes their own side alone."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from apex_server.db import Database
from apex_server.messages.routes import MessagesController
from apex_sync.ids import Scope, thread_scope
from tests.server.accounts_app import problem
from tests.server.rest_app import Device, Person, RestServer, new_id, rest_server

pytestmark = pytest.mark.anyio

SENT_AT = "2026-03-01T18:05:00.000Z"
LATER = "2026-03-01T18:06:00.000Z"
TEXT = {"type": "text", "text": "from a phone", "sent_at": SENT_AT}


@pytest.fixture
async def rest(db: Database) -> AsyncIterator[RestServer]:
    async with rest_server(db, [MessagesController]) as server:
        yield server


def thread_of(coach: Person, athlete: Person) -> str:
    return str(Scope.parse(thread_scope(coach.id, athlete.id)).id)


async def send(person: Person, thread_id: str, **content: Any) -> dict[str, Any]:
    """Send what must be taken."""
    answer = await person("POST", "/api/messages", {"thread_id": thread_id, "text": "Hello", **content})
    assert answer.status_code == 201, answer.text
    sent: dict[str, Any] = answer.json()
    return sent


async def listed(person: Person, thread_id: str, query: str = "") -> list[dict[str, Any]]:
    answer = await person("GET", f"/api/messages/threads/{thread_id}{query}")
    assert answer.status_code == 200, answer.text
    messages: list[dict[str, Any]] = answer.json()["messages"]
    return messages


async def unread(person: Person) -> int:
    return int((await person("GET", "/api/messages/unread")).json()["unread"])


async def test_two_people_write_to_each_other(rest: RestServer) -> None:
    coach, athlete = await rest.coach_and_athlete()
    [empty] = (await athlete("GET", "/api/messages/threads")).json()["threads"]
    assert (empty["id"], empty["last_message"]) == (thread_of(coach, athlete), None)

    question = await send(athlete, empty["id"], text="How heavy?")
    answer = await send(coach, empty["id"], text="100 kg", reply_to=question["id"])

    assert [(each["sender"], each["text"], each["reply_to"]) for each in await listed(athlete, empty["id"])] == [
        ("coach", "100 kg", question["id"]),
        ("athlete", "How heavy?", None),
    ]
    assert (answer["sender_id"], question["sender_id"]) == (coach.id, athlete.id)
    [thread] = (await coach("GET", "/api/messages/threads")).json()["threads"]
    assert thread["last_message"] == answer and thread["unread"] == {"coach": 1, "athlete": 1}


async def test_a_message_sent_again_is_there_once(rest: RestServer) -> None:
    coach, athlete = await rest.coach_and_athlete()
    body = {"id": new_id(), "thread_id": thread_of(coach, athlete), "text": "Once"}
    answers = [await coach("POST", "/api/messages", body) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 200]
    assert answers[0].json() == answers[1].json()
    other = await coach("POST", "/api/messages", body | {"text": "Twice"})
    assert problem(other) == (409, "already_exists")
    assert problem(await athlete("POST", "/api/messages", body)) == (409, "already_exists")


async def test_what_was_read_is_known_to_both_and_counted_no_more(rest: RestServer) -> None:
    coach, athlete = await rest.coach_and_athlete()
    thread = thread_of(coach, athlete)
    sent = [await send(coach, thread, text=str(number)) for number in range(3)]
    own = await send(athlete, thread)
    assert (await unread(athlete), await unread(coach)) == (3, 1)

    one = (await athlete("PUT", f"/api/messages/{sent[1]['id']}/read")).json()
    assert one["read_at"] is not None and await unread(athlete) == 2

    ids = [each["id"] for each in [*sent, own]] + [new_id()]
    assert (await athlete("PUT", "/api/messages/read", {"ids": ids})).json() == {"unread": 0}
    by_id = {each["id"]: each for each in await listed(coach, thread)}
    assert by_id[sent[1]["id"]]["read_at"] == one["read_at"], "what was read stays read when it was"
    assert by_id[own["id"]]["read_at"] is None, "nobody reads for the other side"


async def test_a_message_that_comes_late_is_unread_although_newer_ones_were_read(rest: RestServer) -> None:
    coach, athlete = await rest.coach_and_athlete()
    thread = thread_of(coach, athlete)
    newer = await send(athlete, thread)
    await coach("PUT", "/api/messages/read", {"ids": [newer["id"]]})
    phone = Device(rest, athlete, "Phone", "phone")
    await phone.push(new_id(), {"athlete": TEXT}, collection="messages", scope=thread_scope(coach.id, athlete.id))
    assert await unread(coach) == 1


async def test_a_thread_comes_in_pages_without_gap_or_double(rest: RestServer) -> None:
    coach, athlete = await rest.coach_and_athlete()
    thread = thread_of(coach, athlete)
    sent = [(await send(coach, thread, text=str(number)))["id"] for number in range(5)]
    seen: list[str] = []
    after, page = "", {}
    for _ in range(3):
        page = (await athlete("GET", f"/api/messages/threads/{thread}?limit=2{after}")).json()
        seen += [each["id"] for each in page["messages"]]
        after = f"&after={page['next']}"
    assert seen == sent[::-1] and page["next"] is None


async def test_what_was_taken_back_is_gone_and_only_its_sender_takes_it_back(rest: RestServer) -> None:
    coach, athlete = await rest.coach_and_athlete()
    thread = thread_of(coach, athlete)
    sent = await send(coach, thread, text="Typo")
    assert problem(await athlete("DELETE", f"/api/messages/{sent['id']}")) == (403, "field_forbidden")
    for _ in range(2):
        assert (await coach("DELETE", f"/api/messages/{sent['id']}")).status_code == 204
    [left] = await listed(athlete, thread)
    assert left["deleted"] and left["text"] is None and left["type"] is None
    assert await unread(athlete) == 0


async def test_each_side_reacts_for_itself(rest: RestServer) -> None:
    coach, athlete = await rest.coach_and_athlete()
    sent = await send(athlete, thread_of(coach, athlete))
    path = f"/api/messages/{sent['id']}/reactions"
    await coach("PUT", path, {"emojis": ["💪", "🎉"]})
    both = (await athlete("PUT", path, {"emojis": ["💪"]})).json()
    assert both["reactions"] == {"💪": ["coach", "athlete"], "🎉": ["coach"]}
    assert (await coach("PUT", path, {"emojis": []})).json()["reactions"] == {"💪": ["athlete"]}


async def test_a_coach_files_threads_and_the_athlete_sees_nothing_of_it(rest: RestServer) -> None:
    coach = await rest.person("coach")
    athletes = [await rest.person("athlete") for _ in range(3)]
    for each in athletes:
        await rest.link(coach, each)
    first, second, third = (thread_of(coach, each) for each in athletes)
    for thread in (first, second, third):
        await send(coach, thread)
    filed = await coach("PATCH", f"/api/messages/threads/{first}", {"pinned": True, "tags": ["prep"]})
    assert filed.json()["pinned"] and filed.json()["tags"] == ["prep"]
    await coach("PATCH", f"/api/messages/threads/{third}", {"archived": True})
    order = [each["id"] for each in (await coach("GET", "/api/messages/threads")).json()["threads"]]
    assert order == [first, second, third]
    [theirs] = (await athletes[0]("GET", "/api/messages/threads")).json()["threads"]
    assert (theirs["pinned"], theirs["tags"]) == (False, [])
    assert problem(await athletes[0]("PATCH", f"/api/messages/threads/{first}", {"pinned": False})) == (
        403,
        "role_required",
    )


ABSENT = "01922f6c-4b7e-7c3a-9d51-6a2f0c8e4b11"

BAD: list[tuple[dict[str, Any], int]] = [
    ({"text": ""}, 422),
    ({"text": None}, 422),
    ({"text": "x" * 10_001}, 422),
    ({"text": "x" * 2**20}, 413),
    ({"text": "a\x00b"}, 422),
    ({"type": "hologram"}, 422),
    ({"type": "voice"}, 422),
    ({"reply_to": ABSENT}, 422),
    ({"thread_id": ABSENT}, 404),
    ({"duration_seconds": -1}, 422),
    ({"sent_at": "2020-01-01T00:00:00.000Z"}, 422),
]


@pytest.mark.parametrize(("content", "status"), BAD, ids=lambda each: str(each)[:40])
async def test_what_is_no_message_is_refused(rest: RestServer, content: dict[str, Any], status: int) -> None:
    coach, athlete = await rest.coach_and_athlete()
    answer = await athlete("POST", "/api/messages", {"thread_id": thread_of(coach, athlete), "text": "x", **content})
    assert answer.status_code == status, answer.text
    assert await listed(athlete, thread_of(coach, athlete)) == []


async def test_reactions_are_bounded_in_number_and_length(rest: RestServer) -> None:
    coach, athlete = await rest.coach_and_athlete()
    sent = await send(athlete, thread_of(coach, athlete))
    for emojis in (["x" * 17], [""], [chr(0x1F600 + number) for number in range(21)]):
        answer = await coach("PUT", f"/api/messages/{sent['id']}/reactions", {"emojis": emojis})
        assert answer.status_code == 422, answer.text


async def test_an_answer_to_a_message_of_another_thread_is_refused(rest: RestServer) -> None:
    coach, athlete = await rest.coach_and_athlete()
    other = await rest.person("athlete")
    await rest.link(coach, other)
    elsewhere = await send(other, thread_of(coach, other))
    body = {"thread_id": thread_of(coach, athlete), "text": "x", "reply_to": elsewhere["id"]}
    assert problem(await coach("POST", "/api/messages", body)) == (422, "invalid_fields")


async def test_both_are_shown_where_a_tampered_record_makes_both_sides_speak(rest: RestServer) -> None:
    coach, athlete = await rest.coach_and_athlete()
    thread = thread_of(coach, athlete)
    sent = await send(coach, thread, text="Deload this week.")
    phone = Device(rest, athlete, "Phone", "phone")
    scope = thread_scope(coach.id, athlete.id)
    base = await rest.document(sent["id"])
    await phone.push(sent["id"], {"athlete": TEXT}, collection="messages", base=base, scope=scope)
    shown = await listed(coach, thread)
    assert {(each["sender"], each["text"]) for each in shown} == {
        ("coach", "Deload this week."),
        ("athlete", "from a phone"),
    }
    assert all(each["needs_review"] for each in shown)


async def test_what_a_newer_app_sends_is_kept_and_marked(rest: RestServer) -> None:
    coach, athlete = await rest.coach_and_athlete()
    phone = Device(rest, athlete, "Phone", "phone")
    newer = {"type": "hologram", "depth": 3, "sent_at": LATER}
    await phone.push(new_id(), {"athlete": newer}, collection="messages", scope=thread_scope(coach.id, athlete.id))
    [shown] = await listed(coach, thread_of(coach, athlete))
    assert (shown["type"], shown["text"], shown["needs_review"]) == ("hologram", None, True)
    assert await unread(coach) == 1


async def test_a_thread_ends_with_the_work_together_and_comes_back_with_it(rest: RestServer) -> None:
    coach, athlete = await rest.coach_and_athlete()
    thread = thread_of(coach, athlete)
    sent = await send(coach, thread)
    await athlete("DELETE", f"/api/clients/{athlete.id}/link")
    for person in (coach, athlete):
        assert (await person("GET", "/api/messages/threads")).json() == {"threads": []}
        assert problem(await person("GET", f"/api/messages/threads/{thread}")) == (404, "not_found")
        assert problem(await person("PUT", f"/api/messages/{sent['id']}/read")) == (404, "not_found")
        assert await unread(person) == 0
    await rest.link(coach, athlete)
    assert [each["id"] for each in await listed(athlete, thread)] == [sent["id"]]
