"""Writes the contracts: `python -m schemas`."""

import sys
from pathlib import Path

from schemas.generate import contracts
from schemas.versions import VersionNotRaised

HERE = Path(__file__).parent


def main() -> None:
    """Write every contract beside this file, and remove those that are no more."""
    try:
        texts = contracts((HERE / "versions.json").read_text() if (HERE / "versions.json").exists() else "{}")
    except VersionNotRaised as error:
        sys.exit(str(error))
    for path, text in texts.items():
        (HERE / path).parent.mkdir(exist_ok=True)
        (HERE / path).write_text(text)
    for folder in ("collections", "vectors"):
        for left in (HERE / folder).glob("*.json"):
            if f"{folder}/{left.name}" not in texts:
                left.unlink()


if __name__ == "__main__":
    main()
