"""The contract of a finding: order, numbering, digest, confidence, bounds."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from apex_sync.coaching.finding import (
    FINDINGS_MAX,
    INPUTS_MAX,
    Fact,
    Finding,
    canonical_json,
    computed,
    confidence,
    facts_digest,
    finding,
    in_order,
    one_line,
    set_facts,
    shown,
    written,
)
from apex_sync.coaching.rules import RULES
from tests.engine.coaching.logs import day, performed_on


def made(
    rule_id: str = "rpe.on_target", subject: str = "name:squat", *, inputs: int = 1, value: float = 8.0
) -> Finding:
    return finding(
        rule_id,
        subject,
        statement="as it is",
        window=(day(0), day(7)),
        inputs=[written(f"w{n}", "sets.a.rpe", "effort", value, "RPE") for n in range(inputs)],
        computed=[computed("mean", value)],
        n=inputs,
        confidence=1.0,
        expires_after_days=14,
    )


def test_a_finding_takes_type_urgency_and_version_from_its_rule() -> None:
    found = made("recovery.overtraining_risk")
    rule = RULES["recovery.overtraining_risk"]
    assert (found.type, found.priority, found.flag, found.rule_version) == (
        rule.type,
        "critical",
        "warning",
        rule.version,
    )
    assert found.key == "recovery.overtraining_risk:name:squat"
    assert found.expires_at == day(21)


def test_an_unknown_rule_can_find_nothing() -> None:
    with pytest.raises(KeyError):
        made("no.such_rule")


def test_findings_come_most_urgent_first_and_facts_are_numbered_along() -> None:
    found = in_order([made("rpe.on_target"), made("recovery.overtraining_risk", inputs=2), made("plateau.no_gain")])
    assert [f.priority for f in found] == ["critical", "medium", "low"]
    assert [fact.id for f in found for fact in f.facts] == ["F1", "F2", "F3", "F4", "F5", "F6", "F7"]


def test_a_claim_without_an_input_is_dropped() -> None:
    assert in_order([made(inputs=0)]) == []


def test_inputs_and_findings_are_bounded() -> None:
    assert len(made(inputs=100).inputs) == INPUTS_MAX
    many = [made("rpe.on_target", f"name:{n:03}") for n in range(FINDINGS_MAX)]
    kept = in_order([*many, made("recovery.overtraining_risk")])
    assert len(kept) == FINDINGS_MAX
    assert kept[0].rule_id == "recovery.overtraining_risk"


def test_versions_of_records_are_named_with_the_inputs() -> None:
    (found,) = in_order([made(inputs=2)], {"w0": "v7"})
    assert [fact.version for fact in found.facts] == ["v7", None, None]


def test_the_digest_sees_what_changed_and_nothing_else() -> None:
    base = in_order([made()])
    assert facts_digest(in_order([made()], {"w0": 12})) == facts_digest(base), "a version is no change"
    later = [replace(base[0], window=msgspec.convert({"from": "2026-03-03", "to": "2026-03-10"}, type(base[0].window)))]
    assert facts_digest(later) == facts_digest(base), "a day that passed is no change"
    assert facts_digest(in_order([made(value=8.1)])) != facts_digest(base)
    assert facts_digest([replace(base[0], rule_version=2)]) != facts_digest(base)
    assert facts_digest([]) != facts_digest(base)
    assert len(facts_digest(base)) == 32


@given(st.permutations(range(5)))
def test_the_order_in_which_findings_are_made_changes_nothing(order: list[int]) -> None:
    rules = sorted(RULES)[:5]
    found = [made(rules[number]) for number in order]
    assert canonical_json(in_order(found)) == canonical_json(in_order([made(rule) for rule in rules]))


def test_a_finding_is_plain_json_with_its_window_from_to() -> None:
    found = json.loads(canonical_json(in_order([made()])))[0]
    assert found["window"] == {"from": "2026-03-02", "to": "2026-03-09"}
    assert found["inputs"][0] | {"id": "F1", "record_id": "w0", "value": 8.0} == found["inputs"][0]


@pytest.mark.parametrize(
    ("n", "wanted", "completeness", "low", "expected"),
    [
        (0, 4, 1.0, False, 0.0),
        (2, 4, 1.0, False, 0.5),
        (9, 4, 1.0, False, 1.0),
        (4, 4, 0.5, False, 0.5),
        (4, 4, 1.0, True, 0.8),
    ],
)
def test_confidence_is_sample_size_times_completeness(
    n: int, wanted: int, completeness: float, low: bool, expected: float
) -> None:
    assert confidence(n, wanted, completeness=completeness, low=low) == expected


def test_facts_of_a_set_name_each_leaf() -> None:
    (performed,) = performed_on(day(0), [{"load_kg": 102.05828325, "reps": 8, "rpe": 8.5, "rir": 2}])
    assert [(f.field, f.value, f.unit) for f in set_facts(performed)] == [
        ("sets.s0-0.load_kg", 102.058, "kg"),
        ("sets.s0-0.reps", 8, "reps"),
        ("sets.s0-0.rpe", 8.5, "RPE"),
        ("sets.s0-0.rir", 2.0, "RIR"),
    ]


@given(st.floats(-1e9, 1e9))
def test_a_number_is_shown_as_the_fact_has_it(value: float) -> None:
    assert float(shown(value)) == computed("x", value).value


def test_names_are_cut_to_one_line_without_control_characters() -> None:
    assert one_line("Bench\n\x07 Press\u202e" + "x" * 100) == "Bench Press" + "x" * 69
    assert written("w", "f" * 300, "note", "n" * 900).field == "f" * 200
    assert written("w", "f", "note", "n" * 900) == Fact(label="note", value="n" * 400, record_id="w", field="f")
