"""One device of the fleet in a process of its own: it edits all the time and syncs in the background, as an app does.

Every edit carries a token that no other edit has. Once a save has returned, the edit stands in the journal beside the
replica, one fsynced line with the token and where its write is: what stands there has to be everywhere in the end.
"""

import itertools
import os
import time
from collections.abc import Awaitable, Callable, Iterator
from ctypes import c_bool, c_int64
from multiprocessing import parent_process
from pathlib import Path
from random import Random
from typing import IO, Any, NamedTuple
from uuid import UUID

import anyio
import msgspec
from msgspec import Struct
from msgspec.structs import replace

from apex_client import Replica, ReplicaStatus
from apex_client.http_transport import HttpTransport
from apex_sync.document import Document
from apex_sync.op import Patch, StampedWrite
from apex_sync.wire import parse_document

CONNECT_SECONDS = 3.0
ANSWER_SECONDS = 5.0
PING_SECONDS = 3.0
"""What a network that swallows packets costs; an app takes longer ones, and a run has but a minute."""

PAUSE_SECONDS_MAX = 1.4
"""Between two edits; ten devices make 14 edits a second."""

RECORDS_NEAR = 6
"""So few of the newest records are edited that several devices write the same one, and the same leaf of it."""

STATUS_SECONDS = 0.5
TOKEN_MARK = "~"
STALE_TOKEN_CHANCE = 0.01


class Saved(Struct, frozen=True):
    """An edit whose save has returned: its token, and the write that carries it."""

    token: str
    scope: str
    record_id: str
    client_id: int
    hlc: int


class Plan(Struct, frozen=True):
    """What a device process is to be; `life` counts its processes, `athlete_ids` are those a coach looks after."""

    path: Path
    name: str
    seed: int
    life: int
    athlete_ids: tuple[str, ...] = ()

    @property
    def journal(self) -> Path:
        return self.path.with_suffix(".journal")

    @property
    def status(self) -> Path:
        return self.path.with_suffix(".status")


class Orders(NamedTuple):
    """What the torture tells a device while it runs, in memory that both processes share."""

    clock_ahead_us: c_int64
    quiet: c_bool


def live(plan: Plan, orders: Orders) -> None:
    """Be this device until killed."""
    anyio.run(_live, plan, orders)


async def _live(plan: Plan, orders: Orders) -> None:
    def now_us() -> int:
        return time.time_ns() // 1000 + orders.clock_ahead_us.value

    transport = HttpTransport(connect_seconds=CONNECT_SECONDS, answer_seconds=ANSWER_SECONDS, ping_seconds=PING_SECONDS)
    async with Replica.open(plan.path, transport=transport, now_us=now_us) as replica:
        with plan.journal.open("ab") as journal:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(replica.run)
                tasks.start_soon(end_with_the_torture)
                await Editor(replica, plan, journal).edit_until(lambda: bool(orders.quiet.value))
                while True:
                    say(plan, await replica.status())
                    await anyio.sleep(STATUS_SECONDS)


async def end_with_the_torture() -> None:
    """Leave no device behind when the torture itself is killed."""
    torture = parent_process()
    while torture is not None and torture.is_alive():  # noqa: ASYNC110 - processes give no event.
        await anyio.sleep(STATUS_SECONDS)
    os._exit(1)


class Editor:
    """Somebody who does not stop logging, whatever the network does."""

    def __init__(self, replica: Replica, plan: Plan, journal: IO[bytes]) -> None:
        self._replica = replica
        self._plan = plan
        self._journal = journal
        self._dice = Random(f"{plan.seed} {plan.name} {plan.life}")
        self._numbers = itertools.count(1)

    async def edit_until(self, is_over: Callable[[], bool]) -> None:
        """Edit, journal, pause, again."""
        while not is_over():
            if self._dice.random() < STALE_TOKEN_CHANCE:
                self._forget_access_token()
            token = f"{TOKEN_MARK}{self._plan.name}.{self._plan.life}.{next(self._numbers)}"
            record = await self._dice.choice(self._edits())(token)
            if record is not None:
                self._write_down(await self._saved(token, *record))
            await anyio.sleep(self._dice.uniform(0, PAUSE_SECONDS_MAX))

    def _edits(self) -> list[Callable[[str], Awaitable[tuple[str, str] | None]]]:
        edits = [self._start, self._add_set, self._add_set, self._edit_set, self._note, self._note, self._profile]
        if self._plan.athlete_ids:
            return [*edits, self._review, self._write_program, self._add_exercise]
        return [*edits, self._check_in]

    @property
    def _athlete(self) -> Any:
        """Give the resources of whom the next edit is about: oneself, or one of a coach's athletes."""
        ids = self._plan.athlete_ids
        return self._replica.athlete(self._dice.choice(ids)) if ids else self._replica

    async def _start(self, token: str) -> tuple[str, str]:
        return _place(await self._athlete.workouts.start(title=token))

    async def _add_set(self, token: str) -> tuple[str, str] | None:
        log = await self._near("workouts")
        if log is not None:
            await log.add_set(self._dice.choice(("Squat", "Bench Press")), reps=self._dice.randint(1, 12), notes=token)
        return log and _place(log)

    async def _edit_set(self, token: str) -> tuple[str, str] | None:
        log = await self._near("workouts")
        if log is None or not log.sets:
            return None
        await log.edit_set(self._dice.choice(log.sets[:2]), notes=token, rpe=self._dice.randint(12, 20) / 2)
        return _place(log)

    async def _note(self, token: str) -> tuple[str, str] | None:
        log = await self._near("workouts")
        return log and _place(await log.edit(notes=token, mood=self._dice.randint(1, 10)))

    async def _profile(self, token: str) -> tuple[str, str]:
        """Write the one record that exists for everybody from the start, so that several devices begin it."""
        return _place(await self._athlete.profile.edit(nutrition_habits=token))

    async def _check_in(self, token: str) -> tuple[str, str]:
        found = await self._near("checkins")
        if found is None or self._dice.random() < 0.2:
            return _place(await self._replica.checkins.draft(notes=token))
        return _place(await found.edit(notes=token))

    async def _review(self, token: str) -> tuple[str, str] | None:
        found = await self._near("checkins")
        return found and _place(await found.review(token))

    async def _write_program(self, token: str) -> tuple[str, str]:
        """Write a template, a draft for one athlete, or what an athlete follows: one scope each."""
        athlete = self._athlete
        programs = self._dice.choice((self._replica.programs, athlete.program_drafts, athlete.programs))
        return _place(await programs.create({"name": token}))

    async def _add_exercise(self, token: str) -> tuple[str, str]:
        return _place(await self._replica.exercises.create({"name": token}))

    async def _near(self, noun: str) -> Any:
        """Choose among the newest records, those of other devices too."""
        found = await getattr(self._athlete, noun).list(limit=RECORDS_NEAR)
        return self._dice.choice(found) if found else None

    def _forget_access_token(self) -> None:
        """Let the access token be one that has expired."""
        session = self._replica._open.session
        assert session is not None
        self._replica._open.session = replace(session, access_token="expired")

    async def _saved(self, token: str, scope: str, record_id: str) -> Saved:
        sql = (
            "SELECT record.document FROM held_records AS record JOIN held_scopes AS scope USING (scope_no)"
            " WHERE scope.name = ? AND record.record_id = ?"
        )
        (row,) = await self._replica.query(sql, (scope, record_id))
        (write,) = tokens_in(parse_document(row["document"]))[token]
        return Saved(token, scope, record_id, write.client_id, write.hlc)

    def _write_down(self, saved: Saved) -> None:
        self._journal.write(msgspec.json.encode(saved) + b"\n")
        self._journal.flush()
        os.fsync(self._journal.fileno())


def say(plan: Plan, status: ReplicaStatus) -> None:
    """Say how it goes; whoever reads it reads it whole."""
    new = plan.status.with_suffix(".new")
    new.write_bytes(msgspec.json.encode(status))
    new.replace(plan.status)


def read_journal(path: Path) -> list[Saved]:
    """Read what a device has saved; a last line that a kill cut off was not promised to anybody."""
    lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
    return [msgspec.json.decode(line, type=Saved) for line in lines]


def read_status(plan: Plan) -> ReplicaStatus | None:
    """Read what a device last said of itself, if it has said anything."""
    try:
        return msgspec.json.decode(plan.status.read_bytes(), type=ReplicaStatus)
    except FileNotFoundError:
        return None


def tokens_in(document: Document) -> dict[str, list[StampedWrite]]:
    """Give the writes that carry each token of a record."""
    found: dict[str, list[StampedWrite]] = {}
    for write in document.writes():
        for token in _tokens(write.patch):
            found.setdefault(token, []).append(write)
    return found


def _tokens(patch: Patch) -> Iterator[str]:
    for value in patch.values():
        if isinstance(value, dict):
            yield from _tokens(value)
        elif isinstance(value, str) and value.startswith(TOKEN_MARK):
            yield value


def _place(record: Any) -> tuple[str, str]:
    snapshot = record.snapshot
    return snapshot.scope, str(UUID(snapshot.record_id))
