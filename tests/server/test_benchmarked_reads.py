"""The benchmark of reads asks every GET of the description, or says why not."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from benchmarks.reads import NOT_ASKED, READS, NothingBehind, ReadsUnaccounted, check_answer, check_reads

DESCRIPTION = Path(__file__).parents[2] / "schemas" / "openapi.json"


@pytest.fixture
def description() -> dict[str, Any]:
    return dict(json.loads(DESCRIPTION.read_text()))


def test_every_read_is_asked_or_left_out_for_a_reason(description: dict[str, Any]) -> None:
    check_reads(description)
    assert all(NOT_ASKED.values())
    assert len({read.name for read in READS}) == len(READS)


def test_a_new_read_is_missed(description: dict[str, Any]) -> None:
    description["paths"]["/api/new"] = {"get": {}}
    with pytest.raises(ReadsUnaccounted) as refused:
        check_reads(description)
    assert refused.value.missing == ["/api/new"]


def test_a_read_that_is_gone_is_told(description: dict[str, Any]) -> None:
    del description["paths"]["/api/workouts"]["get"]
    with pytest.raises(ReadsUnaccounted) as refused:
        check_reads(description)
    assert refused.value.gone == ["/api/workouts"]


@pytest.mark.parametrize("body", [[], {"messages": [], "next": None}], ids=["list", "page"])
def test_an_empty_list_counts_for_nothing(body: Any) -> None:
    with pytest.raises(NothingBehind):
        check_answer(READS[0], httpx.Response(200, json=body))
    check_answer(READS[0], httpx.Response(200, json={"messages": ["one"], "tags": []}))
    check_answer(READS[0], httpx.Response(200, json={"count": 0}))
    check_answer(READS[0], httpx.Response(200, json={"id": "of somebody", "tags": []}))
