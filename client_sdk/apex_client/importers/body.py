"""Read body weight and body fat: Apple Health's `export.xml` (or the zip it comes in), and CSV files of scales.

Apple's file is of gigabytes, so it is read as a stream and forgotten element by element. XML that defines entities,
with which a small file grows without end, is refused; so is a zip that unfolds to more than any export.
"""

import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date, datetime
from functools import partial
from itertools import islice
from pathlib import Path
from typing import IO, Any

from msgspec import Struct, field

from apex_client.importers.errors import (
    FileTooLarge,
    FileUnreadable,
    ImportFailed,
    LoadUnit,
    NotAnExport,
    UnitNeeded,
)
from apex_client.importers.layouts import DELIMITERS, HEAD_CHARACTERS, recognise
from apex_client.importers.records import read_records
from apex_client.importers.sources import SOURCES
from apex_client.importers.text import read_text
from apex_client.importers.values import Unreadable, read_number
from apex_sync.ids import derived_id
from apex_sync.op import Patch

__all__ = ["BodyPlan", "ReadMeasuring", "SkippedMeasuring", "is_body_file", "read_body_file"]

XML_BYTES_MAX = 8 * 1024 * 1024 * 1024
"""Ten years of a watch that counts steps are two gigabytes."""
MEASURINGS_MAX = 200_000
"""Ten times a scale that is stood on five times a day for ten years."""
SKIPPED_MAX = 1000

MASS, FAT = "HKQuantityTypeIdentifierBodyMass", "HKQuantityTypeIdentifierBodyFatPercentage"
APPLE, SCALE = "apple_health", "csv"

DATES = frozenset({"date", "day", "time", "datetime", "timestamp", "datum"})
WEIGHTS = {
    "weight": None, "body weight": None, "bodyweight": None, "gewicht": None,
    "weight_kg": "kg", "weight (kg)": "kg", "weight kg": "kg", "gewicht (kg)": "kg",
    "weight_lb": "lb", "weight (lb)": "lb", "weight (lbs)": "lb", "weight lbs": "lb",
}  # fmt: skip
FATS = frozenset({"body fat", "body fat %", "body fat (%)", "fat", "fat %", "body_fat_percent", "fat_percent"})

MOMENTS = (
    "%Y-%m-%d %H:%M:%S %z", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S",
    "%d.%m.%Y %H:%M:%S", "%d.%m.%Y %H:%M", "%d.%m.%Y",
)  # fmt: skip
"""As Apple and scales write them; with dots the day comes first, in every country that writes dots."""

UNITS: Mapping[str, LoadUnit] = {"kg": "kg", "lb": "lb", "lbs": "lb"}


class NotBodyFile(ImportFailed):
    """A file without body weights."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"not an export of Apple Health, and no CSV file with a date and a weight: {reason}")


class ReadMeasuring(Struct):
    """One measuring; the same moment of the same source is the same record, however often it is read."""

    record_id: str
    patch: Patch
    where: str


class SkippedMeasuring(Struct):
    """What was left out, and why."""

    where: str
    reason: str


class BodyPlan(Struct):
    """What a file says."""

    source: str
    measurings: list[ReadMeasuring] = field(default_factory=list)
    skipped: list[SkippedMeasuring] = field(default_factory=list)

    def skip(self, where: str, reason: str) -> None:
        """Note what is left out."""
        if len(self.skipped) < SKIPPED_MAX:
            self.skipped.append(SkippedMeasuring(where, reason))


def is_body_file(path: Path) -> bool:
    """Tell whether a file is one of these, by its name or its beginning; an export of workouts is none of them."""
    if path.suffix.lower() in (".xml", ".zip"):
        return True
    try:
        with path.open(encoding="utf-8-sig", errors="replace") as file:
            beginning = file.read(HEAD_CHARACTERS)
    except OSError:
        return False
    headers = _header(beginning)[1].keys()
    return bool(headers & DATES) and bool(headers & WEIGHTS.keys()) and not _is_of_workouts(beginning)


def _is_of_workouts(beginning: str) -> bool:
    try:
        recognise(beginning, SOURCES)
    except NotAnExport:
        return False
    return True


def read_body_file(path: Path, *, unit: LoadUnit | None = None) -> BodyPlan:
    """Read a file; `unit` is for CSV files that do not state theirs.

    Raises an ImportFailed: FileUnreadable, FileTooLarge, NotBodyFile, UnitNeeded.
    """
    if path.suffix.lower() in (".xml", ".zip"):
        with _xml(path) as file:
            return _from_apple(file)
    return _from_csv(read_text(path)[0], unit)


def _from_apple(file: IO[bytes]) -> BodyPlan:
    plan, by_moment = BodyPlan(APPLE), dict[str, Patch]()
    for attributes in _records(file):
        moment, value = attributes.get("startDate", ""), attributes.get("value", "")
        try:
            leaves = _apple_leaves(attributes, value)
            known = by_moment.setdefault(_local_time(moment), {})
        except ValueError as error:
            plan.skip(moment, str(error))
            continue
        for name, leaf in leaves.items():
            known.setdefault(name, leaf)
        if len(by_moment) > MEASURINGS_MAX:
            raise FileTooLarge(XML_BYTES_MAX)
    plan.measurings = [_measuring(APPLE, moment, leaves, moment) for moment, leaves in sorted(by_moment.items())]
    return plan


def _records(file: IO[bytes]) -> Iterator[Mapping[str, str]]:
    """Give the attributes of body weights and fats. Raises NotBodyFile."""
    from xml.etree.ElementTree import ParseError  # nosec B405

    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import iterparse

    try:
        root: Any = None
        for event, element in iterparse(file, events=("start", "end")):
            if root is None:
                root = element
                if element.tag != "HealthData":
                    raise NotBodyFile(f"its outermost element is {element.tag[:40]!r}")
            elif event == "end":
                if element.tag == "Record" and element.get("type") in (MASS, FAT):
                    yield dict(element.attrib)
                if element.tag in ("Record", "Workout", "ActivitySummary", "Correlation"):
                    root.clear()
    except (ParseError, DefusedXmlException, ValueError) as error:
        raise NotBodyFile(str(error) or type(error).__name__) from error


def _apple_leaves(attributes: Mapping[str, str], value: str) -> Patch:
    number = float(value)
    if attributes["type"] == FAT:
        return {"body_fat_percent": round(number * 100, 2)}  # Apple writes 0.182 and calls it per cent.
    unit = UNITS.get(attributes.get("unit", ""))
    if unit is None:
        raise ValueError(f"a weight in {attributes.get('unit', '')[:20]!r}")
    return {"weight": number, "weight_unit": unit}


def _from_csv(text: str, unit: LoadUnit | None) -> BodyPlan:
    delimiter, columns = _header(text)
    day = next((columns[name] for name in columns if name in DATES), None)
    weight = next((name for name in columns if name in WEIGHTS), None)
    if day is None or weight is None:
        raise NotBodyFile("its first row names no date and weight")
    stated = WEIGHTS[weight] or unit
    if stated is None:
        raise UnitNeeded("kg", "the file names its column only 'weight'", of="weights")
    fat = next((columns[name] for name in columns if name in FATS), None)
    plan = BodyPlan(SCALE)
    by_moment: dict[str, ReadMeasuring] = {}
    number = partial(read_number, decimal_comma=delimiter == ";")
    for row in islice(read_records(text, delimiter), 1, None):
        where, cells = f"line {row.line}", [*row.cells, *[""] * len(columns)]
        try:
            if row.damage:
                raise Unreadable(row.damage)
            leaves: Patch = {"weight": number(cells[columns[weight]]), "weight_unit": stated}
            if fat is not None and cells[fat].strip():
                leaves["body_fat_percent"] = number(cells[fat])
            moment = _local_time(cells[day]).removesuffix("T00:00:00")  # What knows the day alone writes midnight.
        except ValueError as error:
            plan.skip(where, str(error))
            continue
        known = by_moment.setdefault(moment, _measuring(SCALE, moment, leaves, where))
        if known.where != where:
            plan.skip(where, f"{moment} has a weight already, of {known.where}; with times of day, both are kept")
    plan.measurings = [known for _, known in sorted(by_moment.items())]
    return plan


def _header(text: str) -> tuple[str, dict[str, int]]:
    """Give the delimiter by which most headers are understood, and where each header stands."""
    found = [(delimiter, next(read_records(text[:HEAD_CHARACTERS], delimiter), None)) for delimiter in DELIMITERS]
    headers = [
        (delimiter, {cell.strip().lower(): place for place, cell in enumerate(head.cells)})
        for delimiter, head in found
        if head
    ]
    known = DATES | WEIGHTS.keys() | FATS
    return max(headers, key=lambda header: len(known & header[1].keys()), default=(",", {}))


def _measuring(source: str, moment: str, leaves: Patch, where: str) -> ReadMeasuring:
    known = {"date": moment[:10], "source": source, **leaves}
    if "T" in moment:
        known["measured_at"] = moment
    return ReadMeasuring(derived_id("body_metrics", source, moment), known, where)


def _local_time(text: str) -> str:
    """Read a day or a moment of `MOMENTS`. Raises ValueError."""
    text = text.strip()
    for form in MOMENTS:
        try:
            return datetime.strptime(text, form).isoformat()  # noqa: DTZ007 - a wall clock, as the file has it.
        except ValueError:
            continue
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise ValueError(f"{text[:30]!r} is no date such as 2026-03-01") from None


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
