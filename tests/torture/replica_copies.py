"""Copies of a replica: cloned to two phones that both go on, or put back as it was; nothing that one holds is lost.

Real device processes log into the same records and sync at the same time. Where the identity file was not copied the
device sees it by itself; where it was, the server has to tell.
"""

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.client.fleet import assert_converged, assert_sound, settle
from tests.torture.replica_device import REPLICA
from tests.torture.replica_process import device_process, serve, told_in
from tests.torture.replica_scenarios import LIFE, World
from tests.torture.replica_survival import no_error_expected
from tests.torture.report import Outcome, Scale

RUNS = 100
CI_RUNS = 3
IDENTITY = f"{REPLICA}.identity"

Copying = Callable[[World, int], None]


def torture(scale: Scale) -> Iterator[Outcome]:
    """Copy a replica in every way, with many seeds."""
    for fault, copying in COPYINGS.items():
        with TemporaryDirectory(prefix="apex-copies-") as folder:
            yield copied_often(fault, copying, Path(folder), scale)


def copied_often(fault: str, copying: Copying, folder: Path, scale: Scale) -> Outcome:
    """Copy a replica in one way, once for each seed."""
    outcome = Outcome(part="device file", fault=fault)
    prepared = LIFE.prepared(folder / "prepared")
    for seed in range(RUNS if scale is Scale.FULL else CI_RUNS):
        with outcome.run(f"seed {seed}"), no_error_expected():
            copying(prepared.copied(folder / str(seed)), seed)
    return outcome


def clone(world: World, seed: int, *, with_identity: bool) -> None:
    """Go on with one file on two phones at once."""
    other = replace(world, folder=Path(shutil.copytree(world.folder, world.folder.with_name(f"{seed}-clone"))))
    if not with_identity:
        (other.folder / IDENTITY).unlink()
    live((world, 2 * seed), (other, 2 * seed + 1))
    assert_all_there([world, other], told_sets(world) | told_sets(other))


def put_back(world: World, seed: int, *, with_identity: bool) -> None:
    """Go on with a file, put back the one of before, and go on with that."""
    image = Path(shutil.copytree(world.folder, world.folder.with_name(f"{seed}-image")))
    live((world, 2 * seed))
    synced = told_sets(world, synced=True)
    if not with_identity:
        shutil.copy(world.folder / IDENTITY, image)
    shutil.rmtree(world.folder)
    image.rename(world.folder)
    live((world, 2 * seed + 1))
    assert_all_there([world], synced | told_sets(world))


def live(*devices: tuple[World, int]) -> None:
    """Let devices act at the same time, each with its seed."""
    with ExitStack() as processes:
        pipes = [processes.enter_context(device_process(LIFE, world, seed))[1] for world, seed in devices]
        serve(pipes, devices[0][0])
    for world, _ in devices:
        assert told_in(world)[-1] == ["closed"], told_in(world)


def told_sets(world: World, *, synced: bool = False) -> set[float]:
    """Give the sets that a device told of, or those of before its last sync."""
    told = told_in(world)
    if synced:
        told = told[: max((place for place, words in enumerate(told) if words == ["synced"]), default=0)]
    return {float(words[1]) for words in told if words[0] == "set"}


def assert_all_there(worlds: list[World], sets: set[float]) -> None:
    """Hold every device to the same content, with every set once, and what was unsent before there were copies."""
    phones = [world.phone(seed=10**6 + number) for number, world in enumerate(worlds)]
    try:
        for phone in phones:
            assert_sound(phone.local)
        settle(*phones)
        assert_converged(worlds[0].server, *phones)
        assert len({phone.client_id for phone in phones}) == len(phones), "two devices write as one"
        rows = phones[0].local.store.sql.execute("SELECT load_kg FROM logged_sets").fetchall()
        found = [load_kg for (load_kg,) in rows]
        assert len(found) == len(set(found)), "a set is there twice"
        wanted = sets | worlds[0].loads
        assert wanted <= set(found), f"lost: {wanted - set(found)}"
    finally:
        for phone in phones:
            phone.close()


COPYINGS: dict[str, Copying] = {
    "cloned to two phones": lambda world, seed: clone(world, seed, with_identity=False),
    "cloned to two phones with its identity": lambda world, seed: clone(world, seed, with_identity=True),
    "put back as it was": lambda world, seed: put_back(world, seed, with_identity=False),
    "put back as it was with its identity": lambda world, seed: put_back(world, seed, with_identity=True),
}
