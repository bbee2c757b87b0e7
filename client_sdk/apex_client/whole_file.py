"""Files of a person's data: readable to their owner alone, and there only when they are complete."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO, Any, Literal


@contextmanager
def whole_file(path: Path, mode: Literal["w", "wb"]) -> Iterator[IO[Any]]:
    """Give where to write; the file gets its name at the end, and nothing is left of one that was broken off."""
    part = path.with_name(f"{path.name}.part")
    encoding, newline = (None, None) if mode == "wb" else ("utf-8", "")
    opened = partial(os.open, mode=0o600)
    try:
        with open(part, mode, encoding=encoding, newline=newline, opener=opened) as file:
            yield file
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
