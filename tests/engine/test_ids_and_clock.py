"""Ids come from the randomness that is handed in; stamps exceed what their author had seen."""

import contextlib
import string
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apex_sync.clock import SKEW_MAX_MICROSECONDS, latest_acceptable_hlc, next_hlc
from apex_sync.ids import (
    ALPHABET,
    Scope,
    athlete_scope,
    b64,
    client_id_from,
    derived_id,
    entry_key_from,
    library_scope,
    private_scope,
    record_id_from,
)
from apex_sync.op import EXACT_INT_MAX

NATURAL = st.integers(0, EXACT_INT_MAX)
UUIDS = st.uuids().map(str)


@given(NATURAL)
def test_base_64_is_the_number_again(number: int) -> None:
    digits = b64(number)
    assert sum(ALPHABET.index(digit) << 6 * place for place, digit in enumerate(reversed(digits))) == number
    assert digits == "0" or not digits.startswith("0")
    assert len(digits) <= 9


def test_the_alphabet_is_that_of_the_protocol() -> None:
    assert string.digits + string.ascii_lowercase + string.ascii_uppercase + "-_" == ALPHABET


@given(st.integers(0, 2**48 - 1), st.binary(min_size=10, max_size=10))
def test_a_record_id_is_a_canonical_uuid_7_that_tells_its_time(milliseconds: int, entropy: bytes) -> None:
    record_id = record_id_from(milliseconds, entropy)
    uuid = UUID(record_id)
    assert str(uuid) == record_id
    assert (uuid.version, uuid.variant) == (7, "specified in RFC 4122")
    assert uuid.int >> 80 == milliseconds


@given(st.binary(min_size=7, max_size=7))
def test_a_client_id_is_an_exact_positive_integer(entropy: bytes) -> None:
    assert 1 <= client_id_from(entropy) <= EXACT_INT_MAX


@given(st.binary(min_size=5, max_size=5))
def test_an_entry_key_has_six_digits(entropy: bytes) -> None:
    key = entry_key_from(entropy)
    assert len(key) == 6
    assert set(key) <= set(ALPHABET)


@given(st.lists(st.text(), min_size=1), st.lists(st.text(), min_size=1))
def test_a_derived_id_depends_on_every_part(one: list[str], other: list[str]) -> None:
    separated = any("\x1f" in part for part in (*one, *other))
    assert separated or (derived_id(*one) == derived_id(*other)) == (one == other)


@given(UUIDS, UUIDS)
def test_a_scope_name_parses_to_itself(one: str, other: str) -> None:
    for name in (athlete_scope(one), private_scope(one, other), library_scope(one), f"coach:{one}", "global"):
        assert Scope.parse(name).name == name
    assert Scope.parse(private_scope(one, other)) == Scope("private", one, other)
    assert Scope.parse(athlete_scope(one)).id == UUID(one)
    assert Scope.parse(library_scope(one)).id != Scope.parse(f"coach:{one}").id


@pytest.mark.parametrize(
    "name",
    [
        "",
        "athlete",
        "athlete:",
        "athlete:x",
        "global:",
        "global:x",
        "nobody:6b8c6b2e-0d5c-5c1e-9a51-3f1f0a3e7d10",
        "athlete:6B8C6B2E-0D5C-5C1E-9A51-3F1F0A3E7D10",
        "athlete:6b8c6b2e0d5c5c1e9a513f1f0a3e7d10",
        "private:6b8c6b2e-0d5c-5c1e-9a51-3f1f0a3e7d10",
        "athlete:6b8c6b2e-0d5c-5c1e-9a51-3f1f0a3e7d10:",
    ],
)
def test_what_is_no_scope_name_is_a_value_error(name: str) -> None:
    with pytest.raises(ValueError, match=r"scope|UUID"):
        Scope.parse(name)


@given(st.text())
def test_parsing_a_scope_name_is_total(name: str) -> None:
    with contextlib.suppress(ValueError):
        assert Scope.parse(name).name == name


@given(NATURAL, NATURAL, NATURAL)
def test_a_stamp_exceeds_the_last_one_and_all_that_was_seen_and_is_never_behind_the_clock(
    now_us: int, last: int, seen: int
) -> None:
    stamp = next_hlc(now_us, last, seen)
    assert stamp > last
    assert stamp > seen
    assert stamp >= now_us
    assert stamp in (now_us, last + 1, seen + 1)


@given(NATURAL, NATURAL, st.integers(1, 100))
def test_a_record_with_a_far_stamp_stays_writable(now_us: int, largest: int, writes: int) -> None:
    limit = latest_acceptable_hlc(now_us, largest, writes)
    stamp = 0
    for _ in range(writes):
        stamp = next_hlc(min(now_us, now_us + SKEW_MAX_MICROSECONDS), stamp, largest)
    assert stamp <= limit


def test_a_stamp_is_exact_in_a_double_until_the_year_2255() -> None:
    year_us = 365.2425 * 24 * 3600 * 1_000_000
    assert (2255 - 1970) * year_us < EXACT_INT_MAX < (2256 - 1970) * year_us
