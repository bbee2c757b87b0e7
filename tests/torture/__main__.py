"""Torture real parts with real faults: `make torture [PARTS="fleet power_loss"] [OUT=build/torture.jsonl]`.

Each part is a module beside this one with `torture(scale)`. All of them take hours; `--out FILE` keeps what each came
to, and goes on after the last part that was finished on the same code. A part that breaks off counts as a failure, and
is not kept. `--table FILE` prints what a file keeps, of whatever commits, and runs nothing.
Exits 1 when anything was lost, doubled, stuck, or at full scale not run.
"""

import argparse
import sys
import traceback
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

from tests.torture.report import Outcome, PartDone, Scale, described, print_table, read_parts, record, recorded

HERE = Path(__file__).parent
PARTS = sorted(path.stem for path in HERE.glob("*.py") if "\ndef torture(" in path.read_text())


def outcomes(parts: list[str], scale: Scale, out: Path | None) -> Iterator[Outcome]:
    """Torture part by part, but for those that a file tells of."""
    done = recorded(out, scale) if out else {}
    for part in parts:
        if part not in done:
            print(f"{part} ...", file=sys.stderr, flush=True)
            try:
                done[part] = list(import_module(f"tests.torture.{part}").torture(scale))
            except Exception as error:  # noqa: BLE001 - the parts after it have hours to run.
                traceback.print_exc()
                yield Outcome(part=part, fault="none: it broke off itself", failures=[described(error)])
                continue
            if out:
                record(out, part, scale, done[part])
        yield from done[part]


def table(file: Path, scale: Scale, *, markdown: bool) -> int:
    """Print what a file keeps, the newest of each part, and on which commits that was."""
    kept = {read.part: read for read in read_parts(file, scale)}
    told = [outcome for part in sorted(kept) for outcome in kept[part].outcomes]
    print_table(told, markdown=markdown)
    print(f"\n{recorded_on(kept)}")
    return int(any(outcome.failures for outcome in told))


def recorded_on(kept: dict[str, PartDone]) -> str:
    """Say which parts were recorded on which commit, and which are in the file not at all."""
    parts: dict[str, list[str]] = {}
    for part in sorted(kept):
        parts.setdefault(kept[part].commit or "an unknown commit", []).append(part)
    said = [f"Recorded on {commit}: {', '.join(named)}." for commit, named in parts.items()]
    if lacking := [part for part in PARTS if part not in kept]:
        said.append(f"Not recorded: {', '.join(lacking)}.")
    return "\n".join(said)


def main() -> int:
    """Run the parts that are named, or all."""
    parser = argparse.ArgumentParser(prog="make torture", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"one of {', '.join(PARTS)} (default: all)")
    parser.add_argument("--scale", type=Scale, choices=list(Scale), default=Scale.FULL, metavar="ci|full")
    parser.add_argument("--out", type=Path, metavar="FILE", help="keep what was finished, and go on from there")
    parser.add_argument("--table", type=Path, metavar="FILE", help="print what a file keeps, and run nothing")
    parser.add_argument("--markdown", action="store_true", help="print the table as Markdown")
    chosen = parser.parse_args()
    if unknown := set(chosen.parts) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    if chosen.table:
        if not chosen.table.is_file():
            parser.error(f"no such file: {chosen.table}")
        return table(chosen.table, chosen.scale, markdown=chosen.markdown)
    told = list(outcomes(chosen.parts or PARTS, chosen.scale, chosen.out))
    print_table(told, markdown=chosen.markdown)
    return int(any(outcome.failures for outcome in told))


if __name__ == "__main__":
    sys.exit(main())
