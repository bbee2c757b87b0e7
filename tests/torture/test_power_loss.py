"""A device whose power is cut keeps what it reported as saved; every moment with `make torture PARTS=power_loss`."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from tests.torture.power_loss import cut_everywhere
from tests.torture.replica_disk import Call, Disk
from tests.torture.replica_planted import leave_saves_to_the_cache, leave_seals_to_the_cache
from tests.torture.replica_scenarios import SAVE, SCENARIOS, Scenario
from tests.torture.report import Scale

IMAGES = 200


@pytest.mark.needs_strace
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_a_device_whose_power_is_cut_keeps_what_it_reported_as_saved(scenario: Scenario, tmp_path: Path) -> None:
    outcome = cut_everywhere(scenario, tmp_path, Scale.CI)
    assert outcome.runs
    assert outcome.failures == []


@pytest.mark.needs_strace
@pytest.mark.parametrize(
    ("plant", "symptom"),
    [(leave_saves_to_the_cache, "workout Session"), (leave_seals_to_the_cache, "the replica has become a stranger")],
)
def test_what_is_left_to_the_cache_is_found(plant: Callable[[], None], symptom: str, tmp_path: Path) -> None:
    outcome = cut_everywhere(replace(SAVE, plant=plant), tmp_path, Scale.CI)
    assert any(symptom in failure for failure in outcome.failures)


def test_a_disk_keeps_what_was_synced_and_any_part_of_the_rest(tmp_path: Path) -> None:
    disk = Disk(tmp_path)
    disk.take(Call("openat", "a", flags="O_CREAT"))
    disk.take(Call("pwrite64", "a", b"synced"))
    disk.take(Call("fsync", "a"))
    disk.take(Call("fsync", "."))
    disk.take(Call("pwrite64", "a", b"later", 6))
    disk.take(Call("pwrite64", "a", b"!", 11))
    left = {disk.image(Random(seed))["a"] for seed in range(IMAGES)}
    assert all(content.startswith(b"synced") for content in left)
    assert {b"synced", b"syncedlater", b"syncedlater!", b"synced\0\0\0\0\0!"} <= left


def test_a_disk_may_have_either_name_of_a_file_until_the_folder_is_synced(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"old")
    disk = Disk(tmp_path)
    disk.take(Call("openat", "a-new", flags="O_CREAT"))
    disk.take(Call("write", "a-new", b"new"))
    disk.take(Call("fsync", "a-new"))
    disk.take(Call("rename", "a-new", to="a"))
    assert {disk.image(Random(seed))["a"] for seed in range(IMAGES)} == {b"old", b"new"}
    disk.take(Call("fsync", "."))
    assert {tuple(disk.image(Random(seed)).items()) for seed in range(IMAGES)} == {(("a", b"new"),)}
