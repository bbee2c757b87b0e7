"""Fleets from seeds: nothing is lost, nothing doubled, nobody stuck; and the oracles notice when something is."""

import re
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from pathlib import Path
from uuid import uuid4

import pytest

from tests.simulation.campaign import be_quiet, outcome, outcomes
from tests.simulation.plan import STEPS, Plan
from tests.simulation.planted import BUGS, finding_seed, planted
from tests.simulation.shrinking import shrunk
from tests.simulation.world import World, simulate

DOCS = Path(__file__).parents[2] / "docs" / "reliability.md"
SEEDS = 2000
SEEDS_FOR_A_BUG = 100


def then(seed: int, kept: list[int]) -> Plan:
    """Give a run as it was before records were crowded, devices came back late, and frames forged."""
    return Plan.of(seed).as_it_was().only(kept)


ONCE_FAILED = {
    "an answer without a receipt was taken for a restored server": then(73, [53, 57, 68, 70, 101, 118]),
    "an offer over a dead own clock was numbered wrongly, and so a fork": then(
        4,
        [103, 105, 106, 107, 112, 115, 116, 117, 125, 126, 133, 134, 135, 136, 138, 148, 153],
    ),
    "a record whose receipt proved nothing was refused for good": then(
        2,
        [6, 7, 37, 39, 40, 42, 43, 46, 66, 68, 154, 165, 166, 167, 169],
    ),
    "work on a scope that was revoked and granted again was never sent": then(
        178,
        [52, 53, 54, 69, 71, 73, 76, 78, 86, 89],
    ),
    "a background sync with good credentials waited for a sign-in": then(
        2286,
        [106, 108, 110, 127, 128, 155, 159, 163, 166, 172, 176, 182],
    ),
    "a record was taken for lost by the answer to another question": then(
        3160,
        [
            25, 26, 27, 29, 30, 31, 33, 50, 52, 54, 55, 57, 66, 70, 71, 73, 74, 75, 86, 89, 94, 95, 103, 104, 105, 106,
            108, 109, 111, 112, 114, 116, 117, 118, 119, 120, 123, 124, 125, 126, 127, 128, 130,
        ],
    ),
    "two conversations at once were taken for a divergence": then(3294, list(range(STEPS))),
    "what others wrote was offered without proof, over and over": then(5039, list(range(STEPS))),
    "an op that began like one that was compacted died with it": then(
        2508,
        [
            7, 8, 18, 23, 27, 29, 30, 31, 32, 41, 53, 58, 60, 61, 63, 65, 66, 67, 73, 81, 82, 83, 84, 85,
            87, 88, 89, 91, 95, 96, 109, 110, 112, 113, 117, 118, 119, 160,
        ],
    ),
    "a record offered where access had ended kept its device from pulling": then(
        6148,
        [
            4, 9, 11, 14, 16, 18, 19, 20, 21, 24, 25, 28, 39, 41, 49, 51, 52, 61, 62, 67, 69, 71, 127, 130,
        ],
    ),
    "an answer that had read nothing was taken for a server that has nothing": then(
        8684,
        [
            39, 40, 46, 47, 49, 56, 63, 66, 68, 69, 70, 73, 74, 77, 82, 91, 133, 134, 135, 137, 138, 139, 140, 142,
            147, 148,
        ],
    ),
    "what a clone had sent as well was in no digest, so a restored server was not offered it": then(
        11968,
        [
            3, 5, 6, 7, 8, 9, 10, 12, 14, 15, 16, 17, 19, 21, 22, 24, 26, 28, 29, 31, 32, 34, 35, 38, 42, 43, 44, 45,
            46, 47, 48, 50, 52, 56, 57, 58, 59, 60, 62, 64, 65, 66, 67, 68, 69, 70, 71, 72, 73, 85, 87, 89, 90, 93,
            94,
        ],
    ),
    "what was refused was taken for compacted, and kept nowhere": then(
        15738,
        [
            2, 4, 5, 6, 7, 8, 9, 11, 12, 13, 15, 16, 17, 18, 19, 20, 21, 23, 24, 25, 26, 27, 28, 29, 31, 36, 38, 42,
            43, 44, 46, 48, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 63, 69, 70, 73, 74, 79, 86, 89, 96, 97, 98, 105,
            106, 107, 114, 116, 148, 149, 159, 160, 163, 164, 166, 169, 176, 187, 188,
        ],
    ),
    "what continued a record that was dropped meanwhile was taken for all of it": then(
        20029,
        [
            0, 2, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 16, 18, 19, 20,
        ],
    ),
    "an answer acknowledged what another conversation had sent, and its refusal went unheard": then(
        50514,
        [
            3, 4, 5, 6, 8, 11, 12, 13, 14, 15, 16, 17, 22, 23, 26, 27, 28, 30, 31, 32, 54, 58, 59, 64, 65, 70, 71,
            73, 77, 78, 79, 80, 81, 86, 88, 90, 92, 93, 94, 95, 96, 97, 98, 99, 101, 102, 106, 111, 119, 121, 124,
            125, 129,
        ],
    ),
    "news of a scope that another conversation had dropped was taken for all of it": then(
        6333,
        [97, 99, 100, 116, 152, 153, 155, 156, 159],
    ),
    "what a clone had written under the same id was taken for seen, and overwritten without a conflict": then(
        11015,
        [
            1, 2, 3, 4, 5, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 38, 39, 40, 41,
            42, 43, 44, 45, 46, 47, 49, 51, 52, 53, 54, 55, 56, 57, 58, 59, 62, 63, 65, 66, 67, 68, 69, 72, 73, 74, 76,
            79, 84, 85, 86, 87, 88, 89, 91, 93, 94, 95, 96, 97, 99, 100, 101, 102, 104, 105, 111, 114, 116, 117, 118,
            119, 120, 121, 123, 126, 127, 128, 144, 145, 146, 149, 150,
        ],
    ),
    "what was written again went on top of what its author had written since": then(19986, list(range(STEPS))),
    "tokens that ran out as soon as they were given were taken for a sign-out": then(
        12764,
        [
            0, 1, 2, 3, 4, 6, 8, 10, 11, 12, 13, 17, 23, 31, 32, 33, 35, 48, 49, 51, 53, 57, 60, 61, 62, 63, 74, 76, 94,
            95, 98, 100, 101, 107, 112, 113, 117, 118, 119, 121, 124, 125, 138, 139, 140, 145, 147, 148, 150, 152, 153,
            154, 155,
        ],
    ),
    "what stood under the clock of an own op on a restored server was taken for seen": then(
        27027,
        [
            0, 2, 4, 5, 9, 13, 14, 36, 37, 39, 41, 44, 46, 53, 55, 56, 62, 64, 68, 71, 112, 113, 114, 130, 131, 133,
            140, 142, 178, 188,
        ],
    ),
    "a record that had come whole, and needed a new client id first, was taken for lost": then(
        35452,
        [
            3, 4, 5, 8, 9, 11, 12, 13, 14, 15, 16, 17, 21, 22, 23, 24, 27, 28, 31, 34, 36, 37, 38, 40, 41, 42, 43, 44,
            45, 46, 48, 49, 50, 59, 72, 78, 80, 81,
        ],
    ),
    "an answer that was on its way while its scope was dropped was taken for all of the scope": then(
        66701,
        [
            16, 21, 23, 25, 26, 28, 29, 32, 42, 43, 44, 45, 46, 47, 48, 49, 54, 58, 61, 63, 64, 65, 66, 67, 68, 71, 109,
            110, 111, 112, 114, 116, 118, 120, 121, 124, 125, 126, 128, 129, 132, 133, 134,
        ],
    ),
    "a summary that a restored server had lost was taken for spoken for by its next one": Plan.of(3087).only(
        [
            4, 17, 21, 24, 33, 34, 35, 51, 53, 54, 55, 77, 78, 90, 91, 99, 101, 107, 119, 133, 135, 136, 137, 140,
            141, 142, 143, 144, 145, 147, 150, 151, 152, 153, 155, 159, 168, 169, 196,
        ]
    ),
    "what had seen a clone's edit was taken to overwrite the one in whose place it stood": Plan.of(39943).only(
        [
            10, 11, 13, 14, 19, 20, 21, 22, 24, 25, 26, 27, 28, 33, 35, 48, 53, 62, 63, 64, 68, 70,
        ]
    ),
    "what a clone wrote was taken for seen by what was written again, where a summary held it": Plan.of(46940).only(
        [
            4, 8, 10, 18, 19, 21, 22, 23, 25, 27, 31, 32, 33, 34, 35, 37, 38, 40, 41, 43, 60, 65, 70, 186, 187, 188,
            192, 193, 196, 197,
        ]
    ),
    "an op that had been compacted before its device heard of it lived on there": Plan.of(25085).only(
        [
            6, 8, 9, 10, 16, 24, 25, 27, 28, 29, 30, 31, 32, 33, 34, 35, 60, 61, 63, 72, 73, 77, 78, 79, 80, 81, 82,
            83, 87, 89, 91, 92, 93, 102, 103, 104, 105, 107, 108, 109, 113, 126, 127, 128, 130, 131, 132, 134, 135,
            136, 137, 153, 154, 155, 159, 160, 161, 162, 163, 164, 165, 167,
        ]
    ),
    "what a clone wrote was taken for the device's own, where a summary held it": Plan.of(2532).only(
        [
            0, 1, 2, 8, 13, 17, 18, 20, 30, 34, 35, 36, 37, 38, 40, 42, 43, 45, 46, 47, 48, 55, 57, 58, 66, 67, 68, 69,
            75, 76, 82, 143, 182, 195,
        ]
    ),
    "what was taken since a restore was taken for what had been dead before it": Plan.of(61520).only(
        [
            26, 34, 35, 112, 114, 132, 133, 134, 141, 142, 143, 144, 146, 147, 150, 151, 152, 153, 154, 155, 156, 157,
            160, 161, 162, 163, 164, 165, 167, 175, 183, 191, 193, 196,
        ]
    ),
    "what was added to an op that a clone had sent was taken for overwritten": Plan.of(62279).only(
        [
            1, 2, 6, 8, 10, 12, 13, 14, 15, 17, 24, 25, 26, 29, 33, 34, 35, 43, 45, 47, 49, 50, 51, 53, 56, 57, 58,
            59, 63, 67, 68, 79, 80, 81, 82, 87, 88, 89, 93, 95, 107, 112, 115, 116, 125, 132, 133, 143, 170, 177, 193,
            194,
        ]
    ),
    "what was taken since a restore was not seen to be something else": Plan.of(81051).only(
        [
            35, 37, 38, 39, 40, 41, 42, 43, 44, 46, 47, 48, 49, 53, 56, 57, 58, 59, 60, 61, 62, 63, 67, 70, 71, 72,
            73, 74, 76, 77, 78, 79, 80, 82, 83, 84, 85, 87, 89, 90, 92, 94, 96, 97, 99, 100, 102, 103, 104, 105, 108,
            115, 116, 120, 160, 166, 170, 171, 172, 181, 198, 199,
        ]
    ),
}  # fmt: skip
"""Runs that found a bug of the product, shrunk to the steps they needed."""


@pytest.fixture(scope="module")
def found() -> Iterator[dict[str, "Future[int | None]"]]:
    with ProcessPoolExecutor(initializer=be_quiet) as pool:
        yield {name: pool.submit(finding_seed, name, range(SEEDS_FOR_A_BUG), STEPS) for name in BUGS}


@pytest.mark.slow
def test_no_fleet_loses_doubles_or_gets_stuck() -> None:
    failed = {run.seed: run.failures[0] for run in outcomes(range(SEEDS), steps=STEPS) if run.failures}
    assert failed == {}


@pytest.mark.parametrize("name", BUGS)
def test_a_planted_bug_is_found_by_the_seed_that_the_docs_name(
    name: str, found: dict[str, "Future[int | None]"]
) -> None:
    assert documented_seeds()[name] == found[name].result()


def test_the_docs_name_no_other_bug() -> None:
    assert documented_seeds().keys() == BUGS.keys()


def documented_seeds() -> dict[str, int]:
    """Read the table of planted bugs in docs/reliability.md: pairs of a bug and a seed."""
    _, _, table = DOCS.read_text().partition("| planted bug | seed |")
    rows = re.findall(r"\| ([^|]+) \| (\d+) (?=\|)", table.partition("\n\n")[0])
    return {name: int(seed) for name, seed in rows}


@pytest.mark.parametrize("name", ONCE_FAILED)
def test_what_was_found_once_stays_mended(name: str) -> None:
    assert simulate(ONCE_FAILED[name]).failures == []


@pytest.mark.parametrize("seed", range(0, 100, 9))
def test_the_same_seed_gives_the_same_trace(seed: int) -> None:
    first, second = outcome(seed, steps=STEPS), outcome(seed, steps=STEPS)
    assert (first.trace, first.counts) == (second.trace, second.counts)


def test_different_seeds_give_different_traces() -> None:
    assert len({outcome(seed, steps=40).trace for seed in range(10)}) == 10


def test_chance_that_is_no_part_of_the_seed_shows_in_the_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(World, "_value", lambda self: f"v{uuid4()}")
    assert outcome(0, steps=40).trace != outcome(0, steps=40).trace


def test_a_failing_run_is_shrunk_to_steps_that_all_matter() -> None:
    with planted("the tables lag"):
        plan = Plan.of(0, 60)
        kept = shrunk(plan, lambda fewer: bool(simulate(fewer).failures))
        assert 0 < len(kept) < 10
        assert simulate(plan.only(kept)).failures
        assert not any(simulate(plan.only(kept[:place] + kept[place + 1 :])).failures for place in range(len(kept)))
