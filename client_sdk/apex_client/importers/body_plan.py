"""What a file of body weights and girths says: a measuring a moment, and what was left out."""

from datetime import date, datetime

from msgspec import Struct, field

from apex_client.importers.errors import ImportFailed, LoadUnit
from apex_client.importers.values import Unreadable
from apex_sync.ids import derived_id
from apex_sync.op import Patch

__all__ = [
    "MEASURINGS_MAX",
    "BodyPlan",
    "NotBodyFile",
    "ReadMeasuring",
    "SkippedMeasuring",
    "local_time",
    "measuring",
    "weight_in",
]

MEASURINGS_MAX = 200_000
"""Ten times a scale that is stood on five times a day for ten years."""
SKIPPED_MAX = 1000

STONE_LB = 14.0

MOMENTS = (
    "%Y-%m-%d %H:%M:%S %z", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S",
    "%d.%m.%Y %H:%M:%S", "%d.%m.%Y %H:%M", "%d.%m.%Y",
)  # fmt: skip
"""As Apple and scales write them; with dots the day comes first, in every country that writes dots."""


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


def measuring(source: str, moment: str, leaves: Patch, where: str) -> ReadMeasuring:
    """Make a measuring of a day, or of a moment with its clock."""
    known = {"date": moment[:10], "source": source, **leaves}
    if "T" in moment:
        known["measured_at"] = moment
    return ReadMeasuring(derived_id("body_metrics", source, moment), known, where)


def weight_in(amount: float, unit: str) -> tuple[float, LoadUnit]:
    """Give a weight in the units that records know; stones are in pounds, as their scales have it.

    >>> weight_in(12.5, "st"), weight_in(82.4, "kg")
    ((175.0, 'lb'), (82.4, 'kg'))

    Raises Unreadable for another unit.
    """
    if unit == "st":
        return round(amount * STONE_LB, 2), "lb"
    if unit in ("lb", "lbs"):
        return amount, "lb"
    if unit in ("kg", "kgs"):
        return amount, "kg"
    raise Unreadable(f"a weight in {unit[:20]!r}; kg, lb and st are read")


def local_time(text: str) -> str:
    """Read a day or a moment of `MOMENTS`. Raises Unreadable."""
    text = text.strip()
    for form in MOMENTS:
        try:
            return datetime.strptime(text, form).isoformat()  # noqa: DTZ007 - a wall clock, as the file has it.
        except ValueError:
            continue
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise Unreadable(f"{text[:30]!r} is no date such as 2026-03-01") from None
