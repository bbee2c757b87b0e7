"""What a torture tells: how often a fault was made, and how often something was lost, doubled, stuck or misnamed."""

import sys
import time
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path

import msgspec
import rich
from msgspec import Struct
from rich.markup import escape
from rich.table import Table

from tests.torture.tortured_code import ROOT, tortured_code

COLUMNS = ("part", "fault", "runs", "failures", "seconds")


class Scale(Enum):
    """How much: a part that fits into every CI run, or all of it."""

    CI = "ci"
    FULL = "full"


class Outcome(Struct, kw_only=True):
    """One kind of fault: `runs` of it took `seconds`; each of `failures` says which run, and what was wrong.

    `not_run` says what the machine lacks where the fault cannot be made.
    """

    part: str
    fault: str
    runs: int = 0
    failures: list[str] = []
    seconds: float = 0.0
    not_run: str = ""

    @contextmanager
    def run(self, name: str) -> Iterator[None]:
        """Count a run; whatever is raised in the block is a failure of this run, and the next one goes on."""
        self.runs += 1
        with self.check(name):
            yield

    @contextmanager
    def check(self, name: str) -> Iterator[None]:
        """Look at something before or after the runs: no run, but a failure like one of theirs."""
        started = time.monotonic()
        try:
            yield
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the finding.
            self.failures.append(f"{name}: {described(error)}")
        finally:
            self.seconds += time.monotonic() - started


def not_run(part: str, fault: str, lacking: str, scale: Scale) -> Outcome:
    """Give the row of a fault that cannot be made here: a failure at full scale, which is to show everything."""
    print(f"{fault}: not run, {lacking}", file=sys.stderr, flush=True)
    failures = [f"not run: {lacking}"] if scale is Scale.FULL else []
    return Outcome(part=part, fault=fault, failures=failures, not_run=lacking)


def described(error: BaseException) -> str:
    """Say what did not hold, or what broke with which words on which line of ours."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, AssertionError):
        return str(error) or own_line(error)
    return f"{type(error).__name__}: {error} ({own_line(error)})"


def own_line(error: BaseException) -> str:
    """Give the last line of the project that an error came through."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if is_own(Path(frame.filename))]
    if not frames:
        return "nowhere"
    frame = (own or frames)[-1]
    return f"{frame.line} in {Path(frame.filename).name}:{frame.lineno}"


def is_own(file: Path) -> bool:
    """Tell whether a file is of the project, not of a library in its `.venv`."""
    return file.is_relative_to(ROOT) and "site-packages" not in file.parts


class PartDone(Struct):
    """What a part came to, on which commit; a record of before that was written down has none."""

    part: str
    scale: Scale
    outcomes: list[Outcome]
    commit: str = ""
    code: str = ""


def record(path: Path, part: str, scale: Scale, outcomes: list[Outcome]) -> None:
    """Add what a part came to, unless none of it could be run: that is tried again."""
    if outcomes and all(outcome.not_run for outcome in outcomes):
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as lines:
        lines.write(msgspec.json.encode(PartDone(part, scale, outcomes, *tortured_code())) + b"\n")


def read_parts(path: Path, scale: Scale) -> Iterator[PartDone]:
    """Read what parts came to at a scale, on whatever commit; a line that was cut off is none."""
    for line in path.read_bytes().splitlines() if path.exists() else ():
        try:
            read = msgspec.json.decode(line, type=PartDone)
        except msgspec.DecodeError:
            continue
        if read.scale is scale:
            yield read


def recorded(path: Path, scale: Scale) -> dict[str, list[Outcome]]:
    """Read what parts came to on the code that is here; what is true of other code alone is ignored, and said to be."""
    here, found = tortured_code(), {}
    for read in read_parts(path, scale):
        if read.code == here.key:
            found[read.part] = read.outcomes
        else:
            print(f"{read.part}: ignored, recorded on {read.commit or 'an unknown commit'}", file=sys.stderr)
    return found


def print_table(outcomes: Iterable[Outcome], *, markdown: bool = False) -> None:
    """Print the table that docs/reliability.md quotes, and below it what failed."""
    told = list(outcomes)
    rows = [cells(outcome) for outcome in told]
    failures = [(f"{each.part}, {each.fault}", failure) for each in told for failure in each.failures]
    if markdown:
        print_markdown(rows, failures)
        return
    table = Table(*COLUMNS)
    for column in table.columns[2:]:
        column.justify = "right"
    for row in rows:
        table.add_row(*map(escape, row))
    rich.print(table)
    for where, failure in failures:
        rich.print(f"[red]{escape(where)}[/red]: {escape(failure)}")


def print_markdown(rows: list[tuple[str, ...]], failures: list[tuple[str, str]]) -> None:
    """Print the same as Markdown."""
    for row in (COLUMNS, ("---", "---", "---:", "---:", "---:"), *rows):
        print(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |")
    if failures:
        print()
    for where, failure in failures:
        print(f"- {where}: {' '.join(failure.split())}")


def cells(outcome: Outcome) -> tuple[str, ...]:
    """Give a row of the table."""
    runs = "not run" if outcome.not_run else f"{outcome.runs:,}"
    return outcome.part, outcome.fault, runs, f"{len(outcome.failures):,}", f"{outcome.seconds:,.0f}"
