"""The records that are pushed and pulled: made up from a seed, or read from an NDJSON file of logs."""

from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import Any

import msgspec

from apex_sync.ids import record_id_from
from apex_sync.op import Patch
from apex_sync.testing.training import check_in_patch, sessions, workout_patch

SEED = 20260301
LAST_DAY = date(2026, 3, 1)


class LoggedRecord(msgspec.Struct):
    """One record to be saved on a device."""

    collection: str
    record_id: str
    patch: Patch


def made_up(workouts: int, check_ins: int) -> list[LoggedRecord]:
    """Make up years of training of one athlete, oldest first."""
    random = Random(SEED)
    records: list[LoggedRecord] = []
    while len(records) < workouts:
        for session in sessions(random, until=LAST_DAY, weeks=52):
            records.append(_logged("workout_logs", random, workout_patch(session)))
    del records[workouts:]
    for week in range(check_ins):
        patch = check_in_patch(random, on=LAST_DAY - timedelta(days=7 * (check_ins - week)), week=week)
        records.append(_logged("check_ins", random, patch))
    return records


def read_ndjson(path: Path) -> list[LoggedRecord]:
    """Read records from lines of `{"collection": …, "record_id": …, "patch": {…}}`; without a collection, workouts."""
    random = Random(SEED)
    lines = [msgspec.json.decode(line) for line in path.read_bytes().splitlines() if line.strip()]
    return [_from_line(line, random) for line in lines]


def ndjson(records: list[LoggedRecord]) -> bytes:
    """Write the records as plain JSON lines: what the naive way sends, and what zstd is measured on."""
    return b"\n".join(msgspec.json.encode({"id": record.record_id, **record.patch}) for record in records)


def to_lines(records: list[LoggedRecord]) -> bytes:
    """Write the records as lines that `read_ndjson` reads."""
    return b"".join(msgspec.json.encode(record) + b"\n" for record in records)


def _from_line(line: dict[str, Any], random: Random) -> LoggedRecord:
    if "patch" in line:
        return msgspec.convert({"collection": "workout_logs", **line}, LoggedRecord)
    return _logged("workout_logs", random, line)


def _logged(collection: str, random: Random, patch: Patch) -> LoggedRecord:
    return LoggedRecord(collection, record_id_from(random.randrange(1 << 41), random.randbytes(10)), patch)
