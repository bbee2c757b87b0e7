"""Read body weight, body fat and the girth of the waist from Apple Health's `export.xml`.

The file is of gigabytes, so it is read as a stream that keeps nothing. XML that defines entities, with which a small
file grows without end, or that names other files, is refused where it does so.
"""

from collections.abc import Iterator, Mapping
from typing import IO, Any, NamedTuple

from apex_client.importers.body_plan import MEASURINGS_MAX, BodyPlan, NotBodyFile, local_time, measuring, weight_in
from apex_client.importers.errors import FileTooLarge
from apex_client.importers.values import Unreadable, read_number
from apex_sync.op import Patch

__all__ = ["XML_BYTES_MAX", "plan_of_apple_health"]

XML_BYTES_MAX = 8 * 1024 * 1024 * 1024
"""Ten years of a watch that counts steps are two gigabytes."""
CHUNK_BYTES = 256 * 1024

SOURCE = "apple_health"
KIND = "HKQuantityTypeIdentifier"
MASS, FAT, WAIST = f"{KIND}BodyMass", f"{KIND}BodyFatPercentage", f"{KIND}WaistCircumference"
CM = {"cm": 1.0, "in": 2.54, "m": 100.0, "mm": 0.1, "ft": 30.48}


class _Found(NamedTuple):
    line: int
    attributes: Mapping[str, str]


def plan_of_apple_health(file: IO[bytes]) -> BodyPlan:
    """Read what was measured, all of one moment together. Raises NotBodyFile, FileTooLarge."""
    plan, by_moment, lines = BodyPlan(SOURCE), dict[str, Patch](), dict[str, int]()
    for found in _records(file):
        try:
            leaves = _leaves(found.attributes)
            moment = local_time(found.attributes.get("startDate", ""))
        except Unreadable as error:
            plan.skip(f"line {found.line}", str(error))
            continue
        lines.setdefault(moment, found.line)
        known = by_moment.setdefault(moment, {})
        for name, leaf in leaves.items():
            known.setdefault(name, leaf)
        if len(by_moment) > MEASURINGS_MAX:
            raise FileTooLarge(XML_BYTES_MAX)
    plan.measurings = [
        measuring(SOURCE, moment, leaves, f"line {lines[moment]}") for moment, leaves in sorted(by_moment.items())
    ]
    return plan


def _records(file: IO[bytes]) -> Iterator[_Found]:
    """Give the attributes of what was measured of the body, each with its line. Raises NotBodyFile."""
    from xml.sax import SAXParseException  # nosec B406
    from xml.sax.handler import ContentHandler  # nosec B406

    from defusedxml import DefusedXmlException
    from defusedxml.expatreader import DefusedExpatParser

    class Handler(ContentHandler):
        def __init__(self) -> None:
            super().__init__()
            self.is_first = True
            self.found: list[_Found] = []

        def startElement(self, name: str, attrs: Any) -> None:
            if self.is_first and name != "HealthData":
                raise NotBodyFile(f"its outermost element is {name[:40]!r}")
            self.is_first = False
            if name == "Record" and attrs.get("type") in (MASS, FAT, WAIST):
                self.found.append(_Found(parser.getLineNumber(), dict(attrs)))

    handler, parser = Handler(), DefusedExpatParser()
    parser.setContentHandler(handler)
    try:
        while chunk := file.read(CHUNK_BYTES):
            parser.feed(chunk)
            yield from handler.found
            handler.found.clear()
        parser.close()
    except SAXParseException as error:
        raise NotBodyFile(f"line {error.getLineNumber()}: {error.getMessage()}") from error
    except DefusedXmlException as error:
        raise NotBodyFile(
            f"line {parser.getLineNumber()}: it defines entities or names other files, as no export does"
        ) from error
    if handler.is_first:
        raise NotBodyFile("it is empty")
    yield from handler.found


def _leaves(attributes: Mapping[str, str]) -> Patch:
    """Read one figure. Raises Unreadable."""
    amount, unit = read_number(attributes.get("value", "")), attributes.get("unit", "")
    match attributes["type"]:
        case kind if kind == FAT:
            return {"body_fat_percent": round(amount * 100, 2)}  # Apple writes 0.182 and calls it per cent.
        case kind if kind == WAIST:
            if unit not in CM:
                raise Unreadable(f"a girth in {unit[:20]!r}; cm and in are read")
            return {"measurements": {"waist_cm": round(amount * CM[unit], 2), "unit": "in" if unit == "in" else "cm"}}
        case _:
            weight, weight_unit = weight_in(amount, unit)
            return {"weight": weight, "weight_unit": weight_unit}
