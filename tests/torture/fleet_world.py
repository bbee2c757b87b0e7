"""The devices of one run and their server, and how each fault is done to them."""

import os
import signal
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from ctypes import c_bool, c_int64
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from multiprocessing.sharedctypes import RawValue
from pathlib import Path
from random import Random

import anyio
import psutil

from apex_client import Replica
from tests.e2e.whole_server import PASSWORD, WholeServer, web_processes
from tests.torture.fleet_device import Orders, Plan, live, read_journal
from tests.torture.fleet_faults import EVERYBODY, Fault
from tests.torture.net_link import Link, open_link

KINDS = ("phone", "watch", "tablet")
ATHLETES_MAX = 3
FLAP_SECONDS = 0.4
LOOK_SECONDS = 0.25
START_SECONDS_MAX = 120.0
"""Until ten processes have started on a machine that is busy with other things."""

_context = get_context("forkserver")
_context.set_forkserver_preload(["apex_client", "httpx", "websockets.asyncio.client", "tests.torture.fleet_device"])


class Device:
    """One device: its files, its link, and the process that lives in it at the moment."""

    def __init__(self, name: str, folder: Path, link: Link, seed: int) -> None:
        self.name = name
        self.athlete_id: str | None = None
        self.path = folder / f"{name}.db"
        self.link = link
        self.astray = False
        self._seed = seed
        self._athlete_ids: tuple[str, ...] = ()
        self._orders = Orders(RawValue(c_int64, 0), RawValue(c_bool, False))
        self._process: BaseProcess | None = None
        self._lives = 0

    @property
    def plan(self) -> Plan:
        return Plan(self.path, self.name, self._seed, self._lives, self._athlete_ids)

    def look_after(self, athlete_ids: list[str]) -> None:
        """Be the device of these athletes' coach."""
        self._athlete_ids = tuple(athlete_ids)

    def may_see(self, scope: str) -> bool:
        """Tell whether a scope of the run is for it: a coach reads all, an athlete what is not the coach's alone."""
        kind, _, owner = scope.partition(":")
        own = kind == "athlete" and owner == self.athlete_id
        return bool(self._athlete_ids) or own or kind in ("global", "library")

    def start(self) -> None:
        """Begin another life, unless it lives."""
        if self._process is None:
            self._lives += 1
            self._process = _context.Process(target=live, args=(self.plan, self._orders), daemon=True)
            self._process.start()

    def kill(self) -> None:
        """End it as a battery does."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.join()

    def send(self, signal_number: int) -> None:
        """Send a signal to its process, if there is one."""
        if self._process is not None and self._process.pid is not None:
            with suppress(ProcessLookupError):
                os.kill(self._process.pid, signal_number)

    @property
    def crashed(self) -> bool:
        """Whether its process has ended without being killed."""
        return self._process is not None and self._process.exitcode is not None

    def set_clock(self, ahead_seconds: float) -> None:
        """Let its clock be wrong by so much."""
        self.astray |= ahead_seconds != 0
        self._orders.clock_ahead_us.value = int(ahead_seconds * 1e6)

    def quieten(self) -> None:
        """Let nobody edit on it any more."""
        self._orders.quiet.value = True


class Fleet:
    """The devices of one run and their server, and what may be done to them."""

    def __init__(self, server: WholeServer, devices: list[Device], dice: Random) -> None:
        self.server = server
        self.devices = devices
        self.suffered: Counter[str] = Counter()
        self._dice = dice

    async def suffer(self, faults: Iterable[Fault], seconds: float) -> None:
        """Let the devices live so long, under these faults, once each has edited something."""
        for device in self.devices:
            device.start()
        with anyio.fail_after(START_SECONDS_MAX):
            while not all(read_journal(device.plan.journal) for device in self.devices):  # noqa: ASYNC110
                await anyio.sleep(LOOK_SECONDS)
        async with anyio.create_task_group() as tasks:
            for fault in faults:
                tasks.start_soon(self._suffer_one, fault)
            await anyio.sleep(seconds)
            tasks.cancel_scope.cancel()

    async def _suffer_one(self, fault: Fault) -> None:
        await anyio.sleep(fault.at_seconds)
        self.suffered[fault.kind] += 1
        targets = self.devices if fault.target == EVERYBODY else [self.devices[fault.target]]
        match fault.kind:
            case "partition" | "one-way partition":
                await self._partition([device.link for device in targets], fault)
            case "flapping":
                await self._flap([device.link for device in targets], fault.lasts_seconds)
            case "refused connections":
                await self._refuse([device.link for device in targets], fault.lasts_seconds)
            case "device paused":
                await self._pause(targets, fault.lasts_seconds)
            case "device killed":
                await self._kill(targets, fault.lasts_seconds)
            case "clock jump":
                targets[0].set_clock(fault.clock_seconds)
            case "web process paused":
                await self._pause_web(fault)
            case "web process killed":
                kill_one(web_processes(self.server, parents=False), fault.target)
            case "server killed":
                kill_one(web_processes(self.server, parents=True), fault.target)
            case "postgres killed":
                kill_postgres(self.server)

    async def _partition(self, links: list[Link], fault: Fault) -> None:
        for link in links:
            link.clog(*fault.directions)
        await anyio.sleep(fault.lasts_seconds)
        for link in links:
            if fault.ending == "reset":
                link.reset()
            if fault.ending == "forgotten":
                link.forget()
            link.unclog()

    async def _flap(self, links: list[Link], seconds: float) -> None:
        with anyio.move_on_after(seconds):
            while True:
                for link in links:
                    link.reset()
                await anyio.sleep(self._dice.uniform(0, FLAP_SECONDS))

    async def _refuse(self, links: list[Link], seconds: float) -> None:
        for link in links:
            link.refuses = True
            link.reset()
        await anyio.sleep(seconds)
        for link in links:
            link.refuses = False

    async def _pause(self, devices: list[Device], seconds: float) -> None:
        for device in devices:
            device.send(signal.SIGSTOP)
        await anyio.sleep(seconds)
        for device in devices:
            device.send(signal.SIGCONT)

    async def _kill(self, devices: list[Device], seconds: float) -> None:
        for device in devices:
            device.kill()
        await anyio.sleep(seconds / 2)
        for device in devices:
            device.start()

    async def _pause_web(self, fault: Fault) -> None:
        found = web_processes(self.server, parents=False)
        paused = found if fault.target == EVERYBODY else found[fault.target % len(found) :][:1] if found else []
        for process in paused:
            with suppress(psutil.NoSuchProcess):
                process.suspend()
        await anyio.sleep(fault.lasts_seconds)
        for process in paused:
            with suppress(psutil.NoSuchProcess):
                process.resume()

    def heal(self) -> None:
        """End every fault; a clock that is wrong stays so."""
        for process in web_processes(self.server, parents=False):
            with suppress(psutil.NoSuchProcess):
                process.resume()
        for device in self.devices:
            device.link.heal()
            device.send(signal.SIGCONT)
            device.quieten()
            device.start()

    def kill(self) -> None:
        """End every device."""
        for device in self.devices:
            device.kill()


def kill_one(processes: list[psutil.Process], number: int) -> None:
    """Kill one of these processes, if there is any."""
    if processes:
        with suppress(psutil.NoSuchProcess):
            processes[number % len(processes)].kill()


def kill_postgres(server: WholeServer) -> None:
    """Kill the first process of Postgres; its supervisor starts it again."""
    with suppress(FileNotFoundError, ProcessLookupError, IndexError):  # It is down already.
        (pid_file,) = server.settings.data_dir.glob("**/postmaster.pid")
        os.kill(int(pid_file.read_text().split()[0]), signal.SIGKILL)


@asynccontextmanager
async def fleet_of(server: WholeServer, folder: Path, *, devices: int, seed: int) -> AsyncIterator[Fleet]:
    """Sign in a coach on a laptop, and three athletes who share the other devices; all are gone when the block ends."""
    async with AsyncExitStack() as resources:
        coach = Device("coach", folder, await resources.enter_async_context(open_link(server.settings.port)), seed)
        crew = [coach]
        athletes = min(ATHLETES_MAX, devices // 2)
        for number in range(devices - 1):
            kind, athlete = KINDS[number // athletes], number % athletes
            link = await resources.enter_async_context(open_link(server.settings.port))
            crew.append(Device(f"{kind}{athlete}", folder, link, seed))
        await sign_in(server, coach, crew[1:], athletes)
        fleet = Fleet(server, crew, Random(f"flaps {seed}"))
        try:
            yield fleet
        finally:
            fleet.kill()


async def sign_in(server: WholeServer, coach: Device, others: list[Device], athletes: int) -> None:
    """Make the accounts, link the athletes to the coach, and let the coach's device learn of them."""
    emails = [server.new_email("athlete") for _ in range(athletes)]
    ids: list[str] = []
    async with Replica.open(coach.path, device_name=coach.name) as laptop:
        await laptop.register(coach.link.address, server.new_email("coach"), PASSWORD, name="Ines", role="coach")
        for number, device in enumerate(others):
            email = emails[number % athletes]
            async with Replica.open(device.path, device_name=device.name) as replica:
                if number < athletes:
                    invite = (await laptop.request("POST", "/api/invites", {}))["code"]
                    user = await replica.register(device.link.address, email, PASSWORD, name=email, invite=invite)
                    ids.append(user.id)
                    await server.confirm(email)
                else:
                    await replica.login(device.link.address, email, PASSWORD)
            device.athlete_id = ids[number % athletes]
        await laptop.sync()
    coach.look_after(ids)
