"""A small fleet lives through twenty bad seconds; and the judge of fleets sees each thing that could be wrong."""

from copy import deepcopy
from pathlib import Path

import pytest

from apex_sync.document import Document
from apex_sync.op import Write, encode_op
from tests.torture.fleet import torture
from tests.torture.fleet_device import Saved, read_journal
from tests.torture.fleet_faults import WEIGHTS, draw_faults
from tests.torture.fleet_judge import Holding, judge
from tests.torture.report import Scale

SCOPE = "athlete:11111111-1111-7111-8111-111111111111"
RECORD = "22222222-2222-7222-8222-222222222222"
PHONE, WATCH = 1, 2


@pytest.mark.slow
def test_a_fleet_under_faults_loses_nothing_and_comes_to_rest() -> None:
    (outcome,) = torture(Scale.CI)
    print(outcome.fault)
    assert (outcome.runs, outcome.failures) == (1, [])


class Story:
    """A phone and a watch that have each saved one edit of one record and synced."""

    def __init__(self) -> None:
        self.document = Document()
        self.write(PHONE, 10, "~phone.1.1")
        self.write(WATCH, 20, "~watch.1.1")
        self.holdings = {name: Holding(self.scopes(), pending=0, rejected=[]) for name in ("phone", "watch")}
        self.journals = {
            "phone": [Saved("~phone.1.1", SCOPE, RECORD, PHONE, 10)],
            "watch": [Saved("~watch.1.1", SCOPE, RECORD, WATCH, 20)],
        }
        self.astray: set[str] = set()

    def write(self, client_id: int, hlc: int, token: str) -> None:
        self.document.append(client_id, encode_op([Write(hlc, [], {"sets": {"k": {"notes": token}}})]))

    def scopes(self) -> dict[str, dict[str, Document]]:
        return {SCOPE: {RECORD: deepcopy(self.document)}}

    def verdict(self) -> list[str]:
        readers = {SCOPE: set(self.holdings)}
        return list(judge(self.scopes(), self.holdings, self.journals, readers=readers, astray=self.astray))


def test_a_fleet_at_rest_is_acquitted() -> None:
    assert Story().verdict() == []


def test_an_edit_that_is_nowhere_is_lost() -> None:
    story = Story()
    story.journals["phone"].append(Saved("~phone.1.2", SCOPE, RECORD, PHONE, 11))
    assert story.verdict() == [f"lost: ~phone.1.2 on {where}" for where in ("the server", "phone", "watch")]


def test_an_edit_that_only_the_server_has_is_lost_where_it_is_not_and_diverged() -> None:
    story = Story()
    story.write(PHONE, 11, "~phone.1.2")
    story.journals["phone"].append(Saved("~phone.1.2", SCOPE, RECORD, PHONE, 11))
    assert [fault.split(":")[0] for fault in story.verdict()] == ["diverged", "diverged", "lost", "lost"]


def test_an_edit_under_two_client_ids_is_doubled() -> None:
    story = Story()
    story.write(3, 10, "~phone.1.1")
    assert "doubled: ~phone.1.1 on the server" in story.verdict()


def test_an_edit_whose_stamp_has_changed_has_moved_unless_the_clock_was_wrong() -> None:
    story = Story()
    story.journals["phone"] = [Saved("~phone.1.1", SCOPE, RECORD, PHONE, 9)]
    assert "moved: ~phone.1.1 on the server" in story.verdict()
    story.astray = {"phone"}
    assert story.verdict() == []


def test_what_waits_or_was_refused_is_told() -> None:
    story = Story()
    story.holdings["phone"].pending = 2
    story.holdings["watch"].rejected = ["forbidden notes"]
    assert story.verdict() == ["stuck: phone has 2 pending", "rejected: watch: forbidden notes"]


def test_a_last_line_that_a_kill_cut_off_promises_nothing(tmp_path: Path) -> None:
    journal = tmp_path / "phone.journal"
    whole = b'{"token":"~a","scope":"s","record_id":"r","client_id":1,"hlc":2}\n'
    journal.write_bytes(whole + whole[:20])
    assert read_journal(journal) == [Saved("~a", "s", "r", 1, 2)]


def test_the_faults_of_a_run_come_from_its_seed_and_every_kind_comes_up() -> None:
    drawn = {seed: list(draw_faults(seed, seconds=60, devices=10)) for seed in range(20)}
    assert drawn[7] == list(draw_faults(7, seconds=60, devices=10)) != drawn[8]
    assert {fault.kind for faults in drawn.values() for fault in faults} == set(WEIGHTS)
    assert all(fault.at_seconds + fault.lasts_seconds <= 60 for faults in drawn.values() for fault in faults)
