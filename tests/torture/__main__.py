"""Torture real parts with real faults: `make torture [PARTS="fleet power_loss"]`.

Each part is a module beside this one with `torture(scale)`. Exits 1 when anything was lost, doubled or stuck.
"""

import argparse
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

from tests.torture.report import Outcome, Scale, print_table

HERE = Path(__file__).parent
PARTS = sorted(path.stem for path in HERE.glob("*.py") if "\ndef torture(" in path.read_text())


def outcomes(parts: list[str], scale: Scale) -> Iterator[Outcome]:
    """Torture part by part."""
    for part in parts:
        print(f"{part} ...", file=sys.stderr, flush=True)
        yield from import_module(f"tests.torture.{part}").torture(scale)


def main() -> int:
    """Run the parts that are named, or all."""
    parser = argparse.ArgumentParser(prog="make torture", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"one of {', '.join(PARTS)} (default: all)")
    parser.add_argument("--scale", type=Scale, choices=list(Scale), default=Scale.FULL, metavar="ci|full")
    chosen = parser.parse_args()
    if unknown := set(chosen.parts) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    told = list(outcomes(chosen.parts or PARTS, chosen.scale))
    print_table(told)
    return int(any(outcome.failures for outcome in told))


if __name__ == "__main__":
    sys.exit(main())
