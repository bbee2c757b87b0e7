"""A coach looks after athletes from the SDK and the command line: who needs attention, and inviting many people."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from anyio.from_thread import BlockingPortal

from apex_client import Replica
from apex_client import blocking as in_a_thread
from apex_client.waiting import pause
from apex_server.settings import Settings
from tests.client.apex_command import Terminal
from tests.e2e.whole_server import PASSWORD, SECRET, WholeServer, running_server

pytestmark = pytest.mark.anyio

LAID_DOWN_SECONDS_MAX = 30
"""The worker looks every five; this machine may be busy."""


@pytest.fixture(scope="module")
def working(portal: BlockingPortal, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WholeServer]:
    """A server with a worker, which lays down what waited for an athlete."""
    settings = Settings(data_dir=tmp_path_factory.mktemp("clients"), secret=SECRET)
    with running_server(portal, settings, with_worker=True) as running:
        yield running


async def test_an_invited_athlete_comes_with_what_the_coach_knew(working: WholeServer, tmp_path: Path) -> None:
    async with Replica.open(tmp_path / "coach.db") as coach, Replica.open(tmp_path / "athlete.db") as athlete:
        await coach.register(working.address, working.new_email("carla"), PASSWORD, name="Carla", role="coach")
        invite = await coach.clients.invite(profile={"goals": ["Compete"]}, file={"tags": ["Prep"]})
        await athlete.register(working.address, working.new_email("anna"), PASSWORD, name="Anna", invite=invite.code)
        [client] = await coach.clients.list()
        for _ in range(LAID_DOWN_SECONDS_MAX):
            if client.tags:
                break
            await pause(1.0)
            [client] = await coach.clients.list()
        assert (client.name, client.tags, client.status) == ("Anna", ["Prep"], "active")

        await athlete.sync()
        assert (await athlete.profile.get())["goals"] == ["Compete"]
        log = await athlete.workouts.start(title="Push")
        await log.add_set("Bench Press", reps=8, load=100, unit="kg", rpe=8)
        await log.finish()
        await athlete.sync()
        await coach.sync()
        assert {entry.kind for entry in await coach.clients.timeline(client.id)} == {"linked", "workout"}
        dashboard = await coach.clients.dashboard(client.id)
        assert dashboard.workouts[0].working_sets == 1

        file = coach.athlete(client.id).client_file
        await file.edit(status="overdue")
        await coach.sync()
        assert [each.id for each in await coach.clients.list(status="overdue")] == [client.id]
        await file.edit(archived=True)
        await coach.sync()
        assert await coach.clients.list() == []
        await file.edit(archived=False)
        await coach.sync()
        assert (await coach.clients.get(client.id))["archived"] is False


def test_the_command_line_shows_and_invites(working: WholeServer, tmp_path: Path) -> None:
    apex, email = Terminal(tmp_path, "desk"), working.new_email("cora")
    words = ("--server", working.address, "--email", email, "--password-stdin", "--name", "Cora", "--role", "coach")
    apex("register", *words, stdin=f"{PASSWORD}\n").ok()
    assert "nobody yet, archived ones aside; invite somebody" in apex("clients").ok().err
    file = tmp_path / "athletes.csv"
    file.write_text("name,email,height_cm\nAda,ada@example.com,170\nBo,bo@example.com,tall\n")

    template = tmp_path / "template.csv"
    template.write_text(apex("clients", "import", "--template").ok().out)
    assert "1 row: 1 invite would be made, 0 left out" in apex("clients", "import", template).ok().err
    wrong = tmp_path / "wrong.csv"
    wrong.write_text("name,heigth_cm\nAda,170\n")
    assert "did you mean height_cm?" in apex("clients", "import", wrong).err

    refused = apex("clients", "import", file, "--dry-run", "--invite")
    assert refused.code == 2 and "--dry-run to look, or --invite" in refused.err
    looked = apex("clients", "import", file, "--dry-run").ok()
    assert [" ".join(line.split()) for line in looked.out.splitlines()[2:]] == [
        "2 left out: height_cm: Expected a number",
        "1 Ada an invite; its letter waits until your own address is confirmed",
    ]
    assert "2 rows: 1 invite would be made, 1 left out" in looked.err and "nothing was made" in looked.err
    assert f"to invite those: apex clients import {file} --invite" in looked.err and "mend" in looked.err
    made = apex("clients", "import", file, "--invite").ok()
    assert "Ada" in made.out and "left out: height_cm" in made.out
    assert "2 rows: 1 invite made, 1 left out" in made.err
    again = apex("clients", "import", file).ok()
    assert "in place of the open one" in again.out and "1 open invite of before would be void" in again.err
    assert "1 open invite: apex clients invites" in apex("clients").ok().err
    assert "nobody is so" in apex("clients", "--status", "overdue").ok().err
    [code] = [word for word in made.out.split() if word.count("-") == 3]

    with in_a_thread.Replica.open(tmp_path / "ada.db") as ada:
        # The address was never verified, so the invite waits for that: it is for ada@example.com alone.
        ada.register(working.address, "ada@example.com", PASSWORD, name="Ada", invite=code)
    working.confirm_blocking(email)
    with in_a_thread.Replica.open(tmp_path / "desk.db") as desk:
        desk.login(working.address, email, PASSWORD)
        open_code = desk.clients.invite().code
    with in_a_thread.Replica.open(tmp_path / "ben.db") as ben:
        ben.register(working.address, working.new_email("ben"), PASSWORD, name="Ben", invite=open_code)
    apex("sync").ok()
    apex("clients", "archive", "Ben").ok()
    apex("sync").ok()
    assert "Ben" not in apex("clients").ok().out
    apex("clients", "restore", "ben").ok()
    apex("sync").ok()
    listed = apex("clients").ok().out
    assert "Ben" in listed
    assert "active" in listed
    assert "Ben" not in apex("clients", "--status", "overdue").ok().out


def test_the_command_line_invites_by_letter_lists_and_takes_back(working: WholeServer, tmp_path: Path) -> None:
    apex, email, invited = Terminal(tmp_path, "desk"), working.new_email("cora"), working.new_email("anna")
    words = ("--server", working.address, "--email", email, "--password-stdin", "--name", "Cora", "--role", "coach")
    apex("register", *words, stdin=f"{PASSWORD}\n").ok()
    assert "once you confirm your own address" in apex("clients", "invite", invited).ok().err
    working.confirm_blocking(email)

    made = apex("clients", "invite", invited).ok()
    assert f"a letter with it is on its way to {invited}" in made.err
    listed = apex("clients", "invites").ok()
    assert invited in listed.out
    assert "1 open invite" in listed.err
    assert "is none of your open invites" in apex("clients", "revoke", "nobody@example.com").err
    apex("clients", "revoke", invited).ok()
    assert "0 open invites" in apex("clients", "invites").ok().err
    anna = Terminal(tmp_path, "phone")
    hers = ("--server", working.address, "--email", invited, "--password-stdin", "--name", "Anna")
    anna("register", *hers, stdin=f"{PASSWORD}\n").ok()
    assert "This invite was taken back." in anna("join", made.out.strip()).err
