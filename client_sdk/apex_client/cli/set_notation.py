"""The short notation of sets: `8x102.5kg@8`, reps times load at an effort.

8x102.5kg@8     8 reps with 102.5 kg at RPE 8
3x8x225lb       three sets of 8 with 225 lb
12@2rir         12 reps without load, 2 in reserve
8x-20kg         8 reps with 20 kg of assistance
8xbw            8 reps with nothing but the body
8xbw+20kg       8 reps with 20 kg hung on; 8x20kg+bw, too
8x100           8 reps with 100, in the unit that is usual here
60s, 1:30@9     held for a time
400m, 5km       a distance
"""

import re
from typing import Any

from apex_client.cli.failures import WrongUsage

EXAMPLES = "8x102.5kg@8, 3x8x225lb, 12@2rir, 60s"

SETS_MAX = 30
"""More sets than this in one word are a slip of the finger: `100x8x20`."""

COUNT_USUAL_MAX = 30
"""`3x12` may be three sets of twelve as well as three reps with 12; in `8x100` nobody counts to 100."""

BODY_ALONE = "+0"
"""What is hung on the body where nothing is."""

_NUMBER = r"\d+(?:[.,]\d+)?"
_BODY = re.compile(
    rf"x(?:bw(?P<hung>[+-]{_NUMBER}(?:kgs?|lbs?)?)?|(?P<first>{_NUMBER}(?:kgs?|lbs?)?)\+bw)(?=@|$)", re.I
)
"""Body weight: what is hung on or taken off it is the load."""
_EFFORT = rf"(?:@(?P<effort>{_NUMBER})(?P<kind>rpe|rir)?)?"
_LIFTED = re.compile(
    rf"(?:(?P<sets>\d+)x(?=\d+x))?(?P<reps>\d+)(?:x(?P<load>[+-]?{_NUMBER})(?P<unit>kg|kgs|lb|lbs)?)?{_EFFORT}", re.I
)
_TIMED = re.compile(rf"(?:(?P<minutes>\d+):(?P<rest>[0-5]\d)|(?P<seconds>{_NUMBER})s){_EFFORT}", re.I)
_PART = re.compile(rf"(?:x?(?P<load>[+-]?{_NUMBER})(?P<unit>kg|kgs|lb|lbs))?{_EFFORT}", re.I)
_DISTANCE = re.compile(rf"(?P<distance>{_NUMBER})(?P<measure>km|m){_EFFORT}", re.I)


def read_sets(text: str, *, unit_is_given: bool = False) -> list[dict[str, Any]]:
    """Give what `WorkoutLog.add_set` takes, once for each set. Raises WrongUsage.

    With `unit_is_given` two numbers are always reps and load.

    >>> read_sets("8x102.5kg@8")
    [{'reps': 8, 'load': 102.5, 'unit': 'kg', 'rpe': 8.0}]
    >>> len(read_sets("3x8x225lb")), read_sets("12@2rir"), read_sets("1:30")
    (3, [{'reps': 12, 'rir': 2.0}], [{'duration_seconds': 90.0}])
    >>> read_sets("8xbw@9"), read_sets("5xBW+20kg"), read_sets("5x20kg+bw")[0]["load"]
    ([{'reps': 8, 'rpe': 9.0}], [{'reps': 5, 'load': 20.0, 'unit': 'kg'}], 20.0)
    """
    word = _BODY.sub(_hung_on, text.strip().replace("×", "x").replace("−", "-").replace(" ", ""))
    if found := _LIFTED.fullmatch(word):
        _refuse_unclear(found, text, unit_is_given)
        fields = {"reps": int(found["reps"])}
        return [_lifted(found, fields)] * _count(found["sets"], text)
    if found := _TIMED.fullmatch(word):
        seconds = int(found["minutes"]) * 60 + int(found["rest"]) if found["minutes"] else _number(found["seconds"])
        return [{"duration_seconds": float(seconds), **_effort(found)}]
    if found := _DISTANCE.fullmatch(word):
        metres = _number(found["distance"]) * (1000 if found["measure"].lower() == "km" else 1)
        return [{"distance_m": metres, **_effort(found)}]
    if word and _PART.fullmatch(word):
        raise WrongUsage(f"{text!r} leaves out what was done; write reps x load @ effort, such as {EXAMPLES}")
    raise WrongUsage(f"{text!r} is no set; write reps x load @ effort, such as {EXAMPLES}")


def read_correction(text: str, *, unit_is_given: bool = False) -> dict[str, Any]:
    """Give what a set is to be instead; a load or an effort may stand alone. Raises WrongUsage.

    >>> read_correction("@9"), read_correction("100kg@8.5"), read_correction("5")
    ({'rpe': 9.0}, {'load': 100.0, 'unit': 'kg', 'rpe': 8.5}, {'reps': 5})
    >>> read_correction("8xbw")
    {'load': None, 'reps': 8}
    """
    word = text.replace(" ", "")
    if word and (part := _PART.fullmatch(word)):
        return _lifted(part, {})
    wanted = read_sets(text, unit_is_given=unit_is_given)
    if len(wanted) != 1:
        raise WrongUsage(f"{text!r} is {len(wanted)} sets; write the one that it was, such as 8x100kg@9, 100kg, @9")
    return {"load": None, **wanted[0]} if "xbw" in word.casefold() else wanted[0]


def _hung_on(body: re.Match[str]) -> str:
    """Write the load beside the body, with its sign, which says that it is one."""
    return f"x{body['hung'] or (body['first'] and '+' + body['first']) or BODY_ALONE}"


def _refuse_unclear(found: re.Match[str], text: str, unit_is_given: bool) -> None:
    reps, load = found["reps"], found["load"] or ""
    if int(reps) == 0:
        raise WrongUsage(f"{text!r} has 0 reps; log what was done, and leave out what was not")
    is_told = found["sets"] or found["unit"] or unit_is_given
    if not is_told and load.isdigit() and max(int(reps), int(load)) <= COUNT_USUAL_MAX:
        raise WrongUsage(
            f"{text!r} can mean two things; for a load write its unit: {reps}x{load}kg, "
            f"for {reps} sets write {reps}x{load}x20kg, or, without a load, {load} as often as it was done"
        )


def _lifted(found: re.Match[str], fields: dict[str, Any]) -> dict[str, Any]:
    if found["load"] and found["load"] != BODY_ALONE:
        fields["load"] = _number(found["load"])
    if found["unit"]:
        fields["unit"] = found["unit"].lower().rstrip("s")
    return fields | _effort(found)


def _effort(found: re.Match[str]) -> dict[str, Any]:
    if not found["effort"]:
        return {}
    return {(found["kind"] or "rpe").lower(): _number(found["effort"])}


def _count(sets: str | None, text: str) -> int:
    count = int(sets or 1)
    if not 1 <= count <= SETS_MAX:
        raise WrongUsage(f"{text!r} means {count} sets; one word holds 1 to {SETS_MAX}")
    return count


def _number(text: str) -> float:
    return float(text.replace(",", "."))
