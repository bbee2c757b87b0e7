"""A coach's device says of clients what the server says: both judge the same data, one of them without a network."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, date, datetime, time, timedelta, timezone
from pathlib import Path
from typing import Any

import msgspec
import pytest

from apex_client import Replica
from apex_client.client_dashboard import ClientDashboard
from apex_client.errors import CoachNeeded, NotGranted
from apex_client.records import Records
from apex_client.standing import TimelineEntry
from apex_sync.coaching.client_dashboard import MessageCounts
from tests.e2e.coach_world import new_id, write_as_system
from tests.e2e.whole_server import PASSWORD, WholeServer

pytestmark = pytest.mark.anyio

NOW = datetime.now(UTC)
TODAY = NOW.date()
MONDAY = TODAY - timedelta(days=TODAY.weekday())
EVENING = timezone(timedelta(hours=-3))
FAR = timezone(timedelta(hours=14) if NOW.hour >= 12 else timedelta(hours=-12))
"""Where it is another day than in UTC, whatever the hour."""


class Pair:
    """A coach and three athletes: Anna follows a program, Ben trains far away, Cem has only begun to."""

    def __init__(self, coach: Replica, anna: Replica, ben: Replica, cem: Replica) -> None:
        self.coach, self.anna, self.ben, self.cem = coach, anna, ben, cem

    async def sync(self) -> None:
        for replica in (self.anna, self.ben, self.cem, self.coach, self.anna, self.coach):
            await replica.sync()


@pytest.fixture
async def pair(server: WholeServer, tmp_path: Path) -> AsyncIterator[Pair]:
    async with AsyncExitStack() as stack:

        async def opened(name: str, **more: Any) -> Replica:
            zone = FAR if name == "Ben" else EVENING
            replica = await stack.enter_async_context(Replica.open(tmp_path / f"{name}.db", zone=zone))
            email = server.new_email(name.casefold())
            await replica.register(server.address, email, PASSWORD, name=name, **more)
            return replica

        coach = await opened("Carla", role="coach")
        athletes = [await opened(name, invite=(await coach.clients.invite()).code) for name in ("Anna", "Ben", "Cem")]
        yield Pair(coach, *athletes)


def plan(days: tuple[int, ...]) -> dict[str, Any]:
    return {
        "weeks": {f"w{week}": {"week_number": week} for week in range(1, 5)},
        "days": {f"d{week}{day}": {"week": f"w{week}", "day_number": day} for week in range(1, 5) for day in days},
        "exercises": {
            f"e{week}{day}": {"day": f"d{week}{day}", "name": "Squat"} for week in range(1, 5) for day in days
        },
        "sets": {
            f"s{week}{day}{number}": {"exercise": f"e{week}{day}", "reps_min": 5}
            for week in range(1, 5)
            for day in days
            for number in range(4)
        },
    }


def at(on: date, clock: str, zone: timezone = EVENING) -> str:
    return datetime.combine(on, time.fromisoformat(clock), zone).isoformat()


async def train(athlete: Replica, on: date, *, sets: int = 3, zone: timezone = EVENING, **more: Any) -> None:
    log = await athlete.workouts.start(start_time=at(on, "18:00", zone), **more)
    await log.add_set("Squat", reps=8, load=60, type="warmup")
    for number in range(sets):
        await log.add_set("Squat", reps=8, load=100 + number, rpe=8)
    await log.add_set("Squat", reps=8, load=100, completed=False)
    await log.finish(end_time=at(on, "19:10", zone))


async def begin(athlete: Replica, on: date, *, zone: timezone = EVENING) -> None:
    """Leave a session behind in which nothing was done, and which says that it took long."""
    log = await athlete.workouts.start(title="Begun", start_time=at(on, "20:00", zone))
    await log.add_set("Squat", reps=8, load=100, completed=False)
    await log.edit(duration_minutes=600)


async def eat(athlete: Replica, on: date, kcal: float) -> None:
    meals = {f"m{number}": {"name": f"Meal {number}"} for number in range(3)}
    food = {"name": "Rice", "energy_kcal": kcal / 3, "protein_g": 50.0, "carbs_g": 70.0, "fat_g": 20.0}
    foods = {f"f{number}": {**food, "meal": f"m{number}"} for number in range(3)}
    await athlete.nutrition_logs.create(date=str(on), meals=meals, foods=foods)


async def fill(pair: Pair) -> None:
    """Let three weeks pass of which every part of a standing follows."""
    await pair.sync()
    await be_planned_for(pair)
    await live(pair)
    await talk(pair)
    await pair.sync()
    [first, *_] = await pair.coach.athlete(user(pair.anna)).checkins.list(until=TODAY - timedelta(days=5))
    await first.review("Well done.")
    await pair.sync()


async def be_planned_for(pair: Pair) -> None:
    """Let the coach ask for things: of food several times, and for days to come."""
    coach, anna, ben = pair.coach, user(pair.anna), user(pair.ben)
    template = await coach.programs.create(name="Base", **plan((1, 3, 5)))
    await coach.programs.assign(template, anna, start_date=MONDAY - timedelta(days=14))
    for athlete_id, days_ago, kcal in (
        (anna, 40, 2400.0), (anna, 3, 2000.0), (anna, -5, 900.0),
        (ben, 10, 3000.0), (ben, -1, 100.0),
    ):  # fmt: skip
        macros: dict[str, Any] = {"energy_kcal": kcal, "protein_g": 150, "carbs_g": 250, "fat_g": 70}
        start = str(TODAY - timedelta(days=days_ago))
        await coach.athlete(athlete_id).nutrition_targets.create(start_date=start, **macros)
    await coach.athlete(anna).client_file.edit(tags=["Prep", "Gym"], subscription_tier="premium")
    await coach.athlete(ben).client_file.edit(status="overdue")
    weekday = min(TODAY, NOW.astimezone(FAR).date()).isoweekday()
    await coach.athlete(ben).profile.edit(training_days_per_week=4, check_in_day_number=weekday)
    await coach.athlete(user(pair.cem)).profile.edit(check_in_day_number=weekday)
    undated: Records[Any] = Records(coach, "programs", f"athlete:{user(pair.cem)}")
    await undated.create(name="Of an old app, which nobody follows", status="active", **plan((1, 2)))
    await pair.sync()


async def live(pair: Pair) -> None:
    """Let the athletes train, eat, check in and measure themselves; each leaves a session that they only began."""
    anna, ben, cem = pair.anna, pair.ben, pair.cem
    [program] = await anna.programs.list()
    for weeks_ago, week in ((2, 1), (1, 2)):
        monday = MONDAY - timedelta(days=7 * weeks_ago)
        await train(anna, monday, title=f"Day {week}", program_id=program.id, week_number=week, day_number=1)
        await train(ben, monday + timedelta(days=weeks_ago), zone=FAR)
    await train(ben, NOW.astimezone(FAR).date(), zone=FAR)
    await begin(anna, TODAY - timedelta(days=1))
    await begin(ben, MONDAY - timedelta(days=21), zone=FAR)
    await begin(cem, TODAY - timedelta(days=2), zone=FAR)
    for athlete, days_ago, kcal in ((anna, 3, 2300.0), (anna, 2, 3100.0), (anna, 9, 900.0), (ben, 0, 3000.0)):
        await eat(athlete, TODAY - timedelta(days=days_ago), kcal)
    for athlete, days_ago in ((anna, 8), (anna, 1), (ben, 9)):
        report = await athlete.checkins.draft(
            date=TODAY - timedelta(days=days_ago), weight=80.5, measurements={"waist": 82}, responses={"energy": 7}
        )
        await report.submit()
    await anna.checkins.draft(date=TODAY, responses={"energy": 1})
    measured = {"date": str(TODAY), "measured_at": at(TODAY, "07:00"), "weight_kg": 80.0}
    await anna.body_metrics.create(measured, measurements={"waist_cm": 81.0})


async def talk(pair: Pair) -> None:
    """Let the coach and Anna write to each other, and each take a message back."""
    for sender, text in ((pair.anna, "Knee hurts."), (pair.anna, "Again."), (pair.coach, "Rest a day.")):
        thread = sender.messages.thread(user(pair.anna)) if sender is pair.coach else sender.messages
        await thread.send(text)
        await (await thread.send("No, that was wrong.")).delete()


def user(replica: Replica) -> str:
    assert replica.user is not None
    return replica.user.id


async def test_a_device_says_how_clients_stand_as_the_server_does(pair: Pair) -> None:
    await fill(pair)
    for sort in ("name", "-status", "adherence", "-last_workout", "since", "next_check_in_due"):
        here, there = await pair.coach.clients.standing(sort=sort), await pair.coach.clients.list(sort=sort)
        assert here == there
    [anna, ben, cem] = await pair.coach.clients.standing()
    assert anna.adherence.workouts is not None and 0 < anna.adherence.workouts < 50
    assert (anna.check_ins_to_review, anna.tags) == (1, ["Prep", "Gym"])
    assert anna.adherence.nutrition is not None and anna.current_program_id is not None
    assert (ben.status, ben.average_session_minutes) == ("overdue", 70)
    assert ben.adherence.workouts is None and "low_adherence" not in ben.reasons, "they began to work together today"
    assert (cem.status, cem.last_workout, cem.average_session_minutes) == ("active", None, None)
    assert cem.current_program_id is None
    assert await pair.coach.clients.standing(tag="Prep") == [anna]
    assert await pair.coach.clients.standing(text="BE", status="overdue") == [ben]
    with pytest.raises(CoachNeeded):
        await pair.anna.clients.standing()


async def test_a_device_shows_a_client_as_the_server_does(pair: Pair, server: WholeServer) -> None:
    await fill(pair)
    coach = pair.coach
    insight = {"athlete_id": user(pair.anna), "title": "Go on", "type": "progression", "status": "draft"}
    private = f"private:{user(coach)}:{user(pair.anna)}"
    await write_as_system(server.settings, private, "insights", new_id(), insight)
    await coach.sync()
    [draft] = await coach.athlete(user(pair.anna)).insights.list(status="draft")
    await coach.athlete(user(pair.anna)).insights.approve(draft)
    await pair.sync()
    for athlete in (pair.anna, pair.ben, pair.cem):
        path = f"/api/clients/{user(athlete)}"
        shown = await coach.clients.dashboard(user(athlete))
        assert shown == msgspec.convert(await coach.request("GET", f"{path}/dashboard"), ClientDashboard)
        listed = await coach.clients.timeline(user(athlete))
        answer = await coach.request("GET", f"{path}/timeline?limit=50")
        assert listed == msgspec.convert(answer["entries"], list[TimelineEntry])
        assert await coach.clients.timeline(user(athlete), limit=2) == listed[:2]
    assert [entry.kind for entry in await coach.clients.timeline(user(pair.cem))] == ["linked"]
    cem = await coach.clients.dashboard(user(pair.cem))
    assert (cem.program, cem.workouts) == (None, [])
    anna = await coach.clients.dashboard(user(pair.anna))
    assert anna.messages == MessageCounts(from_athlete=2, from_coach=1, unread=2)
    assert anna.program is not None and (anna.program.name, anna.program.week_number) == ("Base", 3)
    assert {entry.kind for entry in await coach.clients.timeline(user(pair.anna))} == {
        "workout", "check_in", "metrics", "nutrition", "messages", "program", "insight", "linked",
    }  # fmt: skip
    named = {
        (entry.kind, entry.facts.get("title", entry.facts.get("name")))
        for entry in await coach.clients.timeline(user(pair.anna))
        if entry.kind in ("workout", "program", "insight")
    }
    assert named == {("workout", "Day 1"), ("workout", "Day 2"), ("program", "Base"), ("insight", "Go on")}
    assert [(each.title, each.sets, each.working_sets) for each in anna.workouts] == [("Day 2", 4, 3), ("Day 1", 4, 3)]
    meals = await coach.clients.timeline(user(pair.anna), kind="nutrition")
    asked = {entry.date: entry.facts["target_energy_kcal"] for entry in meals}
    assert asked[TODAY - timedelta(days=9)] == 2400 and asked[TODAY - timedelta(days=2)] != 2400
    with pytest.raises(NotGranted):
        await coach.clients.dashboard(user(coach))
