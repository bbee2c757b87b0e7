"""Who contributed what."""

from apex_sync.coaching.contributions import entry_contributors, leaf_claims
from apex_sync.fold import fold
from apex_sync.op import Patch, StampedWrite

PHONE, WATCH = 7, 9


def write(client_id: int, hlc: int, patch: Patch, seen: dict[int, int] | None = None, clock: int = 0) -> StampedWrite:
    return StampedWrite(hlc, client_id, clock, 0, seen or {}, patch)


def test_an_entry_names_its_devices_in_the_order_they_came() -> None:
    folded = fold(
        [
            write(PHONE, 10, {"sets": {"a": {"reps": 8, "rpe": 8}, "b": {"reps": 5}}}),
            write(WATCH, 20, {"sets": {"a": {"rpe": 9}, "c": {"reps": 3}}}, {PHONE: 1}),
        ]
    )
    assert entry_contributors(leaf_claims(folded), "sets") == {"a": (PHONE, WATCH), "b": (PHONE,), "c": (WATCH,)}


def test_a_device_whose_every_value_was_replaced_contributes_nothing() -> None:
    folded = fold(
        [write(PHONE, 10, {"sets": {"a": {"reps": 8}}}), write(WATCH, 20, {"sets": {"a": {"reps": 9}}}, {PHONE: 1})]
    )
    assert entry_contributors(leaf_claims(folded), "sets") == {"a": (WATCH,)}
