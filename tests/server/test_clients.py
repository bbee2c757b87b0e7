"""A coach's athletes over REST: how each stands, profile and file as one, archiving, and who gets to see what."""

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from apex_server.db import Database, load_queries
from tests.server.accounts_app import problem
from tests.server.analysis_parts import run_as_owner
from tests.server.rest_app import Person, RestServer, rest_server
from tests.server.sync_world import World
from tests.server.test_sync_plans import explain, fill

pytestmark = pytest.mark.anyio

NOW = datetime.now(UTC)


@pytest.fixture
async def rest(db: Database) -> AsyncIterator[RestServer]:
    async with rest_server(db) as server:
        yield server


def day(days_ago: int) -> str:
    return str((NOW - timedelta(days=days_ago)).date())


def at(days_ago: int) -> str:
    return f"{day(days_ago)}T12:00:00+00:00"


async def train(athlete: Person, days_ago: int, **more: Any) -> str:
    """Log a session of three sets."""
    sets = [{"reps": 8, "load": 100.0, "load_unit": "kg", "rpe": 8} for _ in range(3)]
    exercise = {"name": "Bench Press", "sets": sets}
    answer = await athlete(
        "POST", "/api/workouts", {"date": day(days_ago), "start_time": at(days_ago), "exercises": [exercise], **more}
    )
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def check_in(athlete: Person, days_ago: int, **more: Any) -> str:
    answer = await athlete("POST", "/api/checkins", {"date": day(days_ago), "submitted_at": at(days_ago), **more})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def client_of(coach: Person, athlete: Person) -> dict[str, Any]:
    answer = await coach("GET", f"/api/clients/{athlete.id}")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def listed(coach: Person, query: str = "") -> list[dict[str, Any]]:
    answer = await coach("GET", f"/api/clients?{query}")
    assert answer.status_code == 200, answer.text
    return list(answer.json()["clients"])


async def test_a_list_says_how_each_athlete_stands(rest: RestServer) -> None:
    coach, athlete = await rest.coach_and_athlete()
    await train(athlete, 3)
    await train(athlete, 1)
    await check_in(athlete, 2)
    [client] = await listed(coach)
    assert (client["last_workout"], client["last_check_in"]) == (day(1), day(2))
    assert client["next_check_in_due"] == day(-7)  # The relation began today.
    assert (client["status"], client["check_ins_to_review"], client["tags"]) == ("active", 1, [])
    assert client["adherence"]["workouts"] is None


async def test_who_links_today_with_old_sessions_owes_none_yet(rest: RestServer, database_url: str) -> None:
    """Sessions are due from the link on, as check-ins are: imported ones of before fall short of nothing."""
    coach, athlete = await rest.coach_and_athlete()
    for days_ago in (22, 15, 8):
        await train(athlete, days_ago)
    wish = {"profile": {"training_days_per_week": 4}}
    asked = await coach("PUT", f"/api/clients/{athlete.id}", wish, if_match="*")
    assert asked.status_code == 200, asked.text
    client = await client_of(coach, athlete)
    assert (client["status"], client["reasons"], client["adherence"]["workouts"]) == ("active", [], None)
    await run_as_owner(database_url, "UPDATE coach_athletes SET since = now() - interval '40 days'")
    assert "low_adherence" in (await client_of(coach, athlete))["reasons"]


async def test_a_session_that_arrives_late_changes_adherence(rest: RestServer) -> None:
    coach, athlete = await rest.coach_and_athlete()
    week = {"w1": {"week_number": 1}}
    days = {f"d{number}": {"week": "w1", "day_number": number} for number in range(1, 8)}
    exercises = {f"e{number}": {"day": f"d{number}", "name": "Bench Press"} for number in range(1, 8)}
    start = NOW.date() - timedelta(days=NOW.weekday() + 7)
    made = await coach(
        "POST", "/api/programs",
        {"name": "Base", "athlete_id": athlete.id, "status": "active", "start_date": str(start),
         "weeks": week, "days": days, "exercises": exercises},
    )  # fmt: skip
    assert made.status_code == 201, made.text
    before = await client_of(coach, athlete)
    assert before["current_program_id"] == made.json()["id"]
    assert before["adherence"]["workouts"] == 0

    await train(athlete, NOW.weekday() + 7)
    assert (await client_of(coach, athlete))["adherence"]["workouts"] == pytest.approx(100 / 7)


async def test_a_program_that_is_to_come_leaves_the_one_of_today_as_it_is(rest: RestServer) -> None:
    coach, athlete = await rest.coach_and_athlete()
    today = NOW.date()
    plan = {
        "weeks": {f"w{n}": {"week_number": n} for n in range(1, 5)},
        "days": {f"d{n}": {"week": f"w{n}", "day_number": 1} for n in range(1, 5)},
        "exercises": {f"e{n}": {"day": f"d{n}", "name": "Bench Press"} for n in range(1, 5)},
    }
    old, new = [(await coach("POST", "/api/programs", {"name": name, **plan})).json()["id"] for name in ("Old", "New")]

    async def assign(template: str, start: date) -> str:
        body = {"athlete_id": athlete.id, "start_date": str(start)}
        return str((await coach("POST", f"/api/programs/{template}/assign", body)).json()["id"])

    held = await assign(old, today - timedelta(days=14))
    before = await client_of(coach, athlete)
    assert (before["current_program_id"], before["adherence"]["workouts"]) == (held, 0)
    await assign(new, today + timedelta(days=21))
    after = await client_of(coach, athlete)
    assert (after["current_program_id"], after["adherence"]) == (held, before["adherence"])


async def test_the_coach_sets_a_status_and_takes_it_back(rest: RestServer) -> None:
    coach, athlete = await rest.coach_and_athlete()
    path = f"/api/clients/{athlete.id}/status"
    answer = await coach("PUT", path, {"status": "overdue"})
    assert answer.status_code == 200, answer.text
    assert [client["id"] for client in await listed(coach, "status=overdue")] == [athlete.id]
    assert await listed(coach, "status=active") == []
    assert (await coach("PUT", path, {"status": None})).json()["status"] == "active"
    assert problem(await coach("PUT", path, {"status": "asleep"})) == (422, "invalid_fields")


async def test_profile_and_file_change_as_one_and_a_stale_version_is_told(rest: RestServer) -> None:
    coach, athlete = await rest.coach_and_athlete()
    path = f"/api/clients/{athlete.id}"
    injury = {"area": "knee", "side": "left", "since": "2025-01-01", "severity": "mild", "status": "recovering"}
    changes = {
        "profile": {"date_of_birth": "1990-02-28", "height_cm": 180.0, "injuries": {"k1": injury}},
        "file": {"tags": ["Prep"], "subscription_tier": "premium", "notes": "is shy"},
    }
    answer = await coach("PATCH", path, changes)
    assert answer.status_code == 200, answer.text
    client = answer.json()
    assert client["profile"]["injuries"] == {"k1": injury}
    assert 35 <= client["profile"]["age_years"] <= 90
    assert (client["tags"], client["file"]["notes"], client["metrics"]["height_cm"]) == (["Prep"], "is shy", 180.0)

    etag = answer.headers["etag"]
    assert (await coach("GET", path, if_none_match=etag)).status_code == 304
    whole = {"profile": {**client["profile"], "goals": ["Compete"]}, "file": {"tags": ["Prep", "New"]}}
    put = await coach("PUT", path, whole, if_match=etag)
    assert put.status_code == 200, put.text
    assert put.json()["profile"]["injuries"] == {"k1": injury}
    assert "notes" not in {name for name, value in put.json()["file"].items() if value is not None}
    assert problem(await coach("PUT", path, whole)) == (428, "version_required")
    assert problem(await coach("PUT", path, {"file": {"tags": []}}, if_match=etag)) == (412, "version_stale")
    assert problem(await coach("PUT", path, whole, if_match='"AA"')) == (422, "invalid_fields")
    assert problem(await coach("PATCH", path, {"profile": {"height_cm": -1}})) == (422, "invalid_fields")
    assert problem(await coach("PUT", path, {"profile": {"wings": 2}}, if_match="*")) == (422, "invalid_fields")


async def test_the_athlete_reads_the_profile_and_never_the_file(rest: RestServer) -> None:
    coach, athlete = await rest.coach_and_athlete()
    await coach("PATCH", f"/api/clients/{athlete.id}", {"profile": {"goals": ["Win"]}, "file": {"notes": "is shy"}})
    async with rest.database.request(UUID(athlete.id)) as connection:
        rows = await connection.fetch("SELECT collection FROM records ORDER BY collection")
    assert [row["collection"] for row in rows] == ["profiles"]
    assert problem(await athlete("GET", f"/api/clients/{athlete.id}")) == (403, "role_required")


async def test_a_record_of_the_same_id_in_another_scope_is_never_taken_for_the_profile(rest: RestServer) -> None:
    """Ids are made on devices: another athlete of this coach may write whatever they like in their own scope."""
    coach, anna = await rest.coach_and_athlete()
    ben = await rest.person("athlete")
    await rest.link(coach, ben)
    for athlete, name in ((anna, "Anna"), (ben, "Ben")):
        other = ben if athlete is anna else anna
        await rest.committer.write(
            UUID(athlete.id), f"athlete:{athlete.id}", "profiles", other.id, {"name": f"not {name}"}
        )
    for athlete in (anna, ben):
        assert "name" not in (await client_of(coach, athlete))["profile"]
        await coach("PATCH", f"/api/clients/{athlete.id}", {"profile": {"goals": [athlete.id]}})
        assert (await client_of(coach, athlete))["profile"]["goals"] == [athlete.id]


async def test_archiving_hides_and_restoring_shows(rest: RestServer) -> None:
    coach, athlete = await rest.coach_and_athlete()
    path = f"/api/clients/{athlete.id}"
    assert (await coach("DELETE", path)).status_code == 204
    assert await listed(coach) == []
    assert [client["id"] for client in await listed(coach, "archived=true")] == [athlete.id]
    assert (await client_of(coach, athlete))["archived"] is True
    assert (await coach("POST", f"{path}/restore")).json()["archived"] is False
    assert len(await listed(coach)) == 1


async def test_a_file_that_was_deleted_on_a_device_comes_back_with_the_next_change(rest: RestServer) -> None:
    coach, athlete = await rest.coach_and_athlete()
    path = f"/api/clients/{athlete.id}"
    await coach("PATCH", path, {"file": {"tags": ["Prep"]}})
    async with rest.database.commit_connection() as connection:
        [file] = await connection.fetch("SELECT record_id FROM records WHERE collection = 'client_files'")
    scope = f"private:{coach.id}:{athlete.id}"
    await rest.committer.write(UUID(coach.id), scope, "client_files", str(file["record_id"]), {"deleted": True})
    assert (await client_of(coach, athlete))["tags"] == []
    assert (await coach("PUT", f"{path}/status", {"status": "active"})).json()["reasons"] == ["set_by_coach"]


async def test_metrics_are_the_trend_and_what_was_measured_last(rest: RestServer) -> None:
    coach, athlete = await rest.coach_and_athlete()
    for days_ago in range(12, -1, -3):
        await check_in(
            athlete, days_ago, weight=80.0 + days_ago * 0.1, weight_unit="kg", body_fat_percent=15.0 + days_ago,
            measurements={"waist_cm": 80.0 + days_ago},
        )  # fmt: skip
    metrics = (await client_of(coach, athlete))["metrics"]
    assert metrics["weight"]["kg_per_week"] < 0
    assert 80 < metrics["weight"]["trend_kg"] < 81.2
    assert metrics["body_fat_percent"] == {"value": 15.0, "date": day(0)}
    assert metrics["girths_cm"] == {"waist": {"value": 80.0, "date": day(0)}}


async def test_charts_client_and_dashboard_name_one_rate(rest: RestServer) -> None:
    coach, athlete = await rest.coach_and_athlete()
    for days_ago in range(20, 2, -1):
        body = {"date": day(days_ago), "weight_kg": 86 + 0.2 * days_ago}
        assert (await athlete("POST", "/api/progress/metrics", body)).status_code == 201
    draft = {"date": day(0), "weight": 200, "weight_unit": "kg", "submitted_at": None}
    assert (await athlete("POST", "/api/checkins", draft)).status_code == 201

    charts = (await coach("GET", f"/api/progress/charts/{athlete.id}")).json()
    client = (await client_of(coach, athlete))["metrics"]["weight"]
    dashboard = (await coach("GET", f"/api/clients/{athlete.id}/dashboard")).json()
    assert charts["weight"][-1]["date"] == dashboard["weight_days"][-1]["date"] == client["as_of"] == day(3)
    assert client["kg_per_week"] == charts["rate"]["kg_per_week"] < 0
    assert client == dashboard["weight"]


async def test_lists_are_sorted_filtered_and_paged_either_way(rest: RestServer) -> None:
    coach = await rest.person("coach")
    names = ["Zoë", "anna", "Bert", "Änne", "Carl"]
    for place, name in enumerate(names):
        athlete = await rest.person("athlete", name=name)
        await rest.link(coach, athlete)
        if place < 3:
            await train(athlete, place)
    for sort in ("name", "-name", "last_workout", "-last_workout", "status", "adherence", "-next_check_in_due"):
        whole = [client["name"] for client in await listed(coach, f"sort={sort}")]
        assert sorted(whole) == sorted(names)
        paged, after = [], ""
        while True:
            answer = (await coach("GET", f"/api/clients?sort={sort}&limit=2{after}")).json()
            paged += [client["name"] for client in answer["clients"]]
            if answer["next"] is None:
                break
            after = f"&after={answer['next']}"
        assert paged == whole
    assert [client["name"] for client in await listed(coach, "sort=-last_workout")][:3] == ["Zoë", "anna", "Bert"]
    assert [client["name"] for client in await listed(coach, "text=ANN")] == ["anna"]


async def test_a_session_that_was_only_begun_is_none(rest: RestServer) -> None:
    coach, athlete = await rest.coach_and_athlete()
    path = f"/api/clients/{athlete.id}"
    not_done = {"name": "Bench Press", "sets": [{"reps": 8, "completed": False}]}
    for exercises in ([], [not_done]):
        began = {"date": day(1), "start_time": at(1), "duration_minutes": 5, "exercises": exercises}
        answer = await athlete("POST", "/api/workouts", began)
        assert answer.status_code == 201, answer.text

    async def seen() -> tuple[Any, ...]:
        dashboard = (await coach("GET", f"{path}/dashboard")).json()
        entries = (await coach("GET", f"{path}/timeline?kind=workout")).json()["entries"]
        client = dashboard["client"]
        assert [each["id"] for each in dashboard["workouts"]] == [each["id"] for each in entries]
        return client["last_workout"], client["average_session_minutes"], len(entries)

    assert await seen() == (None, None, 0)
    await train(athlete, 9, duration_minutes=60)
    assert await seen() == (day(9), 60, 1)
    warmed_up = {"name": "Bench Press", "sets": [{"type": "warmup", "reps": 8}]}
    await athlete("POST", "/api/workouts", {"date": day(8), "start_time": at(8), "exercises": [warmed_up]})
    assert await seen() == (day(8), 60, 2)
    await athlete("POST", "/api/workouts", {"date": day(7), "start_time": at(7), "completed": True})
    assert await seen() == (day(7), 60, 3)


async def test_nothing_is_due_since_a_session_that_was_only_begun(rest: RestServer, database_url: str) -> None:
    coach, athlete = await rest.coach_and_athlete()
    await run_as_owner(database_url, "UPDATE coach_athletes SET since = now() - interval '40 days'")
    wish = {"profile": {"training_days_per_week": 4}}
    answer = await coach("PUT", f"/api/clients/{athlete.id}", wish, if_match="*")
    assert answer.status_code == 200, answer.text
    await athlete("POST", "/api/workouts", {"date": day(20), "start_time": at(20), "exercises": []})
    [client] = await listed(coach)
    assert (client["last_workout"], client["adherence"]["workouts"]) == (None, None)
    await train(athlete, 20)
    [client] = await listed(coach)
    assert (client["last_workout"], client["adherence"]["workouts"]) == (day(20), 0)


async def test_what_people_gave_a_name_is_shown_by_it(rest: RestServer) -> None:
    coach, athlete = await rest.coach_and_athlete()
    path, private = f"/api/clients/{athlete.id}", f"private:{coach.id}:{athlete.id}"
    await train(athlete, 2, title="Pull")
    await train(athlete, 3, title="  ")
    program = {"name": "Base", "start_date": day(30), "status": "active"}
    await rest.committer.write(UUID(coach.id), f"athlete:{athlete.id}", "programs", str(uuid4()), program)
    insight_id, insight = str(uuid4()), {"status": "draft", "type": "recovery", "title": "Rest"}
    await rest.committer.write(None, private, "insights", insight_id, insight)
    approval = {"status": "approved", "acted_at": at(2)}
    await rest.committer.write(UUID(coach.id), private, "insights", insight_id, approval)

    dashboard = (await coach("GET", f"{path}/dashboard")).json()
    assert [(each["title"], each["sets"]) for each in dashboard["workouts"]] == [("Pull", 3), (None, 3)]
    entries = (await coach("GET", f"{path}/timeline")).json()["entries"]
    named = [(each["kind"], each["facts"].get("title", each["facts"].get("name"))) for each in entries]
    assert sorted(named, key=str) == [
        ("insight", "Rest"), ("linked", None), ("program", "Base"), ("workout", "Pull"), ("workout", None),
    ]  # fmt: skip


async def test_an_active_program_without_a_first_day_is_followed_by_nobody_until_it_has_one(rest: RestServer) -> None:
    coach, athlete = await rest.coach_and_athlete()
    plan = {
        "name": "Base", "status": "active", "weeks": {"w1": {"week_number": 1}},
        "days": {"d1": {"week": "w1", "day_number": 1}}, "exercises": {"e1": {"day": "d1", "name": "Squat"}},
    }  # fmt: skip
    program_id = str(uuid4())
    await rest.committer.write(UUID(coach.id), f"athlete:{athlete.id}", "programs", program_id, plan)
    dashboard = (await coach("GET", f"/api/clients/{athlete.id}/dashboard")).json()
    assert dashboard["client"]["adherence"]["workouts"] is None
    assert (dashboard["client"]["current_program_id"], dashboard["program"]) == (None, None)
    monday = str(NOW.date() - timedelta(days=NOW.weekday() + 7))
    await rest.committer.write(UUID(coach.id), f"athlete:{athlete.id}", "programs", program_id, {"start_date": monday})
    dashboard = (await coach("GET", f"/api/clients/{athlete.id}/dashboard")).json()
    assert dashboard["client"]["adherence"]["workouts"] == 0
    assert (dashboard["client"]["current_program_id"], dashboard["program"]["start_date"]) == (program_id, monday)


async def test_a_dashboard_shows_training_weight_answers_and_what_waits(rest: RestServer) -> None:
    coach, athlete = await rest.coach_and_athlete()
    await train(athlete, 1)
    await check_in(athlete, 2, weight=81.0, weight_unit="kg", responses={"energy": 4})
    draft = {"kind": "training", "type": "progression", "priority": "high", "status": "draft", "title": "Go on"}
    await rest.committer.write(None, f"private:{coach.id}:{athlete.id}", "insights", str(uuid4()), draft)

    dashboard = (await coach("GET", f"/api/clients/{athlete.id}/dashboard")).json()
    [workout] = dashboard["workouts"]
    assert (workout["working_sets"], workout["volume_load_kg"], workout["average_rpe"]) == (3, 2400, 8)
    volume = {each["muscle"]: (each["direct_sets"], each["fractional_sets"]) for each in dashboard["volume"]}
    assert volume["chest"] == (3, 3)
    assert volume["triceps"] == (0, 1.5)
    assert dashboard["weight_days"] == [{"date": day(2), "weight_kg": 81.0, "trend_kg": 81.0, "held_out": None}]
    assert [each["answers"] for each in dashboard["check_ins"]] == [{"energy": 4}]
    assert [(each["title"], each["priority"]) for each in dashboard["insights"]] == [("Go on", "high")]
    assert dashboard["to_look_at"] == []
    assert dashboard["client"]["id"] == athlete.id


async def test_a_dashboard_shows_food_messages_and_the_program_of_today(rest: RestServer) -> None:
    coach, athlete = await rest.coach_and_athlete()
    scope, thread = f"athlete:{athlete.id}", f"thread:{coach.id}:{athlete.id}"
    week = {f"w{number}": {"week_number": number} for number in range(1, 5)}
    program = {"name": "Base", "start_date": day(NOW.weekday() + 7), "status": "active", "weeks": week}
    await rest.committer.write(UUID(coach.id), scope, "programs", str(uuid4()), program)
    target = {"start_date": day(10), "energy_kcal": 2000.0, "protein_g": 150.0}
    await rest.committer.write(UUID(coach.id), scope, "nutrition_targets", str(uuid4()), target)
    meals = {f"m{number}": {"name": f"Meal {number}"} for number in range(2)}
    foods = {f"f{number}": {"meal": f"m{number}", "name": "Rice", "energy_kcal": 1000.0} for number in range(2)}
    for days_ago in (2, 12):
        eaten = {"date": day(days_ago), "meals": meals, "foods": foods}
        await rest.committer.write(UUID(athlete.id), scope, "nutrition_logs", str(uuid4()), eaten)
    for person, side, days_ago in ((athlete, "athlete", 3), (athlete, "athlete", 3), (coach, "coach", 1)):
        said = {side: {"type": "text", "text": "Between us.", "sent_at": f"{day(days_ago)}T12:00:00.000Z"}}
        await rest.committer.write(UUID(person.id), thread, "messages", str(uuid4()), said)

    answer = await coach("GET", f"/api/clients/{athlete.id}/dashboard")
    shown = answer.json()
    assert (shown["program"]["name"], shown["program"]["week_number"], shown["program"]["week_count"]) == ("Base", 2, 4)
    assert [(each["date"], each["target_energy_kcal"], each["percent"]) for each in shown["nutrition"]] == [
        (day(12), None, None), (day(2), 2000, 100),
    ]  # fmt: skip
    assert shown["messages"] == {"from_athlete": 2, "from_coach": 1, "unread": 2}
    assert "Between us." not in answer.text

    async def happened(kind: str) -> list[tuple[str, Any]]:
        page = (await coach("GET", f"/api/clients/{athlete.id}/timeline?kind={kind}")).json()
        return [(each["date"], each["facts"]) for each in page["entries"]]

    assert await happened("messages") == [
        (day(1), {"from_athlete": 0, "from_coach": 1}), (day(3), {"from_athlete": 2, "from_coach": 0}),
    ]  # fmt: skip
    [(_, met), (_, unasked)] = await happened("nutrition")
    assert (met["energy_kcal"], met["target_energy_kcal"], met["target_protein_g"]) == (2000, 2000, 150)
    assert (unasked["energy_kcal"], unasked["target_energy_kcal"]) == (2000, None)


async def test_a_timeline_is_paged_over_every_kind_the_newest_first(rest: RestServer) -> None:
    coach, athlete = await rest.coach_and_athlete()
    for days_ago in (5, 1, 9):
        await train(athlete, days_ago)
        await check_in(athlete, days_ago)
    scope = f"athlete:{athlete.id}"
    metrics = {"date": day(3), "measured_at": at(3), "weight_kg": 80.0}
    await rest.committer.write(UUID(athlete.id), scope, "body_metrics", str(uuid4()), metrics)
    photo = {"date": day(4), "type": "front"}
    await rest.committer.write(UUID(athlete.id), scope, "progress_photos", str(uuid4()), photo)
    program = {"name": "Base", "start_date": day(30), "status": "active"}
    await rest.committer.write(UUID(coach.id), scope, "programs", str(uuid4()), program)
    eaten = {"date": day(6), "foods": {"f1": {"name": "Rice", "energy_kcal": 100.0}}}
    await rest.committer.write(UUID(athlete.id), scope, "nutrition_logs", str(uuid4()), eaten)
    for days_ago in (7, 8):
        said = {"coach": {"type": "text", "text": "Go on.", "sent_at": f"{day(days_ago)}T12:00:00.000Z"}}
        thread = f"thread:{coach.id}:{athlete.id}"
        await rest.committer.write(UUID(coach.id), thread, "messages", str(uuid4()), said)
    private, insight_id = f"private:{coach.id}:{athlete.id}", str(uuid4())
    await rest.committer.write(None, private, "insights", insight_id, {"status": "draft", "type": "progression"})
    approval = {"status": "approved", "acted_at": at(2)}
    await rest.committer.write(UUID(coach.id), private, "insights", insight_id, approval)

    path = f"/api/clients/{athlete.id}/timeline"
    whole = (await coach("GET", path)).json()["entries"]
    assert [(each["kind"], each["date"]) for each in whole if each["kind"] not in ("workout", "check_in")] == [
        ("linked", day(0)), ("insight", day(2)), ("metrics", day(3)), ("photo", day(4)),
        ("nutrition", day(6)), ("messages", day(7)), ("messages", day(8)), ("program", day(30)),
    ]  # fmt: skip
    assert len(whole) == 14
    assert [each["date"] for each in whole] == sorted((each["date"] for each in whole), reverse=True)
    assert next(each for each in whole if each["kind"] == "workout")["facts"]["sets"] == 3
    assert next(each for each in whole if each["kind"] == "metrics")["facts"]["weight_kg"] == 80.0

    paged, after = [], ""
    while True:
        answer = (await coach("GET", f"{path}?limit=3{after}")).json()
        paged += answer["entries"]
        if answer["next"] is None:
            break
        after = f"&after={answer['next']}"
    assert paged == whole
    photos = (await coach("GET", f"{path}?kind=photo")).json()["entries"]
    assert [each["kind"] for each in photos] == ["photo"]


async def test_a_page_reads_a_coach_of_fifty_by_index_alone(db: Database, database_url: str) -> None:
    world = await World(db, database_url).open()
    athlete = await fill(world)
    coach = await world.coach(athlete)
    queries = load_queries("apex_server.clients")
    today = NOW.date()
    async with db.request(coach) as connection:
        arguments = [
            [coach],
            None,
            today - timedelta(days=20),
            today,
            today - timedelta(days=20),
            5000,
            NOW.replace(tzinfo=None),
        ]
        assert await explain(connection, load_queries("apex_server").list_standings, *arguments) == []
        assert await explain(connection, load_queries("apex_server.resources").list_measurings, athlete, today) == []
        mark = [today, NOW.replace(tzinfo=None), UUID(int=1), 50]
        assert await explain(connection, queries.list_timeline, athlete, athlete, None, *mark, coach, athlete) == []
        assert await explain(connection, queries.count_messages, athlete, today) == []
        assert await explain(connection, queries.list_recent_eating, athlete, today, today) == []
        assert await explain(connection, queries.list_targets, athlete, today) == []
        assert await explain(connection, queries.list_recent_workouts, athlete, today, today) == []
        assert await explain(connection, queries.list_recent_check_ins, athlete) == []
        assert await explain(connection, queries.list_open_insights, athlete) == []
        assert await explain(connection, queries.list_to_look_at, athlete) == []
        asked = (UUID(int=0), [UUID(int=1)], True, 100)
        assert await explain(connection, load_queries("apex_server.resources").list_custom_exercises, *asked) == []
