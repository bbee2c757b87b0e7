"""Power cuts at every file syscall of a device: what was reported as saved is there, and the rest comes back by a sync.

A run of a scenario is recorded once with every byte it writes. For each moment of it the disks that a power cut might
have left are rebuilt (see `replica_disk`); each is opened by the real SDK and synced with the server as it was then.
"""

import copy
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import NamedTuple

from apex_sync.protocol import SyncRequest
from tests.torture.replica_disk import Call, Disk, calls
from tests.torture.replica_process import Ended, recorded, strace_is_here
from tests.torture.replica_scenarios import SCENARIOS, Scenario, World
from tests.torture.replica_survival import assert_survived
from tests.torture.report import Outcome, Scale

IMAGES_PER_CUT = 24
CI_IMAGES = 30
"""In CI so many images of a scenario, from moments all over it."""


class Image(NamedTuple):
    """A disk after a cut, with what the device had told, and how many requests had reached the server, by then."""

    name: str
    files: dict[str, bytes]
    told: list[list[str]]
    requests: int


def torture(scale: Scale) -> Iterator[Outcome]:
    """Cut the power at every moment of every scenario, or in CI at some."""
    for scenario in SCENARIOS if strace_is_here() else ():
        with TemporaryDirectory(prefix="apex-power-loss-") as folder:
            yield cut_everywhere(scenario, Path(folder), scale)


def cut_everywhere(scenario: Scenario, folder: Path, scale: Scale) -> Outcome:
    """Look at what the cuts of one scenario leave."""
    outcome = Outcome(part="device file", fault=f"power cut: {scenario.name}")
    prepared = scenario.prepared(folder / "prepared")
    world = prepared.copied(folder / "recorded")
    happened = list(calls(recorded(scenario, world).log, world.folder))
    for image in images(prepared.folder, happened, scale):
        with outcome.run(image.name), TemporaryDirectory(dir=folder) as left:
            assert_survived(scenario, after_cut(prepared, image, world.server.requests, left), Ended(image.told, []))
    return outcome


def images(folder: Path, happened: Sequence[Call], scale: Scale) -> Iterator[Image]:
    """Give disks that cuts may leave of a folder, no two alike."""
    dice, disk, seen = Random(len(happened)), Disk(folder), set()
    every = 1 if scale is Scale.FULL else max(1, len(happened) // CI_IMAGES)
    for moment, call in enumerate(happened):
        disk.take(call)
        if moment % every:
            continue
        for number in range(IMAGES_PER_CUT if scale is Scale.FULL else 1):
            image = Image(f"{moment}.{number}", disk.image(dice), list(disk.told), _requests(disk, dice))
            alike = hash((len(image.told), image.requests, *image.files.items()))
            if alike not in seen:
                seen.add(alike)
                yield image


def after_cut(prepared: World, image: Image, requests: Sequence[SyncRequest], folder: str) -> World:
    """Give the world that a cut leaves: its disk, and the server as far as requests had come."""
    server = copy.deepcopy(prepared.server)
    for request in requests[: image.requests]:
        server.sync(prepared.account.id, request)
    for name, content in image.files.items():
        (Path(folder) / name).write_bytes(content)
    return replace(prepared, folder=Path(folder), server=server)


def _requests(disk: Disk, dice: Random) -> int:
    """Tell how many requests the server has; of one that is on its way, nobody knows."""
    sent = disk.told.count(["sending"])
    unknown = disk.quiet and disk.told[-1:] == [["sending"]]
    return sent - (unknown and dice.random() < 0.5)
