"""Order keys leave room between any two, and stay short where people add."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apex_sync.order import DIGITS, order_between, order_keys

KEYS = st.text(DIGITS, min_size=1, max_size=40).filter(lambda key: not key.endswith("0"))
LONG_MARKS = st.builds(lambda mark, count, end: mark * count + end, st.sampled_from("0z"), st.integers(0, 60), KEYS)


def is_key(key: str) -> bool:
    return bool(key) and not key.strip(DIGITS) and not key.endswith("0")


@given(KEYS | LONG_MARKS, KEYS | LONG_MARKS)
def test_a_key_between_two_lies_strictly_between_them(one: str, other: str) -> None:
    low, high = sorted((one, other))
    if low == high:
        with pytest.raises(ValueError, match="no key sorts"):
            order_between(low, high)
    else:
        assert low < order_between(low, high) < high
        assert is_key(order_between(low, high))


@given(KEYS | LONG_MARKS)
def test_there_is_always_room_before_the_first_and_after_the_last(key: str) -> None:
    before, after = order_between(None, key), order_between(key, None)
    assert before < key < after
    assert is_key(before)
    assert is_key(after)


@given(st.integers(0, 40), st.lists(st.floats(0, 1), max_size=60))
def test_any_sequence_of_inserts_keeps_the_order(count: int, places: list[float]) -> None:
    keys: list[str | None] = [None, *order_keys(count), None]
    for place in places:
        at = 1 + int(place * (len(keys) - 2))
        keys.insert(at, order_between(keys[at - 1], keys[at]))
    written = [key for key in keys if key is not None]
    assert written == sorted(set(written))
    assert all(map(is_key, written))


@pytest.mark.parametrize("append", [True, False])
def test_adding_at_an_end_keeps_keys_short(append: bool) -> None:
    key = order_between(None, None)
    lengths = []
    for _ in range(30_000):
        key = order_between(key, None) if append else order_between(None, key)
        lengths.append(len(key))
    assert lengths[10] <= 2
    assert lengths[1000] <= 4
    assert lengths[-1] <= 6


@pytest.mark.parametrize("count", [0, 1, 35, 36, 1260, 5000])
def test_keys_made_at_once_ascend_and_are_short(count: int) -> None:
    keys = order_keys(count)
    assert len(keys) == count
    assert keys == sorted(set(keys))
    assert all(map(is_key, keys))
    assert not keys or len(keys[-1]) <= len(str(count))


@pytest.mark.parametrize("foreign", ["", "A", "1.5", "10", "ä", "1 ", "\x00"])
def test_what_is_no_key_is_refused(foreign: str) -> None:
    """Keys come from other devices by sync, where any text is taken."""
    for before, after in ((foreign, None), (None, foreign), (foreign, "z"), ("1", foreign)):
        with pytest.raises(ValueError, match=r"not an order key|no key sorts"):
            order_between(before, after)


def test_a_made_up_key_of_any_length_costs_no_more_than_its_length() -> None:
    for key in ("z" * 60_000, "0" * 60_000 + "1", "y" * 60_000):
        assert order_between(None, key) < key < order_between(key, None)
