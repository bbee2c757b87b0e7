"""The engine alone, without a database: what one core reads, checks, folds and hashes of pushed workouts.

Processor time, so that a busy machine changes little. `python -m benchmarks.engine [records]` prints the rows.
"""

import json
import sys
from collections.abc import Callable, Sequence
from time import process_time
from typing import Any
from uuid import UUID

import msgspec

from apex_sync.acceptance import Author, accept
from apex_sync.clock import next_hlc
from apex_sync.compaction import COMPACTION_OPS, compact
from apex_sync.digest import record_digest
from apex_sync.document import Document
from apex_sync.fold import fold
from apex_sync.models import WORKOUT_LOGS
from apex_sync.op import Write, decode_op, encode_op, flat_vector
from apex_sync.wire import encode_document, encode_push, parse_document, parse_push
from benchmarks.table import Row, markdown
from benchmarks.workload import made_up

PHONE, WATCH, SERVER = 2**52 + 12_345, 2**51 + 777, 4711
NOW_US = 1_772_384_700_000_000
BUDGET_PER_SECOND = 25_000
REPEATS = 5
LONG_RECORD_REPEATS = 20


def engine_rows(n: int) -> list[Row]:
    """Measure on `n` new workouts of about 20 sets, and on a record that is due for compaction."""
    records = made_up(n, 0)
    ops = [encode_op([Write(NOW_US, [], record.patch)]) for record in records]
    pushes = [
        (UUID(record.record_id).bytes, encode_push(PHONE, 0, [op])) for record, op in zip(records, ops, strict=True)
    ]
    texts = [msgspec.json.encode(record.patch).decode() for record in records]
    limit = n / _seconds(lambda: _each(msgspec.msgpack.Decoder().decode, ops))
    naive = n / _seconds(lambda: _each(json.loads, texts))
    read = n / _seconds(lambda: _each(_read, pushes))
    judged = n / _seconds(lambda: _each(_judge, pushes))
    return [
        Row(
            "strict parse, decode, fold, validate and digest of a new workout, no database",
            read,
            "records/s/core",
            limit=limit,
            naive=naive,
            budget=f"≥ {BUDGET_PER_SECOND} records/s/core",
            kept=read >= BUDGET_PER_SECOND,
        ),
        Row("the same with judging it as the server does", judged, "records/s/core", limit=limit, naive=naive),
        *_long_record_rows(),
    ]


def _read(pushed: tuple[bytes, bytes]) -> None:
    record_key, push = pushed
    first, (op,) = parse_push(push, PHONE)
    folded = fold(decode_op(op, client_id=PHONE, clock=first, summary_allowed=False))
    WORKOUT_LOGS.read(folded.state)
    record_digest(record_key, Document({PHONE: {first: op}}, {PHONE: first + 1}))


def _judge(pushed: tuple[bytes, bytes]) -> None:
    record_key, push = pushed
    first, ops = parse_push(push, PHONE)
    author = Author(PHONE, "athlete")
    judged = accept(Document(), first, ops, author=author, collection=WORKOUT_LOGS, refused={}, now_us=NOW_US)
    assert not judged.refusals
    WORKOUT_LOGS.read(fold(judged.writes).state)
    record_digest(record_key, judged.document)


def _long_record_rows() -> list[Row]:
    document = _edited_by_turns(COMPACTION_OPS)
    wire = encode_document(document)
    shortened = encode_document(compact(document, SERVER).document)
    reading = _seconds(lambda: fold(parse_document(wire).writes()), LONG_RECORD_REPEATS)
    compacting = _seconds(lambda: compact(document, SERVER), LONG_RECORD_REPEATS)
    reading_short = _seconds(lambda: fold(parse_document(shortened).writes()), LONG_RECORD_REPEATS)
    return [
        Row(f"parse and fold a record of {COMPACTION_OPS} ops, {len(wire):,} bytes", 1000 * reading, "ms"),
        Row(f"compact it to {len(shortened):,} bytes", 1000 * compacting, "ms"),
        Row("parse and fold it then", 1000 * reading_short, "ms"),
    ]


def _edited_by_turns(count: int) -> Document:
    """Make a record that two devices have edited in turns, 25 sets again and again."""
    document = Document()
    hlc = NOW_US
    for number in range(count):
        author = PHONE if number % 2 else WATCH
        hlc = next_hlc(NOW_US, hlc)
        patch = {"sets": {f"s{number % 25:02d}": {"reps": number % 20, "load_kg": 60 + number % 80 / 2}}}
        document.append(author, encode_op([Write(hlc, flat_vector(document.others(author)), patch)]))
    return document


def _each(read: Callable[[Any], object], values: Sequence[Any]) -> None:
    for value in values:
        read(value)


def _seconds(work: Callable[[], object], repeats: int = REPEATS) -> float:
    """Give the processor time of the fastest of several runs: the others were disturbed."""
    times = []
    for _ in range(repeats):
        started = process_time()
        work()
        times.append(process_time() - started)
    return min(times)


if __name__ == "__main__":
    sys.stdout.write(markdown(engine_rows(int(sys.argv[1]) if len(sys.argv) > 1 else 2000)))
