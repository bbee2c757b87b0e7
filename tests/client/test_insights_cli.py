"""`apex insights`: a coach reads, edits, approves and dismisses drafts offline; an athlete reads what was published."""

from pathlib import Path

import pytest

from apex_client import Replica
from tests.client.apex_command import Terminal
from tests.client.conftest import OpenReplica
from tests.client.loopback import LoopbackServer
from tests.client.test_messages import ANNA, COACH

pytestmark = pytest.mark.anyio

FACT = {"id": "F1", "label": "Sleep, mean of the week", "value": 5.25, "unit": "of 10"}


def write(replica: Replica, scope: str, collection: str, record_id: str, **fields: object) -> None:
    """Write what the server would have sent."""
    local = replica._open
    with local.store.transaction():
        held = local.device.new_record(record_id, scope, collection)
        held.write(fields, 1)
        local.store.save([held], "pulled")


def id_of(number: int) -> str:
    return f"{number:08x}-0000-7000-8000-000000000000"


async def test_a_coach_decides_on_drafts_and_nothing_is_decided_twice(
    open_replica: OpenReplica, server: LoopbackServer, tmp_path: Path
) -> None:
    coach = await open_replica("coach", COACH, role="coach")
    anna = server.add_user(ANNA)
    server.link(server.accounts[COACH], anna)
    await coach.sync()
    scope = f"private:{server.accounts[COACH].id}:{anna.id}"
    for number, title in ((1, "Short [red]sleep"), (2, "Bench stalls"), (3, "Old")):
        fields = {"title": title, "athlete_id": anna.id, "priority": "high", "summary": "Word " * 40, "facts": [FACT]}
        newer = {"superseded_by": id_of(1)} if number == 3 else {}
        status = "superseded" if number == 3 else "draft"
        write(coach, scope, "insights", id_of(number), **fields, status=status, **newer)
    await coach.aclose()
    apex = Terminal(tmp_path, "coach")

    listed = apex("insights").ok().out
    assert "Short [red]sleep" in listed and "Bench stalls" in listed and "Old" not in listed
    drafts = next(line for line in apex("status", "--offline").ok().out.splitlines() if "apex insights" in line)
    assert drafts.split()[:2] == ["insights", "2"]
    shown = apex("insights", "show", "00000001").ok().text
    assert "Sleep, mean of the week" in shown and "5.25 of 10" in shown
    assert max(map(len, shown.splitlines())) <= 80
    words = ("insights", "edit", "00000001", "--summary", "Sleep more.", "--advice", "Ten.", "--advice", "No coffee.")
    assert "  Sleep more.\n  - Ten.\n  - No coffee." in apex(*words).ok().out
    assert "approved: Short [red]sleep" in apex("insights", "approve", "00000001").ok().err
    apex("insights", "dismiss", id_of(2), "--reason", "Known.").ok()
    assert "nothing to decide on" in apex("insights").ok().err

    rows = apex.rows("SELECT id, status, dismissed_reason, summary FROM insights ORDER BY id")
    assert [(row["status"], row["dismissed_reason"]) for row in rows[:2]] == [
        ("approved", None),
        ("dismissed", "Known."),
    ]
    assert rows[0]["summary"] == "Sleep more."
    for which, reason in (("00000001", "approved already"), ("00000003", "a newer one"), ("0", "more than one"),
                          ("f", "none of them"), ("", "none of them")):  # fmt: skip
        refused = apex("insights", "approve", which)
        assert refused.code == 1 and reason in refused.err, which
    assert apex("insights", "edit", "00000001").code == 2
    assert "dismissed" in apex("insights", "--all").ok().out


async def test_an_athlete_reads_what_was_published_and_no_drafts(
    open_replica: OpenReplica, server: LoopbackServer, tmp_path: Path
) -> None:
    athlete = await open_replica("athlete", ANNA)
    await athlete.sync()
    apex = Terminal(tmp_path, "athlete")
    scope = f"athlete:{server.accounts[ANNA].id}"
    published = {"title": "Well slept", "summary": "Good.", "published_at": "2026-03-01T10:00:00+01:00"}
    write(athlete, scope, "published_insights", id_of(1), **published, recommendations=["Go on."])
    await athlete.aclose()

    assert apex("insights").ok().out == "Well slept  2026-03-01\n  Good.\n  - Go on.\n"
    assert "a coach's to read" in apex("insights", "show", "00000001").err
