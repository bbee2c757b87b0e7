"""Lifts with body weight come to the same on the athlete's device, the coach's and the server; late weigh-ins, too."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from apex_client import Replica
from apex_client.client_dashboard import ClientDashboard
from apex_sync.coaching.analytics import ExerciseProgress, Volume
from tests.e2e.whole_server import PASSWORD, WholeServer

pytestmark = pytest.mark.anyio

TODAY = datetime.now(UTC).date()
MONDAY = TODAY - timedelta(days=TODAY.weekday())
WEEKS = 4


@pytest.fixture
async def coach(server: WholeServer, tmp_path: Path) -> AsyncIterator[Replica]:
    async with Replica.open(tmp_path / "coach.db", zone=UTC) as replica:
        await replica.register(server.address, server.new_email("coach"), PASSWORD, name="Carla", role="coach")
        yield replica


@pytest.fixture
async def athlete(server: WholeServer, coach: Replica, tmp_path: Path) -> AsyncIterator[Replica]:
    async with Replica.open(tmp_path / "athlete.db", zone=UTC) as replica:
        code = (await coach.clients.invite()).code
        await replica.register(server.address, server.new_email("anna"), PASSWORD, name="Anna", invite=code)
        yield replica


async def pull_up(athlete: Replica, weeks_ago: int) -> None:
    on = MONDAY - timedelta(weeks=weeks_ago)
    log = await athlete.workouts.start(start_time=f"{on}T10:00:00", date=str(on))
    await log.add_set("Weighted Pull-Up", reps=5, load=20, rpe=8)
    await log.add_set("Weighted Pull-Up", reps=10)
    await log.add_set("Assisted Dip", reps=8, load=30)
    await log.add_set("Barbell Row", reps=8, load=60)
    await log.finish(end_time=f"{on}T11:00:00")


async def seen_alike(coach: Replica, athlete: Replica) -> tuple[Volume, list[ExerciseProgress], ClientDashboard]:
    """Give the figures of the coach's device, once the athlete's device and the server have said the same."""
    for replica in (athlete, coach):
        await replica.sync()
    assert athlete.user is not None
    anna = athlete.user.id
    of_coach = coach.athlete(anna).analytics
    volume, lines = await of_coach.volume(weeks=WEEKS), await of_coach.progression(weeks=WEEKS)
    assert volume == await athlete.analytics.volume(weeks=WEEKS)
    assert lines == await athlete.analytics.progression(weeks=WEEKS)
    dashboard = await coach.clients.dashboard(anna)
    days = f"from={MONDAY - timedelta(weeks=WEEKS - 1)}&to={TODAY}"
    assert volume == msgspec.convert(await coach.request("GET", f"/api/analytics/volume/{anna}?{days}"), Volume)
    answer = await coach.request("GET", f"/api/analytics/progression?athlete_id={anna}&{days}")
    assert lines == msgspec.convert(answer["exercises"], list[ExerciseProgress])
    assert dashboard == msgspec.convert(await coach.request("GET", f"/api/clients/{anna}/dashboard"), ClientDashboard)
    return volume, lines, dashboard


async def test_devices_and_server_agree_before_and_after_a_late_weigh_in(coach: Replica, athlete: Replica) -> None:
    for weeks_ago in (2, 1):
        await pull_up(athlete, weeks_ago)
    await athlete.body_metrics.create(date=str(MONDAY - timedelta(weeks=1)), weight_kg=80.0)
    volume, lines, dashboard = await seen_alike(coach, athlete)
    first, second = MONDAY - timedelta(weeks=2), MONDAY - timedelta(weeks=1)
    told = {(each.week, each.name): (each.volume_load_kg, each.body_weight_reps) for each in volume.exercises}
    assert told == {
        (first, "Weighted Pull-Up"): (0, 15), (second, "Weighted Pull-Up"): (5 * 100 + 10 * 80, 0),
        (first, "Assisted Dip"): (0, 8), (second, "Assisted Dip"): (8 * 50, 0),
        (first, "Barbell Row"): (480, 0), (second, "Barbell Row"): (480, 0),
    }  # fmt: skip
    [pull_ups] = [line for line in lines if line.name == "Weighted Pull-Up"]
    assert [point.top_load_kg for point in pull_ups.points] == [20, 20]
    assert [point.e1rm_kg is None for point in pull_ups.points] == [True, False]
    assert [(each.volume_load_kg, each.body_weight_reps) for each in dashboard.workouts] == [(2180, 0), (480, 23)]

    await athlete.body_metrics.create(date=str(first - timedelta(days=2)), weight_kg=82.0)
    volume, lines, dashboard = await seen_alike(coach, athlete)
    assert not any(each.body_weight_reps for each in volume.exercises)
    told = {(each.week, each.name): (each.volume_load_kg, each.body_weight_reps) for each in volume.exercises}
    assert told[first, "Weighted Pull-Up"] == (5 * 102 + 10 * 82, 0)
    assert told[second, "Weighted Pull-Up"][0] > 1300, "the trend of the second week begins at the late reading"
    [pull_ups] = [line for line in lines if line.name == "Weighted Pull-Up"]
    assert all(point.e1rm_kg is not None and point.e1rm_kg > 100 for point in pull_ups.points)
