"""Torture real parts with real faults: `make torture [PARTS="fleet power_loss"] [OUT=build/torture.jsonl]`.

Each part is a module beside this one with `torture(scale)`. All of them take hours; `--out FILE` keeps what each came
to, and goes on after the last part that was finished. A part that breaks off counts as a failure, and is not kept.
Exits 1 when anything was lost, doubled or stuck.
"""

import argparse
import sys
import traceback
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import msgspec

from tests.torture.report import Outcome, PartDone, Scale, print_table, recorded

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
                yield Outcome(part=part, fault="none: it broke off itself", failures=[repr(error)])
                continue
            if out:
                out.parent.mkdir(parents=True, exist_ok=True)
                with out.open("ab") as lines:
                    lines.write(msgspec.json.encode(PartDone(part, scale, done[part])) + b"\n")
        yield from done[part]


def main() -> int:
    """Run the parts that are named, or all."""
    parser = argparse.ArgumentParser(prog="make torture", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"one of {', '.join(PARTS)} (default: all)")
    parser.add_argument("--scale", type=Scale, choices=list(Scale), default=Scale.FULL, metavar="ci|full")
    parser.add_argument("--out", type=Path, metavar="FILE", help="keep what was finished, and go on from there")
    chosen = parser.parse_args()
    if unknown := set(chosen.parts) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    told = list(outcomes(chosen.parts or PARTS, chosen.scale, chosen.out))
    print_table(told)
    return int(any(outcome.failures for outcome in told))


if __name__ == "__main__":
    sys.exit(main())
