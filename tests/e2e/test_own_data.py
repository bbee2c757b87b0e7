"""What a person may do with their own data: by the SDK, its blocking twin, `apex`, and the page in a real Chromium."""

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from anyio.from_thread import BlockingPortal
from playwright.sync_api import Page, expect

from apex_client import Replica
from apex_client import blocking as in_a_thread
from apex_client.errors import ServerRefused, SignInAgain, WrongCredentials
from apex_client.own_data import DataExportProgress
from apex_server.consent_texts import CONSENT_TEXTS
from apex_server.policy import CONSENT_KINDS
from apex_server.settings import Settings
from tests.client.apex_command import Terminal
from tests.e2e.test_sign_in_page import Coach
from tests.e2e.whole_server import PASSWORD, SECRET, WholeServer, running_server

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def working(portal: BlockingPortal, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WholeServer]:
    """A server with a worker, which makes the copies."""
    with running_server(
        portal, Settings(data_dir=tmp_path_factory.mktemp("own"), secret=SECRET), with_worker=True
    ) as running:
        yield running


async def signed_in_long_ago(server: WholeServer, email: str) -> None:
    await server.rows("UPDATE sessions SET authenticated_at = authenticated_at - interval '1 hour' RETURNING id")


def names_in(path: Path) -> set[str]:
    assert path.stat().st_mode & 0o077 == 0
    with zipfile.ZipFile(path) as archive:
        return set(archive.namelist())


async def test_a_copy_of_everything_is_made_and_downloaded_whole(working: WholeServer, tmp_path: Path) -> None:
    path, email = tmp_path / "copy.zip", working.new_email("mara")
    seen: list[DataExportProgress] = []
    async with Replica.open(tmp_path / "athlete.db") as replica:
        await replica.register(working.address, email, PASSWORD, name="Mara")
        log = await replica.workouts.start(title="Push")
        await replica.sync()
        made = await replica.privacy.export(path, progress=seen.append)

    assert path.stat().st_size == made.bytes == seen[-1].done == seen[-1].total
    assert {"README.txt", "account.json"} <= names_in(path)
    with zipfile.ZipFile(path) as archive:
        assert any(log.id in archive.read(name).decode() for name in archive.namelist())
    assert list(tmp_path.glob("*.part")) == []


async def test_what_cannot_be_taken_back_wants_the_password_again(working: WholeServer, tmp_path: Path) -> None:
    email = working.new_email("nora")
    async with Replica.open(tmp_path / "athlete.db") as replica:
        await replica.register(working.address, email, PASSWORD, name="Nora")
        await signed_in_long_ago(working, email)
        with pytest.raises(SignInAgain):
            await replica.privacy.ask_for_deletion()
        session = replica._open.session
        with pytest.raises(WrongCredentials):
            await replica.reauthenticate("not the password at all")
        assert replica._open.session is session, "a wrong password is a wrong password, and no lost session"
        await replica.reauthenticate(PASSWORD)

        asked = await replica.privacy.ask_for_deletion()

        assert asked.erase_at is not None and asked.asked_at is not None
        assert (asked.erase_at - asked.asked_at).days == 30
        assert await replica.privacy.deletion() == asked
        await replica.privacy.cancel_deletion()
        assert await replica.privacy.deletion() is None
        with pytest.raises(ServerRefused, match="not_found"):
            await replica.privacy.cancel_deletion()


def test_consents_are_given_for_the_text_that_was_read_and_taken_back(working: WholeServer, tmp_path: Path) -> None:
    with in_a_thread.Replica.open(tmp_path / "athlete.db") as replica:
        replica.register(working.address, working.new_email("ida"), PASSWORD, name="Ida")
        offered = {consent.kind: consent for consent in replica.privacy.consents()}
        assert set(offered) == set(CONSENT_KINDS) == set(CONSENT_TEXTS)
        assert not any(consent.given for consent in offered.values())

        replica.privacy.allow(offered["ai_analysis"])
        replica.privacy.allow(offered["support_access"], days=3)

        given = {consent.kind: consent for consent in replica.privacy.consents() if consent.given}
        assert set(given) == {"ai_analysis", "support_access"}
        support = given["support_access"]
        assert support.expires_at is not None and support.given_at is not None
        assert (support.expires_at - support.given_at).days == 3
        replica.privacy.withdraw("ai_analysis")
        assert [each.kind for each in replica.privacy.consents() if each.given] == ["support_access"]


def test_the_command_line_does_all_of_it(working: WholeServer, portal: BlockingPortal, tmp_path: Path) -> None:
    apex, email = Terminal(tmp_path, "laptop"), working.new_email("cleo")
    words = ("--server", working.address, "--email", email, "--password-stdin")
    apex("register", *words, "--name", "Cleo", stdin=f"{PASSWORD}\n").ok()

    apex("privacy", "allow", "ai_analysis", "--yes").ok()
    listed = apex("privacy").ok().out
    assert "ai_analysis: allowed since" in listed and "support_access: not allowed" in listed
    assert max(map(len, listed.splitlines())) <= 80, "it is read as it is, in a file as in a terminal"
    assert CONSENT_TEXTS["ai_analysis"].text in " ".join(listed.split())
    told = {each["kind"]: each["given"] for each in apex("privacy", "--json").json()["consents"]}
    assert told == {kind: kind == "ai_analysis" for kind in CONSENT_KINDS}
    portal.call(working.sql, "UPDATE consents SET version = '2026-11' WHERE withdrawn_at IS NULL")
    assert "not all that the text says today" in " ".join(apex("privacy").ok().out.split())
    apex("privacy", "withdraw", "ai_analysis").ok()
    assert ": allowed" not in apex("privacy").ok().out
    assert apex("privacy", "allow", "support_access", "--yes").code == 2
    assert apex("privacy", "allow", "ai_analysis").code == 2

    copy = tmp_path / "copy.zip"
    assert "wrote" in apex("privacy", "export", copy).ok().err
    assert "account.json" in names_in(copy)
    assert "is there already" in apex("privacy", "export", copy).err

    assert apex("privacy", "delete-account").code == 2
    wrong = apex("privacy", "delete-account", "--confirm", "somebody@else.example").err
    assert "nothing was asked for" in wrong and "In 30 days" not in wrong
    portal.call(signed_in_long_ago, working, email)
    refused = apex("privacy", "delete-account", "--confirm", email, "--password-stdin", stdin="wrong one\n")
    assert "wrong; try again" in refused.err
    asked = apex("privacy", "delete-account", "--confirm", email, "--password-stdin", stdin=f"{PASSWORD}\n").ok()
    assert "apex privacy keep-account" in asked.err
    stands = apex("status").ok().out
    assert "it is erased after" in stands and "apex privacy keep-account" in stands and "not confirmed" in stands
    assert "account ends" not in apex("status", "--offline").ok().out
    assert apex("status", "--json").json()["account"]["erased_after"] is not None
    portal.call(working.sql, "UPDATE sessions SET ended_at = now(), end_reason = 'signed_out' WHERE ended_at IS NULL")
    assert "sign in again" in apex("status").ok().out
    apex("logout").ok()
    assert "apex privacy keep-account" in apex("login", *words, stdin=f"{PASSWORD}\n").ok().err
    assert "stays" in apex("privacy", "keep-account").ok().err
    assert "nothing is to be erased" in apex("privacy", "keep-account").ok().err
    assert json.loads(apex("status", "--json").ok().out)["user"]["email"] == email


@pytest.mark.needs_chromium
def test_the_page_does_all_of_it(working: WholeServer, portal: BlockingPortal, page: Page, tmp_path: Path) -> None:
    Coach(working, "Ines")  # A server without a coach offers to make one, and not to sign in.
    athlete = Coach(working, "Ada", "athlete")
    athlete.sign_in(page)
    model, support = page.locator('[data-consent="ai_analysis"]'), page.locator('[data-consent="support_access"]')
    expect(model).to_contain_text("Not allowed")
    model.get_by_role("button", name="Allow").click()
    expect(model).to_contain_text("Allowed since")
    support.get_by_role("button", name="Allow").click()
    expect(support).to_contain_text("Allowed until")
    portal.call(working.sql, "UPDATE consents SET version = '2026-11' WHERE kind = 'ai_analysis'")
    page.reload()
    expect(model).to_contain_text("by an earlier text that said less")
    model.get_by_role("button", name="Allow").click()
    expect(model).not_to_contain_text("earlier text")
    model.get_by_role("button", name="Withdraw").click()
    expect(model).to_contain_text("Not allowed")

    portal.call(signed_in_long_ago, working, athlete.email)
    page.get_by_role("button", name="Make a copy").click()
    prove = page.locator("#prove")
    prove.get_by_label("Password").fill(PASSWORD)
    prove.get_by_role("button", name="Go on").click()
    with page.expect_download() as downloading:
        page.get_by_role("button", name="Download").click()
    downloading.value.save_as(tmp_path / "copy.zip")
    with zipfile.ZipFile(tmp_path / "copy.zip") as archive:
        assert json.loads(archive.read("account.json"))["email"] == athlete.email

    end = page.locator("[data-end]")
    end.get_by_role("button", name="Delete the account").click()
    expect(end).to_contain_text("Erased after")
    page.reload()
    expect(end).to_contain_text("Erased after")
    end.get_by_role("button", name="Keep the account").click()
    expect(end).not_to_contain_text("Erased after")
    expect(end.get_by_role("button", name="Delete the account")).to_be_visible()
