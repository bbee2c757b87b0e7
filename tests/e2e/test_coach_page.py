"""What a coach sees and does, in a real headless Chromium against a real server with devices that push to it."""

import re
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from anyio.from_thread import BlockingPortal
from playwright.sync_api import Browser, Page, Request, expect

from apex_server.settings import Settings
from apex_sync.ids import private_scope
from apex_sync.op import Patch
from tests.e2e.coach_world import CoachWorld, Device, Person, new_id
from tests.e2e.whole_server import PASSWORD, SECRET, WholeServer, running_server

pytestmark = pytest.mark.needs_chromium

SEEN_WITHIN_SECONDS = 1.0
TODAY = date(2026, 3, 2)
HOSTILE = "<script>window.hacked = 1</script><img src=x onerror='window.hacked = 1'>"


@pytest.fixture(scope="module")
def world(server: WholeServer, portal: BlockingPortal) -> CoachWorld:
    return CoachWorld(server.settings, portal)


@pytest.fixture
def coach(world: CoachWorld) -> Person:
    return world.coach("Ines Okafor")


def sign_in(page: Page, coach: Person, path: str = "/athletes") -> None:
    page.goto(f"{coach.world.address}/?next={path}")
    form = page.locator("form[data-action=log-in]")
    form.get_by_label("E-mail").fill(coach.email)
    form.get_by_label("Password").fill(PASSWORD)
    form.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url(f"**{path}")
    expect(page.locator("#live")).to_have_attribute("data-state", "live")


def push_day(**more: object) -> Patch:
    return {
        "title": "Push",
        "date": TODAY.isoformat(),
        "start_time": f"{TODAY}T18:05:00",
        "exercises": {"e0": {"name": "Bench Press (Barbell)", "order": "a0"}},
        "sets": {"s0": bench_set("a0", reps=8), "s1": bench_set("a1", reps=8, rpe=8.5)},
        **more,
    }


def bench_set(order: str, **more: object) -> Patch:
    return {"exercise": "e0", "order": order, "load": 225.0, "load_unit": "lb", "load_kg": 102.058283, **more}


def check_in(**more: object) -> Patch:
    return {
        "date": TODAY.isoformat(),
        "weight_kg": 82.5,
        "responses": {"energy": 4, "stress": 9},
        "submitted_at": f"{TODAY}T20:30:00",
        **more,
    }


def phone_and_watch(athlete: Person) -> tuple[Device, Device]:
    return athlete.device("Mara's phone", "phone"), athlete.device("Mara's watch", "watch")


def test_a_new_server_lets_the_first_coach_in_and_hands_out_an_invite(
    page: Page, portal: BlockingPortal, tmp_path: Path
) -> None:
    with running_server(portal, Settings(data_dir=tmp_path, secret=SECRET)) as fresh:
        page.goto(fresh.address)
        form = page.locator("form[data-action=register]")
        form.get_by_label("Your name").fill("Ines")
        form.get_by_label("E-mail").fill("ines@example.com")
        form.get_by_label("Password").fill(PASSWORD)
        form.get_by_role("button", name="Create account").click()
        page.wait_for_url("**/athletes")
        expect(page.get_by_role("heading", name="Invite your first athlete")).to_be_visible()
        expect(page.get_by_role("status").filter(has_text="not confirmed")).to_be_visible()
        page.get_by_role("button", name="Send the link again").click()
        expect(page.get_by_role("button", name="On its way")).to_be_visible()
        page.get_by_role("button", name="Invite an athlete").first.click()
        page.get_by_label("Their e-mail").fill("mara@example.com")
        page.get_by_role("button", name="Invite", exact=True).click()
        expect(page.locator("[data-invite-code]")).to_have_text(re.compile("[A-Z0-9]{4,}"))
        expect(page.get_by_text("A letter with it goes once you confirm your own address.")).to_be_visible()
        expect(page.get_by_text("A letter with it is on its way.")).to_be_hidden()
        page.goto(page.locator("[data-invite-link]").inner_text())
        expect(page.get_by_role("heading", name="Ines invites you")).to_be_visible()
        commands = page.locator("code")
        expect(commands.first).to_contain_text(f"apex register --server {fresh.settings.page_url} --invite")
        expect(commands.last).to_have_text(re.compile("^apex join [A-Z0-9-]{20,}$"))
        page.goto("about:blank")


def test_a_wrong_password_is_said_and_nobody_is_let_in(page: Page, coach: Person) -> None:
    page.goto(coach.world.address)
    form = page.locator("form[data-action=log-in]")
    form.get_by_label("E-mail").fill(coach.email)
    form.get_by_label("Password").fill("not the password at all")
    form.get_by_role("button", name="Sign in", exact=True).click()
    expect(form.get_by_role("alert")).to_contain_text("password")
    assert urlsplit(page.url).path == "/"


def test_whoever_needs_attention_comes_first_with_the_reasons(page: Page, coach: Person) -> None:
    calm, waiting, urgent = (coach.athlete(name) for name in ("Ann Calm", "Ben Waiting", "Cleo Urgent"))
    calm.device("Phone", "phone").log(new_id(), push_day(date=str(datetime.now(UTC).date())))
    waiting.device("Phone", "phone").log(new_id(), check_in(), "check_ins")
    draft = {"athlete_id": urgent.id, "kind": "training", "priority": "critical", "status": "draft", "title": "Look"}
    coach.world.write_as_system(private_scope(coach.id, urgent.id), "insights", new_id(), draft)
    sign_in(page, coach)
    assert page.locator(".athlete h2").all_inner_texts() == ["Cleo Urgent", "Ben Waiting", "Ann Calm"]
    rows = page.locator(".athlete")
    expect(rows.nth(0)).to_contain_text("1 critical insight")
    expect(rows.nth(1)).to_contain_text("1 check-in to answer")
    expect(rows.nth(2)).to_contain_text("Nothing waits")
    expect(rows.nth(2)).to_contain_text("Bench Press (Barbell)")


def test_a_reconciled_workout_shows_loads_as_typed_and_which_device_logged_each_set(page: Page, coach: Person) -> None:
    athlete = coach.athlete("Mara")
    phone, watch = phone_and_watch(athlete)
    workout = new_id()
    phone.log(workout, push_day())
    watch.sync()
    watch.log(workout, {"sets": {"w0": bench_set("b0", reps=6)}})
    sign_in(page, coach, f"/athletes/{athlete.id}")
    sets = page.locator(f"#w-{workout} .set")
    expect(sets).to_have_count(3)
    expect(sets.nth(0)).to_contain_text("225 lb × 8")
    expect(sets.nth(0).get_by_role("img", name="from Mara's phone")).to_be_visible()
    expect(sets.nth(2).get_by_role("img", name="from Mara's watch")).to_be_visible()
    expect(page.locator("#devices")).to_contain_text("Mara's watch")


def test_a_conflict_stands_at_its_value_and_is_settled_for_every_device(page: Page, coach: Person) -> None:
    athlete = coach.athlete("Mara")
    phone, watch = phone_and_watch(athlete)
    workout = new_id()
    phone.log(workout, push_day())
    watch.sync()
    watch.write(workout, {"sets": {"s0": {"reps": 9}}})
    phone.write(workout, {"sets": {"s0": {"reps": 10}}})
    watch.sync()
    phone.sync()
    sign_in(page, coach, f"/athletes/{athlete.id}")
    first = page.locator(f"#w-{workout} .set").first
    contested = first.get_by_role("button", name="10, in conflict")
    contested.click()
    conflict = page.get_by_role("dialog", name="Conflict: Bench Press (Barbell), set 1 · reps")
    expect(conflict).to_contain_text("Mara's watch")
    conflict.get_by_role("button", name="Keep 9 reps instead").click()
    expect(contested).to_have_count(0)
    expect(first).to_contain_text("225 lb × 9")
    expect(page.locator("#marked")).to_have_count(0)
    watch.sync()
    shown = athlete("GET", f"/api/workouts/{workout}?include=conflicts").json()
    assert shown["conflicts"] == []
    assert shown["exercises"][0]["sets"][0]["reps"] == 9


def test_a_load_typed_on_two_devices_is_one_conflict_and_comes_back_as_typed(page: Page, coach: Person) -> None:
    athlete = coach.athlete("Mara")
    phone, watch = phone_and_watch(athlete)
    workout = new_id()
    phone.log(workout, push_day())
    watch.sync()
    watch.write(workout, {"sets": {"s1": {"load": 220.0, "load_unit": "lb", "load_kg": 99.790321}}})
    phone.write(workout, {"sets": {"s1": {"load": None, "load_unit": None, "load_kg": 105.0}}})
    watch.sync()
    phone.sync()
    sign_in(page, coach, f"/athletes/{athlete.id}")
    second = page.locator(f"#w-{workout} .set").nth(1)
    expect(page.locator(f"#w-{workout} button.contested")).to_have_count(1)
    second.get_by_role("button", name="105 kg, in conflict").click()
    page.get_by_role("button", name="Keep 220 lb instead").click()
    expect(second).to_contain_text("220 lb × 8")


def test_a_sync_shows_within_a_second_and_leaves_half_written_answers_alone(page: Page, coach: Person) -> None:
    athlete = coach.athlete("Mara")
    phone, watch = phone_and_watch(athlete)
    workout, report = new_id(), new_id()
    phone.log(report, check_in(), "check_ins")
    phone.log(workout, push_day())
    watch.sync()
    sign_in(page, coach, f"/athletes/{athlete.id}")
    answer = page.locator(f"#c-{report} textarea")
    answer.fill("Half a sen")
    watch.write(workout, {"sets": {"s0": {"reps": 12}}})
    started = time.monotonic()
    watch.sync()
    changed = page.locator(f"#w-{workout} .set").first
    expect(changed).to_contain_text("225 lb × 12", timeout=5000)
    assert time.monotonic() - started < SEEN_WITHIN_SECONDS
    assert "is-changed" in (changed.get_attribute("class") or "")
    expect(answer).to_have_value("Half a sen")
    expect(answer).to_be_focused()
    another = new_id()
    phone.log(another, push_day(title="Evening"))
    expect(page.locator(f"#w-{another}.is-new")).to_be_visible()


def test_a_sync_leaves_an_invite_code_and_what_was_wrong_with_a_form_where_they_are(page: Page, coach: Person) -> None:
    phone, _ = phone_and_watch(coach.athlete("Mara"))
    sign_in(page, coach)
    page.get_by_role("button", name="Invite an athlete").click()
    page.get_by_role("button", name="Invite", exact=True).click()
    code = page.locator("[data-invite-code]")
    expect(code).to_have_text(re.compile("[A-Z0-9]{4,}"))
    made, link = code.inner_text(), page.locator("[data-invite-link]").inner_text()
    page.get_by_label("Their e-mail").fill(f"{'a' * 65}@such.example")
    page.get_by_role("button", name="Invite", exact=True).click()
    expect(page.locator(".invite .form-error")).to_contain_text("email")

    phone.log(new_id(), push_day(date=str(datetime.now(UTC).date())))

    expect(page.locator(".athlete.is-changed, .athlete .is-changed")).to_be_visible()
    expect(code).to_have_text(made)
    expect(page.locator("[data-invite-link]")).to_have_text(link)
    expect(page.locator(".invite .form-error")).to_contain_text("email")


def test_a_page_that_is_not_there_is_a_page_and_the_way_to_security_is_seen(page: Page, coach: Person) -> None:
    answer = page.goto(f"{coach.world.address}/athlets")
    assert answer is not None and answer.status == 404
    expect(page.get_by_role("heading", name="There is nothing here.")).to_be_visible()
    sign_in(page, coach)
    page.locator("header").get_by_role("link", name="Security").and_(page.locator(":visible")).click()
    expect(page.get_by_role("heading", name="Security", exact=True)).to_be_visible()


def test_the_page_says_when_it_is_cut_off_and_catches_up_by_itself(page: Page, coach: Person) -> None:
    athlete = coach.athlete("Mara")
    phone, _ = phone_and_watch(athlete)
    sign_in(page, coach, f"/athletes/{athlete.id}")
    live = page.locator("#live")
    page.context.set_offline(True)
    expect(live).to_have_text("reconnecting")
    workout = new_id()
    phone.log(workout, push_day())
    page.context.set_offline(False)
    expect(live).to_have_text("live")
    expect(page.locator(f"#w-{workout}")).to_be_visible()


def test_what_an_athlete_writes_is_text_and_nothing_comes_from_elsewhere(page: Page, coach: Person) -> None:
    athlete = coach.athlete("Mara")
    phone = athlete.device(f"{HOSTILE}'s phone", "phone")
    workout = new_id()
    exercises = {"e0": {"name": HOSTILE, "order": "a0", "notes": HOSTILE}}
    phone.log(workout, push_day(title=HOSTILE, notes=HOSTILE, exercises=exercises))
    phone.log(new_id(), check_in(notes=HOSTILE, questionnaire={HOSTILE: HOSTILE}), "check_ins")
    asked: list[str] = []
    complaints: list[str] = []

    def remember(request: Request) -> None:
        asked.append(request.url)

    page.on("request", remember)
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    sign_in(page, coach, f"/athletes/{athlete.id}")
    expect(page.locator(f"#w-{workout} .quote")).to_have_text(HOSTILE)
    phone.log(new_id(), push_day(title=f"Later {HOSTILE}"))
    expect(page.get_by_role("heading", name="Later <script>")).to_be_visible()
    page.goto(f"{coach.world.address}/athletes/{athlete.id}/workouts/{workout}")
    expect(page.locator(".history")).to_contain_text("s phone")
    assert page.evaluate("window.hacked") is None
    assert complaints == []
    assert {urlsplit(url).netloc for url in asked} == {urlsplit(coach.world.address).netloc}


def test_a_page_allows_no_script_or_style_of_its_own(coach: Person) -> None:
    answer = coach.world.client.get("/")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "<style" not in answer.text
    assert " style=" not in answer.text
    assert " onclick" not in answer.text


def test_a_value_out_of_bounds_is_marked_for_a_check(page: Page, coach: Person) -> None:
    athlete = coach.athlete("Mara")
    phone, _ = phone_and_watch(athlete)
    workout = new_id()
    phone.log(workout, push_day(sets={"s0": bench_set("a0", reps=5, rpe=14.0)}))
    sign_in(page, coach, f"/athletes/{athlete.id}")
    card = page.locator(f"#w-{workout}")
    expect(card.locator(".needs-review")).to_contain_text("Bench Press (Barbell), set 1 · RPE should be at most 10")
    expect(page.locator("#marked")).to_contain_text("Value to check")


def test_a_check_in_is_read_against_what_is_usual_and_answered(page: Page, coach: Person) -> None:
    athlete = coach.athlete("Mara")
    phone, _ = phone_and_watch(athlete)
    for week in range(4, 0, -1):
        on = TODAY - timedelta(weeks=week)
        calm = check_in(date=on.isoformat(), responses={"energy": 7, "stress": 4}, submitted_at=f"{on}T08:00:00")
        phone.write(new_id(), calm, "check_ins")
    report = new_id()
    phone.log(report, check_in(weight_kg=83.0), "check_ins")
    sign_in(page, coach, f"/athletes/{athlete.id}")
    card = page.locator(f"#c-{report}")
    expect(card.get_by_role("img", name="9 of 10, usually 4")).to_be_visible()
    expect(card.locator(".answer.worse")).to_have_count(2)
    expect(card).to_contain_text("+0.5 kg")
    expect(page.get_by_role("img", name="Body weight. Latest 83 kg")).to_be_visible()
    card.get_by_label("Your answer to Mara").fill("Half the sets this week.")
    card.get_by_role("button", name="Send and mark answered").click()
    expect(card).to_contain_text("answered")
    expect(card.locator(".feedback-given")).to_contain_text("Half the sets this week.")
    assert athlete("GET", f"/api/checkins/{report}").json()["coach_feedback"] == "Half the sets this week."


def test_a_draft_shows_its_facts_and_reaches_the_athlete_only_in_approved_words(page: Page, coach: Person) -> None:
    athlete = coach.athlete("Mara")
    phone, _ = phone_and_watch(athlete)
    report, insight = new_id(), new_id()
    phone.log(report, check_in(), "check_ins")
    draft = {
        "athlete_id": athlete.id,
        "kind": "check_in",
        "about_id": report,
        "priority": "high",
        "status": "draft",
        "title": "Stress is high",
        "summary": "Stress was answered 9.",
        "recommendations": ["Consider a lighter week."],
        "facts": [{"id": "F1", "label": "Stress", "value": 9.0, "unit": "of 10", "record_id": report}],
    }
    coach.world.write_as_system(private_scope(coach.id, athlete.id), "insights", insight, draft)
    sign_in(page, coach, f"/athletes/{athlete.id}")
    card = page.locator(f"#i-{insight}")
    card.get_by_text("1 fact behind it").click()
    expect(card.get_by_role("row", name="F1 Stress 9 of 10")).to_be_visible()
    card.get_by_role("button", name="Edit").click()
    card.get_by_label("Text").fill("Let us take it easy for a week.")
    card.get_by_role("button", name="Approve this text and send").click()
    expect(page.locator(f"#c-{report} .published")).to_contain_text("Let us take it easy for a week.")
    assert athlete("GET", f"/api/checkins/{report}").json()["ai_summary"] == "Let us take it easy for a week."


def test_a_dismissed_draft_goes_away_and_the_athlete_never_sees_it(page: Page, coach: Person) -> None:
    athlete = coach.athlete("Mara")
    insight = new_id()
    draft = {"athlete_id": athlete.id, "kind": "training", "status": "draft", "title": "Raise the load", "summary": "x"}
    coach.world.write_as_system(private_scope(coach.id, athlete.id), "insights", insight, draft)
    sign_in(page, coach, f"/athletes/{athlete.id}")
    page.locator(f"#i-{insight}").get_by_role("button", name="Dismiss").click()
    expect(page.locator("#insights")).to_contain_text("No insight waits for you.")
    expect(page.locator("#insights")).to_contain_text("1 decided lately")


def test_lines_of_strength_are_drawn_with_their_records(page: Page, coach: Person) -> None:
    anna = coach.athlete("Anna Weber")
    phone = anna.device("Phone", "phone")
    today = datetime.now(UTC).date()
    for weeks_ago, load in ((3, 100.0), (2, 105.0), (1, 102.5)):
        on = today - timedelta(weeks=weeks_ago)
        lift = {"exercise": "e0", "order": "a0", "reps": 5, "load_kg": load}
        phone.log(new_id(), push_day(date=str(on), start_time=f"{on}T18:05:00", sets={"s0": lift}))
    sign_in(page, coach, f"/athletes/{anna.id}")
    drawn = page.locator("#strength svg")
    expect(drawn).to_have_count(1)
    expect(drawn).to_have_attribute(
        "aria-label", re.compile(r"Bench Press \(Barbell\): estimated maximum 119.6 kg by Epley, ")
    )
    expect(drawn.locator("circle")).to_have_count(3)
    expect(drawn.locator("title", has_text="a personal record")).to_have_count(1)


def test_long_histories_come_in_pages(page: Page, coach: Person) -> None:
    athlete = coach.athlete("Mara")
    phone, _ = phone_and_watch(athlete)
    for back in range(23):
        phone.write(new_id(), push_day(title=f"Day {back}", date=(TODAY - timedelta(days=back)).isoformat()))
    phone.sync()
    sign_in(page, coach, f"/athletes/{athlete.id}")
    expect(page.locator(".workout")).to_have_count(20)
    page.get_by_role("link", name="Older").click()
    expect(page.locator(".workout")).to_have_count(3)
    expect(page.locator(".workout h3").last).to_have_text("Day 22")


def test_an_expired_token_is_renewed_without_asking_for_the_password(page: Page, coach: Person) -> None:
    athlete = coach.athlete("Mara")
    sign_in(page, coach)
    page.context.clear_cookies(name="apex_access")
    page.goto(f"{coach.world.address}/athletes/{athlete.id}")
    page.wait_for_url(f"**/athletes/{athlete.id}")
    expect(page.get_by_role("heading", name="Mara", exact=True)).to_be_visible()


def test_somebody_elses_athlete_is_not_there(page: Page, world: CoachWorld, coach: Person) -> None:
    stranger = world.coach("Another").athlete("Mara")
    sign_in(page, coach)
    answer = page.goto(f"{world.address}/athletes/{stranger.id}")
    assert answer is not None
    assert answer.status == 404
    expect(page.get_by_role("link", name="To your athletes")).to_be_visible()


def test_signing_out_ends_the_session_and_the_page_is_shut(page: Page, coach: Person) -> None:
    sign_in(page, coach)
    page.locator(".menu summary").click()
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url(f"{coach.world.address}/")
    page.goto(f"{coach.world.address}/athletes")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_the_page_fits_a_phone_and_every_button_has_a_name(browser: Browser, coach: Person) -> None:
    athlete = coach.athlete("Mara")
    phone, watch = phone_and_watch(athlete)
    workout = new_id()
    phone.log(workout, push_day())
    watch.sync()
    watch.write(workout, {"fatigue": 8})
    phone.write(workout, {"fatigue": 6})
    watch.sync()
    phone.sync()
    phone.log(new_id(), check_in(), "check_ins")
    for days in range(1, 4):
        phone.log(new_id(), push_day(date=(TODAY - timedelta(days=days)).isoformat(), title=f"Push {days}"))
    context = browser.new_context(viewport={"width": 390, "height": 844})
    page = context.new_page()
    sign_in(page, coach, f"/athletes/{athlete.id}")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    jump = page.get_by_role("link", name="Answer the check-in")
    expect(jump).to_be_in_viewport()
    jump.click()
    expect(page.get_by_role("button", name="Send and mark answered")).to_be_in_viewport()
    earlier = page.get_by_role("article", name="Push 3")
    expect(earlier.get_by_text("Bench Press (Barbell)")).to_be_visible()
    expect(earlier.locator(".sets")).to_be_hidden()
    nameless = "[...document.querySelectorAll('button')].filter(b => !(b.ariaLabel || b.textContent).trim()).length"
    assert page.evaluate(nameless) == 0
    context.close()
