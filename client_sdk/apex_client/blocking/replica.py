# Made from ../replica.py by client_sdk/generate_blocking.py; edit that file instead.
"""The replica: an athlete's or a coach's records in one SQLite file, written and read offline, synced when possible.

    with Replica.open("athlete.db", server="https://coach.example") as replica:
        log = replica.workouts.start(title="Push")
        log.add_set("Bench Press", reps=8, load=225, unit="lb", rpe=8)
        log.finish()
        report = replica.sync()

What a call has saved is durable when it returns (one transaction for op, outbox and rows, `synchronous=FULL`). The
async twin is `apex_client.Replica`.
"""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import date as Date
from datetime import datetime, tzinfo
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Concatenate, Literal, ParamSpec, Self, TypeVar

from msgspec.structs import replace

from apex_client import listing, media_queue, searching
from apex_client.accounts import Credentials, DeviceKind, Role, User
from apex_client.blocking.account import Account
from apex_client.blocking.athletes import Athlete, Athletes
from apex_client.blocking.clients import Clients
from apex_client.blocking.conflicts import Conflicts
from apex_client.blocking.exercises import Exercises
from apex_client.blocking.feed import ChangeFeed, Feeds
from apex_client.blocking.foods import Foods
from apex_client.blocking.hop import StoreThread
from apex_client.blocking.importing import ImportProgress, import_file
from apex_client.blocking.insights import Insights
from apex_client.blocking.media import Media
from apex_client.blocking.messages import Messages
from apex_client.blocking.privacy import Privacy
from apex_client.blocking.query import Reader
from apex_client.blocking.records import Record, Records
from apex_client.blocking.rejected import Rejected
from apex_client.blocking.resources import AthleteResources
from apex_client.blocking.sync_loop import SyncLoop
from apex_client.blocking.transport import Transport
from apex_client.blocking.waiting import beside
from apex_client.encryption import EncryptionKey
from apex_client.errors import MfaRequired, ReplicaClosed
from apex_client.local import LocalReplica
from apex_client.overview import SearchHit
from apex_client.status import RecordStatus, ReplicaStatus, SyncProgress, SyncReport
from apex_client.times import calendar_day, wall_clock
from apex_sync.ids import entry_key_from
from apex_sync.models import ClientFile, DeviceKeys, Questionnaire

if TYPE_CHECKING:
    from apex_client.importers.run import ImportReport

P = ParamSpec("P")
T = TypeVar("T")


def system_now_us() -> int:
    """Read the wall clock in microseconds."""
    return time.time_ns() // 1000


class Replica(AthleteResources):
    """One device's copy of an athlete's records, or of all athletes of a coach; make it with `Replica.open`."""

    def __init__(
        self,
        path: Path,
        identity_dir: Path | None,
        server: str | None,
        credentials: Credentials | None,
        transport: Callable[[], Transport],
        load_unit: Literal["kg", "lb"],
        zone: tzinfo | None,
        device: tuple[str, DeviceKind],
        now_us: Callable[[], int],
        entropy: Callable[[int], bytes],
        key: EncryptionKey | None = None,
        on_account_erased: Callable[[], object] | None = None,
    ) -> None:
        self.path = path
        self.load_unit = load_unit
        self._identity_dir = identity_dir
        self._zone = zone
        self._now_us = now_us
        self._entropy = entropy
        self._thread = StoreThread()
        self._key = key
        self._reader = Reader(path, key)
        self._feeds = Feeds()
        self._local: LocalReplica | None = None
        self._account = Account(self, transport, server, credentials, device, on_account_erased)
        self._loop = SyncLoop(self, self._account)
        super().__init__(self)
        self.exercises = Exercises(self)
        self.foods = Foods(self)
        self.questionnaires: Records[Record[Questionnaire]] = Records(self, "questionnaires")
        self.client_files: Records[Record[ClientFile]] = Records(self, "client_files")
        self.insights = Insights(self)
        self.messages = Messages(self)
        self.device_keys: Records[Record[DeviceKeys]] = Records(self, "device_keys")
        self.athletes = Athletes(self)
        self.conflicts = Conflicts(self)
        self.rejected = Rejected(self)
        self.privacy = Privacy(self)
        self.clients = Clients(self)
        self.media = Media(self)

    @classmethod
    def open(
        cls,
        path: str | Path,
        *,
        server: str | None = None,
        credentials: Credentials | None = None,
        identity_dir: str | Path | None = None,
        load_unit: Literal["kg", "lb"] = "kg",
        zone: tzinfo | None = None,
        device_name: str = "device",
        device_kind: DeviceKind = "phone",
        transport: Transport | None = None,
        ca_file: str | Path | None = None,
        allow_insecure: bool = False,
        encryption_key: EncryptionKey | None = None,
        on_account_erased: Callable[[], object] | None = None,
        now_us: Callable[[], int] = system_now_us,
        entropy: Callable[[int], bytes] = os.urandom,
    ) -> Self:
        """Name the file to work in; it is opened, and made where there is none, by `with` or `start`.

        No network is needed, ever, to open and to log. `server` and `credentials` are used when a sync finds nobody
        signed in. `identity_dir` is a folder that the device's backups leave out (default: beside the file). `zone` is
        the athlete's time zone (default: the system's), `load_unit` the unit of loads that are given without one.

        A server must speak TLS 1.3 with a certificate of an authority in `ca_file` (default: the usual ones), unless it
        is this machine; with `allow_insecure`, plain http and TLS 1.2 will do.

        With an `encryption_key`, 32 bytes or a passphrase, the file is encrypted and was so from the beginning; a plain
        one is encrypted with `change_replica_key`. The key is kept in memory and written nowhere.

        `on_account_erased` is called when the server says that the account was erased, 30 days after its person had
        asked for it; then everything of it is taken off this device, and the sync ends with AccountErased.
        """
        return cls(
            Path(path),
            Path(identity_dir) if identity_dir is not None else None,
            server,
            credentials,
            partial(_transport, transport, ca_file, allow_insecure),
            load_unit,
            zone,
            (device_name, device_kind),
            now_us,
            entropy,
            encryption_key,
            on_account_erased,
        )

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def start(self) -> Self:
        """Open the file; the same as `with`. Raises a ReplicaError, with the file left as it is."""
        if self._local is None:
            self._local = self._thread.run(
                LocalReplica.open,
                self.path,
                self._identity_dir,
                now_us=self._now_us,
                entropy=self._entropy,
                key=self._key,
                device_name=self._account.device_name,
            )
        return self

    def close(self) -> None:
        """Close the file. Nothing is waited for: what is unsent goes with the next sync."""
        self._loop.stop()
        self.media.stop()
        self._account.close()
        self._reader.close()
        self._feeds.close()
        local, self._local = self._local, None
        if local is not None:
            self._thread.run(local.close)

    @property
    def user(self) -> User | None:
        """Whose replica this is; None before the first sign-in and after signing out."""
        return self._open.user

    @property
    def server(self) -> str | None:
        """The server it syncs with."""
        return self._account.server

    @property
    def client_id(self) -> int:
        """The id of this installation in every record it writes."""
        return self._open.client_id

    def login(self, server: str, email: str, password: str, *, mfa_code: str | None = None) -> User:
        """Sign in. Records made here before the first sign-in become the athlete's.

        `mfa_code` is of an authenticator app, or a recovery code, where the account has a second factor; without it
        MfaRequired is raised, for `finish_login`. Raises WrongCredentials, WrongCode, ServerUnreachable, and while
        somebody else is signed in SignedInAlready, or AnotherUser where work of theirs is unsent.
        """
        return self._account.login(server, email, password, mfa_code=mfa_code)

    def finish_login(self, demand: MfaRequired, code: str, *, method: str | None = None) -> User:
        """Sign in with the code that `login` asked for; what kind it is shows, unless `method` says it.

        Raises WrongCode, which leaves some more tries, and SignedOut when the sign-in is to begin anew.
        """
        return self._account.finish_login(demand, code, method=method)

    def send_mfa_code(self, demand: MfaRequired) -> None:
        """Have a code sent by SMS to the phone of whoever signs in. Raises ServerBusy when it is asked too often."""
        self._account.send_mfa_code(demand)

    def register(
        self, server: str, email: str, password: str, *, name: str, role: Role = "athlete", invite: str | None = None
    ) -> User:
        """Make an account and sign in; with a coach's `invite` code the athlete is linked at once.

        Raises SignedInAlready and AnotherUser as `login` does, and AccountExists where it is this replica's user whose
        session ended, before anything is made.
        """
        return self._account.register(server, email, password, name=name, role=role, invite=invite)

    def logout(self, *, discard_unsent: bool = False) -> None:
        """Sign out and take the user's records off this device.

        Raises UnsentWork while there is some, and AddressUnconfirmed while no other device could bring the records
        back, unless they are to be discarded. Works without a network.
        """
        self._account.logout(discard_unsent=discard_unsent)

    def request(self, method: str, path: str, json: Any = None) -> Any:
        """Call the server's REST API as the signed-in user and give the JSON it answers.

        Raises ServerRefused with the problem's `code`, SignedOut, ServerUnreachable.
        """
        return self._account.call(method, path, json)

    def reauthenticate(self, password: str, *, mfa_code: str | None = None) -> None:
        """Give the password again where SignInAgain was raised; for 15 minutes it is not asked for any more.

        Where the account has a second factor `mfa_code` is of the authenticator app, or a recovery code. Raises
        WrongCredentials, WrongCode, and ServerRefused with the code `second_factor_needed`.
        """
        self._account.reauthenticate(password, mfa_code)

    def athlete(self, athlete_id: str) -> Athlete:
        """Give the resources of one athlete on a coach's replica."""
        return self.athletes[athlete_id]

    def record(self, collection: str, record_id: str) -> Record[Any]:
        """Read a record of any collection. Raises NoSuchRecord."""
        held: Record[Any] = Records(self, collection).get(record_id)
        return held

    def query(
        self, sql: str, parameters: Sequence[Any] | Mapping[str, Any] = (), *, limit: int = 10_000
    ) -> list[dict[str, Any]]:
        """Run a SELECT over the tables of docs/sdk.md; at most `limit` rows. Raises QueryFailed."""
        self._open  # noqa: B018
        return self._reader.query(sql, parameters, limit)

    def search(self, text: str, *, limit: int = 50) -> list[SearchHit]:
        """Find records by words in titles, notes and names; the best match first."""
        return self._do(searching.hits, text, limit=limit)

    def changes(self, collection: str | None = None) -> ChangeFeed:
        """Watch records change, here or by a sync: `for change in replica.changes("workout_logs")`."""
        return self._feeds.subscribe(collection)

    def status(self) -> ReplicaStatus:
        """Tell what is pending, synced, rejected and conflicted, and how syncing goes."""
        return replace(self._loop.status(), **self._do(media_queue.counts))

    def status_of(self, record_id: str) -> RecordStatus:
        """Tell the same of one record. Raises NoSuchRecord."""
        return self._do(listing.record_status, record_id)

    def sync(self, *, progress: Callable[[SyncProgress], None] | None = None) -> SyncReport:
        """Send everything unsent and bring everything new, in as many round trips as it takes; then photos and files.

        Raises a SyncFailed; whatever was acknowledged or stored by then stays so, and syncing again is always safe.
        """
        report = self._loop.sync(progress)
        return replace(report, media_sent=self.media.upload(_telling(progress, report)))

    def run(self) -> None:
        """Sync in the background until `stop`: at once when something is saved, live while connected.

        No network, a busy server or a lost session are states (`status`), not exceptions; after a failure it tries
        again with growing, jittered pauses, or when the server said.
        """
        with beside(self.media.keep_uploading):
            self._loop.run()

    def stop(self) -> None:
        """Make `run` return at its next step."""
        self._loop.stop()
        self.media.stop()

    def wake(self) -> None:
        """Make `run` try now instead of at its next time: the device has a network again."""
        self._loop.wake()

    def import_file(
        self,
        path: str | Path,
        *,
        unit: Literal["kg", "lb"] | None = None,
        accept_doubled: Literal["once", "both"] | None = None,
        progress: Callable[[ImportProgress], None] | None = None,
    ) -> "ImportReport":
        """Import an export of Strong, Hevy, FitNotes or Fitbod; a second time adds nothing twice.

        Sessions that stand in the file twice over are quarantined, unless `accept_doubled` says to take one copy or
        both. Raises UnitNeeded and the other errors of `apex_client.importers`.
        """
        return import_file(self, Path(path), unit=unit, accept_doubled=accept_doubled, progress=progress)

    @property
    def _open(self) -> LocalReplica:
        if self._local is None:
            raise ReplicaClosed(self.path, "is not open")
        return self._local

    def _do(self, call: Callable[Concatenate[LocalReplica, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run something on the file, in its thread, and tell the watchers what changed."""
        return self._run(call, self._open, *args, **kwargs)

    def _run(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        result = self._thread.run(call, *args, **kwargs)
        changes = self._local.take_changes() if self._local else []
        if changes:
            self._feeds.publish(changes)
            self._loop.changed(changes)
        return result

    def _new_key(self) -> str:
        return entry_key_from(self._entropy(5))

    def _wall_clock(self, moment: datetime | str | None) -> str:
        return wall_clock(moment, self._now_us(), self._zone)

    def _day(self, day: Date | str | None) -> str | None:
        return calendar_day(day)


def _telling(progress: Callable[[SyncProgress], None] | None, report: SyncReport) -> Callable[[int, int], None] | None:
    """Give what tells of photos on their way, after all that was told of the records."""
    if progress is None:
        return None
    told = SyncProgress(
        pushed=report.acknowledged,
        push_total=report.acknowledged,
        pulled=report.pulled,
        pull_total=report.pulled,
        bytes_up=report.bytes_up,
        bytes_down=report.bytes_down,
        round_trips=report.round_trips,
    )
    return lambda sent, total: progress(replace(told, media_bytes=sent, media_bytes_total=total))


def _transport(given: Transport | None, ca_file: str | Path | None, allow_insecure: bool) -> Transport:
    if given is not None:
        return given
    from apex_client.blocking.http_transport import HttpTransport

    return HttpTransport(ca_file=ca_file, allow_insecure=allow_insecure)
