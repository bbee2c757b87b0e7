"""A phone host: an async app logs while it syncs in the background, and hears at once what other devices write.

    python examples/phone.py --db phone.db
    python examples/phone.py --db phone.db --server http://127.0.0.1:8321 --email mara@apex.example < password.txt

Logging never waits for the network: the session below is saved before anybody has looked for a server.
"""

import argparse
import sys
from pathlib import Path

import anyio

from apex_client import Replica
from apex_client.errors import NoSuchRecord, ServerUnreachable

SENT_TIMEOUT_SECONDS = 20.0
POLL_SECONDS = 0.1


async def main() -> int:
    """Log a session; then, where a server is named, sync and listen for a while."""
    arguments = read_arguments()
    async with Replica.open(arguments.db, device_name="Phone", device_kind="phone") as phone:
        await log_session(phone)
        if arguments.server:
            await go_online(phone, arguments)
        status = await phone.status()
        print(f"{status.synced} records synced, {status.pending} waiting, {status.conflicted} with a conflict")
    return 0


async def log_session(phone: Replica) -> None:
    """Log what an app would log tap by tap; each call is durable when it returns."""
    log = await phone.workouts.start(title="Phone session")
    bench = await log.add_exercise("Bench Press")
    for reps in (8, 8, 7):
        await log.add_set(bench, reps=reps, load=225, unit="lb", rpe=8)
    await log.add_set("Lateral Raise", reps=12, load=10, unit="kg", rpe=9)
    await log.note("Bar speed was fine.")
    await log.finish()
    print(f"logged {len(log.sets)} sets, {log.volume_load_kg:,.0f} kg, without asking any network")


async def go_online(phone: Replica, arguments: argparse.Namespace) -> None:
    """Sync in the background for as long as the app is open, as a phone does."""
    try:
        if phone.user is None:
            await phone.login(arguments.server, arguments.email, sys.stdin.readline().strip())
    except ServerUnreachable as error:
        print(f"no network: {error}; next time")
        return
    async with anyio.create_task_group() as background:
        background.start_soon(phone.run)
        background.start_soon(show_news, phone)
        if not await everything_sent(phone):
            print(f"still unsent after {SENT_TIMEOUT_SECONDS:.0f} s: {(await phone.status()).last_error}")
        elif arguments.listen:
            print(f"in step with the server; listening for {arguments.listen:g} s", flush=True)
            await anyio.sleep(arguments.listen)
        phone.stop()
        background.cancel_scope.cancel()


async def everything_sent(phone: Replica) -> bool:
    """Wait until the server has acknowledged everything; False when that takes too long."""
    with anyio.move_on_after(SENT_TIMEOUT_SECONDS):
        while True:
            status = await phone.status()
            if status.state == "live" and not status.pending:
                return True
            await anyio.sleep(POLL_SECONDS)
    return False


async def show_news(phone: Replica) -> None:
    """Print what other devices have written, as it arrives; an app would redraw."""
    async for change in phone.changes("workout_logs"):
        if change.origin == "local":
            continue
        try:
            log = await phone.workouts.get(change.record_id)
        except NoSuchRecord:
            continue
        print(f"arrived: {log.title or 'a workout'} of {log.date}, {len(log.sets)} sets", flush=True)


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--db", type=Path, default=Path("phone.db"))
    parser.add_argument("--server", help="an Apex Sync server; without it the phone stays offline")
    parser.add_argument("--email", help="the account; its password is read from the standard input")
    parser.add_argument("--listen", type=float, default=0.0, metavar="SECONDS", help="stay and tell the news")
    arguments = parser.parse_args()
    if arguments.server and not arguments.email:
        parser.error("--server needs --email")
    return arguments


if __name__ == "__main__":
    sys.exit(anyio.run(main))
