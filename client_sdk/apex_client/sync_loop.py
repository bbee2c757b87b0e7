"""The sync loop: one sync when asked, or in the background for as long as it is let.

    offline --sync--> drained --connect--> live --connection lost--> pause with jitter --> sync ...

While live, a save goes up at once as one frame and news come down as they happen. Whatever goes wrong is a state and a
pause; only `sync`, which was asked for, raises.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from apex_client import listing
from apex_client.account import CLIENT_ID_TAKEN, Account
from apex_client.changes import Change
from apex_client.errors import (
    AccountErased,
    AnotherUser,
    BadAnswer,
    ClientError,
    CoachOnAthleteReplica,
    NoServer,
    ReplicaClosed,
    ReplicaError,
    ServerBusy,
    ServerRefused,
    ServerUnreachable,
    SignedInAlready,
    SignedOut,
    SyncFailed,
)
from apex_client.people import learn_names
from apex_client.searching import index_some_words
from apex_client.signing import take_new_client_id
from apex_client.status import LoopState, ReplicaStatus, SyncProgress, SyncReport
from apex_client.thread_keys import settle
from apex_client.transport import LiveChannel
from apex_client.waiting import Inbox, Lock, exchanging, pumping, waiting_clock

if TYPE_CHECKING:
    from apex_client.replica import Replica

REFUSED_HERE = (AnotherUser, SignedInAlready, CoachOnAthleteReplica)
"""The credentials that the app gave are not those of whose replica this is."""

PAUSE_SECONDS_MIN = 1.0
PAUSE_SECONDS_MAX = 300.0
"""The longest pause between attempts; `wake` ends it."""

POLL_SECONDS = 60.0
"""How often to look for news where there is no live channel."""

LIVE_CHECK_SECONDS = 600.0
"""How long a live channel may be silent before a full sync makes sure that nothing was lost."""

ANSWER_SECONDS_MAX = 30.0
"""How long a frame may wait for its answer."""

OVERLAP_MAX = 2
"""Requests on their way at once: a server prepares a batch while it commits one, a page comes while one is kept."""

WAKE = "wake"
SAVED = "saved"
STOP = "stop"

Signal = str | bytes | SyncFailed


class SyncLoop:
    """Brings one replica and its server together."""

    def __init__(self, replica: "Replica", account: Account) -> None:
        self._replica = replica
        self._account = account
        self._lock = Lock()
        self._inbox: Inbox[Signal] = Inbox()
        self._state: LoopState = "idle"
        self._progress: SyncProgress | None = None
        self._last_error: str | None = None
        self._last_attempt_us = 0
        self._next_attempt_us = 0
        self._failures = 0
        self._live_failures = 0
        self._stopped = False
        self._live = False

    def wake(self) -> None:
        """Try now."""
        self._inbox.put(WAKE)

    def stop(self) -> None:
        """Let `run` return."""
        self._stopped = True
        self._inbox.put(STOP)

    def changed(self, changes: list[Change]) -> None:
        """Hear of saves here."""
        if any(change.origin == "local" for change in changes):
            self._inbox.put(SAVED)

    async def status(self) -> ReplicaStatus:
        """Tell where everything stands."""
        replica = self._replica
        found = await replica._do(listing.counts)
        local = replica._open
        oldest_us = found["oldest_pending_us"]
        return ReplicaStatus(
            state="live" if self._live and self._state == "idle" else self._state,
            pending=found["pending"],
            synced=found["records"] - found["pending"] - found["blocked"],
            rejected=found["rejected"],
            conflicted=found["conflicted"],
            needs_review=found["needs_review"],
            oldest_pending_seconds=None if oldest_us is None else max(0.0, (replica._now_us() - oldest_us) / 1e6),
            last_success_us=found["last_success_us"],
            last_attempt_us=self._last_attempt_us,
            last_error=self._last_error,
            next_attempt_us=self._next_attempt_us,
            repairs=local.device.identity.repairs,
            progress=self._progress,
            client_id=local.client_id,
            server=self._account.server,
            user_id=local.user.id if local.user else None,
        )

    async def sync(self, progress: Callable[[SyncProgress], None] | None = None) -> SyncReport:
        """Push and pull until there is nothing more. Raises a SyncFailed."""
        async with self._lock:
            self._state, self._last_attempt_us = "syncing", self._replica._now_us()
            try:
                report = await self._sync(progress)
                if await self._replica._do(settle):
                    report = report.followed_by(await self._sync(progress))
            except SyncFailed as error:
                self._last_error = str(error)
                self._state = _state_after(error)
                raise
            finally:
                self._progress = None
                if self._state == "syncing":
                    self._state = "idle"
            self._last_error = None
            await learn_names(self._replica, self._account)
            return report

    async def run(self) -> None:
        """Sync for as long as it is let."""
        self._stopped = False
        while not self._stopped:
            self._inbox.clear()
            try:
                await self.sync()
                # A sign-in wakes the loop, and this sync may be the one that signed in.
                self._inbox.discard(WAKE)
                self._failures = 0
                while await self._replica._do(index_some_words):
                    pass
                await self._stay_connected()
            except ReplicaClosed:
                return
            except (SyncFailed, ReplicaError, *REFUSED_HERE) as error:
                await self._pause_after(error)

    async def _sync(self, progress: Callable[[SyncProgress], None] | None) -> SyncReport:
        """Sync; once more where the server knows this client id as another device's."""
        await self._account.ready()
        try:
            return await self._drain(progress)
        except ServerRefused as error:
            if error.code != CLIENT_ID_TAKEN:
                raise
        await self._replica._do(take_new_client_id)
        return await self._drain(progress)

    async def _drain(self, progress: Callable[[SyncProgress], None] | None) -> SyncReport:
        # Imported with the first sync: a watch that only logs does without.
        from apex_client.stepping import absorb, begin_session, next_message, note_success, read

        replica, transport = self._replica, self._account.transport
        began_us, up, down = replica._now_us(), transport.bytes_up, transport.bytes_down
        session, waiting = await replica._do(begin_session)
        tally = session.tally
        round_trips = 0

        def tell() -> None:
            self._progress = SyncProgress(
                pushed=tally.acknowledged,
                push_total=max(waiting, tally.acknowledged),
                pulled=tally.pulled,
                pull_total=tally.pulled + tally.pull_remaining,
                bytes_up=transport.bytes_up - up,
                bytes_down=transport.bytes_down - down,
                round_trips=round_trips,
            )
            if progress:
                progress(self._progress)

        tell()
        async with exchanging(self._account.exchange) as exchanges:
            while True:
                while exchanges.count < OVERLAP_MAX and (message := await replica._run(next_message, session)):
                    exchanges.start(message)
                if not exchanges.count:
                    break
                answer = await exchanges.next()
                round_trips += 1
                response, ahead = await replica._run(read, session, answer)
                if ahead is not None:
                    exchanges.start(ahead)
                await replica._run(absorb, session, response)
                tell()
        pending = await replica._do(note_success, session)
        return SyncReport(
            pushed=tally.pushed,
            acknowledged=tally.acknowledged,
            pulled=tally.pulled,
            conflicts=tally.conflicts,
            rejected=tally.rejected,
            reissued=tally.reissued,
            repaired=tally.repaired,
            forgotten=tally.forgotten,
            pending=pending,
            bytes_up=transport.bytes_up - up,
            bytes_down=transport.bytes_down - down,
            round_trips=round_trips,
            seconds=(replica._now_us() - began_us) / 1e6,
        )

    async def _stay_connected(self) -> None:
        """Go live; without a live channel, look again when something is saved or after a while.

        A proxy that lets no WebSocket through cannot be told from a bad moment, so that while is short at first.
        """
        self._live_failures += 1
        try:
            channel = await self._account.connect()
            if channel is None:
                await self._wait(POLL_SECONDS, WAKE, SAVED)
                return
            async with pumping(channel, self._inbox.put):
                self._live = True
                try:
                    await self._converse(channel)
                finally:
                    self._live = False
        except (ServerUnreachable, ServerRefused, BadAnswer):
            if not self._live_failures:
                raise
            await self._wait(self._pause_seconds(self._live_failures, POLL_SECONDS), WAKE, SAVED)

    async def _converse(self, channel: LiveChannel) -> None:
        """Send saves up and take news in until something calls for a full sync. Raises ServerUnreachable."""
        from apex_client.stepping import LiveConversation

        conversation = await self._replica._do(LiveConversation)
        frame: bytes | None = await self._replica._run(conversation.open)
        while not self._stopped:
            if frame is not None:
                await channel.send(frame)
            signal = await self._inbox.get(ANSWER_SECONDS_MAX if conversation.awaits_answer else LIVE_CHECK_SECONDS)
            if isinstance(signal, bytes):
                try:
                    frame = await self._replica._run(conversation.take, signal)
                except ServerBusy as error:
                    self._account.hold_off(error.retry_after)
                    raise
                self._live_failures = 0
            elif signal == SAVED:
                frame = await self._replica._run(conversation.push)
            elif isinstance(signal, SyncFailed):
                raise signal
            elif signal is None and conversation.awaits_answer:
                raise ServerUnreachable(self._account.server or "", "no answer on the live channel")
            elif signal is None or signal == WAKE:
                return
            if conversation.needs_sync:
                await self._wait(PAUSE_SECONDS_MIN, WAKE)
                return

    async def _pause_after(self, error: ClientError) -> None:
        """Wait until another attempt is sensible."""
        self._last_error, self._state = str(error), _state_after(error)
        if isinstance(error, (NoServer, SignedOut, AccountErased, *REFUSED_HERE)):
            await self._wait(None, WAKE)
            return
        if isinstance(error, ServerBusy):
            seconds = error.retry_after * (1 + 0.1 * self._chance())
        else:
            self._failures += 1
            seconds = self._pause_seconds(self._failures, PAUSE_SECONDS_MAX)
        self._next_attempt_us = self._replica._now_us() + int(seconds * 1e6)
        await self._wait(seconds, WAKE)
        self._next_attempt_us = 0

    async def _wait(self, seconds: float | None, *signals: str) -> None:
        """Wait so long, or until one of the signals comes; others do not lengthen it."""
        ends = None if seconds is None else waiting_clock() + seconds
        while not self._stopped:
            signal = await self._inbox.get(None if ends is None else max(0.0, ends - waiting_clock()))
            if signal is None or signal in signals:
                return

    def _pause_seconds(self, failures: int, longest_seconds: float) -> float:
        """Draw a pause, the longer the more attempts in a row have failed."""
        longest = min(longest_seconds, PAUSE_SECONDS_MIN * 2.0 ** min(failures, 16))
        return longest * self._chance()

    def _chance(self) -> float:
        """Draw a number from 0 to 1."""
        return int.from_bytes(self._replica._entropy(4), "big") / 2**32


def _state_after(error: ClientError) -> LoopState:
    if isinstance(error, NoServer):
        return "no_server"
    if isinstance(error, AccountErased):
        return "erased"
    return "signed_out" if isinstance(error, (SignedOut, *REFUSED_HERE)) else "waiting"
