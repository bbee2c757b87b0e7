"""The entry points on any input: total, deterministic, bounded, and quoting only what they cite."""

import datetime
import random
import re
from collections.abc import Sequence
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from apex_sync.coaching.finding import FINDINGS_MAX, INPUTS_MAX, Finding, canonical_json, facts_digest
from apex_sync.coaching.insight import analyse_check_in, analyse_training
from apex_sync.coaching.plan import plan_from_program
from apex_sync.coaching.profile import ExerciseTraits, TrainingProfile
from apex_sync.coaching.rules import RULES
from apex_sync.collection import Record
from apex_sync.models import CHECK_INS, WORKOUT_LOGS
from tests.engine.coaching.garbage import check_in_states, hostile_values, program_states, workout_states
from tests.engine.coaching.logs import check_in, day, program, sets, workout

LIBRARY = {
    "name:bench press": ExerciseTraits(muscles={"chest": 1.0, "triceps": 0.5}, equipment="barbell"),
    "name:squat": ExerciseTraits(muscles={"quads": 1.0}, equipment="barbell"),
}
EAGER = TrainingProfile(training_days_per_week=3, weak_points=("chest", "triceps"), target_weight_kg=80.0)
NUMBER = re.compile(r"\d+(?:\.\d+)?")
SCALE = re.compile(r" of 10\b")
"""The scale of an answer (`8 of 10`) is a unit, and no number."""
MEDICAL = re.compile(r"diagnos|treat|disease|medic|cure|therap|patholog|tendin|tear\b", re.IGNORECASE)


def sampled(seed: int, weeks: int = 12) -> tuple[list[tuple[str, Record]], list[tuple[str, Record]]]:
    """Make a plausible history, of an athlete who trains, tires, misses sessions and makes slips."""
    rng = random.Random(seed)
    workouts, check_ins = [], []
    load, growth, tiring, weight_rate = 80.0, rng.choice([-1.5, 0, 0, 1]), rng.random() < 0.5, rng.uniform(-2.0, 1.5)
    reps, diligence = rng.choice([None, 5]), rng.choice([0.6, 0.9])
    for week in range(weeks):
        for offset in (0, 2, 4):
            if rng.random() > diligence:
                continue
            load += growth * rng.random()
            effort = 6.5 + 0.3 * week if tiring else rng.choice([None, 7.0, 7.3, 8.0, 8.5, 9.5])
            leaves = {} if effort is None else {"rpe": min(10.0, effort)}
            logged = {
                "Bench Press": sets(*[(round(load), reps or rng.randint(3, 12))] * rng.randint(2, 8), **leaves),
                "Squat": sets(*[(round(load * 1.4), reps or rng.randint(3, 8))] * rng.randint(1, 5), **leaves),
            }
            notes = {"notes": "sharp pain in the knee"} if rng.random() < 0.05 else {}
            workouts.append((f"w{week:02}{offset}", workout(day(7 * week + offset), logged, **notes)))
        answers = {name: rng.randint(1, 10) for name in ("energy", "sleep", "stress", "soreness", "adherence")}
        weight = 85 * (1 + weight_rate * week / 100) + rng.uniform(-0.2, 0.2)
        typed = weight * 2.2046 if rng.random() < 0.05 else weight
        check_ins.append((f"c{week:02}", check_in(day(7 * week + 6), weight_kg=round(typed, 1), **answers)))
    return workouts, check_ins


def everything(seed: int, weeks: int = 12) -> list[Finding]:
    workouts, check_ins = sampled(seed, weeks)
    as_of = day(7 * weeks - 1)
    last_id, last = check_ins[-1]
    return [
        *analyse_training(workouts, check_ins=check_ins, as_of=as_of, profile=EAGER, library=LIBRARY),
        *analyse_check_in(last_id, last, history=check_ins, workouts=workouts, as_of=as_of, profile=EAGER),
    ]


@given(st.integers(0, 10**6))
@settings(max_examples=60)
def test_findings_quote_only_numbers_that_they_cite_and_are_bounded(seed: int) -> None:
    for found in everything(seed):
        cited = {round(float(v), 3) for v in numbers_of(found)}
        quoted = {round(float(text), 3) for text in NUMBER.findall(SCALE.sub("", found.statement))}
        assert quoted <= cited, (found.rule_id, found.statement, quoted - cited)
        assert found.rule_id in RULES
        assert 1 <= len(found.inputs) <= INPUTS_MAX
        assert all(fact.record_id and fact.field for fact in found.inputs)
        assert 0 <= found.confidence <= 1
        assert found.window.from_ <= found.window.to <= found.expires_at
        assert not MEDICAL.search(found.statement + (found.recommendation or ""))


def numbers_of(found: Finding) -> list[float]:
    values = [fact.value for fact in found.facts if isinstance(fact.value, (int, float))]
    return [*map(abs, values), *found.threshold.values()]


@given(st.integers(0, 10**6))
@settings(max_examples=25)
def test_the_order_of_the_records_changes_no_byte(seed: int) -> None:
    workouts, check_ins = sampled(seed)
    rng = random.Random(seed)

    def encoded(logs: Sequence[tuple[str, Record]], reports: Sequence[tuple[str, Record]]) -> bytes:
        training = analyse_training(logs, check_ins=reports, as_of=day(83), profile=EAGER, library=LIBRARY)
        own = analyse_check_in(*check_ins[-1], history=reports, workouts=logs, as_of=day(83), profile=EAGER)
        return canonical_json([training, own])

    shuffled = encoded(rng.sample(workouts, len(workouts)), rng.sample(check_ins, len(check_ins)))
    assert shuffled == encoded(workouts, check_ins)


def test_every_rule_of_the_catalogue_can_fire() -> None:
    """Rules that no plausible history reaches would be dead: those not seen here have a test of their own."""
    seen = {found.rule_id for seed in range(60) for found in everything(seed)}
    with_own_test = {
        *(rule for rule in RULES if rule.startswith(("double_progression", "progression"))),
        *("adherence.check_in_overdue", "notes.set_ended_by_injury", "bodyweight.trend", "bodyweight.outlier"),
        *("recovery.performance_drop", "volume.above_mrv"),
        *(rule for rule in RULES if rule.startswith("nutrition.")),
    }
    assert set(RULES) - seen <= with_own_test


@given(
    st.lists(workout_states(), max_size=6),
    st.lists(check_in_states(), max_size=6),
    program_states(),
    st.dates(datetime.date(2026, 1, 1), datetime.date(2026, 6, 1))
    | st.sampled_from([datetime.date.min, datetime.date.max]),
)
@settings(max_examples=150)
def test_the_analysis_never_raises_on_a_bad_history(
    logs: list[dict[str, Any]], reports: list[dict[str, Any]], plan_state: dict[str, Any], as_of: datetime.date
) -> None:
    workouts = [(f"w{n}", WORKOUT_LOGS.read(state)[0]) for n, state in enumerate(logs)]
    check_ins = [(f"c{n}", CHECK_INS.read(state)[0]) for n, state in enumerate(reports)]
    plan = plan_from_program("p", program(**plan_state), due_check_ins=(datetime.date(2026, 3, 2),))
    options: dict[str, Any] = {"as_of": as_of, "profile": EAGER, "program": plan}
    findings = analyse_training(workouts, check_ins=check_ins, library=LIBRARY, **options)
    for check_in_id, record in check_ins:
        findings += analyse_check_in(check_in_id, record, history=check_ins, workouts=workouts, **options)
    canonical_json(findings)


@given(
    st.fixed_dictionaries(
        {},
        optional={name: hostile_values() for name in ("sets", "exercises", "date", "notes", "responses", "weight_kg")},
    )
)
def test_the_analysis_never_raises_on_what_is_no_record_at_all(leaves: dict[str, Any]) -> None:
    odd: Any = msgspec.defstruct("Odd", list(leaves))(**leaves)
    analyse_training([("w", odd)], check_ins=[("c", odd)], as_of=day(0))
    analyse_check_in("c", odd, history=[("c", odd)], workouts=[("w", odd)], as_of=day(0))


def test_an_empty_history_gives_nothing() -> None:
    assert analyse_training([], as_of=day(0)) == []
    assert analyse_check_in("c", check_in(day(0)), history=[], workouts=[], as_of=day(0)) == []


def test_a_day_that_passes_without_new_data_keeps_the_digest() -> None:
    workouts = [("w", workout(day(0), {"Bench Press": sets((100, 5), rpe=7)}))]
    digests = {facts_digest(analyse_training(workouts, as_of=day(offset))) for offset in (0, 1, 5)}
    assert len(digests) == 1


def test_findings_survive_their_own_json() -> None:
    findings = everything(3)
    assert msgspec.json.decode(canonical_json(findings), type=list[Finding]) == findings


def test_ten_years_of_logs_give_no_more_findings_than_anybody_reads() -> None:
    """How long that takes is measured by `python -m benchmarks.long_lives`."""
    workouts, check_ins = sampled(seed=1, weeks=520)
    findings = analyse_training(workouts, check_ins=check_ins, as_of=day(7 * 520), profile=EAGER, library=LIBRARY)
    assert 0 < len(findings) <= FINDINGS_MAX
