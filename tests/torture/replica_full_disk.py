"""A disk of 1 MB that fills up under a device: the error is `DiskFull`, everything told is there, and it can be read.

The disk is a file system of its own (tmpfs), filled by what the device logs and by a ballast, whose size decides at
which write the room ends. Then everything an athlete may want is tried on the full disk, on the replica that is open
and on one that is opened there; at last the ballast goes, and the device works on.
"""

import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC
from itertools import count, islice
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import pytest

from apex_client.blocking import Replica
from apex_client.errors import DiskFull
from tests.client.apex_command import Terminal
from tests.client.loopback_transport import BlockingLoopbackTransport
from tests.torture.replica_process import Ended
from tests.torture.replica_scenarios import SIGNED_IN, World
from tests.torture.replica_survival import assert_survived, no_error_expected
from tests.torture.report import Outcome, Scale

DISK_BYTES = 1024 * 1024
BALLASTS_BYTES = range(100_000, 640_000, 12_000)
"""Each ends the room at another page of another save."""

NO_ROOM_AT_ALL_BYTES = DISK_BYTES
"""A ballast beside which not even what an open file needs can be made."""
CI_BALLASTS = 4


def torture(scale: Scale) -> Iterator[Outcome]:
    """Fill the disk at every page, or in CI at some."""
    ballasts = BALLASTS_BYTES[:: 1 if scale is Scale.FULL else len(BALLASTS_BYTES) // CI_BALLASTS]
    with TemporaryDirectory(prefix="apex-full-disk-") as folder:
        if may_mount(Path(folder)):
            yield filled_everywhere(Path(folder), ballasts)


def may_mount(folder: Path) -> bool:
    """Tell whether this machine lets us have a small file system."""
    try:
        with small_disk(folder):
            return True
    except subprocess.CalledProcessError as error:
        print(f"left out, no file system may be mounted here: {error.stderr.strip()}", file=sys.stderr)
        return False


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """Give an empty file system of 1 MB for the block."""
    disk = folder / "disk"
    disk.mkdir(exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(disk)]
    subprocess.run(mount, check=True, capture_output=True, text=True)
    try:
        yield disk
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


def filled_everywhere(folder: Path, ballasts: range) -> Outcome:
    """Fill the disk once for each ballast."""
    outcome = Outcome(part="device file", fault="disk full")
    prepared = SIGNED_IN.prepared(folder / "prepared")
    for ballast in ballasts:
        with outcome.run(f"ballast of {ballast} bytes"), no_error_expected(), small_disk(folder) as disk:
            (disk / "ballast").write_bytes(bytes(ballast))
            fill(prepared.copied(disk / "device"), disk / "ballast", elsewhere=folder / "export.json")
    return outcome


def open_without_room(folder: Path) -> None:
    """Open a device on a disk that is full already, and again once there is room."""
    prepared = SIGNED_IN.prepared(folder / "prepared")
    with small_disk(folder) as disk:
        world, ballast = prepared.copied(disk / "device"), disk / "ballast"
        with suppress(OSError):
            ballast.write_bytes(bytes(NO_ROOM_AT_ALL_BYTES))
        with pytest.raises(DiskFull, match="make room"), opened(world):
            pass
        ballast.unlink()
        with opened(world) as replica:
            look_around(replica, [])


def fill(world: World, ballast: Path, *, elsewhere: Path) -> None:
    """Log until there is no room, see what still goes, make room, and see that all goes again."""
    told: list[list[str]] = []
    loads_kg = (100 + number / 4 for number in count())
    with opened(world) as replica:
        assert room_ends(replica, loads_kg, told), "the disk does not fill"
        look_around(replica, told)
        with suppress(DiskFull):
            replica.sync()
    Terminal(world.folder, world.path.stem)("export", "-o", elsewhere).ok()
    with opened(world) as replica:
        look_around(replica, told)
        ballast.unlink()
        assert not room_ends(replica, islice(loads_kg, 1), told), "there is room again"
        replica.sync()
    assert_survived(SIGNED_IN, world, Ended(told, []))


def opened(world: World) -> Replica:
    """Open the replica of a world."""
    return Replica.open(
        world.path,
        transport=BlockingLoopbackTransport(world.server),
        now_us=world.server.now_us,
        entropy=Random(world.server.now_us()).randbytes,
        zone=UTC,
    )


def room_ends(replica: Replica, loads_kg: Iterable[float], told: list[list[str]]) -> bool:
    """Log a workout for each load; tell whether the disk was full before the last."""
    for load_kg in loads_kg:
        try:
            log = replica.workouts.start(title=f"Session {load_kg}")
            told.append(["workout", f"Session {load_kg}"])
            log.add_set("Bench Press", reps=5, load=load_kg)
            told.append(["set", f"{load_kg}"])
        except DiskFull:
            return True
    return False


def look_around(replica: Replica, told: list[list[str]]) -> None:
    """Read what was told, in every way an app reads."""
    sets = {float(words[1]) for words in told if words[0] == "set"}
    assert sets == {logged.load_kg for log in replica.workouts.list(limit=1000) for logged in log.sets}
    assert sets == {row["load_kg"] for row in replica.query("SELECT load_kg FROM logged_sets")}
    status = replica.status()
    assert status.pending + status.synced >= len(sets)
    replica.search("Bench")
