"""The blocking SDK is the async one without its awaits, and works without an event loop."""

import sys
from pathlib import Path

import pytest

from apex_client import Credentials
from apex_client.blocking import Replica
from tests.client.loopback import LoopbackServer
from tests.client.loopback_transport import BlockingLoopbackTransport

sys.path.insert(0, str(Path(__file__).parents[2] / "client_sdk"))
from generate_blocking import GENERATED, SDK, blocking_source


@pytest.mark.parametrize("name", GENERATED)
def test_the_blocking_module_is_made_from_its_async_source(name: str) -> None:
    """Run `python client_sdk/generate_blocking.py` after changing a source."""
    assert (SDK / "blocking" / f"{name}.py").read_text("utf-8") == blocking_source(name)


def test_a_session_is_logged_and_synced_without_an_event_loop(tmp_path: Path) -> None:
    server = LoopbackServer(lambda: 1_772_388_300_000_000)
    server.add_user("anna@example.com")
    with Replica.open(
        tmp_path / "athlete.db",
        server="https://coach.example",
        credentials=Credentials("anna@example.com", "secret"),
        transport=BlockingLoopbackTransport(server),
        now_us=server.now_us,
    ) as replica:
        feed = replica.changes("workout_logs")
        log = replica.workouts.start(title="Push")
        log.add_set("Bench Press", reps=8, load=225, unit="lb", rpe=8)
        log.finish()
        assert replica.sync().acknowledged == 1
        assert [row["reps"] for row in replica.query("SELECT reps FROM logged_sets")] == [8]
        change = feed.get(1.0)
        assert change is not None and change.record_id == log.id
        assert feed.get(0.0) is None
