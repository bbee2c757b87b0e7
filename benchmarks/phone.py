"""The device of a bulk push, in a process of its own, so that its memory is that of a device and nothing else.

`python -m benchmarks.phone REPLICA < records.ndjson` saves the records as they are read, a few hundred in a
transaction, pushes them with the sign-in that the replica holds, and prints what it took as JSON.
"""

import asyncio
import sys
import time
from itertools import islice
from pathlib import Path

import msgspec

from apex_client import Replica
from benchmarks.devices import CHUNK_RECORDS, save_all
from benchmarks.workload import LoggedRecord, to_lines

IDLE_SYNCS = 30


class Pushed(msgspec.Struct):
    """What a bulk push took on the device; `peak_mb` is the most the process ever held, saving the records included."""

    acknowledged: int
    bytes_up: int
    seconds: float
    peak_mb: float
    idle_seconds: float
    idle_bytes: int


async def push_in_own_process(replica: Path, records: list[LoggedRecord]) -> Pushed:
    """Save and push records from the replica in that file, which somebody is signed in to and nobody has open."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "benchmarks.phone", str(replica)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    printed, _ = await process.communicate(to_lines(records))
    return msgspec.json.decode(printed, type=Pushed)


async def main(path: Path) -> None:
    """Be the device."""
    async with Replica.open(path, device_name="phone") as phone:
        await phone.sync()
        lines = map(msgspec.json.Decoder(LoggedRecord).decode, sys.stdin.buffer)
        while chunk := list(islice(lines, CHUNK_RECORDS)):
            await save_all(phone, chunk)
        started = time.perf_counter()
        report = await phone.sync()
        seconds = time.perf_counter() - started
        peak_mb = peak_memory_mb()
        idle = sorted([await idle_sync(phone) for _ in range(IDLE_SYNCS)])[IDLE_SYNCS // 2]
    print(msgspec.json.encode(Pushed(report.acknowledged, report.bytes_up, seconds, peak_mb, *idle)).decode())


async def idle_sync(replica: Replica) -> tuple[float, int]:
    """Give the time and the bytes of a sync that has nothing to do."""
    started = time.perf_counter()
    report = await replica.sync()
    return time.perf_counter() - started, report.bytes_up + report.bytes_down


def peak_memory_mb() -> float:
    """Give the most memory this process ever held; `ru_maxrss` would count its parent's, from before the exec."""
    status = Path("/proc/self/status").read_text("ascii")
    [kilobytes] = (line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(kilobytes) * 1024 / 1e6


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
