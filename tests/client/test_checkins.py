"""Check-ins, profile, insights and a coach's athletes: each role writes its own leaves, offline as well."""

from pathlib import Path

import pytest
from PIL import Image

from apex_client.errors import AthleteNeeded, NotGranted
from apex_sync.errors import ForbiddenField, OutOfBounds
from tests.client.conftest import OpenReplica
from tests.client.fleet import assert_sound
from tests.client.loopback import LoopbackServer

pytestmark = pytest.mark.anyio

ANNA, COACH = "anna@example.com", "coach@example.com"


async def test_a_draft_is_submitted_when_it_is_done(open_replica: OpenReplica) -> None:
    replica = await open_replica()
    check_in = await replica.checkins.draft(
        weight=180, unit="lb", body_fat_percent=15.5, measurements={"waist": 32, "chest": 40}, length_unit="in",
        responses={"energy": 7, "sleep": 6}, questionnaire={"Any pain?": "no"}, notes="fine", week_number=3,
    )  # fmt: skip
    assert (check_in.date, check_in.submitted, check_in.weight_kg) == ("2026-03-01", False, 81.646627)
    assert check_in.responses == {"energy": 7, "sleep": 6}
    await check_in.edit(weight=81.5, responses={"sleep": 8, "stress": None}, notes=None)
    await check_in.submit()
    (row,) = await replica.query("SELECT * FROM check_ins")
    assert row["weight_kg"] == 81.5 and row["weight"] is None and row["waist_cm"] == 81.28 and row["sleep"] == 8
    assert row["submitted_at"] == "2026-03-01T18:05:00+00:00" and row["questionnaire"] == '{"Any pain?":"no"}'
    assert (await replica.checkins.on("2026-03-01"))[0].id == check_in.id
    assert check_in.record.measurements.chest_cm == 101.6
    assert_sound(replica._open)


async def test_an_answer_beyond_ten_is_refused(open_replica: OpenReplica) -> None:
    replica = await open_replica()
    with pytest.raises(OutOfBounds) as caught:
        await replica.checkins.draft(responses={"energy": 14})
    assert caught.value.problem.field == "responses.energy"
    assert await replica.checkins.list() == []


async def test_only_the_coach_reviews(open_replica: OpenReplica, server: LoopbackServer) -> None:
    athlete = await open_replica("athlete", ANNA)
    coach = await open_replica("coach", COACH, role="coach")
    server.link(server.accounts[COACH], server.accounts[ANNA])
    check_in = await athlete.checkins.draft(notes="tired")
    with pytest.raises(ForbiddenField) as caught:
        await check_in.review("well done")
    assert caught.value.role == "athlete"
    await check_in.submit()
    await athlete.sync()
    await coach.sync()
    theirs = await coach.athlete(server.accounts[ANNA].id).checkins.get(check_in.id)
    with pytest.raises(ForbiddenField):
        await theirs.edit(notes="not tired")
    await theirs.review("sleep more")
    await coach.sync()
    await athlete.sync()
    await check_in.refresh()
    assert check_in.coach_reviewed and check_in.coach_feedback == "sleep more" and check_in.notes == "tired"


async def test_a_coach_sees_all_athletes_and_writes_in_each(open_replica: OpenReplica, server: LoopbackServer) -> None:
    coach = await open_replica("coach", COACH, role="coach")
    names = {}
    for number in range(3):
        email = f"athlete{number}@example.com"
        athlete = await open_replica(f"athlete{number}", email)
        server.link(server.accounts[COACH], server.accounts[email])
        await athlete.profile.edit(name=f"Athlete {number}", training_days_per_week=4)
        await athlete.workouts.start(title=f"of {number}", start_time="2026-03-01T10:00:00")
        await athlete.sync()
        names[server.accounts[email].id] = f"Athlete {number}"
    await coach.sync()
    listed = await coach.athletes.list()
    assert [(one.id, one.name, one.workouts, one.last_workout_date) for one in listed] == [
        (athlete_id, name, 1, "2026-03-01") for athlete_id, name in names.items()
    ]
    assert len(await coach.workouts.list()) == 3
    first = next(iter(names))
    assert [log.title for log in await coach.athlete(first).workouts.list()] == ["of 0"]
    program = await coach.athlete(first).programs.create({"name": "Hypertrophy"})
    draft = await coach.athlete(first).program_drafts.create({"name": "Draft"})
    await coach.sync()
    athlete = await open_replica("athlete0-watch", "athlete0@example.com")
    await athlete.sync()
    assert [found.id for found in await athlete.programs.list()] == [program.id]
    assert draft.scope.startswith("private:")
    with pytest.raises(ForbiddenField):
        await (await athlete.programs.get(program.id)).edit(name="mine")


async def test_an_answer_that_changes_after_the_review_shows_wherever_the_edit_was_made(
    open_replica: OpenReplica, server: LoopbackServer
) -> None:
    """Also one that was made offline before the review: the coach has not seen it all the same."""
    phone = await open_replica("phone", ANNA)
    watch = await open_replica("watch", ANNA)
    coach = await open_replica("coach", COACH, role="coach")
    server.link(server.accounts[COACH], server.accounts[ANNA])
    made = await (await phone.checkins.draft(weight=82.4, responses={"energy": 7})).submit()
    await phone.sync()
    await watch.sync()
    await coach.sync()
    [on_watch] = await watch.checkins.list()
    await on_watch.edit(notes="Slept badly.")
    await (await coach.checkins.list())[0].review("Well done.")
    waiting = "SELECT id FROM check_ins WHERE submitted_at IS NOT NULL AND NOT coach_reviewed"
    assert await coach.query(waiting) == []
    await coach.sync()
    await watch.sync()
    for replica in (phone, coach):
        await replica.sync()
        [check_in] = await replica.checkins.list()
        assert check_in.coach_reviewed and check_in.edited_since_review
        assert [row["id"] for row in await replica.query(waiting)] == [made.id]
    await (seen := (await coach.checkins.list())[0]).review("Sleep first.")
    assert not seen.edited_since_review and await coach.query(waiting) == []


async def test_the_questions_of_a_check_in_are_shown_with_answers_and_what_is_amiss(
    open_replica: OpenReplica, server: LoopbackServer
) -> None:
    """Also once the coach has deleted the questionnaire; before it has come, answers stand under their keys."""
    coach = await open_replica("coach", COACH, role="coach")
    athlete = await open_replica("athlete", ANNA)
    server.link(server.accounts[COACH], server.accounts[ANNA])
    server.share_library(server.accounts[COACH], server.accounts[ANNA])
    await coach.sync()
    question = {"text": "Sore?", "type": "scale", "minimum": 0, "maximum": 10}
    asked = await coach.questionnaires.create(name="Weekly", questions={"q1": question})
    made = await athlete.checkins.draft(questionnaire_id=asked.id, questionnaire={"q1": 11})
    assert [(one.text, one.answer, one.problem) for one in await made.questions()] == [("q1", 11, None)]
    await asked.delete()
    for replica in (coach, athlete):
        await replica.sync()
    problem = "Expected a whole number from 0 to 10"
    assert [(one.text, one.answer, one.problem) for one in await made.questions()] == [("Sore?", 11, problem)]


async def test_of_two_coaches_questionnaires_with_one_id_the_answered_one_is_shown_else_the_newest(
    open_replica: OpenReplica, server: LoopbackServer
) -> None:
    athlete = await open_replica("athlete", ANNA)
    record_id = None
    for number, (email, key) in enumerate([(COACH, "knee"), ("other@example.com", "sleep")]):
        coach = await open_replica(email, email, role="coach")
        server.link(server.accounts[email], server.accounts[ANNA])
        server.share_library(server.accounts[email], server.accounts[ANNA])
        await coach.sync()
        questions = {key: {"text": f"How is your {key}?"}, "mood": {"text": f"And beside your {key}?"}}
        made = {"created_at": f"2026-03-01T10:0{number}:00", "questions": questions}
        asked = await coach.questionnaires.create(made, record_id=record_id)
        record_id = asked.id
        await coach.sync()
    await athlete.sync()

    draft = await athlete.checkins.draft(questionnaire_id=record_id, questionnaire={"mood": "Good."})
    for answer, shown in (({}, "sleep"), ({"knee": "Fine."}, "knee"), ({"knee": None, "sleep": "Deep."}, "sleep")):
        await draft.edit(questionnaire=answer)
        texts = [one.text for one in await draft.questions()]
        assert sorted(texts) == [f"And beside your {shown}?", f"How is your {shown}?"]
        questionnaire = await draft.asked()
        assert questionnaire is not None and shown in questionnaire["questions"]
    await draft.edit(questionnaire_id=None)
    assert await draft.asked() is None


async def test_photos_are_taken_for_a_check_in(open_replica: OpenReplica, tmp_path: Path) -> None:
    replica = await open_replica()
    Image.effect_noise((40, 30), 90).save(picture := tmp_path / "front.jpg")
    check_in = await replica.checkins.draft(date="2026-02-27")
    other = await replica.checkins.draft()
    photo = await check_in.add_photo(picture, type="front", pose="relaxed")
    assert (photo["check_in_id"], photo["date"], photo["type"]) == (check_in.id, "2026-02-27", "front")
    assert [each.id for each in await check_in.photos()] == [photo.id] and await other.photos() == []


async def test_insights_are_approved_and_dismissed_by_the_coach(
    open_replica: OpenReplica, server: LoopbackServer
) -> None:
    coach = await open_replica("coach", COACH, role="coach")
    account = server.add_user(ANNA)
    server.link(server.accounts[COACH], account)
    await coach.sync()
    scope = f"private:{server.accounts[COACH].id}:{account.id}"
    local = coach._open
    ids: list[str] = []
    with local.store.transaction():
        for title in ("one", "two"):
            held = local.device.new_record(f"00000000-0000-7000-8000-00000000000{len(ids)}", scope, "insights")
            held.write({"title": title, "status": "draft", "athlete_id": account.id}, 1)
            local.store.save([held], "pulled")
            ids.append(held.record_id)
    insights = coach.athlete(account.id).insights
    assert {found.get("title") for found in await insights.list(status="draft")} == {"one", "two"}
    approved = await insights.approve(ids[0])
    dismissed = await coach.insights.dismiss(ids[1], reason="old news")
    assert (approved["status"], dismissed["dismissed_reason"]) == ("approved", "old news")
    assert await insights.list(status="draft") == []
    with pytest.raises(ForbiddenField):
        await approved.edit(priority="low")


async def test_a_scope_that_was_never_granted_cannot_be_written(
    open_replica: OpenReplica, server: LoopbackServer
) -> None:
    coach = await open_replica("coach", COACH, role="coach")
    await coach.sync()
    with pytest.raises(NotGranted):
        await coach.athlete("00000000-0000-0000-0000-000000000099").workouts.start()


async def test_the_profile_of_before_the_first_sign_in_becomes_the_athletes(
    open_replica: OpenReplica, server: LoopbackServer
) -> None:
    replica = await open_replica()
    assert (await replica.profile.get()).state == {}
    await replica.profile.edit(name="Anna", goals=["strength"])
    server.add_user(ANNA)
    user = await replica.login("https://coach.example", ANNA, "secret")
    profile = await replica.profile.get()
    assert profile.id == user.id and profile.state == {"name": "Anna", "goals": ["strength"]}
    await replica.sync()
    other = await open_replica("watch", ANNA)
    await other.sync()
    assert (await other.profile.get())["name"] == "Anna"
    assert_sound(replica._open)


async def test_what_waits_for_the_coach_is_listed_with_the_most_urgent_first(
    open_replica: OpenReplica, server: LoopbackServer
) -> None:
    coach = await open_replica("coach", COACH, role="coach")
    anna, berta = server.add_user(ANNA), server.add_user("berta@example.com")
    reports = []
    for account, name in ((anna, "anna"), (berta, "berta")):
        server.link(server.accounts[COACH], account)
        replica = await open_replica(name, account.email)
        reports += [await (await replica.checkins.draft(date=f"2026-02-2{n}")).submit() for n in range(2)]
        await replica.checkins.draft(date="2026-02-27")
        await replica.sync()
    await coach.sync()
    urgent, answered = reports[3], reports[0]
    local = coach._open
    with local.store.transaction():
        scope = f"private:{server.accounts[COACH].id}:{berta.id}"
        held = local.device.new_record("00000000-0000-7000-8000-000000000001", scope, "insights")
        held.write({"status": "draft", "athlete_id": berta.id, "about_id": urgent.id, "priority": "low"}, 1)
        local.store.save([held], "pulled")
    await (await coach.checkins.get(answered.id)).review("Well done.")

    pending = await coach.checkins.pending()
    assert pending[0].id == urgent.id
    assert {each.id for each in pending} == {each.id for each in reports[1:]}
    assert [each.id for each in await coach.athlete(anna.id).checkins.pending()] == [reports[1].id]


async def test_a_weight_trend_is_of_measurings_and_check_ins_that_were_handed_in(open_replica: OpenReplica) -> None:
    replica = await open_replica()
    await replica.body_metrics.create(date="2026-02-20", weight_kg=80.0)
    await (await replica.checkins.draft(date="2026-02-21", weight=81, unit="kg")).submit()
    await replica.checkins.draft(date="2026-02-22", weight=99, unit="kg")
    days = await replica.body_metrics.trend()
    assert [(day.date.isoformat(), round(day.trend_kg, 2)) for day in days] == [
        ("2026-02-20", 80),
        ("2026-02-21", 80.1),
    ]
    coach = await open_replica("coach", COACH, role="coach")
    await coach.sync()
    with pytest.raises(AthleteNeeded):
        await coach.body_metrics.trend()
