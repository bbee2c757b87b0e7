"""Dates and times as training apps write them, in the languages they write them in.

Times are the athlete's wall clock without a zone; only where an app states an offset it is kept. A date that can
be read in two ways (03/04/2025) is not guessed at.
"""

import re
import unicodedata
from datetime import datetime
from typing import NamedTuple

from apex_client.importers.values import Unreadable

_MONTH_NAMES = """
jan january janv janvier januar januari janeiro enero ene gen gennaio oca ocak sty stycznia янв января
feb february fev fevr fevrier februar februari fevereiro febrero febbraio sub subat lut lutego фев февр февраля
mar march mars marz maerz mrt maart marco marzo mart marca мар марта
apr april avr avril abr abril aprile nis nisan kwi kwietnia апр апреля
may mai mei maio mayo mag maggio mayis maj maja мая май
jun june juin juni junho junio giu giugno haz haziran cze czerwca июн июня
jul july juil juillet juli julho julio lug luglio tem temmuz lip lipca июл июля
aug august aout augustus augusti agosto ago agu agustos sie sierpnia авг августа
sep sept september septembre setembro set settembre septiembre eyl eylul wrz wrzesnia сен сент сентября
oct october okt oktober octobre outubro out octubre ott ottobre eki ekim paz pazdziernika окт октября
nov november novembre novembro noviembre kas kasim lis listopada ноя нояб ноября
dec december dez dezember decembre dezembro dic diciembre dicembre ara aralik gru grudnia дек декабря
"""


def _plain(name: str) -> str:
    """Drop case and accents, so that `Şub`, `sub` and `févr` meet their entry."""
    decomposed = unicodedata.normalize("NFKD", name.casefold().replace("ı", "i"))  # noqa: RUF001
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter))


MONTHS = {
    _plain(name): number for number, line in enumerate(_MONTH_NAMES.strip().splitlines(), 1) for name in line.split()
}
"""Month names by their plain form: English, French, German, Dutch, Swedish, Portuguese, Spanish, Italian, Turkish,
Polish, Russian."""

_YEAR_FIRST = re.compile(r"(\d{4})\s*[-/.年]\s*(\d{1,2})\s*[-/.月]\s*(\d{1,2})日?", re.ASCII)
_DAY_FIRST_DOTS = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})", re.ASCII)
_DAY_MONTH_YEAR = re.compile(r"(\d{1,2})\.?\s+(?:de\s+)?([^\W\d]+)\.?,?\s+(?:de\s+)?(\d{4})")
_MONTH_DAY_YEAR = re.compile(r"([^\W\d]+)\.?\s+(\d{1,2}),?\s+(\d{4})")
_SLASHES = re.compile(r"\d{1,2}[/-]\d{1,2}[/-]\d{4}", re.ASCII)
_CLOCK = re.compile(
    r"[\sT,]*(?:às|à|at|um|om|kl\.?)?\s*(\d{1,2})[:h.](\d{2})(?::(\d{2})(?:\.\d+)?)?\s*([ap])?\.?(?:m\.?)?"
    r"\s*(Z|[+-]\d{2}:?\d{2})?",
    re.IGNORECASE,
)


class Moment(NamedTuple):
    """A day, and the time of day where it is known: `2026-03-01`, `2026-03-01T18:05:00`."""

    date: str
    time: str | None


def read_moment(cell: str) -> Moment:
    """Read a day with or without a time.

    >>> read_moment("30 Haz 2025, 19:56")
    Moment(date='2025-06-30', time='2025-06-30T19:56:00')

    Raises Unreadable.
    """
    text = " ".join(cell.split())
    year, month, day, rest = _read_day(text)
    clock = _CLOCK.fullmatch(rest) if rest.strip(" ,") else None
    if rest.strip(" ,") and clock is None:
        raise Unreadable(f"{text[:40]!r} is not a date")
    hour, minute, second, offset = _read_clock(clock) if clock else (0, 0, 0, "")
    try:
        moment = datetime(year, month, day, hour, minute, second)  # noqa: DTZ001 (wall clock on purpose)
    except ValueError as error:
        raise Unreadable(f"{text[:40]!r} is not in the calendar") from error
    written = moment.isoformat()
    return Moment(written[:10], written + offset if clock else None)


def _read_day(text: str) -> tuple[int, int, int, str]:
    if match := _YEAR_FIRST.match(text):
        return int(match[1]), int(match[2]), int(match[3]), text[match.end() :]
    if match := _DAY_FIRST_DOTS.match(text):
        return int(match[3]), int(match[2]), int(match[1]), text[match.end() :]
    if match := _DAY_MONTH_YEAR.match(text):
        return int(match[3]), _month(match[2], text), int(match[1]), text[match.end() :]
    if match := _MONTH_DAY_YEAR.match(text):
        return int(match[3]), _month(match[1], text), int(match[2]), text[match.end() :]
    if _SLASHES.match(text):
        raise Unreadable(f"{text[:40]!r} may be read day first or month first")
    raise Unreadable(f"{text[:40]!r} is not a date")


def _month(name: str, text: str) -> int:
    if number := MONTHS.get(_plain(name)):
        return number
    raise Unreadable(f"{text[:40]!r} names a month in an unknown language")


def _read_clock(clock: re.Match[str]) -> tuple[int, int, int, str]:
    hour = int(clock[1])
    if half := (clock[4] or "").casefold():
        hour = hour % 12 + (12 if half == "p" else 0)
    offset = (clock[5] or "").upper()
    if offset and offset != "Z" and ":" not in offset:
        offset = f"{offset[:3]}:{offset[3:]}"
    return hour, int(clock[2]), int(clock[3] or 0), offset
