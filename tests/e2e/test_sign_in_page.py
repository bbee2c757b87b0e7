"""Second factors and passkeys as a person meets them: a real Chromium, its virtual authenticator, a real server."""

import json
import re
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pyotp
import pytest
from anyio.from_thread import BlockingPortal
from playwright.sync_api import CDPSession, Page, expect

from apex_server.people import PASSWORD_LENGTH_MIN
from apex_server.settings import Settings
from tests.e2e.whole_server import PASSWORD, SECRET, WholeServer, free_port, running_server

pytestmark = pytest.mark.needs_chromium

SECURITY = re.compile("^[^?]*/security$")


@pytest.fixture(scope="module")
def home(portal: BlockingPortal, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WholeServer]:
    """A server that is reached by a name, as passkeys want it."""
    settings = Settings(data_dir=tmp_path_factory.mktemp("home"), secret=SECRET, port=free_port())
    with running_server(portal, settings) as running:
        yield running


class Coach:
    """Somebody with an account, whose browser is driven."""

    def __init__(self, home: WholeServer, name: str, role: str = "coach") -> None:
        self.home = home
        self.email = home.new_email(name.lower())
        body = {"email": self.email, "password": PASSWORD, "name": name, "role": role}
        answer = httpx.post(f"{home.address}/api/auth/register", json=body)
        assert answer.status_code == 201, answer.text
        home.confirm_blocking(self.email)

    def give_password(self, page: Page, path: str = "/security") -> None:
        page.goto(f"{address(self.home)}/?next={path}")
        form = page.locator("form[data-action=log-in]")
        form.get_by_label("E-mail").fill(self.email)
        form.get_by_label("Password").fill(PASSWORD)
        form.get_by_role("button", name="Sign in", exact=True).click()

    def sign_in(self, page: Page) -> None:
        self.give_password(page)
        page.wait_for_url(SECURITY)


def address(home: WholeServer) -> str:
    return f"http://localhost:{home.settings.port}"


def set_up_app(page: Page) -> tuple[pyotp.TOTP, list[str]]:
    """Set an authenticator app up on the page; gives it, and the recovery codes."""
    page.get_by_role("button", name="Set up").click()
    secret = page.locator("[data-secret]")
    expect(secret).to_have_text(re.compile("[A-Z2-7 ]{39}"))
    app = pyotp.TOTP(secret.inner_text().replace(" ", ""))
    dialog = page.locator("#totp")
    dialog.get_by_label("Code", exact=True).fill(app.now())
    dialog.get_by_role("button", name="Turn on").click()
    codes = page.locator("[data-codes] li")
    expect(codes).to_have_count(10)
    return app, codes.all_inner_texts()


def virtual_authenticator(page: Page) -> tuple[CDPSession, str]:
    """Plug in an authenticator that knows its person, and holds passkeys."""
    devtools = page.context.new_cdp_session(page)
    devtools.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    added: dict[str, Any] = devtools.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    return devtools, added["authenticatorId"]


def next_code(app: pyotp.TOTP, used: str) -> str:
    """Wait for a code that was not used yet; the one of the next step is good already."""
    code = app.at(int(time.time()), counter_offset=1)
    return code if code != used else app.at(int(time.time()), counter_offset=2)


def test_an_app_is_set_up_by_its_qr_code_and_asked_for_at_sign_in(page: Page, home: WholeServer) -> None:
    coach = Coach(home, "Ines")
    coach.sign_in(page)
    app, _ = set_up_app(page)
    used = app.now()
    expect(page.locator("[data-qr] svg path")).to_have_attribute("d", re.compile("^M4 4h7v1h-7z"))
    page.get_by_role("button", name="I have kept them").click()
    expect(page.get_by_role("button", name="Turn off")).to_be_visible()
    page.get_by_role("button", name="Sign out", exact=True).click()
    page.wait_for_url(re.compile("/$"))

    coach.give_password(page, "/athletes")
    form = page.locator("form[data-action=second-step]")
    form.get_by_label("Code", exact=True).fill("000 000")
    form.get_by_role("button", name="Sign in", exact=True).click()
    expect(form.get_by_role("alert")).to_contain_text("not right")
    form.get_by_label("Code", exact=True).fill(next_code(app, used))
    form.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url(re.compile("^[^?]*/athletes$"))


def test_a_recovery_code_lets_in_who_lost_the_phone(page: Page, home: WholeServer) -> None:
    coach = Coach(home, "Carla")
    coach.sign_in(page)
    _, codes = set_up_app(page)
    page.context.clear_cookies()
    coach.give_password(page)
    form = page.locator("form[data-action=second-step]")
    form.get_by_role("button", name="Use a recovery code").click()
    form.get_by_label("Recovery code").fill(codes[0].lower())
    form.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url(SECURITY)
    expect(page.get_by_text("9 codes left")).to_be_visible()


def test_a_phone_gets_a_code_and_then_the_codes_of_sign_ins(page: Page, home: WholeServer) -> None:
    coach = Coach(home, "Otto")
    coach.sign_in(page)
    page.get_by_role("button", name="Add a phone").click()
    dialog = page.locator("#phone")
    dialog.get_by_label("Number, with its country").fill("12")
    dialog.get_by_role("button", name="Send a code").click()
    expect(dialog.get_by_role("alert").first).to_contain_text("country")
    dialog.get_by_label("Number, with its country").fill("+44 7400 123456")
    dialog.get_by_role("button", name="Send a code").click()
    dialog.get_by_label("Code", exact=True).fill(newest_code(home))
    dialog.get_by_role("button", name="Confirm").click()
    expect(page.locator("[data-codes] li")).to_have_count(10)
    page.get_by_role("button", name="I have kept them").click()
    expect(page.get_by_text("ends in 56")).to_be_visible()


def test_a_passkey_is_made_used_renamed_and_removed(page: Page, home: WholeServer, portal: BlockingPortal) -> None:
    coach = Coach(home, "Paula")
    devtools, authenticator = virtual_authenticator(page)
    coach.sign_in(page)
    page.get_by_role("button", name="Add a passkey").click()
    row = page.locator("[data-passkey]")
    expect(row).to_contain_text("Chrome on Linux")
    held = devtools.send("WebAuthn.getCredentials", {"authenticatorId": authenticator})["credentials"]
    assert [each["rpId"] for each in held] == ["localhost"]

    page.get_by_role("button", name="Sign out", exact=True).click()
    page.wait_for_url(re.compile("/$"))
    page.goto(f"{address(home)}/?next=/security")
    page.get_by_role("button", name="Sign in with a passkey").click()
    page.wait_for_url(SECURITY)
    expect(row).to_contain_text("Last used")

    row.get_by_role("button", name="Rename").click()
    page.locator("#passkey-name").get_by_label("Name").fill("Paula's laptop")
    page.locator("#passkey-name").get_by_role("button", name="Save").click()
    expect(row).to_contain_text("Paula's laptop")
    portal.call(home.rows, "UPDATE sessions SET authenticated_at = authenticated_at - interval '1 hour' RETURNING id")
    row.get_by_role("button", name="Remove").click()
    page.locator("#prove").get_by_role("button", name="Use a passkey").click()
    expect(page.get_by_text("None yet.")).to_be_visible()


def test_a_page_at_a_number_says_where_passkeys_are_made(page: Page, home: WholeServer) -> None:
    coach = Coach(home, "Iris")
    page.goto(home.address)
    expect(page.get_by_role("link", name=address(home))).to_be_visible()
    expect(page.get_by_role("button", name="Sign in with a passkey")).to_be_hidden()
    page.goto(address(home))
    expect(page.get_by_role("button", name="Sign in with a passkey")).to_be_visible()
    expect(page.get_by_role("link", name=address(home))).to_be_hidden()

    coach.sign_in(page)

    expect(page.get_by_role("button", name="Add a passkey")).to_be_visible()
    assert home.settings.page_url == address(home)


def test_the_rule_for_passwords_is_on_every_page_that_takes_a_new_one(page: Page, home: WholeServer) -> None:
    coach = Coach(home, "Lea")
    for path in ("/", "/reset-password"):
        page.goto(address(home) + path)
        expect_the_rule(page)
    coach.sign_in(page)
    expect_the_rule(page)


def expect_the_rule(page: Page) -> None:
    box = page.locator('input[autocomplete="new-password"]')
    expect(box).to_have_attribute("minlength", str(PASSWORD_LENGTH_MIN))
    expect(box.locator("xpath=..")).to_contain_text(f"At least {PASSWORD_LENGTH_MIN} characters")


def test_an_authenticator_that_does_not_know_its_person_is_said(page: Page, home: WholeServer) -> None:
    coach = Coach(home, "Vera")
    devtools, authenticator = virtual_authenticator(page)
    coach.sign_in(page)
    devtools.send("WebAuthn.setUserVerified", {"authenticatorId": authenticator, "isUserVerified": False})
    page.get_by_role("button", name="Add a passkey").click()
    expect(page.locator("#toast")).to_contain_text("cancelled")


def test_a_device_is_removed_and_everything_is_signed_out(page: Page, home: WholeServer) -> None:
    coach = Coach(home, "Rosa")
    body = {"email": coach.email, "password": PASSWORD, "device": {"name": "Rosa's tablet", "kind": "tablet"}}
    tablet = httpx.post(f"{home.address}/api/auth/login", json=body).json()
    coach.sign_in(page)
    page.get_by_role("button", name="Remove Rosa's tablet").click()
    expect(page.get_by_text("Rosa's tablet")).to_have_count(0)
    token = {"Authorization": f"Bearer {tablet['access_token']}"}
    assert httpx.get(f"{home.address}/api/auth/me", headers=token).status_code == 401
    page.get_by_role("button", name="Sign out everywhere").click()
    page.wait_for_url(re.compile("/$"))


def test_an_old_session_is_asked_for_the_password_before_anything_is_changed(
    page: Page, home: WholeServer, portal: BlockingPortal
) -> None:
    coach = Coach(home, "Nora")
    coach.sign_in(page)
    portal.call(home.rows, "UPDATE sessions SET authenticated_at = authenticated_at - interval '1 hour' RETURNING id")
    page.get_by_role("button", name="Set up").click()
    prove = page.locator("#prove")
    prove.get_by_label("Password").fill("not the password")
    prove.get_by_role("button", name="Go on").click()
    expect(prove.get_by_role("alert")).to_contain_text("wrong")
    prove.get_by_label("Password").fill(PASSWORD)
    prove.get_by_role("button", name="Go on").click()
    expect(page.locator("#totp [data-qr] svg")).to_be_visible()


def test_the_password_and_the_address_are_changed_there(page: Page, home: WholeServer) -> None:
    email = home.new_email("hanna")
    page.goto(f"{address(home)}/?next=/security")
    page.get_by_role("button", name="Create a coach account").click()
    form = page.locator("form[data-action=register]")
    expect(page.locator(".sign form:visible")).to_have_attribute("data-action", "register")
    form.get_by_role("button", name="Sign in").click()
    expect(page.locator(".sign form:visible")).to_have_attribute("data-action", "log-in")
    page.get_by_role("button", name="Create a coach account").click()
    for label, text in {"Your name": "Hanna", "E-mail": email, "Password": PASSWORD}.items():
        form.get_by_label(label).fill(text)
    form.get_by_role("button", name="Create account").click()
    page.wait_for_url(SECURITY)
    account = page.get_by_role("region", name="Address and password")
    expect(account).to_contain_text("on this device alone")
    account.get_by_role("button", name="Mail me the link").click()
    expect(account.get_by_role("button", name="On its way")).to_be_visible()
    account.get_by_role("button", name="Change").last.click()
    dialog = page.locator("#password")
    dialog.get_by_label("Password until now").fill("not the password")
    dialog.get_by_label("New password").fill("a wholly other phrase")
    dialog.get_by_role("button", name="Use this password").click()
    expect(dialog.get_by_role("alert")).to_contain_text("wrong")
    dialog.get_by_label("Password until now").fill(PASSWORD)
    dialog.get_by_role("button", name="Use this password").click()
    expect(dialog).to_be_hidden()
    body = {"email": email, "password": "a wholly other phrase"}
    assert httpx.post(f"{home.address}/api/auth/login", json=body).status_code == 401
    home.confirm_blocking(email)
    assert httpx.post(f"{home.address}/api/auth/login", json=body).status_code == 200

    account.get_by_role("button", name="Change").first.click()
    page.locator("#email").get_by_label("New e-mail").fill(home.new_email("new"))
    page.locator("#email").get_by_role("button", name="Mail me the link").click()
    expect(page.locator("#toast")).to_contain_text("on its way")


def test_an_athlete_has_the_page_too(page: Page, home: WholeServer) -> None:
    athlete = Coach(home, "Anna", "athlete")
    athlete.give_password(page, "/athletes")
    page.get_by_role("link", name="Security and your data").click()
    expect(page.get_by_role("heading", name="Security")).to_be_visible()
    expect(page.get_by_text("this device")).to_be_visible()


def newest_code(home: WholeServer) -> str:
    """Wait for the next text message, and take the code out of it."""
    folder, until = home.settings.data_dir / "texts", time.monotonic() + 10
    while not (found := sorted(folder.glob("*.json"))) and time.monotonic() < until:
        time.sleep(0.05)
    text = json.loads(found[-1].read_text())["text"]
    return str(re.match("[0-9]{6}", text)[0])  # type: ignore[index]
