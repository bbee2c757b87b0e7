"""What a torture tells: how often a fault was made, and how often something was lost, doubled, stuck or misnamed."""

import time
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path

import msgspec
import rich
from msgspec import Struct
from rich.table import Table


class Scale(Enum):
    """How much: a part that fits into every CI run, or all of it."""

    CI = "ci"
    FULL = "full"


class Outcome(Struct, kw_only=True):
    """One kind of fault: `runs` of it took `seconds`; each of `failures` says which run, and what was wrong."""

    part: str
    fault: str
    runs: int = 0
    failures: list[str] = []
    seconds: float = 0.0

    @contextmanager
    def run(self, name: str) -> Iterator[None]:
        """Count a run; an AssertionError in the block is a failure, any other error a bug of the torture."""
        started = time.monotonic()
        try:
            yield
        except AssertionError as error:
            self.failures.append(f"{name}: {str(error) or _claim(error)}")
        finally:
            self.runs += 1
            self.seconds += time.monotonic() - started


def _claim(error: AssertionError) -> str:
    """Give the line that did not hold."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{frame.line} ({Path(frame.filename).name}:{frame.lineno})"


class PartDone(Struct):
    """What a part came to."""

    part: str
    scale: Scale
    outcomes: list[Outcome]


def recorded(path: Path, scale: Scale) -> dict[str, list[Outcome]]:
    """Read what parts came to; one whose line was cut off is run again."""
    found = {}
    for line in path.read_bytes().splitlines() if path.exists() else ():
        try:
            read = msgspec.json.decode(line, type=PartDone)
        except msgspec.DecodeError:
            continue
        if read.scale is scale:
            found[read.part] = read.outcomes
    return found


def print_table(outcomes: Iterable[Outcome]) -> None:
    """Print the table that docs/reliability.md quotes, and below it what failed."""
    told = list(outcomes)
    table = Table("part", "fault", "runs", "failures", "seconds")
    for column in table.columns[2:]:
        column.justify = "right"
    for outcome in told:
        table.add_row(
            outcome.part, outcome.fault, f"{outcome.runs:,}", f"{len(outcome.failures):,}", f"{outcome.seconds:,.0f}"
        )
    rich.print(table)
    for outcome in told:
        for failure in outcome.failures:
            rich.print(f"[red]{outcome.part}, {outcome.fault}[/red]: {failure}")
