"""An honest athlete beside one who pushes what costs the most, as fast as they can.

    python -m tests.torture abuser

The abuser's pushes are well formed, permitted and as dear as the bounds allow: 48 ops of 1,024 writes, a third of a
second of judging each (docs/decisions/cost_of_hostile_input.md), from six connections that heed no refusal. There is
one web process. The honest athlete saves a workout every tenth of a second. Three times it is measured how long that
takes: alone, beside the abuser with no limits, and beside the abuser with limits once their CPU budget is used up. What
is asserted are ratios.
"""

import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import NamedTuple
from uuid import UUID

import httpx
from anyio.from_thread import start_blocking_portal

from apex_server.settings import Settings
from apex_sync.op import Write, encode_op
from apex_sync.protocol import PROTOCOL_VERSION, PushedRecord, SyncRequest
from apex_sync.protocol.messages import encode_message
from apex_sync.wire import encode_push
from tests.e2e.raw_device import MEDIA_TYPE, RawDevice, new_record_id, now_us
from tests.e2e.whole_server import PASSWORD, SECRET, WholeServer, running_server
from tests.torture.report import Outcome, Scale

OPS, WRITES = 48, 1024
CONNECTIONS = 6
REFUSED_PAUSE_SECONDS = 0.05
"""Of a connection that was refused: twenty attempts a second, with no regard for what it was told."""
SAVE_SECONDS = 0.1
LIMITED, UNLIMITED = 0.25, 1e6
"""Factors; the first leaves five seconds of CPU time, soon used up, and requests for the honest one's saves."""
MEASURED_SECONDS = {Scale.CI: 6.0, Scale.FULL: 20.0}
SLOWER_MAX = 4.0
"""How much longer a save may take at the 95th percentile beside an abuser who has used up their budget."""


class Pace(NamedTuple):
    """How long saves took, in milliseconds."""

    p50: float
    p95: float


def torture(scale: Scale) -> Iterator[Outcome]:
    """Measure an honest athlete alone and beside the abuser."""
    seconds = MEASURED_SECONDS[scale]
    told = Outcome(part="abuser", fault="pushes at every cap, from six connections")
    with single_server(UNLIMITED) as server:
        alone = honest_pace(server, seconds)
        with abuser(server):
            unlimited = honest_pace(server, seconds)
    with single_server(LIMITED) as server, abuser(server) as spent:
        spent.wait(120)
        limited = honest_pace(server, seconds)
    for name, pace in (("alone", alone), ("no limits", unlimited), ("limits", limited)):
        print(f"  {name:<10} p50 {pace.p50:7.1f} ms   p95 {pace.p95:7.1f} ms", file=sys.stderr, flush=True)
    with told.run("the wall is needed"):
        assert unlimited.p95 > SLOWER_MAX * alone.p95, f"{unlimited.p95:.0f} ms beside the abuser without limits"
    with told.run("others hardly notice"):
        assert limited.p95 <= SLOWER_MAX * alone.p95, f"p95 {limited.p95:.0f} ms, alone {alone.p95:.0f} ms"
    yield told


def honest_pace(server: WholeServer, seconds: float) -> Pace:
    """Save a workout again and again, and see how long it takes until it is durable."""
    device = new_device(server, "honest")
    scope = f"athlete:{device.signed_in['user']['id']}"
    took: list[float] = []
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        patch = {"title": "Push", "sets": {"a": {"order": "a0", "reps": 8, "load_kg": 100.0}}}
        op = encode_op([Write(now_us(), [], patch)])
        record = PushedRecord(
            scope, "workout_logs", UUID(new_record_id()).bytes, encode_push(device.client_id, 0, [op])
        )
        began = time.perf_counter()
        device.push(record)
        took.append((time.perf_counter() - began) * 1000)
        time.sleep(SAVE_SECONDS)
    took.sort()
    return Pace(took[len(took) // 2], took[len(took) * 95 // 100])


@contextmanager
def abuser(server: WholeServer) -> Iterator[Event]:
    """Let somebody push what costs the most for the block; the event tells of their first refusal."""
    device = new_device(server, "abuser")
    scope = f"athlete:{device.signed_in['user']['id']}"
    update = dearest_update(device.client_id)
    stopped, refused = Event(), Event()

    def hammer() -> None:
        headers = {**device.http.headers, "Content-Type": MEDIA_TYPE}
        with httpx.Client(base_url=server.address, timeout=120.0, headers=headers) as http:
            while not stopped.is_set():
                record = PushedRecord(scope, "workout_logs", UUID(new_record_id()).bytes, update)
                message = encode_message(SyncRequest(PROTOCOL_VERSION, device.client_id, now_us(), push=[record]))
                if http.post("/api/sync", content=message).status_code == 429:
                    refused.set()
                    time.sleep(REFUSED_PAUSE_SECONDS)

    threads = [Thread(target=hammer) for _ in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    try:
        yield refused
    finally:
        stopped.set()
        for thread in threads:
            thread.join()


def dearest_update(client_id: int) -> bytes:
    """Write the update that takes the longest to judge for its size, as a device may send it."""
    stamp = now_us() - OPS * WRITES
    ops = [
        encode_op([Write(stamp + op * WRITES + write, [], {"title": "x"}) for write in range(WRITES)])
        for op in range(OPS)
    ]
    return encode_push(client_id, 0, ops)


def new_device(server: WholeServer, name: str) -> RawDevice:
    """Make an account, and a device that speaks by hand."""
    email = server.new_email(name)
    body = {"email": email, "password": PASSWORD, "name": name, "role": "athlete"}
    httpx.post(f"{server.address}/api/auth/register", json=body, timeout=20.0).raise_for_status()
    server.confirm_blocking(email)
    return RawDevice(server, email)


@contextmanager
def single_server(factor: float) -> Iterator[WholeServer]:
    """Run a server with one web process."""
    folder = Path(tempfile.mkdtemp(prefix="apex-abuser-"))
    settings = Settings(data_dir=folder / "server", secret=SECRET, limits_factor=factor)
    try:
        with start_blocking_portal("asyncio") as portal, running_server(portal, settings) as server:
            yield server
    finally:
        shutil.rmtree(folder, ignore_errors=True)
