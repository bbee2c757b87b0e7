"""`apex sync`: once, or for as long as it is let."""

from threading import Thread
from typing import TYPE_CHECKING, Annotated

import typer

from apex_client.cli.examples import examples
from apex_client.cli.naming import record_name, state_of
from apex_client.cli.opening import NO_DB, Db, opened
from apex_client.cli.screen import counted, escaped, progress, said, size

if TYPE_CHECKING:
    from apex_client.blocking import Replica
    from apex_client.status import ReplicaStatus, SyncReport

LOOK_SECONDS = 0.5
"""How often to look whether there is something to tell."""

STOP_SECONDS = 5.0
"""How long a round trip under way may take when the watch is ended."""


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command(rich_help_panel="Syncing", epilog=examples("apex sync", "apex sync --watch"))(sync)


def sync(
    watch: Annotated[
        bool, typer.Option("--watch", metavar="", help="Stay connected and tell what comes, until Ctrl-C.")
    ] = False,
    db: Db = NO_DB,
) -> None:
    """Send what is unsent and fetch what is new; safe to break off and repeat at any time."""
    with opened(db) as replica:
        with progress("syncing") as advance:
            report = replica.sync(progress=advance)
        _tell(report)
        if watch:
            _watch(replica)


def _tell(report: "SyncReport") -> None:
    said(
        f"[green]synced[/]: {counted(report.acknowledged, 'record')} sent, {report.pulled:,} received"
        f" [dim]· {size(report.bytes_up)} up, {size(report.bytes_down)} down,"
        f" {counted(report.round_trips, 'round trip')}, {report.seconds:.2f} s[/]"
    )
    if report.media_sent:
        said(f"{counted(report.media_sent, 'photo or file', 'photos and files')} sent")
    if report.pending:
        said(f"{counted(report.pending, 'record')} still to be sent; the next sync does it")
    if report.conflicts:
        said(f"[yellow]{counted(report.conflicts, 'conflict')}[/], nothing is lost: apex conflicts")
    if report.rejected:
        said(f"[red]{counted(report.rejected, 'edit')} refused by the server[/], kept here: apex rejected")
    if report.repaired:
        said(f"{counted(report.repaired, 'record')} differed from the server and were mended")
    if report.forgotten:
        said(f"access to {counted(report.forgotten, 'scope')} was withdrawn")


def _watch(replica: "Replica") -> None:
    """Sync in the background and tell what changes until somebody ends it."""
    said("[dim]watching; Ctrl-C ends it[/]")
    feed = replica.changes()
    failures: list[Exception] = []
    loop = Thread(target=_run, args=(replica, failures), daemon=True)
    loop.start()
    told = ""
    try:
        while loop.is_alive():
            change = feed.get(LOOK_SECONDS)
            if change is not None and change.origin != "local":
                state = state_of(replica, change.collection, change.record_id)
                said(f"{escaped(record_name(change.collection, state))} changed")
            words = _words(replica.status())
            if words != told:
                said(f"[dim]{words}[/]")
                told = words
        if failures:
            raise failures[0]
    except KeyboardInterrupt:
        said("stopped")
    finally:
        replica.stop()
        loop.join(STOP_SECONDS)


def _run(replica: "Replica", failures: list[Exception]) -> None:
    try:
        replica.run()
    except Exception as error:  # noqa: BLE001 - handed to the main thread, which words it.
        failures.append(error)


def _words(status: "ReplicaStatus") -> str:
    states = {"live": "live: changes arrive as they happen", "idle": "connected", "syncing": "connected"}
    words = states.get(status.state, status.state.replace("_", " "))
    if status.state == "waiting" and status.last_error:
        words = f"waiting to try again: {escaped(status.last_error)}"
    pending = f", {counted(status.pending, 'record')} unsent" if status.pending else ""
    return words + pending
