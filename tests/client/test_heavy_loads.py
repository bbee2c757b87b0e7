"""A load that is hardly meant is saved, told, and at a terminal asked about; no set is lost over it."""

import pytest

from tests.client.apex_command import Terminal, in_terminal


@pytest.fixture
def lifter(apex: Terminal) -> Terminal:
    apex("log", "set", "Squat", "5x140kg", "--new").ok()
    return apex


def loads_of(apex: Terminal) -> list[tuple[float, int]]:
    rows = apex.rows("SELECT load_kg, reps FROM logged_sets ORDER BY position")
    return [(round(row["load_kg"], 1), row["reps"]) for row in rows]


def test_in_a_pipe_the_set_is_taken_and_the_doubt_told(lifter: Terminal) -> None:
    for words in (("log", "set", "squat", "5x800kg"), ("log", "edit", "Squat", "2", "1400kg")):
        told = " ".join(lifter(*words).ok().err.split())
        assert "of Squat? Your heaviest is" in told and 'apex log edit "Squat"' in told
    assert loads_of(lifter) == [(140.0, 5), (1400.0, 5)]


def test_at_a_terminal_the_right_load_is_asked_for(lifter: Terminal) -> None:
    shown = in_terminal(lifter, "log", "set", "Squat", "2x5x1800lb", "5x145kg", typed="much\n180\n")
    assert "Your heaviest is 308.6 lb" in shown and "'much' is no set" in shown
    assert loads_of(lifter) == [(140.0, 5), (81.6, 5), (81.6, 5), (145.0, 5)]


@pytest.mark.parametrize("answer", ["\n", "\x04"])
def test_whoever_keeps_it_or_breaks_off_has_it_logged(answer: str, lifter: Terminal) -> None:
    in_terminal(lifter, "log", "set", "Squat", "5x800kg", typed=answer)
    assert loads_of(lifter) == [(140.0, 5), (800.0, 5)]


def test_a_good_day_is_not_questioned_and_neither_is_a_first_lift(lifter: Terminal) -> None:
    for words in (("Squat", "1x200kg"), ("Leg Press", "10x400kg", "--new"), ("Squat", "5x800kg", "--yes")):
        assert ("?" in lifter("log", "set", *words).ok().err) == ("--yes" in words)
    assert "over 500 kg is rare" in lifter("log", "set", "Hack Squat", "5x600kg", "--new").ok().err
