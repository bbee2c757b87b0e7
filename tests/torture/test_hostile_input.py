"""A hundred thousand mutations of the corpus in a process of their own (about 5 s), and that a bug would be seen."""

from collections.abc import Callable
from mmap import mmap

import pytest

from apex_sync.testing.hostile import Mutation
from tests.torture import hostile_process
from tests.torture.hostile_input import complaints, torture
from tests.torture.hostile_process import WARM_UP, Cost, cost_of, honest_ms, read_timed
from tests.torture.hostile_reading import CORPUS, read_document, verify_document
from tests.torture.report import Scale

MEGABYTE = 1024 * 1024


def test_no_hostile_input_kills_a_process_or_costs_it_much() -> None:
    for outcome in torture(Scale.CI):
        assert outcome.runs >= 100_000 + sum(map(len, CORPUS.values()))
        assert outcome.failures == []


def only(monkeypatch: pytest.MonkeyPatch, reader: Callable[[bytes], bool]) -> None:
    monkeypatch.setattr(hostile_process, "READERS", {"update": (reader,)})


def test_a_reader_that_is_slow_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(_data: bytes) -> bool:
        return not sum(range(1_000_000))

    only(monkeypatch, slow)
    cost = Cost(honest_ms=honest_ms())
    read_timed(cost, Mutation("update", "zeros", b""))
    assert ["zeros, by slow" in complaint for complaint in complaints(cost)] == [True]


def test_a_reader_that_keeps_what_it_reads_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[mmap] = []

    def hoard(_data: bytes) -> bool:
        # Pages of its own: what earlier tests have let go of is memory that this process has already.
        kept.append(mmap(-1, MEGABYTE))
        kept[-1].write(b"x" * MEGABYTE)
        return False

    only(monkeypatch, hoard)
    monkeypatch.setattr(hostile_process, "inputs", lambda count, _: [Mutation("update", "", b"")] * (30 + count))
    assert any("memory" in complaint for complaint in complaints(cost_of(0, 1)))


def test_a_reader_that_raises_what_it_should_not_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_data: bytes) -> bool:
        raise RecursionError

    only(monkeypatch, broken)
    monkeypatch.setattr(hostile_process, "inputs", lambda *_: [Mutation("update", "zeros", b"")])
    monkeypatch.setattr(hostile_process, "read", lambda *_: False)
    assert ["RecursionError" in wrong for wrong in cost_of(0, 1).wrong] == [True]


def test_the_mutations_are_the_same_each_time_and_some_of_them_are_taken() -> None:
    one, other = (list(hostile_process.inputs(WARM_UP, 7)) for _ in range(2))
    assert one == other
    taken = [each.data for each in one if each.kind == "update" and read_document(each.data)]
    assert len(taken) > 20
    for data in taken:
        verify_document(data)
