"""What happens in a run, as a list of steps that follows from a seed alone.

A step carries its own seed, so the others do the same when some are taken out: a failing run can be shrunk.
Each seed leaves some kinds of faults out (swarm testing), so that none hides what another would show.
"""

from random import Random
from typing import NamedTuple

STEPS = 200

USUAL = {"edit": 30, "burst": 5, "sync": 26, "background": 4, "pass": 16, "rest": 4, "analysis": 1}
"""What people do, and how often."""

FAULTS = {
    "weather": 8,
    "clog": 4,
    "crash": 5,
    "power": 2,
    "skew": 3,
    "skip": 3,
    "image": 2,
    "put_back": 1,
    "clone": 1,
    "grant": 4,
    "expire": 2,
    "kill_server": 4,
    "database": 4,
    "backup": 3,
    "restore": 1,
    "compact": 4,
    "forbidden": 3,
    "mistyped": 2,
    "newer_app": 3,
    "hostile": 3,
    "old_app": 1,
    "sign_out_elsewhere": 1,
}
"""What goes wrong, and how often where a seed lets it."""


class Step(NamedTuple):
    """One thing that happens; `seed` decides to whom and how."""

    kind: str
    seed: int


class Plan(NamedTuple):
    """A run: how many athletes, devices and coaches, and what happens."""

    seed: int
    athletes: int
    devices: int
    has_coach: bool
    has_small_limits: bool
    ends_in_background: bool
    steps: list[Step]
    is_crowded: bool = False
    """One record of each kind, limits that it reaches, and long values."""
    returns_late: bool = False
    """A device that is put back has been away for an hour, a month or a year."""
    forges: bool = False
    """What attackers send is from the corpus of crafted input, not a mangled frame."""

    @classmethod
    def of(cls, seed: int, steps: int = STEPS) -> "Plan":
        """Make the plan of a seed."""
        dice = Random(seed)
        athletes = dice.choice((1, 1, 1, 2, 3))
        devices = dice.choice((2, 2, 3, 3, 4, 5, 8)) if dice.random() < 0.97 else 20
        faults = {kind: weight for kind, weight in FAULTS.items() if dice.random() < 0.5}
        weights = {**USUAL, **faults}
        kinds = dice.choices(list(weights), list(weights.values()), k=steps)
        return cls(
            seed,
            athletes,
            max(devices, athletes),
            dice.random() < 0.6,
            dice.random() < 0.3,
            dice.random() < 0.25,
            [Step(kind, dice.getrandbits(48)) for kind in kinds],
            # Drawn last, so that a run which was named before there were these is the run it was.
            is_crowded=dice.random() < 0.2,
            returns_late=dice.random() < 0.3,
            forges=dice.random() < 0.3,
        )

    def as_it_was(self) -> "Plan":
        """Give the plan without what came later, for runs that were shrunk before."""
        return self._replace(is_crowded=False, returns_late=False, forges=False)

    def only(self, kept: list[int]) -> "Plan":
        """Give the plan with some of its steps only."""
        return self._replace(steps=[self.steps[number] for number in kept])
