"""The arithmetic of one budget in one process: what may be spent here without asking the others.

A process spends on credit and settles later. It knows the level that all processes together had reached when it last
settled, lets that drain, and adds what it has spent since. It refuses when this is more than the amount; it has to
settle first when it has spent a slice.

The invariant: all processes together never reach more than the amount and one slice for each process. At the time of
the last settling that found room, the others held at most a slice each, and so may it now; who finds none adds nothing
before what it found has drained.
What is charged afterwards because it is only known then (bytes, CPU time) comes on top once for each request under way.

Who spends below the rate is never refused, since the level is never estimated too high. The idea is GCRA's (a leaky
bucket as a meter), with the bucket in one place and its drips counted in many.
"""

from typing import Literal

from apex_server.limits.tiers import Allowance

__all__ = ["Answer", "Meter"]

ROUNDING = 1e-9
"""Of the amount: so that who has waited exactly as long as asked is not sent away for an error of the last bit."""

Answer = Literal["yes", "settle_first", "no"]


class Meter:
    """One account's use of one budget, as this process knows it; `now` is in seconds of a clock that never jumps."""

    __slots__ = ("_at", "_level", "_settling", "allowance", "unsettled")

    def __init__(self, allowance: Allowance, now: float) -> None:
        self.allowance = allowance
        self.unsettled = 0.0
        self._settling = 0.0
        self._level = 0.0
        self._at = now

    def level(self, now: float) -> float:
        """Estimate what is used: never more than it is."""
        drained = self.allowance.drains_per_second * max(0.0, now - self._at)
        return max(0.0, self._level - drained) + self._settling + self.unsettled

    def wait_seconds(self, amount: float, now: float) -> float:
        """Give after how long so much may be spent; 0 for now. More than all there is waits for an empty bucket."""
        over = self.level(now) + min(amount, self.allowance.amount) - self.allowance.amount
        return over / self.allowance.drains_per_second if over > self.allowance.amount * ROUNDING else 0.0

    def ask(self, amount: float, now: float) -> Answer:
        """Tell whether so much may be spent now."""
        if self.wait_seconds(amount, now) > 0:
            return "no"
        unseen = self._settling + self.unsettled
        if unseen and unseen + amount > self.allowance.slice:
            return "settle_first"
        return "yes"

    def spend(self, amount: float) -> None:
        """Count what was spent."""
        self.unsettled += amount

    def begin_settling(self) -> float:
        """Take what the others do not know yet, to tell them; exactly one of the next two follows."""
        self._settling, self.unsettled = self._settling + self.unsettled, 0.0
        return self._settling

    def settled(self, level: float, now: float) -> None:
        """Learn the level of all processes together, with what this one told in it."""
        self._level, self._at, self._settling = level, now, 0.0

    def not_settled(self) -> None:
        """Keep what could not be told; without the others, this process alone holds to the amount."""
        self.unsettled, self._settling = self.unsettled + self._settling, 0.0
