"""What each tier may use: the one place where it is written.

A budget is a leaky bucket: `amount` may be used at once, and drains away evenly within `window_seconds`. So somebody
who stays below the rate is never refused, and somebody who is refused knows to the second when they will not be.

The amounts are far above honest use: ten years of one athlete's log (3,000 workouts, as many check-ins) come up in some
15 requests, 6 MB and 3 seconds of CPU time. They bound what one account can take from all others.
"""

from collections.abc import Mapping
from typing import Literal, NamedTuple, get_args

from msgspec import Struct
from msgspec.structs import replace

__all__ = ["ANONYMOUS", "BUDGETS", "TIERS", "Allowance", "Budget", "Tier", "TierName", "tier_named"]

Budget = Literal["requests", "sync_bytes", "cpu_ms", "upload_bytes"]
TierName = Literal["athlete_free", "athlete_coached", "coach_solo", "coach_team", "organisation", "support"]

BUDGETS: tuple[Budget, ...] = get_args(Budget)

MINUTE, HOUR, DAY = 60.0, 3600.0, 86_400.0
CPU_WINDOW = 600.0
"""Ten minutes: so short that what may be used at once is a few seconds, in which a process serves others in between."""
MIB = 1024 * 1024
AI_DAYS = 20
"""A day may take this part of a month's tokens: a bad day does not eat the month. A text takes about 2,500, and a coach
of thirty athletes who all train and check in needs 100,000 a day."""
SHARE_UNSEEN = 16
"""A process may use this part of an amount before the others have to know, so so few processes cannot double it."""


class Allowance(NamedTuple):
    """So much at once, which drains away within so many seconds."""

    amount: float
    window_seconds: float

    @property
    def drains_per_second(self) -> float:
        """How fast what was used is forgotten."""
        return self.amount / self.window_seconds

    @property
    def slice(self) -> float:
        """What one process may use before it has to settle."""
        return self.amount / SHARE_UNSEEN


class Tier(Struct, frozen=True, kw_only=True):
    """The budgets of one account; `ai_tokens_per_month` is of a coach, for all their athletes."""

    name: str
    requests: Allowance
    """All over HTTP, and pushes over the live channel."""
    sync_bytes: Allowance
    """To and from `/api/sync`, as they go over the wire."""
    cpu_ms: Allowance
    """What answering takes of a web process, in milliseconds."""
    upload_bytes: Allowance
    """Bodies of all other requests, and media: imports, photos, edits."""
    media_bytes: int
    """Photos, recordings and files altogether, of what the account handed in."""
    ai_tokens_per_month: int = 0

    @property
    def ai_tokens_per_day(self) -> int:
        """Give what one day may take of the month."""
        return self.ai_tokens_per_month // AI_DAYS

    def allowance(self, budget: Budget) -> Allowance:
        """Give one of the budgets."""
        allowance: Allowance = getattr(self, budget)
        return allowance

    def scaled(self, factor: float) -> "Tier":
        """Give the same with every budget of requests, bytes and time multiplied."""
        changes = {name: self.allowance(name)._replace(amount=self.allowance(name).amount * factor) for name in BUDGETS}
        return replace(self, **changes)


def _tier(
    name: str,
    *,
    requests: int,
    sync_mib: int,
    cpu_ms: int,
    upload_mib: int,
    media_gib: int = 0,
    ai_tokens_per_month: int = 0,
) -> Tier:
    """Write a tier down: requests a minute, sync an hour, CPU in ten minutes, uploads a day, media altogether."""
    return Tier(
        name=name,
        requests=Allowance(requests, MINUTE),
        sync_bytes=Allowance(sync_mib * MIB, HOUR),
        cpu_ms=Allowance(cpu_ms, CPU_WINDOW),
        upload_bytes=Allowance(upload_mib * MIB, DAY),
        media_bytes=media_gib * 1024 * MIB,
        ai_tokens_per_month=ai_tokens_per_month,
    )


_MILLION = 1_000_000

TIERS: Mapping[TierName, Tier] = {
    "athlete_free": _tier("athlete_free", requests=600, sync_mib=256, cpu_ms=20_000, upload_mib=256, media_gib=2),
    "athlete_coached": _tier(
        "athlete_coached", requests=900, sync_mib=512, cpu_ms=30_000, upload_mib=1024, media_gib=10
    ),
    "coach_solo": _tier(
        "coach_solo",
        requests=1_800, sync_mib=2_048, cpu_ms=90_000, upload_mib=2_048, media_gib=50,
        ai_tokens_per_month=6 * _MILLION,
    ),
    "coach_team": _tier(
        "coach_team",
        requests=3_600, sync_mib=8_192, cpu_ms=180_000, upload_mib=10_240, media_gib=250,
        ai_tokens_per_month=24 * _MILLION,
    ),
    "organisation": _tier(
        "organisation",
        requests=6_000, sync_mib=16_384, cpu_ms=240_000, upload_mib=51_200, media_gib=1_000,
        ai_tokens_per_month=96 * _MILLION,
    ),
    "support": _tier("support", requests=600, sync_mib=512, cpu_ms=60_000, upload_mib=16),
}  # fmt: skip

ANONYMOUS = _tier("anonymous", requests=1_200, sync_mib=16, cpu_ms=120_000, upload_mib=256)
"""Of a network address that nobody signed in from: a gym of 200 phones behind one, each renewing its session."""

_BY_ROLE: Mapping[str, TierName] = {"coach": "coach_solo", "owner": "coach_solo", "support": "support"}


def tier_named(name: str | None, *, role: str) -> Tier:
    """Give a tier by its name; where that is unknown (yet), the one that the role has at least."""
    for known, tier in TIERS.items():
        if known == name:
            return tier
    return TIERS[_BY_ROLE.get(role, "athlete_free")]
