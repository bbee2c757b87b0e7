"""Read body weights, fat and girths: Apple Health's `export.xml` (or the zip it comes in), and CSV files.

A zip that unfolds to more than any export is refused before it is opened.
"""

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from apex_client.importers.apple_health import XML_BYTES_MAX, plan_of_apple_health
from apex_client.importers.body_csv import is_body_csv, plan_of_csv
from apex_client.importers.body_plan import BodyPlan, NotBodyFile, ReadMeasuring, SkippedMeasuring
from apex_client.importers.errors import FileTooLarge, FileUnreadable, LoadUnit, NotAnExport
from apex_client.importers.layouts import HEAD_CHARACTERS, recognise
from apex_client.importers.sources import SOURCES
from apex_client.importers.text import read_text

__all__ = ["BodyPlan", "NotBodyFile", "ReadMeasuring", "SkippedMeasuring", "is_body_file", "read_body_file"]


def is_body_file(path: Path) -> bool:
    """Tell whether a file is one of these, by its name or its beginning; an export of workouts is none of them."""
    if path.suffix.lower() in (".xml", ".zip"):
        return True
    try:
        with path.open(encoding="utf-8-sig", errors="replace") as file:
            beginning = file.read(HEAD_CHARACTERS)
    except OSError:
        return False
    return is_body_csv(beginning) and not _is_of_workouts(beginning)


def _is_of_workouts(beginning: str) -> bool:
    try:
        recognise(beginning, SOURCES)
    except NotAnExport:
        return False
    return True


def read_body_file(path: Path, *, unit: LoadUnit | None = None) -> BodyPlan:
    """Read a file; `unit` is for CSV files that do not state that of their weights.

    Raises an ImportFailed: FileUnreadable, FileTooLarge, NotBodyFile, UnitNeeded.
    """
    if path.suffix.lower() in (".xml", ".zip"):
        with _xml(path) as file:
            return plan_of_apple_health(file)
    return plan_of_csv(read_text(path)[0], unit)


@contextmanager
def _xml(path: Path) -> Iterator[IO[bytes]]:
    """Give the XML of an export, out of its zip if need be. Raises FileUnreadable, FileTooLarge, NotBodyFile."""
    try:
        if path.suffix.lower() == ".xml":
            with path.open("rb") as file:
                yield file
            return
        with zipfile.ZipFile(path) as archive:
            inside = next((each for each in archive.infolist() if each.filename.endswith("export.xml")), None)
            if inside is None:
                raise NotBodyFile("the zip holds no export.xml")
            if inside.file_size > XML_BYTES_MAX:
                raise FileTooLarge(XML_BYTES_MAX)
            with archive.open(inside) as member:  # It gives no more than the size that was just asked for.
                yield member
    except zipfile.BadZipFile as error:
        raise NotBodyFile(str(error)) from error
    except OSError as error:
        raise FileUnreadable(path, error.strerror or str(error)) from error
