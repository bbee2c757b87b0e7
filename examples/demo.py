"""The whole story: a phone and a watch log offline, both sync, the coach sees one reconciled and analysed history.

`make demo [FILE=export.csv]` plays it and ends; `make serve` plays it where it has not been played yet, and then keeps
its data served. Everything is real: replicas in SQLite files, a server with its own Postgres, HTTP between them.
"""

import argparse
import asyncio
import re
import shutil
import sys
from contextlib import AsyncExitStack
from datetime import date
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from random import Random
from uuid import UUID

from demo_sample import write_sample_export
from demo_screen import Screen

from apex_client import Credentials, Replica
from apex_client.importers import ImportFailed, UnitNeeded
from apex_client.status import SyncReport
from apex_server.db import Database, DatabaseError
from apex_server.logs import configure_logs
from apex_server.serving import ServerNotAnswering, address_of, serving
from apex_server.settings import Settings, SettingsError
from apex_server.sync.sealing import EXERCISE_NAME, seal_of_scope
from apex_sync.errors import ApexError

HERE = Path(".cache/demo")
PLAYED = HERE / "played"
PASSWORD = "offline-is-fine"  # noqa: S105 - of two accounts that live in a demo.
COACH = Credentials("coach@apex.example", PASSWORD)
ATHLETE = Credentials("mara@apex.example", PASSWORD)
QUIET_SECONDS = 1.0
MAIL_TIMEOUT_SECONDS = 20.0
ANALYSIS_TIMEOUT_SECONDS = 60.0
POLL_SECONDS = 0.3
SEED = 7
LINK = re.compile(r"/verify-email#([\w-]+)")
TODAY = date.today()  # noqa: DTZ011 - the athlete trains today, by the clock of this machine.


async def main() -> int:
    """Play the story, or serve what it left."""
    arguments = read_arguments()
    screen = Screen()
    prepare(keep=arguments.serve)
    wanted = demo_settings(arguments.port)
    configure_logs(wanted.log_level)
    async with serving(wanted) as settings:
        address = address_of(settings)
        screen.said(f"server with its own Postgres at {settings.page_url}")
        if not PLAYED.exists():
            await play(address, settings, arguments.file, screen)
            PLAYED.touch()
        if arguments.serve:
            screen.served(settings.page_url, COACH, ATHLETE)
            await asyncio.Event().wait()
    return 0


async def play(address: str, settings: Settings, export: Path | None, screen: Screen) -> None:
    """Tell the story from the first offline set to the approved analysis."""
    async with AsyncExitStack() as stack:
        phone, watch, coach = [
            await stack.enter_async_context(
                Replica.open(HERE / f"{name}.db", device_name=name.title(), device_kind=kind)
            )
            for name, kind in (("phone", "phone"), ("watch", "watch"), ("coach", "desktop"))
        ]
        screen.chapter("The phone logs offline, before it has ever seen a server")
        await import_history(phone, export, screen)
        log = await phone.workouts.start(title="Push", start_time=f"{TODAY}T18:05:00", date=TODAY)
        for reps in (8, 8, 7):
            await log.add_set("Bench Press (Barbell)", reps=reps, load=225, unit="lb", rpe=8.5)
        screen.said(f"logged 3 sets of {log.title!r} on {log.date}; {(await phone.status()).pending} records wait")

        screen.chapter("The coach invites, the athlete signs up, everything logged so far goes up")
        await coach.register(address, COACH.email, COACH.password, name="Coach Ines", role="coach")
        invite = await coach.request("POST", "/api/invites", {})
        await phone.register(address, ATHLETE.email, ATHLETE.password, name="Mara", invite=invite["code"])
        first_push = await synced(phone, "phone", screen)
        for device in (coach, phone):
            await open_mail(device, settings)
        screen.said("both open the mail that confirms their address; now they may sign in on other devices")
        await watch.login(address, ATHLETE.email, ATHLETE.password)
        await synced(watch, "watch", screen)

        screen.chapter("Both go offline; the watch carries on, and both edit the same workout")
        on_watch = await watch.workouts.get(log.id)
        for reps in (10, 9, 9):
            await on_watch.add_set("Lateral Raise (Dumbbell)", reps=reps, load=10, unit="kg", rpe=9)
        await on_watch.edit_set(on_watch.sets[0], reps=9)
        await on_watch.rate(fatigue=8)
        screen.said("watch: 3 sets of lateral raises, first bench set corrected to 9 reps, fatigue 8")
        await log.note("Bar speed was fine, right shoulder a bit stiff.")
        await log.edit_set(log.sets[2], rpe=9.5)
        await log.rate(fatigue=6)
        await log.finish(end_time=f"{TODAY}T19:10:00")
        screen.said("phone: a note, RPE of the third bench set, fatigue 6, finished")
        answers = {"energy": 4, "sleep": 4, "stress": 8, "soreness": 8, "hunger": 6, "adherence": 9}
        check_in = await phone.checkins.draft(
            date=TODAY, weight=181.5, unit="lb", responses=answers, notes="Rough week."
        )
        await check_in.submit()
        screen.said("phone: check-in submitted (energy 4, sleep 4, stress 8, soreness 8)")

        screen.chapter("Both sync, in either order")
        await synced(watch, "watch", screen)
        await synced(phone, "phone", screen)
        await synced(watch, "watch", screen)
        screen.merged(await log.refresh(), await on_watch.refresh())
        conflicts = await phone.conflicts.list()
        screen.conflicts(conflicts)
        if log.snapshot.state != on_watch.snapshot.state or [found.path for found in conflicts] != ["fatigue"]:
            raise SystemExit("phone and watch do not agree, or the conflict is not the one that was made")

        screen.chapter("What the coach sees: the same history, read from Postgres by SQL as the coach")
        await show_postgres(settings, coach, phone, screen)

        screen.chapter("Analysis of what changed")
        await synced(coach, "coach", screen)
        await show_analysis(coach, phone, check_in.id, screen)
        screen.figures(first_push)


async def import_history(phone: Replica, export: Path | None, screen: Screen) -> None:
    """Import an export on the phone; a unit the file does not state is the importer's guess, and said so."""
    path = export or write_sample_export(HERE / "strong_sample.csv", Random(SEED), until=TODAY)
    with screen.progress(f"importing {path.name}") as advance:
        try:
            report = await phone.import_file(path, unit=None if export else "kg", progress=advance)
        except UnitNeeded as question:
            screen.said(f"{path.name} does not state its unit; taking {question.guess} ({question.evidence})")
            report = await phone.import_file(path, unit=question.guess, progress=advance)
    screen.imported(report)


async def open_mail(device: Replica, settings: Settings) -> None:
    """Follow the link in the mail to whoever is signed in; without SMTP the server keeps what it mails in a folder."""
    assert device.user is not None
    async with asyncio.timeout(MAIL_TIMEOUT_SECONDS):
        while True:
            for path in (settings.data_dir / "mails").glob("*.eml"):
                mail = message_from_bytes(path.read_bytes(), EmailMessage, policy=default)
                text = mail.get_body(("plain",))
                link = LINK.search(text.get_content()) if text else None
                if link and mail["To"] == device.user.email:
                    await device.request("POST", "/api/auth/verify-email", {"token": link[1]})
                    return
            await asyncio.sleep(POLL_SECONDS)


async def synced(replica: Replica, name: str, screen: Screen) -> SyncReport:
    """Sync a device with a progress bar, and say what went over the wire."""
    with screen.progress(f"{name} syncs") as advance:
        report = await replica.sync(progress=advance)
    screen.synced(name, report)
    return report


async def show_postgres(settings: Settings, coach: Replica, phone: Replica, screen: Screen) -> None:
    """Query the projections under row-level security, as the coach; open the names with the key of the athlete."""
    assert coach.user is not None
    assert phone.user is not None
    async with Database.open(settings) as database, database.request(UUID(coach.user.id)) as connection:
        seal = await seal_of_scope(connection, database.vault, f"athlete:{phone.user.id}")
        for title, query in screen.QUERIES.items():
            rows = await connection.fetch(query)
            screen.rows(title, rows, opened=lambda name: seal.open_name(name, EXERCISE_NAME))


async def show_analysis(coach: Replica, phone: Replica, check_in_id: str, screen: Screen) -> None:
    """Wait for the draft, approve it, and see it arrive at the athlete."""
    deadline = asyncio.get_running_loop().time() + ANALYSIS_TIMEOUT_SECONDS
    drafts = []
    while not any(draft.state.get("about_id") == check_in_id for draft in drafts):
        if asyncio.get_running_loop().time() > deadline:
            raise SystemExit(f"no analysis within {ANALYSIS_TIMEOUT_SECONDS:.0f} s; is the worker running?")
        await asyncio.sleep(POLL_SECONDS)
        await coach.sync()
        drafts = await coach.insights.list(status="draft")
    screen.insights(drafts)
    draft = next(draft for draft in drafts if draft.state.get("about_id") == check_in_id)
    await phone.sync()
    screen.said(
        f"before approval the phone shows: {(await phone.checkins.get(check_in_id)).record.ai_summary or 'nothing'}"
    )
    await coach.insights.approve(draft)
    await coach.sync()
    while not (summary := (await phone.checkins.get(check_in_id)).record.ai_summary):
        if asyncio.get_running_loop().time() > deadline:
            raise SystemExit(f"the approved text did not arrive within {ANALYSIS_TIMEOUT_SECONDS:.0f} s")
        await asyncio.sleep(POLL_SECONDS)
        await phone.sync()
    screen.said(f"after the coach has approved: {summary}")


def prepare(*, keep: bool) -> None:
    """Make room for the demo; what was played to its end before may be kept."""
    if not keep or not PLAYED.exists():
        shutil.rmtree(HERE, ignore_errors=True)
        HERE.mkdir(parents=True)


def demo_settings(port: int) -> Settings:
    """Give the settings of a server under .cache/demo that analyses soon."""
    return Settings.from_environment(
        {
            "APEX_DATA_DIR": str(HERE / "server"),
            "APEX_PORT": str(port),
            "APEX_ANALYSIS_QUIET_SECONDS": str(QUIET_SECONDS),
            "APEX_LOG_LEVEL": "warning",
        }
    )


def read_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--file", type=Path, help="an export of Strong, Hevy or FitNotes instead of the made-up one")
    parser.add_argument("--serve", action="store_true", help="keep the data served afterwards")
    parser.add_argument("--port", type=int, default=8321)
    arguments = parser.parse_args()
    if arguments.file is not None and not arguments.file.is_file():
        parser.error(f"there is no file {arguments.file}")
    return arguments


if __name__ == "__main__":
    try:
        sys.exit(asyncio.run(main()))
    except KeyboardInterrupt:
        sys.exit(0)
    except (ApexError, ImportFailed, SettingsError, DatabaseError, ServerNotAnswering) as error:
        sys.exit(f"the demo ends here: {error}")
