"""What goes wrong in a run of the fleet, drawn from its seed: when, how long, to whom."""

from collections.abc import Iterator
from random import Random
from typing import Literal

from msgspec import Struct

from tests.torture.net_link import Direction

Kind = Literal[
    "partition",
    "one-way partition",
    "flapping",
    "refused connections",
    "device paused",
    "device killed",
    "clock jump",
    "web process paused",
    "web process killed",
    "server killed",
    "postgres killed",
]
Ending = Literal["resumed", "reset", "forgotten"]
"""What becomes of partitioned connections: what waits arrives late, is reset, or they stay silent for ever."""

EVERYBODY = -1
FIRST_SECOND = 2.0
BETWEEN_SECONDS = 1.3
"""On average from the begin of one fault to that of the next; with ten devices each has some quiet time, too."""

LASTING_SECONDS = (0.3, 9.0)
EVERYBODY_CHANCE = 0.15

WEIGHTS: dict[Kind, int] = {
    "partition": 6,
    "one-way partition": 6,
    "flapping": 4,
    "refused connections": 2,
    "device paused": 5,
    "device killed": 8,
    "clock jump": 4,
    "web process paused": 3,
    "web process killed": 3,
    "server killed": 1,
    "postgres killed": 1,
}

HOUR = 3600.0
YEAR = 365 * 24 * HOUR
CLOCK_JUMPS_SECONDS = (0.0, 0.0, 90.0, -90.0, HOUR, -HOUR, 24 * HOUR, -24 * HOUR, 20 * YEAR, -20 * YEAR)
"""A device's clock against the true time, afterwards."""


class Fault(Struct, frozen=True):
    """One fault. `target` numbers the device, or the web process among those that are up; EVERYBODY is all devices."""

    at_seconds: float
    lasts_seconds: float
    kind: Kind
    target: int
    directions: tuple[Direction, ...] = ("up", "down")
    ending: Ending = "resumed"
    clock_seconds: float = 0.0


def draw_faults(seed: int, *, seconds: float, devices: int) -> Iterator[Fault]:
    """Draw the faults of a run in their order."""
    dice = Random(f"faults {seed}")
    at = FIRST_SECOND + dice.expovariate(1 / BETWEEN_SECONDS)
    while at < seconds:
        kind = dice.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
        everybody = dice.random() < EVERYBODY_CHANCE and kind != "clock jump"
        yield Fault(
            at_seconds=at,
            lasts_seconds=min(dice.uniform(*LASTING_SECONDS), seconds - at),
            kind=kind,
            target=EVERYBODY if everybody else dice.randrange(devices),
            directions=(dice.choice(("up", "down")),) if kind == "one-way partition" else ("up", "down"),
            ending=dice.choice(("resumed", "reset", "forgotten")),
            clock_seconds=dice.choice(CLOCK_JUMPS_SECONDS),
        )
        at += dice.expovariate(1 / BETWEEN_SECONDS)
