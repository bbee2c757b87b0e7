"""Whatever way a history takes through our codec, yjs and pycrdt, all three hold the same ops in the end."""

from random import Random

import pytest

from apex_sync.fold import fold
from apex_sync.wire import parse_document
from tests.engine.conftest import Pycrdt, ops_by_key
from tests.engine.histories import Fleet
from tests.yjs.relays import Held, Implementation, Ours, Theirs, random_steps, relay
from tests.yjs.yjs_process import Yjs

pytestmark = pytest.mark.needs_node

SHORT, LONG = 40, 1500
SEEDS = range(60)
LONG_SEEDS = range(4)


@pytest.fixture
def implementations(yjs: Yjs, pycrdt: Pycrdt) -> list[Implementation]:
    return [Ours(), Theirs(yjs), Theirs(pycrdt)]


def assert_alike(implementations: list[Implementation], seed: int, steps: int) -> None:
    dice = Random(seed)
    fleet = Fleet(random_steps(dice, steps))
    expected = fleet.merged()
    for held in relay(fleet, implementations, dice):
        assert held.ops == ops_by_key(expected)
        document = parse_document(held.update)
        assert document == expected
        assert fold(document.writes()).state == fold(expected.writes()).state


@pytest.mark.parametrize("seed", SEEDS)
def test_a_history_that_went_through_all_three_is_one_history(implementations: list[Implementation], seed: int) -> None:
    assert_alike(implementations, seed, SHORT)


@pytest.mark.parametrize("seed", LONG_SEEDS)
def test_a_long_history_as_well(implementations: list[Implementation], seed: int) -> None:
    assert_alike(implementations, seed, LONG)


def test_an_implementation_that_loses_an_op_would_be_seen(implementations: list[Implementation]) -> None:
    class Forgetful(Ours):
        def merged(self, *updates: bytes) -> Held:
            return super().merged(*updates[:1])

    with pytest.raises(AssertionError):
        assert_alike([*implementations[1:], Forgetful()], 1, SHORT)
