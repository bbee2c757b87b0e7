"""Devices that edit and sync as they please end with one content, and no edit is lost on the way."""

import random
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apex_client import boxes
from apex_sync.fold import fold
from tests.client.fleet import Clock, Phone, assert_converged, settle
from tests.client.loopback import LoopbackServer
from tests.client.loopback_transport import Faults

FIELDS = ("title", "notes", "fatigue", "pump", "mood", "sets", "exercises", "deleted")
RECORDS = [f"00000000-0000-7000-8000-00000000000{number}" for number in range(3)]


def leaves(patch: dict[str, Any], path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], Any]]:
    found = []
    for key, value in patch.items():
        found += leaves(value, (*path, key)) if isinstance(value, dict) else [((*path, key), value)]
    return found


def random_patch(dice: random.Random) -> dict[str, Any]:
    field = dice.choice(FIELDS)
    value = dice.randrange(1, 11)
    match field:
        case "title" | "notes":
            return {field: f"{field} {value}"}
        case "sets":
            key = dice.choice("abc")
            return {
                "sets": {
                    key: dice.choice(({"reps": value}, {"load_kg": value * 2.5, "exercise": "e"}, {"deleted": True}))
                }
            }
        case "exercises":
            return {"exercises": {dice.choice("ef"): {"name": f"exercise {value}", "order": dice.choice("abc")}}}
        case "deleted":
            return {"deleted": dice.random() < 0.3}
    return {field: value}


class Written:
    """Everything that was ever saved, in its order, to be found again."""

    def __init__(self, *, refusals: bool = False) -> None:
        self.refusals = refusals
        self.leaves: list[tuple[str, tuple[str, ...], str]] = []

    def edit(self, phone: Phone, record_id: str, patch: dict[str, Any]) -> None:
        phone.create(patch, record_id=record_id)
        self.leaves += [(record_id, path, repr(value)) for path, value in leaves(patch)]

    def assert_kept(self, server: LoopbackServer, scope: str, *phones: Phone) -> None:
        """Look for every leaf on the server, or in somebody's rejected box."""
        found = set()
        for phone in phones:
            for item in boxes.rejected(phone.local, limit=1000):
                for patch in item.patches:
                    found |= {(item.record_id, path, repr(value)) for path, value in leaves(patch)}
        for record_id in {written[0] for written in self.leaves}:
            for write in server.replay(scope, record_id).writes():
                found |= {(record_id, path, repr(value)) for path, value in leaves(write.patch)}
        missing = [written for written in self.leaves if written not in found]
        assert [written for written in missing if not (self.refusals and self._overwritten(written))] == []

    def _overwritten(self, written: tuple[str, tuple[str, ...], str]) -> bool:
        """A leaf refused for its stamp is not written again where it has been overwritten since."""
        last = max(place for place, other in enumerate(self.leaves) if other == written)
        return any(other[:2] == written[:2] for other in self.leaves[last + 1 :])


@pytest.mark.parametrize("devices", [2, 3])
@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 2**32), steps=st.integers(5, 40), chance=st.sampled_from([0.0, 0.2, 0.5]))
def test_edits_and_faults_in_any_order_converge(devices: int, seed: int, steps: int, chance: float) -> None:
    dice = random.Random(seed)
    clock = Clock()
    server = LoopbackServer(clock, page_records=dice.choice([1, 2, 1000]))
    account = server.add_user("anna@example.com")
    written = Written()
    with tempfile.TemporaryDirectory() as folder:
        phones = [
            Phone(
                Path(folder) / f"{number}.db",
                server,
                account,
                seed=seed + number,
                faults=Faults(random.Random(seed + number), lose_request=chance, lose_answer=chance, duplicate=chance),
            )
            for number in range(devices)
        ]
        for _ in range(steps):
            phone = dice.choice(phones)
            action = dice.random()
            if action < 0.6:
                written.edit(phone, dice.choice(RECORDS), random_patch(dice))
            elif action < 0.95:
                phone.try_sync()
            else:
                phone.reopen()
        settle(*phones)
        assert_converged(server, *phones)
        written.assert_kept(server, phones[0].scope)
        assert all(request.client_id in {phone.client_id for phone in phones} for request in server.requests)
        for phone in phones:
            phone.close()


def test_a_third_device_that_comes_late_reads_the_same(tmp_path: Path) -> None:
    server = LoopbackServer(Clock())
    account = server.add_user("anna@example.com")
    one, two = (Phone(tmp_path / f"{n}.db", server, account, seed=n) for n in range(2))
    for record_id in RECORDS:
        one.create({"title": "one"}, record_id=record_id)
        two.create({"notes": "two"}, record_id=record_id)
    settle(one, two)
    late = Phone(tmp_path / "late.db", server, account, seed=9)
    late.sync()
    assert_converged(server, one, two, late)
    assert late.state(RECORDS[0]) == {"title": "one", "notes": "two"}


def test_500_records_edited_on_both_sides_lose_nothing_and_conflict_where_both_wrote_one_leaf(tmp_path: Path) -> None:
    server = LoopbackServer(Clock())
    account = server.add_user("anna@example.com")
    phone, watch = (Phone(tmp_path / f"{n}.db", server, account, seed=n) for n in range(2))
    ids = [phone.create({"title": f"session {n}", "fatigue": 1, "mood": 1}) for n in range(500)]
    settle(phone, watch)
    cut = Faults(random.Random(5), lose_request=0.3, lose_answer=0.3)
    phone.transport.faults = watch.transport.faults = cut
    both = set(ids[::5])
    for number, record_id in enumerate(ids):
        phone.edit(record_id, {"fatigue": 3, "sets": {"p": {"reps": number % 30}}})
        watch.edit(record_id, {"mood": 4, "sets": {"w": {"reps": number % 20}}})
        if record_id in both:
            watch.edit(record_id, {"fatigue": 5})
    for _ in range(10):
        phone.try_sync()
        watch.try_sync()
    settle(watch, phone)
    assert_converged(server, phone, watch)
    for number, record_id in enumerate(ids):
        state = phone.state(record_id)
        assert state["mood"] == 4 and state["sets"] == {"p": {"reps": number % 30}, "w": {"reps": number % 20}}
        assert state["fatigue"] == (5 if record_id in both else 3)
    for device in (phone, watch):
        listed = device.local.store.sql.execute("SELECT record_id, path FROM conflicts").fetchall()
        assert sorted(listed) == sorted((record_id, "fatigue") for record_id in both)
        assert {row[0] for row in device.local.store.sql.execute("SELECT record_id FROM conflicts")} == both


def test_equal_values_written_on_both_sides_are_no_conflict(tmp_path: Path) -> None:
    server = LoopbackServer(Clock())
    account = server.add_user("anna@example.com")
    one, two = (Phone(tmp_path / f"{n}.db", server, account, seed=n) for n in range(2))
    for phone in (one, two):
        phone.create({"fatigue": 7}, record_id=RECORDS[0])
    settle(one, two)
    assert_converged(server, one, two)
    assert fold(server.replay(one.scope, RECORDS[0]).writes()).conflicts == []
