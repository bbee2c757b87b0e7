"""Devices without an app or an event loop: the local replica and the sync session, driven by a test."""

import random
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import UUID

from apex_client import signing
from apex_client.accounts import Session, User
from apex_client.errors import ServerUnreachable
from apex_client.local import LocalReplica
from apex_client.materialise import projected
from apex_client.rows import BLANK, COLUMNS, full_row
from apex_client.searching import index_words
from apex_client.stepping import absorb, next_message, read
from apex_sync.digest import DIGEST_MODULUS, record_digest
from apex_sync.fold import fold
from apex_sync.op import Patch
from apex_sync.protocol import decode_response
from apex_sync.session.device import SELF_SCOPE
from apex_sync.session.session import SyncSession
from apex_sync.session.tally import Tally
from tests.client.loopback import Account, LoopbackServer
from tests.client.loopback_transport import Faults, LoopbackTransport

ROUNDS_MAX = 200


class Clock:
    """Time that a test moves; every look at it takes a microsecond, as time does."""

    def __init__(self, now_us: int = 1_772_388_300_000_000) -> None:
        self.now = now_us

    def __call__(self) -> int:
        self.now += 1
        return self.now

    def pass_seconds(self, seconds: float) -> None:
        self.now += int(seconds * 1e6)


class Phone:
    """One device of a user, with a replica file of its own."""

    def __init__(
        self,
        path: Path,
        server: LoopbackServer,
        account: Account | None,
        *,
        seed: int = 0,
        clock: Callable[[], int] | None = None,
        faults: Faults | None = None,
    ) -> None:
        self.path = path
        self.server = server
        self.dice = random.Random(seed)
        self.clock = clock or server.now_us
        self.transport = LoopbackTransport(server, faults or Faults(random.Random(seed + 1)))
        self.local = self._open()
        if account is not None:
            self.sign_in(account)

    def _open(self) -> LocalReplica:
        return LocalReplica.open(self.path, None, now_us=self.clock, entropy=self.dice.randbytes)

    def reopen(self) -> None:
        self.local.close()
        self.local = self._open()

    def sign_in(self, account: Account) -> None:
        tokens = self.server.issue(account)
        user = User(account.id, account.email, account.name, account.role, account.email_verified)
        signing.sign_in(self.local, Session(user, "loopback", tokens["access_token"], tokens["refresh_token"], 0))

    @property
    def scope(self) -> str:
        return self.local.own_scope("workout_logs")

    @property
    def client_id(self) -> int:
        return self.local.client_id

    def create(self, fields: Patch, collection: str = "workout_logs", record_id: str | None = None) -> str:
        return self.local.create(collection, None, fields, record_id=record_id).record_id

    def edit(self, record_id: str, fields: Patch, collection: str = "workout_logs") -> None:
        self.local.edit(collection, record_id, lambda state: fields)

    def state(self, record_id: str, collection: str = "workout_logs") -> Patch:
        return self.local.snapshot(collection, record_id).state

    def sync(self) -> Tally:
        """Sync to the end, with requests that overlap or without. Raises what the network does."""
        assert self.local.session is not None
        token = self.local.session.access_token
        session = SyncSession(self.local.device)
        overlap_max = self.dice.choice((1, 2))
        answers: deque[bytes] = deque()
        for _ in range(ROUNDS_MAX):
            while len(answers) < overlap_max and (message := next_message(session)):
                answers.append(self.transport.exchange_now(token, message))
            if not answers:
                return session.tally
            answer = answers.popleft()
            if overlap_max == 1:
                absorb(session, decode_response(answer))
                continue
            response, ahead = read(session, answer)
            if ahead is not None:
                answers.append(self.transport.exchange_now(token, ahead))
            absorb(session, response)
        raise AssertionError("the sync does not end")

    def try_sync(self) -> None:
        with suppress(ServerUnreachable):
            self.sync()

    def close(self) -> None:
        self.local.close()


def settle(*phones: Phone) -> None:
    """Heal the network and sync everybody until nothing moves any more."""
    for phone in phones:
        phone.transport.faults = Faults()
    for _ in range(3):
        for phone in phones:
            phone.sync()


def assert_sound(local: LocalReplica) -> None:
    """Hold what a replica keeps beside its documents against what the documents say."""
    store = local.store
    index_words(local)
    sums: dict[str, int] = {name: 0 for name in store.scopes()}
    expected: dict[str, list[Any]] = {table: [] for table in COLUMNS}
    words: dict[int, Any] = {}
    conflicts = 0
    for held in store.select("ORDER BY record.record_no", ()):
        writes = list(held.document.writes())
        folded = fold(writes)
        assert held.state == folded.state
        assert held.digest == record_digest(held.key, held.acknowledged())
        assert held.acked <= held.next_clock and held.sent <= held.next_clock
        if held.scope != SELF_SCOPE:
            sums[held.scope] = (sums.get(held.scope, 0) + held.digest) % DIGEST_MODULUS
        row = store.sql.execute(
            "SELECT scope_no, pending_since_us > 0, conflicts, next FROM held_records WHERE record_no = ?",
            (held.place,),
        ).fetchone()
        assert (bool(row[1]), row[2], row[3]) == (held.pending, len(folded.conflicts), held.next_clock)
        conflicts += len(folded.conflicts)
        rows, said, _ = projected(held, row[0], local.opened(held))
        for table in rows.keys() & {"logged_exercise_rows", "logged_set_rows"}:
            lines = [full_row(table, line) for line in rows[table]]
            rows[table] = [tuple(None if value == BLANK else value for value in line) for line in lines]
        for table, added in rows.items():
            expected[table] += added
        if said is not None:
            words[held.place] = said
    for name, scope in store.scopes().items():
        assert scope.digest == sums[name], name
    for table, wanted in expected.items():
        columns = ", ".join(COLUMNS[table])
        found = store.sql.execute(f"SELECT {columns} FROM {table}").fetchall()
        assert (len(found), set(found)) == (len(wanted), set(wanted)), table
    found_words = store.sql.execute("SELECT rowid, title, names, notes FROM words").fetchall()
    assert {row[0]: row[1:] for row in found_words} == words
    assert store.sql.execute("SELECT count(*) FROM conflict_rows").fetchone()[0] == conflicts
    store.sql.execute("INSERT INTO words (words) VALUES ('integrity-check')")
    assert store.sql.execute("PRAGMA foreign_key_check").fetchall() == []
    assert store.sql.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def assert_converged(server: LoopbackServer, *phones: Phone) -> None:
    """Hold every device and the server to one content, with nothing left to send."""
    for phone in phones:
        store = phone.local.store
        assert store.select("WHERE record.pending_since_us > 0", ()) == []
        for name, scope in store.scopes().items():
            stored = server.scopes.get(name)
            assert scope.digest == (stored.digest if stored else 0), name
            for key, record in stored.records.items() if stored else ():
                (mine,) = store.load(name, [str(UUID(bytes=key))]).values()
                assert mine.digest == record.digest
                assert mine.state == fold(record.document.writes()).state
        assert_sound(phone.local)
