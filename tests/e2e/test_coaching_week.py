"""A coaching week, as it is meant to be lived: three devices, offline nearly always, one true history at its end.

The coach works on a train, the watch is in the gym, the phone at home; each syncs a few times in eight days, and has no
network at any other moment: what is done between is done without a server, or fails. The
watch logs sets while the phone writes to the same workout; coach and athlete write to each other's records, and to each
other. Food, weight, two photos and a check-in are added, all of it offline. At the end
all of it is on the server and on every device, alike and to the last leaf.
"""

import datetime
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from anyio.from_thread import BlockingPortal
from PIL import Image

from apex_client import Replica
from apex_client.errors import ServerUnreachable
from apex_client.http_transport import HttpTransport
from apex_client.transport import LiveChannel
from apex_server.settings import Settings
from tests.e2e.test_photos import figure, until_kept
from tests.e2e.whole_server import (
    PASSWORD,
    SECRET,
    WholeServer,
    assert_one_digest,
    athlete_of,
    running_server,
    sync_until_done,
)

pytestmark = pytest.mark.anyio

MONDAY = datetime.datetime.now(datetime.UTC).date() - datetime.timedelta(days=8)
TRAINING_DAYS = {1: "Push", 3: "Pull", 5: "Legs"}
EXERCISES = {"Push": "Bench press", "Pull": "Barbell row", "Legs": "Back squat"}
PATIENCE_SECONDS = 60.0


@pytest.fixture(scope="module")
def working(portal: BlockingPortal, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WholeServer]:
    """A server with a worker, which looks at photos."""
    settings = Settings(data_dir=tmp_path_factory.mktemp("week"), secret=SECRET)
    with running_server(portal, settings, with_worker=True) as running:
        yield running


def day(number: int) -> str:
    """Give a day of the week, 1 for Monday; 8 is the Monday after it."""
    return str(MONDAY + datetime.timedelta(days=number - 1))


class Network(HttpTransport):
    """The network of one device: away, but for the moments in which it is `near`; who asks it for anything is noted."""

    def __init__(self) -> None:
        super().__init__()
        self.is_near = False
        self.missed: list[str] = []

    @contextmanager
    def near(self) -> Iterator[None]:
        """Have network while the block runs."""
        self.is_near = True
        try:
            yield
        finally:
            self.is_near = False

    async def exchange(self, server: str, token: str, message: bytes) -> bytes:
        """Sync, where there is network."""
        self._reach(server, "sync")
        return await super().exchange(server, token, message)

    async def call(self, server: str, token: str | None, method: str, path: str, json: Any) -> Any:
        """Call the API, where there is network."""
        self._reach(server, f"{method} {path}")
        return await super().call(server, token, method, path, json)

    async def download(
        self, server: str, token: str, path: str, write: Callable[[bytes], object], json: Any = None
    ) -> None:
        """Fetch a file, where there is network."""
        self._reach(server, f"GET {path}")
        await super().download(server, token, path, write, json)

    async def put(self, server: str, token: str, place: str, content: bytes) -> None:
        """Send a file, where there is network."""
        self._reach(server, f"PUT {place}")
        await super().put(server, token, place, content)

    async def connect(self, server: str, token: str) -> LiveChannel | None:
        """Open the live channel, where there is network."""
        self._reach(server, "live")
        return await super().connect(server, token)

    def _reach(self, server: str, what: str) -> None:
        if not self.is_near:
            self.missed.append(what)
            raise ServerUnreachable(server, f"no network for {what}")


class Week:
    """The three devices with the network of each, and what each of them wrote."""

    def __init__(
        self, coach: Replica, phone: Replica, watch: Replica, athlete_id: str, networks: tuple[Network, ...]
    ) -> None:
        self.coach, self.phone, self.watch, self.athlete_id = coach, phone, watch, athlete_id
        self.devices = (coach, phone, watch)
        self.networks = networks
        self.sets = 0
        self.foods = 0

    async def train(self, number: int, followed: Any) -> None:
        """Log a session on the watch."""
        name = TRAINING_DAYS[number]
        log = await self.watch.workouts.start(
            title=name, date=day(number), program_id=followed.id, week_number=1, day_number=number
        )
        for reps in (8, 8, 7):
            await log.add_set(EXERCISES[name], reps=reps, load=87.5, unit="kg", rpe=8)
            self.sets += 1
        await log.finish()

    async def eat(self, number: int) -> None:
        """Log a day's food: breakfast on the phone, what was drunk in the gym on the watch."""
        for replica, food, energy_kcal in ((self.phone, "oats", 380.0), (self.watch, "shake", 240.0)):
            eaten = {f"{food[:4]}{number}": {"name": food, "energy_kcal": energy_kcal}}
            await replica.nutrition_logs.create({"date": day(number), "foods": eaten})
            self.foods += 1

    async def rate_sessions(self) -> None:
        """Say on the phone how the sessions of the watch felt, as far as they are there."""
        for log in await self.phone.workouts.list():
            if log.get("mood") is None:
                await log.rate(fatigue=6, mood=8)

    async def report(self, answers: dict[str, str | float]) -> None:
        """Hand the week's check-in in on the phone."""
        checkin = await self.phone.checkins.draft(
            date=day(7),
            week_number=1,
            weight=81.4,
            unit="kg",
            responses={"energy": 7, "sleep": 6},
            questionnaire=answers,
        )
        await checkin.submit()

    async def meet(self, *replicas: Replica) -> None:
        """Have network for a moment on some of the devices, one after the other."""
        for replica in replicas:
            with self.network_of(replica).near():
                await sync_until_done(replica, seconds=PATIENCE_SECONDS)

    def network_of(self, replica: Replica) -> Network:
        """Give the network of a device."""
        return self.networks[self.devices.index(replica)]


async def coach_prepares(coach: Replica, athlete_id: str) -> None:
    """Plan the week offline: a program of per cents of the maximum, targets, own questions, and a note apart."""
    template = await coach.programs.create(
        name="Three days",
        duration_weeks=1,
        weeks={"w1": {"week_number": 1}},
        days={
            f"d{number}": {"week": "w1", "day_number": number, "name": name} for number, name in TRAINING_DAYS.items()
        },
        exercises={
            f"e{number}": {"day": f"d{number}", "name": EXERCISES[name]} for number, name in TRAINING_DAYS.items()
        },
        sets={
            f"s{number}{each}": {"exercise": f"e{number}", "reps_min": 6, "reps_max": 8, "load_percent": 75}
            for number in TRAINING_DAYS
            for each in range(3)
        },
    )
    await coach.programs.assign(template, athlete_id, start_date=day(1))
    await coach.questionnaires.create(
        name="Weekly", active=True, questions={"q1": {"text": "Any pain?", "type": "yes_no"}}
    )
    await coach.athlete(athlete_id).nutrition_targets.create(start_date=day(1), energy_kcal=2600, protein_g=180)
    await coach.athlete(athlete_id).client_file.edit(tags=["comeback"], notes="Mind the left shoulder.")


async def test_a_week_of_coaching_mostly_offline_ends_with_one_history(working: WholeServer, tmp_path: Path) -> None:
    networks = train, home, gym = Network(), Network(), Network()
    async with (
        athlete_of(working, tmp_path) as athlete,
        Replica.open(tmp_path / "desk.db", device_name="desk", device_kind="tablet", transport=train) as coach,
    ):
        with train.near(), home.near(), gym.near():
            await coach.register(working.address, working.new_email("carla"), PASSWORD, name="Carla", role="coach")
            phone = await athlete.device("phone", transport=home)
            invite = await coach.clients.invite()
            await phone.request("POST", f"/api/invites/{invite.code}/accept")
            watch = await athlete.device("watch", "watch", transport=gym)
        week = Week(coach, phone, watch, athlete.id, networks)

        before = await phone.workouts.start(title="Test of strength", date=day(0))
        for name in EXERCISES.values():
            await before.add_set(name, reps=5, load=100, unit="kg", rpe=10)
            week.sets += 1
        await before.finish()
        await week.meet(phone, coach)

        await coach_prepares(coach, athlete.id)  # On the train.
        await coach.messages.thread(athlete.id).send("Your week is planned. How do the rows feel?")
        await week.meet(coach, phone, watch)
        assert [[thread.name for thread in await each.messages.threads()] for each in (phone, coach)] == [
            ["Carla"],
            ["Mara"],
        ]
        [followed] = await watch.programs.list()
        assert {each["load_kg"] for each in followed["sets"].values()} == {87.5}
        assert [each["name"] for each in await phone.questionnaires.list()] == ["Weekly"]

        for number in range(1, 8):
            if number in TRAINING_DAYS:
                await week.train(number, followed)
            await week.eat(number)
            await phone.body_metrics.create(date=day(number), weight_kg=82.0 - number / 10)
            if number == 4:
                await week.meet(watch, phone)  # At home for once.
                await week.rate_sessions()
                await followed.edit(athlete_feedback="The rows are too light.")
                [asked] = await watch.messages.list()
                await asked.react("👍")
                await asked.reply("Too light.")
        for side in ("front", "back"):
            await phone.photos.add(figure(tmp_path / f"{side}.jpg", 600, 900, 80), day=day(7), type=side)
        await week.report({"q1": "no"})
        with home.near():
            await until_kept(phone)
        await week.meet(coach)

        [waiting] = await coach.athlete(athlete.id).checkins.list()
        await waiting.review("Well done. Rows go up by 2.5 kg.")
        [assigned] = await coach.athlete(athlete.id).programs.list()
        rows = {key: {"load_kg": 90.0} for key, each in assigned["sets"].items() if each["exercise"] == "e3"}
        await assigned.edit(sets=rows)
        await coach.messages.thread(athlete.id).send("90 kg from Wednesday on.")
        assert await phone.messages.unread() == 1, "the week's plan"
        await phone.messages.read()
        await week.rate_sessions()

        for _ in range(2):
            await week.meet(watch, phone, coach)
        await assert_the_week_is_whole(working, week)
        assert [network.missed for network in networks] == [[], [], []], "something asked for a server on the way"
        assert len(await athlete.sets_in_postgres()) == week.sets
        [front] = await coach.athlete(athlete.id).photos.query("type = ?", ["front"])
        with train.near():
            await front.save(tmp_path / "as the coach sees it.jpg")
        assert Image.open(tmp_path / "as the coach sees it.jpg").size == (600, 900)


async def assert_one_history(server: WholeServer, week: Week) -> None:
    """Hold all that is replicated to one content on the server and on every device that reads it.

    `global` is left out: nobody of these writes to it.
    """
    readers: dict[str, list[Replica]] = {}
    for replica in week.devices:
        for row in await replica.query("SELECT name FROM held_scopes WHERE name <> 'global' ORDER BY name"):
            readers.setdefault(row["name"], []).append(replica)
    assert {name.partition(":")[0]: len(found) for name, found in readers.items()} == {
        "athlete": 3, "thread": 3, "library": 3, "coach": 1, "private": 1,
    }  # fmt: skip
    for scope, replicas in readers.items():
        assert await server.digest(scope) != 0, f"nothing was written to {scope}"
        await assert_one_digest(server, scope, *replicas)


async def assert_the_week_is_whole(server: WholeServer, week: Week) -> None:
    """Hold every device to the server, and all of it to what was done."""
    await assert_one_history(server, week)
    for replica in week.devices:
        assert await replica.conflicts.list() == [] and await replica.rejected.list() == []
        [counted] = await replica.query(
            "SELECT (SELECT count(*) FROM logged_sets) AS sets, (SELECT count(*) FROM logged_foods) AS foods,"
            " (SELECT count(*) FROM body_metrics) AS weighings, (SELECT count(*) FROM progress_photos) AS photos,"
            " (SELECT sum(energy_kcal) FROM nutrition_logs) AS kcal"
        )
        assert counted == {"sets": week.sets, "foods": week.foods, "weighings": 7, "photos": 2, "kcal": 7 * 620.0}
        [checkin] = await replica.query("SELECT coach_feedback, coach_reviewed, questionnaire FROM check_ins")
        assert checkin["coach_feedback"] == "Well done. Rows go up by 2.5 kg."
        [program] = await replica.query("SELECT id, athlete_feedback FROM programs WHERE scope LIKE 'athlete:%'")
        assert program["athlete_feedback"] == "The rows are too light."
    for replica, unread in ((week.coach, 1), (week.phone, 1), (week.watch, 1)):
        thread = replica.messages.thread(week.athlete_id) if replica is week.coach else replica.messages
        said = [(message.sender, message.text) for message in await thread.list()]
        assert said == [
            ("coach", "90 kg from Wednesday on."),
            ("athlete", "Too light."),
            ("coach", "Your week is planned. How do the rows feel?"),
        ]
        assert await thread.unread() == unread
    [day_of_rows] = [log for log in await week.watch.workouts.list() if log["title"] == "Pull"]
    assert (day_of_rows["mood"], day_of_rows["fatigue"]) == (8, 6)
    assert {each["load_kg"] for each in day_of_rows["sets"].values()} == {87.5}, "the program's edit rewrote the log"
