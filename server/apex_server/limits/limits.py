"""The limits of one server process: who may go on, who has to wait, and who is at it already.

Every account, a user or a network address nobody signed in from, has a meter for each budget. A request is admitted by
what this process knows, in microseconds; what was used is told to Postgres every few seconds for all accounts together
(`store`), which also tells what the other processes have let them use. When Postgres is away, each process holds to
the amounts by itself: nobody is refused for that, and no budget is multiplied by more than the number of processes.

Bounded: accounts that were not heard of for the longest are forgotten, and what they owe is told all the same.
"""

from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from hashlib import blake2b
from math import ceil
from typing import NamedTuple, Protocol
from uuid import UUID

import anyio
import structlog

from apex_server.db import DatabaseUnavailable
from apex_server.errors import TooManyRequests
from apex_server.limits.meter import Answer, Meter
from apex_server.limits.tiers import ANONYMOUS, Budget, Tier, tier_named

__all__ = ["Account", "BudgetLeft", "Debit", "Limits", "LimitsStore"]

ACCOUNTS_MAX = 20_000
"""Remembered in one process, about 1 KB each."""
DEBITS_MAX = 2_000
"""Told in one statement; Postgres takes about 10 ms for them."""
SETTLE_SECONDS = 2.0
"""How long other processes know nothing of what was spent here; they may count on a slice at most anyway."""
TIER_SECONDS = 60.0
"""How long a tier is remembered."""
FORGET_SECONDS = 60.0
"""How often rows that say nothing any more are deleted."""
TURNS_MAX = 2
"""Syncs of one user at once: a device sends a batch while another is committed. More devices take turns."""
TURNS_WAITING_MAX = 16
"""Each waiting one holds a body of 4 MB at most; eight devices of two requests each."""
TURN_SECONDS = 1.0
"""How long to stay away when even that is full."""
IN_FLIGHT_MAX = 64
"""Requests and sockets of one user at once in one process: twenty open pages of three connections each."""
IN_FLIGHT_NETWORK_MAX = 256
"""The same for an address nobody signed in from; a process bears about a thousand of all."""

_log = structlog.get_logger(__name__)


class Debit(NamedTuple):
    """What one account has spent of one budget, and how fast that drains."""

    account: bytes
    budget: Budget
    amount: float
    drains_per_second: float


class LimitsStore(Protocol):
    """What all processes share. Raises DatabaseUnavailable."""

    async def settle(self, debits: Sequence[Debit]) -> Mapping[tuple[bytes, str], float]:
        """Add what was spent, and give the level of each account and budget."""

    async def tiers(self, user_ids: Sequence[UUID]) -> Mapping[UUID, str]:
        """Give the tiers of people."""

    async def forget_drained(self) -> None:
        """Delete what says nothing any more."""


class Account:
    """Somebody who uses the server, as this process knows them."""

    __slots__ = ("in_flight", "key", "meters", "role", "tier", "tier_known_at", "turns", "user_id", "waiting")

    def __init__(self, key: bytes, user_id: UUID | None, role: str, tier: Tier) -> None:
        self.key = key
        self.user_id = user_id
        self.role = role
        self.tier = tier
        self.tier_known_at: float | None = None
        self.meters: dict[Budget, Meter] = {}
        self.in_flight = 0
        self.turns = 0
        self.waiting: deque[anyio.Event] = deque()

    def meter(self, budget: Budget, now: float) -> Meter:
        """Give the meter of a budget, new where nothing was spent yet."""
        meter = self.meters.get(budget)
        if meter is None:
            meter = self.meters[budget] = Meter(self.tier.allowance(budget), now)
        return meter


class BudgetLeft(NamedTuple):
    """Where one budget stands; `full_in_seconds` is until it is whole again."""

    budget: Budget
    amount: float
    window_seconds: float
    left: float
    full_in_seconds: float


class Limits:
    """One per process. `clock` gives seconds and never jumps; `factor` multiplies every amount."""

    def __init__(
        self,
        store: LimitsStore,
        *,
        clock: Callable[[], float],
        factor: float = 1.0,
        accounts_max: int = ACCOUNTS_MAX,
    ) -> None:
        self._store = store
        self._clock = clock
        self._factor = factor
        self._accounts_max = accounts_max
        self._accounts: OrderedDict[bytes, Account] = OrderedDict()
        self._key_by_token: OrderedDict[bytes, bytes] = OrderedDict()
        self._spending: dict[bytes, Account] = {}
        self._owed: dict[tuple[bytes, Budget], Debit] = {}
        self._settling = anyio.Lock()
        self._store_is_away = False
        self._forget_at = 0.0
        self._anonymous = ANONYMOUS.scaled(factor)

    def user(self, user_id: UUID, role: str) -> Account:
        """Give the account of a user."""
        return self._account(user_id.bytes, user_id, role)

    def network(self, name: str) -> Account:
        """Give the account of a network address that nobody signed in from."""
        return self._account(blake2b(name.encode(), digest_size=16, person=b"apex network").digest(), None, "")

    def check(self, account: Account, *budgets: Budget) -> None:
        """Return if none of the budgets is used up, as far as is known here. Raises TooManyRequests."""
        now = self._clock()
        for budget in budgets:
            meter = account.meters.get(budget)
            if meter is not None and meter.ask(0.0, now) == "no":
                raise refusal(meter, budget, 0.0, now)

    async def admit(self, account: Account, *budgets: Budget) -> None:
        """Count a request, if there is something left of it and of the other budgets. Raises TooManyRequests."""
        now = self._clock()
        for budget in budgets:
            await self._ask(account, budget, 0.0, now)
        await self._ask(account, "requests", 1.0, now)
        self.charge(account, "requests", 1.0)

    def remember_token(self, token: bytes, account: Account) -> None:
        """Remember whose an access token is that was found to be good."""
        if token and account.user_id is not None:
            self._key_by_token[token_hash(token)] = account.key
            if len(self._key_by_token) > self._accounts_max:
                self._key_by_token.popitem(last=False)

    def check_token(self, token: bytes, *budgets: Budget) -> None:
        """Refuse whoever has shown this token before and has nothing left. Raises TooManyRequests."""
        account = self._accounts.get(self._key_by_token.get(token_hash(token), b"")) if token else None
        if account is None:
            return
        self.check(account, *budgets)
        now = self._clock()
        meter = account.meters.get("requests")
        if meter is not None and meter.ask(1.0, now) == "no":
            raise refusal(meter, "requests", 1.0, now)

    def charge(self, account: Account, budget: Budget, amount: float) -> None:
        """Count what was used and known only afterwards; who goes beyond the amount waits the longer."""
        if amount > 0:
            account.meter(budget, self._clock()).spend(amount)
            if self._accounts.get(account.key) is account:
                self._spending[account.key] = account

    def enter(self, account: Account) -> None:
        """Count a request or a socket until it is over; whoever ends it counts down. Raises TooManyRequests."""
        if account.in_flight >= (IN_FLIGHT_MAX if account.user_id else IN_FLIGHT_NETWORK_MAX):
            raise TooManyRequests(ceil(TURN_SECONDS), "turns")
        account.in_flight += 1

    @asynccontextmanager
    async def turn(self, account: Account) -> AsyncIterator[None]:
        """Wait until fewer than TURNS_MAX of the account are in here. Raises TooManyRequests when too many wait."""
        if account.turns < TURNS_MAX:
            account.turns += 1
        else:
            await wait_for_turn(account)
        try:
            yield
        finally:
            pass_on_turn(account)

    async def left(self, account: Account) -> list[BudgetLeft]:
        """Tell what is left of every budget, of all processes. Raises DatabaseUnavailable."""
        now = self._clock()
        async with self._settling:
            await self._learn_tiers([account])
            meters = {name: account.meter(name, now) for name in BUDGET_NAMES}
            await self._tell([(account, name, meter) for name, meter in meters.items()])
        now = self._clock()
        return [budget_left(name, account.meters[name], now) for name in BUDGET_NAMES]

    async def keep_settling(self) -> None:
        """Settle every few seconds, until cancelled."""
        while True:
            await anyio.sleep(SETTLE_SECONDS)
            try:
                await self.settle()
            except DatabaseUnavailable as error:
                _log.warning("limits_not_settled", reason=error.reason)
            except Exception:  # noqa: BLE001 - whatever it is, a server that no longer settles still holds to its limits.
                _log.exception("limits_not_settled")

    async def settle(self) -> None:
        """Tell the others what was spent here, and learn what they let be spent. Raises DatabaseUnavailable."""
        async with self._settling:
            now = self._clock()
            active = list(self._spending.values())
            stale_since = now - TIER_SECONDS
            await self._learn_tiers([one for one in active if (one.tier_known_at or stale_since) <= stale_since])
            await self._tell_owed()
            told = [
                (account, budget, meter)
                for account in active
                for budget, meter in account.meters.items()
                if meter.unsettled
            ]
            for start in range(0, len(told), DEBITS_MAX):
                await self._tell(told[start : start + DEBITS_MAX])
            self._spending = {
                account.key: account
                for account in self._spending.values()
                if any(meter.unsettled for meter in account.meters.values())
            }
            if now >= self._forget_at:
                self._forget_at = now + FORGET_SECONDS
                await self._store.forget_drained()

    async def settle_at_the_end(self) -> None:
        """Tell what is not told yet, if that is quick."""
        with anyio.move_on_after(SETTLE_SECONDS), suppress(DatabaseUnavailable):
            await self.settle()

    def _account(self, key: bytes, user_id: UUID | None, role: str) -> Account:
        account = self._accounts.get(key)
        if account is None:
            tier = tier_named(None, role=role).scaled(self._factor) if user_id else self._anonymous
            account = self._accounts[key] = Account(key, user_id, role, tier)
            if len(self._accounts) > self._accounts_max:
                self._forget_oldest()
        else:
            self._accounts.move_to_end(key)
        return account

    def _forget_oldest(self) -> None:
        _, account = self._accounts.popitem(last=False)
        self._spending.pop(account.key, None)
        for budget, meter in account.meters.items():
            amount = meter.unsettled
            if amount and len(self._owed) < self._accounts_max:
                owed = self._owed.get((account.key, budget))
                amount += owed.amount if owed else 0.0
                rate = meter.allowance.drains_per_second
                self._owed[account.key, budget] = Debit(account.key, budget, amount, rate)

    async def _ask(self, account: Account, budget: Budget, amount: float, now: float) -> None:
        meter = account.meter(budget, now)
        answer = meter.ask(amount, now)
        if answer == "settle_first" and not self._store_is_away:
            answer = await self._settled_answer(account, budget, meter, amount)
        if answer == "no":
            raise refusal(meter, budget, amount, self._clock())

    async def _settled_answer(self, account: Account, budget: Budget, meter: Meter, amount: float) -> Answer:
        async with self._settling:
            if meter.ask(amount, self._clock()) == "settle_first":
                try:
                    await self._tell([(account, budget, meter)])
                except DatabaseUnavailable as error:
                    _log.warning("limits_not_settled", reason=error.reason)
        return meter.ask(amount, self._clock())

    async def _tell(self, told: Sequence[tuple[Account, Budget, Meter]]) -> None:
        debits = [
            Debit(account.key, budget, meter.begin_settling(), meter.allowance.drains_per_second)
            for account, budget, meter in told
        ]
        levels: Mapping[tuple[bytes, str], float] | None = None
        try:
            levels = await self._store.settle(debits)
        finally:
            # Without an answer nothing is asked again before the next round: nobody waits twice for an absent Postgres.
            self._store_is_away = levels is None
            now = self._clock()
            for account, budget, meter in told:
                if levels is None:
                    meter.not_settled()
                else:
                    meter.settled(levels[account.key, budget], now)

    async def _tell_owed(self) -> None:
        while self._owed:
            told = list(self._owed.values())[:DEBITS_MAX]
            await self._store.settle(told)
            for debit in told:
                self._owed.pop((debit.account, debit.budget), None)

    async def _learn_tiers(self, accounts: Sequence[Account]) -> None:
        people = {account.user_id: account for account in accounts if account.user_id is not None}
        for start in range(0, len(people), DEBITS_MAX):
            asked = list(people)[start : start + DEBITS_MAX]
            names = await self._store.tiers(asked)
            for user_id in asked:
                self._set_tier(people[user_id], names.get(user_id))
        now = self._clock()
        for account in accounts:
            account.tier_known_at = now

    def _set_tier(self, account: Account, name: str | None) -> None:
        account.tier = tier_named(name, role=account.role).scaled(self._factor)
        for budget, meter in account.meters.items():
            meter.allowance = account.tier.allowance(budget)


BUDGET_NAMES: tuple[Budget, ...] = ("requests", "sync_bytes", "cpu_ms", "upload_bytes")


def token_hash(token: bytes) -> bytes:
    """Give what stands for a token in memory, where it is to be found by nobody."""
    return blake2b(token, digest_size=16).digest()


async def wait_for_turn(account: Account) -> None:
    """Return when another has passed its turn on, first come first served. Raises TooManyRequests."""
    if len(account.waiting) >= TURNS_WAITING_MAX:
        raise TooManyRequests(ceil(TURN_SECONDS), "turns")
    mine = anyio.Event()
    account.waiting.append(mine)
    try:
        await mine.wait()
    except BaseException:
        if mine.is_set():
            pass_on_turn(account)
        else:
            account.waiting.remove(mine)
        raise


def pass_on_turn(account: Account) -> None:
    """End a turn: it goes to whoever has waited the longest."""
    if account.waiting:
        account.waiting.popleft().set()
    else:
        account.turns -= 1


def refusal(meter: Meter, budget: Budget, amount: float, now: float) -> TooManyRequests:
    """Say how long to wait; a little more than nothing."""
    seconds = max(1, ceil(meter.wait_seconds(amount, now)))
    allowance = meter.allowance
    return TooManyRequests(seconds, budget, f"q={int(allowance.amount)};w={int(allowance.window_seconds)}")


def budget_left(budget: Budget, meter: Meter, now: float) -> BudgetLeft:
    """Tell where one budget stands."""
    amount, window_seconds = meter.allowance
    level = meter.level(now)
    return BudgetLeft(
        budget, amount, window_seconds, max(0.0, amount - level), level / meter.allowance.drains_per_second
    )
