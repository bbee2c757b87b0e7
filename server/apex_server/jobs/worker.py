"""The worker process: turns settled marks into jobs, does them, and carries what coaches decide to athletes.

Any number of workers share the work. What one was doing when it was killed is done by another after
`HEARTBEAT_TIMEOUT_SECONDS`; nothing depends on a worker's memory. Without Postgres they wait for it.
"""

import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime, timedelta
from functools import partial
from typing import get_args
from uuid import UUID

import anyio
import msgspec
import structlog
from msgspec import Struct
from pgqueuer.errors import RetryRequested
from pgqueuer.models import Job
from pgqueuer.qm import QueueManager

from apex_server.ai import TemplateWording, Wording
from apex_server.ai.ledger import Ledger
from apex_server.ai.opening import open_model
from apex_server.ai.wording import InsightKind
from apex_server.clock import wall_clock
from apex_server.db import Database, DatabaseError, DatabaseUnavailable, Hint, HintHub, load_queries
from apex_server.db.background import in_background
from apex_server.db.pool import COMMIT_LIMITS, open_pool
from apex_server.db.roles import COMMIT_ROLE, role_urls
from apex_server.errors import ServerBusy
from apex_server.invite_drafts import InviteDrafts
from apex_server.jobs.analysis import Analyst
from apex_server.jobs.builtin_library import keep_builtin_library
from apex_server.jobs.nightly import Nightly
from apex_server.jobs.publishing import Publisher
from apex_server.jobs.queue import queue_manager
from apex_server.jobs.repeating import every, log_failure, passes, passing
from apex_server.jobs.signed_out_keys import withdraw_signed_out_keys
from apex_server.jobs.subjects import KINDS
from apex_server.jobs.unread_messages import ask_for_letters
from apex_server.key_renewal import KeyRenewal
from apex_server.mail import MailSender, mailer_of
from apex_server.media import MediaKeeper, media_store_of
from apex_server.personal_data import Eraser, Exporter, Retention
from apex_server.refused_sign_ins import record_refused_sign_ins
from apex_server.settings import Settings, SettingsError
from apex_server.sync import (
    Committer,
    PostgresCommitStore,
    compact_long_records,
    load_identity,
    projections_are_current,
    rebuild_projections,
)
from apex_server.vault import KeyDestroyed, VaultError

__all__ = ["Worker", "run_worker"]

SWEEP_SECONDS = 1.0
"""How late a settled mark is seen; a sweep is two index look-ups."""

HEARTBEAT_TIMEOUT_SECONDS = 30.0
"""A job whose worker has not been heard of for so long is another worker's."""

POLL_SECONDS = 5.0
"""How late a job is seen whose notification was lost."""

BATCH_JOBS = 2
CONCURRENT_JOBS_MAX = 4
"""Jobs wait for the model most of the time, but reading ten years of logs is a second of CPU."""

ATTEMPTS_MAX = 5
"""A job that finds its records busy so often, over about half a minute, is held; any other failure is at once."""

RETRY_SECONDS_MAX = 64
"""A job that finds Postgres gone or full waits as long as that takes, and looks about once a minute."""

QUEUE_CONNECTIONS_MAX = 3
DELIVERY_RECHECK_SECONDS = 300.0
"""How late a decision is seen whose hint was lost."""

MAIL_SECONDS = 1.0
"""How late a mail that was asked for is sent; looking is one probe of an index that is nearly always empty."""

ERASE_SECONDS = 60.0
"""How late an erasure begins after its 30 days; looking is one probe of an index that is nearly always empty."""

EXPORT_SECONDS = 2.0
"""How late an export is begun."""

REFUSED_SIGN_INS_SECONDS = 60.0
"""How late somebody reads of refused sign-ins; those of one minute are one entry, so nobody's audit is flooded."""

MEDIA_SECONDS = 1.0
"""How late a photo is looked at that came in; looking is one probe of an index that is nearly always empty."""

MEDIA_SWEEP_SECONDS = 10.0
"""How late the store forgets what was deleted, or erased with its person."""

MEDIA_STRAYS_SECONDS = 24 * 3600.0
"""Between looks for what lies in the store without a row, which only a restored backup leaves."""

RENEWAL_SECONDS = 5.0
"""How late a data key goes on in its renewal; looking is one probe of an index that is nearly always empty."""

LINKS_SECONDS = 5.0
"""How late a new coach of an athlete is noticed."""

KEYS_SECONDS = 5.0
"""How late nothing is encrypted any more for a device that was signed out."""

UNREAD_MESSAGES_SECONDS = 900.0
"""How late a letter about unread messages is asked for, hours after they came; looking at each who wants one is a
second for a thousand of them."""

KEEP_HOUSE_SECONDS = 3600.0
JOB_LOG_DAYS = 14

NIGHTLY_SECONDS = 5.0
"""Between the steps of a night's work; looking whether there is any is two probes of a table of two rows."""

COMPACT_SECONDS = 2.0
"""How late a record that has grown long is noticed; looking is one probe of an index that is nearly always empty."""

PROJECTIONS_SECONDS = 3600.0
"""Projections can only be another version's when a server starts; a rebuild that failed then is tried again."""

LIBRARY_SECONDS = 3600.0
"""The built-in library can only be another version's when a server starts; where that failed it is tried again."""

RESTART_SECONDS = 1.0
RESTART_AFTER_BUG_SECONDS = 10.0
"""Its traceback goes to the log each time."""

JOB_NAME = "analysis"

_log = structlog.get_logger(__name__)
_queries = load_queries(__package__)


class AnalysisJob(Struct, frozen=True):
    """What a job says: whose records, and which rules."""

    athlete_id: UUID
    kind: str


async def run_worker(settings: Settings) -> None:
    """Work until SIGTERM or SIGINT; what is under way is then finished.

    Whatever else goes wrong is logged, and the worker opens anew. Raises SettingsError without a database,
    DatabaseNotMigrated and the like for one that is not ready, MasterKeyMissing for one sealed under another key.
    """
    if settings.database_url is None:
        raise SettingsError("APEX_DATABASE_URL", "is needed: a worker starts no Postgres of its own")
    stop = anyio.Event()
    async with in_background(partial(set_on_signal, stop)):
        while not stop.is_set():
            try:
                async with Worker.open(settings) as worker:
                    await worker.run(stop)
            except Exception as error:  # A bug in one job, or in the queue, must not leave all others undone.
                if isinstance(error, DatabaseError | SettingsError | VaultError) and not isinstance(
                    error, DatabaseUnavailable
                ):
                    raise
                log_failure("worker_opens_anew", error)
                with anyio.move_on_after(RESTART_SECONDS if passes(error) else RESTART_AFTER_BUG_SECONDS):
                    await stop.wait()


class Worker:
    """One worker on a database; made by `Worker.open`."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        queue: QueueManager,
        analyst: Analyst,
        publisher: Publisher,
        mails: MailSender,
        committer: Committer,
        hints: HintHub,
        *,
        now: Callable[[], datetime],
    ) -> None:
        self.analyst = analyst
        self.publisher = publisher
        self.mails = mails
        self.drafts = InviteDrafts(database, committer)
        self.eraser = Eraser(database, forgettings=[mails.forget_person], backup_dir=settings.backup_dir, now=now)
        media_store = media_store_of(settings)
        self.exporter = Exporter(database, media_store, now=now)
        self.media = MediaKeeper(database, media_store, now=now)
        self.key_renewal = KeyRenewal(database, now=now)
        self.nightly = Nightly(database, now=now)
        self.retention = Retention(database, settings.backup_dir, text_folder=settings.data_dir / "texts", now=now)
        self._settings = settings
        self._database = database
        self._queue = queue
        self._committer = committer
        self._hints = hints
        self._now = now
        self._moved: set[str] = set()
        self._all_moved = True
        self._moved_on = anyio.Event()

    @classmethod
    @asynccontextmanager
    async def open(
        cls, settings: Settings, *, now: Callable[[], datetime] | None = None, wording: Wording | None = None
    ) -> AsyncIterator["Worker"]:
        """Open everything a worker needs. Raises DatabaseUnavailable."""
        clock = now or wall_clock
        async with AsyncExitStack() as stack:
            database = await stack.enter_async_context(Database.open(settings))
            hints = await stack.enter_async_context(HintHub.open(settings))
            urls = role_urls(settings)
            pool = await stack.enter_async_context(
                open_pool(
                    urls.commit,
                    "APEX_DATABASE_URL_COMMIT",
                    COMMIT_ROLE,
                    COMMIT_LIMITS,
                    QUEUE_CONNECTIONS_MAX,
                    former_urls=urls.former_commit,
                )
            )
            if wording is None:
                wording = await stack.enter_async_context(open_wording(settings, database))
            committer = Committer(
                PostgresCommitStore(database),
                identity=await load_identity(database, settings.secret, *settings.former_secrets),
                now_us=lambda: round(clock().timestamp() * 1_000_000),
                hints=hints.publish,
            )
            yield cls(
                settings,
                database,
                queue_manager(pool),
                Analyst(database, committer, wording, now=clock),
                Publisher(database, committer, now=clock),
                MailSender(database, mailer_of(settings, now=clock), public_url=settings.page_url, now=clock),
                committer,
                hints,
                now=clock,
            )

    async def run(self, stop: anyio.Event) -> None:
        """Work until told to stop, or Postgres is lost."""
        self._queue.entrypoint(JOB_NAME, on_failure="hold")(self._do)
        unsubscribe = self._hints.subscribe(self._on_hints, self._on_resync)
        try:
            async with in_background(
                partial(every, SWEEP_SECONDS, self.sweep),
                partial(every, LINKS_SECONDS, self.welcome_new_links),
                partial(every, LINKS_SECONDS, self.drafts.lay_down),
                partial(every, KEYS_SECONDS, self.withdraw_keys),
                partial(every, UNREAD_MESSAGES_SECONDS, self.tell_of_messages),
                partial(every, KEEP_HOUSE_SECONDS, self.keep_house),
                partial(every, NIGHTLY_SECONDS, self.nightly.step),
                partial(every, COMPACT_SECONDS, self.compact),
                partial(every, PROJECTIONS_SECONDS, self.project_anew),
                partial(every, LIBRARY_SECONDS, self.keep_library),
                partial(every, MAIL_SECONDS, self.mails.send_due),
                partial(every, REFUSED_SIGN_INS_SECONDS, partial(record_refused_sign_ins, self._database)),
                partial(every, ERASE_SECONDS, self.eraser.erase_due),
                partial(every, EXPORT_SECONDS, self.exporter.make_next),
                partial(every, MEDIA_SECONDS, self.media.check_all),
                partial(every, MEDIA_SWEEP_SECONDS, self.media.sweep),
                partial(every, MEDIA_STRAYS_SECONDS, self.media.note_strays),
                partial(every, RENEWAL_SECONDS, self.key_renewal.step),
                self._deliver_decisions,
                partial(self._stop_queue, stop),
            ):
                await self._queue.run(
                    batch_size=BATCH_JOBS,
                    max_concurrent_tasks=CONCURRENT_JOBS_MAX,
                    dequeue_timeout=timedelta(seconds=POLL_SECONDS),
                    heartbeat_timeout=timedelta(seconds=HEARTBEAT_TIMEOUT_SECONDS),
                    log_aggregation_interval=timedelta(0),
                    shutdown_on_listener_failure=True,
                )
        finally:
            unsubscribe()

    async def sweep(self) -> None:
        """Make due what has settled, and give the queue what is due."""
        now = self._now()
        quiet = timedelta(seconds=self._settings.analysis_quiet_seconds)
        longest = timedelta(seconds=self._settings.analysis_max_seconds)
        async with self._database.commit_connection() as connection:
            await connection.execute(_queries.settle_dirty, now - quiet, now - longest, list(KINDS))
            due = await connection.fetch(_queries.list_due_without_job)
        if due:
            jobs = [AnalysisJob(row["athlete_id"], row["kind"]) for row in due]
            await self._queue.queries.enqueue(
                [JOB_NAME] * len(jobs),
                [msgspec.json.encode(job) for job in jobs],
                [0] * len(jobs),
                dedupe_key=[f"{JOB_NAME}:{job.kind}:{job.athlete_id}" for job in jobs],
                on_conflict="skip",
            )

    async def welcome_new_links(self, *, everybody: bool = False) -> None:
        """Make the first analysis for a coach due, for those who came lately or for all who have none."""
        async with self._database.commit_connection() as connection:
            span = timedelta(seconds=2 * LINKS_SECONDS)
            await connection.execute(_queries.ask_for_new_links, span, everybody, list(KINDS))

    async def withdraw_keys(self, *, everybody: bool = False) -> None:
        """Have nothing encrypted any more for devices that were signed out, lately or whenever."""
        lately = None if everybody else timedelta(seconds=4 * KEYS_SECONDS)
        count = await withdraw_signed_out_keys(self._database, self._committer, lately=lately, now=self._now())
        if count:
            _log.info("keys_withdrawn", keys=count)

    async def tell_of_messages(self) -> None:
        """Have those written to who want to hear of unread messages."""
        count = await ask_for_letters(self._database, now=self._now())
        if count:
            _log.info("letters_about_messages", letters=count)

    async def keep_house(self) -> None:
        """Forget what nobody looks at any more, and see to links that were missed."""
        await self.welcome_new_links(everybody=True)
        await self.withdraw_keys(everybody=True)
        async with self._database.commit_connection() as connection:
            await connection.execute(_queries.forget_old_jobs, self._now() - timedelta(days=JOB_LOG_DAYS))
        await Ledger(self._database, now=self._now).forget_old()
        await self.mails.forget_old()
        await self.exporter.forget_old()
        await self.retention.forget_old()
        await self.media.forget_deleted()

    async def compact(self) -> None:
        """Shorten the histories that have grown long."""
        count = await compact_long_records(self._database, self._committer)
        if count:
            _log.info("records_compacted", records=count)

    async def project_anew(self) -> None:
        """Make the relational rows anew where another version made those that are there, or a restore left none."""
        if not await projections_are_current(self._database):
            _log.info("projections_rebuilding")
            _log.info("projections_rebuilt", records=await rebuild_projections(self._database))

    async def keep_library(self) -> None:
        """Give everybody the exercises of this version."""
        count = await keep_builtin_library(self._database, self._committer)
        if count:
            _log.info("builtin_library_written", records=count)

    async def _do(self, job: Job) -> None:
        asked = msgspec.json.decode(job.payload or b"", type=AnalysisJob)
        try:
            for kind in get_args(InsightKind):
                if kind == asked.kind:
                    await self.analyst.analyse(asked.athlete_id, kind)
        except KeyDestroyed:
            _log.info("nobody_to_analyse", athlete_id=str(asked.athlete_id))
        except (DatabaseUnavailable, ServerBusy) as error:
            if isinstance(error, ServerBusy) and job.attempts >= ATTEMPTS_MAX:
                raise
            delay = timedelta(seconds=min(RETRY_SECONDS_MAX, 2 ** min(job.attempts, 10)))
            raise RetryRequested(delay, str(error)) from error

    async def _deliver_decisions(self) -> None:
        while True:
            moved, everything = list(self._moved), self._all_moved
            self._moved.clear()
            self._all_moved = False
            self._moved_on = anyio.Event()
            if moved or everything:
                await passing(partial(self.publisher.deliver_all, None if everything else moved))
            with anyio.move_on_after(DELIVERY_RECHECK_SECONDS) as waiting:
                await self._moved_on.wait()
            self._all_moved = self._all_moved or waiting.cancelled_caught

    async def _on_hints(self, hints: list[Hint]) -> None:
        private = {hint.scope for hint in hints if hint.scope.startswith("private:")}
        if private:
            self._moved |= private
            self._moved_on.set()

    async def _on_resync(self) -> None:
        self._all_moved = True
        self._moved_on.set()

    async def _stop_queue(self, stop: anyio.Event) -> None:
        await stop.wait()
        self._queue.shutdown.set()


@asynccontextmanager
async def open_wording(settings: Settings, database: Database) -> AsyncIterator[Wording]:
    """Give the model where one is configured, else the template."""
    async with open_model(settings, database, now=wall_clock) as model:
        if model is None:
            yield TemplateWording()
        else:
            from apex_server.ai.model_wording import ModelWording

            yield ModelWording(model, fallback=TemplateWording())


async def set_on_signal(stop: anyio.Event) -> None:
    """Set an event when the process is asked to end."""
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async for _ in signals:
            stop.set()
