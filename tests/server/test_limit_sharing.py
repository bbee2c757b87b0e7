"""Processes that share a limit without asking each other: the arithmetic, against every order of events."""

import asyncio
from contextlib import suppress
from uuid import UUID

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apex_server.errors import TooManyRequests
from apex_server.limits import Limits, Metered
from apex_server.limits import limits as limits_module
from apex_server.limits.limits import IN_FLIGHT_MAX, IN_FLIGHT_NETWORK_MAX, TURNS_MAX, TURNS_WAITING_MAX
from apex_server.limits.meter import Answer, Meter
from apex_server.limits.tiers import TIERS
from tests.server.limits_store import MemoryLimits, MovedClock

pytestmark = pytest.mark.anyio

ANNA = UUID(int=1)
PROCESSES = 3
REQUESTS = TIERS["athlete_free"].requests

Event = tuple[str, int, float]
EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("spend"), st.integers(0, PROCESSES - 1), st.integers(1, 400).map(float)),
        st.tuples(st.just("settle"), st.integers(0, PROCESSES - 1), st.just(0.0)),
        st.tuples(st.just("kill"), st.integers(0, PROCESSES - 1), st.just(0.0)),
        st.tuples(st.just("wait"), st.just(0), st.floats(0.01, 90.0)),
    ),
    max_size=60,
)


class Installation:
    """Some processes, and what really was let through."""

    def __init__(self) -> None:
        self.clock = MovedClock()
        self.store = MemoryLimits(self.clock)
        self.processes = [self.start() for _ in range(PROCESSES)]
        self.level = 0.0

    def start(self) -> Limits:
        return Limits(self.store, clock=self.clock)

    def wait(self, seconds: float) -> None:
        self.clock.seconds += seconds
        self.level = max(0.0, self.level - REQUESTS.drains_per_second * seconds)

    async def spend(self, process: int, times: int) -> TooManyRequests | None:
        limits = self.processes[process]
        for _ in range(times):
            try:
                await limits.admit(limits.user(ANNA, "athlete"))
            except TooManyRequests as refused:
                return refused
            self.level += 1.0
        return None

    def kill(self, process: int) -> None:
        self.processes[process] = self.start()


@settings(max_examples=60, deadline=None)
@given(EVENTS)
async def test_all_together_never_let_through_more_than_the_limit_and_a_slice_each(events: list[Event]) -> None:
    """A process that is started anew knows nothing and has a slice of its own; that comes on top."""
    world = Installation()
    bound = REQUESTS.amount + PROCESSES * REQUESTS.slice
    for verb, process, number in events:
        if verb == "spend":
            await world.spend(process, int(number))
        elif verb == "settle":
            await world.processes[process].settle()
        elif verb == "kill":
            world.kill(process)
            bound += REQUESTS.slice
        else:
            world.wait(number)
        assert world.level <= bound + 1e-6


async def test_without_settling_before_a_slice_is_spent_the_limit_would_be_multiplied(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The bound above is not for nothing."""
    monkeypatch.setattr(Meter, "ask", lambda meter, amount, now: never_settle(meter, amount, now))
    world = Installation()
    for process in range(PROCESSES):
        await world.spend(process, 1_000)
    assert world.level > REQUESTS.amount + PROCESSES * REQUESTS.slice


def never_settle(meter: Meter, amount: float, now: float) -> Answer:
    return "no" if meter.wait_seconds(amount, now) > 0 else "yes"


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, PROCESSES - 1), st.floats(0.0, 3.0)), max_size=80))
async def test_who_stays_below_the_rate_is_never_refused(steps: list[tuple[int, float]]) -> None:
    """Wherever the requests go and whenever processes settle."""
    world = Installation()
    for process, seconds in steps:
        world.wait(1 / REQUESTS.drains_per_second + seconds)
        assert await world.spend(process, 1) is None
        if seconds > 2:
            await world.processes[process].settle()


@settings(max_examples=40, deadline=None)
@given(EVENTS, st.integers(0, PROCESSES - 1))
async def test_who_waits_as_long_as_told_is_let_through(events: list[Event], process: int) -> None:
    """Once the others have told what they let through, a wait is exact."""
    world = Installation()
    for verb, number, amount in events:
        if verb == "spend":
            await world.spend(number, int(amount))
    for limits in world.processes:
        await limits.settle()
    limits = world.processes[process]
    await limits.left(limits.user(ANNA, "athlete"))
    refused = await world.spend(process, 2_000)
    assert refused is not None
    world.wait(refused.retry_after)
    assert await world.spend(process, 1) is None


async def test_a_slice_of_requests_needs_one_settling() -> None:
    world = Installation()
    await world.spend(0, int(REQUESTS.amount))
    assert world.store.settlings <= Meter(REQUESTS, 0.0).allowance.amount / REQUESTS.slice


async def test_without_postgres_each_process_holds_to_the_limit_alone() -> None:
    """Nobody is refused for the outage, and an abuser gets no more than a budget of each process."""
    world = Installation()
    world.store.away = True
    for process in range(PROCESSES):
        assert await world.spend(process, 400) is None
        assert await world.spend(process, 2_000) is not None
    assert world.level <= PROCESSES * REQUESTS.amount
    assert world.store.settlings <= 3 * PROCESSES, "nobody waits for an absent Postgres again and again"


async def test_a_failure_that_nobody_foresaw_ends_neither_the_settling_nor_the_server(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits_module, "SETTLE_SECONDS", 0.01)
    world = Installation()
    limits = world.processes[0]
    await world.spend(0, 5)
    with monkeypatch.context() as broken:
        broken.setattr(world.store, "settle", lambda _debits: 1 / 0)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(limits.keep_settling)
            await anyio.sleep(0.1)
            broken.undo()
            with anyio.fail_after(5):
                while limits._spending:  # noqa: ASYNC110
                    await anyio.sleep(0.01)
            tasks.cancel_scope.cancel()
    assert world.store.settlings > 0


async def test_what_was_spent_in_an_outage_is_told_after_it() -> None:
    world = Installation()
    world.store.away = True
    await world.spend(0, int(REQUESTS.amount))
    world.store.away = False
    await world.processes[0].settle()
    assert await world.spend(1, 30) is None, "a slice on credit, since it has not heard"
    await world.processes[1].settle()
    assert await world.spend(1, 1) is not None


async def test_a_clock_that_stands_still_or_jumps_back_frees_nothing_and_locks_nobody_out() -> None:
    world = Installation()
    await world.spend(0, int(REQUESTS.amount))
    world.clock.seconds -= 500.0
    refused = await world.spend(0, 1)
    assert refused is not None
    await world.processes[0].settle()
    world.clock.seconds += REQUESTS.window_seconds
    await world.processes[0].settle()
    assert await world.spend(0, 1) is None


async def test_what_is_forgotten_in_memory_is_told_all_the_same() -> None:
    """Accounts are bounded, and pushing one out frees nobody of what they owe."""
    clock = MovedClock()
    store = MemoryLimits(clock)
    limits = Limits(store, clock=clock, accounts_max=10)
    limits.charge(limits.user(ANNA, "athlete"), "cpu_ms", 1e9)
    for number in range(50):
        limits.user(UUID(int=100 + number), "athlete")
    assert len(limits._accounts) == 10
    await limits.settle()
    again = limits.user(ANNA, "athlete")
    await limits.left(again)
    with pytest.raises(TooManyRequests, match="too_many_requests") as refused:
        limits.check(again, "cpu_ms")
    assert refused.value.budget == "cpu_ms"


async def test_a_tier_is_learnt_with_the_next_settling() -> None:
    clock = MovedClock()
    store = MemoryLimits(clock)
    limits = Limits(store, clock=clock)
    account = limits.user(ANNA, "coach")
    assert account.tier.name == "coach_solo"
    store.names[ANNA] = "coach_team"
    await limits.admit(account)
    await limits.settle()
    assert account.tier.name == "coach_team"
    assert account.meters["requests"].allowance == TIERS["coach_team"].requests
    store.names[ANNA] = "no tier of this version"
    clock.seconds += 61
    await limits.admit(account)
    await limits.settle()
    assert account.tier.name == "coach_solo"


async def test_syncs_of_one_user_take_turns_in_their_order_and_too_many_are_refused() -> None:
    """Who gives up while waiting neither keeps nor loses a turn."""
    limits = Limits(MemoryLimits(clock := MovedClock()), clock=clock)
    anna, bert = limits.user(ANNA, "athlete"), limits.user(UUID(int=2), "athlete")
    order: list[int] = []
    release = anyio.Event()

    async def sync(number: int) -> None:
        async with limits.turn(anna):
            order.append(number)
            await release.wait()

    async with anyio.create_task_group() as tasks, anyio.create_task_group() as given_up:
        for number in range(TURNS_MAX):
            tasks.start_soon(sync, number)
        await anyio.wait_all_tasks_blocked()
        given_up.start_soon(sync, 99)
        await anyio.wait_all_tasks_blocked()
        for number in range(TURNS_MAX, TURNS_MAX + TURNS_WAITING_MAX - 1):
            tasks.start_soon(sync, number)
            await anyio.wait_all_tasks_blocked()
        with pytest.raises(TooManyRequests, match="too_many_requests"):
            async with limits.turn(anna):
                raise AssertionError("there was no place to wait in")
        async with limits.turn(bert):
            assert order == list(range(TURNS_MAX))
        given_up.cancel_scope.cancel()
        release.set()
    assert order == list(range(TURNS_MAX + TURNS_WAITING_MAX - 1))
    assert (anna.turns, len(anna.waiting)) == (0, 0)


async def test_who_is_given_a_turn_in_the_moment_of_giving_up_passes_it_on() -> None:
    limits = Limits(MemoryLimits(clock := MovedClock()), clock=clock)
    anna = limits.user(ANNA, "athlete")

    async def wait_for_a_turn() -> None:
        async with limits.turn(anna):
            raise AssertionError("it was given up")

    async with limits.turn(anna), limits.turn(anna):
        given_up = asyncio.create_task(wait_for_a_turn())
        await anyio.wait_all_tasks_blocked()
    given_up.cancel()
    with suppress(asyncio.CancelledError):
        await given_up
    assert given_up.cancelled()
    assert (anna.turns, len(anna.waiting)) == (0, 0)


async def test_an_account_has_so_many_requests_under_way_and_no_more() -> None:
    limits = Limits(MemoryLimits(clock := MovedClock()), clock=clock)
    for account, bound in ((limits.user(ANNA, "athlete"), IN_FLIGHT_MAX), (limits.network("x"), IN_FLIGHT_NETWORK_MAX)):
        for _ in range(bound):
            limits.enter(account)
        with pytest.raises(TooManyRequests, match="too_many_requests"):
            limits.enter(account)
        account.in_flight -= 1
        limits.enter(account)


async def test_cpu_time_is_measured_over_waits_and_the_coroutine_does_not_notice() -> None:
    """Neither its result, nor an error, nor a cancellation is lost on the way."""

    async def work() -> int:
        await anyio.sleep(0.02)
        spin = sum(range(300_000))
        with anyio.move_on_after(0.01):
            await anyio.sleep(5)
        return spin

    metered = Metered(work())
    assert await metered == sum(range(300_000))
    assert 0.5 < metered.cpu_ms < 500

    async def fail() -> None:
        await anyio.lowlevel.checkpoint()
        raise ValueError("told")

    with pytest.raises(ValueError, match="told"):
        await Metered(fail())
    with anyio.move_on_after(0.01) as scope:
        await Metered(anyio.sleep_forever())
    assert scope.cancelled_caught
