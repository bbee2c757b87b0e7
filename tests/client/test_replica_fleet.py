"""A fleet with everything that goes wrong at once: bad clocks, copied devices, restored servers, bad networks.

And records that are compacted meanwhile.
"""

import random
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.client.fleet import Clock, Phone, assert_converged, settle
from tests.client.loopback import Account, LoopbackServer
from tests.client.loopback_transport import Faults
from tests.client.test_replica_convergence import RECORDS, Written, random_patch

SKEWS_SECONDS = (0, 0, 30, -3600, 3600, 10 * 365 * 86400, -30 * 365 * 86400)


class Skewed:
    """A device's own idea of the time."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        self.clock = clock
        self.ahead_us = int(seconds * 1e6)

    def __call__(self) -> int:
        return max(1, self.clock() + self.ahead_us)


class Fleet:
    def __init__(self, folder: Path, seed: int, chance: float, *, compacting: bool) -> None:
        self.folder = folder
        self.compacting = compacting
        self.dice = random.Random(seed)
        self.chance = chance
        self.clock = Clock()
        self.server = LoopbackServer(self.clock, page_records=self.dice.choice([1, 2, 1000]))
        self.account: Account = self.server.add_user("anna@example.com")
        self.written = Written(refusals=True)
        self.phones = [self.new_phone(folder / f"{number}.db") for number in range(2)]
        self.backup = self.server.backup()

    def new_phone(self, path: Path) -> Phone:
        seed = self.dice.randrange(2**32)
        faults = Faults(random.Random(seed), lose_request=self.chance, lose_answer=self.chance, duplicate=self.chance)
        clock = Skewed(self.clock, self.dice.choice(SKEWS_SECONDS))
        return Phone(path, self.server, self.account, seed=seed, faults=faults, clock=clock)

    def step(self) -> None:
        phone = self.dice.choice(self.phones)
        action = self.dice.random()
        if action < 0.5:
            self.written.edit(phone, self.dice.choice(RECORDS), random_patch(self.dice))
        elif action < 0.85:
            phone.try_sync()
        elif action < 0.9:
            phone.reopen()
        elif action < 0.93 and len(self.phones) < 4:
            self.copy(phone)
        elif action < 0.96:
            self.backup = self.server.backup()
        elif action < 0.98:
            self.server.restore(self.backup)
        elif action < 0.99 and self.compacting:
            self.server.compact()
        else:
            self.clock.pass_seconds(self.dice.choice((1, 60, 3600)))

    def copy(self, phone: Phone) -> None:
        folder = self.folder / f"copy-{len(self.phones)}"
        folder.mkdir()
        phone.local.close()
        shutil.copy(phone.path, folder / "copy.db")
        if self.dice.random() < 0.5:
            shutil.copy(f"{phone.path}.identity", folder / "copy.db.identity")
        phone.local = phone._open()
        self.phones.append(self.new_phone(folder / "copy.db"))


@pytest.mark.slow
@settings(max_examples=120, suppress_health_check=[HealthCheck.too_slow])
@given(
    seed=st.integers(0, 2**32), steps=st.integers(5, 60), chance=st.sampled_from([0.0, 0.3]), compacting=st.booleans()
)
# A receipt of another state than what is held, after a restore.
@example(seed=48, steps=43, chance=0.0, compacting=False)
# Two contents of one clock, of which the server lost one.
@example(seed=1210925, steps=34, chance=0.3, compacting=False)
# One record twice in a page.
@example(seed=533, steps=53, chance=0.1, compacting=False)
# What nothing proves, and what died without a compaction.
@example(seed=3, steps=35, chance=0.1, compacting=False)
# What a clone was refused died again, though it had been taken since.
@example(seed=61915054, steps=52, chance=0.0, compacting=False)
# What a twice restored server has less of than it acknowledged.
@example(seed=1340050970, steps=26, chance=0.3, compacting=False)
def test_whatever_goes_wrong_the_fleet_ends_with_every_edit_and_one_content(
    seed: int, steps: int, chance: float, compacting: bool
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        fleet = Fleet(Path(folder), seed, chance, compacting=compacting)
        for _ in range(steps):
            fleet.step()
        settle(*fleet.phones)
        settle(*reversed(fleet.phones))
        assert_converged(fleet.server, *fleet.phones)
        fleet.written.assert_kept(fleet.server, fleet.phones[0].scope, *fleet.phones)
        for phone in fleet.phones:
            phone.close()
