"""One device offline: how long a durable save takes, how fast the SDK is there, how much memory it holds."""

import os
import statistics
import subprocess
import sys
import time
from datetime import date
from pathlib import Path
from random import Random

from apex_client.blocking import Replica
from apex_client.local import LocalReplica
from apex_sync.testing.training import check_in_patch, sessions, workout_patch
from benchmarks.limits import sqlite_commit_seconds
from benchmarks.table import Row

SAVES = 200
IMPORTS = 7
ENCRYPTION_KEY = bytes(range(32))
TODAY = date(2026, 3, 1)

IMPORT_PROBE = (
    "import time; t = time.perf_counter(); from apex_client.blocking import Replica; print(time.perf_counter() - t)"
)
OPEN_PROBE = """
import psutil, sys
from apex_client.blocking import Replica
with Replica.open(sys.argv[1]) as replica:
    log = replica.workouts.list(limit=20)[0]
    log.add_set("Bench Press (Barbell)", reps=5, load=100)
    print(psutil.Process().memory_info().rss)
"""


async def local_rows(directory: Path) -> list[Row]:
    """Measure saving, importing and holding a year of logs."""
    year = directory / "year.db"
    save_seconds = save_a_year(year)
    encrypted_seconds = save_a_year(directory / "encrypted.db", ENCRYPTION_KEY)
    limit = sqlite_commit_seconds(directory)
    import_seconds = cold_import_seconds(directory)
    rss_mb = float(probe(OPEN_PROBE, str(year))) / 1e6
    return [
        Row("save one workout offline, durable (p50)", save_seconds * 1000, "ms", limit * 1000,
            budget="≤ 1.5 × raw commit", kept=save_seconds <= 1.5 * limit),
        Row("the same in an encrypted replica", encrypted_seconds * 1000, "ms", save_seconds * 1000,
            budget="≤ 1.5 × plain", kept=encrypted_seconds <= 1.5 * save_seconds),
        Row("cold import of the SDK", import_seconds * 1000, "ms", budget="≤ 150 ms", kept=import_seconds <= 0.150),
        Row("memory with a year of logs open", rss_mb, "MB", budget="≤ 40 MB", kept=rss_mb <= 40),
    ]  # fmt: skip


def save_a_year(path: Path, key: bytes | None = None) -> float:
    """Save a year of workouts and check-ins one by one, and give the median time of a workout."""
    random = Random(1)
    times = []
    with Replica.open(path, encryption_key=key) as replica:
        for session in sessions(random, until=TODAY, weeks=52):
            patch = workout_patch(session)
            started = time.perf_counter()
            replica._do(LocalReplica.create, "workout_logs", None, patch)
            times.append(time.perf_counter() - started)
        for week in range(52):
            replica._do(LocalReplica.create, "check_ins", None, check_in_patch(random, on=TODAY, week=week))
    return statistics.median(times[-SAVES:])


def cold_import_seconds(directory: Path) -> float:
    """Give the median time of an import in a fresh process, with the bytecode there, as pip leaves a package."""
    bytecode = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(directory / "bytecode")}
    _, *others = [float(probe(IMPORT_PROBE, **bytecode)) for _ in range(1 + IMPORTS)]  # The first one compiles.
    return statistics.median(others)


def probe(code: str, *arguments: str, **environment: str) -> str:
    """Run code in a fresh interpreter and give what it prints."""
    command = [sys.executable, "-c", code, *arguments]
    ran = subprocess.run(command, env=os.environ | environment, check=True, capture_output=True, text=True)
    return ran.stdout
