"""What a record's writes add up to, and what lost against what."""

from hypothesis import example, given

from apex_sync.fold import UNJUDGED, Claim, Conflict, fold
from apex_sync.op import StampedWrite
from tests.engine.histories import HISTORIES, HISTORIES_WITH_COMPACTIONS, Fleet, Save, Step, Sync
from tests.engine.naive_fold import NaiveConflict, leaves, naive_conflicts, naive_state


def conflicts_of(found: list[Conflict]) -> list[NaiveConflict]:
    return [(each.path, _claimed(each.kept), [_claim(loser) for loser in each.discarded]) for each in found]


def _claim(claim: Claim) -> tuple[object, int, int]:
    return claim.value, claim.client_id, claim.hlc


def _claimed(claim: Claim | None) -> tuple[object, int, int] | None:
    return _claim(claim) if claim is not None else None


# A nested leaf that a leaf above overwrote unseen, beneath a path that is a map again.
_RESURFACED: list[Step] = [
    Save(0, [{"a": {"b": {"c": 1}}}], 1),
    Save(1, [{"a": 5}], 2),
    Sync(2, 1),
    Save(2, [{"a": {"c": 2}}], 3),
]


@given(HISTORIES | HISTORIES_WITH_COMPACTIONS)
@example(_RESURFACED)
def test_the_fold_equals_the_naive_model(steps: list[Step]) -> None:
    writes = list(Fleet(steps).merged().writes())
    folded = fold(writes)
    assert repr(_sorted(folded.state)) == repr(_sorted(naive_state(writes)))
    assert repr(conflicts_of(folded.conflicts)) == repr(naive_conflicts(writes))


@given(HISTORIES)
def test_every_leaf_of_the_state_has_one_claim_with_its_value(steps: list[Step]) -> None:
    folded = fold(Fleet(steps).merged().writes())
    claims = dict(folded.claims())
    assert {path: claim.value for path, claim in claims.items()} == dict(leaves(folded.state))


@given(HISTORIES)
def test_nothing_written_is_lost(steps: list[Step]) -> None:
    """Each leaf that people judge is in the state, listed as discarded, equal to what was kept, or had been seen."""
    writes = list(Fleet(steps).merged().writes())
    folded = fold(writes)
    shown = {(path, claim.client_id, claim.hlc) for path, claim in folded.claims()}
    shown |= {(each.path, claim.client_id, claim.hlc) for each in folded.conflicts for claim in each.discarded}
    everything = [(write, path, value) for write in writes for path, value in leaves(write.patch)]
    for write, path, value in everything:
        if path[-1] in UNJUDGED:
            continue
        seen = any(
            other.saw(write) and (at[: len(path)] == path or path[: len(at)] == at) for other, at, _ in everything
        )
        agreed = any(at == path and value == same and other is not write for other, at, same in everything)
        assert (path, write.client_id, write.hlc) in shown or seen or agreed


def stamped(hlc: int, client_id: int, clock: int, patch: dict[str, object], **seen: int) -> StampedWrite:
    return StampedWrite(hlc, client_id, clock, 0, {int(client[1:]): upto for client, upto in seen.items()}, patch)


def test_no_writes_fold_to_nothing() -> None:
    folded = fold([])
    assert (folded.state, folded.conflicts, folded.last_hlc) == ({}, [], 0)


def test_different_fields_of_one_entry_both_stand_without_a_conflict() -> None:
    folded = fold([stamped(10, 1, 0, {"sets": {"k": {"reps": 8}}}), stamped(20, 2, 0, {"sets": {"k": {"rpe": 9}}})])
    assert folded.state == {"sets": {"k": {"reps": 8, "rpe": 9}}}
    assert folded.conflicts == []


def test_the_later_write_of_a_race_wins_and_the_earlier_is_listed() -> None:
    folded = fold([stamped(20, 1, 0, {"fatigue": 7}), stamped(10, 2, 0, {"fatigue": 4})])
    assert folded.state == {"fatigue": 7}
    assert folded.conflicts == [Conflict(("fatigue",), Claim(7, 1, 20), (Claim(4, 2, 10),))]


def test_equal_stamps_go_to_the_higher_client_id() -> None:
    folded = fold([stamped(10, 9, 0, {"fatigue": 7}), stamped(10, 2, 5, {"fatigue": 4})])
    assert folded.state == {"fatigue": 7}


def test_a_write_that_had_seen_the_other_is_no_race() -> None:
    folded = fold([stamped(10, 2, 0, {"fatigue": 4}), stamped(20, 1, 0, {"fatigue": 7}, c2=1)])
    assert folded.conflicts == []


def test_who_writes_the_same_value_does_not_conflict() -> None:
    folded = fold([stamped(10, 2, 0, {"load_kg": 100}), stamped(20, 1, 0, {"load_kg": 100.0})])
    assert folded.conflicts == []


def test_what_apps_write_by_themselves_is_nobodys_to_judge() -> None:
    one = stamped(10, 2, 0, {"created_at": "one", "coach": {"read_at": "one", "text": "one"}})
    two = stamped(20, 1, 0, {"created_at": "two", "coach": {"read_at": "two", "text": "two"}})
    folded = fold([one, two])
    assert folded.state == two.patch
    assert [conflict.path for conflict in folded.conflicts] == [("coach", "text")]


def test_true_and_one_are_different_values() -> None:
    folded = fold([stamped(10, 2, 0, {"x": [True]}), stamped(20, 1, 0, {"x": [1]})])
    assert [conflict.path for conflict in folded.conflicts] == [("x",)]


def test_null_is_a_value_and_can_lose_and_win() -> None:
    folded = fold([stamped(10, 2, 0, {"notes": "sore"}), stamped(20, 1, 0, {"notes": None})])
    assert folded.state == {"notes": None}
    assert folded.conflicts == [Conflict(("notes",), Claim(None, 1, 20), (Claim("sore", 2, 10),))]


def test_a_concurrent_edit_neither_revives_what_was_deleted_nor_vanishes() -> None:
    deleted = stamped(20, 1, 0, {"sets": {"k": {"deleted": True}}})
    edited = stamped(30, 2, 0, {"sets": {"k": {"reps": 9}}})
    assert fold([deleted, edited]).state == {"sets": {"k": {"deleted": True, "reps": 9}}}
    restored = stamped(40, 2, 1, {"sets": {"k": {"deleted": False}}}, c1=1)
    assert fold([deleted, edited, restored]).state == {"sets": {"k": {"deleted": False, "reps": 9}}}


def test_a_later_leaf_takes_the_place_of_a_map_and_lists_what_it_had_not_seen() -> None:
    folded = fold([stamped(10, 1, 0, {"x": {"y": 1}}), stamped(20, 2, 0, {"x": 5})])
    assert folded.state == {"x": 5}
    assert folded.conflicts == [Conflict(("x", "y"), None, (Claim(1, 1, 10),))]


def test_a_later_map_takes_the_place_of_a_leaf_and_lists_it() -> None:
    folded = fold([stamped(10, 1, 0, {"x": 5}), stamped(20, 2, 0, {"x": {"y": 1}})])
    assert folded.state == {"x": {"y": 1}}
    assert folded.conflicts == [Conflict(("x",), None, (Claim(5, 1, 10),))]


def test_two_writes_of_one_op_are_in_their_order() -> None:
    first, second = stamped(10, 1, 0, {"x": 1}), StampedWrite(11, 1, 0, 1, {}, {"x": 2})
    folded = fold([second, first])
    assert (folded.state, folded.conflicts) == ({"x": 2}, [])


def test_leaves_that_overwrite_large_maps_again_and_again_stay_cheap() -> None:
    """Two devices can't make the server walk ten thousand dead leaves a thousand times."""
    wide = stamped(1, 1, 0, {"x": {str(key): key for key in range(10_000)}})
    leaves_above = [stamped(10 + clock, 2, clock, {"x": clock}) for clock in range(1000)]
    calls = 0

    class Counting(StampedWrite, frozen=True):
        def saw(self, other: StampedWrite) -> bool:
            nonlocal calls
            calls += 1
            return super().saw(other)

    writes = [
        Counting(write.hlc, write.client_id, write.clock, write.index, write.seen, write.patch)
        for write in (wide, *leaves_above)
    ]
    folded = fold(writes)
    assert folded.state == {"x": 999}
    assert len(folded.conflicts) == 10_000
    assert calls < 30_000


def _sorted(state: object) -> object:
    if isinstance(state, dict):
        return {key: _sorted(value) for key, value in sorted(state.items())}
    return state
