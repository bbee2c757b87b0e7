"""A watch-like host: a small process without an event loop logs sets, and syncs when there is a network.

    python examples/watch.py --db watch.db
    python examples/watch.py --db watch.db --server http://127.0.0.1:8321 --email mara@apex.example < password.txt

It prints what it cost: the time to the first durable set, and the memory of the process. Syncing loads the HTTP client
and zstd, so that is measured apart.
"""

import time

STARTED = time.perf_counter()

import argparse  # noqa: E402 - the clock has to run before anything is imported.
import sys  # noqa: E402
from pathlib import Path  # noqa: E402

from apex_client.blocking import Replica  # noqa: E402

EXERCISE = "Bench Press"


def main() -> int:
    """Log a short session, save by save; sync it where a server is named."""
    arguments = read_arguments()
    with Replica.open(arguments.db, device_name="Watch", device_kind="watch", load_unit="kg") as watch:
        opened_ms = milliseconds_since(STARTED)
        log = watch.workouts.start(title="Watch session")
        log.add_set(EXERCISE, reps=8, load=100, rpe=8)
        first_set_ms = milliseconds_since(STARTED)

        began = time.perf_counter()
        for reps in (8, 7, 7):
            log.add_set(EXERCISE, reps=reps, load=100, rpe=8.5)
        set_ms = milliseconds_since(began) / 3
        log.finish()

        print(f"import and open        {opened_ms:7.1f} ms")
        print(f"first set durable at   {first_set_ms:7.1f} ms after the start")
        print(f"another set            {set_ms:7.1f} ms, durable")
        print(f"memory                 {resident_mb():7.1f} MB, {len(log.sets)} sets logged, no network")
        if arguments.server:
            sync(watch, arguments)
        waiting = watch.status().pending
        print(f"waiting to be sent     {waiting:7} record{'' if waiting == 1 else 's'}")
    return 0


def sync(watch: Replica, arguments: argparse.Namespace) -> None:
    """Sign in where nobody is, and sync; no network is no failure for a watch."""
    from apex_client.errors import ServerUnreachable

    try:
        if watch.user is None:
            watch.login(arguments.server, arguments.email, sys.stdin.readline().strip())
        report = watch.sync()
    except ServerUnreachable as error:
        print(f"no network             {error}; next time")
        return
    print(f"synced                 {report.seconds * 1000:7.1f} ms, {report.bytes_up} B up, {report.bytes_down} B down")
    print(f"memory after a sync    {resident_mb():7.1f} MB")


def milliseconds_since(moment: float) -> float:
    return (time.perf_counter() - moment) * 1000


def resident_mb() -> float:
    """Read the resident memory of this process."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmRSS:"))
        return int(line.split()[1]) / 1000
    import resource

    # macOS counts in bytes, and knows the peak alone.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_000_000


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--db", type=Path, default=Path("watch.db"))
    parser.add_argument("--server", help="an Apex Sync server; without it the watch stays offline")
    parser.add_argument("--email", help="the account; its password is read from the standard input")
    arguments = parser.parse_args()
    if arguments.server and not arguments.email:
        parser.error("--server needs --email")
    return arguments


if __name__ == "__main__":
    sys.exit(main())
