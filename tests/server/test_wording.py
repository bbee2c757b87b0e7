"""Wording: whoever words findings, a coach reads nothing that the facts do not say.

Golden cases run through the template and, over real HTTP, through a stand-in for a model that behaves well or badly.
"""

import json
from collections.abc import AsyncIterator
from datetime import date
from typing import Any
from uuid import UUID, uuid4

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from apex_server.ai import Claim, FlagClaim, Recommendation, TemplateWording, WordedInsight, WordingContext
from apex_server.ai.asking import BoundedModel
from apex_server.ai.ledger import Ledger
from apex_server.ai.model_wording import ModelWording
from apex_server.ai.openai_model import OpenAIModel
from apex_server.ai.prompt import instructions, question
from apex_server.ai.template import TITLES
from apex_server.ai.untrusted import clean, seems_link
from apex_server.ai.verify import find_faults
from apex_server.db import Database
from apex_sync.coaching.finding import Finding, in_order
from apex_sync.coaching.insight import facts_digest
from apex_sync.coaching.rules import RULES
from tests.engine.coaching.test_insight import everything
from tests.server.analysis_parts import NOW
from tests.server.model_server import INJECTED_LINK, ModelServer, model_server
from tests.server.sealed_rows import insert_user
from tests.server.wording_cases import CASES, INJECTION, Case

pytestmark = pytest.mark.anyio

COACH_ID, ATHLETE_ID = uuid4(), uuid4()
BY_NAME = {case.name: case for case in CASES}


def context(kind: str = "check_in", **more: object) -> WordingContext:
    return WordingContext(kind=kind, athlete_id=ATHLETE_ID, coach_id=COACH_ID, **more)  # type: ignore[arg-type]


def worded_findings(case: Case) -> list[Finding]:
    return in_order(case.findings()[:12])


def all_text(worded: WordedInsight) -> str:
    advice = [advice.text for advice in worded.recommendations]
    return " ".join([worded.title, worded.summary_text, *advice, *(flag.message for flag in worded.flags)])


def check(case: Case, worded: WordedInsight, findings: list[Finding]) -> None:
    assert find_faults(worded, findings) == [], all_text(worded)
    text = all_text(worded).lower()
    for word in (*case.absent_words, INJECTED_LINK):
        assert word.lower() not in text
    assert clean(text, len(text)) == text
    assert not seems_link(text)


@pytest.fixture
async def model() -> AsyncIterator[ModelServer]:
    async with model_server() as served:
        yield served


@pytest.fixture
async def db(db: Database) -> Database:
    """Give a database with the athlete in it: texts about them are kept sealed with their key."""
    async with db.request(ATHLETE_ID) as connection:
        await insert_user(connection, db.vault, ATHLETE_ID, "athlete")
    return db


@pytest.fixture
def clock() -> list[float]:
    return [0.0]


@pytest.fixture
def wording(db: Database, model: ModelServer, clock: list[float]) -> ModelWording:
    return model_wording(db, model, clock)


def model_wording(db: Database, model: ModelServer, clock: list[float], **more: float) -> ModelWording:
    ledger = Ledger(db, now=lambda: NOW)
    asking = BoundedModel(model.client(), ledger=ledger, clock=lambda: clock[0], **more)  # type: ignore[arg-type]
    return ModelWording(asking, fallback=TemplateWording())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_the_template_words_every_golden_case_within_the_facts(case: Case) -> None:
    found = case.findings()
    rules = {finding.rule_id for finding in found}
    assert set(case.rules) <= rules
    assert not rules & set(case.absent_rules)
    findings = worded_findings(case)
    if findings:
        check(case, await TemplateWording().word(findings, context(case.kind)), findings)


def test_there_are_enough_golden_cases() -> None:
    assert len(CASES) >= 25
    assert len({facts_digest(case.findings()) for case in CASES}) == len(CASES)


@given(st.integers(0, 10**6))
@settings(max_examples=40)
def test_the_template_holds_for_any_history(seed: int) -> None:
    for start in range(0, 24, 12):
        findings = in_order(everything(seed)[start : start + 12])
        if findings:
            worded = anyio.run(TemplateWording().word, findings, context())
            assert find_faults(worded, findings) == []


def test_every_rule_has_a_headline() -> None:
    assert set(TITLES) == set(RULES)


@pytest.mark.parametrize("mode", ["good", "injected", "wrong", "garbage"])
async def test_every_golden_case_holds_whatever_the_model_does(
    wording: ModelWording, model: ModelServer, mode: str
) -> None:
    model.mode = mode
    for case in CASES:
        findings = worded_findings(case)
        if findings:
            worded = await wording.word(findings, context(case.kind))
            check(case, worded, findings)
            assert worded.worded_by == ("model" if mode == "good" else "rules"), (case.name, worded.outcome)


@pytest.mark.parametrize(
    ("mode", "outcome"),
    [
        ("garbage", "unverifiable"),
        ("wrong", "unverifiable"),
        ("refusal", "refused"),
        ("truncated", "truncated"),
        ("rate_limit", "rate_limited"),
        ("broken", "unavailable"),
        ("odd", "unusable"),
        ("hanging", "timed_out"),
    ],
)
async def test_a_model_that_fails_leaves_the_template(
    db: Database, model: ModelServer, clock: list[float], mode: str, outcome: str
) -> None:
    model.mode = mode
    findings = worded_findings(BY_NAME["strain"])
    patience = {"total_seconds": 0.5} if mode == "hanging" else {}
    worded = await model_wording(db, model, clock, **patience).word(findings, context())
    assert (worded.worded_by, worded.outcome, worded.model_name) == ("rules", outcome, "")
    assert replace(worded, outcome="worded") == await TemplateWording().word(findings, context())


async def test_a_model_that_cannot_be_reached_leaves_the_template(db: Database) -> None:
    nobody = OpenAIModel("test-model", api_key="sk-test", base_url="http://127.0.0.1:9/v1")  # The discard port.
    wording = ModelWording(BoundedModel(nobody, ledger=Ledger(db, now=lambda: NOW)), fallback=TemplateWording())
    worded = await wording.word(worded_findings(BY_NAME["strain"]), context())
    assert worded.outcome == "unavailable"


async def test_one_complaint_mends_an_answer(wording: ModelWording, model: ModelServer) -> None:
    model.mode = "mended"
    worded = await wording.word(worded_findings(BY_NAME["strain"]), context())
    assert worded.worded_by == "model"
    assert len(model.requests) == 2
    assert "987.6 kg is not among the cited facts" in model.requests[1]["messages"][-1]["content"]


async def test_the_same_facts_are_asked_about_once(
    wording: ModelWording, model: ModelServer, db: Database, clock: list[float]
) -> None:
    findings = worded_findings(BY_NAME["strain"])
    first = await wording.word(findings, context())
    again = await model_wording(db, model, clock).word(findings, context())
    assert len(model.requests) == 1
    assert again == replace(first, outcome="cached")
    await wording.word(worded_findings(BY_NAME["a usual week"]), context())
    assert len(model.requests) == 2


async def test_a_coach_has_a_budget_for_each_day(db: Database, model: ModelServer, clock: list[float]) -> None:
    model.tokens = 9_000
    wording = model_wording(db, model, clock, tokens_per_coach_day=20_000)
    spent = await wording.word(worded_findings(BY_NAME["strain"]), context())
    refused = await wording.word(worded_findings(BY_NAME["a usual week"]), context())
    other = await wording.word(worded_findings(BY_NAME["a usual week"]), replace(context(), coach_id=uuid4()))
    assert [spent.worded_by, refused.outcome, other.worded_by] == ["model", "budget_spent", "model"]
    kept = await Ledger(db, now=lambda: NOW).spent(COACH_ID)
    assert (kept.today, kept.this_month, kept.tier.name) == (9_000, 9_000, "coach_solo")


async def test_a_question_with_its_repair_is_one_reservation_settled_once_at_what_both_cost(
    db: Database, model: ModelServer, clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    entries: list[int] = []
    reserve, settle = Ledger.reserve, Ledger.settle

    async def noted_reserve(ledger: Ledger, coach_id: UUID, tokens: int, check: Any) -> date:
        entries.append(tokens)
        return await reserve(ledger, coach_id, tokens, check)

    async def noted_settle(ledger: Ledger, coach_id: UUID, day: date, difference: int) -> None:
        entries.append(difference)
        await settle(ledger, coach_id, day, difference)

    monkeypatch.setattr(Ledger, "reserve", noted_reserve)
    monkeypatch.setattr(Ledger, "settle", noted_settle)
    model.mode, model.tokens = "mended", 3_000
    await model_wording(db, model, clock).word(worded_findings(BY_NAME["strain"]), context())
    reserved, difference = entries
    assert len(model.requests) == 2 and reserved > 2 * 4_000 and reserved + difference == 6_000
    assert (await Ledger(db, now=lambda: NOW).spent(COACH_ID)).today == 6_000


async def test_a_question_goes_out_only_where_the_day_has_room_for_its_repair(
    db: Database, model: ModelServer, clock: list[float]
) -> None:
    model.mode = "mended"
    worded = await model_wording(db, model, clock, tokens_per_coach_day=10_000).word(
        worded_findings(BY_NAME["strain"]), context()
    )
    assert (worded.outcome, model.requests) == ("budget_spent", [])


@pytest.mark.parametrize(("mode", "outcome"), [("wrong", "unverifiable"), ("broken", "unavailable")])
async def test_a_question_without_an_answer_that_holds_costs_what_its_tries_did(
    db: Database, model: ModelServer, clock: list[float], mode: str, outcome: str
) -> None:
    model.mode, model.tokens = mode, 3_000
    worded = await model_wording(db, model, clock).word(worded_findings(BY_NAME["strain"]), context())
    spent = (await Ledger(db, now=lambda: NOW).spent(COACH_ID)).today
    assert worded.outcome == outcome and (spent == 6_000 if mode == "wrong" else 0 < spent < 4_000)


async def test_what_is_on_its_way_when_time_is_up_counts_at_its_most_and_what_was_never_asked_not_at_all(
    db: Database, model: ModelServer, clock: list[float]
) -> None:
    model.mode = "hanging"
    worded = await model_wording(db, model, clock, total_seconds=0.5).word(
        worded_findings(BY_NAME["strain"]), context()
    )
    spent = (await Ledger(db, now=lambda: NOW).spent(COACH_ID)).today
    assert worded.outcome == "timed_out" and 4_000 < spent < 8_000


async def test_a_crowd_of_coaches_spends_no_more_than_the_servers_day(
    db: Database, model: ModelServer, clock: list[float]
) -> None:
    model.tokens = 9_000
    wording = model_wording(db, model, clock, tokens_per_day=29_000)
    cases = [case for case in CASES if worded_findings(case)][:4]
    worded = [
        await wording.word(worded_findings(case), replace(context(case.kind), coach_id=uuid4())) for case in cases
    ]
    assert [each.worded_by for each in worded] == ["model", "model", "rules", "rules"]
    assert [each.outcome for each in worded[2:]] == ["server_budget_spent"] * 2
    assert len(model.requests) == 2


async def test_a_model_that_is_down_is_left_alone_for_a_while(
    wording: ModelWording, model: ModelServer, clock: list[float]
) -> None:
    model.mode = "broken"
    findings = worded_findings(BY_NAME["strain"])
    outcomes = [(await wording.word(findings, context())).outcome for _ in range(5)]
    assert outcomes == ["unavailable"] * 3 + ["breaker_open"] * 2
    model.mode = "good"
    clock[0] += 61
    assert (await wording.word(findings, context())).worded_by == "model"


async def test_a_provider_that_asks_for_a_pause_gets_it(
    wording: ModelWording, model: ModelServer, clock: list[float]
) -> None:
    model.mode = "rate_limit"
    findings = worded_findings(BY_NAME["strain"])
    assert (await wording.word(findings, context())).outcome == "rate_limited"
    model.mode = "good"
    clock[0] += 6
    assert (await wording.word(findings, context())).outcome == "breaker_open"
    clock[0] += 2
    assert (await wording.word(findings, context())).worded_by == "model"


async def test_a_model_learns_no_identity_and_gets_notes_as_data_alone(
    wording: ModelWording, model: ModelServer
) -> None:
    findings = worded_findings(BY_NAME["an injected note in a workout"])
    await wording.word(findings, context("training", goals=("Win\nthe show \x00in May",)))
    [request] = model.requests
    [system, user] = request["messages"]
    asked = json.loads(user["content"])
    assert system["content"] == instructions("training")
    assert request["response_format"]["json_schema"]["strict"] is True
    everything_sent = json.dumps(request)
    for id_ in (ATHLETE_ID, COACH_ID):
        assert str(id_) not in everything_sent
    assert not any(fact.record_id and f'"{fact.record_id}"' in everything_sent for f in findings for fact in f.inputs)
    untrusted = asked.pop("untrusted")
    assert any(INJECTION[:40] in excerpt for excerpt in untrusted["excerpts"].values())
    assert untrusted["goals"] == ["Win the show in May"]
    assert "evil" not in json.dumps(asked)
    assert "Bench Press" not in json.dumps(asked)


def test_the_same_findings_ask_the_same_question() -> None:
    findings = worded_findings(BY_NAME["strain"])
    assert question(findings, context()) == question(findings, replace(context(), athlete_id=UUID(int=5)))


STRAIN = worded_findings(BY_NAME["strain"])
FIRST = STRAIN[0]
CITED = tuple(fact.id for fact in FIRST.facts)


def said(text: str, facts: tuple[str, ...] = CITED) -> WordedInsight:
    return WordedInsight(title="A hard week", summary=(Claim(text, facts),))


@pytest.mark.parametrize(
    "text",
    [
        "Stress is 9 and sleep is 3.",
        "Stress is 9 of 10.",
        "The answers show strain.",
        "Strain is 8.5 of 10.",
        "Strain is about 8.5, or 8 rounded.",
    ],
)
def test_what_the_facts_say_may_be_said(text: str) -> None:
    value = next(fact.value for fact in FIRST.facts if fact.label == "strain")
    assert value == 8.75
    assert find_faults(said(text.replace("8.5", "8.75").replace("or 8 rounded", "or 9 rounded")), STRAIN) == []


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("Stress is 7.", "7 is not among"),
        ("Stress is 9 and sleep is 3.0001.", "3.0001 is not among"),
        ("Do 3x12 now.", "12 is not among"),
        ("Stress is 9 kg.", "9 kg is not among"),
        ("Stress rose by 90 %.", "90 % is not among"),
        ("Stress doubled.", "'doubled' is not among"),
        ("Take seven days off.", "'seven' is not among"),
        ("On 2026-01-01 stress was 9.", "the day 2026-01-01"),
        ("Read https://evil.example now.", "a link"),
        ("Read evil.com now.", "a link"),
        ("Read [this](x) now.", "a link"),
        ("<b>Stress</b> is high.", "a link or markup"),
        ("This looks like tendonitis.", "the medical word"),
        ("Take ibuprofen.", "the medical word"),
        ("Stress\nis high.", "cannot be seen"),
        ("Stress is \u202ehigh.", "cannot be seen"),
        ("压力很大 压力很大", "not in English letters"),
        ("{S7} is hard.", "there is no subject S7"),
        ("{system} is hard.", "braces"),
    ],
)
def test_what_the_facts_do_not_say_is_refused(text: str, fault: str) -> None:
    assert any(fault in found for found in find_faults(said(text), STRAIN)), find_faults(said(text), STRAIN)


def test_a_claim_without_facts_or_with_unknown_ones_is_refused() -> None:
    assert find_faults(said("All is well.", ()), STRAIN) == ["summary: a claim cites no fact"]
    assert find_faults(said("All is well.", ("F999",)), STRAIN) == ["summary: there is no fact F999"]
    assert find_faults(WordedInsight(title="Nothing", summary=()), STRAIN) == ["the summary is empty"]


def test_a_number_of_another_finding_is_refused() -> None:
    other = next(found for found in STRAIN if not {f.value for f in found.facts} & {8.75})
    assert find_faults(said("Strain is 8.75.", tuple(f.id for f in other.facts)), STRAIN)


def test_pounds_are_no_kilograms() -> None:
    findings = worded_findings(BY_NAME["as aimed at"])
    found = next(found for found in findings if found.action == "keep_load")
    cited = tuple(fact.id for fact in found.facts)
    assert find_faults(said("Stay at 80 kg.", cited), findings) == []
    assert find_faults(said("Stay at 80 lb.", cited), findings) == ["summary: 80 lb is not among the cited facts"]
    assert find_faults(said("Stay at 80 pounds.", cited), findings) != []


def test_an_action_or_flag_that_no_finding_suggests_is_refused() -> None:
    advice = WordedInsight(
        title="A hard week",
        summary=(Claim("The answers show strain.", CITED),),
        recommendations=(Recommendation("Add load.", "raise_load", CITED),),
        flags=(FlagClaim("positive", "All is well.", CITED),),
    )
    assert find_faults(advice, STRAIN) == [
        "recommendations: no cited finding suggests raise_load",
        "flags: no cited finding is a positive",
    ]


def test_what_somebody_typed_may_not_come_back() -> None:
    findings = worded_findings(BY_NAME["a note in a check-in"])
    cited = tuple(fact.id for fact in findings[0].facts)
    assert find_faults(said("The knee feels numb since Tuesday evening.", cited), findings) == [
        "summary: repeats what somebody typed"
    ]
