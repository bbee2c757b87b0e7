"""How clients stand on a coach's device where the server has said little, or nothing at all."""

from datetime import timedelta

import pytest

from apex_client import Replica
from apex_client.errors import CoachNeeded
from tests.client.conftest import OpenReplica
from tests.client.loopback import LoopbackServer

pytestmark = pytest.mark.anyio

ANNA, COACH = "anna@example.com", "coach@example.com"


async def coach_of_anna(open_replica: OpenReplica, server: LoopbackServer) -> tuple[Replica, Replica]:
    athlete: Replica = await open_replica("athlete", ANNA)
    coach: Replica = await open_replica("coach", COACH, role="coach")
    server.link(server.accounts[COACH], server.accounts[ANNA])
    return coach, athlete


async def test_a_check_in_is_due_a_week_after_they_began_to_work_together(
    open_replica: OpenReplica, server: LoopbackServer
) -> None:
    coach, _ = await coach_of_anna(open_replica, server)
    await coach.sync()
    [anna] = await coach.clients.standing()
    assert anna.next_check_in_due == anna.since.date() + timedelta(days=7)
    assert (anna.name, anna.status) == ("anna", "active")


async def test_where_no_server_says_since_when_the_first_log_does(
    open_replica: OpenReplica, server: LoopbackServer
) -> None:
    coach, athlete = await coach_of_anna(open_replica, server)
    long_ago = coach.analytics._today() - timedelta(days=40)
    await athlete.workouts.start(title="Begun", start_time=f"{long_ago - timedelta(days=20)}T10:00:00+00:00")
    log = await athlete.workouts.start(start_time=f"{long_ago}T10:00:00+00:00")
    await log.add_set("Squat", reps=5, load=100)
    await athlete.sync()
    server.linked_at_us.clear()
    await coach.sync()
    [anna] = await coach.clients.standing()
    assert anna.since.date() == long_ago
    assert (anna.status, anna.reasons) == ("inactive", ["silent", "check_in_overdue"])


async def test_nobody_but_a_coach_has_clients(open_replica: OpenReplica) -> None:
    with pytest.raises(CoachNeeded):
        await (await open_replica()).clients.standing()
