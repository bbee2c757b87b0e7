"""One run: people, devices, a server and everything that happens to them, in one process and from one seed."""

import asyncio
import traceback
from collections.abc import Collection, Mapping
from contextlib import nullcontext
from hashlib import blake2b
from random import Random
from typing import Any
from uuid import UUID

from msgspec import Struct

from apex_client.errors import ClientError, SyncFailed
from apex_server.errors import ApiError
from apex_sync.errors import ApexError
from apex_sync.ids import athlete_scope, private_scope
from apex_sync.op import Patch
from apex_sync.protocol import (
    PROTOCOL_VERSION,
    PROTOCOL_VERSION_OLDEST,
    PushedRecord,
    SyncRequest,
    encode_message,
)
from apex_sync.testing import hostile
from apex_sync.testing.virtual_time import run_in_virtual_time
from apex_sync.wire import encode_push, parse_document
from tests.simulation.device import Backup, Crashed, SimulatedDevice
from tests.simulation.grants import Grants
from tests.simulation.judgement import Judge
from tests.simulation.ledger import Ledger, held_anywhere, own_values
from tests.simulation.limits import SMALL, TINY, limited
from tests.simulation.network import WEATHERS
from tests.simulation.plan import Plan, Step
from tests.simulation.remembering import remembering
from tests.simulation.server import PROCESSES, SimulatedServer
from tests.simulation.sign_ins import Person

START_US = 1_772_388_300_000_000
YEAR_SECONDS = 365 * 86_400
SKEWS_SECONDS = (0, 40, -90, 3600, -86_400, 20 * YEAR_SECONDS, -20 * YEAR_SECONDS)
RECORDS = 3
LONG = "." * 60
"""Where limits are tiny, values are so long that a record reaches them."""
FORGED = {
    **hostile.UPDATES,
    **hostile.PUSHES,
    **{name: encode_push(hostile.ME, 0, [op]) for name, op in hostile.OPS.items()},
    **{name: encode_push(hostile.ME, 0, [op]) for name, (op, _) in hostile.OBJECTIONABLE.items()},
}
SETTLING_ROUNDS = 12
BACKGROUND_SECONDS = 900.0
FORGETFUL = 10
"""One run in so many works everything out anew each time (remembering.py)."""


class Outcome(Struct):
    """How a run went: nothing in `failures` is well. `trace` is the hash of everything that happened."""

    seed: int
    failures: list[str]
    trace: str
    counts: dict[str, int]


class World:
    """One run under way."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.dice = Random(plan.seed ^ 0x5EED)
        self._seconds = asyncio.get_running_loop().time
        self._skipped_us = 0
        self._last_us = 0
        self._trace = blake2b(digest_size=16)
        self._values = 0
        self.counts: dict[str, int] = {}
        self.failures: list[str] = []
        self.ledger = Ledger()
        self.grants = Grants(self.now_us)
        self.server = SimulatedServer(self.now_us, Random(self.dice.getrandbits(64)))
        self.server.dawdling = 0.2
        self.athletes = [self._person("athlete") for _ in range(plan.athletes)]
        self.coach = self._person("coach") if plan.has_coach else None
        self.devices = [
            self._device(f"d{number}", self.athletes[number % plan.athletes]) for number in range(plan.devices)
        ]
        if self.coach:
            self.devices.append(self._device("coach", self.coach))
            for athlete in self.athletes:
                self._engage(self.coach, athlete)
        self.device_backups: list[tuple[int, Backup]] = []
        self.server_backup = self.server.database.backup()
        self.judge = Judge(self.server, self.ledger, self.grants)

    def now_us(self) -> int:
        """Read the true time; every look takes a microsecond."""
        seconds = self._seconds()
        self._last_us = max(self._last_us + 1, START_US + self._skipped_us + int(seconds * 1e6))
        return self._last_us

    def _person(self, role: Any) -> Person:
        person = self.server.sign_ins.add(role)
        self.server.people.add(person.id, role)
        return person

    def _device(self, lineage: str, person: Person, backup: Backup | None = None) -> SimulatedDevice:
        image, seals = backup or (None, frozenset())
        dice = Random(self.dice.getrandbits(64))
        return SimulatedDevice(lineage, person, self.server, self.now_us, dice, image, seals)

    async def run(self) -> Outcome:
        """Let everything happen, heal, settle, and judge."""
        for step in self.plan.steps:
            await self._take(step)
            if self.failures:
                break
        if not self.failures:
            await self._settle()
        if not self.failures:
            await self._look_at_the_end()
        for device in self.devices:
            await device.end()
        await self.server.end()
        return Outcome(self.plan.seed, self.failures, self._trace.hexdigest(), self.counts)

    async def _take(self, step: Step) -> None:
        dice = Random(step.seed)
        self.counts[step.kind] = self.counts.get(step.kind, 0) + 1
        await getattr(self, f"_{step.kind}")(dice)
        await asyncio.sleep(dice.choice((0.0, 0.0, 0.005, 0.03, 0.2)))
        for device in self.devices:
            if device.is_dead:
                await self._revive(device)
        self._note(step.kind)
        self._look()

    async def _revive(self, device: SimulatedDevice) -> None:
        """Start a device again. With the power may go what it alone had left of what a restored server had lost."""
        loses_power = device.loses_power
        before = set(own_values(device))
        await device.revive()
        if loses_power and self.counts.get("restore"):
            self._forgive(before)

    def _note(self, what: str) -> None:
        """Put what happened, and where everybody stands, into the trace."""
        digests = [scope.digest for _, scope in sorted(self.server.database.scopes.items())]
        places = [
            (device.store.identity().client_id, len(device.rows), device.link.bytes_down) for device in self.devices
        ]
        self._trace.update(repr((what, digests, places)).encode())

    def _look(self) -> None:
        """See whether anything is wrong that must never be."""
        self.failures += [f"exception in the server:\n{bug}" for bug in self.server.bugs]
        for device in self.devices:
            self.failures += [f"exception in {device.lineage}:\n{bug}" for bug in device.bugs]
        self.failures += self.judge.on_the_way(self.devices)

    # What people do.

    async def _edit(self, dice: Random) -> None:
        device = dice.choice(self.devices)
        scope = self._scope_for(device, dice)
        collection, patch = self._patch(device.person.role, dice)
        if scope is None:
            return
        self._save(device, scope, collection, self._record_id(collection, dice), patch)

    async def _burst(self, dice: Random) -> None:
        for _ in range(dice.randint(3, 8)):
            await self._edit(dice)

    def _save(self, device: SimulatedDevice, scope: str, collection: str, record_id: str, patch: Patch) -> None:
        try:
            device.save(scope, collection, record_id, patch)
        except Crashed:
            self.ledger.save(device.lineage, (scope, record_id), patch, is_sure=False)
            return
        except (ClientError, ApexError) as error:
            self.counts[type(error).__name__] = self.counts.get(type(error).__name__, 0) + 1
            return
        self.ledger.save(device.lineage, (scope, record_id), patch)
        self.failures += self.judge.own_write(device, (scope, record_id), patch)

    async def _sync(self, dice: Random) -> None:
        dice.choice(self.devices).begin_sync()

    async def _background(self, dice: Random) -> None:
        dice.choice(self.devices).run_in_background(dice.random() < 0.6)

    async def _pass(self, dice: Random) -> None:
        await asyncio.sleep(dice.choice((0.05, 0.5, 2.0, 10.0, 40.0)))

    async def _rest(self, dice: Random) -> None:
        """Write over REST, sometimes from an old page."""
        person = dice.choice([*self.athletes, *([self.coach] if self.coach else [])])
        scope = athlete_scope(str(dice.choice(self.athletes).id if person is self.coach else person.id))
        collection, patch = self._patch(person.role, dice)
        await self._write_through_server(person.id, scope, collection, self._record_id(collection, dice), patch, dice)

    async def _analysis(self, dice: Random) -> None:
        """Write as the system: an approved summary, and a draft for the coach alone."""
        athlete = str(dice.choice(self.athletes).id)
        record_id = self._record_id("check_ins", dice)
        await self._write_through_server(
            None, athlete_scope(athlete), "check_ins", record_id, {"ai_summary": self._value()}, dice
        )
        if self.coach:
            scope = private_scope(str(self.coach.id), athlete)
            value = self._value()
            self.judge.secret[value] = scope
            await self._write_through_server(
                None, scope, "insights", self._record_id("insights", dice), {"summary": value}, dice
            )

    async def _write_through_server(
        self, user_id: UUID | None, scope: str, collection: str, record_id: str, patch: Patch, dice: Random
    ) -> None:
        before = self._vector(scope, record_id) if dice.random() < 0.3 else None
        try:
            await self.server.write(user_id, scope, collection, record_id, patch=patch, expected_vector=before or None)
        except ApiError:
            return
        except SyncFailed:
            self.ledger.save("server", (scope, record_id), patch, is_sure=False)
            return
        self.ledger.save("server", (scope, record_id), patch)

    # What networks, devices, clocks, servers and attackers do.

    async def _weather(self, dice: Random) -> None:
        dice.choice(self.devices).link.weather = dice.choice(WEATHERS)

    async def _clog(self, dice: Random) -> None:
        link = dice.choice(self.devices).link
        dice.choice((link.clog, link.clog, link.unclog, link.unclog, link.drop_channels))()

    async def _crash(self, dice: Random) -> None:
        dice.choice(self.devices).crash_in = dice.randint(1, 12)

    async def _power(self, dice: Random) -> None:
        device = dice.choice(self.devices)
        device.loses_power = True
        device.kill()

    async def _skew(self, dice: Random) -> None:
        dice.choice(self.devices).skew_us = int(dice.choice(SKEWS_SECONDS) * 1e6)

    async def _skip(self, dice: Random) -> None:
        self._skipped_us += int(dice.choice((60, 3600, 86_400, 40 * 86_400)) * 1e6)

    async def _image(self, dice: Random) -> None:
        number = dice.randrange(len(self.devices))
        self.device_backups.append((number, self.devices[number].backup()))

    async def _put_back(self, dice: Random) -> None:
        if self.device_backups:
            number, backup = dice.choice(self.device_backups)
            if self.plan.returns_late:
                self._skipped_us += int(dice.choice((3600, 30 * 86_400, YEAR_SECONDS)) * 1e6)
            await self.devices[number].put_back(backup, with_seals=dice.random() < 0.5)
            self.ledger.may_double.add(self.devices[number].lineage)
            self._forgive()

    async def _clone(self, dice: Random) -> None:
        if len(self.devices) < self.plan.devices + 3:
            original = dice.choice(self.devices)
            backup = original.backup()
            if dice.random() < 0.5:
                backup = backup._replace(seals=frozenset())
            self.devices.append(self._device(original.lineage, original.person, backup))
            self.ledger.may_double.add(original.lineage)

    async def _grant(self, dice: Random) -> None:
        if self.coach:
            athlete = dice.choice(self.athletes)
            (self._dismiss if dice.random() < 0.6 else self._engage)(self.coach, athlete)
            if self.counts.get("restore"):
                self._forgive()

    def _engage(self, coach: Person, athlete: Person) -> None:
        self.grants.begin(coach.id, athlete.id)
        self.server.people.engage(coach.id, athlete.id)

    def _dismiss(self, coach: Person, athlete: Person) -> None:
        self.grants.end(coach.id, athlete.id)
        self.server.people.dismiss(coach.id, athlete.id)

    async def _expire(self, dice: Random) -> None:
        self.server.sign_ins.expire_access()

    async def _sign_out_elsewhere(self, dice: Random) -> None:
        self.server.sign_ins.end_all(dice.choice(self.devices).person)

    async def _kill_server(self, dice: Random) -> None:
        self.server.kill(dice.randrange(PROCESSES))

    async def _database(self, dice: Random) -> None:
        self.server.trouble = dice.choice((0.0, 0.0, 0.02, 0.2, 1.0))
        if dice.random() < 0.3:
            self.server.database.cut_connections()

    async def _backup(self, dice: Random) -> None:
        self.server_backup = self.server.database.backup()

    async def _restore(self, dice: Random) -> None:
        self.judge.server_is_restored()
        self.server.restore(self.server_backup)
        self.judge.server_was_restored()
        self.ledger.may_double |= {"server", *(device.lineage for device in self.devices)}
        self._forgive()

    async def _compact(self, dice: Random) -> None:
        for scope, record_id in self.server.database.long_records()[:3]:
            await self.server.compact(scope, record_id)

    async def _forbidden(self, dice: Random) -> None:
        """Write what this role may not, beside what it may."""
        device = dice.choice(self.devices)
        field = "notes" if device.person.role == "coach" else dice.choice(("coach_feedback", "ai_summary"))
        self._force(
            device, "check_ins", {field: self._value(), **self._patch(device.person.role, dice, "check_ins")[1]}, dice
        )

    async def _mistyped(self, dice: Random) -> None:
        self._force(dice.choice(self.devices), "workout_logs", {"fatigue": self._value(), "pump": 3}, dice)

    async def _newer_app(self, dice: Random) -> None:
        self._force(dice.choice(self.devices), "workout_logs", {"from_the_future": {"x": self._value()}}, dice)

    def _force(self, device: SimulatedDevice, collection: str, patch: Patch, dice: Random) -> None:
        scope = self._scope_for(device, dice)
        if scope is None:
            return
        record_id = self._record_id(collection, dice)
        try:
            device.force(scope, collection, record_id, patch)
        except Crashed:
            self.ledger.save(device.lineage, (scope, record_id), patch, is_sure=False)
            return
        self.ledger.save(device.lineage, (scope, record_id), patch)

    async def _hostile(self, dice: Random) -> None:
        """Send a frame of a device again, mangled, or for somebody else's scope."""
        device = dice.choice(self.devices)
        session = device.local.session
        frame = bytearray(device.link.last_sent)
        if session is None or not frame:
            return
        if self.plan.forges:
            self.server.hear_later(_at_once, session.access_token, self._forged(device, dice))
            return
        self.ledger.may_double.add(device.lineage)
        if dice.random() < 0.5:
            for _ in range(dice.randint(1, 4)):
                frame[dice.randrange(len(frame))] ^= 1 << dice.randrange(8)
        else:
            other = dice.choice(self.devices).local.session
            own = str(device.person.id).encode()
            frame = frame.replace(own, (str(other.user.id) if other else str(UUID(int=77))).encode())
        self.server.hear_later(_at_once, session.access_token, bytes(frame))

    def _forged(self, device: SimulatedDevice, dice: Random) -> bytes:
        """Make up a push that nobody may take, in the name of somebody who may write there."""
        update = FORGED[dice.choice(list(FORGED))]
        collection = dice.choice(("workout_logs", "check_ins"))
        scope = athlete_scope(str(dice.choice(self.athletes).id))
        record = PushedRecord(scope, collection, UUID(self._record_id(collection, dice)).bytes, update)
        return encode_message(SyncRequest(PROTOCOL_VERSION, hostile.ME, device.now_us(), push=[record]))

    async def _old_app(self, dice: Random) -> None:
        """Let the server read old apps no more, or again; what they hand in it takes."""
        too_new = self.server.version_oldest == PROTOCOL_VERSION_OLDEST
        self.server.version_oldest = PROTOCOL_VERSION + 1 if too_new else PROTOCOL_VERSION_OLDEST
        self.server.restart()

    # The end.

    async def _settle(self) -> None:
        """Heal everything, and give everybody a bounded number of syncs."""
        self.server.trouble = self.server.dawdling = 0.0
        self.server.version_oldest = PROTOCOL_VERSION_OLDEST
        self.server.restart()
        for device in self.devices:
            device.link.heal()
            device.crash_in = 0
            device.run_in_background(self.plan.ends_in_background)
        if self.plan.ends_in_background:
            await asyncio.sleep(BACKGROUND_SECONDS)
            self.failures += self.judge.left_over(self.devices, "after a quarter of an hour in the background")
            for device in self.devices:
                device.run_in_background(False)
        await asyncio.sleep(60.0)
        for round_number in range(SETTLING_ROUNDS):
            reports = [await device.sync() for device in self.devices]
            self._note("settle")
            quiet = all(report and not (report.pushed or report.pulled or report.forgotten) for report in reports)
            if quiet and not self.judge.left_over(self.devices, ""):
                self.counts["settling rounds"] = round_number + 1
                break
        else:
            self.failures += self.judge.left_over(self.devices, f"after {SETTLING_ROUNDS} rounds")
            self.failures += self.failures or ["everything is settled, and still they talk"]
        self._look()

    async def _look_at_the_end(self) -> None:
        """Judge the server, every device, and a new device of everybody."""
        fresh = []
        for person in [*self.athletes, *([self.coach] if self.coach else [])]:
            device = self._device("fresh", person)
            if await device.sync() is None:
                self.failures.append(f"a new device of {person.email} cannot sync")
            fresh.append(device)
        if self.server.sign_ins.ended_for_reuse and not (self.counts.keys() & {"clone", "put_back"}):
            self.failures.append("a device was taken for a thief, and there is no second one with its tokens")
        self.failures += self.judge.at_the_end(self.devices, fresh)
        self.devices += fresh
        self._look()

    def _forgive(self, besides: Collection[str] = ()) -> None:
        """Owe no more what nobody holds; what stands in `besides` is owed all the same."""

        def granted(device: SimulatedDevice) -> Mapping[str, Any]:
            return self.server.people.scopes_of(device.person.id)

        self.ledger.keep_what_is_held(held_anywhere(self.server.database, self.devices, granted).union(besides))

    def _scope_for(self, device: SimulatedDevice, dice: Random) -> str | None:
        """Choose an athlete in whose scope a device may write, as far as it knows."""
        if device.person.role == "athlete":
            return athlete_scope(str(device.person.id)) if device.local.user else None
        scopes = [name for name in device.local.store.scopes() if name.startswith("athlete:")]
        return dice.choice(scopes) if scopes else None

    def _record_id(self, collection: str, dice: Random) -> str:
        space = {"workout_logs": 0, "check_ins": 100, "insights": 200}[collection]
        return str(UUID(int=(7 << 76) + space + dice.randrange(1 if self.plan.is_crowded else RECORDS)))

    def _patch(self, role: str, dice: Random, collection: str = "") -> tuple[str, Patch]:
        """Make up an edit that a person of this role may make."""
        collection = collection or dice.choice(("workout_logs", "workout_logs", "check_ins"))
        if collection == "check_ins":
            if role == "coach":
                return collection, {"coach_feedback": self._value(), "coach_reviewed": dice.random() < 0.5}
            answers = {"energy": dice.randint(1, 10), "sleep": dice.randint(1, 10)}
            return collection, {"notes": self._value(), "responses": answers}
        key = f"k{dice.randrange(3)}"
        patches: tuple[Patch, ...] = (
            {"notes": self._value()},
            {"title": self._value(), "fatigue": dice.randint(1, 10)},
            {"exercises": {key: {"name": self._value(), "order": dice.choice("abc")}}},
            {
                "sets": {
                    key: {"notes": self._value(), "reps": dice.randint(1, 20), "load_kg": 2.5 * dice.randint(1, 80)}
                }
            },
            {"sets": {key: {"deleted": dice.random() < 0.7}}},
            {"deleted": dice.random() < 0.5},
        )
        return collection, dice.choice(patches)

    def _value(self) -> str:
        self._values += 1
        return f"v{self._values}" + LONG * self.plan.is_crowded

    def _vector(self, scope: str, record_id: str) -> dict[int, int]:
        content = self.server.database.scopes.get(scope)
        record = content.records.get(UUID(record_id).bytes) if content else None
        return dict(parse_document(record.stored.doc).next_clocks) if record else {}


async def _at_once() -> None:
    pass


def simulate(plan: Plan) -> Outcome:
    """Run a plan to its end."""

    async def run() -> Outcome:
        limits = TINY if plan.is_crowded else SMALL if plan.has_small_limits else {}
        memory = remembering() if plan.seed % FORGETFUL else nullcontext()
        with memory, limited(limits) as changed:
            outcome = await World(plan).run()
            outcome.failures += changed
            return outcome

    try:
        return run_in_virtual_time(run())
    except Exception:  # noqa: BLE001 - the seed is to be told, and the others have to run.
        return Outcome(plan.seed, [f"the run broke off:\n{traceback.format_exc()}"], "", {})
