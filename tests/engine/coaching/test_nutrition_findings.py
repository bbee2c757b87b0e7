"""A coach hears of a week of eating that was off its targets, and of nothing that was not written down."""

import datetime

import pytest

from apex_sync.coaching.insight import analyse_training
from apex_sync.coaching.nutrition_findings import nutrition_findings
from apex_sync.collection import Record
from apex_sync.models import NUTRITION_LOGS, NUTRITION_TARGETS
from tests.engine.coaching.logs import day

TODAY = day(13)
ASKED = {"energy_kcal": 2400, "protein_g": 180, "carbs_g": 240, "fat_g": 80}


def eaten(on: datetime.date, share: float, *, protein: float | None = None, meals: int = 3) -> tuple[str, Record]:
    """Give a day at a share of its targets, in so many meals."""
    figures = {name: value * share / meals for name, value in ASKED.items()}
    if protein is not None:
        figures["protein_g"] = ASKED["protein_g"] * protein / meals
    foods = {str(place): {"meal": f"m{place}", **figures} for place in range(meals)}
    log = {"date": on.isoformat(), "meals": {f"m{place}": {} for place in range(meals)}, "foods": foods}
    return f"log-{on}", NUTRITION_LOGS.read(log)[0]


def week(share: float, *, days: int = 7, protein: float | None = None, meals: int = 3) -> list[tuple[str, Record]]:
    return [eaten(day(13 - back), share, protein=protein, meals=meals) for back in range(days)]


def found(logs: list[tuple[str, Record]], *, start: str = "2020-01-01") -> dict[str, str]:
    targets = [("t", NUTRITION_TARGETS.read({"start_date": start, **ASKED})[0])]
    return {each.rule_id: each.statement for each in nutrition_findings(logs, targets, TODAY)}


@pytest.mark.parametrize(
    ("share", "rules"),
    [
        (1.0, set()),
        (0.92, set()),
        (1.09, set()),
        (0.85, {"nutrition.energy_low", "nutrition.protein_low"}),
        (1.2, {"nutrition.energy_high"}),
        (0.6, {"nutrition.energy_low", "nutrition.protein_low", "nutrition.adherence_low"}),
    ],
)
def test_a_week_is_held_to_its_targets(share: float, rules: set[str]) -> None:
    assert set(found(week(share))) == rules


def test_the_statement_says_how_much_of_the_target() -> None:
    assert found(week(1.2))["nutrition.energy_high"] == "energy averaged 120 % of its target over 7 days"
    assert set(found(week(1.0, protein=0.8))) == {"nutrition.protein_low"}


def test_protein_over_its_target_is_no_finding() -> None:
    assert found(week(1.0, protein=1.6)) == {}


def test_days_that_were_not_written_down_to_their_end_say_nothing() -> None:
    """Half a day of food is no under-eating."""
    assert found(week(0.4)) == {} and found(week(0.6, meals=1)) == {} and found(week(0.6, days=3)) == {}
    assert found(week(0.6), start="2030-01-01") == {}


def test_a_late_log_withdraws_a_finding() -> None:
    logs = week(0.85)
    assert "nutrition.energy_low" in found(logs)
    assert found([*logs[:2], *(eaten(day(13 - back), 1.05) for back in range(2, 7))]) == {}


def test_older_days_are_left_alone() -> None:
    assert found([eaten(day(6 - back), 0.6) for back in range(6)]) == {}


def test_the_analysis_of_an_athlete_has_them_with_facts_to_click_through() -> None:
    targets = [("t", NUTRITION_TARGETS.read({"start_date": "2020-01-01", **ASKED})[0])]
    [first, *_] = analyse_training([], nutrition_logs=week(0.85), nutrition_targets=targets, as_of=TODAY)
    assert first.type == "nutrition" and first.action == "review_nutrition"
    assert {fact.record_id for fact in first.inputs} == {log_id for log_id, _ in week(0.85)}
